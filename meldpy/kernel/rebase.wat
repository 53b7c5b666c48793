;; Rewrites function bodies so that all memories lie in one (see rebase.py for the purpose and the records).
;;
;; scan.wat finds the instructions (its lines marked `;;! ` are code here): `$site` is called for each that names a
;; memory, once it has been read. Between two of them bytes are copied as they are. Each body is read twice: the
;; replacements need locals, and which ones is known only when all have been made; the first time round they are made
;; for that alone.
;;
;; A record of 64 bytes for each memory, from `$regions` on:
;;   +0 what it is: bit 0 i64 addresses, bit 1 base in a global, bit 2 length constant, bit 3 unchecked, bits 8 and up
;;      the log2 of its page size
;;   +4 base (constant, else 0)  +8 global of the length, or the constant length  +12 global of the base
;;   +16 length at least  +20 functions: memory.grow, +24 operands of memory.fill, +28 of memory.init; -1: none
;;   +32 what is used: bits 0 to 2 in that order (written by a survey)
;; From `$copies` on, for each pair (destination, source) the function for the operands of memory.copy; a survey
;; writes 1 there. From 0x2680 on a table of accesses: u16 by opcode, 256 without prefix, 512 behind 0xFD, 512 behind
;; 0xFE. Bits 0 to 2 log2 of the size, bits 3 to 6 what lies on the address, bit 14 atomic, bit 15 an access.

;;
;; In mode 3 nothing is made: from `$copies` on, for each opcode (256, then 512 behind each of 0xFB to 0xFE; 0xE0 stands
;; for blocks whose type is an index) it is written where it is used first, plus 1, and in which function, from 1 on.

;; bounds.wat knows of accesses that need no check.

(global $mode (mut i32) (i32.const 0)) ;; 0: scan only, 1: survey, 2: make replacements, 3: see which opcodes there are
(global $regions (mut i32) (i32.const 0))
(global $memories (mut i32) (i32.const 0))
(global $copies (mut i32) (i32.const 0))
(global $out_of_bounds (mut i32) (i32.const 0)) ;; the function that traps
(global $temps (mut i32) (i32.const 0)) ;; one bit for each temporary local in use
(global $first_temp (mut i32) (i32.const 0))

(func (export "rebase_setup") (param i32 i32 i32 i32 i32 i32)
  (global.set $regions (local.get 0))
  (global.set $memories (local.get 1))
  (global.set $copies (local.get 2))
  (global.set $out_of_bounds (local.get 3))
  (global.set $mode (local.get 4))
  (global.set $known (local.get 5)))

;; --- temporary locals -----------------------------------------------------------------------------------------------
;; A temporary local: 0 i32, 1 i64 (addresses), 2 i32, 3 i64, 4 f32, 5 f64, 6 v128, 7 i32, 8 i64.
(func $temp (param $op i32) (param $which i32)
  (local $bit i32)
  (local.set $bit (i32.shl (i32.const 1) (local.get $which)))
  (global.set $temps (i32.or (global.get $temps) (local.get $bit)))
  (call $op_u (local.get $op)
    (i32.add (global.get $first_temp)
      (i32.popcnt (i32.and (global.get $temps) (i32.sub (local.get $bit) (i32.const 1)))))))

(func $trap
  (call $op_u (i32.const 0x10) (global.get $out_of_bounds))
  (call $byte (i32.const 0x00)))

;; --- which opcodes there are ----------------------------------------------------------------------------------------
(func $note_opcode (param $opcode i32) (param $at i32)
  (local $entry i32)
  (local.set $entry (i32.add (global.get $copies) (i32.shl (local.get $opcode) (i32.const 3))))
  (if (i32.eqz (i32.load (local.get $entry)))
    (then
      (i32.store (local.get $entry) (i32.add (local.get $at) (i32.const 1)))
      (i32.store offset=4 (local.get $entry) (global.get $function)))))

