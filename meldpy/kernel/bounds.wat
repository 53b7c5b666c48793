;; Which checks of an access are certain to pass, so that rebase.wat leaves them out: those of a constant address within
;; what the memory has at least, and those of a local that was checked before, for as many bytes or more, on every way
;; to the access. A memory never shrinks, so what lay in it once stays in it.
;;
;; `$follow` is called for every instruction, in the order of the text. It keeps
;;   a stack    of what the operands are that lie on top: a constant, a local plus a constant, or anything
;;   facts      a local, a memory, how many bytes from the local's value on lie in it, and how deep in blocks that was
;;              seen. An assignment ends those of its local; a copy, or the sum of a local and a constant, hands them on.
;; Text is read in one direction, and only loops go back. What held before a block holds behind it, unless an assignment
;; in between ended it, since every way to its end starts at its beginning; what was seen inside ends with it, as what
;; was seen in one arm of an `if` ends where the other begins. Into a loop go only facts of locals that are not assigned
;; from there on: where each is assigned last is found out when the body is read for the first time (see rebase.wat).
;; An address that lies in a memory has less than 32 bits with all that lies in front of its end, so that a sum which
;; stays inside has not wrapped; of a sum that was checked nothing is said about its local, since it may have.
;;
;; From `$known` on: 32 facts of 24 bytes: +0 the local plus 2, 0: none; +4 memory; +8 depth; +16 bytes (u64).
;; From +768 on an operand that is anything, and 64 of 8 bytes: +0 0: anything, 1: an i32 constant, n: local n - 2;
;; +4 the constant, or what is added to the local. From +1288 on for each of the first 8192 locals where it is assigned
;; last.

(global $known (mut i32) (i32.const 0))
(global $facts (mut i32) (i32.const 0)) ;; how many places for facts are in use
(global $height (mut i32) (i32.const 0)) ;; operands on the stack
(global $before (mut i32) (i32.const 0)) ;; the same, in front of an instruction with a prefix: it may be an access
(global $depth (mut i32) (i32.const 0))
(global $again (mut i32) (i32.const 0)) ;; whether the body is read for the second time

;; Called before a body is read; locals: how many it has.
(func $know_nothing (param $locals i32) (param $again i32)
  (global.set $facts (i32.const 0))
  (global.set $height (i32.const 0))
  (global.set $depth (i32.const 1))
  (global.set $again (local.get $again))
  (if (i32.eqz (local.get $again))
    (then
      (memory.fill (i32.add (global.get $known) (i32.const 1288)) (i32.const 0)
        (i32.shl
          (select (local.get $locals) (i32.const 8192) (i32.lt_u (local.get $locals) (i32.const 8192)))
          (i32.const 2))))))

;; --- operands -------------------------------------------------------------------------------------------------------
(func $push (param $what i32) (param $value i32)
  (local $at i32)
  (if (i32.eq (global.get $height) (i32.const 64)) (then (global.set $height (i32.const 0))))
  (global.set $height (i32.add (global.get $height) (i32.const 1)))
  (local.set $at (call $operand (i32.const 0)))
  (i32.store (local.get $at) (local.get $what))
  (i32.store offset=4 (local.get $at) (local.get $value)))

(func $pop (param $count i32)
  (global.set $height
    (select (i32.sub (global.get $height) (local.get $count)) (i32.const 0)
      (i32.gt_u (global.get $height) (local.get $count)))))

;; Where the operand is that lies under `above` others.
(func $operand (param $above i32) (result i32)
  (i32.add (i32.add (global.get $known) (i32.const 768))
    (i32.shl
      (select (i32.sub (global.get $height) (local.get $above)) (i32.const 0)
        (i32.gt_u (global.get $height) (local.get $above)))
      (i32.const 3))))

(func $replace (param $count i32)
  (call $pop (local.get $count))
  (call $push (i32.const 0) (i32.const 0)))

