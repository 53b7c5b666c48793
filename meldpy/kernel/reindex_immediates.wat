;; Maps, and the rewriting of one immediate each, for the loop in reindex.wat.
;;
;; A map's entry is the new index as finished LEB128 in the low bytes and its length in the top byte; 0 is an item
;; that was dropped.

;; Turns `count` new indices (i32 at `raw`, -1: dropped) into map entries (8 bytes each, at `to`).
(func (export "encode") (param $raw i32) (param $count i32) (param $to i32) (param $signed i32)
  (local $end i32) (local $index i32) (local $length i32)
  (local.set $end (i32.add (local.get $raw) (i32.shl (local.get $count) (i32.const 2))))
  (block $done
    (loop $more
      (br_if $done (i32.ge_u (local.get $raw) (local.get $end)))
      (local.set $index (i32.load (local.get $raw)))
      (i64.store (local.get $to) (i64.const 0))
      (if (i32.ne (local.get $index) (i32.const -1))
        (then
          (if (local.get $signed)
            (then (local.set $length (call $write_s (local.get $to) (i64.extend_i32_u (local.get $index)))))
            (else (local.set $length (call $write_u (local.get $to) (i64.extend_i32_u (local.get $index))))))
          (i32.store8 offset=7 (local.get $to) (i32.sub (local.get $length) (local.get $to)))))
      (local.set $to (i32.add (local.get $to) (i32.const 8)))
      (local.set $raw (i32.add (local.get $raw) (i32.const 4)))
      (br $more))))

;; The map entry of `index` for the descriptor `kind`; 0 if there is none, and then the failure is recorded.
(func $entry (param $kind i32) (param $index i32) (param $at i32) (param $after i32) (result i64)
  (local $entry i64)
  (if (i32.ge_u (local.get $index) (i32.load offset=0x2504 (i32.shl (local.get $kind) (i32.const 3))))
    (then
      (call $fail_index (i32.const 6) (local.get $at) (local.get $after) (local.get $index) (local.get $kind))
      (return (i64.const 0))))
  (local.set $entry
    (i64.load
      (i32.add (i32.load offset=0x2500 (i32.shl (local.get $kind) (i32.const 3)))
               (i32.shl (local.get $index) (i32.const 3)))))
  (if (i64.eqz (local.get $entry))
    (then (call $fail_index (i32.const 7) (local.get $at) (local.get $after) (local.get $index) (local.get $kind))))
  (local.get $entry))

;; --- one immediate each, from `in` to `out`; result: both behind it, or 0 for `in` if it failed ---------------------

(func $copy_u (param $in i32) (param $out i32) (param $bits i32) (result i32 i32)
  (local $value i64) (local $after i32)
  (call $read_u (local.get $in) (local.get $bits)) (local.set $after) (local.set $value)
  (if (i32.eqz (local.get $after))
    (then (call $fail (i32.const 2) (local.get $in)
            (i32.add (local.get $in) (i32.div_u (i32.add (local.get $bits) (i32.const 6)) (i32.const 7))) (i32.const 0))))
  (local.get $after) (call $write_u (local.get $out) (local.get $value)))

(func $copy_s (param $in i32) (param $out i32) (param $bits i32) (result i32 i32)
  (local $value i64) (local $after i32)
  (call $read_s (local.get $in) (local.get $bits)) (local.set $after) (local.set $value)
  (if (i32.eqz (local.get $after))
    (then (call $fail (i32.const 2) (local.get $in)
            (i32.add (local.get $in) (i32.div_u (i32.add (local.get $bits) (i32.const 6)) (i32.const 7))) (i32.const 0))))
  (local.get $after) (call $write_s (local.get $out) (local.get $value)))

(func $map_u (param $in i32) (param $out i32) (param $kind i32) (result i32 i32)
  (local $index i64) (local $after i32) (local $entry i64)
  (call $read_u (local.get $in) (i32.const 32)) (local.set $after) (local.set $index)
  (if (i32.eqz (local.get $after))
    (then
      (call $fail (i32.const 2) (local.get $in) (i32.add (local.get $in) (i32.const 5)) (i32.const 0))
      (return (i32.const 0) (local.get $out))))
  (local.set $entry
    (call $entry (local.get $kind) (i32.wrap_i64 (local.get $index)) (local.get $in) (local.get $after)))
  (if (i64.eqz (local.get $entry)) (then (return (i32.const 0) (local.get $out))))
  (i64.store (local.get $out) (local.get $entry))
  (local.get $after)
  (i32.add (local.get $out) (i32.wrap_i64 (i64.shr_u (local.get $entry) (i64.const 56)))))

