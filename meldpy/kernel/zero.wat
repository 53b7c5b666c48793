;; Whether a function returns nothing but the constant 0 (see zero.py for the purpose).
;;
;; scan.wat walks the body (its lines marked `;;! ` are code here): `$see` is called for each instruction but the last
;; `end`, in order. A way out of the function is good if `i32.const 0` stands right before it. What would take more to
;; follow is taken for bad: a conditional branch out of the function, tail calls, catch clauses, branches of the
;; garbage collection proposal.

(global $last (mut i32) (i32.const 0))  ;; the instruction before, 0 if there is none
(global $before (mut i32) (i32.const 0)) ;; and the one before that
(global $open (mut i32) (i32.const 0))  ;; blocks that are open
(global $bad (mut i32) (i32.const 0))   ;; some way out returns what is not known

;; Called by scan.wat behind each instruction that names a memory.
(func $site (param i32 i32))

(func $see (param $at i32)
  (local $opcode i32) (local $label i64)
  (global.set $before (global.get $last))
  (global.set $last (local.get $at))
  (local.set $opcode (i32.load8_u (local.get $at)))
  ;; block, loop, if, legacy try
  (if (i32.or
        (i32.and (i32.ge_u (local.get $opcode) (i32.const 0x02)) (i32.le_u (local.get $opcode) (i32.const 0x04)))
        (i32.eq (local.get $opcode) (i32.const 0x06)))
    (then (global.set $open (i32.add (global.get $open) (i32.const 1))) (return)))
  ;; end, delegate
  (if (i32.or (i32.eq (local.get $opcode) (i32.const 0x0B)) (i32.eq (local.get $opcode) (i32.const 0x18)))
    (then (global.set $open (i32.sub (global.get $open) (i32.const 1))) (return)))
  ;; return
  (if (i32.eq (local.get $opcode) (i32.const 0x0F))
    (then (call $leaves (local.get $at)) (return)))
  ;; br, br_if: only those out of the function matter
  (if (i32.or (i32.eq (local.get $opcode) (i32.const 0x0C)) (i32.eq (local.get $opcode) (i32.const 0x0D)))
    (then
      (call $read_u (i32.add (local.get $at) (i32.const 1)) (i32.const 32)) (drop) (local.set $label)
      (if (i64.ge_u (local.get $label) (i64.extend_i32_u (global.get $open)))
        (then
          (if (i32.eq (local.get $opcode) (i32.const 0x0D)) (then (global.set $bad (i32.const 1))))
          (call $leaves (local.get $at))))
      (return)))
  ;; br_table, tail calls, try_table, br_on_null, br_on_non_null, br_on_cast and whatever else has the prefix FB
  (if (i32.or
        (i32.or
          (i32.or (i32.eq (local.get $opcode) (i32.const 0x0E)) (i32.eq (local.get $opcode) (i32.const 0x12)))
          (i32.or (i32.eq (local.get $opcode) (i32.const 0x13)) (i32.eq (local.get $opcode) (i32.const 0x15))))
        (i32.or
          (i32.or (i32.eq (local.get $opcode) (i32.const 0x1F)) (i32.eq (local.get $opcode) (i32.const 0xFB)))
          (i32.or (i32.eq (local.get $opcode) (i32.const 0xD5)) (i32.eq (local.get $opcode) (i32.const 0xD6)))))
    (then
      (global.set $bad (i32.const 1)))))

;; The function is left by what is at `at`: a constant 0 must be right before it.
(func $leaves (param $at i32)
  (if (i32.eqz (call $is_zero (global.get $before) (local.get $at))) (then (global.set $bad (i32.const 1)))))

;; Whether the instruction from `from` to `to` is i32.const 0.
(func $is_zero (param $from i32) (param $to i32) (result i32)
  (if (i32.eqz (local.get $from)) (then (return (i32.const 0))))
  (i32.and
    (i32.eq (i32.load16_u (local.get $from)) (i32.const 0x0041))
    (i32.eq (i32.add (local.get $from) (i32.const 2)) (local.get $to))))

;; The body from `in` to `limit`, its size in front; kinds, indices: where records may go. 1 if it returns nothing but 0.
(func (export "zero") (param $in i32) (param $limit i32) (param $kinds i32) (param $indices i32) (result i32)
  (local $opcode i32) (local $end i32)
  (global.set $function (i32.const 1))
  (global.set $kinds (local.get $kinds))
  (global.set $indices (local.get $indices))
  (global.set $last (i32.const 0))
  (global.set $before (i32.const 0))
  (global.set $open (i32.const 0))
  (global.set $bad (i32.const 0))
  (call $frame (local.get $in) (local.get $limit)) (local.set $end) (local.set $in)
  (if (i32.eqz (local.get $end)) (then (return (i32.const 0))))
  (if (i32.eqz (call $scan_body (local.get $in) (local.get $end))) (then (return (i32.const 0))))
  (if (i32.or (global.get $bad) (i32.eqz (global.get $last))) (then (return (i32.const 0))))
  ;; The last `end` is left through what comes before it, or cannot be reached: unreachable, br, return.
  (local.set $opcode (i32.load8_u (global.get $last)))
  (i32.or
    (i32.or
      (i32.eqz (local.get $opcode))
      (i32.or (i32.eq (local.get $opcode) (i32.const 0x0C)) (i32.eq (local.get $opcode) (i32.const 0x0F))))
    (call $is_zero (global.get $last) (i32.sub (local.get $end) (i32.const 1)))))
