;; Lists of ranges and of locations. Spec: DWARF 4 sections 2.6.2 and 2.17.3, DWARF 5 sections 2.6.2, 2.17.3, 7.25 to 7.29.
;;
;; Those of version 4 are patched where they lie when an attribute leads to them, because what they say is relative to
;; its unit. Those of version 5 are noted then, and written anew when all units are read: `lists`.

;; --- one entry's addresses ------------------------------------------------------------------------------------------

(global $from (mut i64) (i64.const 0))
(global $to (mut i64) (i64.const 0))

;; Maps the old range to $from and $to; 0 if nothing of it is left.
(func $map_range (param $start i64) (param $end i64) (param $size i32) (result i32)
  (if (i64.lt_u (local.get $start) (i64.extend_i32_u (global.get $lead))) (then (return (i32.const 0))))
  (if (call $tombstone (local.get $start) (local.get $size)) (then (return (i32.const 0))))
  (if (i64.ge_u (local.get $start) (local.get $end)) (then (return (i32.const 0))))
  (global.set $from (call $place (local.get $start)))
  (global.set $to (call $place (local.get $end)))
  (i64.lt_u (global.get $from) (global.get $to)))

;; Takes `address` as the base of what follows.
(func $set_base (param $address i64) (param $size i32)
  (global.set $base_old (local.get $address))
  (global.set $base_new (i64.const 0))
  (global.set $base_state (i32.const 1))
  (if (call $tombstone (local.get $address) (local.get $size)) (then (return)))
  (if (i64.eqz (local.get $address)) (then (global.set $base_state (i32.const 0)) (return)))
  (global.set $base_new (call $place (local.get $address)))
  (global.set $base_state (i32.shl (i32.eqz (call $live (local.get $address))) (i32.const 1))))

;; --- version 4 ------------------------------------------------------------------------------------------------------

;; The next pair of a list at $p, patched in its copy; 0: it ends the list, 1: it sets the base, 2: it has a range.
(func $pair (param $shift i32) (result i32)
  (local $at i32) (local $low i64) (local $high i64) (local $size i32)
  (call $burn (i32.const 1))
  (local.set $size (global.get $address_size))
  (local.set $at (i32.add (global.get $p) (local.get $shift)))
  (local.set $low (call $address (local.get $size)))
  (local.set $high (call $address (local.get $size)))
  (if (i64.eqz (i64.or (local.get $low) (local.get $high))) (then (return (i32.const 0))))
  (if (i64.eq (local.get $low) (select (i64.const 0xFFFFFFFF) (i64.const -1) (i32.eq (local.get $size) (i32.const 4))))
    (then
      (call $set_base (local.get $high) (local.get $size))
      (if (i32.ne (global.get $base_state) (i32.const 1))
        (then
          (call $put_address (i32.add (local.get $at) (local.get $size)) (global.get $base_new) (local.get $size))))
      (return (i32.const 1))))
  (block $gone
    (br_if $gone (i32.eq (global.get $base_state) (i32.const 1)))
    (br_if $gone (i32.ne (global.get $dead_depth) (i32.const -1)))
    (br_if $gone (call $tombstone (local.get $low) (local.get $size)))
    (br_if $gone
      (i32.eqz (call $map_range (i64.add (global.get $base_old) (local.get $low))
        (i64.add (global.get $base_old) (local.get $high)) (local.get $size))))
    (call $put_address (local.get $at) (i64.sub (global.get $from) (global.get $base_new)) (local.get $size))
    (call $put_address (i32.add (local.get $at) (local.get $size)) (i64.sub (global.get $to) (global.get $base_new))
      (local.get $size))
    (return (i32.const 2)))
  ;; -2 twice, as wasm-ld has it: -1 would set the base, and equal offsets could end the list
  (call $put_address (local.get $at) (i64.const -2) (local.get $size))
  (call $put_address (i32.add (local.get $at) (local.get $size)) (i64.const -2) (local.get $size))
  (i32.const 2))

(func $range_list (param $offset i32)
  (local $p i32) (local $e i32) (local $old i64) (local $new i64) (local $state i32)
  (local.set $p (global.get $p)) (local.set $e (global.get $e))
  (local.set $old (global.get $base_old)) (local.set $new (global.get $base_new))
  (local.set $state (global.get $base_state))
  (if (i32.ge_u (local.get $offset) (global.get $ranges_size)) (then (call $fail (i32.const 8))))
  (global.set $p (i32.add (global.get $ranges) (local.get $offset)))
  (global.set $e (i32.add (global.get $ranges) (global.get $ranges_size)))
  (loop $more
    (br_if $more (call $pair (i32.sub (global.get $ranges_out) (global.get $ranges)))))
  (global.set $p (local.get $p)) (global.set $e (local.get $e))
  (global.set $base_old (local.get $old)) (global.set $base_new (local.get $new))
  (global.set $base_state (local.get $state)))

