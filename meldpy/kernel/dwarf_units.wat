;; Units of .debug_info and .debug_types: every entry's attributes patched where they lie. Spec: DWARF 5 section 7.5.
;;
;; Whether an entry's code is still there is known only when all its attributes are read (the length may come before
;; the address), so those two wait for `settle`. What lies below an entry whose code was left out is dead, whatever its
;; own numbers say: some linkers leave 0 in the place of an address.

(global $version (mut i32) (i32.const 0))
(global $address_size (mut i32) (i32.const 4))
;; From a byte of the section to the same byte of its copy.
(global $shift (mut i32) (i32.const 0))
;; The unit's base address, old and new, and what can be said relative to it: 0 everything (it is 0, or lives),
;; 1 nothing (a tombstone), 2 only by absolute addresses (it was left out).
(global $base_old (mut i64) (i64.const 0))
(global $base_new (mut i64) (i64.const 0))
(global $base_state (mut i32) (i32.const 0))
;; The unit's parts of other sections; -1: it has none.
(global $unit_addr (mut i32) (i32.const -1))
(global $unit_rnglists (mut i32) (i32.const -1))
(global $unit_loclists (mut i32) (i32.const -1))
;; Depth of the entry being read, and of the outermost dead one around it (-1: none).
(global $depth (mut i32) (i32.const 0))
(global $dead_depth (mut i32) (i32.const -1))
;; What waits for `settle`. low_form: 0 none, else its form; low_at: where it lies, or the index. The two lengths, which
;; may be addresses: form 0 none.
(global $low_form (mut i32) (i32.const 0))
(global $low_at (mut i32) (i32.const 0))
(global $low (mut i64) (i64.const 0))
(global $high_form (mut i32) (i32.const 0))
(global $high_at (mut i32) (i32.const 0))
(global $high_to (mut i32) (i32.const 0))
(global $high (mut i64) (i64.const 0))
(global $entry_form (mut i32) (i32.const 0))
(global $entry_at (mut i32) (i32.const 0))
(global $entry_to (mut i32) (i32.const 0))
(global $entry_offset (mut i64) (i64.const 0))
;; The highest code of the abbreviations that are loaded, and their offset (-1: none are).
(global $codes (mut i32) (i32.const 0))
(global $loaded (export "loaded") (mut i32) (i32.const -1))

;; All units of a section of `size` bytes at `at`, copied to `out`. types: it is .debug_types.
(func (export "units") (param $at i32) (param $size i32) (param $out i32) (param $types i32)
  (local $end i32) (local $next i32) (local $first i32) (local $old_units i32)
  (local.set $old_units (global.get $old_units))
  (local.set $end (i32.add (local.get $at) (local.get $size)))
  (global.set $shift (i32.sub (local.get $out) (local.get $at)))
  (global.set $p (local.get $at))
  (block $done
    (loop $unit
      (br_if $done (i32.ge_u (global.get $p) (local.get $end)))
      (call $open_unit (local.get $end) (local.get $types)) (drop) (local.set $next)
      (local.set $first (global.get $p))
      (if (i32.and (global.get $widening) (i32.eqz (local.get $types)))
        (then
          (global.set $unit_old (i32.load (local.get $old_units)))
          (local.set $old_units (i32.add (local.get $old_units) (i32.const 4)))))
      (global.set $depth (i32.const 0))
      (global.set $dead_depth (i32.const -1))
      (call $find_bases)
      (global.set $p (local.get $first))
      (loop $entry
        (if (i32.lt_u (global.get $p) (local.get $next))
          (then
            (call $die)
            (br $entry))))
      (br $unit))))