;; i32.add: sums of constants wrap as the code's do.
(func $sum
  (local $left i32) (local $right i32) (local $what i32) (local $value i32)
  (local.set $left (call $operand (i32.const 1)))
  (local.set $right (call $operand (i32.const 0)))
  (local.set $what (i32.load (local.get $left)))
  (local.set $value (i32.add (i32.load offset=4 (local.get $left)) (i32.load offset=4 (local.get $right))))
  (if (i32.eqz
        (i32.and (i32.gt_u (local.get $what) (i32.const 1)) (i32.eq (i32.load (local.get $right)) (i32.const 1))))
    (then (local.set $what (i32.const 0)) (local.set $value (i32.const 0))))
  (call $pop (i32.const 2))
  (call $push (local.get $what) (local.get $value)))

;; --- facts ----------------------------------------------------------------------------------------------------------
(func $fact (param $number i32) (result i32)
  (i32.add (global.get $known) (i32.mul (local.get $number) (i32.const 24))))

;; The bytes from the value of `what` (a local plus 2) on lie in the memory. Without a place left, it is not kept.
(func $learn (param $what i32) (param $memory i32) (param $bytes i64)
  (local $i i32) (local $at i32)
  (block $found
    (loop $more
      (local.set $at (call $fact (local.get $i)))
      (if (i32.eq (local.get $i) (global.get $facts))
        (then
          (if (i32.eq (local.get $i) (i32.const 32)) (then (return)))
          (global.set $facts (i32.add (local.get $i) (i32.const 1)))
          (br $found)))
      (br_if $found (i32.eqz (i32.load (local.get $at))))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br $more)))
  (i32.store (local.get $at) (local.get $what))
  (i32.store offset=4 (local.get $at) (local.get $memory))
  (i32.store offset=8 (local.get $at) (global.get $depth))
  (i64.store offset=16 (local.get $at) (local.get $bytes)))

;; What was seen deeper than `depth` ends.
(func $forget_deeper (param $depth i32)
  (local $i i32)
  (block $done
    (loop $more
      (br_if $done (i32.eq (local.get $i) (global.get $facts)))
      (if (i32.gt_u (i32.load offset=8 (call $fact (local.get $i))) (local.get $depth))
        (then (i32.store (call $fact (local.get $i)) (i32.const 0))))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br $more))))

;; A loop begins at `at`: what is assigned behind may have been assigned before.
(func $enter_loop (param $at i32)
  (local $i i32) (local $fact i32) (local $what i32)
  (block $done
    (loop $more
      (br_if $done (i32.eq (local.get $i) (global.get $facts)))
      (local.set $fact (call $fact (local.get $i)))
      (local.set $what (i32.load (local.get $fact)))
      (if (i32.or
            (i32.eqz (global.get $again))
            (i32.gt_u (i32.load (call $assigned (i32.sub (local.get $what) (i32.const 2)))) (local.get $at)))
        (then (i32.store (local.get $fact) (i32.const 0))))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br $more))))

(func $assigned (param $local i32) (result i32)
  (i32.add (i32.add (global.get $known) (i32.const 1288)) (i32.shl (local.get $local) (i32.const 2))))

;; The operand on top becomes the local's value, at `at`.
(func $assign (param $local i32) (param $at i32)
  (local $what i32) (local $source i32) (local $value i64) (local $i i32) (local $fact i32) (local $left i64)
  (if (i32.ge_u (local.get $local) (i32.const 8192)) (then (return)))
  (if (i32.eqz (global.get $again)) (then (i32.store (call $assigned (local.get $local)) (local.get $at))))
  (local.set $what (i32.add (local.get $local) (i32.const 2)))
  (local.set $source (i32.load (call $operand (i32.const 0))))
  (local.set $value (i64.extend_i32_u (i32.load offset=4 (call $operand (i32.const 0)))))
  (block $done
    (loop $more
      (br_if $done (i32.eq (local.get $i) (global.get $height)))
      (if (i32.eq (i32.load (call $operand (local.get $i))) (local.get $what))
        (then (i32.store (call $operand (local.get $i)) (i32.const 0))))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br $more)))
  ;; what was known of itself, before what is known of another takes its places
  (local.set $i (i32.const 0))
  (block $done
    (loop $more
      (br_if $done (i32.eq (local.get $i) (global.get $facts)))
      (local.set $fact (call $fact (local.get $i)))
      (if (i32.eq (i32.load (local.get $fact)) (local.get $what))
        (then
          (local.set $left (i64.sub (i64.load offset=16 (local.get $fact)) (local.get $value)))
          (if (i32.and
                (i32.eq (local.get $source) (local.get $what))
                (i64.gt_s (local.get $left) (i64.const 0)))
            (then (i64.store offset=16 (local.get $fact) (local.get $left)))
            (else (i32.store (local.get $fact) (i32.const 0))))))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br $more)))
  (if (i32.or
        (i32.lt_u (local.get $source) (i32.const 2))
        (i32.eq (local.get $source) (local.get $what)))
    (then (return)))
  (local.set $i (i32.const 0))
  (block $done
    (loop $more
      (br_if $done (i32.eq (local.get $i) (global.get $facts)))
      (local.set $fact (call $fact (local.get $i)))
      (local.set $left (i64.sub (i64.load offset=16 (local.get $fact)) (local.get $value)))
      (if (i32.and
            (i32.eq (i32.load (local.get $fact)) (local.get $source))
            (i64.gt_s (local.get $left) (i64.const 0)))
        (then (call $learn (local.get $what) (i32.load offset=4 (local.get $fact)) (local.get $left))))
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br $more))))

