;; Whether utf16 and utf8 are well formed, one after another, for engines without vectors (a part of string_source.wat).

;; Every surrogate must belong to a pair.
(func $string.check_utf16 (export "utf16") (param $ptr S) (param $units S)
  (local $size i64) (local $start i64) (local $end S) (local $unit i32)
  (@check_range 1)
  (local.set $end (S.add (local.get $ptr) (S.shl (local.get $units) (S.const 1))))
  block $done
    loop $next
      (br_if $done (S.eq (local.get $ptr) (local.get $end)))
      (local.set $unit (i32.load16_u $src (local.get $ptr)))
      (local.set $ptr (S.add (local.get $ptr) (S.const 2)))
      (br_if $next (i32.ne (i32.and (local.get $unit) (i32.const 0xF800)) (i32.const 0xD800)))
      block $wrong
        (br_if $wrong (i32.ge_u (local.get $unit) (i32.const 0xDC00)))
        (br_if $wrong (S.eq (local.get $ptr) (local.get $end)))
        (br_if $wrong
          (i32.ne (i32.and (i32.load16_u $src (local.get $ptr)) (i32.const 0xFC00)) (i32.const 0xDC00)))
        (local.set $ptr (S.add (local.get $ptr) (S.const 2)))
        (br $next)
      end
      (call $trap_invalid_utf16)
    end
  end)

(@define no_continuation ()
  (i32.ne (i32.and (i32.load8_u $src (local.get $ptr)) (i32.const 0xC0)) (i32.const 0x80)))

;; Unicode, table 3-7: the first byte says how many follow, and the range of the second.
(func $string.check_utf8 (export "utf8") (param $ptr S) (param $units S)
  (local $size i64) (local $start i64) (local $end S) (local $lead i32) (local $low i32) (local $high i32)
  (if (S.gt_u (local.get $units) (S.const 0x0FFF_FFFF)) (then (call $trap_too_long)))
  (@check_bounds (local.get $units))
  (local.set $end (S.add (local.get $ptr) (local.get $units)))
  block $done
    loop $next
      ;; ASCII by eights
      (if (S.ge_u (S.sub (local.get $end) (local.get $ptr)) (S.const 8))
        (then
          (if (i64.eqz (i64.and (i64.load $src align=1 (local.get $ptr)) (i64.const 0x8080_8080_8080_8080)))
            (then
              (local.set $ptr (S.add (local.get $ptr) (S.const 8)))
              (br $next)))))
      (br_if $done (S.eq (local.get $ptr) (local.get $end)))
      (local.set $lead (i32.load8_u $src (local.get $ptr)))
      (local.set $ptr (S.add (local.get $ptr) (S.const 1)))
      (br_if $next (i32.lt_u (local.get $lead) (i32.const 0x80)))
      block $wrong
        (br_if $wrong (i32.gt_u (i32.sub (local.get $lead) (i32.const 0xC2)) (i32.const 0x32)))
        (br_if $wrong (S.eq (local.get $ptr) (local.get $end)))
        (local.set $low
          (select
            (i32.const 0xA0)
            (select (i32.const 0x90) (i32.const 0x80) (i32.eq (local.get $lead) (i32.const 0xF0)))
            (i32.eq (local.get $lead) (i32.const 0xE0))))
        (local.set $high
          (select
            (i32.const 0x9F)
            (select (i32.const 0x8F) (i32.const 0xBF) (i32.eq (local.get $lead) (i32.const 0xF4)))
            (i32.eq (local.get $lead) (i32.const 0xED))))
        (br_if $wrong
          (i32.gt_u
            (i32.sub (i32.load8_u $src (local.get $ptr)) (local.get $low))
            (i32.sub (local.get $high) (local.get $low))))
        (local.set $ptr (S.add (local.get $ptr) (S.const 1)))
        (br_if $next (i32.lt_u (local.get $lead) (i32.const 0xE0)))
        (br_if $wrong (S.eq (local.get $ptr) (local.get $end)))
        (br_if $wrong (@no_continuation))
        (local.set $ptr (S.add (local.get $ptr) (S.const 1)))
        (br_if $next (i32.lt_u (local.get $lead) (i32.const 0xF0)))
        (br_if $wrong (S.eq (local.get $ptr) (local.get $end)))
        (br_if $wrong (@no_continuation))
        (local.set $ptr (S.add (local.get $ptr) (S.const 1)))
        (br $next)
      end
      (call $trap_invalid_utf8)
    end
  end)
