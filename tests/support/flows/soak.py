"""Three instances that create, lend on, pass and drop resources in a loop, and count what they did."""

from __future__ import annotations

from typing import Final

API: Final = """(instance $p
      (export "r" (type $r (sub resource)))
      (export "make" (func (param "rep" u32) (result (own $r))))
      (export "value" (func (param "r" (borrow $r)) (result u32)))
      (export "pass" (func (param "r" (own $r)) (result (own $r)))))"""

SOAK: Final = f"""
(component
  (component $Definer
    (core module $Dtor
      (global $count (mut i32) (i32.const 0))
      (global $sum (mut i64) (i64.const 0))
      (func (export "dtor") (param i32)
        (global.set $count (i32.add (global.get $count) (i32.const 1)))
        (global.set $sum (i64.add (global.get $sum) (i64.extend_i32_u (local.get 0)))))
      (func (export "count") (result i32) (global.get $count))
      (func (export "sum") (result i64) (global.get $sum)))
    (core instance $dtor (instantiate $Dtor))
    (type $r (resource (rep i32) (dtor (core func $dtor "dtor"))))
    (core func $new (canon resource.new $r))
    (core func $rep (canon resource.rep $r))
    (core module $M
      (import "" "rep" (func $rep (param i32) (result i32)))
      (func (export "value") (param i32) (result i32) (local.get 0))
      (func (export "pass") (param i32) (result i32) (drop (call $rep (local.get 0))) (local.get 0)))
    (core instance $m (instantiate $M (with "" (instance (export "rep" (func $rep))))))
    (export $x "r" (type $r))
    (func (export "make") (param "rep" u32) (result (own $x)) (canon lift (core func $new)))
    (func (export "value") (param "r" (borrow $x)) (result u32) (canon lift (core func $m "value")))
    (func (export "pass") (param "r" (own $x)) (result (own $x)) (canon lift (core func $m "pass")))
    (func (export "count") (result u32) (canon lift (core func $dtor "count")))
    (func (export "sum") (result u64) (canon lift (core func $dtor "sum"))))
  (instance $p (instantiate $Definer))

  (component $Relay
    (import "p" {API})
    (alias export $p "r" (type $r))
    (core func $make (canon lower (func $p "make")))
    (core func $value (canon lower (func $p "value")))
    (core func $pass (canon lower (func $p "pass")))
    (core func $drop (canon resource.drop $r))
    (core module $M
      (import "" "make" (func $make (param i32) (result i32)))
      (import "" "value" (func $value (param i32) (result i32)))
      (import "" "pass" (func $pass (param i32) (result i32)))
      (import "" "drop" (func $drop (param i32)))
      (func (export "make") (param i32) (result i32) (call $make (local.get 0)))
      (func (export "value") (param i32) (result i32)
        (call $value (local.get 0))
        (call $drop (local.get 0)))
      (func (export "pass") (param i32) (result i32) (call $pass (local.get 0))))
    (core instance $m (instantiate $M (with "" (instance
      (export "make" (func $make)) (export "value" (func $value))
      (export "pass" (func $pass)) (export "drop" (func $drop))))))
    (export $x "r" (type $r))
    (func (export "make") (param "rep" u32) (result (own $x)) (canon lift (core func $m "make")))
    (func (export "value") (param "r" (borrow $x)) (result u32) (canon lift (core func $m "value")))
    (func (export "pass") (param "r" (own $x)) (result (own $x)) (canon lift (core func $m "pass"))))
  (instance $q (instantiate $Relay (with "p" (instance $p))))

  (component $Consumer
    (import "p" {API})
    (alias export $p "r" (type $r))
    (core func $make (canon lower (func $p "make")))
    (core func $value (canon lower (func $p "value")))
    (core func $pass (canon lower (func $p "pass")))
    (core func $drop (canon resource.drop $r))
    (core module $M
      (import "" "make" (func $make (param i32) (result i32)))
      (import "" "value" (func $value (param i32) (result i32)))
      (import "" "pass" (func $pass (param i32) (result i32)))
      (import "" "drop" (func $drop (param i32)))
      ;; The greatest handle index seen.
      (func (export "run") (param $n i32) (result i32) (local $h i32) (local $most i32)
        (loop $again
          (local.set $h (call $make (local.get $n)))
          (if (i32.ne (call $value (local.get $h)) (local.get $n)) (then (unreachable)))
          (local.set $h (call $pass (local.get $h)))
          (if (i32.gt_u (local.get $h) (local.get $most)) (then (local.set $most (local.get $h))))
          (call $drop (local.get $h))
          (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
        (local.get $most)))
    (core instance $m (instantiate $M (with "" (instance
      (export "make" (func $make)) (export "value" (func $value))
      (export "pass" (func $pass)) (export "drop" (func $drop))))))
    (func (export "run") (param "n" u32) (result u32) (canon lift (core func $m "run"))))
  (instance $c (instantiate $Consumer (with "p" (instance $q))))
  (export "run" (func $c "run"))
  (export "count" (func $p "count"))
  (export "sum" (func $p "sum")))
"""