;; --- accesses -------------------------------------------------------------------------------------------------------

;; Whether the bytes that an access reaches, at the operand under `above` others plus its offset, certainly lie in the
;; memory. bytes: offset and size; least: what the memory has at least.
(func $is_inside (param $above i32) (param $memory i32) (param $bytes i64) (param $least i64) (result i32)
  (local $operand i32) (local $what i32) (local $i i32) (local $fact i32)
  (local.set $operand (call $operand (local.get $above)))
  (local.set $what (i32.load (local.get $operand)))
  (local.set $bytes (i64.add (local.get $bytes) (i64.extend_i32_u (i32.load offset=4 (local.get $operand)))))
  (if (i32.eq (local.get $what) (i32.const 1)) (then (return (i64.le_u (local.get $bytes) (local.get $least)))))
  (if (i32.eqz (local.get $what)) (then (return (i32.const 0))))
  (loop $more
    (if (i32.eq (local.get $i) (global.get $facts)) (then (return (i32.const 0))))
    (local.set $fact (call $fact (local.get $i)))
    (if (i32.and
          (i32.and
            (i32.eq (i32.load (local.get $fact)) (local.get $what))
            (i32.eq (i32.load offset=4 (local.get $fact)) (local.get $memory)))
          (i64.ge_u (i64.load offset=16 (local.get $fact)) (local.get $bytes)))
      (then (return (i32.const 1))))
    (local.set $i (i32.add (local.get $i) (i32.const 1)))
    (br $more))
  (unreachable))

;; An access of that many bytes (offset included) at the operand under `above` others has been checked.
(func $was_checked (param $above i32) (param $memory i32) (param $bytes i64)
  (local $operand i32)
  (local.set $operand (call $operand (local.get $above)))
  (if (i32.and
        (i32.gt_u (i32.load (local.get $operand)) (i32.const 1))
        (i32.eqz (i32.load offset=4 (local.get $operand))))
    (then (call $learn (i32.load (local.get $operand)) (local.get $memory) (local.get $bytes)))))

;; The operands behind an access by opcode `first`.
(func $accessed (param $first i32)
  (if (i32.lt_u (local.get $first) (i32.const 0x36))
    (then (call $replace (i32.const 1)) (return)))
  (if (i32.lt_u (local.get $first) (i32.const 0x3F))
    (then (call $pop (i32.const 2)) (return)))
  (global.set $height (i32.const 0)))

