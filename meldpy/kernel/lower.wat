;; Replaces instructions that a target lacks by such as it has (see lower.py for the purpose and the tables).
;;
;; scan.wat finds the instructions (its lines marked `;;! ` are code here): `$see` is called for each once it has been
;; read, but for the last `end`. Between two of them bytes are copied as they are.
;;
;; Tables, entries u32, -1 where an instruction stays:
;;   truncations  by opcode behind 0xFC, 8 of them: the function in its place
;;   copies       by destination * memories + source, likewise
;;   fills        by memory, likewise
;;   extras       by function: where its list is, else 0: how many results it has beyond the first, and their globals

(global $signs (mut i32) (i32.const 0)) ;; whether sign extensions are replaced
(global $truncations (mut i32) (i32.const 0))
(global $copies (mut i32) (i32.const 0))
(global $fills (mut i32) (i32.const 0))
(global $extras (mut i32) (i32.const 0))
(global $memories (mut i32) (i32.const 0))
(global $imported (mut i32) (i32.const 0)) ;; functions
(global $own (mut i32) (i32.const 0)) ;; the list of the function at hand
(global $depth (mut i32) (i32.const 0)) ;; of blocks around the instruction at hand
(global $stuck (mut i32) (i32.const 0)) ;; whether a branch leaves a function of several results

(func (export "lower_setup") (param i32 i32 i32 i32 i32 i32 i32)
  (global.set $signs (local.get 0))
  (global.set $truncations (local.get 1))
  (global.set $copies (local.get 2))
  (global.set $fills (local.get 3))
  (global.set $extras (local.get 4))
  (global.set $memories (local.get 5))
  (global.set $imported (local.get 6))
  (global.set $stuck (i32.const 0)))

(func (export "lower_stuck") (result i32)
  (global.get $stuck))

;; --- several results ------------------------------------------------------------------------------------------------
(func $extra (param $function i32) (result i32)
  (i32.load (i32.add (global.get $extras) (i32.shl (local.get $function) (i32.const 2)))))

;; All results of the function at hand but the first go from the stack into their globals, the last one first.
(func $put_away
  (local $left i32)
  (if (i32.eqz (global.get $own)) (then (return)))
  (local.set $left (i32.load (global.get $own)))
  (loop $more
    (call $op_u (i32.const 0x24)
      (i32.load (i32.add (global.get $own) (i32.shl (local.get $left) (i32.const 2)))))
    (br_if $more (local.tee $left (i32.sub (local.get $left) (i32.const 1))))))

;; And back, behind a call.
(func $take_out (param $list i32)
  (local $at i32)
  (loop $more
    (local.set $at (i32.add (local.get $at) (i32.const 1)))
    (call $op_u (i32.const 0x23)
      (i32.load (i32.add (local.get $list) (i32.shl (local.get $at) (i32.const 2)))))
    (br_if $more (i32.lt_u (local.get $at) (i32.load (local.get $list))))))

;; A branch to a label: one that leaves the function would have to take all results along.
(func $branch (param $label i64)
  (if (i64.eq (local.get $label) (i64.extend_i32_u (global.get $depth)))
    (then (global.set $stuck (i32.const 1)))))

(func $branch_table (param $pos i32)
  (local $left i32) (local $label i64)
  (call $index (local.get $pos)) (local.set $pos) (local.set $left)
  (loop $more
    (call $read_u (local.get $pos) (i32.const 32)) (local.set $pos) (local.set $label)
    (call $branch (local.get $label))
    (local.set $left (i32.sub (local.get $left) (i32.const 1)))
    (br_if $more (i32.ge_s (local.get $left) (i32.const 0)))))

;; --- one instruction ------------------------------------------------------------------------------------------------

;; Shifted up, and down again with its sign.
(func $extend (param $wide i32) (param $bits i64)
  (call $const (local.get $wide) (local.get $bits))
  (call $byte (select (i32.const 0x86) (i32.const 0x74) (local.get $wide)))
  (call $const (local.get $wide) (local.get $bits))
  (call $byte (select (i32.const 0x87) (i32.const 0x75) (local.get $wide))))