;; A type index as s33; a negative one can only be a type, and those are one byte long.
(func $map_type (param $in i32) (param $out i32) (result i32 i32)
  (local $index i64) (local $after i32) (local $entry i64)
  (call $read_s (local.get $in) (i32.const 33)) (local.set $after) (local.set $index)
  (if (i32.eqz (local.get $after))
    (then
      (call $fail (i32.const 2) (local.get $in) (i32.add (local.get $in) (i32.const 5)) (i32.const 0))
      (return (i32.const 0) (local.get $out))))
  (if (i64.lt_s (local.get $index) (i64.const 0))
    (then
      (call $fail (i32.const 5) (local.get $in) (local.get $after) (i32.load8_u (local.get $in)))
      (return (i32.const 0) (local.get $out))))
  (local.set $entry
    (call $entry (i32.const 0) (i32.wrap_i64 (local.get $index)) (local.get $in) (local.get $after)))
  (if (i64.eqz (local.get $entry)) (then (return (i32.const 0) (local.get $out))))
  (i64.store (local.get $out) (local.get $entry))
  (local.get $after)
  (i32.add (local.get $out) (i32.wrap_i64 (i64.shr_u (local.get $entry) (i64.const 56)))))

(func $heap_type (param $in i32) (param $out i32) (result i32 i32)
  (local $byte i32)
  (local.set $byte (i32.load8_u (local.get $in)))
  (if (i32.ne (i32.and (local.get $byte) (i32.const 0xC0)) (i32.const 0x40))
    (then (return (call $map_type (local.get $in) (local.get $out)))))
  (if (i32.ne (i32.load8_u offset=0x2400 (local.get $byte)) (i32.const 2))
    (then
      (call $fail_type (local.get $in) (local.get $byte))
      (return (i32.const 0) (local.get $out))))
  (i32.store8 (local.get $out) (local.get $byte))
  (i32.add (local.get $in) (i32.const 1)) (i32.add (local.get $out) (i32.const 1)))

(func $value_type (param $in i32) (param $out i32) (result i32 i32)
  (local $byte i32) (local $code i32)
  (local.set $byte (i32.load8_u (local.get $in)))
  (local.set $code (i32.load8_u offset=0x2400 (local.get $byte)))
  (if (i32.gt_u (i32.sub (local.get $code) (i32.const 1)) (i32.const 2))
    (then
      (call $fail_type (local.get $in) (local.get $byte))
      (return (i32.const 0) (local.get $out))))
  (i32.store8 (local.get $out) (local.get $byte))
  (local.set $in (i32.add (local.get $in) (i32.const 1)))
  (local.set $out (i32.add (local.get $out) (i32.const 1)))
  (if (i32.eq (local.get $code) (i32.const 3))
    (then (return (call $heap_type (local.get $in) (local.get $out)))))
  (local.get $in) (local.get $out))

;; A vector's length, checked against the bytes that are left: every element takes one at least.
(func $copy_length (param $in i32) (param $out i32) (param $end i32) (result i32 i32 i32)
  (local $length i64) (local $after i32)
  (call $read_u (local.get $in) (i32.const 32)) (local.set $after) (local.set $length)
  (if (i32.eqz (local.get $after))
    (then
      (call $fail (i32.const 2) (local.get $in) (i32.add (local.get $in) (i32.const 5)) (i32.const 0))
      (return (i32.const 0) (i32.const 0) (local.get $out))))
  (if (i64.gt_u (i64.add (local.get $length) (i64.extend_i32_u (local.get $after))) (i64.extend_i32_u (local.get $end)))
    (then
      (call $fail_short (local.get $end))
      (return (i32.const 0) (i32.const 0) (local.get $out))))
  (i32.wrap_i64 (local.get $length)) (local.get $after)
  (call $write_u (local.get $out) (local.get $length)))

