;; Line programs, written anew. Spec: DWARF 5 section 6.2.
;;
;; The machine runs on old addresses; what is written is the same operations, with its advances replaced by those
;; between new addresses. A row whose code was left out is not written, but what it does to the registers is. A sequence
;; without rows is not written at all. Marks that hold for one row only (the start of a block, a discriminator) wait for
;; the row.

(global $old (mut i64) (i64.const 0))        ;; the machine's address
(global $nowhere (mut i32) (i32.const 1))    ;; it was set to 0 or to a tombstone, or not at all
(global $new (mut i64) (i64.const 0))        ;; the address that the written operations have reached
(global $placed (mut i32) (i32.const 0))     ;; they have set one
(global $rows (mut i32) (i32.const 0))       ;; they have written a row
(global $flags (mut i32) (i32.const 0))      ;; waiting: 1 block, 2 end of the prologue, 4 start of the epilogue
(global $discriminator (mut i64) (i64.const 0))
(global $line_range (mut i32) (i32.const 1))
(global $opcode_base (mut i32) (i32.const 13))
(global $line_low (mut i32) (i32.const 0))
(global $line_address (mut i32) (i32.const 4))

(func (export "lines")
  (local $end i32) (local $next i32) (local $start i32) (local $out i32) (local $origin i32) (local $program i32)
  (local $version i32)
  (local.set $origin (global.get $o))
  (local.set $end (i32.add (global.get $line) (global.get $line_size)))
  (memory.fill (global.get $line_new) (i32.const 0xFF) (i32.shl (global.get $line_size) (i32.const 2)))
  (global.set $p (global.get $line))
  (block $done
    (loop $unit
      (br_if $done (i32.ge_u (global.get $p) (local.get $end)))
      (global.set $e (local.get $end))
      (local.set $start (global.get $p))
      (local.set $out (global.get $o))
      (i32.store
        (i32.add (global.get $line_new) (i32.shl (i32.sub (local.get $start) (global.get $line)) (i32.const 2)))
        (i32.sub (local.get $out) (local.get $origin)))
      (local.set $next (call $unit_length))
      (global.set $e (local.get $next))
      (local.set $version (call $u16))
      (if (i32.gt_u (i32.sub (local.get $version) (i32.const 2)) (i32.const 3)) (then (call $fail (i32.const 10))))
      (global.set $version (local.get $version))
      (global.set $address_size (i32.const 4))
      (if (i32.eq (local.get $version) (i32.const 5))
        (then
          (global.set $address_size (call $u8))
          (call $check_address_size (global.get $address_size))
          (if (call $u8) (then (call $fail (i32.const 6))))))
      (global.set $line_address (global.get $address_size))
      (local.set $program (call $u32))
      (call $need (local.get $program))
      (local.set $program (i32.add (global.get $p) (local.get $program)))
      (global.set $e (local.get $program))
      ;; the header goes over as it is, but for offsets of strings in it
      (call $room (i32.sub (local.get $program) (local.get $start)))
      (memory.copy (local.get $out) (local.get $start) (i32.sub (local.get $program) (local.get $start)))
      (call $line_header (local.get $version) (i32.sub (local.get $out) (local.get $start)))
      (global.set $o (i32.add (local.get $out) (i32.sub (local.get $program) (local.get $start))))
      (global.set $p (local.get $program))
      (global.set $e (local.get $next))
      (call $line_program)
      (i32.store (local.get $out) (i32.sub (i32.sub (global.get $o) (local.get $out)) (i32.const 4)))
      (br $unit))))

(global $lengths (mut i32) (i32.const 0))    ;; the number of operands of each standard operation, from 1

