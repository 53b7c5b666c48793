;; What the rewriting of DWARF shares: the memory's fixed part, where things are, reading, failing, mapping.
;;
;; This file and the `dwarf_*` files beside it are lists of module fields; `dwarf.py` joins them to one module. One run
;; takes the sections of one core module and gives them back for the code that has moved. What keeps its size is
;; patched in a copy (`…_out`); line programs and the lists of version 5 are written anew.
;;
;; The fixed part of the memory (dwarf.py knows the same addresses):
;;   0x0000  Role of each attribute below 0x100, then of 0x2100 to 0x21FF
;;   0x0200  operands of each expression operation
;;   0x0300  abbreviations by code: the address of each one's record, 65536 entries
;;
;; Everything else lies where the globals say. What an input says is never trusted: every read is held against the end
;; of what it belongs to, every loop pays out of `fuel`, every offset is held against its section. Failing is a trap,
;; with the reason in `failure`: nothing of a module whose DWARF is not understood is kept.
;;
;; An address is an offset from the first byte of the code section's content, which is its count: 0 is never code.

(memory (export "memory") 6)

;; Why it failed (dwarf.py has the words), and where it was reading.
(global $failure (export "failure") (mut i32) (i32.const 0))
(global $p (export "reading") (mut i32) (i32.const 0))
(global $e (mut i32) (i32.const 0))
(global $fuel (export "fuel") (mut i64) (i64.const 0))

;; Where code went: one u32 per byte of the old bodies and one for their end (positions.wat); the old section's bytes in
;; front of the bodies; the new address of this module's first body.
(global $positions (export "positions") (mut i32) (i32.const 0))
(global $code_size (export "code_size") (mut i32) (i32.const 0))
(global $lead (export "lead") (mut i32) (i32.const 0))
(global $code_base (export "code_base") (mut i32) (i32.const 0))
;; New index of each global, -1 for what was left out.
(global $globals (export "globals") (mut i32) (i32.const 0))
(global $global_count (export "global_count") (mut i32) (i32.const 0))

;; Sections: address, size, address of the copy or of what is written, and what lies before it in the joined section.
(global $info (export "info") (mut i32) (i32.const 0))
(global $info_base (export "info_base") (mut i32) (i32.const 0))
(global $abbrev (export "abbrev") (mut i32) (i32.const 0))
(global $abbrev_size (export "abbrev_size") (mut i32) (i32.const 0))
(global $abbrev_base (export "abbrev_base") (mut i32) (i32.const 0))
(global $line (export "line") (mut i32) (i32.const 0))
(global $line_size (export "line_size") (mut i32) (i32.const 0))
(global $line_base (export "line_base") (mut i32) (i32.const 0))
(global $line_new (export "line_new") (mut i32) (i32.const 0))
(global $str_size (export "str_size") (mut i32) (i32.const 0))
(global $str_new (export "str_new") (mut i32) (i32.const 0))
(global $line_str_size (export "line_str_size") (mut i32) (i32.const 0))
(global $line_str_new (export "line_str_new") (mut i32) (i32.const 0))
(global $addr (export "addr") (mut i32) (i32.const 0))
(global $addr_size (export "addr_size") (mut i32) (i32.const 0))
(global $addr_base (export "addr_base") (mut i32) (i32.const 0))
(global $addr_marks (export "addr_marks") (mut i32) (i32.const 0))
(global $str_offsets_base (export "str_offsets_base") (mut i32) (i32.const 0))
(global $ranges (export "ranges") (mut i32) (i32.const 0))
(global $ranges_size (export "ranges_size") (mut i32) (i32.const 0))
(global $ranges_out (export "ranges_out") (mut i32) (i32.const 0))
(global $ranges_base (export "ranges_base") (mut i32) (i32.const 0))
(global $loc (export "loc") (mut i32) (i32.const 0))
(global $loc_size (export "loc_size") (mut i32) (i32.const 0))
(global $loc_out (export "loc_out") (mut i32) (i32.const 0))
(global $loc_base (export "loc_base") (mut i32) (i32.const 0))
(global $rnglists (export "rnglists") (mut i32) (i32.const 0))
(global $rnglists_size (export "rnglists_size") (mut i32) (i32.const 0))
(global $rnglists_base (export "rnglists_base") (mut i32) (i32.const 0))
(global $rnglists_notes (export "rnglists_notes") (mut i32) (i32.const 0))
(global $loclists (export "loclists") (mut i32) (i32.const 0))
(global $loclists_size (export "loclists_size") (mut i32) (i32.const 0))
(global $loclists_base (export "loclists_base") (mut i32) (i32.const 0))
(global $loclists_notes (export "loclists_notes") (mut i32) (i32.const 0))
;; Room for compiled abbreviations, and the list of offsets to put in once the lists are written.
(global $records (export "records") (mut i32) (i32.const 0))
(global $fixups (export "fixups") (mut i32) (i32.const 0))
(global $fixups_end (export "fixups_end") (mut i32) (i32.const 0))