(func $value_types (param $in i32) (param $out i32) (param $end i32) (result i32 i32)
  (local $count i32)
  (call $copy_length (local.get $in) (local.get $out) (local.get $end))
  (local.set $out) (local.set $in) (local.set $count)
  (block $done
    (loop $more
      (br_if $done (i32.eqz (local.get $in)))
      (br_if $done (i32.eqz (local.get $count)))
      (if (i32.ge_u (local.get $in) (local.get $end))
        (then
          (call $fail_short (local.get $end))
          (return (i32.const 0) (local.get $out))))
      (call $value_type (local.get $in) (local.get $out)) (local.set $out) (local.set $in)
      (local.set $count (i32.sub (local.get $count) (i32.const 1)))
      (br $more)))
  (local.get $in) (local.get $out))

;; A body that calls through a part gets one more local, whose index is then in `$spare`.
(func $locals (param $in i32) (param $out i32) (param $end i32) (result i32 i32)
  (local $count i32) (local $start i32) (local $value i64) (local $total i64)
  (local.set $start (local.get $out))
  (call $copy_length (local.get $in) (local.get $out) (local.get $end))
  (local.set $out) (local.set $in) (local.set $count)
  (if (i32.ne (global.get $spare) (i32.const -1))
    (then
      (local.set $total (i64.extend_i32_u (global.get $spare)))
      (local.set $out
        (call $write_u (local.get $start) (i64.add (i64.extend_i32_u (local.get $count)) (i64.const 1))))))
  (block $done
    (loop $more
      (br_if $done (i32.eqz (local.get $in)))
      (br_if $done (i32.eqz (local.get $count)))
      (if (i32.ge_u (local.get $in) (local.get $end))
        (then
          (call $fail_short (local.get $end))
          (return (i32.const 0) (local.get $out))))
      (call $read_u (local.get $in) (i32.const 32)) (drop) (local.set $value)
      (local.set $total (i64.add (local.get $total) (local.get $value)))
      (call $copy_u (local.get $in) (local.get $out) (i32.const 32)) (local.set $out) (local.set $in)
      (br_if $done (i32.eqz (local.get $in)))
      (call $value_type (local.get $in) (local.get $out)) (local.set $out) (local.set $in)
      (local.set $count (i32.sub (local.get $count) (i32.const 1)))
      (br $more)))
  (if (i32.ne (global.get $spare) (i32.const -1))
    (then
      (if (i64.ge_u (local.get $total) (i64.const 50000))
        (then
          (call $fail (i32.const 13) (local.get $in) (local.get $in) (i32.const 0))
          (return (i32.const 0) (local.get $out))))
      (global.set $spare (i32.wrap_i64 (local.get $total)))
      (i32.store16 (local.get $out) (i32.const 0x7F01)) ;; one i32
      (local.set $out (i32.add (local.get $out) (i32.const 2)))))
  (local.get $in) (local.get $out))

;; br_table: `length` labels and the default.
(func $labels (param $in i32) (param $out i32) (param $end i32) (result i32 i32)
  (local $count i32) (local $byte i32)
  (call $copy_length (local.get $in) (local.get $out) (local.get $end))
  (local.set $out) (local.set $in) (local.set $count)
  (if (i32.eqz (local.get $in)) (then (return (i32.const 0) (local.get $out))))
  (loop $more
    (if (i32.ge_u (local.get $in) (local.get $end))
      (then
        (call $fail_short (local.get $end))
        (return (i32.const 0) (local.get $out))))
    (local.set $byte (i32.load8_u (local.get $in)))
    (if (i32.lt_u (local.get $byte) (i32.const 0x80))
      (then
        (i32.store8 (local.get $out) (local.get $byte))
        (local.set $in (i32.add (local.get $in) (i32.const 1)))
        (local.set $out (i32.add (local.get $out) (i32.const 1))))
      (else
        (call $copy_u (local.get $in) (local.get $out) (i32.const 32)) (local.set $out) (local.set $in)
        (if (i32.eqz (local.get $in)) (then (return (i32.const 0) (local.get $out))))))
    (local.set $count (i32.sub (local.get $count) (i32.const 1)))
    (br_if $more (i32.ge_s (local.get $count) (i32.const 0))))
  (local.get $in) (local.get $out))

