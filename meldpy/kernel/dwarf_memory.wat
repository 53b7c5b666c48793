;; Memories that are joined to one: expressions of DWARF made longer, so that they find what has moved in memory.
;;
;; Code keeps its addresses in such an output, and adds the base of its region when it reads or writes. Expressions do
;; the same here: what is on the stack is what the code has, and the base is added before memory is read, and where an
;; expression ends in a place in memory. An address that the debugger puts there (that of an object) has the base already;
;; so each item of the stack is either as the code has it (0) or complete (1), one bit of `tops` each, the top lowest. An
;; expression that cannot be followed so (branches, calls, arithmetic with complete addresses) becomes empty: there is no
;; place, and never a wrong one.
;;
;; Entries get longer by that, so units are written anew, twice: the first time to learn where each entry goes, then
;; with references that lead there. All other sections are rewritten as ever afterwards, from what is written here.
;; Spec: DWARF 5 sections 2.5, 2.6 and 7.7.

(global $region_base (export "region_base") (mut i32) (i32.const 0))
;; The old index that stands for the global that has the base (one beyond the module's own); -1: the base is a constant.
(global $region_global (export "region_global") (mut i32) (i32.const -1))
(global $widening (export "widening") (mut i32) (i32.const 0))
;; Where entries go: u32 by offset in the section, plus one; 0: no entry begins there. Of .debug_info, and of the section
;; at hand.
(global $info_moves (export "info_moves") (mut i32) (i32.const 0))
(global $info_size (export "info_size") (mut i32) (i32.const 0))
(global $moves (export "moves") (mut i32) (i32.const 0))
(global $moves_size (mut i32) (i32.const 0))
(global $settled (export "settled") (mut i32) (i32.const 0)) ;; whether these are known
(global $unit_old (mut i32) (i32.const 0))
(global $unit_new (mut i32) (i32.const 0))
;; The old offsets of all units of .debug_info, for lists of version 5.
(global $old_units (export "old_units") (mut i32) (i32.const 0))
;; Lists of version 4: where each went (plus one), and where the next goes.
(global $loc_moves (export "loc_moves") (mut i32) (i32.const 0))
(global $loc_start (export "loc_start") (mut i32) (i32.const 0))
(global $loc_o (export "loc_writing") (mut i32) (i32.const 0))
(global $loc_o_end (export "loc_writing_end") (mut i32) (i32.const 0))
;; Input up to here is written.
(global $kept (mut i32) (i32.const 0))
;; The entry that an operation speaks of, as an offset in its unit: 0 or where it lies, its end, its value.
(global $type_at (mut i32) (i32.const 0))
(global $type_to (mut i32) (i32.const 0))
(global $type (mut i64) (i64.const 0))

;; All units of a section of `size` bytes at `at`, to $o. types: it is .debug_types.
(func (export "widen") (param $at i32) (param $size i32) (param $types i32)
  (local $end i32) (local $next i32) (local $out i32) (local $head i32) (local $units i32) (local $is_type i32)
  (local.set $end (i32.add (local.get $at) (local.get $size)))
  (local.set $out (global.get $o))
  (local.set $units (global.get $old_units))
  (global.set $moves_size (local.get $size))
  (global.set $shift (i32.const 0))
  (global.set $p (local.get $at))
  (block $done
    (loop $unit
      (br_if $done (i32.ge_u (global.get $p) (local.get $end)))
      (global.set $unit_old (i32.sub (global.get $p) (local.get $at)))
      (global.set $unit_new (i32.sub (global.get $o) (local.get $out)))
      (call $goes (global.get $unit_old) (global.get $unit_new))
      (if (i32.eqz (local.get $types))
        (then
          (i32.store (local.get $units) (global.get $unit_old))
          (local.set $units (i32.add (local.get $units) (i32.const 4)))))
      (global.set $kept (global.get $p))
      (local.set $head (global.get $o))
      (call $open_unit (local.get $end) (local.get $types)) (local.set $is_type) (local.set $next)
      ;; the entry of the type itself is the last field of the head
      (if (local.get $is_type)
        (then
          (call $catch_up (global.get $p))
          (if (global.get $settled)
            (then
              (i32.store (i32.sub (global.get $o) (i32.const 4))
                (call $moved_in_unit (i64.load32_u (i32.sub (global.get $p) (i32.const 4)))))))))
      (loop $entry
        (if (i32.lt_u (global.get $p) (local.get $next))
          (then
            (call $goes (i32.sub (global.get $p) (local.get $at))
              (i32.add (i32.sub (global.get $o) (local.get $out)) (i32.sub (global.get $p) (global.get $kept))))
            (call $wide_entry)
            (br $entry))))
      (call $catch_up (global.get $p))
      (i32.store (local.get $head) (i32.sub (i32.sub (global.get $o) (local.get $head)) (i32.const 4)))
      (br $unit))))

(func $goes (param $old i32) (param $new i32)
  (i32.store (i32.add (global.get $moves) (i32.shl (local.get $old) (i32.const 2)))
    (i32.add (local.get $new) (i32.const 1))))

;; Writes the input up to `to`.
(func $catch_up (param $to i32)
  (local $p i32)
  (local.set $p (global.get $p))
  (global.set $p (local.get $to))
  (call $w_read (global.get $kept))
  (global.set $kept (local.get $to))
  (global.set $p (local.get $p)))

;; Where the entry at `offset` of a section goes, by its table.
(func $moved_entry (param $table i32) (param $size i32) (param $offset i64) (result i32)
  (local $new i32)
  (if (i64.ge_u (local.get $offset) (i64.extend_i32_u (local.get $size))) (then (call $fail (i32.const 8))))
  (local.set $new
    (i32.load (i32.add (local.get $table) (i32.shl (i32.wrap_i64 (local.get $offset)) (i32.const 2)))))
  (if (i32.eqz (local.get $new)) (then (call $fail (i32.const 8))))
  (i32.sub (local.get $new) (i32.const 1)))

(func $moved_in_unit (param $offset i64) (result i32)
  (if (i64.gt_u (local.get $offset) (i64.const 0xFFFFFFFF)) (then (call $fail (i32.const 8))))
  (i32.sub
    (call $moved_entry (global.get $moves) (global.get $moves_size)
      (i64.add (local.get $offset) (i64.extend_i32_u (global.get $unit_old))))
    (global.get $unit_new)))

;; What follows is said in the unit at the old offset.
(func $take_unit (param $old i32)
  (global.set $moves (global.get $info_moves))
  (global.set $moves_size (global.get $info_size))
  (global.set $unit_old (local.get $old))
  (global.set $unit_new
    (call $moved_entry (global.get $info_moves) (global.get $info_size) (i64.extend_i32_u (local.get $old)))))

;; --- entries --------------------------------------------------------------------------------------------------------

(func $wide_entry
  (local $record i32) (local $count i32) (local $attribute i32)
  (local.set $record (call $record))
  (if (i32.eqz (local.get $record)) (then (return)))
  (local.set $count (i32.load offset=4 (local.get $record)))
  (call $burn (local.get $count))
  (local.set $attribute (i32.add (local.get $record) (i32.const 8)))
  (loop $more
    (if (local.get $count)
      (then
        (call $wide_attribute (i32.load (local.get $attribute)) (i32.load offset=4 (local.get $attribute)))
        (local.set $attribute (i32.add (local.get $attribute) (i32.const 16)))
        (local.set $count (i32.sub (local.get $count) (i32.const 1)))
        (br $more)))))

(func $wide_attribute (param $form i32) (param $role i32)
  (local $at i32) (local $value i64) (local $expressions i32) (local $width i32)
  (if (i32.eq (local.get $form) (i32.const 0x16)) (then (local.set $form (call $direct_form))))
  (local.set $at (global.get $p))
  (local.set $value (call $value (local.get $form)))
  ;; roles: 6 a place, 13 a place from that of an object, 14 a value
  (local.set $expressions
    (i32.or (i32.eq (local.get $role) (i32.const 6)) (i32.lt_u (i32.sub (local.get $role) (i32.const 13)) (i32.const 2))))
  (if (i32.eq (local.get $form) (i32.const 0x18))
    (then
      (call $wide_block (local.get $form) (local.get $role) (local.get $at) (i32.wrap_i64 (local.get $value)))
      (return)))
  (if (i32.and (local.get $expressions) (i32.lt_u (global.get $version) (i32.const 4)))
    (then
      (if (i32.or
            (i32.lt_u (i32.sub (local.get $form) (i32.const 3)) (i32.const 2))
            (i32.lt_u (i32.sub (local.get $form) (i32.const 9)) (i32.const 2)))
        (then
          (call $wide_block (local.get $form) (local.get $role) (local.get $at) (i32.wrap_i64 (local.get $value)))
          (return)))))
  ;; a list of version 4
  (if (i32.and (i32.and (local.get $expressions) (i32.ne (local.get $role) (i32.const 13)))
        (i32.or
          (i32.and (i32.eq (local.get $form) (i32.const 0x17)) (i32.lt_u (global.get $version) (i32.const 5)))
          (i32.and (i32.eq (local.get $form) (i32.const 6)) (i32.lt_u (global.get $version) (i32.const 4)))))
    (then
      (call $catch_up (global.get $p))
      (if (global.get $settled)
        (then
          (i32.store (i32.sub (global.get $o) (i32.const 4))
            (call $wide_list (i32.wrap_i64 (local.get $value)) (i32.eq (local.get $role) (i32.const 6))))))
      (return)))
  ;; references
  (local.set $width (i32.sub (global.get $p) (local.get $at)))
  (if (i32.eq (local.get $form) (i32.const 0x10))
    (then
      (call $catch_up (global.get $p))
      (if (global.get $settled)
        (then
          (i32.store (i32.sub (global.get $o) (local.get $width))
            (call $moved_entry (global.get $info_moves) (global.get $info_size) (local.get $value)))))
      (return)))
  (if (i32.and (global.get $settled) (i32.lt_u (i32.sub (local.get $form) (i32.const 0x11)) (i32.const 5)))
    (then
      (call $catch_up (global.get $p))
      (local.set $value (i64.extend_i32_u (call $moved_in_unit (local.get $value))))
      (if (i32.eq (local.get $form) (i32.const 0x15))
        (then
          (call $put_padded (i32.sub (global.get $o) (local.get $width)) (local.get $at) (global.get $p)
            (local.get $value) (i32.const 0))
          (return)))
      (if (i64.ne (i64.const 0)
            (i64.shr_u (local.get $value) (i64.extend_i32_u (i32.sub (i32.shl (local.get $width) (i32.const 3)) (i32.const 1)))))
        (then (call $fail (i32.const 7))))
      (loop $byte
        (i32.store8 (i32.sub (global.get $o) (local.get $width)) (i32.wrap_i64 (local.get $value)))
        (local.set $value (i64.shr_u (local.get $value) (i64.const 8)))
        (br_if $byte (local.tee $width (i32.sub (local.get $width) (i32.const 1))))))))

;; An expression of `size` bytes before $p, whose length is written at `at` in the block's form.
(func $wide_block (param $form i32) (param $role i32) (param $at i32) (param $size i32)
  (local $written i32)
  (call $catch_up (local.get $at))
  (local.set $written
    (call $apart (i32.sub (global.get $p) (local.get $size)) (global.get $p)
      (select (i32.const 1) (i32.shl (i32.eq (local.get $role) (i32.const 13)) (i32.const 1))
        (i32.eq (local.get $role) (i32.const 6)))))
  (block $done
    (if (i32.or (i32.eq (local.get $form) (i32.const 0x18)) (i32.eq (local.get $form) (i32.const 9)))
      (then (call $w_uleb (i64.extend_i32_u (local.get $written))) (br $done)))
    (if (i32.gt_u (local.get $written)
          (select (i32.const 0xFF) (i32.const 0xFFFF) (i32.eq (local.get $form) (i32.const 0xA))))
      (then (call $fail (i32.const 7))))
    (call $w8 (local.get $written))
    (br_if $done (i32.eq (local.get $form) (i32.const 0xA)))
    (call $w8 (i32.shr_u (local.get $written) (i32.const 8)))
    (br_if $done (i32.eq (local.get $form) (i32.const 3)))
    (call $w8 (i32.const 0))
    (call $w8 (i32.const 0)))
  (call $join (local.get $written))
  (global.set $kept (global.get $p)))

;; Writes a longer expression 16 bytes behind $o, so that its length can be put before it; the length.
(func $apart (param $start i32) (param $end i32) (param $kind i32) (result i32)
  (local $from i32) (local $size i32)
  (call $room (i32.const 16))
  (local.set $from (global.get $o))
  (global.set $apart_at (i32.add (local.get $from) (i32.const 16)))
  (global.set $o (global.get $apart_at))
  (call $wide_expression (local.get $start) (local.get $end) (local.get $kind))
  (local.set $size (i32.sub (global.get $o) (global.get $apart_at)))
  (global.set $o (local.get $from))
  (local.get $size))

(global $apart_at (mut i32) (i32.const 0))

;; The expression that `$apart` wrote, here.
(func $join (param $size i32)
  (memory.copy (global.get $o) (global.get $apart_at) (local.get $size))
  (global.set $o (i32.add (global.get $o) (local.get $size))))

;; --- lists ----------------------------------------------------------------------------------------------------------

;; The list at `offset` of .debug_loc, written unless it is; where it is.
(func $wide_list (param $offset i32) (param $kind i32) (result i32)
  (local $p i32) (local $e i32) (local $o i32) (local $o_end i32) (local $at i32) (local $low i64) (local $high i64)
  (local $length i32) (local $new i32)
  (if (i32.ge_u (local.get $offset) (global.get $loc_size)) (then (call $fail (i32.const 8))))
  (local.set $at (i32.add (global.get $loc_moves) (i32.shl (local.get $offset) (i32.const 2))))
  (if (i32.load (local.get $at)) (then (return (i32.sub (i32.load (local.get $at)) (i32.const 1)))))
  (local.set $p (global.get $p)) (local.set $e (global.get $e))
  (local.set $o (global.get $o)) (local.set $o_end (global.get $o_end))
  (global.set $p (i32.add (global.get $loc) (local.get $offset)))
  (global.set $e (i32.add (global.get $loc) (global.get $loc_size)))
  (global.set $o (global.get $loc_o)) (global.set $o_end (global.get $loc_o_end))
  (local.set $new (i32.sub (global.get $o) (global.get $loc_start)))
  (i32.store (local.get $at) (i32.add (local.get $new) (i32.const 1)))
  (block $done
    (loop $more
      (call $burn (i32.const 1))
      (local.set $at (global.get $p))
      (local.set $low (call $address (global.get $address_size)))
      (local.set $high (call $address (global.get $address_size)))
      (call $w_read (local.get $at))
      (br_if $done (i64.eqz (i64.or (local.get $low) (local.get $high))))
      ;; a base
      (br_if $more (i64.eq (local.get $low)
        (select (i64.const 0xFFFFFFFF) (i64.const -1) (i32.eq (global.get $address_size) (i32.const 4)))))
      (local.set $length (call $u16))
      (call $skip (local.get $length))
      (local.set $length
        (call $apart (i32.sub (global.get $p) (local.get $length)) (global.get $p) (local.get $kind)))
      (if (i32.gt_u (local.get $length) (i32.const 0xFFFF)) (then (call $fail (i32.const 7))))
      (call $w8 (local.get $length))
      (call $w8 (i32.shr_u (local.get $length) (i32.const 8)))
      (call $join (local.get $length))
      (br $more)))
  (global.set $loc_o (global.get $o))
  (global.set $p (local.get $p)) (global.set $e (local.get $e))
  (global.set $o (local.get $o)) (global.set $o_end (local.get $o_end))
  (local.get $new))

;; --- expressions ----------------------------------------------------------------------------------------------------

;; Adds the base to the top of the stack. address: where the operand of a DW_OP_addr lies that has just been written,
;; else 0; what is nowhere stays there.
(func $add_base (param $address i32)
  (local $value i64)
  (if (local.get $address)
    (then
      (local.set $value
        (if (result i64) (i32.eq (global.get $address_size) (i32.const 4))
          (then (i64.load32_u (local.get $address)))
          (else (i64.load (local.get $address)))))
      (if (i32.or (i64.eqz (local.get $value)) (call $tombstone (local.get $value) (global.get $address_size)))
        (then (return)))
      (if (i32.eq (global.get $region_global) (i32.const -1))
        (then
          (call $put_address (local.get $address)
            (i64.add (local.get $value) (i64.extend_i32_u (global.get $region_base))) (global.get $address_size))
          (return)))))
  (if (i32.eq (global.get $region_global) (i32.const -1))
    (then
      (call $w8 (i32.const 0x23)) ;; plus_uconst
      (call $w_uleb (i64.extend_i32_u (global.get $region_base)))
      (return)))
  (call $w8 (i32.const 0xED)) ;; the global of that index (u32), and plus
  (call $w8 (i32.const 3))
  (call $w_address (i64.extend_i32_u (global.get $region_global)) (i32.const 4))
  (call $w8 (i32.const 0x22)))

;; Reads past the operands of an operation; 0 if it cannot be followed.
(func $wide_operands (param $operation i32) (result i32)
  (local $end i32) (local $kind i32)
  (global.set $type_at (i32.const 0))
  (block $wasm (block $entry (block $pointer (block $reference (block $block (block $address
  (block $types (block $two_lebs (block $leb (block $eight (block $four (block $two (block $one (block $none (block $unknown
    (br_table $unknown $none $one $two $four $eight $leb $two_lebs $address $block $reference $pointer $entry $types
              $wasm $unknown
      (i32.load8_u offset=0x200 (local.get $operation))))
  (call $fail (i32.const 9)))
  (return (i32.const 1)))
  (call $skip (i32.const 1)) (return (i32.const 1)))
  (call $skip (i32.const 2)) (return (i32.const 1)))
  (call $skip (i32.const 4)) (return (i32.const 1)))
  (call $skip (i32.const 8)) (return (i32.const 1)))
  ;; leb: a type's, of convert and reinterpret
  (if (i32.or (i32.lt_u (i32.sub (local.get $operation) (i32.const 0xA8)) (i32.const 2))
        (i32.or (i32.eq (local.get $operation) (i32.const 0xF7)) (i32.eq (local.get $operation) (i32.const 0xF9))))
    (then (call $type_operand))
    (else (drop (call $uleb))))
  (return (i32.const 1)))
  ;; two: the second one a type's, of regval_type and deref_type
  (drop (call $uleb))
  (if (i32.or (i32.lt_u (i32.sub (local.get $operation) (i32.const 0xA5)) (i32.const 3))
        (i32.lt_u (i32.sub (local.get $operation) (i32.const 0xF5)) (i32.const 2)))
    (then (call $type_operand))
    (else (drop (call $uleb))))
  (return (i32.const 1)))
  (call $type_operand) (call $skip (call $u8)) (return (i32.const 1)))
  (call $skip (global.get $address_size)) (return (i32.const 1)))
  (call $skip (call $uleb32)) (return (i32.const 1)))
  (return (i32.const 0)))
  ;; pointer: to an entry in .debug_info
  (return (i32.const 0)))
  ;; entry: the value that a local had at first, and nothing else
  (local.set $end (call $uleb32))
  (call $need (local.get $end))
  (local.set $end (i32.add (global.get $p) (local.get $end)))
  (if (i32.eq (global.get $p) (local.get $end)) (then (return (i32.const 0))))
  (if (i32.ne (call $u8) (i32.const 0xED)) (then (return (i32.const 0))))
  (drop (call $wide_operands (i32.const 0xED)))
  (return (i32.eq (global.get $p) (local.get $end))))
  (local.set $kind (call $u8))
  (if (i32.eq (local.get $kind) (i32.const 3)) (then (drop (call $u32))) (else (drop (call $uleb))))
  (i32.const 1))

(func $type_operand
  (global.set $type_at (global.get $p))
  (global.set $type (call $uleb))
  (global.set $type_to (global.get $p)))

;; The expression from `start` to `end`, longer, at $o. kind: 0 a value, 1 a place, 2 a place from that of an object.
(func $wide_expression (param $start i32) (param $end i32) (param $kind i32)
  (local $p i32) (local $e i32) (local $first i32) (local $at i32) (local $operation i32) (local $effect i32)
  (local $tops i64) (local $memory i32) (local $count i32) (local $local i32) (local $address i32)
  (local.set $p (global.get $p))
  (local.set $e (global.get $e))
  (global.set $p (local.get $start))
  (global.set $e (local.get $end))
  (local.set $first (global.get $o))
  (local.set $tops (i64.extend_i32_u (i32.eq (local.get $kind) (i32.const 2))))
  (local.set $memory (i32.const 1))
  (block $done
  (block $lost
    (loop $next
      (local.set $at (global.get $p))
      (local.set $effect (i32.const 18)) ;; the end of an expression is that of its last piece
      (if (i32.lt_u (global.get $p) (global.get $e))
        (then
          (call $burn (i32.const 1))
          (local.set $operation (call $u8))
          (local.set $effect (i32.load8_u offset=0x40300 (local.get $operation)))))
      (br_if $lost (i32.eqz (local.get $effect)))
      ;; what must be there before it: a complete address where memory is read, and where a place is told
      (if (i32.eq (local.get $effect) (i32.const 9))
        (then
          (if (i64.eqz (i64.and (local.get $tops) (i64.const 1))) (then (call $add_base (local.get $address))))))
      (if (i32.eq (local.get $effect) (i32.const 18))
        (then
          (if (i32.and (i32.and (i32.ne (local.get $kind) (i32.const 0)) (local.get $memory))
                (i32.and (i32.ne (local.get $count) (i32.const 0))
                  (i64.eqz (i64.and (local.get $tops) (i64.const 1)))))
            (then
              ;; a local alone is a place of the engine's for some readers, and one in memory for others
              (br_if $lost (local.get $local))
              (call $add_base (local.get $address))))
          (br_if $done (i32.eq (local.get $at) (global.get $e)))))
      (br_if $lost (i32.eqz (call $wide_operands (local.get $operation))))
      (call $w_read (local.get $at))
      (if (i32.and (i32.ne (global.get $type_at) (i32.const 0)) (global.get $settled))
        (then
          (if (i64.ne (global.get $type) (i64.const 0))
            (then
              (call $put_padded
                (i32.sub (global.get $o) (i32.sub (global.get $p) (global.get $type_at)))
                (global.get $type_at) (global.get $type_to)
                (i64.extend_i32_u (call $moved_in_unit (global.get $type))) (i32.const 0))))))
      (local.set $address
        (select (i32.sub (global.get $o) (global.get $address_size)) (i32.const 0)
          (i32.eq (local.get $operation) (i32.const 0x03))))
      (local.set $count (i32.add (local.get $count) (i32.const 1)))
      (local.set $local
        (i32.and (i32.eq (local.get $count) (i32.const 1)) (i32.eq (local.get $operation) (i32.const 0xED))))
      ;; what it does to the stack
      (block $none (block $piece (block $implicit (block $stack_value (block $register (block $minus (block $plus
      (block $binary (block $unary (block $deref (block $rot (block $swap (block $pick (block $over (block $drop
      (block $dup (block $object (block $push
        (br_table $none $push $object $dup $drop $over $pick $swap $rot $deref $none $unary $binary $plus $minus
                  $register $stack_value $implicit $piece $none
          (local.get $effect)))
      ;; push
      (local.set $tops (i64.shl (local.get $tops) (i64.const 1))) (br $next))
      ;; object
      (local.set $tops (i64.or (i64.shl (local.get $tops) (i64.const 1)) (i64.const 1))) (br $next))
      ;; dup
      (local.set $tops
        (i64.or (i64.shl (local.get $tops) (i64.const 1)) (i64.and (local.get $tops) (i64.const 1))))
      (br $next))
      ;; drop
      (local.set $tops (i64.shr_u (local.get $tops) (i64.const 1))) (br $next))
      ;; over
      (local.set $tops (call $picked (local.get $tops) (i64.const 1))) (br $next))
      ;; pick
      (br_if $lost (i32.gt_u (i32.load8_u offset=1 (local.get $at)) (i32.const 60)))
      (local.set $tops (call $picked (local.get $tops) (i64.load8_u offset=1 (local.get $at)))) (br $next))
      ;; swap
      (local.set $tops
        (i64.or (i64.and (local.get $tops) (i64.const -4))
          (i64.or (i64.shl (i64.and (local.get $tops) (i64.const 1)) (i64.const 1))
                  (i64.and (i64.shr_u (local.get $tops) (i64.const 1)) (i64.const 1)))))
      (br $next))
      ;; rot: the top becomes the third
      (local.set $tops
        (i64.or (i64.and (local.get $tops) (i64.const -8))
          (i64.or (i64.shl (i64.and (local.get $tops) (i64.const 1)) (i64.const 2))
                  (i64.and (i64.shr_u (local.get $tops) (i64.const 1)) (i64.const 3)))))
      (br $next))
      ;; deref
      (local.set $tops (i64.and (local.get $tops) (i64.const -2))) (br $next))
      ;; unary
      (br_if $lost (i64.ne (i64.and (local.get $tops) (i64.const 1)) (i64.const 0))) (br $next))
      ;; binary
      (br_if $lost (i64.ne (i64.and (local.get $tops) (i64.const 3)) (i64.const 0)))
      (local.set $tops (i64.shr_u (local.get $tops) (i64.const 1))) (br $next))
      ;; plus
      (br_if $lost (i64.eq (i64.and (local.get $tops) (i64.const 3)) (i64.const 3)))
      (local.set $tops
        (i64.or (i64.shr_u (local.get $tops) (i64.const 1)) (i64.and (local.get $tops) (i64.const 1))))
      (br $next))
      ;; minus: the distance of two addresses is none
      (br_if $lost (i64.eq (i64.and (local.get $tops) (i64.const 3)) (i64.const 1)))
      (local.set $tops
        (i64.and (i64.shr_u (local.get $tops) (i64.const 1))
          (i64.xor (i64.and (local.get $tops) (i64.const 1)) (i64.const -1))))
      (br $next))
      ;; register
      (local.set $memory (i32.const 0)) (br $next))
      ;; stack_value: that of the code has no base
      (br_if $lost (i64.ne (i64.and (local.get $tops) (i64.const 1)) (i64.const 0)))
      (local.set $memory (i32.const 0)) (br $next))
      ;; implicit
      (local.set $memory (i32.const 0)) (br $next))
      ;; piece
      (local.set $tops (i64.const 0)) (local.set $memory (i32.const 1)) (local.set $count (i32.const 0))
      (local.set $local (i32.const 0)) (br $next))
      (br $next)))
    ;; lost
    (global.set $o (local.get $first)))
  (global.set $p (local.get $p))
  (global.set $e (local.get $e)))

;; With a copy of the item `which` from the top.
(func $picked (param $tops i64) (param $which i64) (result i64)
  (i64.or (i64.shl (local.get $tops) (i64.const 1))
    (i64.and (i64.shr_u (local.get $tops) (local.get $which)) (i64.const 1))))