;; Called by scan.wat for every instruction, once it has been read.
(func $see (param $at i32)
  (local $first i32) (local $byte i32) (local $value i64)
  (if (i32.eq (global.get $mode) (i32.const 2)) (then (call $follow (local.get $at)) (return)))
  (if (i32.ne (global.get $mode) (i32.const 3)) (then (return)))
  (local.set $first (i32.load8_u (local.get $at)))
  (if (i32.lt_u (local.get $first) (i32.const 0xFB))
    (then
      (call $note_opcode (local.get $first) (local.get $at))
      (if (i32.or
            (i32.and (i32.ge_u (local.get $first) (i32.const 2)) (i32.le_u (local.get $first) (i32.const 6)))
            (i32.eq (local.get $first) (i32.const 0x1F)))
        (then
          (local.set $byte (i32.load8_u offset=1 (local.get $at)))
          ;; 0x05 is else, which has no block type
          (if (i32.and
                (i32.ne (local.get $first) (i32.const 5))
                (i32.ne (i32.and (local.get $byte) (i32.const 0xC0)) (i32.const 0x40)))
            (then (call $note_opcode (i32.const 0xE0) (local.get $at))))))
      (return)))
  (call $read_u (i32.add (local.get $at) (i32.const 1)) (i32.const 32)) (drop) (local.set $value)
  (call $note_opcode
    (i32.add
      (i32.add (i32.const 256) (i32.shl (i32.sub (local.get $first) (i32.const 0xFB)) (i32.const 9)))
      (i32.wrap_i64 (local.get $value)))
    (local.get $at)))

;; --- the instruction at hand ----------------------------------------------------------------------------------------
(func $record (param $memory i32) (result i32)
  (i32.add (global.get $regions) (i32.shl (local.get $memory) (i32.const 6))))

;; Called by scan.wat for the instruction from `at` to `after`, which names a memory.
(func $site (param $at i32) (param $after i32)
  (local $first i32) (local $sub i32) (local $pos i32) (local $value i64)
  (if (i32.or (i32.eqz (global.get $mode)) (i32.eq (global.get $mode) (i32.const 3))) (then (return)))
  (local.set $first (i32.load8_u (local.get $at)))
  (local.set $pos (i32.add (local.get $at) (i32.const 1)))
  (if (i32.ge_u (local.get $first) (i32.const 0xFC))
    (then
      (call $read_u (local.get $pos) (i32.const 32)) (local.set $pos) (local.set $value)
      (local.set $sub (i32.wrap_i64 (local.get $value)))))
  (if (i32.eq (local.get $first) (i32.const 0x3F))
    (then (call $size (local.get $at) (local.get $pos) (local.get $after)) (return)))
  (if (i32.eq (local.get $first) (i32.const 0x40))
    (then (call $grow (local.get $at) (local.get $pos) (local.get $after)) (return)))
  (if (i32.eq (local.get $first) (i32.const 0xFC))
    (then (call $bulk (local.get $at) (local.get $sub) (local.get $pos) (local.get $after)) (return)))
  (if (i32.eq (global.get $mode) (i32.const 1)) (then (return)))
  (if (i32.ge_u (local.get $first) (i32.const 0xFC)) (then (global.set $height (global.get $before))))
  (call $access (local.get $at) (local.get $pos) (local.get $after)
    (i32.load16_u
      (i32.add (i32.const 0x2680)
        (i32.shl
          (select
            (local.get $first)
            (i32.add (local.get $sub)
              (select (i32.const 256) (i32.const 768) (i32.eq (local.get $first) (i32.const 0xFD))))
            (i32.lt_u (local.get $first) (i32.const 0xFC)))
          (i32.const 1)))))
  (call $accessed (local.get $first)))

(func $used (param $record i32) (param $bit i32)
  (i32.store offset=32 (local.get $record) (i32.or (i32.load offset=32 (local.get $record)) (local.get $bit))))