;; Reads the head of the unit at $p; its end, and whether it is one of a type. Its abbreviations are loaded, and $p is at
;; its first entry.
(func $open_unit (param $end i32) (param $types i32) (result i32 i32)
  (local $next i32) (local $type i32) (local $abbrev i32) (local $first i32)
  (global.set $e (local.get $end))
  (local.set $next (call $unit_length))
  (global.set $e (local.get $next))
  (global.set $version (call $u16))
  (if (i32.gt_u (i32.sub (global.get $version) (i32.const 2)) (i32.const 3)) (then (call $fail (i32.const 10))))
  (local.set $type (local.get $types))
  (if (i32.eq (global.get $version) (i32.const 5))
    (then
      ;; 1 compile, 2 type, 3 partial; 4 to 6 are split
      (local.set $type (call $u8))
      (if (i32.eqz (local.get $type)) (then (call $fail (i32.const 10))))
      (if (i32.gt_u (local.get $type) (i32.const 6)) (then (call $fail (i32.const 10))))
      (if (i32.gt_u (local.get $type) (i32.const 3)) (then (call $fail (i32.const 11))))
      (local.set $type (i32.eq (local.get $type) (i32.const 2)))
      (global.set $address_size (call $u8))
      (local.set $abbrev (call $abbreviations_offset)))
    (else
      (local.set $abbrev (call $abbreviations_offset))
      (global.set $address_size (call $u8))))
  (call $check_address_size (global.get $address_size))
  (if (local.get $type) (then (call $skip (i32.const 12))))
  (local.set $first (global.get $p))
  (call $load_abbreviations (local.get $abbrev))
  (global.set $p (local.get $first))
  (global.set $e (local.get $next))
  (local.get $next) (local.get $type))

(func $abbreviations_offset (result i32)
  (local $offset i32)
  (local.set $offset (call $u32))
  (i32.store (i32.add (i32.sub (global.get $p) (i32.const 4)) (global.get $shift))
    (i32.add (local.get $offset) (global.get $abbrev_base)))
  (local.get $offset))

;; --- abbreviations: a record for each, of a head and eight-byte-aligned attributes of 16 bytes (form, role, constant) --

(func $load_abbreviations (param $offset i32)
  (local $to i32) (local $code i32) (local $head i32) (local $attribute i32) (local $form i32)
  (if (i32.eq (local.get $offset) (global.get $loaded)) (then (return)))
  (if (i32.ge_u (local.get $offset) (global.get $abbrev_size)) (then (call $fail (i32.const 8))))
  (call $burn (i32.shr_u (global.get $codes) (i32.const 4)))
  (memory.fill (i32.const 0x300) (i32.const 0) (i32.shl (i32.add (global.get $codes) (i32.const 1)) (i32.const 2)))
  (global.set $codes (i32.const 0))
  (global.set $loaded (local.get $offset))
  (global.set $p (i32.add (global.get $abbrev) (local.get $offset)))
  (global.set $e (i32.add (global.get $abbrev) (global.get $abbrev_size)))
  (local.set $to (global.get $records))
  (block $done
    (loop $more
      (local.set $code (call $uleb32))
      (br_if $done (i32.eqz (local.get $code)))
      (call $burn (i32.const 8))
      (if (i32.ge_u (local.get $code) (i32.const 65536)) (then (call $fail (i32.const 12))))
      (if (i32.gt_u (local.get $code) (global.get $codes)) (then (global.set $codes (local.get $code))))
      (drop (call $uleb))  ;; the tag
      (local.set $head (local.get $to))
      (i32.store (local.get $head) (call $u8))
      (local.set $to (i32.add (local.get $to) (i32.const 8)))
      (loop $attributes
        (local.set $attribute (call $uleb32))
        (local.set $form (call $uleb32))
        (call $burn (i32.const 2))
        (if (i32.or (local.get $attribute) (local.get $form))
          (then
            (if (i32.gt_u (local.get $form) (i32.const 0x2C)) (then (call $fail (i32.const 13))))
            (i32.store (local.get $to) (local.get $form))
            (i32.store offset=4 (local.get $to) (call $role (local.get $attribute)))
            (if (i32.eq (local.get $form) (i32.const 0x21))
              (then (i64.store offset=8 (local.get $to) (call $sleb))))
            (local.set $to (i32.add (local.get $to) (i32.const 16)))
            (br $attributes))))
      (i32.store offset=4 (local.get $head)
        (i32.shr_u (i32.sub (i32.sub (local.get $to) (local.get $head)) (i32.const 8)) (i32.const 4)))
      (i32.store offset=0x300 (i32.shl (local.get $code) (i32.const 2)) (local.get $head))
      (br $more))))

