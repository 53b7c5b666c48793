"""What handles cost across a component boundary, composed and fused.

A consumer exports `run(n)`, which does one thing n times in a loop with a resource type that a provider defines, so
that the host's own call cost drops out.
"""

from __future__ import annotations

from crossing import rows
from timing import heading

PROVIDER = """
  (component $Provider
    (core module $Dtor
      (global $dropped (mut i32) (i32.const 0))
      (func (export "dtor") (param i32) (global.set $dropped (i32.add (global.get $dropped) (i32.const 1)))))
    (core instance $dtor (instantiate $Dtor))
    (type $r (resource (rep i32) (dtor (core func $dtor "dtor"))))
    (core func $new (canon resource.new $r))
    (core func $rep (canon resource.rep $r))
    (core module $M
      (import "" "new" (func $new (param i32) (result i32)))
      (import "" "rep" (func $rep (param i32) (result i32)))
      (func (export "make") (param i32) (result i32) (call $new (local.get 0)))
      (func (export "value") (param i32) (result i32) (local.get 0))
      (func (export "pass") (param i32) (result i32) (local.get 0)))
    (core instance $m (instantiate $M
      (with "" (instance (export "new" (func $new)) (export "rep" (func $rep))))))
    (export $x "r" (type $r))
    (func (export "make") (param "rep" u32) (result (own $x)) (canon lift (core func $m "make")))
    (func (export "value") (param "r" (borrow $x)) (result u32) (canon lift (core func $m "value")))
    (func (export "pass") (param "r" (own $x)) (result (own $x)) (canon lift (core func $m "pass"))))
"""

API = """(instance $p
      (export "r" (type $r (sub resource)))
      (export "make" (func (param "rep" u32) (result (own $r))))
      (export "value" (func (param "r" (borrow $r)) (result u32)))
      (export "pass" (func (param "r" (own $r)) (result (own $r)))))"""

RELAY = f"""
  (component $Relay
    (import "p" {API})
    (alias export $p "r" (type $r))
    (core func $value (canon lower (func $p "value")))
    (core func $drop (canon resource.drop $r))
    (core module $M
      (import "" "value" (func $value (param i32) (result i32)))
      (import "" "drop" (func $drop (param i32)))
      (func (export "value") (param i32) (result i32)
        (call $value (local.get 0))
        (call $drop (local.get 0))))
    (core instance $m (instantiate $M
      (with "" (instance (export "value" (func $value)) (export "drop" (func $drop))))))
    (export $x "r" (type $r))
    (export "make" (func $p "make"))
    (func (export "value") (param "r" (borrow $x)) (result u32) (canon lift (core func $m "value")))
    (export "pass" (func $p "pass")))
"""
"""Borrows what it does not define, lends it on, and drops it."""


def composition(body: str, relayed: bool = False) -> str:
    """`body`: what the consumer does again and again; $h is a handle that it holds meanwhile."""
    relay = f'{RELAY} (instance $q (instantiate $Relay (with "p" (instance $p))))' if relayed else ""
    return f"""
(component
  {PROVIDER}
  (instance $p (instantiate $Provider))
  {relay}
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
      (func (export "run") (param $n i32) (local $h i32)
        (local.set $h (call $make (i32.const 1)))
        (loop $again
          {body}
          (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
        (call $drop (local.get $h))))
    (core instance $m (instantiate $M (with "" (instance
      (export "make" (func $make)) (export "value" (func $value))
      (export "pass" (func $pass)) (export "drop" (func $drop))))))
    (func (export "run") (param "n" u32) (canon lift (core func $m "run"))))
  (instance $c (instantiate $Consumer (with "p" (instance {"$q" if relayed else "$p"}))))
  (export "run" (func $c "run")))"""


CASES = {
    "borrow method": composition("(drop (call $value (local.get $h)))"),
    "own round trip": composition("(local.set $h (call $pass (local.get $h)))"),
    "create and drop": composition("(call $drop (call $make (local.get $n)))"),
    "borrow through a re-exporter": composition("(drop (call $value (local.get $h)))", relayed=True),
}


def main() -> None:
    heading("one call or pair of calls")
    rows(CASES.items())


if __name__ == "__main__":
    main()
