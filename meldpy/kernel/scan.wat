;; Lists what function bodies refer to (see scan.py for the purpose, common.wat for the memory).
;;
;; The loop is that of reindex.wat without output: `word` holds the eight bytes at `in` (behind an opcode: seven).
;; What is rarer or longer is done by the functions of scan_immediates.wat, which also keep the records.
;; Lines marked `;;! ` are code in the kernels that look at each instruction (rebase.wat, lower.wat, zero.wat).

;; --- one body -------------------------------------------------------------------------------------------------------

;; Reads the body from `in` to `end`; result: 1, or 0 if it failed.
(func $scan_body (param $in i32) (param $end i32) (result i32)
  (local $word i64) (local $shape i32) (local $opcode_at i32) (local $depth i32)
  (local $low i32) (local $count i32) (local $kind i32) (local $value i64)
;;!   (local $memory_at i32)
  (local.set $depth (i32.const 1))
  (block $failed
    (local.set $in (call $scan_value_types (local.get $in) (local.get $end) (i32.const 1)))
    (br_if $failed (i32.eqz (local.get $in)))
    (loop $instruction
;;!       (if (local.get $opcode_at) (then (call $see (local.get $opcode_at))))
;;!       (if (local.get $memory_at)
;;!         (then
;;!           (call $site (local.get $memory_at) (local.get $in))
;;!           (local.set $memory_at (i32.const 0))))
      (if (i32.ge_u (local.get $in) (local.get $end))
        (then
          (call $fail_short (local.get $end))
          (return (i32.const 0))))
      (local.set $word (i64.load (local.get $in)))
      (local.set $opcode_at (local.get $in))
      (local.set $in (i32.add (local.get $in) (i32.const 1)))
      (local.set $shape
        (i32.load (i32.shl (i32.and (i32.wrap_i64 (local.get $word)) (i32.const 0xFF)) (i32.const 2))))
      (local.set $word (i64.shr_u (local.get $word) (i64.const 8)))
      (loop $immediate
        (block $next
        (block $unknown (block $prefix (block $zero (block $cast_flags (block $types (block $catches (block $labels
        (block $delegate (block $end_ (block $heap (block $block_type (block $memarg
        (block $bytes16 (block $bytes8 (block $bytes4 (block $byte (block $s64 (block $s32 (block $u32
        (block $remark (block $index (block $plain
          (br_table
            $plain
            $index $index $index $remark $remark $index $index $index $index $index $index $index $index $index $index
            $u32 $s32 $s64 $byte $bytes4 $bytes8 $bytes16 $memarg $memarg $block_type $heap $end_ $delegate
            $labels $catches $types $cast_flags $zero $prefix $unknown
            (i32.and (local.get $shape) (i32.const 0xFF))))
        ;; plain: no immediate (left)
        (br $instruction))

        ;; index: decoded inline up to three bytes; recorded only if this function has not had it
        (local.set $kind (i32.and (local.get $shape) (i32.const 0xFF)))
;;!         (if (i32.eq (i32.and (local.get $kind) (i32.const 0xFE)) (i32.const 8))
;;!           (then (local.set $memory_at (local.get $opcode_at))))
        (local.set $low (i32.wrap_i64 (local.get $word)))
        (local.set $count (i32.const 1))
        (if (i32.and (local.get $low) (i32.const 0x80))
          (then
            (if (i32.and (local.get $low) (i32.const 0x8000))
              (then
                (if (i32.and (local.get $low) (i32.const 0x800000))
                  (then
                    (local.set $in (call $scan_index (local.get $in) (local.get $kind)))
                    (br_if $failed (i32.eqz (local.get $in)))
                    (br $next)))
                (local.set $low
                  (i32.or (i32.or
                    (i32.and (local.get $low) (i32.const 0x7F))
                    (i32.and (i32.shr_u (local.get $low) (i32.const 1)) (i32.const 0x3F80)))
                    (i32.and (i32.shr_u (local.get $low) (i32.const 2)) (i32.const 0x1FC000))))
                (local.set $count (i32.const 3)))
              (else
                (local.set $low
                  (i32.or
                    (i32.and (local.get $low) (i32.const 0x7F))
                    (i32.and (i32.shr_u (local.get $low) (i32.const 1)) (i32.const 0x3F80))))
                (local.set $count (i32.const 2)))))
          (else (local.set $low (i32.and (local.get $low) (i32.const 0x7F)))))
        (if (i32.eqz (call $refer (local.get $kind) (local.get $low)
              (local.get $in) (i32.add (local.get $in) (local.get $count))))
          (then (br $failed)))
        (local.set $in (i32.add (local.get $in) (local.get $count)))
        (br $next))

        ;; remark: what the opcode alone says
        (drop (call $refer (i32.and (local.get $shape) (i32.const 0xFF)) (i32.const 0) (local.get $in) (local.get $in)))
        (br $next))

        ;; u32
        (if (i32.and (i32.wrap_i64 (local.get $word)) (i32.const 0x80))
          (then
            (local.set $in (call $skip_u (local.get $in) (i32.const 32)))
            (br_if $failed (i32.eqz (local.get $in)))
            (br $next)))
        (local.set $in (i32.add (local.get $in) (i32.const 1)))
        (br $next))

        ;; s32: what ends within four bytes is well-formed
        (local.set $count (i32.add (i32.const 1) (i32.shr_u (i32.ctz (i32.and
          (i32.xor (i32.wrap_i64 (local.get $word)) (i32.const -1)) (i32.const 0x80808080))) (i32.const 3))))
        (if (i32.gt_u (local.get $count) (i32.const 4))
          (then
            (local.set $in (call $skip_s (local.get $in) (i32.const 32)))
            (br_if $failed (i32.eqz (local.get $in)))
            (br $next)))
        (local.set $in (i32.add (local.get $in) (local.get $count)))
        (br $next))

        ;; s64: what ends within seven bytes is well-formed
        (local.set $count (i32.add (i32.const 1) (i32.wrap_i64 (i64.shr_u (i64.ctz (i64.and
          (i64.xor (local.get $word) (i64.const -1)) (i64.const 0x80808080808080))) (i64.const 3)))))
        (if (i32.gt_u (local.get $count) (i32.const 7))
          (then
            (local.set $in (call $skip_s (local.get $in) (i32.const 64)))
            (br_if $failed (i32.eqz (local.get $in)))
            (br $next)))
        (local.set $in (i32.add (local.get $in) (local.get $count)))
        (br $next))

        ;; byte, bytes4, bytes8, bytes16
        (local.set $in (i32.add (local.get $in) (i32.const 1)))
        (br $next))
        (local.set $in (i32.add (local.get $in) (i32.const 4)))
        (br $next))
        (local.set $in (i32.add (local.get $in) (i32.const 8)))
        (br $next))
        (local.set $in (i32.add (local.get $in) (i32.const 16)))
        (br $next))

        ;; memarg: codes 23 and 24 stand for MEMORY_READ and MEMORY_WRITE, 8 and 9
        (local.set $kind (i32.sub (i32.and (local.get $shape) (i32.const 0xFF)) (i32.const 15)))
;;!         (local.set $memory_at (local.get $opcode_at))
        (if (i32.or
              (i32.and (i32.wrap_i64 (local.get $word)) (i32.const 0xC0))
              (i32.eqz (i32.load offset=0x2504 (i32.shl (local.get $kind) (i32.const 3)))))
          (then
            (local.set $in (call $scan_memory (local.get $in) (local.get $kind)))
            (br_if $failed (i32.eqz (local.get $in))))
          (else
            ;; memory 0, not named: the stamp is looked at right here
            (if (i32.ne (i32.load (i32.load offset=0x2500 (i32.shl (local.get $kind) (i32.const 3))))
                        (global.get $function))
              (then
                (drop (call $refer (local.get $kind) (i32.const 0) (local.get $in) (local.get $in)))))
            (local.set $in (i32.add (local.get $in) (i32.const 1)))))
        (local.set $value (i64.load (local.get $in)))
        (local.set $count (i32.add (i32.const 1) (i32.wrap_i64 (i64.shr_u (i64.ctz (i64.and
          (i64.xor (local.get $value) (i64.const -1)) (i64.const 0x80808080808080))) (i64.const 3)))))
        (if (i32.gt_u (local.get $count) (i32.const 7))
          (then
            (local.set $in (call $skip_u (local.get $in) (i32.const 64)))
            (br_if $failed (i32.eqz (local.get $in)))
            (br $next)))
        (local.set $in (i32.add (local.get $in) (local.get $count)))
        (br $next))

        ;; block type: empty, a value type, or a type index as s33
        (local.set $depth (i32.add (local.get $depth) (i32.const 1)))
        (local.set $low (i32.and (i32.wrap_i64 (local.get $word)) (i32.const 0xFF)))
        (if (i32.eq (local.get $low) (i32.const 0x40))
          (then
            (local.set $in (i32.add (local.get $in) (i32.const 1)))
            (br $next)))
        (if (i32.eq (i32.and (local.get $low) (i32.const 0xC0)) (i32.const 0x40))
          (then (local.set $in (call $scan_value_type (local.get $in))))
          (else (local.set $in (call $scan_type (local.get $in)))))
        (br_if $failed (i32.eqz (local.get $in)))
        (br $next))

        ;; heap type
        (local.set $in (call $scan_heap_type (local.get $in)))
        (br_if $failed (i32.eqz (local.get $in)))
        (br $next))

        ;; end: of a block, or of the body, which must be where its size says
        (local.set $depth (i32.sub (local.get $depth) (i32.const 1)))
        (br_if $instruction (local.get $depth))
        (if (i32.ne (local.get $in) (local.get $end))
          (then
            (call $fail (i32.const 8) (local.get $in) (local.get $in) (i32.const 0))
            (return (i32.const 0))))
        (return (i32.const 1)))

        ;; delegate: closes a legacy try
        (local.set $in (call $skip_u (local.get $in) (i32.const 32)))
        (br_if $failed (i32.eqz (local.get $in)))
        (local.set $depth (i32.sub (local.get $depth) (i32.const 1)))
        (if (i32.eqz (local.get $depth))
          (then
            (call $fail (i32.const 12) (local.get $opcode_at) (local.get $in) (i32.const 0))
            (br $failed)))
        (br $next))

        ;; labels
        (local.set $in (call $scan_labels (local.get $in) (local.get $end)))
        (br_if $failed (i32.eqz (local.get $in)))
        (br $next))

        ;; catches
        (local.set $in (call $scan_catches (local.get $in) (local.get $end)))
        (br_if $failed (i32.eqz (local.get $in)))
        (br $next))

        ;; types
        (local.set $in (call $scan_value_types (local.get $in) (local.get $end) (i32.const 0)))
        (br_if $failed (i32.eqz (local.get $in)))
        (br $next))

        ;; cast flags
        (local.set $low (i32.and (i32.wrap_i64 (local.get $word)) (i32.const 0xFF)))
        (if (i32.gt_u (local.get $low) (i32.const 3))
          (then
            (call $fail (i32.const 10) (local.get $in) (i32.add (local.get $in) (i32.const 1)) (local.get $low))
            (br $failed)))
        (local.set $in (i32.add (local.get $in) (i32.const 1)))
        (br $next))

        ;; zero
        (local.set $low (i32.and (i32.wrap_i64 (local.get $word)) (i32.const 0xFF)))
        (if (local.get $low)
          (then
            (call $fail (i32.const 10) (local.get $in) (i32.add (local.get $in) (i32.const 1)) (local.get $low))
            (br $failed)))
        (local.set $in (i32.add (local.get $in) (i32.const 1)))
        (br $next))

        ;; prefix: the sub-opcode brings the shape that counts
        (local.set $count (local.get $in))
        (call $read_u (local.get $in) (i32.const 32)) (local.set $in) (local.set $value)
        (if (i32.eqz (local.get $in))
          (then
            (call $fail (i32.const 2) (local.get $count) (i32.add (local.get $count) (i32.const 5)) (i32.const 0))
            (br $failed)))
        (br_if $unknown (i64.ge_u (local.get $value) (i64.const 512)))
        (local.set $shape
          (i32.load offset=0x400
            (i32.add
              (i32.shl (i32.sub (i32.load8_u (local.get $opcode_at)) (i32.const 0xFB)) (i32.const 11))
              (i32.shl (i32.wrap_i64 (local.get $value)) (i32.const 2)))))
        (br_if $instruction (i32.eqz (local.get $shape)))
        (local.set $word (i64.load (local.get $in)))
        (br $immediate))

        ;; unknown
        (call $fail (i32.const 3) (local.get $opcode_at) (local.get $in) (i32.wrap_i64 (local.get $value)))
        (br $failed))

        ;; next: the immediate is done
        (local.set $shape (i32.shr_u (local.get $shape) (i32.const 8)))
        (br_if $instruction (i32.eqz (local.get $shape)))
        (local.set $word (i64.load (local.get $in)))
        (br $immediate))))
  (call $settle_failure (local.get $end))
  (i32.const 0))

