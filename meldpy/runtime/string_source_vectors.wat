;; Whether utf16 and utf8 are well formed, by vectors (a part of string_source.wat).

;; The `left` bytes at `ptr`, fewer than 16, at the end of a string of at least 16: zeros behind them.
(@define last_block ()
  (v128.load $src align=1 (S.sub (S.add (local.get $ptr) (local.get $left)) (S.const 16)))
  (v128.const i8x16 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 31)
  local.get $left
  i32.from_S
  i8x16.splat
  i8x16.sub
  i8x16.swizzle)

;; Bit pairs that are wrong: a low surrogate without a high one before it, or a high one that no low one follows.
(@define judged_utf16 (before block)
  (v128.xor
    (i16x8.eq
      (v128.and
        (i8x16.shuffle 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 before block)
        (i16x8.splat (i32.const 0xFC00)))
      (i16x8.splat (i32.const 0xD800)))
    (i16x8.eq
      (v128.and block (i16x8.splat (i32.const 0xFC00)))
      (i16x8.splat (i32.const 0xDC00)))))

(@define surrogates (block)
  (i16x8.eq (v128.and block (i16x8.splat (i32.const 0xF800))) (i16x8.splat (i32.const 0xD800))))

;; Every surrogate must belong to a pair. The same shape as check_utf8 below: quickly while there are none, then by
;; judging, and what is shorter than a vector with zeros behind it.
(func $string.check_utf16 (export "utf16") (param $ptr S) (param $units S)
  (local $size i64) (local $start i64) (local $left S)
  (local $before v128) (local $block v128) (local $second v128) (local $third v128) (local $fourth v128)
  (local $wrong v128) (local $found v128)
  (@check_range 1)
  (local.set $left (S.shl (local.get $units) (S.const 1)))
  block $done
    (if (S.lt_u (local.get $left) (S.const 16))
      (then
        (br_if $done (S.eqz (local.get $left)))
        (local.set $block (call $string.load_short (local.get $ptr) (local.get $left)))
        (local.set $wrong (@judged_utf16 (local.get $before) (local.get $block)))
        (br $done)))
    loop $plain
      ;; Here no pair is open.
      (local.set $before (v128.const i64x2 0 0))
      loop $any
        (if (S.ge_u (local.get $left) (S.const 64))
          (then
            (local.set $block (v128.load $src align=2 (local.get $ptr)))
            (local.set $second (v128.load $src offset=16 align=2 (local.get $ptr)))
            (local.set $third (v128.load $src offset=32 align=2 (local.get $ptr)))
            (local.set $fourth (v128.load $src offset=48 align=2 (local.get $ptr)))
            (local.set $ptr (S.add (local.get $ptr) (S.const 64)))
            (local.set $left (S.sub (local.get $left) (S.const 64)))
            (local.set $found
              (v128.or
                (v128.or (@surrogates (local.get $block)) (@surrogates (local.get $second)))
                (v128.or (@surrogates (local.get $third)) (@surrogates (local.get $fourth)))))
            (if (v128.any_true (v128.or (local.get $found) (@surrogates (local.get $before))))
              (then
                (local.set $wrong
                  (v128.or
                    (v128.or
                      (local.get $wrong)
                      (v128.or
                        (@judged_utf16 (local.get $before) (local.get $block))
                        (@judged_utf16 (local.get $block) (local.get $second))))
                    (v128.or
                      (@judged_utf16 (local.get $second) (local.get $third))
                      (@judged_utf16 (local.get $third) (local.get $fourth)))))
                (local.set $before (local.get $fourth))
                (br_if $any (v128.any_true (local.get $found)))))
            (br $plain)))
        (if (S.ge_u (local.get $left) (S.const 16))
          (then
            (local.set $block (v128.load $src align=2 (local.get $ptr)))
            (local.set $ptr (S.add (local.get $ptr) (S.const 16)))
            (local.set $left (S.sub (local.get $left) (S.const 16)))
            (local.set $wrong (v128.or (local.get $wrong) (@judged_utf16 (local.get $before) (local.get $block))))
            (local.set $before (local.get $block))
            (br $any)))
      end
    end
    (if (S.eqz (local.get $left))
      (then
        ;; No unit follows the last one.
        (local.set $wrong
          (v128.or
            (local.get $wrong)
            (i16x8.eq
              (v128.and (local.get $before) (v128.const i16x8 0 0 0 0 0 0 0 0xFC00))
              (v128.const i16x8 1 1 1 1 1 1 1 0xD800))))
        (br $done)))
    (@last_block)
    local.set $block
    (local.set $wrong (v128.or (local.get $wrong) (@judged_utf16 (local.get $before) (local.get $block))))
  end
  (if (v128.any_true (local.get $wrong)) (then (call $trap_invalid_utf16))))

