;; What the kernels that replace instructions write with (rebase.wat, lower.wat): bytes between two replacements are copied
;; as they are.
;;
;; Lines that begin with `;;@` are code in kernels that also note where every byte went (positions.wat): bytes that are
;; copied, and where copying goes on; what is written in between belongs to what was there, or else to what comes next.

(global $copied (mut i32) (i32.const 0)) ;; input up to here is in the output
(global $out (mut i32) (i32.const 0))
;;@ (global $noted (mut i32) (i32.const 0)) ;; input whose place in the output is noted

(func $byte (param $value i32)
  (i32.store8 (global.get $out) (local.get $value))
  (global.set $out (i32.add (global.get $out) (i32.const 1))))

(func $op_u (param $op i32) (param $value i32)
  (call $byte (local.get $op))
  (global.set $out (call $write_u (global.get $out) (i64.extend_i32_u (local.get $value)))))

(func $const (param $wide i32) (param $value i64)
  (call $byte (i32.add (i32.const 0x41) (local.get $wide)))
  (global.set $out (call $write_s (global.get $out)
    (select (local.get $value) (i64.extend_i32_s (i32.wrap_i64 (local.get $value))) (local.get $wide)))))

(func $copy_to (param $to i32)
  (local $size i32)
  ;;@ (if (i32.ne (global.get $copied) (global.get $noted))
  ;;@   (then (call $note (global.get $copied) (i32.add (global.get $out) (i32.const 1)))))
  (local.set $size (i32.sub (local.get $to) (global.get $copied)))
  (memory.copy (global.get $out) (global.get $copied) (local.get $size))
  (global.set $out (i32.add (global.get $out) (local.get $size)))
  (global.set $copied (local.get $to))
  ;;@ (global.set $noted (local.get $to))
  ;;@ (call $note (local.get $to) (i32.add (global.get $out) (i32.const 1)))
  )

;; The u32 at `pos`, and what is behind it.
(func $index (param $pos i32) (result i32 i32)
  (local $value i64)
  (call $read_u (local.get $pos) (i32.const 32)) (local.set $pos) (local.set $value)
  (i32.wrap_i64 (local.get $value)) (local.get $pos))
