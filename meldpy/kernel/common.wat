;; What the two loops of the kernel share: the memory's fixed part, LEB128, failures.
;;
;; This file and the others beside it are lists of module fields; `loader.py` joins them to one module.
;;
;; The fixed part of the memory (loader.py knows the same addresses):
;;   0x0000  shapes of one-byte opcodes, then of 0xFB, 0xFC, 0xFD, 0xFE (512 each); u32 entries, see opcodes.py
;;   0x2400  TypeCode of each byte value
;;   0x2500  16 descriptors (address: u32, count: u32), one per index-carrying immediate, by its code;
;;           descriptor 0 is that of type indices written as s33
;;   0x2580  state, u32 each: failure +0, its offset +4, the first byte not read +8, detail +12,
;;           input consumed +16, bodies done +20, output end +24, largest body +28, immediate at fault +32
;;
;; Nothing here checks the end of the input before each byte. The buffer goes on for 64 bytes behind the input, no
;; single step reads that far, and every step is followed by a check against the end of the body. A failure found
;; in bytes behind the end of the body is reported for what it is: a body that ends too early.
;;
;; Failures: 1 body ends too early, 2 malformed LEB, 3 unknown opcode, 4 unknown type, 5 malformed type,
;; 6 index out of range, 7 index of a dropped item, 8 bytes behind the final `end`, 9 malformed memarg flags,
;; 10 byte out of range, 12 `delegate` closes the body, 13 no room for one more local

(memory (export "memory") 1)

(func $fail (param $code i32) (param $at i32) (param $after i32) (param $detail i32)
  (i32.store (i32.const 0x2580) (local.get $code))
  (i32.store (i32.const 0x2584) (local.get $at))
  (i32.store (i32.const 0x2588) (local.get $after))
  (i32.store (i32.const 0x258C) (local.get $detail)))

;; `index` is out of range, or that of a dropped item; `kind` is its immediate's code (or 0: a type).
(func $fail_index (param $code i32) (param $at i32) (param $after i32) (param $index i32) (param $kind i32)
  (i32.store (i32.const 0x25A0) (local.get $kind))
  (call $fail (local.get $code) (local.get $at) (local.get $after) (local.get $index)))

;; The body ends too early.
(func $fail_short (param $end i32)
  (call $fail (i32.const 1) (local.get $end) (local.get $end) (i32.const 0)))

;; A failure behind the end of the body is only a consequence.
(func $settle_failure (param $end i32)
  (if (i32.gt_u (i32.load (i32.const 0x2588)) (local.get $end))
    (then (call $fail_short (local.get $end)))))

;; A single byte that is no type we know may be one of a proposal; any other is misplaced.
(func $fail_type (param $at i32) (param $byte i32)
  (call $fail
    (select (i32.const 4) (i32.const 5)
      (i32.and (i32.eqz (i32.load8_u offset=0x2400 (local.get $byte)))
               (i32.eq (i32.and (local.get $byte) (i32.const 0xC0)) (i32.const 0x40))))
    (local.get $at) (i32.add (local.get $at) (i32.const 1)) (local.get $byte)))

;; Unsigned LEB128 of at most `bits` bits: (value, address behind it), or address 0 if malformed.
(func $read_u (param $at i32) (param $bits i32) (result i64 i32)
  (local $value i64) (local $shift i32) (local $byte i32)
  (loop $more
    (local.set $byte (i32.load8_u (local.get $at)))
    (local.set $at (i32.add (local.get $at) (i32.const 1)))
    (local.set $value
      (i64.or (local.get $value)
        (i64.shl (i64.extend_i32_u (i32.and (local.get $byte) (i32.const 0x7F)))
                 (i64.extend_i32_u (local.get $shift)))))
    ;; in the last byte allowed, neither the continuation bit nor a bit above `bits` may be set
    (if (i32.gt_u (i32.add (local.get $shift) (i32.const 7)) (local.get $bits))
      (then
        (if (i32.shr_u (local.get $byte) (i32.sub (local.get $bits) (local.get $shift)))
          (then (return (i64.const 0) (i32.const 0))))))
    (local.set $shift (i32.add (local.get $shift) (i32.const 7)))
    (br_if $more (i32.and (local.get $byte) (i32.const 0x80))))
  (local.get $value) (local.get $at))

