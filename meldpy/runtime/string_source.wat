;; Lifting strings: what one source memory has to offer before anything of the callee runs.
;;
;; Each export takes a pointer and a length in code units, and traps unless the string may be lifted: not too long,
;; aligned, inside the memory and well formed, checked in this order. Nothing is decoded; a caller that returns
;; from here may transcode without looking for errors. Spec: load_string_from_range.
;;
;; S is the address type of the memory, S_PAGE_LOG2 the log2 of its page size; both are replaced before assembly.
;;
;; The checks of content are in two files: by vectors, or one unit after another.
(module
  (import "src" "memory" (memory $src S 0))
  (import "trap" "string too long" (func $trap_too_long))
  (import "trap" "string pointer misaligned" (func $trap_misaligned))
  (import "trap" "string out of bounds" (func $trap_out_of_bounds))
  (import "trap" "invalid utf8" (func $trap_invalid_utf8))
  (import "trap" "invalid utf16" (func $trap_invalid_utf16))

  ;; Length, alignment and bounds, for `units` code units of 1 << `unit_log2` bytes that are aligned by two.
  ;; MAX_STRING_BYTE_LENGTH is 2^28 - 1; it is held against code units, and bounds are checked in 64 bits and by
  ;; subtraction, so that nothing wraps around.
  (@define check_bounds (byte_length)
    memory.size $src
    i64.from_S
    i64.const S_PAGE_LOG2
    i64.shl
    local.set $size
    local.get $ptr
    i64.from_S
    local.set $start
    (i64.gt_u (local.get $start) (local.get $size))
    byte_length
    i64.from_S
    (i64.sub (local.get $size) (local.get $start))
    i64.gt_u
    i32.or
    if
      call $trap_out_of_bounds
    end)

  (@define check_range (unit_log2)
    (if (S.gt_u (local.get $units) (S.shr_u (S.const 0x0FFF_FFFF) (S.const unit_log2)))
      (then (call $trap_too_long)))
    (if (S.ne (S.and (local.get $ptr) (S.const 1)) (S.const 0)) (then (call $trap_misaligned)))
    (@check_bounds (S.shl (local.get $units) (S.const unit_log2))))

  (func $string.check_latin1 (export "latin1") (param $ptr S) (param $units S)
    (local $size i64) (local $start i64)
    (@check_range 0))

  (@vectors (@include string_source_vectors.wat))
  (@scalars (@include string_source_scalars.wat))
)