;; What is wrong with the bytes of `block` behind those of `before`: zeros if nothing is.
;;
;; Whether a byte may follow the one before it depends on their upper halves and the lower half of the first. Three
;; tables say which errors each half allows, one bit for each kind (Unicode, table 3-7), and what all three allow is
;; one. Bit 0: a continuation behind ASCII. 1: none behind a lead. 2: C0 and C1. 3: E0 80 to 9F. 4: ED A0 to BF.
;; 5: F0 80 to 8F, and F5 to FF with 80 to 8F. 6: F4 90 to BF, and F5 to FF with 90 to BF. 7: a continuation behind a
;; continuation, which is right exactly if a lead of three bytes is two before it, or one of four bytes three.
(@define judged (before block)
  (v128.xor
    (v128.and
      (v128.and
        (i8x16.swizzle
          (v128.const i8x16 1 1 1 1 1 1 1 1 0x80 0x80 0x80 0x80 0x06 0x02 0x1A 0x62)
          (i8x16.shr_u
            (i8x16.shuffle 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 before block)
            (i32.const 4)))
        (i8x16.swizzle
          (v128.const i8x16 0xAF 0x87 0x83 0x83 0xC3 0xE3 0xE3 0xE3 0xE3 0xE3 0xE3 0xE3 0xE3 0xF3 0xE3 0xE3)
          (v128.and
            (i8x16.shuffle 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30 before block)
            (i8x16.splat (i32.const 0x0F)))))
      (i8x16.swizzle
        (v128.const i8x16 2 2 2 2 2 2 2 2 0xAD 0xCD 0xD5 0xD5 2 2 2 2)
        (i8x16.shr_u block (i32.const 4))))
    (v128.and
      (v128.or
        (i8x16.sub_sat_u
          (i8x16.shuffle 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 before block)
          (i8x16.splat (i32.const 0x60)))
        (i8x16.sub_sat_u
          (i8x16.shuffle 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 before block)
          (i8x16.splat (i32.const 0x70))))
      (i8x16.splat (i32.const 0x80)))))

;; Vectors at `at` plus each offset, all bits of any of them.
(@define two (at a b)
  (v128.or (v128.load $src offset=a align=1 at) (v128.load $src offset=b align=1 at)))
(@define four (at a b c d)
  (v128.or (@two at a b) (@two at c d)))