(func $role (param $attribute i32) (result i32)
  (if (i32.lt_u (local.get $attribute) (i32.const 0x100)) (then (return (i32.load8_u (local.get $attribute)))))
  (if (i32.eq (i32.shr_u (local.get $attribute) (i32.const 8)) (i32.const 0x21))
    (then (return (i32.load8_u offset=0x100 (i32.and (local.get $attribute) (i32.const 0xFF))))))
  (i32.const 0))

;; The record of an entry's abbreviation; 0 for the entry that ends a list of children.
(func $record (result i32)
  (local $code i32)
  (call $burn (i32.const 1))
  (local.set $code (call $uleb32))
  (if (i32.eqz (local.get $code)) (then (return (i32.const 0))))
  (if (i32.gt_u (local.get $code) (global.get $codes)) (then (call $fail (i32.const 12))))
  (local.set $code (i32.load offset=0x300 (i32.shl (local.get $code) (i32.const 2))))
  (if (i32.eqz (local.get $code)) (then (call $fail (i32.const 12))))
  (local.get $code))

;; --- entries --------------------------------------------------------------------------------------------------------

(func $die
  (local $record i32) (local $count i32) (local $attribute i32)
  (local.set $record (call $record))
  (if (i32.eqz (local.get $record))
    (then
      (if (global.get $depth) (then (global.set $depth (i32.sub (global.get $depth) (i32.const 1)))))
      (if (i32.le_s (global.get $depth) (global.get $dead_depth)) (then (global.set $dead_depth (i32.const -1))))
      (return)))
  (global.set $low_form (i32.const 0))
  (global.set $high_form (i32.const 0))
  (global.set $entry_form (i32.const 0))
  (local.set $count (i32.load offset=4 (local.get $record)))
  (call $burn (local.get $count))
  (local.set $attribute (i32.add (local.get $record) (i32.const 8)))
  (loop $more
    (if (local.get $count)
      (then
        (call $attribute
          (i32.load (local.get $attribute)) (i32.load offset=4 (local.get $attribute))
          (i64.load offset=8 (local.get $attribute)))
        (local.set $attribute (i32.add (local.get $attribute) (i32.const 16)))
        (local.set $count (i32.sub (local.get $count) (i32.const 1)))
        (br $more))))
  (if (global.get $low_form) (then (call $settle (i32.load (local.get $record)))))
  (if (i32.load (local.get $record)) (then (global.set $depth (i32.add (global.get $depth) (i32.const 1))))))