(func $size (param $at i32) (param $pos i32) (param $after i32)
  (local $r i32) (local $is i32) (local $memory i32)
  (if (i32.eq (global.get $mode) (i32.const 1)) (then (return)))
  (call $index (local.get $pos)) (drop) (local.set $memory)
  (local.set $r (call $record (local.get $memory)))
  (local.set $is (i32.load (local.get $r)))
  (call $copy_to (local.get $at))
  (global.set $copied (local.get $after))
  (if (i32.and (local.get $is) (i32.const 8))
    (then
      (call $byte (i32.const 0x3F)) (call $byte (i32.const 0))
      (if (i32.load offset=4 (local.get $r))
        (then
          (call $const (i32.const 0) (i64.extend_i32_u (i32.shr_u (i32.load offset=4 (local.get $r)) (i32.const 16))))
          (call $byte (i32.const 0x6B))))
      (return)))
  (if (i32.and (local.get $is) (i32.const 4))
    (then
      (call $const (i32.and (local.get $is) (i32.const 1))
        (i64.extend_i32_u (i32.shr_u (i32.load offset=8 (local.get $r)) (i32.shr_u (local.get $is) (i32.const 8)))))
      (return)))
  (call $op_u (i32.const 0x23) (i32.load offset=8 (local.get $r)))
  (if (i32.shr_u (local.get $is) (i32.const 8))
    (then
      (call $const (i32.const 0) (i64.extend_i32_u (i32.shr_u (local.get $is) (i32.const 8))))
      (call $byte (i32.const 0x76))))
  (if (i32.and (local.get $is) (i32.const 1)) (then (call $byte (i32.const 0xAD)))))

(func $grow (param $at i32) (param $pos i32) (param $after i32)
  (local $r i32) (local $memory i32)
  (call $index (local.get $pos)) (drop) (local.set $memory)
  (local.set $r (call $record (local.get $memory)))
  (if (i32.eq (global.get $mode) (i32.const 1))
    (then (call $used (local.get $r) (i32.const 1)) (return)))
  (call $copy_to (local.get $at))
  (global.set $copied (local.get $after))
  (call $op_u (i32.const 0x10) (i32.load offset=20 (local.get $r))))

;; memory.init, memory.copy, memory.fill: a function checks and moves the operands, if there is one.
(func $bulk (param $at i32) (param $sub i32) (param $pos i32) (param $after i32)
  (local $r i32) (local $func i32) (local $first i32) (local $second i32)
  (call $index (local.get $pos)) (local.set $pos) (local.set $first)
  (if (i32.ne (local.get $sub) (i32.const 0x0B))
    (then (call $index (local.get $pos)) (local.set $pos) (local.set $second)))
  (block $known
    (if (i32.eq (local.get $sub) (i32.const 0x0A))
      (then
        (local.set $r
          (i32.add (global.get $copies)
            (i32.shl (i32.add (i32.mul (local.get $first) (global.get $memories)) (local.get $second)) (i32.const 2))))
        (if (i32.eq (global.get $mode) (i32.const 1))
          (then (i32.store (local.get $r) (i32.const 1)) (return)))
        (local.set $func (i32.load (local.get $r)))
        (br $known)))
    (if (i32.eq (local.get $sub) (i32.const 0x0B))
      (then
        (local.set $r (call $record (local.get $first)))
        (if (i32.eq (global.get $mode) (i32.const 1))
          (then (call $used (local.get $r) (i32.const 2)) (return)))
        (local.set $func (i32.load offset=24 (local.get $r)))
        (br $known)))
    (local.set $r (call $record (local.get $second)))
    (if (i32.eq (global.get $mode) (i32.const 1))
      (then (call $used (local.get $r) (i32.const 4)) (return)))
    (local.set $func (i32.load offset=28 (local.get $r))))
  (call $copy_to (local.get $at))
  (global.set $copied (local.get $after))
  (if (i32.ne (local.get $func) (i32.const -1)) (then (call $op_u (i32.const 0x10) (local.get $func))))
  (call $op_u (i32.const 0xFC) (local.get $sub))
  (if (i32.eq (local.get $sub) (i32.const 0x08))
    (then (global.set $out (call $write_u (global.get $out) (i64.extend_i32_u (local.get $first))))))
  (call $byte (i32.const 0))
  (if (i32.eq (local.get $sub) (i32.const 0x0A)) (then (call $byte (i32.const 0)))))