;; The check that most strings meet, short ones above all. ASCII is skipped where it lies, up to 128 bytes at a time.
;; From where it ends, text of any script is judged by vectors, until 64 bytes are ASCII again. What is shorter than a
;; vector, a string or the end of one, is judged in a register, with zeros behind it: they complete no sequence.
(func $string.check_utf8 (export "utf8") (param $ptr S) (param $units S)
  (local $end S) (local $left S) (local $size i64) (local $start i64)
  (local $before v128) (local $block v128) (local $second v128) (local $third v128) (local $fourth v128)
  (local $wrong v128)
  (if (S.gt_u (local.get $units) (S.const 0x0FFF_FFFF)) (then (call $trap_too_long)))
  (@check_bounds (local.get $units))
  (local.set $end (S.add (local.get $ptr) (local.get $units)))
  (if (S.lt_u (local.get $units) (S.const 16))
    (then
      (if (S.eqz (local.get $units)) (then (return)))
      (local.set $block (call $string.load_short (local.get $ptr) (local.get $units)))
      (if (i8x16.bitmask (local.get $block)) (then (call $string.judge_utf8 (local.get $block))))
      (return)))
  block $done
    loop $ascii
      ;; Here no sequence is open.
      (local.set $left (S.sub (local.get $end) (local.get $ptr)))
      block $other
        (if (S.ge_u (local.get $left) (S.const 128))
          (then
            (br_if $other (i8x16.bitmask (v128.or (@four (local.get $ptr) 0 16 32 48) (@four (local.get $ptr) 64 80 96 112))))
            (local.set $ptr (S.add (local.get $ptr) (S.const 128)))
            (br $ascii)))
        ;; The rest at once: what is left of it at both ends, which may overlap.
        (if (S.ge_u (local.get $left) (S.const 32))
          (then
            (if (S.ge_u (local.get $left) (S.const 64))
              (then
                (br_if $other
                  (i8x16.bitmask
                    (v128.or
                      (@four (local.get $ptr) 0 16 32 48)
                      (@four (S.sub (local.get $end) (S.const 64)) 0 16 32 48))))
                (br $done)))
            (br_if $other
              (i8x16.bitmask
                (v128.or
                  (@two (local.get $ptr) 0 16)
                  (@two (S.sub (local.get $end) (S.const 32)) 0 16))))
            (br $done)))
        ;; Never less than a block at the end, be it known already.
        (local.set $block (v128.load $src align=1 (S.sub (local.get $end) (S.const 16))))
        (if (S.ge_u (local.get $left) (S.const 16))
          (then
            (br_if $other (i8x16.bitmask (v128.or (local.get $block) (v128.load $src align=1 (local.get $ptr)))))
            (br $done)))
        (br_if $done (S.eqz (local.get $left)))
        (br_if $other (i8x16.bitmask (local.get $block)))
        (br $done)
      end
      (local.set $before (v128.const i64x2 0 0))
      loop $any
        (if (S.ge_u (local.get $left) (S.const 64))
          (then
            (local.set $block (v128.load $src align=1 (local.get $ptr)))
            (local.set $second (v128.load $src offset=16 align=1 (local.get $ptr)))
            (local.set $third (v128.load $src offset=32 align=1 (local.get $ptr)))
            (local.set $fourth (v128.load $src offset=48 align=1 (local.get $ptr)))
            (local.set $wrong
              (v128.or
                (v128.or
                  (local.get $wrong)
                  (v128.or
                    (@judged (local.get $before) (local.get $block))
                    (@judged (local.get $block) (local.get $second))))
                (v128.or
                  (@judged (local.get $second) (local.get $third))
                  (@judged (local.get $third) (local.get $fourth)))))
            (local.set $before (local.get $fourth))
            (local.set $ptr (S.add (local.get $ptr) (S.const 64)))
            (local.set $left (S.sub (local.get $left) (S.const 64)))
            (br_if $any
              (i8x16.bitmask
                (v128.or
                  (v128.or (local.get $block) (local.get $second))
                  (v128.or (local.get $third) (local.get $fourth)))))
            (br $ascii)))
        (if (S.ge_u (local.get $left) (S.const 16))
          (then
            (local.set $block (v128.load $src align=1 (local.get $ptr)))
            (local.set $wrong (v128.or (local.get $wrong) (@judged (local.get $before) (local.get $block))))
            (local.set $before (local.get $block))
            (local.set $ptr (S.add (local.get $ptr) (S.const 16)))
            (local.set $left (S.sub (local.get $left) (S.const 16)))
            (br $any)))
      end
    end
    (if (S.eqz (local.get $left))
      (then
        ;; Nothing follows the last bytes that would complete them.
        (local.set $wrong
          (v128.or
            (local.get $wrong)
            (i8x16.gt_u
              (local.get $before)
              (v128.const i8x16 255 255 255 255 255 255 255 255 255 255 255 255 255 0xEF 0xDF 0xBF))))
        (br $done)))
    (@last_block)
    local.set $block
    (local.set $wrong (v128.or (local.get $wrong) (@judged (local.get $before) (local.get $block))))
  end
  (if (v128.any_true (local.get $wrong)) (then (call $trap_invalid_utf8))))

;; Traps unless `block` is well formed, by itself and with nothing before it.
(func $string.judge_utf8 (param $block v128)
  (local $before v128)
  (if (v128.any_true (@judged (local.get $before) (local.get $block))) (then (call $trap_invalid_utf8))))

;; The one to fifteen bytes at `ptr`, zeros behind them: two loads that may overlap.
(func $string.load_short (param $ptr S) (param $left S) (result v128)
  (local $low i64) (local $high i64)
  (if (S.ge_u (local.get $left) (S.const 8))
    (then
      (local.set $low (i64.load $src align=1 (local.get $ptr)))
      (i64.load $src align=1 (S.sub (S.add (local.get $ptr) (local.get $left)) (S.const 8)))
      ;; Less what the two have in common, which may be all of it: hence in two steps.
      (i64.shr_u (i64.const 1))
      (S.sub (S.const 127) (S.shl (local.get $left) (S.const 3)))
      i64.from_S
      i64.shr_u
      local.set $high
      (return (i64x2.replace_lane 1 (i64x2.splat (local.get $low)) (local.get $high)))))
  (if (S.ge_u (local.get $left) (S.const 4))
    (then
      (local.set $low (i64.load32_u $src align=1 (local.get $ptr)))
      (local.set $left (S.sub (local.get $left) (S.const 4)))
      (local.set $high (i64.load32_u $src align=1 (S.add (local.get $ptr) (local.get $left)))))
    (else
      (if (S.lt_u (local.get $left) (S.const 2)) (then 
        (return (i64x2.replace_lane 0 (v128.const i64x2 0 0) (i64.load8_u $src (local.get $ptr))))))
      (local.set $low (i64.load16_u $src align=1 (local.get $ptr)))
      (local.set $left (S.sub (local.get $left) (S.const 2)))
      (local.set $high (i64.load16_u $src align=1 (S.add (local.get $ptr) (local.get $left))))))
  local.get $low
  local.get $high
  (S.shl (local.get $left) (S.const 3))
  i64.from_S
  i64.shl
  i64.or
  local.set $low
  (i64x2.replace_lane 0 (v128.const i64x2 0 0) (local.get $low)))