;; Where writing goes on, and where it must stop.
(global $o (export "writing") (mut i32) (i32.const 0))
(global $o_end (export "writing_end") (mut i32) (i32.const 0))

;; --- failing --------------------------------------------------------------------------------------------------------

(func $fail (param $code i32)
  (global.set $failure (local.get $code))
  (unreachable))

(func $burn (param $amount i32)
  (global.set $fuel (i64.sub (global.get $fuel) (i64.extend_i32_u (local.get $amount))))
  (if (i64.lt_s (global.get $fuel) (i64.const 0)) (then (call $fail (i32.const 2)))))

(func $need (param $count i32)
  (if (i32.lt_u (i32.sub (global.get $e) (global.get $p)) (local.get $count)) (then (call $fail (i32.const 1)))))

(func $room (param $count i32)
  (if (i32.lt_u (i32.sub (global.get $o_end) (global.get $o)) (local.get $count)) (then (call $fail (i32.const 3)))))

;; --- reading at $p --------------------------------------------------------------------------------------------------

(func $skip (param $count i32)
  (call $need (local.get $count))
  (global.set $p (i32.add (global.get $p) (local.get $count))))

(func $u8 (result i32)
  (call $need (i32.const 1))
  (global.set $p (i32.add (global.get $p) (i32.const 1)))
  (i32.load8_u (i32.sub (global.get $p) (i32.const 1))))

(func $u16 (result i32)
  (call $need (i32.const 2))
  (global.set $p (i32.add (global.get $p) (i32.const 2)))
  (i32.load16_u (i32.sub (global.get $p) (i32.const 2))))

(func $u32 (result i32)
  (call $need (i32.const 4))
  (global.set $p (i32.add (global.get $p) (i32.const 4)))
  (i32.load (i32.sub (global.get $p) (i32.const 4))))

(func $u64 (result i64)
  (call $need (i32.const 8))
  (global.set $p (i32.add (global.get $p) (i32.const 8)))
  (i64.load (i32.sub (global.get $p) (i32.const 8))))

(func $uleb (result i64)
  (local $value i64) (local $shift i64) (local $byte i64)
  (loop $more
    (local.set $byte (i64.extend_i32_u (call $u8)))
    (if (i64.gt_u (local.get $shift) (i64.const 63)) (then (call $fail (i32.const 4))))
    (local.set $value
      (i64.or (local.get $value) (i64.shl (i64.and (local.get $byte) (i64.const 0x7F)) (local.get $shift))))
    (local.set $shift (i64.add (local.get $shift) (i64.const 7)))
    (br_if $more (i64.ge_u (local.get $byte) (i64.const 0x80))))
  (local.get $value))

(func $sleb (result i64)
  (local $value i64) (local $shift i64) (local $byte i64)
  (loop $more
    (local.set $byte (i64.extend_i32_u (call $u8)))
    (if (i64.gt_u (local.get $shift) (i64.const 63)) (then (call $fail (i32.const 4))))
    (local.set $value
      (i64.or (local.get $value) (i64.shl (i64.and (local.get $byte) (i64.const 0x7F)) (local.get $shift))))
    (local.set $shift (i64.add (local.get $shift) (i64.const 7)))
    (br_if $more (i64.ge_u (local.get $byte) (i64.const 0x80))))
  (if (i64.lt_u (local.get $shift) (i64.const 64))
    (then
      (local.set $shift (i64.sub (i64.const 64) (local.get $shift)))
      (local.set $value (i64.shr_s (i64.shl (local.get $value) (local.get $shift)) (local.get $shift)))))
  (local.get $value))

