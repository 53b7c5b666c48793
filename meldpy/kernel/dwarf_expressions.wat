;; DWARF expressions: patched where they lie, never resized. Spec: DWARF 5 section 2.5 and 7.7; WebAssembly's
;; DW_OP_WASM_location (0xED).

;; The expression from `start` to `end`; its copy, to be patched, begins at `out`.
(func $expression (param $start i32) (param $end i32) (param $out i32)
  (local $p i32) (local $e i32) (local $shift i32) (local $at i32)
  (local.set $p (global.get $p))
  (local.set $e (global.get $e))
  (local.set $shift (i32.sub (local.get $out) (local.get $start)))
  (global.set $p (local.get $start))
  (global.set $e (local.get $end))
  (block $done
    (loop $operation
      (br_if $done (i32.ge_u (global.get $p) (global.get $e)))
      (call $burn (i32.const 1))
      (block $wasm (block $type (block $entry (block $pointer (block $reference (block $block (block $address
      (block $two_lebs (block $leb (block $eight (block $four (block $two (block $one (block $none (block $unknown
        (br_table $unknown $none $one $two $four $eight $leb $two_lebs $address $block $reference $pointer $entry $type
                  $wasm $unknown
          (i32.load8_u offset=0x200 (call $u8))))
      (call $fail (i32.const 9)))
      (br $operation))
      (call $skip (i32.const 1)) (br $operation))
      (call $skip (i32.const 2)) (br $operation))
      (call $skip (i32.const 4)) (br $operation))
      (call $skip (i32.const 8)) (br $operation))
      (drop (call $uleb)) (br $operation))
      (drop (call $uleb)) (drop (call $uleb)) (br $operation))
      ;; address: always one in memory, so it does not go through the map of the code. Memories that are joined into
      ;; one move what lies in them: here, and in the entries of .debug_addr that no one uses for code.
      (call $skip (global.get $address_size)) (br $operation))
      ;; block: a length and as many bytes
      (call $skip (call $uleb32)) (br $operation))
      ;; reference: the offset of an entry in .debug_info
      (local.set $at (i32.add (global.get $p) (local.get $shift)))
      (call $move_reference (local.get $at)) (br $operation))
      ;; pointer: the same, and an offset behind it
      (local.set $at (i32.add (global.get $p) (local.get $shift)))
      (call $move_reference (local.get $at)) (drop (call $sleb)) (br $operation))
      ;; entry: an expression in the expression; its operations are walked like the others
      (call $need (call $uleb32)) (br $operation))
      ;; type: an entry of the unit, a size, and as many bytes
      (drop (call $uleb)) (call $skip (call $u8)) (br $operation))
      ;; wasm: a place of the engine: a local, a global (LEB128), the operand stack, a global (u32)
      (if (call $wasm_location (local.get $shift)) (then (br $operation)))
      ;; its global was left out: whatever this says, it is no longer anywhere
      (memory.fill (local.get $out) (i32.const 0x96) (i32.sub (local.get $end) (local.get $start)))))
  (global.set $p (local.get $p))
  (global.set $e (local.get $e)))

(func $move_reference (param $at i32)
  (if (i32.and (i32.eq (global.get $version) (i32.const 2)) (i32.eq (global.get $address_size) (i32.const 8)))
    (then (i64.store (local.get $at) (i64.add (call $u64) (i64.extend_i32_u (global.get $info_base)))))
    (else (i32.store (local.get $at) (i32.add (call $u32) (global.get $info_base))))))

;; The operands of DW_OP_WASM_location; result: 0 if it names a global that was left out.
(func $wasm_location (param $shift i32) (result i32)
  (local $kind i32) (local $at i32) (local $index i32)
  (local.set $kind (call $u8))
  (local.set $at (global.get $p))
  (if (i32.eq (local.get $kind) (i32.const 3))
    (then (local.set $index (call $u32)))
    (else
      (if (i32.gt_u (local.get $kind) (i32.const 3)) (then (call $fail (i32.const 9))))
      (local.set $index (call $uleb32))))
  (if (i32.eqz (i32.and (local.get $kind) (i32.const 1))) (then (return (i32.const 1))))
  (if (i32.ge_u (local.get $index) (global.get $global_count)) (then (call $fail (i32.const 8))))
  (local.set $index (i32.load (i32.add (global.get $globals) (i32.shl (local.get $index) (i32.const 2)))))
  (if (i32.eq (local.get $index) (i32.const -1)) (then (return (i32.const 0))))
  (if (i32.eq (local.get $kind) (i32.const 3))
    (then (i32.store (i32.add (local.get $at) (local.get $shift)) (local.get $index)))
    (else
      (call $put_padded (i32.add (local.get $at) (local.get $shift)) (local.get $at) (global.get $p)
        (i64.extend_i32_u (local.get $index)) (i32.const 0))))
  (i32.const 1))
