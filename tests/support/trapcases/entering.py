"""Calls of a component instance that is running: a parent and its children may call each other, as deep as they like.

The parent calls a child, which calls the parent's `back(n)`. What that does depends on n: see below. `run(n)` returns
what came of it plus what the child says when it is called once more afterwards.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from tests.support.trapcases.case import Case, Played, Step

LEAVE: Final = "cannot leave component instance"
LENT: Final = "handle is lent"

NOTHING, OTHER, RUNNING, SIBLING, DROP, DROP_CALLING, DROP_LENT, GIVE_LENT, DROP_SPARE, REALLOC, DROP_CALM = range(11)
QUIET, ALLOCATE = 11, 12
"""What the parent does when it is called back: nothing, call another child or the running one, call a sibling of the
running one inside a component that is running, drop a handle of the running child's, drop one whose destructor calls
back and has its own instance called, drop or give away the handle that is lent, drop one that is not, have a result
allocated by a realloc that calls the child, drop a handle whose destructor calls back for nothing; what that one asks
for; and have a result allocated by a realloc that calls nobody."""

COMPOSITION: Final = """
(component
  (component $Definer
    (core module $M (func (export "take") (param i32)))
    (core instance $m (instantiate $M))
    (type $r (resource (rep i32)))
    (core func $new (canon resource.new $r))
    (export $x "r" (type $r))
    (func (export "make") (param "rep" u32) (result (own $x)) (canon lift (core func $new)))
    (func (export "take") (param "it" (own $x)) (canon lift (core func $m "take"))))
  (instance $definer (instantiate $Definer))
  (alias export $definer "r" (type $lent))

  (component $Child
    (import "back" (func $back (param "n" u32) (result u32)))
    (import "r" (type $lent (sub resource)))
    (core func $back (canon lower (func $back)))
    (core func $drop (canon resource.drop $lent))
    (core module $M
      (import "" "back" (func $back (param i32) (result i32)))
      (import "" "drop" (func $drop (param i32)))
      (memory (export "memory") 1)
      (data (i32.const 64) "hi")
      (func (export "realloc") (param i32 i32 i32 i32) (result i32)
        (if (i32.load8_u (i32.const 8)) (then (drop (call $back (i32.const 0)))))
        (i32.const 256))
      (func (export "arm") (param i32) (i32.store8 (i32.const 8) (local.get 0)))
      (func (export "hear") (param i32 i32) (result i32) (call $back (i32.const 0)))
      (func (export "dtor") (param i32) (if (local.get 0) (then (drop (call $back (local.get 0))))))
      (func (export "run") (param i32) (result i32) (call $back (local.get 0)))
      (func (export "lend") (param i32 i32) (result i32) (call $back (local.get 1)) (call $drop (local.get 0)))
      (func (export "text") (result i32)
        (i32.store (i32.const 16) (i32.const 64))
        (i32.store (i32.const 20) (i32.const 2))
        (i32.const 16))
      (func (export "go") (result i32) (i32.const 40)))
    (core instance $m (instantiate $M (with "" (instance
      (export "back" (func $back)) (export "drop" (func $drop))))))
    (type $own (resource (rep i32) (dtor (core func $m "dtor"))))
    (core func $new (canon resource.new $own))
    (export $x "own" (type $own))
    (func (export "make") (param "rep" u32) (result (own $x)) (canon lift (core func $new)))
    (func (export "run") (param "n" u32) (result u32) (canon lift (core func $m "run")))
    (func (export "lend") (param "it" (borrow $lent)) (param "n" u32) (result u32) (canon lift (core func $m "lend")))
    (func (export "text") (result string) (canon lift (core func $m "text") (memory (core memory $m "memory"))))
    (func (export "arm") (param "yes" u32) (canon lift (core func $m "arm")))
    (func (export "hear") (param "text" string) (result u32)
      (canon lift (core func $m "hear") (memory (core memory $m "memory")) (realloc (core func $m "realloc"))))
    (func (export "go") (result u32) (canon lift (core func $m "go"))))

  ;; two children inside a component without code of its own
  (component $Nest
    (alias outer 1 $Child (component $Child))
    (import "back" (func $back (param "n" u32) (result u32)))
    (import "r" (type $lent (sub resource)))
    (instance $one (instantiate $Child (with "back" (func $back)) (with "r" (type $lent))))
    (instance $two (instantiate $Child (with "back" (func $back)) (with "r" (type $lent))))
    (export "run" (func $one "run"))
    (export "go" (func $two "go")))

  (core module $Table
    (table (export "table") 1 1 funcref)
    (type $f (func (param i32) (result i32)))
    (func (export "f") (param i32) (result i32) (call_indirect (type $f) (local.get 0) (i32.const 0))))
  (core instance $table (instantiate $Table))
  (func $back (param "n" u32) (result u32) (canon lift (core func $table "f")))
  (instance $child (instantiate $Child (with "back" (func $back)) (with "r" (type $lent))))
  (instance $other (instantiate $Child (with "back" (func $back)) (with "r" (type $lent))))
  (instance $nest (instantiate $Nest (with "back" (func $back)) (with "r" (type $lent))))
  (alias export $child "own" (type $own))
  (alias export $other "own" (type $others))

  (core module $Memory
    (memory (export "memory") 1)
    (table (export "hook") 1 1 funcref)
    (type $h (func (result i32)))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (drop (call_indirect (type $h) (i32.const 0)))
      (i32.const 256)))
  (core instance $memory (instantiate $Memory))

  (core func $child-make (canon lower (func $child "make")))
  (core func $child-run (canon lower (func $child "run")))
  (core func $child-lend (canon lower (func $child "lend")))
  (core func $child-go (canon lower (func $child "go")))
  (core func $other-make (canon lower (func $other "make")))
  (core func $other-go (canon lower (func $other "go")))
  (core func $other-text (canon lower (func $other "text")
    (memory (core memory $memory "memory")) (realloc (core func $memory "realloc"))))
  (core func $arm (canon lower (func $child "arm")))
  (core func $hear (canon lower (func $child "hear") (memory (core memory $memory "memory"))))
  (core func $nest-run (canon lower (func $nest "run")))
  (core func $nest-go (canon lower (func $nest "go")))
  (core func $make (canon lower (func $definer "make")))
  (core func $take (canon lower (func $definer "take")))
  (core func $drop (canon resource.drop $lent))
  (core func $drop-own (canon resource.drop $own))
  (core func $drop-others (canon resource.drop $others))

  (core module $M
    (import "t" "table" (table 1 1 funcref))
    (import "m" "hook" (table $hook 1 1 funcref))
    (type $made (func (param i32) (result i32)))
    (type $done (func (param i32)))
    (type $got (func (result i32)))
    (import "c" "child-make" (func $child-make (type $made)))
    (import "c" "child-run" (func $child-run (type $made)))
    (import "c" "child-lend" (func $child-lend (param i32 i32) (result i32)))
    (import "c" "child-go" (func $child-go (type $got)))
    (import "c" "other-make" (func $other-make (type $made)))
    (import "c" "other-go" (func $other-go (type $got)))
    (import "c" "other-text" (func $other-text (type $done)))
    (import "c" "arm" (func $arm (param i32)))
    (import "c" "hear" (func $hear (param i32 i32) (result i32)))
    (import "c" "nest-run" (func $nest-run (type $made)))
    (import "c" "nest-go" (func $nest-go (type $got)))
    (import "c" "make" (func $make (type $made)))
    (import "c" "take" (func $take (type $done)))
    (import "c" "drop" (func $drop (type $done)))
    (import "c" "drop-own" (func $drop-own (type $done)))
    (import "c" "drop-others" (func $drop-others (type $done)))
    (elem (table 0) (i32.const 0) func $back)
    (elem (table $hook) (i32.const 0) func $hook-go)
    (global $lent (mut i32) (i32.const 0))
    (global $spare (mut i32) (i32.const 0))
    (global $own (mut i32) (i32.const 0))
    (global $plain (mut i32) (i32.const 0))
    (global $armed (mut i32) (i32.const 0))
    (func $hook-go (result i32)
      (if (result i32) (global.get $armed) (then (call $child-go)) (else (i32.const 0))))
    (func $back (param $n i32) (result i32)
      (if (i32.eq (local.get $n) (i32.const 1)) (then (return (call $other-go))))
      (if (i32.eq (local.get $n) (i32.const 2)) (then (return (call $child-go))))
      (if (i32.eq (local.get $n) (i32.const 3)) (then (return (call $nest-go))))
      (if (i32.eq (local.get $n) (i32.const 4)) (then (call $drop-own (global.get $plain))))
      (if (i32.eq (local.get $n) (i32.const 5)) (then (call $drop-others (call $other-make (i32.const 1)))))
      (if (i32.eq (local.get $n) (i32.const 6)) (then (call $drop (global.get $lent))))
      (if (i32.eq (local.get $n) (i32.const 7)) (then (call $take (global.get $lent))))
      (if (i32.eq (local.get $n) (i32.const 8)) (then (call $drop (global.get $spare))))
      (if (i32.eq (local.get $n) (i32.const 9)) (then
        (global.set $armed (i32.const 1))
        (call $other-text (i32.const 16))))
      (if (i32.eq (local.get $n) (i32.const 10)) (then (call $drop-others (call $other-make (i32.const 11)))))
      (if (i32.eq (local.get $n) (i32.const 12)) (then (call $other-text (i32.const 16))))
      (i32.const 5))
    (func $setup
      (global.set $lent (call $make (i32.const 1)))
      (global.set $spare (call $make (i32.const 2)))
      (global.set $plain (call $child-make (i32.const 0))))
    (func (export "run") (param i32) (result i32)
      (call $setup)
      (i32.add (call $child-run (local.get 0)) (call $child-go)))
    (func (export "run-nest") (param i32) (result i32)
      (call $setup)
      (i32.add (call $nest-run (local.get 0)) (call $nest-go)))
    (func (export "run-lent") (param i32) (result i32)
      (call $setup)
      (i32.add (call $child-lend (global.get $lent) (local.get 0)) (call $child-go))
      (call $drop (global.get $lent)))
    (func (export "run-hear") (param i32) (result i32)
      (call $arm (local.get 0))
      (call $hear (i32.const 64) (i32.const 2)))
    (func (export "run-drop") (param i32) (result i32)
      ;; a destructor that calls back(n)
      (call $drop-own (call $child-make (local.get 0)))
      (call $child-go)))
  (core instance $m (instantiate $M
    (with "t" (instance $table)) (with "m" (instance $memory))
    (with "c" (instance
      (export "child-make" (func $child-make)) (export "child-run" (func $child-run))
      (export "child-lend" (func $child-lend)) (export "child-go" (func $child-go))
      (export "other-make" (func $other-make)) (export "other-go" (func $other-go))
      (export "other-text" (func $other-text))
      (export "arm" (func $arm)) (export "hear" (func $hear))
      (export "nest-run" (func $nest-run)) (export "nest-go" (func $nest-go))
      (export "make" (func $make)) (export "take" (func $take)) (export "drop" (func $drop))
      (export "drop-own" (func $drop-own)) (export "drop-others" (func $drop-others))))))
  (func (export "run") (param "n" u32) (result u32) (canon lift (core func $m "run")))
  (func (export "run-nest") (param "n" u32) (result u32) (canon lift (core func $m "run-nest")))
  (func (export "run-lent") (param "n" u32) (result u32) (canon lift (core func $m "run-lent")))
  (func (export "run-hear") (param "n" u32) (result u32) (canon lift (core func $m "run-hear")))
  (func (export "run-drop") (param "n" u32) (result u32) (canon lift (core func $m "run-drop"))))