;; --- instructions ---------------------------------------------------------------------------------------------------
;; Called for each instruction, once it has been read; of accesses without prefix it says nothing yet.
(func $follow (param $at i32)
  (local $op i32) (local $index i32) (local $value i64)
  (local.set $op (i32.load8_u (local.get $at)))
  (if (i32.and (i32.ge_u (local.get $op) (i32.const 0x28)) (i32.le_u (local.get $op) (i32.const 0x3E))) (then (return)))
  (global.set $before (global.get $height))
  (if (i32.or
        (i32.eq (local.get $op) (i32.const 0x41))
        (i32.eq (i32.and (local.get $op) (i32.const 0xFC)) (i32.const 0x20)))
    (then
      (if (i32.eq (local.get $op) (i32.const 0x41))
        (then
          (call $read_s (i32.add (local.get $at) (i32.const 1)) (i32.const 32)) (drop) (local.set $value)
          (call $push (i32.const 1) (i32.wrap_i64 (local.get $value)))
          (return)))
      (call $index (i32.add (local.get $at) (i32.const 1))) (drop) (local.set $index)
      (if (i32.eq (local.get $op) (i32.const 0x23))
        (then (call $push (i32.const 0) (i32.const 0)) (return)))
      (if (i32.ne (local.get $op) (i32.const 0x20))
        (then (call $assign (local.get $index) (local.get $at)) (call $pop (i32.const 1))))
      (if (i32.ne (local.get $op) (i32.const 0x21))
        (then
          (call $push
            (select (i32.add (local.get $index) (i32.const 2)) (i32.const 0)
              (i32.lt_u (local.get $index) (i32.const 8192)))
            (i32.const 0))))
      (return)))
  (if (i32.eq (local.get $op) (i32.const 0x6A)) (then (call $sum) (return)))
  (if (i32.and (i32.ge_u (local.get $op) (i32.const 0x45)) (i32.le_u (local.get $op) (i32.const 0xC4)))
    (then (call $replace (i32.add (call $is_binary (local.get $op)) (i32.const 1))) (return)))
  (if (i32.and (i32.ge_u (local.get $op) (i32.const 0x42)) (i32.le_u (local.get $op) (i32.const 0x44)))
    (then (call $push (i32.const 0) (i32.const 0)) (return)))
  ;; nop, drop, select, global.set
  (if (i32.eq (local.get $op) (i32.const 0x01)) (then (return)))
  (if (i32.or (i32.eq (local.get $op) (i32.const 0x1A)) (i32.eq (local.get $op) (i32.const 0x24)))
    (then (call $pop (i32.const 1)) (return)))
  (if (i32.eq (local.get $op) (i32.const 0x1B)) (then (call $replace (i32.const 3)) (return)))
  (global.set $height (i32.const 0))
  (call $follow_block (local.get $op) (local.get $at)))

;; Of the numeric instructions without an immediate: 0x45 to 0x84, and from there on.
(func $is_binary (param $op i32) (result i32)
  (local.set $op (i32.sub (local.get $op) (i32.const 0x45)))
  (i32.and
    (i32.wrap_i64
      (i64.shr_u
        (select (i64.const 0xFF8F_FFE3_FFFF_F7FE) (i64.const 0x0000_0003_F80F_E03F)
          (i32.lt_u (local.get $op) (i32.const 64)))
        (i64.extend_i32_u (local.get $op))))
    (i32.const 1)))

(func $follow_block (param $op i32) (param $at i32)
  (if (i32.eq (local.get $op) (i32.const 0x03)) (then (call $enter_loop (local.get $at))))
  ;; block, loop, if, try, try_table
  (if (i32.or
        (i32.and (i32.ge_u (local.get $op) (i32.const 0x02)) (i32.le_u (local.get $op) (i32.const 0x04)))
        (i32.or (i32.eq (local.get $op) (i32.const 0x06)) (i32.eq (local.get $op) (i32.const 0x1F))))
    (then (global.set $depth (i32.add (global.get $depth) (i32.const 1)))))
  ;; else, catch, catch_all
  (if (i32.or
        (i32.eq (local.get $op) (i32.const 0x05))
        (i32.or (i32.eq (local.get $op) (i32.const 0x07)) (i32.eq (local.get $op) (i32.const 0x19))))
    (then (call $forget_deeper (i32.sub (global.get $depth) (i32.const 1)))))
  ;; end, delegate
  (if (i32.or (i32.eq (local.get $op) (i32.const 0x0B)) (i32.eq (local.get $op) (i32.const 0x18)))
    (then
      (global.set $depth (i32.sub (global.get $depth) (i32.const 1)))
      (call $forget_deeper (global.get $depth)))))