(func $line_header (param $version i32) (param $shift i32)
  (local $value i32)
  ;; one instruction is one byte, and there are no bundles of them
  (if (i32.ne (call $u8) (i32.const 1)) (then (call $fail (i32.const 17))))
  (if (i32.ge_u (local.get $version) (i32.const 4))
    (then (if (i32.ne (call $u8) (i32.const 1)) (then (call $fail (i32.const 17))))))
  (drop (call $u8))
  (global.set $line_low (i32.extend8_s (call $u8)))
  (global.set $line_range (call $u8))
  (if (i32.eqz (global.get $line_range)) (then (call $fail (i32.const 17))))
  (global.set $opcode_base (call $u8))
  (if (i32.lt_u (global.get $opcode_base) (i32.const 10)) (then (call $fail (i32.const 17))))
  (global.set $lengths (global.get $p))
  (call $skip (i32.sub (global.get $opcode_base) (i32.const 1)))
  (if (i32.eq (local.get $version) (i32.const 5))
    (then
      (call $line_names (local.get $shift))
      (call $line_names (local.get $shift)))))

;; Directories or files: a description of their fields, and their fields.
(func $line_names (param $shift i32)
  (local $format i32) (local $fields i32) (local $field i32) (local $count i64) (local $form i32) (local $at i32)
  (local $value i64) (local $back i32)
  (local.set $fields (call $u8))
  (local.set $format (global.get $p))
  (local.set $field (local.get $fields))
  (loop $skip
    (if (local.get $field)
      (then
        (drop (call $uleb))
        (drop (call $uleb))
        (local.set $field (i32.sub (local.get $field) (i32.const 1)))
        (br $skip))))
  (local.set $count (call $uleb))
  (if (i32.and (i32.eqz (local.get $fields)) (i64.ne (local.get $count) (i64.const 0)))
    (then (call $fail (i32.const 17))))
  (loop $name
    (if (i64.ne (local.get $count) (i64.const 0))
      (then
        (local.set $field (local.get $fields))
        (local.set $at (local.get $format))
        (loop $each
          (if (local.get $field)
            (then
              (call $burn (i32.const 1))
              ;; the field's form
              (local.set $back (global.get $p))
              (global.set $p (local.get $at))
              (drop (call $uleb))
              (local.set $form (call $uleb32))
              (local.set $at (global.get $p))
              (global.set $p (local.get $back))
              (local.set $value (call $value (local.get $form)))
              (if (i32.eq (local.get $form) (i32.const 0x0E))
                (then
                  (i32.store (i32.add (local.get $back) (local.get $shift))
                    (call $new_str (i32.wrap_i64 (local.get $value))))))
              (if (i32.eq (local.get $form) (i32.const 0x1F))
                (then
                  (i32.store (i32.add (local.get $back) (local.get $shift))
                    (call $new_line_str (i32.wrap_i64 (local.get $value))))))
              (local.set $field (i32.sub (local.get $field) (i32.const 1)))
              (br $each))))
        (local.set $count (i64.sub (local.get $count) (i64.const 1)))
        (br $name)))))

;; --- the machine ----------------------------------------------------------------------------------------------------

(func $begin_sequence
  (global.set $old (i64.const 0))
  (global.set $nowhere (i32.const 1))
  (global.set $placed (i32.const 0))
  (global.set $rows (i32.const 0))
  (global.set $flags (i32.const 0))
  (global.set $discriminator (i64.const 0)))