"""

OWN_LIFT_LOWERED: Final = """
(component
  (core module $inner (func (export "f") (param i32) (result i32) (i32.mul (local.get 0) (i32.const 3))))
  (core instance $inner (instantiate $inner))
  (func $f (param "x" u32) (result u32) (canon lift (core func $inner "f")))
  (core func $lowered (canon lower (func $f)))
  (core module $outer
    (import "" "f" (func $f (param i32) (result i32)))
    (func (export "g") (param i32) (result i32) (call $f (local.get 0))))
  (core instance $outer (instantiate $outer (with "" (instance (export "f" (func $lowered))))))
  (func (export "g") (param "x" u32) (result u32) (canon lift (core func $outer "g"))))
"""

Good = tuple[str, int, int]
"""An export, its argument, its result."""
SPARE: Final[tuple[Good, ...]] = (("run-lent", DROP_SPARE, 45), ("run-lent", NOTHING, 45))
TRIED: Final[tuple[tuple[str, str, str, tuple[str, int], tuple[Good, ...]], ...]] = (
    ("leave-import-realloc", "result: back into the child", LEAVE, ("run", REALLOC), (("run", ALLOCATE, 45),)),
    ("leave-import-realloc", "params: back into the parent", LEAVE, ("run-hear", 1), (("run-hear", 0, 5),)),
    ("drop-lent", "resource.drop, while a call is made", LENT, ("run-lent", DROP_LENT), SPARE),
    ("lift-own-lent", "params own: while a call is made", LENT, ("run-lent", GIVE_LENT), SPARE),
)
ENTERED: Final[tuple[tuple[str, tuple[Good, ...]], ...]] = (
    ("child, parent, child", (("run", RUNNING, 80), ("run", NOTHING, 45), ("run", OTHER, 80))),
    ("sibling in a running component", (("run-nest", SIBLING, 80), ("run-nest", OTHER, 80))),
    ("destructor of a running child", (("run", DROP, 45), ("run", DROP_SPARE, 45))),
    ("from a destructor", (("run-drop", RUNNING, 40), ("run-drop", OTHER, 40))),
    ("from a destructor of another", (("run", DROP_CALLING, 45), ("run", DROP_CALM, 45))),
)


def cases() -> Iterator[Case]:
    for condition, position, trap, (export, n), good in TRIED:
        runs = [(Step(name, (m,), returns=result),) for name, m, result in good]
        runs.append((Step(export, (n,), trap=trap),))
        yield Played(COMPOSITION, tuple(runs)).case(condition, position, position)


def neighbours() -> Iterator[Case]:
    for position, good in ENTERED:
        runs = tuple((Step(name, (m,), returns=result),) for name, m, result in good)
        yield Played(COMPOSITION, runs).case("may-enter", position, position)
    step = Step("g", (2,), returns=6, divergence="own-lift-lowered")
    yield Played(OWN_LIFT_LOWERED, ((step,),)).case("may-enter", "an instance calls what it lifted", "own lift")