;; --- loads and stores -----------------------------------------------------------------------------------------------

;; Saves (`op` local.set) or restores (local.get) what lies on the address.
(func $operands (param $operands i32) (param $op i32)
  (local $get i32)
  (local.set $get (i32.eq (local.get $op) (i32.const 0x20)))
  (block $none (block $one (block $two_i32 (block $two_i64 (block $wait32
    (br_table $none $one $one $one $one $one $two_i32 $two_i64 $wait32 (local.get $operands)))
    ;; wait32: an i32, on it an i64
    (if (local.get $get)
      (then (call $temp (local.get $op) (i32.const 2)) (call $temp (local.get $op) (i32.const 8)))
      (else (call $temp (local.get $op) (i32.const 8)) (call $temp (local.get $op) (i32.const 2))))
    (return))
    ;; two i64
    (if (local.get $get)
      (then (call $temp (local.get $op) (i32.const 3)) (call $temp (local.get $op) (i32.const 8)))
      (else (call $temp (local.get $op) (i32.const 8)) (call $temp (local.get $op) (i32.const 3))))
    (return))
    ;; two i32
    (if (local.get $get)
      (then (call $temp (local.get $op) (i32.const 2)) (call $temp (local.get $op) (i32.const 7)))
      (else (call $temp (local.get $op) (i32.const 7)) (call $temp (local.get $op) (i32.const 2))))
    (return))
    ;; one: its code is one less than its temporary's
    (call $temp (local.get $op) (i32.add (local.get $operands) (i32.const 1)))
    (return)))

;; How many that are.
(func $count_of (param $operands i32) (result i32)
  (select (i32.const 2) (i32.ne (local.get $operands) (i32.const 0)) (i32.ge_u (local.get $operands) (i32.const 6))))

;; The address, as an i32.
(func $address (param $wide i32)
  (call $temp (i32.const 0x20) (local.get $wide))
  (if (local.get $wide) (then (call $byte (i32.const 0xA7)))))

;; The address on the stack, moved by a base in a global.
(func $move (param $record i32)
  (if (i32.and (i32.load (local.get $record)) (i32.const 2))
    (then
      (call $op_u (i32.const 0x23) (i32.load offset=12 (local.get $record)))
      (call $byte (i32.const 0x6A)))))

;; Traps unless the access at the saved address is misaligned: then the instruction itself does, and comes first.
(func $trap_if_aligned (param $wide i32) (param $offset i64) (param $size i32)
  (call $address (local.get $wide))
  (call $const (i32.const 0)
    (i64.and (local.get $offset) (i64.extend_i32_u (i32.sub (local.get $size) (i32.const 1)))))
  (call $byte (i32.const 0x6A))
  (call $const (i32.const 0) (i64.extend_i32_u (i32.sub (local.get $size) (i32.const 1))))
  (call $byte (i32.const 0x71))
  (call $byte (i32.const 0x45))
  (call $byte (i32.const 0x04)) (call $byte (i32.const 0x40))
  (call $trap)
  (call $byte (i32.const 0x0B)))

;; The instruction itself: opcode from `at`, flags, offset, and what follows the memarg.
(func $again (param $at i32) (param $memarg i32) (param $flags i32) (param $offset i64) (param $rest i32) (param $after i32)
  (global.set $copied (local.get $at))
  (call $copy_to (local.get $memarg))
  (call $byte (i32.and (local.get $flags) (i32.const 0x3F)))
  (global.set $out (call $write_u (global.get $out) (local.get $offset)))
  (global.set $copied (local.get $rest))
  (call $copy_to (local.get $after)))