;; --- a run of bodies ------------------------------------------------------------------------------------------------

;; Reads bodies (each with its size in front) from `in` on, at most `count` of them and only those that lie before
;; `limit` as a whole. number: of the first function, from 1. kinds, indices: where the records go. ends: where the
;; ends of each body (offset, plus `offset`) and of its records (their number, plus `records`) go, a pair of u32 each.
;; Result: 1 if a body failed.
(func (export "scan")
  (param $in i32) (param $limit i32) (param $count i32) (param $number i32) (param $kinds i32) (param $indices i32)
  (param $ends i32) (param $offset i32) (param $records i32)
  (result i32)
  (local $base i32) (local $start i32) (local $end i32) (local $bodies i32)
  (local.set $base (local.get $in))
  (global.set $function (local.get $number))
  (global.set $kinds (local.get $kinds))
  (global.set $indices (local.get $indices))
  (block $done
    (loop $more
      (br_if $done (i32.eq (local.get $bodies) (local.get $count)))
      (call $frame (local.get $in) (local.get $limit)) (local.set $end) (local.set $start)
      (br_if $done (i32.eqz (local.get $start)))
      (if (i32.eqz (local.get $end)) (then (return (i32.const 1))))
      (if (i32.eqz (call $scan_body (local.get $start) (local.get $end))) (then (return (i32.const 1))))
      (i32.store (local.get $ends) (i32.add (local.get $offset) (i32.sub (local.get $end) (local.get $base))))
      (i32.store offset=4 (local.get $ends)
        (i32.add (local.get $records) (i32.sub (global.get $kinds) (local.get $kinds))))
      (local.set $ends (i32.add (local.get $ends) (i32.const 8)))
      (local.set $in (local.get $end))
      (local.set $bodies (i32.add (local.get $bodies) (i32.const 1)))
      (global.set $function (i32.add (global.get $function) (i32.const 1)))
      (br $more)))
  (i32.store (i32.const 0x2590) (local.get $in))
  (i32.store (i32.const 0x2594) (local.get $bodies))
  (i32.store (i32.const 0x2598) (global.get $kinds))
  (i32.const 0))