;; One attribute's value: read past it, and what can be known of it alone is patched.
(func $attribute (param $form i32) (param $role i32) (param $constant i64)
  (local $at i32) (local $value i64)
  (if (i32.eq (local.get $form) (i32.const 0x16)) (then (local.set $form (call $direct_form))))
  (local.set $at (global.get $p))
  (local.set $value (call $value (local.get $form)))
  (global.set $of_values (i32.or (i32.eqz (local.get $role)) (i32.eq (local.get $role) (i32.const 14))))
  (block $other
  (block $index_list (block $index (block $section (block $expression (block $reference (block $line_string
  (block $string (block $block (block $constant_ (block $implicit (block $address
    (br_table
      ;;    1        2      3      4      5          6          7          8      9      A      B
      $other $address $other $block $block $constant_ $constant_ $constant_ $other $block $block $constant_
      ;; C     D          E       F          10         11     12     13     14     15     16     17       18
      $other $constant_ $string $constant_ $reference $other $other $other $other $other $other $section $expression
      ;; 19    1A     1B     1C     1D     1E     1F           20     21        22          23
      $other $other $index $other $other $other $line_string $other $implicit $index_list $index_list
      ;; 24    25     26     27     28     29     2A     2B     2C
      $other $other $other $other $other $index $index $index $index $other
      (local.get $form)))
  ;; address: of code
  (call $code_address (local.get $role) (local.get $at) (local.get $value))
  (return))
  ;; implicit: the constant lies in the abbreviation
  (local.set $value (local.get $constant)))
  ;; constant: a length from the entry's address, an offset in another section (before version 4), or the address itself
  (if (i32.and (i32.eq (local.get $role) (i32.const 1)) (call $holds_address (local.get $form)))
    (then
      (global.set $low_form (local.get $form)) (global.set $low_at (local.get $at)) (global.set $low (local.get $value))
      (return)))
  (if (i32.eq (local.get $role) (i32.const 2))
    (then
      (global.set $high_form (local.get $form)) (global.set $high_at (local.get $at))
      (global.set $high_to (global.get $p)) (global.set $high (local.get $value))
      (return)))
  (if (i32.eq (local.get $role) (i32.const 3))
    (then
      (global.set $entry_form (local.get $form)) (global.set $entry_at (local.get $at))
      (global.set $entry_to (global.get $p)) (global.set $entry_offset (local.get $value))
      (return)))
  (if (i32.and (i32.lt_u (global.get $version) (i32.const 4))
        (i32.and
          (i32.or (i32.lt_u (i32.sub (local.get $role) (i32.const 4)) (i32.const 8))
                  (i32.eq (local.get $role) (i32.const 14)))
          (i32.or (i32.eq (local.get $form) (i32.const 6)) (i32.eq (local.get $form) (i32.const 7)))))
    (then
      (if (i32.eq (local.get $form) (i32.const 7)) (then (call $fail (i32.const 5))))
      (call $section_offset (local.get $role) (local.get $at) (i32.wrap_i64 (local.get $value)))))
  (return))
  ;; block: before version 4 it holds the expressions, too
  (if (i32.and (i32.lt_u (global.get $version) (i32.const 4))
        (i32.or (i32.eq (local.get $role) (i32.const 6)) (i32.lt_u (i32.sub (local.get $role) (i32.const 13)) (i32.const 2))))
    (then (call $expression_before (local.get $value))))
  (return))
  ;; string
  (i32.store (i32.add (local.get $at) (global.get $shift)) (call $new_str (i32.wrap_i64 (local.get $value))))
  (return))
  ;; string of line tables
  (i32.store (i32.add (local.get $at) (global.get $shift)) (call $new_line_str (i32.wrap_i64 (local.get $value))))
  (return))
  ;; reference from the start of .debug_info
  (global.set $p (local.get $at))
  (call $move_reference (i32.add (local.get $at) (global.get $shift)))
  (return))
  (call $expression_before (local.get $value))
  (return))
  (call $section_offset (local.get $role) (local.get $at) (i32.wrap_i64 (local.get $value)))
  (return))
  ;; index into .debug_addr
  (call $address_index (local.get $role) (local.get $form) (local.get $value))
  (return))
  ;; index of a list
  (call $list_index (local.get $form) (local.get $value)))
  )

;; Whether a constant is as wide as an address. Where one stands for an address (wasm-tools writes units so), nobody
;; relocates it: a 0 is the start of the code, and does not say that a linker has left something out.
(func $holds_address (param $form i32) (result i32)
  (i32.eq
    (local.get $form)
    (select (i32.const 0x06) (i32.const 0x07) (i32.eq (global.get $address_size) (i32.const 4)))))

(func $direct_form (result i32)
  (local $form i32)
  (local.set $form (call $uleb32))
  (if (i32.or (i32.gt_u (local.get $form) (i32.const 0x2C))
        (i32.or (i32.eq (local.get $form) (i32.const 0x16)) (i32.eq (local.get $form) (i32.const 0x21))))
    (then (call $fail (i32.const 13))))
  (local.get $form))