;; A number that must be below 2**32: a count, a length, an index.
(func $uleb32 (result i32)
  (local $value i64)
  (local.set $value (call $uleb))
  (if (i64.gt_u (local.get $value) (i64.const 0xFFFFFFFF)) (then (call $fail (i32.const 1))))
  (i32.wrap_i64 (local.get $value)))

;; The length in front of a unit or table, whose end it gives; the 64-bit form is refused.
(func $unit_length (result i32)
  (local $length i32)
  (local.set $length (call $u32))
  (if (i32.ge_u (local.get $length) (i32.const 0xFFFFFFF0)) (then (call $fail (i32.const 5))))
  (call $need (local.get $length))
  (i32.add (global.get $p) (local.get $length)))

(func $check_address_size (param $size i32)
  (if (i32.and (i32.ne (local.get $size) (i32.const 4)) (i32.ne (local.get $size) (i32.const 8)))
    (then (call $fail (i32.const 6)))))

(func $address (param $size i32) (result i64)
  (if (result i64) (i32.eq (local.get $size) (i32.const 4))
    (then (i64.extend_i32_u (call $u32)))
    (else (call $u64))))

;; --- writing at $o --------------------------------------------------------------------------------------------------

(func $w8 (param $value i32)
  (call $room (i32.const 1))
  (i32.store8 (global.get $o) (local.get $value))
  (global.set $o (i32.add (global.get $o) (i32.const 1))))

(func $w_uleb (param $value i64)
  (loop $more
    (if (i64.gt_u (local.get $value) (i64.const 0x7F))
      (then
        (call $w8 (i32.or (i32.wrap_i64 (local.get $value)) (i32.const 0x80)))
        (local.set $value (i64.shr_u (local.get $value) (i64.const 7)))
        (br $more))))
  (call $w8 (i32.wrap_i64 (local.get $value))))

(func $w_sleb (param $value i64)
  (loop $more
    (if (i64.gt_u (i64.add (local.get $value) (i64.const 64)) (i64.const 127))
      (then
        (call $w8 (i32.or (i32.wrap_i64 (local.get $value)) (i32.const 0x80)))
        (local.set $value (i64.shr_s (local.get $value) (i64.const 7)))
        (br $more))))
  (call $w8 (i32.and (i32.wrap_i64 (local.get $value)) (i32.const 0x7F))))

(func $w_address (param $value i64) (param $size i32)
  (call $room (local.get $size))
  (call $put_address (global.get $o) (local.get $value) (local.get $size))
  (global.set $o (i32.add (global.get $o) (local.get $size))))

;; The bytes from `from` to $p, unchanged.
(func $w_read (param $from i32)
  (local $size i32)
  (local.set $size (i32.sub (global.get $p) (local.get $from)))
  (call $room (local.get $size))
  (memory.copy (global.get $o) (local.get $from) (local.get $size))
  (global.set $o (i32.add (global.get $o) (local.get $size))))

(func $put_address (param $at i32) (param $value i64) (param $size i32)
  (if (i32.eq (local.get $size) (i32.const 4))
    (then (i64.store32 (local.get $at) (local.get $value)))
    (else (i64.store (local.get $at) (local.get $value)))))

;; `value` in as many bytes as the LEB128 from `from` to `to` has, written at `at`; a signed one must not be negative.
(func $put_padded (param $at i32) (param $from i32) (param $to i32) (param $value i64) (param $signed i32)
  (local $bits i64)
  (local.set $bits (i64.extend_i32_u (i32.mul (i32.sub (local.get $to) (local.get $from)) (i32.const 7))))
  (local.set $bits (i64.sub (local.get $bits) (i64.extend_i32_u (local.get $signed))))
  (if (i64.lt_u (local.get $bits) (i64.const 64))
    (then
      (if (i64.ne (i64.shr_u (local.get $value) (local.get $bits)) (i64.const 0)) (then (call $fail (i32.const 7))))))
  (loop $more
    (local.set $from (i32.add (local.get $from) (i32.const 1)))
    (i32.store8 (local.get $at)
      (i32.or (i32.and (i32.wrap_i64 (local.get $value)) (i32.const 0x7F))
              (i32.shl (i32.lt_u (local.get $from) (local.get $to)) (i32.const 7))))
    (local.set $value (i64.shr_u (local.get $value) (i64.const 7)))
    (local.set $at (i32.add (local.get $at) (i32.const 1)))
    (br_if $more (i32.lt_u (local.get $from) (local.get $to)))))