(func $line_program
  (local $op i32) (local $start i32) (local $sequence i32) (local $adjusted i32) (local $count i32)
  (call $begin_sequence)
  (local.set $sequence (global.get $o))
  (block $done
    (loop $operation
      (br_if $done (i32.ge_u (global.get $p) (global.get $e)))
      (call $burn (i32.const 1))
      (local.set $start (global.get $p))
      (local.set $op (call $u8))
      (if (i32.ge_u (local.get $op) (global.get $opcode_base))
        (then
          (local.set $adjusted (i32.sub (local.get $op) (global.get $opcode_base)))
          (call $advance (i64.extend_i32_u (i32.div_u (local.get $adjusted) (global.get $line_range))))
          (call $row (i32.rem_u (local.get $adjusted) (global.get $line_range)))
          (br $operation)))
      (block $isa (block $epilogue (block $prologue (block $fixed (block $constant (block $block (block $same
      (block $pc (block $copy (block $extended
        (br_table $extended $copy $pc $same $same $same $same $block $constant $fixed $prologue $epilogue $isa
          (local.get $op)))
      ;; extended
      (if (call $extended_operation (local.get $start) (local.get $sequence))
        (then (local.set $sequence (global.get $o))))
      (br $operation))
      (call $row (i32.const -1))
      (br $operation))
      (call $advance (call $uleb))
      (br $operation))
      ;; same: advance_line, set_file, set_column, negate_stmt
      (if (i32.lt_u (local.get $op) (i32.const 6)) (then (drop (call $uleb))))
      (call $w_read (local.get $start))
      (br $operation))
      (global.set $flags (i32.or (global.get $flags) (i32.const 1)))
      (br $operation))
      (call $advance (i64.extend_i32_u (call $constant_advance)))
      (br $operation))
      (call $advance (i64.extend_i32_u (call $u16)))
      (br $operation))
      (global.set $flags (i32.or (global.get $flags) (i32.const 2)))
      (br $operation))
      (global.set $flags (i32.or (global.get $flags) (i32.const 4)))
      (br $operation))
      ;; isa, and what is unknown: as many operands as the header says
      (local.set $count
        (i32.load8_u (i32.add (global.get $lengths) (i32.sub (local.get $op) (i32.const 1)))))
      (loop $operand
        (if (local.get $count)
          (then
            (drop (call $uleb))
            (local.set $count (i32.sub (local.get $count) (i32.const 1)))
            (br $operand))))
      (call $w_read (local.get $start))
      (br $operation))))

(func $constant_advance (result i32)
  (i32.div_u (i32.sub (i32.const 255) (global.get $opcode_base)) (global.get $line_range)))

(func $advance (param $by i64)
  (if (i64.gt_u (local.get $by) (i64.const 0xFFFFFFFF)) (then (local.set $by (i64.const 0xFFFFFFFF))))
  (global.set $old (i64.add (global.get $old) (local.get $by)))
  ;; far behind the end of any code, and never around
  (if (i64.gt_u (global.get $old) (i64.const 0xFFFFFFFFFFFF)) (then (global.set $old (i64.const 0xFFFFFFFFFFFF)))))

;; An operation behind a 0 byte; result: 1 if it ended the sequence that began at `sequence` of the output.
(func $extended_operation (param $start i32) (param $sequence i32) (result i32)
  (local $length i32) (local $end i32) (local $code i32) (local $size i32)
  (local.set $length (call $uleb32))
  (call $need (local.get $length))
  (if (i32.eqz (local.get $length)) (then (call $fail (i32.const 17))))
  (local.set $end (i32.add (global.get $p) (local.get $length)))
  (local.set $code (call $u8))
  (if (i32.eq (local.get $code) (i32.const 1))
    (then
      (if (global.get $rows)
        (then
          (if (i32.eqz (global.get $nowhere)) (then (call $reach (call $place (global.get $old)) (i32.const 1))))
          (call $w8 (i32.const 0)) (call $w8 (i32.const 1)) (call $w8 (i32.const 1)))
        (else (global.set $o (local.get $sequence))))
      (call $begin_sequence)
      (global.set $p (local.get $end))
      (return (i32.const 1))))
  (if (i32.eq (local.get $code) (i32.const 2))
    (then
      (local.set $size (i32.sub (local.get $length) (i32.const 1)))
      (call $check_address_size (local.get $size))
      (global.set $line_address (local.get $size))
      (global.set $old (call $address (local.get $size)))
      (global.set $nowhere
        (i32.or (i64.eqz (global.get $old)) (call $tombstone (global.get $old) (local.get $size))))
      (if (global.get $nowhere) (then (global.set $old (i64.const 0))))
      (return (i32.const 0))))
  (if (i32.eq (local.get $code) (i32.const 4))
    (then
      (global.set $discriminator (call $uleb))
      (global.set $p (local.get $end))
      (return (i32.const 0))))
  (global.set $p (local.get $end))
  (call $w_read (local.get $start))
  (i32.const 0))