(func $access (param $at i32) (param $memarg i32) (param $after i32) (param $entry i32)
  (local $flags i32) (local $memory i32) (local $offset i64) (local $rest i32)
  (local $r i32) (local $is i32) (local $wide i32) (local $size i32) (local $operands i32) (local $base i64)
  (local $k i64) (local $least i64) (local $never i32) (local $above i32) (local $under i32)
  (if (i32.eqz (local.get $entry)) (then unreachable)) ;; an access that the table does not know
  (call $index (local.get $memarg)) (local.set $rest) (local.set $flags)
  (if (i32.and (local.get $flags) (i32.const 0x40))
    (then (call $index (local.get $rest)) (local.set $rest) (local.set $memory)))
  (call $read_u (local.get $rest) (i32.const 64)) (local.set $rest) (local.set $offset)
  (local.set $r (call $record (local.get $memory)))
  (local.set $is (i32.load (local.get $r)))
  (local.set $wide (i32.and (local.get $is) (i32.const 1)))
  (local.set $base (i64.extend_i32_u (i32.load offset=4 (local.get $r))))
  (local.set $size (i32.shl (i32.const 1) (i32.and (local.get $entry) (i32.const 7))))
  (local.set $operands (i32.and (i32.shr_u (local.get $entry) (i32.const 3)) (i32.const 15)))
  (local.set $above (call $count_of (local.get $operands)))
  (local.set $least (i64.extend_i32_u (i32.load offset=16 (local.get $r))))
  (local.set $k (i64.add (local.get $offset) (i64.extend_i32_u (local.get $size))))
  (call $copy_to (local.get $at))

  ;; whatever the address: the offset alone leads out of the memory, or out of what an offset can say
  (local.set $never
    (i32.or
      (i64.gt_u (local.get $offset) (i64.const 0xFFFF_FFFF))
      (i64.gt_u (i64.add (local.get $offset) (local.get $base)) (i64.const 0xFFFF_FFFF))))
  (if (i32.and (local.get $is) (i32.const 4))
    (then (local.set $never (i32.or (local.get $never) (i64.gt_u (local.get $k) (local.get $least))))))
  (if (local.get $never)
    (then
      (if (i32.and (local.get $entry) (i32.const 0x4000))
        (then
          (call $operands (local.get $operands) (i32.const 0x21))
          (call $temp (i32.const 0x21) (local.get $wide))
          (call $trap_if_aligned (local.get $wide) (local.get $offset) (local.get $size))
          (call $address (local.get $wide))
          (call $operands (local.get $operands) (i32.const 0x20))
          (call $again (local.get $at) (local.get $memarg) (local.get $flags)
            (i64.and (local.get $offset) (i64.extend_i32_u (i32.sub (local.get $size) (i32.const 1))))
            (local.get $rest) (local.get $after)))
        (else
          (call $trap)
          (global.set $copied (local.get $after))))
      (return)))

  ;; unchecked: the engine's own bound is this memory's
  (if (i32.and (local.get $is) (i32.const 8))
    (then
      (call $again (local.get $at) (local.get $memarg) (local.get $flags)
        (i64.add (local.get $offset) (local.get $base)) (local.get $rest) (local.get $after))
      (return)))

  ;; checked already
  (if (call $is_inside (local.get $above) (local.get $memory) (local.get $k) (local.get $least))
    (then
      (local.set $under
        (i32.and (i32.ne (local.get $above) (i32.const 0))
          (i32.ne (i32.and (local.get $is) (i32.const 3)) (i32.const 0))))
      (if (local.get $under) (then (call $operands (local.get $operands) (i32.const 0x21))))
      (if (local.get $wide) (then (call $byte (i32.const 0xA7))))
      (call $move (local.get $r))
      (if (local.get $under) (then (call $operands (local.get $operands) (i32.const 0x20))))
      (call $again (local.get $at) (local.get $memarg) (local.get $flags)
        (i64.add (local.get $offset) (local.get $base)) (local.get $rest) (local.get $after))
      (return)))
  (call $was_checked (local.get $above) (local.get $memory) (local.get $k))

  ;; the check: address > length - (offset + size)
  (call $operands (local.get $operands) (i32.const 0x21))
  (call $temp (i32.const 0x22) (local.get $wide))
  (if (i64.le_u (local.get $k) (local.get $least))
    (then
      (if (i32.and (local.get $is) (i32.const 4))
        (then
          (call $const (local.get $wide)
            (i64.sub (i64.extend_i32_u (i32.load offset=8 (local.get $r))) (local.get $k))))
        (else
          (call $op_u (i32.const 0x23) (i32.load offset=8 (local.get $r)))
          (if (local.get $wide) (then (call $byte (i32.const 0xAD))))
          (call $const (local.get $wide) (local.get $k))
          (call $byte (select (i32.const 0x7D) (i32.const 0x6B) (local.get $wide)))))
      (call $byte (select (i32.const 0x56) (i32.const 0x4B) (local.get $wide))))
    (else
      ;; the length may still be less than that: in 64 bits, where nothing wraps for an i32 address
      (if (local.get $wide)
        (then
          (call $op_u (i32.const 0x23) (i32.load offset=8 (local.get $r)))
          (call $byte (i32.const 0xAD))
          (call $const (i32.const 1) (local.get $k))
          (call $byte (i32.const 0x7D))
          (call $byte (i32.const 0x56))
          (call $op_u (i32.const 0x23) (i32.load offset=8 (local.get $r)))
          (call $byte (i32.const 0xAD))
          (call $const (i32.const 1) (local.get $k))
          (call $byte (i32.const 0x54))
          (call $byte (i32.const 0x72)))
        (else
          (call $byte (i32.const 0xAD))
          (call $const (i32.const 1) (local.get $k))
          (call $byte (i32.const 0x7C))
          (call $op_u (i32.const 0x23) (i32.load offset=8 (local.get $r)))
          (call $byte (i32.const 0xAD))
          (call $byte (i32.const 0x56))))))
  (call $byte (i32.const 0x04)) (call $byte (i32.const 0x40))
  (if (i32.and (local.get $entry) (i32.const 0x4000))
    (then (call $trap_if_aligned (local.get $wide) (local.get $offset) (local.get $size)))
    (else (call $trap)))
  (call $byte (i32.const 0x0B))

  ;; the access, moved
  (call $address (local.get $wide))
  (call $move (local.get $r))
  (call $operands (local.get $operands) (i32.const 0x20))
  (call $again (local.get $at) (local.get $memarg) (local.get $flags)
    (i64.add (local.get $offset) (local.get $base)) (local.get $rest) (local.get $after)))