;; A call in place of the instruction from `at` to `after`, if there is a function for it.
(func $call_instead (param $function i32) (param $at i32) (param $after i32)
  (if (i32.eq (local.get $function) (i32.const -1)) (then (return)))
  (call $copy_to (local.get $at))
  (global.set $copied (local.get $after))
  (call $op_u (i32.const 0x10) (local.get $function)))

(func $prefixed (param $at i32)
  (local $sub i32) (local $pos i32) (local $first i32) (local $second i32)
  (call $index (i32.add (local.get $at) (i32.const 1))) (local.set $pos) (local.set $sub)
  (if (i32.lt_u (local.get $sub) (i32.const 8))
    (then
      (call $call_instead
        (i32.load (i32.add (global.get $truncations) (i32.shl (local.get $sub) (i32.const 2))))
        (local.get $at) (local.get $pos))
      (return)))
  (if (i32.eq (local.get $sub) (i32.const 0x0A))
    (then
      (call $index (local.get $pos)) (local.set $pos) (local.set $first)
      (call $index (local.get $pos)) (local.set $pos) (local.set $second)
      (call $call_instead
        (i32.load
          (i32.add (global.get $copies)
            (i32.shl
              (i32.add (i32.mul (local.get $first) (global.get $memories)) (local.get $second))
              (i32.const 2))))
        (local.get $at) (local.get $pos))
      (return)))
  (if (i32.eq (local.get $sub) (i32.const 0x0B))
    (then
      (call $index (local.get $pos)) (local.set $pos) (local.set $first)
      (call $call_instead
        (i32.load (i32.add (global.get $fills) (i32.shl (local.get $first) (i32.const 2))))
        (local.get $at) (local.get $pos)))))

;; Called by scan.wat for an instruction that names a memory: `$see` has had it.
(func $site (param $at i32) (param $after i32))

(func $see (param $at i32)
  (local $first i32) (local $pos i32) (local $value i64) (local $which i32)
  (local.set $first (i32.load8_u (local.get $at)))
  (local.set $pos (i32.add (local.get $at) (i32.const 1)))
  (if (i32.eq (local.get $first) (i32.const 0xFC)) (then (call $prefixed (local.get $at)) (return)))
  (if (i32.and (global.get $signs) (i32.lt_u (i32.sub (local.get $first) (i32.const 0xC0)) (i32.const 5)))
    (then
      (call $copy_to (local.get $at))
      (global.set $copied (local.get $pos))
      (local.set $which (i32.sub (local.get $first) (i32.const 0xC0)))
      (call $extend (i32.ge_u (local.get $which) (i32.const 2))
        ;; 24, 16, 56, 48, 32
        (i64.and
          (i64.shr_u (i64.const 0x2030381018) (i64.extend_i32_u (i32.shl (local.get $which) (i32.const 3))))
          (i64.const 0xFF)))
      (return)))
  (if (i32.eq (local.get $first) (i32.const 0x10))
    (then
      (call $index (local.get $pos)) (local.set $pos) (local.set $which)
      (local.set $which (call $extra (local.get $which)))
      (if (local.get $which)
        (then
          (call $copy_to (local.get $pos))
          (call $take_out (local.get $which))))
      (return)))
  (if (i32.eqz (global.get $own)) (then (return)))
  (if (i32.eq (local.get $first) (i32.const 0x0F))
    (then
      (call $copy_to (local.get $at))
      (call $put_away)
      (return)))
  ;; block, loop, if, try, try_table
  (if (i32.or
        (i32.le_u (i32.sub (local.get $first) (i32.const 0x02)) (i32.const 2))
        (i32.or (i32.eq (local.get $first) (i32.const 0x06)) (i32.eq (local.get $first) (i32.const 0x1F))))
    (then
      ;; where a handler leads is not looked at
      (if (i32.eq (local.get $first) (i32.const 0x1F)) (then (global.set $stuck (i32.const 1))))
      (global.set $depth (i32.add (global.get $depth) (i32.const 1)))
      (return)))
  ;; end, delegate
  (if (i32.or (i32.eq (local.get $first) (i32.const 0x0B)) (i32.eq (local.get $first) (i32.const 0x18)))
    (then
      (global.set $depth (i32.sub (global.get $depth) (i32.const 1)))
      (return)))
  ;; br, br_if, br_on_null, br_on_non_null
  (if (i32.or
        (i32.le_u (i32.sub (local.get $first) (i32.const 0x0C)) (i32.const 1))
        (i32.le_u (i32.sub (local.get $first) (i32.const 0xD5)) (i32.const 1)))
    (then
      (call $read_u (local.get $pos) (i32.const 32)) (drop) (local.set $value)
      (call $branch (local.get $value))
      (return)))
  (if (i32.eq (local.get $first) (i32.const 0x0E)) (then (call $branch_table (local.get $pos)) (return)))
  ;; br_on_cast is not looked at either
  (if (i32.eq (local.get $first) (i32.const 0xFB)) (then (global.set $stuck (i32.const 1)))))