;; Brings the written operations to `address`, by an advance or, at the start or if it lies before them, by setting it.
(func $reach (param $address i64) (param $whole i32)
  (if (i32.or (i32.eqz (global.get $placed)) (i64.lt_u (local.get $address) (global.get $new)))
    (then
      (call $w8 (i32.const 0))
      (call $w8 (i32.add (global.get $line_address) (i32.const 1)))
      (call $w8 (i32.const 2))
      (call $w_address (local.get $address) (global.get $line_address))
      (global.set $placed (i32.const 1))
      (global.set $new (local.get $address))))
  (if (i32.and (local.get $whole) (i64.gt_u (local.get $address) (global.get $new)))
    (then
      (call $w8 (i32.const 2))
      (call $w_uleb (i64.sub (local.get $address) (global.get $new)))
      (global.set $new (local.get $address)))))

;; A row: by a special operation whose share for the line is `adjusted`, or (-1) by a copy.
(func $row (param $adjusted i32)
  (local $address i64) (local $delta i64) (local $op i64)
  (if (i32.and (i32.eqz (global.get $nowhere)) (call $live (global.get $old)))
    (then
      (local.set $address (call $place (global.get $old)))
      (call $reach (local.get $address) (i32.lt_s (local.get $adjusted) (i32.const 0)))
      (if (i32.and (global.get $flags) (i32.const 1)) (then (call $w8 (i32.const 7))))
      (if (i32.and (global.get $flags) (i32.const 2)) (then (call $w8 (i32.const 10))))
      (if (i32.and (global.get $flags) (i32.const 4)) (then (call $w8 (i32.const 11))))
      (if (i64.ne (global.get $discriminator) (i64.const 0)) (then (call $write_discriminator)))
      (if (i32.lt_s (local.get $adjusted) (i32.const 0))
        (then (call $w8 (i32.const 1)))
        (else
          (local.set $delta (i64.sub (local.get $address) (global.get $new)))
          (local.set $op (call $special (local.get $adjusted) (local.get $delta)))
          (if (i64.gt_u (local.get $op) (i64.const 255))
            (then
              (local.set $delta (i64.sub (local.get $delta) (i64.extend_i32_u (call $constant_advance))))
              (local.set $op (call $special (local.get $adjusted) (local.get $delta)))
              (if (i32.and (i64.ge_s (local.get $delta) (i64.const 0)) (i64.le_u (local.get $op) (i64.const 255)))
                (then (call $w8 (i32.const 8)))
                (else
                  (call $reach (local.get $address) (i32.const 1))
                  (local.set $op (call $special (local.get $adjusted) (i64.const 0)))))))
          (call $w8 (i32.wrap_i64 (local.get $op)))
          (global.set $new (local.get $address))))
      (global.set $rows (i32.const 1)))
    (else
      (if (i32.ge_s (local.get $adjusted) (i32.const 0))
        (then
          (local.set $adjusted (i32.add (local.get $adjusted) (global.get $line_low)))
          (if (local.get $adjusted)
            (then
              (call $w8 (i32.const 3))
              (call $w_sleb (i64.extend_i32_s (local.get $adjusted)))))))))
  (global.set $flags (i32.const 0))
  (global.set $discriminator (i64.const 0)))

(func $special (param $adjusted i32) (param $delta i64) (result i64)
  (i64.add (i64.extend_i32_u (i32.add (local.get $adjusted) (global.get $opcode_base)))
    (i64.mul (local.get $delta) (i64.extend_i32_u (global.get $line_range)))))

(func $write_discriminator
  (local $length i32) (local $value i64)
  (local.set $value (global.get $discriminator))
  (local.set $length (i32.const 1))
  (loop $more
    (local.set $length (i32.add (local.get $length) (i32.const 1)))
    (local.set $value (i64.shr_u (local.get $value) (i64.const 7)))
    (br_if $more (i64.ne (local.get $value) (i64.const 0))))
  (call $w8 (i32.const 0))
  (call $w8 (local.get $length))
  (call $w8 (i32.const 4))
  (call $w_uleb (global.get $discriminator)))