;; The value behind a form, whose bytes are read; of a block, its length.
(func $value (param $form i32) (result i64)
  (local $length i32)
  (block $refused
  (block $block_leb (block $block4 (block $block2 (block $block1 (block $text (block $none (block $sixteen
  (block $sleb (block $uleb (block $eight (block $four (block $three (block $two (block $one (block $reference
  (block $address
    (br_table
      ;;    1        2       3       4       5    6     7      8     9          A       B
      $refused $address $refused $block2 $block4 $two $four $eight $text $block_leb $block1 $one
      ;; C   D    E     F     10         11   12   13    14     15    16       17    18
      $one $sleb $four $uleb $reference $one $two $four $eight $uleb $refused $four $block_leb
      ;; 19   1A    1B    1C       1D       1E       1F    20     21    22    23
      $none $uleb $uleb $refused $refused $sixteen $four $eight $none $uleb $uleb
      ;; 24      25   26   27     28    29   2A   2B     2C
      $refused $one $two $three $four $one $two $three $four $refused
      (local.get $form)))
  (return (call $address (global.get $address_size))))
  ;; in version 2 a reference has the size of an address
  (if (i32.eq (global.get $version) (i32.const 2)) (then (return (call $address (global.get $address_size)))))
  (return (i64.extend_i32_u (call $u32))))
  (return (i64.extend_i32_u (call $u8))))
  (return (i64.extend_i32_u (call $u16))))
  (return (i64.extend_i32_u (i32.or (call $u16) (i32.shl (call $u8) (i32.const 16))))))
  (return (i64.extend_i32_u (call $u32))))
  (return (call $u64)))
  (return (call $uleb)))
  (return (call $sleb)))
  (call $skip (i32.const 16))
  (return (i64.const 0)))
  (return (i64.const 0)))
  (loop $more (br_if $more (call $u8)))
  (return (i64.const 0)))
  (local.set $length (call $u8))
  (call $skip (local.get $length))
  (return (i64.extend_i32_u (local.get $length))))
  (local.set $length (call $u16))
  (call $skip (local.get $length))
  (return (i64.extend_i32_u (local.get $length))))
  (local.set $length (call $u32))
  (call $skip (local.get $length))
  (return (i64.extend_i32_u (local.get $length))))
  (local.set $length (call $uleb32))
  (call $skip (local.get $length))
  (return (i64.extend_i32_u (local.get $length))))
  (call $fail (i32.const 13))
  (unreachable))

(func $expression_before (param $length i64)
  (local $start i32)
  (local.set $start (i32.sub (global.get $p) (i32.wrap_i64 (local.get $length))))
  (call $expression (local.get $start) (global.get $p) (i32.add (local.get $start) (global.get $shift))))

;; --- addresses ------------------------------------------------------------------------------------------------------

(func $code_address (param $role i32) (param $at i32) (param $value i64)
  (if (i32.eq (local.get $role) (i32.const 1))
    (then
      (global.set $low_form (i32.const 1)) (global.set $low_at (local.get $at)) (global.set $low (local.get $value))
      (return)))
  (if (i32.eq (local.get $role) (i32.const 2))
    (then
      (global.set $high_form (i32.const 1)) (global.set $high_at (local.get $at)) (global.set $high (local.get $value))
      (return)))
  (call $put_address (i32.add (local.get $at) (global.get $shift))
    (call $start (local.get $value) (global.get $address_size)) (global.get $address_size)))

(func $address_index (param $role i32) (param $form i32) (param $index i64)
  (local $at i32)
  (local.set $at (call $entry_of (local.get $index)))
  (if (i32.eq (local.get $role) (i32.const 1))
    (then
      (global.set $low_form (i32.const 0x1B)) (global.set $low_at (local.get $at))
      (global.set $low (call $address_at (local.get $at)))
      (return)))
  (if (i32.eq (local.get $role) (i32.const 2))
    (then
      (global.set $high_form (i32.const 0x1B)) (global.set $high_at (local.get $at))
      (global.set $high (call $address_at (local.get $at)))
      (return)))
  (call $mark (local.get $at) (i32.const 1)))

;; Offset in .debug_addr of the unit's entry `index`.
(func $entry_of (param $index i64) (result i32)
  (local $at i64)
  (if (i32.eq (global.get $unit_addr) (i32.const -1)) (then (call $fail (i32.const 8))))
  (if (i64.gt_u (local.get $index) (i64.const 0xFFFFFFFF)) (then (call $fail (i32.const 8))))
  (local.set $at
    (i64.add (i64.extend_i32_u (global.get $unit_addr))
      (i64.mul (local.get $index) (i64.extend_i32_u (global.get $address_size)))))
  (if (i64.gt_u (i64.add (local.get $at) (i64.extend_i32_u (global.get $address_size)))
        (i64.extend_i32_u (global.get $addr_size)))
    (then (call $fail (i32.const 8))))
  (i32.wrap_i64 (local.get $at)))