;; --- old addresses to new ones --------------------------------------------------------------------------------------

;; What wasm-ld puts in for code that it dropped: -1, in lists -2. No arithmetic is done on these.
(func $tombstone (param $address i64) (param $size i32) (result i32)
  (if (result i32) (i32.eq (local.get $size) (i32.const 4))
    (then (i64.ge_u (local.get $address) (i64.const 0xFFFFFFFE)))
    (else (i64.ge_u (local.get $address) (i64.const -2)))))

(func $entry (param $address i64) (result i32)
  (local.set $address (i64.sub (local.get $address) (i64.extend_i32_u (global.get $lead))))
  (if (i64.lt_s (local.get $address) (i64.const 0)) (then (local.set $address (i64.const 0))))
  (if (i64.gt_u (local.get $address) (i64.extend_i32_u (global.get $code_size)))
    (then (local.set $address (i64.extend_i32_u (global.get $code_size)))))
  (i32.load (i32.add (global.get $positions) (i32.shl (i32.wrap_i64 (local.get $address)) (i32.const 2)))))

;; The new address of any old one: total, and never going back.
(func $place (param $address i64) (result i64)
  (i64.extend_i32_u
    (i32.add (global.get $code_base) (i32.and (call $entry (local.get $address)) (i32.const 0x7FFFFFFF)))))

;; Whether the address lies in a body that was kept (the entry for the end has the bit for left out).
(func $live (param $address i64) (result i32)
  (if (i64.lt_u (local.get $address) (i64.extend_i32_u (global.get $lead))) (then (return (i32.const 0))))
  (i32.ge_s (call $entry (local.get $address)) (i32.const 0)))

;; The new address of something that starts at the old one: a tombstone if that was left out. 0 says "nowhere".
(func $start (param $address i64) (param $size i32) (result i64)
  (if (i64.eqz (local.get $address)) (then (return (i64.const 0))))
  (if (call $tombstone (local.get $address) (local.get $size)) (then (return (local.get $address))))
  (if (call $live (local.get $address)) (then (return (call $place (local.get $address)))))
  (i64.const -1))

;; Makes the notes of an earlier run forgotten.
(func (export "clear") (param $at i32) (param $size i32)
  (memory.fill (local.get $at) (i32.const 0) (local.get $size)))

;; Strings: the new offset of an old one.
(func $new_str (param $offset i32) (result i32)
  (if (i32.ge_u (local.get $offset) (global.get $str_size)) (then (call $fail (i32.const 8))))
  (i32.load (i32.add (global.get $str_new) (i32.shl (local.get $offset) (i32.const 2)))))

(func $new_line_str (param $offset i32) (result i32)
  (if (i32.ge_u (local.get $offset) (global.get $line_str_size)) (then (call $fail (i32.const 8))))
  (i32.load (i32.add (global.get $line_str_new) (i32.shl (local.get $offset) (i32.const 2)))))

;; Fills `table`: the pieces of a string section begin at the offsets in `old` (the last one is its end), and go to `new`.
(func (export "spread") (param $old i32) (param $new i32) (param $count i32) (param $table i32)
  (local $at i32) (local $end i32) (local $to i32)
  (loop $piece
    (if (local.get $count)
      (then
        (local.set $at (i32.load (local.get $old)))
        (local.set $end (i32.load offset=4 (local.get $old)))
        (local.set $to (i32.load (local.get $new)))
        (loop $more
          (if (i32.lt_u (local.get $at) (local.get $end))
            (then
              (i32.store (i32.add (local.get $table) (i32.shl (local.get $at) (i32.const 2))) (local.get $to))
              (local.set $at (i32.add (local.get $at) (i32.const 1)))
              (local.set $to (i32.add (local.get $to) (i32.const 1)))
              (br $more))))
        (local.set $old (i32.add (local.get $old) (i32.const 4)))
        (local.set $new (i32.add (local.get $new) (i32.const 4)))
        (local.set $count (i32.sub (local.get $count) (i32.const 1)))
        (br $piece)))))