(func $location_list (param $offset i32)
  (local $p i32) (local $e i32) (local $old i64) (local $new i64) (local $state i32) (local $shift i32)
  (local $kind i32) (local $length i32) (local $start i32)
  (local.set $p (global.get $p)) (local.set $e (global.get $e))
  (local.set $old (global.get $base_old)) (local.set $new (global.get $base_new))
  (local.set $state (global.get $base_state))
  (local.set $shift (i32.sub (global.get $loc_out) (global.get $loc)))
  (if (i32.ge_u (local.get $offset) (global.get $loc_size)) (then (call $fail (i32.const 8))))
  (global.set $p (i32.add (global.get $loc) (local.get $offset)))
  (global.set $e (i32.add (global.get $loc) (global.get $loc_size)))
  (loop $more
    (local.set $kind (call $pair (local.get $shift)))
    (if (i32.eq (local.get $kind) (i32.const 2))
      (then
        (local.set $length (call $u16))
        (local.set $start (global.get $p))
        (call $skip (local.get $length))
        (call $expression (local.get $start) (global.get $p) (i32.add (local.get $start) (local.get $shift)))))
    (br_if $more (local.get $kind)))
  (global.set $p (local.get $p)) (global.set $e (local.get $e))
  (global.set $base_old (local.get $old)) (global.set $base_new (local.get $new))
  (global.set $base_state (local.get $state)))

;; --- version 5: notes, one of 16 bytes for every offset -------------------------------------------------------------
;;
;; flags: 1 a list begins here, 2 something alive has it, 4 `new` is known, 8 it tells values and no places, 16 and 32
;; the state of its base; base: u32; addr: the unit's part of .debug_addr; new: the offset in what is written, and before
;; that is known the old offset of the unit (dwarf_memory.wat).

;; Whether the attribute at hand tells values; whether the list at hand does.
(global $of_values (mut i32) (i32.const 0))

(func $note_list (param $notes i32) (param $size i32) (param $offset i32)
  (local $note i32) (local $flags i32)
  (if (i32.ge_u (local.get $offset) (local.get $size)) (then (call $fail (i32.const 8))))
  (local.set $note (i32.add (local.get $notes) (i32.shl (local.get $offset) (i32.const 4))))
  (local.set $flags (i32.load (local.get $note)))
  (if (i32.and (local.get $flags) (i32.const 1))
    (then
      (if (i32.or (i32.ne (i32.load offset=8 (local.get $note)) (global.get $unit_addr))
            (i32.or (i32.ne (i32.load offset=4 (local.get $note)) (i32.wrap_i64 (global.get $base_old)))
                    (i32.ne (i32.shr_u (local.get $flags) (i32.const 4)) (global.get $base_state))))
        (then (call $fail (i32.const 15))))
      (if (i32.and (global.get $widening)
            (i32.or (i32.ne (i32.load offset=12 (local.get $note)) (global.get $unit_old))
              (i32.ne (i32.and (i32.shr_u (local.get $flags) (i32.const 3)) (i32.const 1)) (global.get $of_values))))
        (then (call $fail (i32.const 15)))))
    (else
      (local.set $flags
        (i32.or (i32.or (i32.const 1) (i32.shl (global.get $of_values) (i32.const 3)))
          (i32.shl (global.get $base_state) (i32.const 4))))
      (i32.store offset=12 (local.get $note) (global.get $unit_old))
      (i32.store offset=4 (local.get $note) (i32.wrap_i64 (global.get $base_old)))
      (i32.store offset=8 (local.get $note) (global.get $unit_addr))))
  (i32.store (local.get $note)
    (i32.or (local.get $flags) (i32.shl (i32.eq (global.get $dead_depth) (i32.const -1)) (i32.const 1)))))