(func $address_at (param $entry i32) (result i64)
  (local.set $entry (i32.add (global.get $addr) (local.get $entry)))
  (if (result i64) (i32.eq (global.get $address_size) (i32.const 4))
    (then (i64.load32_u (local.get $entry)))
    (else (i64.load (local.get $entry)))))

;; Says what an entry of .debug_addr is used for: 1 code that starts there, 2 dead code at 0, 3 any address of code.
;; The highest counts. Entries that nobody marks hold addresses in memory.
(func $mark (param $entry i32) (param $use i32)
  (local.set $entry (i32.add (global.get $addr_marks) (local.get $entry)))
  (if (i32.gt_u (local.get $use) (i32.and (i32.load8_u (local.get $entry)) (i32.const 3)))
    (then (i32.store8 (local.get $entry) (i32.or (local.get $use) (i32.shl (global.get $address_size) (i32.const 2)))))))

;; The entry's address and lengths, now that both are known. Spec: DWARF 5 section 2.17.
(func $settle (param $children i32)
  (local $end i64) (local $new i64) (local $size i64)
  (local.set $end (global.get $low))
  (if (global.get $high_form)
    (then
      (local.set $end (global.get $high))
      (if (i32.and (i32.ne (global.get $high_form) (i32.const 1)) (i32.ne (global.get $high_form) (i32.const 0x1B)))
        (then (local.set $end (i64.add (local.get $end) (global.get $low)))))))
  (block $dead
    (block $nowhere
      (br_if $nowhere (call $tombstone (global.get $low) (global.get $address_size)))
      (if (i32.and (i64.eqz (global.get $low)) (i32.eqz (call $holds_address (global.get $low_form))))
        (then
          ;; a unit of several ranges says 0; anything else at 0 is dead code, and would lie upon live code
          (if (i32.eqz (i32.or (global.get $high_form) (global.get $depth))) (then (return)))
          (br $dead)))
      (local.set $new (call $place (global.get $low)))
      (local.set $size (i64.sub (call $place (local.get $end)) (local.get $new)))
      (if (i64.lt_s (local.get $size) (i64.const 0)) (then (local.set $size (i64.const 0))))
      (br_if $dead (i32.eqz (i32.or (call $live (global.get $low)) (i64.ne (local.get $size) (i64.const 0)))))
      ;; alive: if its first part was left out, it starts where that was
      (if (i32.ne (global.get $low_form) (i32.const 0x1B))
        (then
          (call $put_address (i32.add (global.get $low_at) (global.get $shift)) (local.get $new)
            (global.get $address_size)))
        (else
          (call $mark (global.get $low_at)
            (select (i32.const 1) (i32.const 3) (call $live (global.get $low))))))
      (if (global.get $high_form)
        (then
          (if (i32.eq (global.get $high_form) (i32.const 1))
            (then
              (call $put_address (i32.add (global.get $high_at) (global.get $shift))
                (i64.add (local.get $new) (local.get $size)) (global.get $address_size)))
            (else
              (if (i32.eq (global.get $high_form) (i32.const 0x1B))
                (then (call $mark (global.get $high_at) (i32.const 3)))
                (else
                  (call $put_constant (global.get $high_form) (global.get $high_at) (global.get $high_to)
                    (global.get $high) (local.get $size))))))))
      (if (global.get $entry_form)
        (then
          (call $put_constant (global.get $entry_form) (global.get $entry_at) (global.get $entry_to)
            (global.get $entry_offset)
            (i64.sub (call $place (i64.add (global.get $low) (global.get $entry_offset))) (local.get $new)))))
      (return))
    ;; nowhere: a tombstone stays one
    (call $bury (local.get $children))
    (return))
  (if (i32.ne (global.get $low_form) (i32.const 0x1B))
    (then
      (call $put_address (i32.add (global.get $low_at) (global.get $shift)) (i64.const -1) (global.get $address_size)))
    (else (call $mark (global.get $low_at) (i32.add (i32.const 1) (i64.eqz (global.get $low))))))
  (if (i32.eq (global.get $high_form) (i32.const 1))
    (then
      (call $put_address (i32.add (global.get $high_at) (global.get $shift)) (i64.const -1)
        (global.get $address_size))))
  (call $bury (local.get $children)))

