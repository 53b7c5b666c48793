;; Lifting strings: what one source memory has to offer before anything of the callee runs.
;;
;; Each export takes a pointer and a length in code units, and traps unless the string may be lifted: not too long,
;; aligned, inside the memory and well formed, checked in this order. Nothing is decoded; a caller that returns
;; from here may transcode without looking for errors. Spec: load_string_from_range.
;;
;; S is the address type of the memory, S_PAGE_LOG2 the log2 of its page size; both are replaced before assembly.
(module
  (import "src" "memory" (memory $src S 0))
  (import "trap" "string too long" (func $trap_too_long))
  (import "trap" "string pointer misaligned" (func $trap_misaligned))
  (import "trap" "string out of bounds" (func $trap_out_of_bounds))
  (import "trap" "invalid utf8" (func $trap_invalid_utf8))
  (import "trap" "invalid utf16" (func $trap_invalid_utf16))

  ;; Length, alignment and bounds, for code units of 1 << `$unit_log2` bytes that are aligned by two.
  ;; MAX_STRING_BYTE_LENGTH is 2^28 - 1; it is held against code units, and bounds are checked in 64 bits and by
  ;; subtraction, so that nothing wraps around.
  (func $string.check_range (param $ptr S) (param $units S) (param $unit_log2 S)
    (local $size i64) (local $start i64)
    (if (S.gt_u (local.get $units) (S.shr_u (S.const 0x0FFF_FFFF) (local.get $unit_log2)))
      (then (call $trap_too_long)))
    (if (S.ne (S.and (local.get $ptr) (S.const 1)) (S.const 0)) (then (call $trap_misaligned)))
    memory.size $src
    i64.from_S
    i64.const S_PAGE_LOG2
    i64.shl
    local.set $size
    local.get $ptr
    i64.from_S
    local.set $start
    (i64.gt_u (local.get $start) (local.get $size))
    (S.shl (local.get $units) (local.get $unit_log2))
    i64.from_S
    (i64.sub (local.get $size) (local.get $start))
    i64.gt_u
    i32.or
    if
      call $trap_out_of_bounds
    end)

  (func $string.check_latin1 (export "latin1") (param $ptr S) (param $units S)
    (call $string.check_range (local.get $ptr) (local.get $units) (S.const 0)))

  (func $string.check_utf16 (export "utf16") (param $ptr S) (param $units S)
    (call $string.check_range (local.get $ptr) (local.get $units) (S.const 1))
    (call $string.validate_utf16 (local.get $ptr)
      (S.add (local.get $ptr) (S.shl (local.get $units) (S.const 1)))))

  ;; The check that most strings meet, short ones above all: hence hardly a call, and no loop over bytes. Blocks of
  ;; ASCII are skipped where they lie, runs of other sequences are judged one by one; the last bytes, fewer than eight,
  ;; are judged in a register, where zeros behind the end complete no sequence.
  (func $string.check_utf8 (export "utf8") (param $ptr S) (param $units S)
    (local $end S) (local $left S) (local $bits i32) (local $sequence i32)
    (local $size i64) (local $start i64) (local $word i64)
    ;; check_range for bytes of any alignment, in line.
    (if (S.gt_u (local.get $units) (S.const 0x0FFF_FFFF)) (then (call $trap_too_long)))
    memory.size $src
    i64.from_S
    i64.const S_PAGE_LOG2
    i64.shl
    local.set $size
    local.get $ptr
    i64.from_S
    local.set $start
    (i64.gt_u (local.get $start) (local.get $size))
    local.get $units
    i64.from_S
    (i64.sub (local.get $size) (local.get $start))
    i64.gt_u
    i32.or
    if
      call $trap_out_of_bounds
    end
    (local.set $end (S.add (local.get $ptr) (local.get $units)))
    block $tail
      loop $next
        (local.set $left (S.sub (local.get $end) (local.get $ptr)))
        (if (S.ge_u (local.get $left) (S.const 64))
          (then
            (if
              (i32.eqz
                (i8x16.bitmask
                  (v128.or
                    (v128.or
                      (v128.load $src align=1 (local.get $ptr))
                      (v128.load $src offset=16 align=1 (local.get $ptr)))
                    (v128.or
                      (v128.load $src offset=32 align=1 (local.get $ptr))
                      (v128.load $src offset=48 align=1 (local.get $ptr))))))
              (then
                (local.set $ptr (S.add (local.get $ptr) (S.const 64)))
                (br $next)))))
        ;; One bit for each byte that is not ASCII.
        (if (S.ge_u (local.get $left) (S.const 16))
          (then
            (local.set $bits (i8x16.bitmask (v128.load $src align=1 (local.get $ptr))))
            (if (i32.eqz (local.get $bits))
              (then
                (local.set $ptr (S.add (local.get $ptr) (S.const 16)))
                (br $next))))
          (else
            (br_if $tail (S.lt_u (local.get $left) (S.const 8)))
            (local.set $bits (i8x16.bitmask (v128.load64_zero $src align=1 (local.get $ptr))))
            (if (i32.eqz (local.get $bits))
              (then
                (local.set $ptr (S.add (local.get $ptr) (S.const 8)))
                (br $next)))))
        ;; Go to the first of them, and on until one is ASCII.
        (i32.ctz (local.get $bits))
        S.from_i32
        local.get $ptr
        S.add
        local.set $ptr
        loop $run
          (br_if $next (S.lt_u (S.sub (local.get $end) (local.get $ptr)) (S.const 4)))
          (local.set $sequence (i32.load $src align=1 (local.get $ptr)))
          (br_if $next (i32.eqz (i32.and (local.get $sequence) (i32.const 0x80))))
          ;; 1110xxxx 10xxxxxx 10xxxxxx and 110xxxxx 10xxxxxx in the line of the loop, as in the function below.
          (if (i32.eq (i32.and (local.get $sequence) (i32.const 0xC0_C0F0)) (i32.const 0x80_80E0))
            (then
              (local.set $sequence (i32.and (local.get $sequence) (i32.const 0x200F)))
              (if (i32.eqz (local.get $sequence)) (then (call $trap_invalid_utf8)))
              (if (i32.eq (local.get $sequence) (i32.const 0x200D)) (then (call $trap_invalid_utf8)))
              (local.set $ptr (S.add (local.get $ptr) (S.const 3)))
              (br $run)))
          (if (i32.eq (i32.and (local.get $sequence) (i32.const 0xC0E0)) (i32.const 0x80C0))
            (then
              (if (i32.eqz (i32.and (local.get $sequence) (i32.const 0x1E))) (then (call $trap_invalid_utf8)))
              (local.set $ptr (S.add (local.get $ptr) (S.const 2)))
              (br $run)))
          (call $string.utf8_sequence_length (local.get $sequence))
          S.from_i32
          local.get $ptr
          S.add
          local.set $ptr
          (br $run)
        end
      end
    end
    (if (S.eqz (local.get $left)) (then (return)))
    (if (S.ge_u (local.get $units) (S.const 8))
      (then
        ;; The last word of the string, less what was judged already.
        (i64.load $src align=1 (S.sub (local.get $end) (S.const 8)))
        (S.shl (S.sub (S.const 8) (local.get $left)) (S.const 3))
        i64.from_S
        i64.shr_u
        local.set $word)
      (else
        (local.set $word (call $string.load_short (local.get $ptr) (local.get $units)))))
    loop $next
      (if (i64.eqz (i64.and (local.get $word) (i64.const 0x8080_8080_8080_8080))) (then (return)))
      (local.set $word
        (i64.shr_u
          (local.get $word)
          (i64.and (i64.ctz (i64.and (local.get $word) (i64.const 0x8080_8080_8080_8080))) (i64.const 0x38))))
      (local.set $word
        (i64.shr_u
          (local.get $word)
          (i64.extend_i32_u
            (i32.shl (call $string.utf8_sequence_length (i32.wrap_i64 (local.get $word))) (i32.const 3)))))
      (br $next)
    end)

  ;; The one to seven bytes at `ptr` as a little-endian word, zeros behind them: two loads that may overlap.
  (func $string.load_short (param $ptr S) (param $left S) (result i64)
    (local $low i64) (local $high i64)
    (if (S.ge_u (local.get $left) (S.const 4))
      (then
        (local.set $low (i64.load32_u $src align=1 (local.get $ptr)))
        (local.set $left (S.sub (local.get $left) (S.const 4)))
        (local.set $high (i64.load32_u $src align=1 (S.add (local.get $ptr) (local.get $left)))))
      (else
        (if (S.lt_u (local.get $left) (S.const 2)) (then (return (i64.load8_u $src (local.get $ptr)))))
        (local.set $low (i64.load16_u $src align=1 (local.get $ptr)))
        (local.set $left (S.sub (local.get $left) (S.const 2)))
        (local.set $high (i64.load16_u $src align=1 (S.add (local.get $ptr) (local.get $left))))))
    local.get $low
    local.get $high
    (S.shl (local.get $left) (S.const 3))
    i64.from_S
    i64.shl
    i64.or)

  ;; The length of the sequence of two to four bytes at the low end of `word`; traps unless it is well formed
  ;; (Unicode, table 3-7). The first byte is not ASCII.
  (func $string.utf8_sequence_length (param $word i32) (result i32)
    ;; 110xxxxx 10xxxxxx: C0 and C1 would be overlong.
    (if (i32.eq (i32.and (local.get $word) (i32.const 0xC0E0)) (i32.const 0x80C0))
      (then
        (if (i32.eqz (i32.and (local.get $word) (i32.const 0x1E))) (then (call $trap_invalid_utf8)))
        (return (i32.const 2))))
    ;; 1110xxxx 10xxxxxx 10xxxxxx: E0 needs bit 5 of the second byte (else overlong), ED forbids it (surrogates).
    (if (i32.eq (i32.and (local.get $word) (i32.const 0xC0_C0F0)) (i32.const 0x80_80E0))
      (then
        (if (i32.eqz (i32.and (local.get $word) (i32.const 0x200F))) (then (call $trap_invalid_utf8)))
        (if (i32.eq (i32.and (local.get $word) (i32.const 0x200F)) (i32.const 0x200D))
          (then (call $trap_invalid_utf8)))
        (return (i32.const 3))))
    ;; 11110xxx 10xxxxxx 10xxxxxx 10xxxxxx: the top five bits of the code point are the plane, 1 to 16.
    (if (i32.ne (i32.and (local.get $word) (i32.const 0xC0C0_C0F8)) (i32.const 0x8080_80F0))
      (then (call $trap_invalid_utf8)))
    (if
      (i32.ge_u
        (i32.sub
          (i32.or
            (i32.shl (i32.and (local.get $word) (i32.const 7)) (i32.const 2))
            (i32.and (i32.shr_u (local.get $word) (i32.const 12)) (i32.const 3)))
          (i32.const 1))
        (i32.const 16))
      (then (call $trap_invalid_utf8)))
    i32.const 4)

  ;; Traps unless every surrogate of [ptr, end) belongs to a pair. Where there is none, eight units go at a time.
  (func $string.validate_utf16 (param $ptr S) (param $end S)
    (local $unit i32)
    block $done
      loop $next
        (br_if $done (S.eq (local.get $ptr) (local.get $end)))
        (if (S.ge_u (S.sub (local.get $end) (local.get $ptr)) (S.const 16))
          (then
            (if
              (i32.eqz
                (v128.any_true
                  (i16x8.eq
                    (v128.and
                      (v128.load $src align=2 (local.get $ptr))
                      (i16x8.splat (i32.const 0xF800)))
                    (i16x8.splat (i32.const 0xD800)))))
              (then
                (local.set $ptr (S.add (local.get $ptr) (S.const 16)))
                (br $next)))))
        (local.set $unit (i32.load16_u $src (local.get $ptr)))
        (local.set $ptr (S.add (local.get $ptr) (S.const 2)))
        (br_if $next (i32.ne (i32.and (local.get $unit) (i32.const 0xF800)) (i32.const 0xD800)))
        ;; A high surrogate, a unit behind it, and that one a low surrogate.
        (if (i32.ge_u (local.get $unit) (i32.const 0xDC00)) (then (call $trap_invalid_utf16)))
        (if (S.eq (local.get $ptr) (local.get $end)) (then (call $trap_invalid_utf16)))
        (if (i32.ne (i32.and (i32.load16_u $src (local.get $ptr)) (i32.const 0xFC00)) (i32.const 0xDC00))
          (then (call $trap_invalid_utf16)))
        (local.set $ptr (S.add (local.get $ptr) (S.const 2)))
        (br $next)
      end
    end))
