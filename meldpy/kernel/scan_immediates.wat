;; Records of references, and the reading of one immediate each, for the loop in scan.wat.
;;
;; A reference is an immediate's code and an index. Each code has a table of stamps, one u32 per index: the number of
;; the last function for which the reference was recorded. So a function has each of its references once.

(global $function (mut i32) (i32.const 0)) ;; number of the function being read, from 1
(global $kinds (mut i32) (i32.const 0))    ;; where the next record goes: its kind (a byte)
(global $indices (mut i32) (i32.const 0))  ;; and its index (an i32; -1 for a remark)

;; Records a reference unless this function has it; result: 0 if the index is out of range.
(func $refer (param $kind i32) (param $index i32) (param $at i32) (param $after i32) (result i32)
  (local $stamp i32)
  (if (i32.ge_u (local.get $index) (i32.load offset=0x2504 (i32.shl (local.get $kind) (i32.const 3))))
    (then
      (call $fail_index (i32.const 6) (local.get $at) (local.get $after) (local.get $index) (local.get $kind))
      (return (i32.const 0))))
  (local.set $stamp
    (i32.add (i32.load offset=0x2500 (i32.shl (local.get $kind) (i32.const 3)))
             (i32.shl (local.get $index) (i32.const 2))))
  (if (i32.ne (i32.load (local.get $stamp)) (global.get $function))
    (then
      (i32.store (local.get $stamp) (global.get $function))
      ;; a record's kind is a RefKind, one less than the immediate's code
      (i32.store8 (global.get $kinds) (i32.sub (local.get $kind) (i32.const 1)))
      (i32.store (global.get $indices)
        (select (i32.const -1) (local.get $index)
          (i32.eq (i32.and (local.get $kind) (i32.const 0x1E)) (i32.const 4)))) ;; CALL_REF and THROWS
      (global.set $kinds (i32.add (global.get $kinds) (i32.const 1)))
      (global.set $indices (i32.add (global.get $indices) (i32.const 4)))))
  (i32.const 1))

;; --- one immediate each; result: the address behind it, or 0 if it failed -------------------------------------------

(func $skip_u (param $in i32) (param $bits i32) (result i32)
  (local $after i32)
  (call $read_u (local.get $in) (local.get $bits)) (local.set $after) (drop)
  (if (i32.eqz (local.get $after))
    (then (call $fail (i32.const 2) (local.get $in)
            (i32.add (local.get $in) (i32.div_u (i32.add (local.get $bits) (i32.const 6)) (i32.const 7))) (i32.const 0))))
  (local.get $after))

(func $skip_s (param $in i32) (param $bits i32) (result i32)
  (local $after i32)
  (call $read_s (local.get $in) (local.get $bits)) (local.set $after) (drop)
  (if (i32.eqz (local.get $after))
    (then (call $fail (i32.const 2) (local.get $in)
            (i32.add (local.get $in) (i32.div_u (i32.add (local.get $bits) (i32.const 6)) (i32.const 7))) (i32.const 0))))
  (local.get $after))

(func $scan_index (param $in i32) (param $kind i32) (result i32)
  (local $index i64) (local $after i32)
  (call $read_u (local.get $in) (i32.const 32)) (local.set $after) (local.set $index)
  (if (i32.eqz (local.get $after))
    (then
      (call $fail (i32.const 2) (local.get $in) (i32.add (local.get $in) (i32.const 5)) (i32.const 0))
      (return (i32.const 0))))
  (if (i32.eqz (call $refer (local.get $kind) (i32.wrap_i64 (local.get $index)) (local.get $in) (local.get $after)))
    (then (return (i32.const 0))))
  (local.get $after))

;; A type index as s33; a negative one can only be a type, and those are one byte long.
(func $scan_type (param $in i32) (result i32)
  (local $index i64) (local $after i32)
  (call $read_s (local.get $in) (i32.const 33)) (local.set $after) (local.set $index)
  (if (i32.eqz (local.get $after))
    (then
      (call $fail (i32.const 2) (local.get $in) (i32.add (local.get $in) (i32.const 5)) (i32.const 0))
      (return (i32.const 0))))
  (if (i64.lt_s (local.get $index) (i64.const 0))
    (then
      (call $fail (i32.const 5) (local.get $in) (local.get $after) (i32.load8_u (local.get $in)))
      (return (i32.const 0))))
  (if (i32.eqz (call $refer (i32.const 15) (i32.wrap_i64 (local.get $index)) (local.get $in) (local.get $after)))
    (then (return (i32.const 0))))
  (local.get $after))

(func $scan_heap_type (param $in i32) (result i32)
  (local $byte i32)
  (local.set $byte (i32.load8_u (local.get $in)))
  (if (i32.ne (i32.and (local.get $byte) (i32.const 0xC0)) (i32.const 0x40))
    (then (return (call $scan_type (local.get $in)))))
  (if (i32.ne (i32.load8_u offset=0x2400 (local.get $byte)) (i32.const 2))
    (then
      (call $fail_type (local.get $in) (local.get $byte))
      (return (i32.const 0))))
  (i32.add (local.get $in) (i32.const 1)))