(func $bury (param $children i32)
  (if (i32.and (local.get $children) (i32.eq (global.get $dead_depth) (i32.const -1)))
    (then (global.set $dead_depth (global.get $depth)))))

;; A constant in the place of another one, in the same form.
(func $put_constant (param $form i32) (param $at i32) (param $to i32) (param $old i64) (param $new i64)
  (local $from i32)
  (local.set $from (local.get $at))
  (local.set $at (i32.add (local.get $at) (global.get $shift)))
  (if (i64.eq (local.get $old) (local.get $new)) (then (return)))
  (if (i32.eq (local.get $form) (i32.const 0x06))
    (then (i64.store32 (local.get $at) (local.get $new)) (return)))
  (if (i32.eq (local.get $form) (i32.const 0x07))
    (then (i64.store (local.get $at) (local.get $new)) (return)))
  (if (i32.eq (local.get $form) (i32.const 0x0F))
    (then (call $put_padded (local.get $at) (local.get $from) (local.get $to) (local.get $new) (i32.const 0)) (return)))
  (if (i32.eq (local.get $form) (i32.const 0x0D))
    (then (call $put_padded (local.get $at) (local.get $from) (local.get $to) (local.get $new) (i32.const 1)) (return)))
  (if (i32.and (i32.eq (local.get $form) (i32.const 0x05)) (i64.lt_u (local.get $new) (i64.const 0x10000)))
    (then (i64.store16 (local.get $at) (local.get $new)) (return)))
  (if (i32.and (i32.eq (local.get $form) (i32.const 0x0B)) (i64.lt_u (local.get $new) (i64.const 0x100)))
    (then (i64.store8 (local.get $at) (local.get $new)) (return)))
  ;; it does not fit, or lies in an abbreviation that others share
  (call $fail (i32.const 7)))

;; --- offsets in other sections --------------------------------------------------------------------------------------

(func $section_offset (param $role i32) (param $at i32) (param $offset i32)
  (local $new i32) (local $out i32)
  (local.set $out (i32.add (local.get $at) (global.get $shift)))
  (block $known
  (block $loclists (block $rnglists (block $addr (block $str_offsets (block $location (block $ranges (block $line
  (block $unknown
    (br_table $unknown $unknown $unknown $unknown $line $ranges $location $str_offsets $addr $rnglists $loclists
      $unknown $unknown $unknown $location $unknown (local.get $role)))
  (call $fail (i32.const 14)))
  ;; line
  (if (i32.ge_u (local.get $offset) (global.get $line_size)) (then (call $fail (i32.const 8))))
  (local.set $new (i32.load (i32.add (global.get $line_new) (i32.shl (local.get $offset) (i32.const 2)))))
  (if (i32.eq (local.get $new) (i32.const -1)) (then (call $fail (i32.const 8))))
  (i32.store (local.get $out) (i32.add (local.get $new) (global.get $line_base)))
  (return))
  ;; ranges
  (if (i32.eq (global.get $version) (i32.const 5))
    (then
      (call $note_list (global.get $rnglists_notes) (global.get $rnglists_size) (local.get $offset))
      (call $fix (local.get $out) (global.get $rnglists_notes) (local.get $offset) (global.get $rnglists_base)))
    (else
      (call $range_list (local.get $offset))
      (i32.store (local.get $out) (i32.add (local.get $offset) (global.get $ranges_base)))))
  (return))
  ;; location
  (if (i32.eq (global.get $version) (i32.const 5))
    (then
      (call $note_list (global.get $loclists_notes) (global.get $loclists_size) (local.get $offset))
      (call $fix (local.get $out) (global.get $loclists_notes) (local.get $offset) (global.get $loclists_base)))
    (else
      (call $location_list (local.get $offset))
      (i32.store (local.get $out) (i32.add (local.get $offset) (global.get $loc_base)))))
  (return))
  (i32.store (local.get $out) (i32.add (local.get $offset) (global.get $str_offsets_base)))
  (return))
  (i32.store (local.get $out) (i32.add (local.get $offset) (global.get $addr_base)))
  (return))
  (call $fix (local.get $out) (global.get $rnglists_notes) (local.get $offset) (global.get $rnglists_base))
  (return))
  (call $fix (local.get $out) (global.get $loclists_notes) (local.get $offset) (global.get $loclists_base))))