;; Signed LEB128 of at most `bits` bits: (value, address behind it), or address 0 if malformed.
(func $read_s (param $at i32) (param $bits i32) (result i64 i32)
  (local $value i64) (local $shift i32) (local $byte i32)
  (loop $more
    (local.set $byte (i32.load8_u (local.get $at)))
    (local.set $at (i32.add (local.get $at) (i32.const 1)))
    (local.set $value
      (i64.or (local.get $value)
        (i64.shl (i64.extend_i32_u (i32.and (local.get $byte) (i32.const 0x7F)))
                 (i64.extend_i32_u (local.get $shift)))))
    ;; in the last byte allowed, no continuation, and all bits from the sign bit upwards are equal
    (if (i32.gt_u (i32.add (local.get $shift) (i32.const 7)) (local.get $bits))
      (then
        (if (i32.or
              (i32.and (local.get $byte) (i32.const 0x80))
              (i32.gt_u
                (i32.add (i32.const 1)
                  (i32.shr_s (i32.shr_s (i32.shl (local.get $byte) (i32.const 25)) (i32.const 25))
                             (i32.sub (i32.sub (local.get $bits) (local.get $shift)) (i32.const 1))))
                (i32.const 1)))
          (then (return (i64.const 0) (i32.const 0))))))
    (local.set $shift (i32.add (local.get $shift) (i32.const 7)))
    (br_if $more (i32.and (local.get $byte) (i32.const 0x80))))
  (if (i32.lt_u (local.get $shift) (i32.const 64))
    (then
      (local.set $shift (i32.sub (i32.const 64) (local.get $shift)))
      (local.set $value
        (i64.shr_s (i64.shl (local.get $value) (i64.extend_i32_u (local.get $shift)))
                   (i64.extend_i32_u (local.get $shift))))))
  (local.get $value) (local.get $at))

;; Shortest unsigned LEB128; result: the address behind it. Writes no byte more.
(func $write_u (param $at i32) (param $value i64) (result i32)
  (loop $more
    (if (i64.gt_u (local.get $value) (i64.const 0x7F))
      (then
        (i32.store8 (local.get $at) (i32.or (i32.wrap_i64 (local.get $value)) (i32.const 0x80)))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (local.set $value (i64.shr_u (local.get $value) (i64.const 7)))
        (br $more))))
  (i32.store8 (local.get $at) (i32.wrap_i64 (local.get $value)))
  (i32.add (local.get $at) (i32.const 1)))

;; Shortest signed LEB128; result: the address behind it. Writes no byte more.
(func $write_s (param $at i32) (param $value i64) (result i32)
  (loop $more
    ;; one byte holds -64 to 63
    (if (i64.gt_u (i64.add (local.get $value) (i64.const 64)) (i64.const 127))
      (then
        (i32.store8 (local.get $at) (i32.or (i32.wrap_i64 (local.get $value)) (i32.const 0x80)))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (local.set $value (i64.shr_s (local.get $value) (i64.const 7)))
        (br $more))))
  (i32.store8 (local.get $at) (i32.and (i32.wrap_i64 (local.get $value)) (i32.const 0x7F)))
  (i32.add (local.get $at) (i32.const 1)))

;; Length of the shortest unsigned LEB128 of `value`.
(func $length_u (param $value i32) (result i32)
  (i32.div_u (i32.sub (i32.const 38) (i32.clz (i32.or (local.get $value) (i32.const 1)))) (i32.const 7)))

;; The body at `in`, its size in front: (its start, its end). Start 0: it does not lie before `limit` as a whole.
;; End 0: its size is malformed.
(func $frame (param $in i32) (param $limit i32) (result i32 i32)
  (local $size i64) (local $start i32)
  (if (i32.ge_u (local.get $in) (local.get $limit)) (then (return (i32.const 0) (i32.const 0))))
  (call $read_u (local.get $in) (i32.const 32)) (local.set $start) (local.set $size)
  (if (i32.eqz (local.get $start))
    (then
      ;; a size cut off by the limit is read again with what follows it
      (if (i32.gt_u (i32.add (local.get $in) (i32.const 5)) (local.get $limit))
        (then (return (i32.const 0) (i32.const 0))))
      (call $fail (i32.const 2) (local.get $in) (local.get $in) (i32.const 0))
      (return (local.get $in) (i32.const 0))))
  (local.set $size (i64.add (i64.extend_i32_u (local.get $start)) (local.get $size)))
  (if (i64.gt_u (local.get $size) (i64.extend_i32_u (local.get $limit)))
    (then (return (i32.const 0) (i32.const 0))))
  (local.get $start) (i32.wrap_i64 (local.get $size)))
