;; Rewrites function bodies with other indices (see reindex.py for the purpose, common.wat for the memory).
;;
;; One turn of the inner loop per immediate. Its invariant: `word` holds the eight bytes at `in` (behind an opcode:
;; seven), and they have been stored at `out` already. So what stays as it is needs only to advance both pointers by
;; its true length, and what changes overwrites what was stored. Every LEB128 comes out as short as it can be: one
;; of at most a word's length whose last byte is not mere sign or zero is that already.
;;
;; What is rarer or longer is done by the functions of reindex_immediates.wat.
;;
;; Lines that begin with `;;@` are code in the tracing kernel alone, which also notes where every byte went
;; (positions.wat); loader.py takes the mark away.

;; --- one body -------------------------------------------------------------------------------------------------------

;; Rewrites the body from `in` to `end`; result: the end of the output, or 0 if it failed.
(func $body (param $in i32) (param $end i32) (param $out i32) (result i32)
  (local $word i64) (local $shape i32) (local $opcode_at i32) (local $depth i32)
  (local $low i32) (local $count i32) (local $value i64)
  ;; memory 0's entry, and the bit that a memarg gets with it; `slow_memory` is 0x80 if memory 0 has no entry
  (local $memory_0 i64) (local $memory_0_length i32) (local $memory_bit i32) (local $slow_memory i32)

  (local.set $slow_memory (i32.const 0x80))
  (if (i32.load (i32.const 0x2544))
    (then
      (local.set $memory_0 (i64.load (i32.load (i32.const 0x2540))))
      (if (i64.ne (local.get $memory_0) (i64.const 0)) (then (local.set $slow_memory (i32.const 0))))
      (if (i64.ne (i64.and (local.get $memory_0) (i64.const 0xFF)) (i64.const 0))
        (then
          (local.set $memory_bit (i32.const 0x40))
          (local.set $memory_0_length (i32.wrap_i64 (i64.shr_u (local.get $memory_0) (i64.const 56))))))))

  (local.set $depth (i32.const 1))
  (block $failed
    (call $locals (local.get $in) (local.get $out) (local.get $end)) (local.set $out) (local.set $in)
    (br_if $failed (i32.eqz (local.get $in)))
    (loop $instruction
      (if (i32.ge_u (local.get $in) (local.get $end))
        (then
          (call $fail_short (local.get $end))
          (return (i32.const 0))))
      (local.set $word (i64.load (local.get $in)))
      (i64.store (local.get $out) (local.get $word))
      (local.set $opcode_at (local.get $in))
      ;;@ (i32.store (i32.add (global.get $positions) (i32.shl (local.get $in) (i32.const 2)))
      ;;@   (i32.add (local.get $out) (i32.const 1)))
      (local.set $in (i32.add (local.get $in) (i32.const 1)))
      (local.set $out (i32.add (local.get $out) (i32.const 1)))
      (local.set $shape
        (i32.load (i32.shl (i32.and (i32.wrap_i64 (local.get $word)) (i32.const 0xFF)) (i32.const 2))))
      (local.set $word (i64.shr_u (local.get $word) (i64.const 8)))
      (loop $immediate
        (block $next
        (block $unknown (block $through (block $prefix (block $zero (block $cast_flags (block $types (block $catches (block $labels
        (block $delegate (block $end_ (block $heap (block $block_type (block $memarg
        (block $bytes16 (block $bytes8 (block $bytes4 (block $byte (block $s64 (block $s32 (block $u32
        (block $index (block $plain
          (br_table
            $plain
            $index $index $index $next $next $index $index $index $index $index $index $index $index $index $index
            $u32 $s32 $s64 $byte $bytes4 $bytes8 $bytes16 $memarg $memarg $block_type $heap $end_ $delegate
            $labels $catches $types $cast_flags $zero $prefix $unknown $through $unknown
            (i32.and (local.get $shape) (i32.const 0xFF))))
        ;; plain: no immediate (left)
        (br $instruction))

        ;; index: decoded inline up to three bytes, replaced by its map entry
        (local.set $low (i32.wrap_i64 (local.get $word)))
        (local.set $count (i32.const 1))
        (if (i32.and (local.get $low) (i32.const 0x80))
          (then
            (if (i32.and (local.get $low) (i32.const 0x8000))
              (then
                (if (i32.and (local.get $low) (i32.const 0x800000))
                  (then
                    (call $map_u (local.get $in) (local.get $out) (i32.and (local.get $shape) (i32.const 0xFF)))
                    (local.set $out) (local.set $in)
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
        ;; `word` is free from here: it takes the entry
        (local.set $word (i64.const 0))
        (if (i32.lt_u (local.get $low)
              (i32.load offset=0x2504 (i32.shl (i32.and (local.get $shape) (i32.const 0xFF)) (i32.const 3))))
          (then
            (local.set $word
              (i64.load (i32.add
                (i32.load offset=0x2500 (i32.shl (i32.and (local.get $shape) (i32.const 0xFF)) (i32.const 3)))
                (i32.shl (local.get $low) (i32.const 3)))))))
        (if (i64.eqz (local.get $word))
          (then
            (drop (call $entry (i32.and (local.get $shape) (i32.const 0xFF)) (local.get $low)
              (local.get $in) (i32.add (local.get $in) (local.get $count))))
            (br $failed)))
        (i64.store (local.get $out) (local.get $word))
        (local.set $in (i32.add (local.get $in) (local.get $count)))
        (local.set $out (i32.add (local.get $out) (i32.wrap_i64 (i64.shr_u (local.get $word) (i64.const 56)))))
        (br $next))

        ;; u32: one byte stays; longer ones are checked for length and padding
        (if (i32.and (i32.wrap_i64 (local.get $word)) (i32.const 0x80))
          (then
            (call $copy_u (local.get $in) (local.get $out) (i32.const 32)) (local.set $out) (local.set $in)
            (br_if $failed (i32.eqz (local.get $in)))
            (br $next)))
        (local.set $in (i32.add (local.get $in) (i32.const 1)))
        (local.set $out (i32.add (local.get $out) (i32.const 1)))
        (br $next))

        ;; s32: up to four bytes stay if the last one carries value
        (local.set $count (i32.add (i32.const 1) (i32.shr_u (i32.ctz (i32.and
          (i32.xor (i32.wrap_i64 (local.get $word)) (i32.const -1)) (i32.const 0x80808080))) (i32.const 3))))
        (if (i32.gt_u (local.get $count) (i32.const 1))
          (then
            (local.set $low (i32.and (i32.const 0xFF) (i32.wrap_i64 (i64.shr_u (local.get $word)
              (i64.extend_i32_u (i32.shl (i32.sub (local.get $count) (i32.const 1)) (i32.const 3)))))))
            (if (i32.or (i32.gt_u (local.get $count) (i32.const 4))
                  (i32.or (i32.eqz (local.get $low)) (i32.eq (local.get $low) (i32.const 0x7F))))
              (then
                (call $copy_s (local.get $in) (local.get $out) (i32.const 32)) (local.set $out) (local.set $in)
                (br_if $failed (i32.eqz (local.get $in)))
                (br $next)))))
        (local.set $in (i32.add (local.get $in) (local.get $count)))
        (local.set $out (i32.add (local.get $out) (local.get $count)))
        (br $next))

        ;; s64: up to seven bytes, likewise
        (local.set $count (i32.add (i32.const 1) (i32.wrap_i64 (i64.shr_u (i64.ctz (i64.and
          (i64.xor (local.get $word) (i64.const -1)) (i64.const 0x80808080808080))) (i64.const 3)))))
        (if (i32.gt_u (local.get $count) (i32.const 1))
          (then
            (local.set $low (i32.and (i32.const 0xFF) (i32.wrap_i64 (i64.shr_u (local.get $word)
              (i64.extend_i32_u (i32.shl (i32.sub (local.get $count) (i32.const 1)) (i32.const 3)))))))
            (if (i32.or (i32.gt_u (local.get $count) (i32.const 7))
                  (i32.or (i32.eqz (local.get $low)) (i32.eq (local.get $low) (i32.const 0x7F))))
              (then
                (call $copy_s (local.get $in) (local.get $out) (i32.const 64)) (local.set $out) (local.set $in)
                (br_if $failed (i32.eqz (local.get $in)))
                (br $next)))))
        (local.set $in (i32.add (local.get $in) (local.get $count)))
        (local.set $out (i32.add (local.get $out) (local.get $count)))
        (br $next))

        ;; byte
        (local.set $in (i32.add (local.get $in) (i32.const 1)))
        (local.set $out (i32.add (local.get $out) (i32.const 1)))
        (br $next))

        ;; bytes4
        (local.set $in (i32.add (local.get $in) (i32.const 4)))
        (local.set $out (i32.add (local.get $out) (i32.const 4)))
        (br $next))

        ;; bytes8: behind a one-byte opcode only seven of them were stored
        (i64.store (local.get $out) (i64.load (local.get $in)))
        (local.set $in (i32.add (local.get $in) (i32.const 8)))
        (local.set $out (i32.add (local.get $out) (i32.const 8)))
        (br $next))

        ;; bytes16
        (i64.store (local.get $out) (i64.load (local.get $in)))
        (i64.store offset=8 (local.get $out) (i64.load offset=8 (local.get $in)))
        (local.set $in (i32.add (local.get $in) (i32.const 16)))
        (local.set $out (i32.add (local.get $out) (i32.const 16)))
        (br $next))

        ;; memarg: the short way is memory 0 not named and one byte of flags
        (if (i32.or (i32.and (i32.wrap_i64 (local.get $word)) (i32.const 0xC0)) (local.get $slow_memory))
          (then
            (call $memory (local.get $in) (local.get $out)) (local.set $out) (local.set $in)
            (br_if $failed (i32.eqz (local.get $in))))
          (else
            (i32.store8 (local.get $out) (i32.or (i32.wrap_i64 (local.get $word)) (local.get $memory_bit)))
            (i64.store offset=1 (local.get $out) (local.get $memory_0))
            (local.set $in (i32.add (local.get $in) (i32.const 1)))
            (local.set $out (i32.add (i32.add (local.get $out) (i32.const 1)) (local.get $memory_0_length)))))
        ;; its offset: up to seven bytes stay if the last one carries value
        (local.set $value (i64.load (local.get $in)))
        (local.set $count (i32.add (i32.const 1) (i32.wrap_i64 (i64.shr_u (i64.ctz (i64.and
          (i64.xor (local.get $value) (i64.const -1)) (i64.const 0x80808080808080))) (i64.const 3)))))
        (if (i32.gt_u (local.get $count) (i32.const 1))
          (then
            (if (i32.or (i32.gt_u (local.get $count) (i32.const 7))
                  (i64.eqz (i64.and (i64.const 0xFF) (i64.shr_u (local.get $value)
                    (i64.extend_i32_u (i32.shl (i32.sub (local.get $count) (i32.const 1)) (i32.const 3)))))))
              (then
                (call $copy_u (local.get $in) (local.get $out) (i32.const 64)) (local.set $out) (local.set $in)
                (br_if $failed (i32.eqz (local.get $in)))
                (br $next)))))
        (i64.store (local.get $out) (local.get $value))
        (local.set $in (i32.add (local.get $in) (local.get $count)))
        (local.set $out (i32.add (local.get $out) (local.get $count)))
        (br $next))

        ;; block type: empty, a value type, or a type index as s33
        (local.set $depth (i32.add (local.get $depth) (i32.const 1)))
        (local.set $low (i32.and (i32.wrap_i64 (local.get $word)) (i32.const 0xFF)))
        (if (i32.eq (local.get $low) (i32.const 0x40))
          (then
            (local.set $in (i32.add (local.get $in) (i32.const 1)))
            (local.set $out (i32.add (local.get $out) (i32.const 1)))
            (br $next)))
        (if (i32.eq (i32.and (local.get $low) (i32.const 0xC0)) (i32.const 0x40))
          (then (call $value_type (local.get $in) (local.get $out)) (local.set $out) (local.set $in))
          (else (call $map_type (local.get $in) (local.get $out)) (local.set $out) (local.set $in)))
        (br_if $failed (i32.eqz (local.get $in)))
        (br $next))

        ;; heap type
        (call $heap_type (local.get $in) (local.get $out)) (local.set $out) (local.set $in)
        (br_if $failed (i32.eqz (local.get $in)))
        (br $next))

        ;; end: of a block, or of the body, which must be where its size says
        (local.set $depth (i32.sub (local.get $depth) (i32.const 1)))
        (br_if $instruction (local.get $depth))
        (if (i32.ne (local.get $in) (local.get $end))
          (then
            (call $fail (i32.const 8) (local.get $in) (local.get $in) (i32.const 0))
            (return (i32.const 0))))
        (return (local.get $out)))

        ;; delegate: closes a legacy try
        (call $copy_u (local.get $in) (local.get $out) (i32.const 32)) (local.set $out) (local.set $in)
        (br_if $failed (i32.eqz (local.get $in)))
        (local.set $depth (i32.sub (local.get $depth) (i32.const 1)))
        (if (i32.eqz (local.get $depth))
          (then
            (call $fail (i32.const 12) (local.get $opcode_at) (local.get $in) (i32.const 0))
            (br $failed)))
        (br $next))

        ;; labels
        (call $labels (local.get $in) (local.get $out) (local.get $end)) (local.set $out) (local.set $in)
        (br_if $failed (i32.eqz (local.get $in)))
        (br $next))

        ;; catches
        (call $catches (local.get $in) (local.get $out) (local.get $end)) (local.set $out) (local.set $in)
        (br_if $failed (i32.eqz (local.get $in)))
        (br $next))

        ;; types
        (call $value_types (local.get $in) (local.get $out) (local.get $end)) (local.set $out) (local.set $in)
        (br_if $failed (i32.eqz (local.get $in)))
        (br $next))

        ;; cast flags
        (local.set $low (i32.and (i32.wrap_i64 (local.get $word)) (i32.const 0xFF)))
        (if (i32.gt_u (local.get $low) (i32.const 3))
          (then
            (call $fail (i32.const 10) (local.get $in) (i32.add (local.get $in) (i32.const 1)) (local.get $low))
            (br $failed)))
        (local.set $in (i32.add (local.get $in) (i32.const 1)))
        (local.set $out (i32.add (local.get $out) (i32.const 1)))
        (br $next))

        ;; zero
        (local.set $low (i32.and (i32.wrap_i64 (local.get $word)) (i32.const 0xFF)))
        (if (local.get $low)
          (then
            (call $fail (i32.const 10) (local.get $in) (i32.add (local.get $in) (i32.const 1)) (local.get $low))
            (br $failed)))
        (local.set $in (i32.add (local.get $in) (i32.const 1)))
        (local.set $out (i32.add (local.get $out) (i32.const 1)))
        (br $next))

        ;; prefix: the sub-opcode brings the shape that counts
        (local.set $count (local.get $in))
        (call $read_u (local.get $in) (i32.const 32)) (local.set $in) (local.set $value)
        (if (i32.eqz (local.get $in))
          (then
            (call $fail (i32.const 2) (local.get $count) (i32.add (local.get $count) (i32.const 5)) (i32.const 0))
            (br $failed)))
        (local.set $out (call $write_u (local.get $out) (local.get $value)))
        (br_if $unknown (i64.ge_u (local.get $value) (i64.const 512)))
        (local.set $shape
          (i32.load offset=0x400
            (i32.add
              (i32.shl (i32.sub (i32.load8_u (local.get $opcode_at)) (i32.const 0xFB)) (i32.const 11))
              (i32.shl (i32.wrap_i64 (local.get $value)) (i32.const 2)))))
        (br_if $instruction (i32.eqz (local.get $shape)))
        (local.set $word (i64.load (local.get $in)))
        (i64.store (local.get $out) (local.get $word))
        (br $immediate))

        ;; through: an indirect call, the only instruction that may become several
        (call $through (local.get $in) (local.get $out)) (local.set $out) (local.set $in)
        (br_if $failed (i32.eqz (local.get $in)))
        (br $instruction))

        ;; unknown
        (call $fail (i32.const 3) (local.get $opcode_at) (local.get $in) (i32.wrap_i64 (local.get $value)))
        (br $failed))

        ;; next: the immediate is done
        (local.set $shape (i32.shr_u (local.get $shape) (i32.const 8)))
        (br_if $instruction (i32.eqz (local.get $shape)))
        (local.set $word (i64.load (local.get $in)))
        (i64.store (local.get $out) (local.get $word))
        (br $immediate))))
  (call $settle_failure (local.get $end))
  (i32.const 0))

;; --- a run of bodies ------------------------------------------------------------------------------------------------

;; Rewrites bodies (each with its size in front) from `in` on, at most `count` of them and only those that lie before
;; `limit` as a whole. keep: one byte per body, 0 for those to leave out, or 0 for "all". Result: 1 if a body failed.
(func (export "reindex")
  (param $in i32) (param $limit i32) (param $out i32) (param $count i32) (param $keep i32) (result i32)
  (local $start i32) (local $size i64) (local $end i32) (local $content i32) (local $first i32)
  (local $bodies i32) (local $finish i32) (local $length i32) (local $largest i32)
  (block $done
    (loop $more
      (br_if $done (i32.eq (local.get $bodies) (local.get $count)))
      (call $frame (local.get $in) (local.get $limit)) (local.set $end) (local.set $start)
      (br_if $done (i32.eqz (local.get $start)))
      (if (i32.eqz (local.get $end)) (then (return (i32.const 1))))
      (block $skip
        (if (local.get $keep)
          (then
            (if (i32.eqz (i32.load8_u (i32.add (local.get $keep) (local.get $bodies))))
              (then
                ;;@ (call $note_dropped (local.get $in) (local.get $end) (local.get $out))
                (br $skip)))))
        (if (global.get $params)
          (then
            (global.set $spare
              (i32.load (i32.add (global.get $params) (i32.shl (local.get $bodies) (i32.const 2)))))))
        ;; the size in front takes as many bytes as before, until the new size is known
        (local.set $first
          (call $write_u (local.get $out) (i64.extend_i32_u (i32.sub (local.get $end) (local.get $start)))))
        (local.set $finish (call $body (local.get $start) (local.get $end) (local.get $first)))
        (if (i32.eqz (local.get $finish)) (then (return (i32.const 1))))
        (local.set $size (i64.extend_i32_u (i32.sub (local.get $finish) (local.get $first))))
        (local.set $length (call $length_u (i32.wrap_i64 (local.get $size))))
        (if (i32.ne (local.get $length) (i32.sub (local.get $first) (local.get $out)))
          (then
            (memory.copy (i32.add (local.get $out) (local.get $length)) (local.get $first)
                         (i32.wrap_i64 (local.get $size)))
            (local.set $finish
              (i32.add (i32.add (local.get $out) (local.get $length)) (i32.wrap_i64 (local.get $size))))))
        (local.set $content (call $write_u (local.get $out) (local.get $size)))
        ;;@ (call $note_kept (local.get $in) (local.get $start) (local.get $end) (local.get $out)
        ;;@   (local.get $content) (i32.sub (local.get $content) (local.get $first)) (local.get $finish))
        (if (i32.gt_u (i32.wrap_i64 (local.get $size)) (local.get $largest))
          (then (local.set $largest (i32.wrap_i64 (local.get $size)))))
        (local.set $out (local.get $finish)))
      (local.set $in (local.get $end))
      (local.set $bodies (i32.add (local.get $bodies) (i32.const 1)))
      (br $more)))
  (i32.store (i32.const 0x2590) (local.get $in))
  (i32.store (i32.const 0x2594) (local.get $bodies))
  (i32.store (i32.const 0x2598) (local.get $out))
  (i32.store (i32.const 0x259C) (local.get $largest))
  (i32.const 0))