;; --- bodies ---------------------------------------------------------------------------------------------------------

;; Rewrites bodies as `scan` reads them, from `in` on, to `out`. The output ends at state +24.
(func (export "lower")
  (param $in i32) (param $limit i32) (param $count i32) (param $number i32) (param $records i32) (param $out i32)
  (result i32)
  (local $start i32) (local $end i32) (local $bodies i32) (local $code i32) (local $content i32) (local $size i32)
  (global.set $function (local.get $number))
  (global.set $out (local.get $out))
  (block $done
    (loop $more
      (br_if $done (i32.eq (local.get $bodies) (local.get $count)))
      (call $frame (local.get $in) (local.get $limit)) (local.set $end) (local.set $start)
      (br_if $done (i32.eqz (local.get $start)))
      (if (i32.eqz (local.get $end)) (then (return (i32.const 1))))
      ;; 5 bytes are left for the size
      (local.set $content (i32.add (global.get $out) (i32.const 5)))
      (global.set $out (local.get $content))
      (global.set $copied (local.get $start))
      (global.set $kinds (local.get $records))
      (global.set $indices (local.get $records))
      (global.set $depth (i32.const 0))
      (global.set $own
        (call $extra (i32.add (global.get $imported) (i32.sub (global.get $function) (i32.const 1)))))
      (if (i32.eqz (call $scan_body (local.get $start) (local.get $end))) (then (return (i32.const 1))))
      (call $copy_to (i32.sub (local.get $end) (i32.const 1)))
      (call $put_away)
      (call $copy_to (local.get $end))
      (local.set $size (i32.sub (global.get $out) (local.get $content)))
      (local.set $code (call $write_u (i32.sub (local.get $content) (i32.const 5)) (i64.extend_i32_u (local.get $size))))
      (memory.copy (local.get $code) (local.get $content) (local.get $size))
      (global.set $out (i32.add (local.get $code) (local.get $size)))
      ;;@ (call $note_kept (local.get $in) (local.get $start) (local.get $end)
      ;;@   (i32.sub (local.get $content) (i32.const 5)) (local.get $code) (i32.sub (local.get $code) (local.get $content))
      ;;@   (global.get $out))
      (local.set $in (local.get $end))
      (local.set $bodies (i32.add (local.get $bodies) (i32.const 1)))
      (global.set $function (i32.add (global.get $function) (i32.const 1)))
      (br $more)))
  (i32.store (i32.const 0x2590) (local.get $in))
  (i32.store (i32.const 0x2594) (local.get $bodies))
  (i32.store (i32.const 0x2598) (global.get $out))
  (i32.const 0))
