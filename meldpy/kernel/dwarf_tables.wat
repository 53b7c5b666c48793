;; The sections that are tables: addresses, offsets of strings, address ranges, names. Spec: DWARF 5 sections 6.1, 7.26,
;; 7.27; DWARF 4 section 6.1.1 (.debug_pubnames and .debug_pubtypes).

;; Puts new addresses where units use entries of .debug_addr for code; all others are memory's.
(func (export "addresses") (param $out i32)
  (local $at i32) (local $mark i32) (local $value i64)
  (loop $more
    (if (i32.lt_u (local.get $at) (global.get $addr_size))
      (then
        (local.set $mark (i32.load8_u (i32.add (global.get $addr_marks) (local.get $at))))
        (if (local.get $mark)
          (then
            (global.set $address_size (i32.shr_u (local.get $mark) (i32.const 2)))
            (local.set $mark (i32.and (local.get $mark) (i32.const 3)))
            (local.set $value (call $address_at (local.get $at)))
            (if (i32.eq (local.get $mark) (i32.const 3))
              (then
                (if (i32.eqz (i32.or (i64.eqz (local.get $value))
                      (call $tombstone (local.get $value) (global.get $address_size))))
                  (then (local.set $value (call $place (local.get $value))))))
              (else
                (local.set $value
                  (select (i64.const -1) (call $start (local.get $value) (global.get $address_size))
                    (i32.and (i32.eq (local.get $mark) (i32.const 2)) (i64.eqz (local.get $value)))))))
            (call $put_address (i32.add (local.get $out) (local.get $at)) (local.get $value)
              (global.get $address_size))))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (br $more)))))

;; .debug_str_offsets of `size` bytes at `at`, copied to `out`.
(func (export "string_offsets") (param $at i32) (param $size i32) (param $out i32)
  (local $end i32) (local $next i32)
  (local.set $end (i32.add (local.get $at) (local.get $size)))
  (global.set $p (local.get $at))
  (block $done
    (loop $part
      (br_if $done (i32.ge_u (global.get $p) (local.get $end)))
      (global.set $e (local.get $end))
      (local.set $next (call $unit_length))
      (global.set $e (local.get $next))
      (if (i32.ne (call $u16) (i32.const 5)) (then (call $fail (i32.const 10))))
      (drop (call $u16))
      (loop $more
        (if (i32.lt_u (global.get $p) (local.get $next))
          (then
            (i32.store (i32.add (local.get $out) (i32.sub (global.get $p) (local.get $at)))
              (call $new_str (call $u32)))
            (br $more))))
      (br $part))))

;; .debug_aranges, written anew without what was left out.
(func (export "address_ranges") (param $at i32) (param $size i32)
  (local $end i32) (local $next i32) (local $start i32) (local $out i32) (local $wide i32)
  (local $low i64) (local $length i64)
  (local.set $end (i32.add (local.get $at) (local.get $size)))
  (global.set $p (local.get $at))
  (block $done
    (loop $set
      (br_if $done (i32.ge_u (global.get $p) (local.get $end)))
      (global.set $e (local.get $end))
      (local.set $start (global.get $p))
      (local.set $out (global.get $o))
      (local.set $next (call $unit_length))
      (global.set $e (local.get $next))
      (if (i32.ne (call $u16) (i32.const 2)) (then (call $fail (i32.const 10))))
      (drop (call $u32))
      (local.set $wide (call $u8))
      (call $check_address_size (local.get $wide))
      (if (call $u8) (then (call $fail (i32.const 6))))
      ;; pairs are aligned to their size
      (call $skip
        (i32.and (i32.sub (local.get $start) (global.get $p))
          (i32.sub (i32.shl (local.get $wide) (i32.const 1)) (i32.const 1))))
      (call $w_read (local.get $start))
      (i32.store offset=6 (local.get $out) (i32.add (i32.load offset=6 (local.get $start)) (global.get $info_base)))
      (loop $pair
        (if (i32.lt_u (global.get $p) (local.get $next))
          (then
            (call $burn (i32.const 1))
            (local.set $low (call $address (local.get $wide)))
            (local.set $length (call $address (local.get $wide)))
            (if (i64.ne (i64.or (local.get $low) (local.get $length)) (i64.const 0))
              (then
                (if (call $map_range (local.get $low) (i64.add (local.get $low) (local.get $length)) (local.get $wide))
                  (then
                    (call $w_address (global.get $from) (local.get $wide))
                    (call $w_address (i64.sub (global.get $to) (global.get $from)) (local.get $wide))))))
            (br $pair))))
      (call $w_address (i64.const 0) (local.get $wide))
      (call $w_address (i64.const 0) (local.get $wide))
      (i32.store (local.get $out) (i32.sub (i32.sub (global.get $o) (local.get $out)) (i32.const 4)))
      (br $set))))