;; try_table: clauses of a kind byte (0, 1: with a tag), and a label.
(func $catches (param $in i32) (param $out i32) (param $end i32) (result i32 i32)
  (local $count i32) (local $byte i32)
  (call $copy_length (local.get $in) (local.get $out) (local.get $end))
  (local.set $out) (local.set $in) (local.set $count)
  (block $done
    (loop $more
      (br_if $done (i32.eqz (local.get $in)))
      (br_if $done (i32.eqz (local.get $count)))
      (if (i32.ge_u (local.get $in) (local.get $end))
        (then
          (call $fail_short (local.get $end))
          (return (i32.const 0) (local.get $out))))
      (local.set $byte (i32.load8_u (local.get $in)))
      (if (i32.gt_u (local.get $byte) (i32.const 3))
        (then
          (call $fail (i32.const 10) (local.get $in) (i32.add (local.get $in) (i32.const 1)) (local.get $byte))
          (return (i32.const 0) (local.get $out))))
      (i32.store8 (local.get $out) (local.get $byte))
      (local.set $in (i32.add (local.get $in) (i32.const 1)))
      (local.set $out (i32.add (local.get $out) (i32.const 1)))
      (if (i32.lt_u (local.get $byte) (i32.const 2))
        (then
          (call $map_u (local.get $in) (local.get $out) (i32.const 14)) (local.set $out) (local.set $in)
          (br_if $done (i32.eqz (local.get $in)))))
      (call $copy_u (local.get $in) (local.get $out) (i32.const 32)) (local.set $out) (local.set $in)
      (local.set $count (i32.sub (local.get $count) (i32.const 1)))
      (br $more)))
  (local.get $in) (local.get $out))

;; The flags of a memarg and its memory, where the main loop's short way does not apply. Memory 0 is never named.
(func $memory (param $in i32) (param $out i32) (result i32 i32)
  (local $flags i64) (local $index i64) (local $after i32) (local $entry i64)
  (call $read_u (local.get $in) (i32.const 32)) (local.set $after) (local.set $flags)
  (if (i32.eqz (local.get $after))
    (then
      (call $fail (i32.const 2) (local.get $in) (i32.add (local.get $in) (i32.const 5)) (i32.const 0))
      (return (i32.const 0) (local.get $out))))
  (if (i64.ge_u (local.get $flags) (i64.const 0x80))
    (then
      (call $fail (i32.const 9) (local.get $in) (local.get $after) (i32.wrap_i64 (local.get $flags)))
      (return (i32.const 0) (local.get $out))))
  (if (i64.ge_u (local.get $flags) (i64.const 0x40))
    (then
      (local.set $in (local.get $after))
      (call $read_u (local.get $in) (i32.const 32)) (local.set $after) (local.set $index)
      (if (i32.eqz (local.get $after))
        (then
          (call $fail (i32.const 2) (local.get $in) (i32.add (local.get $in) (i32.const 5)) (i32.const 0))
          (return (i32.const 0) (local.get $out))))))
  (local.set $entry
    (call $entry (i32.const 8) (i32.wrap_i64 (local.get $index)) (local.get $in) (local.get $after)))
  (if (i64.eqz (local.get $entry)) (then (return (i32.const 0) (local.get $out))))
  (if (i64.eqz (i64.and (local.get $entry) (i64.const 0xFF)))
    (then
      (i32.store8 (local.get $out) (i32.and (i32.wrap_i64 (local.get $flags)) (i32.const 0x3F)))
      (return (local.get $after) (i32.add (local.get $out) (i32.const 1)))))
  (i32.store8 (local.get $out) (i32.or (i32.wrap_i64 (local.get $flags)) (i32.const 0x40)))
  (i64.store offset=1 (local.get $out) (local.get $entry))
  (local.get $after)
  (i32.add (i32.add (local.get $out) (i32.const 1)) (i32.wrap_i64 (i64.shr_u (local.get $entry) (i64.const 56)))))

;; --- tables that are parts of one -----------------------------------------------------------------------------------

;; Number of parameters of each body that calls through a part, -1 for others; 0: there are no parts at all.
(global $params (mut i32) (i32.const 0))
;; While a body is rewritten: -1, or the local that it got. Before its locals are: how many parameters it has.
(global $spare (mut i32) (i32.const -1))
;; Per table its part's first slot and size; size 0: a whole table.
(global $parts (mut i32) (i32.const 0))

(func (export "set_parts") (param $at i32) (param $trap i32)
  (global.set $parts (local.get $at))
  (global.set $trap (local.get $trap)))

;; The type of functions from nothing to nothing where there is no table.get, else -1.
(global $trap (mut i32) (i32.const -1))