;; The unit's entry alone, for what its other entries are relative to. Nothing is patched.
(func $find_bases
  (local $record i32) (local $count i32) (local $attribute i32) (local $form i32) (local $role i32)
  (local $value i64) (local $low_form i32) (local $low i64) (local $end i64) (local $high_form i32)
  (global.set $base_old (i64.const 0))
  (global.set $base_new (i64.const 0))
  (global.set $base_state (i32.const 0))
  (global.set $unit_addr (i32.const -1))
  (global.set $unit_rnglists (i32.const -1))
  (global.set $unit_loclists (i32.const -1))
  (if (i32.ge_u (global.get $p) (global.get $e)) (then (return)))
  (local.set $record (call $record))
  (if (i32.eqz (local.get $record)) (then (return)))
  (local.set $count (i32.load offset=4 (local.get $record)))
  (call $burn (local.get $count))
  (local.set $attribute (i32.add (local.get $record) (i32.const 8)))
  (loop $more
    (if (local.get $count)
      (then
        (local.set $form (i32.load (local.get $attribute)))
        (local.set $role (i32.load offset=4 (local.get $attribute)))
        (if (i32.eq (local.get $form) (i32.const 0x16)) (then (local.set $form (call $direct_form))))
        (local.set $value (call $value (local.get $form)))
        (if (i32.eq (local.get $form) (i32.const 0x21))
          (then (local.set $value (i64.load offset=8 (local.get $attribute)))))
        (if (i32.eq (local.get $role) (i32.const 1))
          (then (local.set $low_form (local.get $form)) (local.set $low (local.get $value))))
        (if (i32.eq (local.get $role) (i32.const 2))
          (then (local.set $high_form (local.get $form)) (local.set $end (local.get $value))))
        (if (i32.eq (local.get $form) (i32.const 0x17))
          (then
            (if (i32.eq (local.get $role) (i32.const 8))
              (then (global.set $unit_addr (i32.wrap_i64 (local.get $value)))))
            (if (i32.eq (local.get $role) (i32.const 9))
              (then (global.set $unit_rnglists (i32.wrap_i64 (local.get $value)))))
            (if (i32.eq (local.get $role) (i32.const 10))
              (then (global.set $unit_loclists (i32.wrap_i64 (local.get $value)))))))
        ;; what only a skeleton has
        (if (i32.eq (local.get $role) (i32.const 12)) (then (call $fail (i32.const 11))))
        (local.set $attribute (i32.add (local.get $attribute) (i32.const 16)))
        (local.set $count (i32.sub (local.get $count) (i32.const 1)))
        (br $more))))
  (if (i32.eqz (local.get $low_form)) (then (return)))
  (if (i32.eqz (i32.or (i32.eq (local.get $low_form) (i32.const 1)) (call $holds_address (local.get $low_form))))
    (then (local.set $low (call $address_at (call $entry_of (local.get $low))))))
  (if (i32.and (i32.ne (local.get $high_form) (i32.const 1)) (i32.ne (local.get $high_form) (i32.const 0x1B)))
    (then (local.set $end (i64.add (local.get $low) (local.get $end)))))
  (if (i32.eq (local.get $high_form) (i32.const 0x1B))
    (then (local.set $end (call $address_at (call $entry_of (local.get $end))))))
  (global.set $base_old (local.get $low))
  (if (call $tombstone (local.get $low) (global.get $address_size))
    (then (global.set $base_state (i32.const 1)) (return)))
  (if (i32.and (i64.eqz (local.get $low)) (i32.eqz (call $holds_address (local.get $low_form))))
    (then
      (global.set $base_state (i32.ne (local.get $high_form) (i32.const 0)))
      (return)))
  (global.set $base_new (call $place (local.get $low)))
  (if (i32.eqz (i32.or (call $live (local.get $low))
        (i32.and (i32.ne (local.get $high_form) (i32.const 0))
          (i64.gt_u (call $place (local.get $end)) (global.get $base_new)))))
    (then (global.set $base_state (i32.const 2)))))