(func $scan_value_type (param $in i32) (result i32)
  (local $byte i32) (local $code i32)
  (local.set $byte (i32.load8_u (local.get $in)))
  (local.set $code (i32.load8_u offset=0x2400 (local.get $byte)))
  (if (i32.gt_u (i32.sub (local.get $code) (i32.const 1)) (i32.const 2))
    (then
      (call $fail_type (local.get $in) (local.get $byte))
      (return (i32.const 0))))
  (local.set $in (i32.add (local.get $in) (i32.const 1)))
  (if (i32.eq (local.get $code) (i32.const 3))
    (then (return (call $scan_heap_type (local.get $in)))))
  (local.get $in))

;; A vector's length, checked against the bytes that are left: every element takes one at least.
(func $read_length (param $in i32) (param $end i32) (result i32 i32)
  (local $length i64) (local $after i32)
  (call $read_u (local.get $in) (i32.const 32)) (local.set $after) (local.set $length)
  (if (i32.eqz (local.get $after))
    (then
      (call $fail (i32.const 2) (local.get $in) (i32.add (local.get $in) (i32.const 5)) (i32.const 0))
      (return (i32.const 0) (i32.const 0))))
  (if (i64.gt_u (i64.add (local.get $length) (i64.extend_i32_u (local.get $after))) (i64.extend_i32_u (local.get $end)))
    (then
      (call $fail_short (local.get $end))
      (return (i32.const 0) (i32.const 0))))
  (i32.wrap_i64 (local.get $length)) (local.get $after))

;; Value types, or local declarations: a count in front of each.
(func $scan_value_types (param $in i32) (param $end i32) (param $counted i32) (result i32)
  (local $left i32)
  (call $read_length (local.get $in) (local.get $end)) (local.set $in) (local.set $left)
  (block $done
    (loop $more
      (br_if $done (i32.eqz (local.get $in)))
      (br_if $done (i32.eqz (local.get $left)))
      (if (i32.ge_u (local.get $in) (local.get $end))
        (then
          (call $fail_short (local.get $end))
          (return (i32.const 0))))
      (if (local.get $counted)
        (then
          (local.set $in (call $skip_u (local.get $in) (i32.const 32)))
          (br_if $done (i32.eqz (local.get $in)))))
      (local.set $in (call $scan_value_type (local.get $in)))
      (local.set $left (i32.sub (local.get $left) (i32.const 1)))
      (br $more)))
  (local.get $in))

(func $scan_labels (param $in i32) (param $end i32) (result i32)
  (local $left i32)
  (call $read_length (local.get $in) (local.get $end)) (local.set $in) (local.set $left)
  (if (i32.eqz (local.get $in)) (then (return (i32.const 0))))
  (loop $more
    (if (i32.ge_u (local.get $in) (local.get $end))
      (then
        (call $fail_short (local.get $end))
        (return (i32.const 0))))
    (if (i32.lt_u (i32.load8_u (local.get $in)) (i32.const 0x80))
      (then (local.set $in (i32.add (local.get $in) (i32.const 1))))
      (else
        (local.set $in (call $skip_u (local.get $in) (i32.const 32)))
        (if (i32.eqz (local.get $in)) (then (return (i32.const 0))))))
    (local.set $left (i32.sub (local.get $left) (i32.const 1)))
    (br_if $more (i32.ge_s (local.get $left) (i32.const 0))))
  (local.get $in))

(func $scan_catches (param $in i32) (param $end i32) (result i32)
  (local $left i32) (local $byte i32)
  (call $read_length (local.get $in) (local.get $end)) (local.set $in) (local.set $left)
  (block $done
    (loop $more
      (br_if $done (i32.eqz (local.get $in)))
      (br_if $done (i32.eqz (local.get $left)))
      (if (i32.ge_u (local.get $in) (local.get $end))
        (then
          (call $fail_short (local.get $end))
          (return (i32.const 0))))
      (local.set $byte (i32.load8_u (local.get $in)))
      (if (i32.gt_u (local.get $byte) (i32.const 3))
        (then
          (call $fail (i32.const 10) (local.get $in) (i32.add (local.get $in) (i32.const 1)) (local.get $byte))
          (return (i32.const 0))))
      (local.set $in (i32.add (local.get $in) (i32.const 1)))
      (if (i32.lt_u (local.get $byte) (i32.const 2))
        (then
          (local.set $in (call $scan_index (local.get $in) (i32.const 14)))
          (br_if $done (i32.eqz (local.get $in)))))
      (local.set $in (call $skip_u (local.get $in) (i32.const 32)))
      (local.set $left (i32.sub (local.get $left) (i32.const 1)))
      (br $more)))
  (local.get $in))

;; The flags of a memarg and its memory.
(func $scan_memory (param $in i32) (param $kind i32) (result i32)
  (local $flags i64) (local $after i32)
  (call $read_u (local.get $in) (i32.const 32)) (local.set $after) (local.set $flags)
  (if (i32.eqz (local.get $after))
    (then
      (call $fail (i32.const 2) (local.get $in) (i32.add (local.get $in) (i32.const 5)) (i32.const 0))
      (return (i32.const 0))))
  (if (i64.ge_u (local.get $flags) (i64.const 0x80))
    (then
      (call $fail (i32.const 9) (local.get $in) (local.get $after) (i32.wrap_i64 (local.get $flags)))
      (return (i32.const 0))))
  (if (i64.ge_u (local.get $flags) (i64.const 0x40))
    (then (return (call $scan_index (local.get $after) (local.get $kind)))))
  (if (i32.eqz (call $refer (local.get $kind) (i32.const 0) (local.get $in) (local.get $after)))
    (then (return (i32.const 0))))
  (local.get $after))
