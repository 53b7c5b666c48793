"""A parent that calls none of its children's functions, but drops a handle of a child's resource type.

The definer runs, and calls the parent, which drops the handle that a giver gave it before: the destructor enters the
definer, which is running.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from tests.support.trapcases.case import Case, Played, Step

COMPOSITION: Final = """
(component
  (component $Definer
    (import "poke" (func $poke (param "n" u32)))
    (core func $poke (canon lower (func $poke)))
    (core module $M
      (import "" "poke" (func $poke (param i32)))
      (global $drops (mut i32) (i32.const 0))
      (func (export "dtor") (param i32) (global.set $drops (i32.add (global.get $drops) (local.get 0))))
      (func (export "run") (param i32) (result i32) (call $poke (local.get 0)) (global.get $drops)))
    (core instance $m (instantiate $M (with "" (instance (export "poke" (func $poke))))))
    (type $r (resource (rep i32) (dtor (core func $m "dtor"))))
    (core func $new (canon resource.new $r))
    (export $x "r" (type $r))
    (func (export "make") (param "rep" u32) (result (own $x)) (canon lift (core func $new)))
    (func (export "run") (param "n" u32) (result u32) (canon lift (core func $m "run"))))
  (component $Giver
    (import "r" (type $r (sub resource)))
    (import "make" (func $make (param "rep" u32) (result (own $r))))
    (import "give" (func $give (param "it" (own $r))))
    (core func $make (canon lower (func $make)))
    (core func $give (canon lower (func $give)))
    (core module $M
      (import "" "make" (func $make (param i32) (result i32)))
      (import "" "give" (func $give (param i32)))
      (func (export "run") (param i32) (result i32) (call $give (call $make (local.get 0))) (i32.const 1)))
    (core instance $m (instantiate $M (with "" (instance (export "make" (func $make)) (export "give" (func $give))))))
    (func (export "run") (param "rep" u32) (result u32) (canon lift (core func $m "run"))))

  (core module $Table
    (table (export "table") 1 1 funcref)
    (type $f (func (param i32)))
    (func (export "poke") (param i32) (call_indirect (type $f) (local.get 0) (i32.const 0))))
  (core instance $table (instantiate $Table))
  (func $poke (param "n" u32) (canon lift (core func $table "poke")))
  (instance $definer (instantiate $Definer (with "poke" (func $poke))))
  (alias export $definer "r" (type $r))
  (core func $drop (canon resource.drop $r))
  (core module $M
    (import "" "table" (table 1 1 funcref))
    (import "" "drop" (func $drop (param i32)))
    (global $held (mut i32) (i32.const 0))
    (elem (i32.const 0) func $poke)
    (func $poke (param i32) (if (local.get 0) (then (call $drop (global.get $held)))))
    (func (export "give") (param i32)
      ;; the handle before is dropped at once: the definer is not running
      (if (global.get $held) (then (call $drop (global.get $held))))
      (global.set $held (local.get 0))))
  (core instance $m (instantiate $M
    (with "" (instance (export "table" (table $table "table")) (export "drop" (func $drop))))))
  (func $give (param "it" (own $r)) (canon lift (core func $m "give")))
  (instance $giver (instantiate $Giver
    (with "r" (type $r)) (with "make" (func $definer "make")) (with "give" (func $give))))
  (export "give" (func $giver "run"))
  (export "run" (func $definer "run")))
"""


def neighbours() -> Iterator[Case]:
    gives = (Step("give", (4,), returns=1), Step("give", (5,), returns=1))
    beside = (*gives, Step("run", (0,), returns=4))
    inside = (*gives, Step("run", (1,), returns=9))
    yield Played(COMPOSITION, (beside, inside)).case(
        "may-enter", "destructor, by a parent that only drops", "a parent that only drops"
    )