;; .debug_names, copied to `out`: all but offsets of units and strings is relative to the unit or to the index itself.
(func (export "names") (param $at i32) (param $size i32) (param $out i32)
  (local $end i32) (local $next i32) (local $units i32) (local $foreign i32) (local $buckets i32) (local $names i32)
  (local $shift i32)
  (local.set $shift (i32.sub (local.get $out) (local.get $at)))
  (local.set $end (i32.add (local.get $at) (local.get $size)))
  (global.set $p (local.get $at))
  (block $done
    (loop $index
      (br_if $done (i32.ge_u (global.get $p) (local.get $end)))
      (global.set $e (local.get $end))
      (local.set $next (call $unit_length))
      (global.set $e (local.get $next))
      (if (i32.ne (call $u16) (i32.const 5)) (then (call $fail (i32.const 10))))
      (drop (call $u16))
      (local.set $units (call $u32))
      (call $bounded (local.get $units))
      (local.set $foreign (call $u32))
      (call $bounded (local.get $foreign))
      (local.set $units (i32.add (local.get $units) (local.get $foreign)))
      (local.set $foreign (call $u32))
      (call $bounded (local.get $foreign))
      (local.set $buckets (call $u32))
      (call $bounded (local.get $buckets))
      (local.set $names (call $u32))
      (call $bounded (local.get $names))
      (drop (call $u32))
      (call $skip_padded (call $u32))
      (loop $unit
        (if (local.get $units)
          (then
            (i32.store (i32.add (global.get $p) (local.get $shift)) (i32.add (call $u32) (global.get $info_base)))
            (local.set $units (i32.sub (local.get $units) (i32.const 1)))
            (br $unit))))
      (call $skip (i32.shl (local.get $foreign) (i32.const 3)))
      (call $skip (i32.shl (local.get $buckets) (i32.const 2)))
      (if (local.get $buckets) (then (call $skip (i32.shl (local.get $names) (i32.const 2)))))
      (loop $name
        (if (local.get $names)
          (then
            (i32.store (i32.add (global.get $p) (local.get $shift)) (call $new_str (call $u32)))
            (local.set $names (i32.sub (local.get $names) (i32.const 1)))
            (br $name))))
      (global.set $p (local.get $next))
      (br $index))))

;; A count of things of four bytes at least.
(func $bounded (param $count i32)
  (if (i32.gt_u (local.get $count) (i32.shr_u (i32.sub (global.get $e) (global.get $p)) (i32.const 2)))
    (then (call $fail (i32.const 1)))))

(func $skip_padded (param $size i32)
  (call $need (local.get $size))
  (call $skip (i32.and (i32.add (local.get $size) (i32.const 3)) (i32.const -4))))

;; .debug_pubnames, .debug_pubtypes and their GNU forms, copied to `out`: only the unit's offset moves.
(func (export "public_names") (param $at i32) (param $size i32) (param $out i32)
  (local $end i32) (local $next i32)
  (local.set $end (i32.add (local.get $at) (local.get $size)))
  (global.set $p (local.get $at))
  (block $done
    (loop $set
      (br_if $done (i32.ge_u (global.get $p) (local.get $end)))
      (global.set $e (local.get $end))
      (local.set $next (call $unit_length))
      (global.set $e (local.get $next))
      (if (i32.ne (call $u16) (i32.const 2)) (then (call $fail (i32.const 10))))
      (i32.store (i32.add (local.get $out) (i32.sub (global.get $p) (local.get $at)))
        (i32.add (call $u32) (global.get $info_base)))
      (global.set $p (local.get $next))
      (br $set))))