;; A list by its index in the unit's table.
(func $list_index (param $form i32) (param $index i64)
  (local $section i32) (local $size i32) (local $notes i32) (local $table i32) (local $at i64)
  (local.set $section (global.get $rnglists))
  (local.set $size (global.get $rnglists_size))
  (local.set $notes (global.get $rnglists_notes))
  (local.set $table (global.get $unit_rnglists))
  (if (i32.eq (local.get $form) (i32.const 0x22))
    (then
      (local.set $section (global.get $loclists))
      (local.set $size (global.get $loclists_size))
      (local.set $notes (global.get $loclists_notes))
      (local.set $table (global.get $unit_loclists))))
  (if (i32.eq (local.get $table) (i32.const -1)) (then (call $fail (i32.const 8))))
  (if (i64.gt_u (local.get $index) (i64.const 0xFFFFFFFF)) (then (call $fail (i32.const 8))))
  (local.set $at
    (i64.add (i64.extend_i32_u (local.get $table)) (i64.shl (local.get $index) (i64.const 2))))
  (if (i64.gt_u (i64.add (local.get $at) (i64.const 4)) (i64.extend_i32_u (local.get $size)))
    (then (call $fail (i32.const 8))))
  (local.set $at
    (i64.add (i64.extend_i32_u (local.get $table))
      (i64.load32_u (i32.add (local.get $section) (i32.wrap_i64 (local.get $at))))))
  (if (i64.ge_u (local.get $at) (i64.extend_i32_u (local.get $size))) (then (call $fail (i32.const 8))))
  (call $note_list (local.get $notes) (local.get $size) (i32.wrap_i64 (local.get $at))))

;; The four bytes at `out` are to hold the new form of `offset`, plus `base`.
(func $fix (param $out i32) (param $notes i32) (param $offset i32) (param $base i32)
  (local $size i32)
  (local.set $size (global.get $loclists_size))
  (if (i32.eq (local.get $notes) (global.get $rnglists_notes)) (then (local.set $size (global.get $rnglists_size))))
  (if (i32.gt_u (local.get $offset) (local.get $size)) (then (call $fail (i32.const 8))))
  (i32.store (global.get $fixups_end) (local.get $out))
  (i32.store offset=4 (global.get $fixups_end)
    (i32.add (local.get $notes) (i32.shl (local.get $offset) (i32.const 4))))
  (i32.store offset=8 (global.get $fixups_end) (local.get $base))
  (global.set $fixups_end (i32.add (global.get $fixups_end) (i32.const 12))))

(func (export "fix_all")
  (local $at i32) (local $note i32)
  (local.set $at (global.get $fixups))
  (block $done
    (loop $more
      (br_if $done (i32.ge_u (local.get $at) (global.get $fixups_end)))
      (local.set $note (i32.load offset=4 (local.get $at)))
      (if (i32.eqz (i32.and (i32.load (local.get $note)) (i32.const 4))) (then (call $fail (i32.const 8))))
      (i32.store (i32.load (local.get $at))
        (i32.add (i32.load offset=12 (local.get $note)) (i32.load offset=8 (local.get $at))))
      (local.set $at (i32.add (local.get $at) (i32.const 12)))
      (br $more))))

(func $set_new (param $notes i32) (param $offset i32) (param $new i32)
  (local.set $notes (i32.add (local.get $notes) (i32.shl (local.get $offset) (i32.const 4))))
  (i32.store (local.get $notes) (i32.or (i32.load (local.get $notes)) (i32.const 4)))
  (i32.store offset=12 (local.get $notes) (local.get $new)))