(func (export "set_params") (param $at i32)
  (global.set $params (local.get $at))
  (global.set $spare (i32.const -1)))

;; Type and table of an indirect call, whose opcode has been stored before `out`. Through a part it becomes
;;
;;   local.tee $spare  size  i32.ge_u  if  -1 table.get drop  end  local.get $spare  first  i32.add  and the call,
;;
;; so that a slot outside of the part traps as one outside of the table does. Without table.get, slot -1 is called.
(func $through (param $in i32) (param $out i32) (result i32 i32)
  (local $value i64) (local $table_at i32) (local $after i32) (local $table i32) (local $part i32)
  (call $read_u (local.get $in) (i32.const 32)) (local.set $table_at) (drop)
  (if (local.get $table_at)
    (then
      (call $read_u (local.get $table_at) (i32.const 32)) (local.set $after) (local.set $value)
      (local.set $table (i32.wrap_i64 (local.get $value)))
      (if (i32.and
            (i32.ne (local.get $after) (i32.const 0))
            (i32.lt_u (local.get $table) (i32.load (i32.const 0x251C))))
        (then
          (local.set $part (i32.add (global.get $parts) (i32.shl (local.get $table) (i32.const 3))))
          (if (i32.load offset=4 (local.get $part))
            (then
              (local.set $out (call $enter (local.get $in) (local.get $table_at) (local.get $out) (local.get $part)))
              ;; the immediates go to those of the call, so that what is before them comes from the opcode
              ;;@ (call $note (local.get $in) (i32.add (local.get $out) (i32.const 1)))
              ))))))
  (call $map_u (local.get $in) (local.get $out) (i32.const 15)) (local.set $out) (local.set $in)
  (if (i32.eqz (local.get $in)) (then (return (i32.const 0) (local.get $out))))
  (call $map_u (local.get $in) (local.get $out) (i32.const 3)))

;; Writes what comes before a call through `part`, and its opcode again; result: the address behind it.
(func $enter (param $in i32) (param $table_at i32) (param $out i32) (param $part i32) (result i32)
  (local $opcode i32)
  (local.set $out (i32.sub (local.get $out) (i32.const 1)))
  (local.set $opcode (i32.load8_u (local.get $out)))
  (i32.store8 (local.get $out) (i32.const 0x22)) ;; local.tee
  (local.set $out
    (call $write_u (i32.add (local.get $out) (i32.const 1)) (i64.extend_i32_u (global.get $spare))))
  (i32.store8 (local.get $out) (i32.const 0x41)) ;; i32.const
  (local.set $out
    (call $write_s (i32.add (local.get $out) (i32.const 1)) (i64.extend_i32_s (i32.load offset=4 (local.get $part)))))
  ;; i32.ge_u, if, i32.const -1, table.get
  (i64.store (local.get $out) (i64.const 0x257F41_40044F))
  (local.set $out (i32.add (local.get $out) (i32.const 6)))
  (if (i32.ne (global.get $trap) (i32.const -1))
    (then
      (i32.store8 (i32.sub (local.get $out) (i32.const 1)) (i32.const 0x11)) ;; call_indirect
      (local.set $out (call $write_u (local.get $out) (i64.extend_i32_u (global.get $trap))))))
  (call $map_u (local.get $table_at) (local.get $out) (i32.const 3)) (local.set $out) (drop)
  (i32.store8 (local.get $out) (i32.const 0x1A)) ;; drop
  (local.set $out (i32.add (local.get $out) (i32.eq (global.get $trap) (i32.const -1))))
  (i32.store16 (local.get $out) (i32.const 0x200B)) ;; end, local.get
  (local.set $out
    (call $write_u (i32.add (local.get $out) (i32.const 2)) (i64.extend_i32_u (global.get $spare))))
  (if (i32.load (local.get $part))
    (then
      (i32.store8 (local.get $out) (i32.const 0x41))
      (local.set $out
        (call $write_s (i32.add (local.get $out) (i32.const 1)) (i64.extend_i32_s (i32.load (local.get $part)))))
      (i32.store8 (local.get $out) (i32.const 0x6A)) ;; i32.add
      (local.set $out (i32.add (local.get $out) (i32.const 1)))))
  (i32.store8 (local.get $out) (local.get $opcode))
  (i32.add (local.get $out) (i32.const 1)))