;; --- bodies ---------------------------------------------------------------------------------------------------------

;; The groups of a body's local declarations, how many locals they are, and where the groups start and end.
(func $declared (param $in i32) (result i32 i32 i32 i32)
  (local $groups i32) (local $left i32) (local $count i32) (local $locals i32) (local $start i32)
  (call $index (local.get $in)) (local.set $start) (local.set $groups)
  (local.set $in (local.get $start))
  (local.set $left (local.get $groups))
  (block $done
    (loop $more
      (br_if $done (i32.eqz (local.get $left)))
      (call $index (local.get $in)) (local.set $in) (local.set $count)
      (local.set $locals (i32.add (local.get $locals) (local.get $count)))
      (local.set $in (call $scan_value_type (local.get $in)))
      (local.set $left (i32.sub (local.get $left) (i32.const 1)))
      (br $more)))
  (local.get $groups) (local.get $locals) (local.get $start) (local.get $in))

(func $declare (param $which i32) (param $type i32)
  (if (i32.and (global.get $temps) (i32.shl (i32.const 1) (local.get $which)))
    (then (call $byte (i32.const 1)) (call $byte (local.get $type)))))

;; Rewrites bodies as `scan` reads them, from `in` on. params: for each, how many parameters it has (u32). out: where
;; they go. Otherwise as `scan`; the output ends at state +24.
(func (export "rebase")
  (param $in i32) (param $limit i32) (param $count i32) (param $number i32) (param $records i32)
  (param $params i32) (param $out i32)
  (result i32)
  (local $start i32) (local $end i32) (local $bodies i32) (local $code i32)
  (local $groups i32) (local $locals i32) (local $groups_at i32) (local $groups_end i32) (local $content i32)
  (local $size i32)
  (global.set $function (local.get $number))
  (global.set $out (local.get $out))
  (block $done
    (loop $more
      (br_if $done (i32.eq (local.get $bodies) (local.get $count)))
      (call $frame (local.get $in) (local.get $limit)) (local.set $end) (local.set $start)
      (br_if $done (i32.eqz (local.get $start)))
      (if (i32.eqz (local.get $end)) (then (return (i32.const 1))))
      (call $declared (local.get $start))
      (local.set $groups_end) (local.set $groups_at) (local.set $locals) (local.set $groups)
      ;; first for the temporaries, then in earnest, 5 bytes being left for the size
      (local.set $content (i32.add (global.get $out) (i32.const 5)))
      (global.set $temps (i32.const 0))
      (call $know_nothing (i32.add (i32.load (local.get $params)) (local.get $locals)) (i32.const 0))
      (global.set $first_temp (i32.const 0))
      (global.set $copied (local.get $groups_end))
      (global.set $kinds (local.get $records))
      (global.set $indices (local.get $records))
      (if (i32.eqz (call $scan_body (local.get $start) (local.get $end))) (then (return (i32.const 1))))
      (if (i32.eq (global.get $mode) (i32.const 2))
        (then
          (global.set $first_temp (i32.add (i32.load (local.get $params)) (local.get $locals)))
          (global.set $out (call $write_u (local.get $content)
            (i64.extend_i32_u (i32.add (local.get $groups) (i32.popcnt (global.get $temps))))))
          (global.set $copied (local.get $groups_at))
          (call $copy_to (local.get $groups_end))
          (call $declare (i32.const 0) (i32.const 0x7F))
          (call $declare (i32.const 1) (i32.const 0x7E))
          (call $declare (i32.const 2) (i32.const 0x7F))
          (call $declare (i32.const 3) (i32.const 0x7E))
          (call $declare (i32.const 4) (i32.const 0x7D))
          (call $declare (i32.const 5) (i32.const 0x7C))
          (call $declare (i32.const 6) (i32.const 0x7B))
          (call $declare (i32.const 7) (i32.const 0x7F))
          (call $declare (i32.const 8) (i32.const 0x7E))
          ;;@ (global.set $noted (i32.const 0))
          (call $know_nothing (i32.add (i32.load (local.get $params)) (local.get $locals)) (i32.const 1))
          (drop (call $scan_body (local.get $start) (local.get $end)))
          (call $copy_to (local.get $end))
          ;; the size, and the content behind it
          (local.set $size (i32.sub (global.get $out) (local.get $content)))
          (local.set $code (call $write_u (i32.sub (local.get $content) (i32.const 5)) (i64.extend_i32_u (local.get $size))))
          (memory.copy (local.get $code) (local.get $content) (local.get $size))
          (global.set $out (i32.add (local.get $code) (local.get $size)))
          ;;@ (call $note_kept (local.get $in) (local.get $start) (local.get $end)
          ;;@   (i32.sub (local.get $content) (i32.const 5)) (local.get $code) (i32.sub (local.get $code) (local.get $content))
          ;;@   (global.get $out))
          ))
      (local.set $params (i32.add (local.get $params) (i32.const 4)))
      (local.set $in (local.get $end))
      (local.set $bodies (i32.add (local.get $bodies) (i32.const 1)))
      (global.set $function (i32.add (global.get $function) (i32.const 1)))
      (br $more)))
  (i32.store (i32.const 0x2590) (local.get $in))
  (i32.store (i32.const 0x2594) (local.get $bodies))
  (i32.store (i32.const 0x2598) (global.get $out))
  (i32.const 0))