;; Writes all tables of .debug_rnglists or (locations: 1) .debug_loclists anew, with the lists that something leads to.
(func (export "lists") (param $section i32) (param $size i32) (param $notes i32) (param $locations i32)
  (local $end i32) (local $start i32) (local $next i32) (local $origin i32) (local $table i32) (local $count i32)
  (local $at i32) (local $note i32) (local $out_start i32) (local $out_table i32) (local $empty i32) (local $offset i32)
  (local.set $origin (global.get $o))
  (local.set $end (i32.add (local.get $section) (local.get $size)))
  (global.set $p (local.get $section))
  (global.set $version (i32.const 5))
  (block $done
    (loop $part
      (br_if $done (i32.ge_u (global.get $p) (local.get $end)))
      (global.set $e (local.get $end))
      (local.set $start (global.get $p))
      (local.set $next (call $unit_length))
      (global.set $e (local.get $next))
      (if (i32.ne (call $u16) (i32.const 5)) (then (call $fail (i32.const 10))))
      (global.set $address_size (call $u8))
      (call $check_address_size (global.get $address_size))
      (if (call $u8) (then (call $fail (i32.const 6))))
      (local.set $count (call $u32))
      (local.set $table (global.get $p))
      (local.set $out_start (global.get $o))
      (call $w_read (local.get $start))
      (local.set $out_table (global.get $o))
      (call $set_new (local.get $notes) (i32.sub (local.get $table) (local.get $section))
        (i32.sub (global.get $o) (local.get $origin)))
      (if (i32.gt_u (local.get $count) (i32.shr_u (i32.sub (global.get $e) (global.get $p)) (i32.const 2)))
        (then (call $fail (i32.const 1))))
      (call $skip (i32.shl (local.get $count) (i32.const 2)))
      (call $w_read (local.get $table))
      ;; the lists
      (local.set $at (global.get $p))
      (loop $list
        (if (i32.lt_u (local.get $at) (local.get $next))
          (then
            (local.set $offset (i32.sub (local.get $at) (local.get $section)))
            (local.set $note (i32.add (local.get $notes) (i32.shl (local.get $offset) (i32.const 4))))
            (if (i32.and (i32.load (local.get $note)) (i32.const 1))
              (then
                (global.set $of_values (i32.and (i32.shr_u (i32.load (local.get $note)) (i32.const 3)) (i32.const 1)))
                (if (global.get $widening) (then (call $take_unit (i32.load offset=12 (local.get $note)))))
                (call $set_new (local.get $notes) (local.get $offset) (i32.sub (global.get $o) (local.get $origin)))
                (global.set $p (local.get $at))
                (global.set $base_old (i64.load32_u offset=4 (local.get $note)))
                (global.set $base_state (i32.shr_u (i32.load (local.get $note)) (i32.const 4)))
                (global.set $base_new (i64.const 0))
                (if (i64.ne (global.get $base_old) (i64.const 0))
                  (then (global.set $base_new (call $place (global.get $base_old)))))
                (global.set $unit_addr (i32.load offset=8 (local.get $note)))
                (call $list (local.get $locations) (i32.and (i32.load (local.get $note)) (i32.const 2)))))
            (local.set $at (i32.add (local.get $at) (i32.const 1)))
            (br $list))))
      ;; the table of offsets; what nothing leads to is an empty list
      (local.set $empty (i32.const 0))
      (local.set $at (local.get $table))
      (loop $entry
        (if (local.get $count)
          (then
            (local.set $offset
              (i32.add (i32.sub (local.get $table) (local.get $section)) (i32.load (local.get $at))))
            (if (i32.gt_u (i32.load (local.get $at)) (local.get $size)) (then (call $fail (i32.const 8))))
            (if (i32.gt_u (local.get $offset) (local.get $size)) (then (call $fail (i32.const 8))))
            (local.set $note (i32.add (local.get $notes) (i32.shl (local.get $offset) (i32.const 4))))
            (if (i32.eq (i32.and (i32.load (local.get $note)) (i32.const 5)) (i32.const 5))
              (then
                (local.set $offset
                  (i32.sub (i32.add (i32.load offset=12 (local.get $note)) (local.get $origin))
                    (local.get $out_table))))
              (else
                (if (i32.eqz (local.get $empty))
                  (then
                    (local.set $empty (global.get $o))
                    (call $w8 (i32.const 0))))
                (local.set $offset (i32.sub (local.get $empty) (local.get $out_table)))))
            (i32.store (i32.add (local.get $out_table) (i32.sub (local.get $at) (local.get $table)))
              (local.get $offset))
            (local.set $at (i32.add (local.get $at) (i32.const 4)))
            (local.set $count (i32.sub (local.get $count) (i32.const 1)))
            (br $entry))))
      (i32.store (local.get $out_start)
        (i32.sub (i32.sub (global.get $o) (local.get $out_start)) (i32.const 4)))
      (global.set $p (local.get $next))
      (br $part))))

;; Kinds of entries have the same numbers in both sections once 5 (default location) is taken out of the one.
(func $list (param $locations i32) (param $alive i32)
  (local $kind i32) (local $index i32) (local $low i64) (local $high i64) (local $size i32)
  (local.set $size (global.get $address_size))
  (loop $entry
    (call $burn (i32.const 2))
    (local.set $kind (call $u8))
    (local.set $index (i32.const -1))
    (if (i32.eqz (local.get $kind)) (then (call $w8 (i32.const 0)) (return)))
    (if (local.get $locations)
      (then
        (if (i32.eq (local.get $kind) (i32.const 5))
          (then
            (if (local.get $alive) (then (call $w8 (i32.const 5))))
            (call $list_expression (local.get $alive))
            (br $entry)))
        (local.set $kind
          (i32.sub (local.get $kind) (i32.gt_u (local.get $kind) (i32.const 5))))))
    (block $range
      (block $start_length (block $start_end (block $base (block $offsets (block $startx_length (block $startx_endx
      (block $basex (block $unknown
        (br_table $unknown $basex $startx_endx $startx_length $offsets $base $start_end $start_length $unknown
          (local.get $kind)))
      (call $fail (i32.const 16)))
      ;; basex
      (local.set $index (call $uleb32))
      (call $use_index (local.get $index))
      (call $set_list_base (call $address_at (call $entry_of (i64.extend_i32_u (local.get $index)))))
      (if (i32.and (i32.eqz (global.get $base_state)) (i32.ne (local.get $alive) (i32.const 0)))
        (then
          (call $w8 (i32.const 1))
          (call $w_uleb (i64.extend_i32_u (local.get $index)))))
      (br $entry))
      ;; startx_endx
      (local.set $index (call $uleb32))
      (local.set $low (call $address_at (call $entry_of (i64.extend_i32_u (local.get $index)))))
      (local.set $high (call $address_at (call $entry_of (call $uleb))))
      (call $use_index (local.get $index))
      (br $range))
      ;; startx_length
      (local.set $index (call $uleb32))
      (local.set $low (call $address_at (call $entry_of (i64.extend_i32_u (local.get $index)))))
      (local.set $high (i64.add (local.get $low) (call $uleb)))
      (call $use_index (local.get $index))
      (br $range))
      ;; offsets from the base
      (local.set $low (i64.add (global.get $base_old) (call $uleb)))
      (local.set $high (i64.add (global.get $base_old) (call $uleb)))
      (local.set $index (i32.const -2))
      (br $range))
      ;; base
      (call $set_list_base (call $address (local.get $size)))
      (if (i32.and (i32.eqz (global.get $base_state)) (i32.ne (local.get $alive) (i32.const 0)))
        (then
          (call $w8 (i32.add (i32.const 5) (local.get $locations)))
          (call $w_address (global.get $base_new) (local.get $size))))
      (br $entry))
      ;; start_end
      (local.set $low (call $address (local.get $size)))
      (local.set $high (call $address (local.get $size)))
      (br $range))
      ;; start_length
      (local.set $low (call $address (local.get $size)))
      (local.set $high (i64.add (local.get $low) (call $uleb))))
    ;; the range, in the form that is nearest to the old one
    (block $gone
      (br_if $gone (i32.eqz (local.get $alive)))
      (br_if $gone
        (i32.and (i32.eq (local.get $index) (i32.const -2)) (i32.eq (global.get $base_state) (i32.const 1))))
      (br_if $gone (i32.eqz (call $map_range (local.get $low) (local.get $high) (local.get $size))))
      (block $written
        (if (i32.and (i32.eq (local.get $index) (i32.const -2)) (i32.eqz (global.get $base_state)))
          (then
            (call $w8 (i32.const 4))
            (call $w_uleb (i64.sub (global.get $from) (global.get $base_new)))
            (call $w_uleb (i64.sub (global.get $to) (global.get $base_new)))
            (br $written)))
        (if (i32.and (i32.lt_u (local.get $index) (i32.const -2)) (call $live (local.get $low)))
          (then
            (call $w8 (i32.const 3))
            (call $w_uleb (i64.extend_i32_u (local.get $index))))
          (else
            (call $w8 (i32.add (i32.const 7) (local.get $locations)))
            (call $w_address (global.get $from) (local.get $size))))
        (call $w_uleb (i64.sub (global.get $to) (global.get $from))))
      (if (local.get $locations) (then (call $list_expression (i32.const 1))))
      (br $entry))
    (if (local.get $locations) (then (call $list_expression (i32.const 0))))
    (br $entry)))

;; The base of what follows in a list of version 5, where 0 is as dead as a tombstone.
(func $set_list_base (param $address i64)
  (call $set_base (local.get $address) (global.get $address_size))
  (if (i64.eqz (local.get $address)) (then (global.set $base_state (i32.const 1)))))

(func $use_index (param $index i32)
  (call $mark (call $entry_of (i64.extend_i32_u (local.get $index))) (i32.const 1)))

;; The expression behind an entry of a list of locations, written too if `keep` is set.
(func $list_expression (param $keep i32)
  (local $length i32) (local $start i32) (local $out i32)
  (local.set $length (call $uleb32))
  (local.set $start (global.get $p))
  (call $skip (local.get $length))
  (if (i32.and (local.get $keep) (global.get $widening))
    (then
      (local.set $length (call $apart (local.get $start) (global.get $p) (i32.eqz (global.get $of_values))))
      (call $w_uleb (i64.extend_i32_u (local.get $length)))
      (local.set $out (global.get $o))
      (call $join (local.get $length))
      (call $expression (local.get $out) (global.get $o) (local.get $out))
      (return)))
  (if (local.get $keep)
    (then
      (call $w_uleb (i64.extend_i32_u (local.get $length)))
      (local.set $out (global.get $o))
      (call $w_read (local.get $start))
      (call $expression (local.get $start) (global.get $p) (local.get $out)))))
