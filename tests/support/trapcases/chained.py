"""Exceptions that would have to pass several instances, exceptions inside one, and an instance after a trap."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from tests.support.trapcases.case import Case, Played, Step

COMPOSITION: Final = """
(component
  (component $Thrower
    (core module $Throws
      (tag $oops)
      (func (export "throw") (throw $oops)))
    (core instance $throws (instantiate $Throws))
    (core module $M
      (import "" "throw" (func $throw))
      ;; 1: caught by another core instance of the same component; 2: not caught; 3: a trap of its own
      (func (export "f") (param i32) (result i32)
        (if (i32.eq (local.get 0) (i32.const 1))
          (then (block $caught (try_table (catch_all $caught) (call $throw)))))
        (if (i32.eq (local.get 0) (i32.const 2)) (then (call $throw)))
        (if (i32.eq (local.get 0) (i32.const 3)) (then unreachable))
        (i32.const 1)))
    (core instance $m (instantiate $M (with "" (instance $throws))))
    (func (export "f") (param "n" u32) (result u32) (canon lift (core func $m "f"))))
  (component $Catcher
    (import "f" (func $f (param "n" u32) (result u32)))
    (core func $f (canon lower (func $f)))
    (core module $M
      (import "" "f" (func $f (param i32) (result i32)))
      (func (export "f") (param i32) (result i32)
        (block $caught
          (try_table (catch_all $caught) (return (call $f (local.get 0)))))
        (i32.const 99)))
    (core instance $m (instantiate $M (with "" (instance (export "f" (func $f))))))
    (func (export "f") (param "n" u32) (result u32) (canon lift (core func $m "f"))))
  (component $Passer
    (import "f" (func $f (param "n" u32) (result u32)))
    (core func $f (canon lower (func $f)))
    (core module $M
      (import "" "f" (func $f (param i32) (result i32)))
      (func (export "f") (param i32) (result i32) (return_call $f (local.get 0))))
    (core instance $m (instantiate $M (with "" (instance (export "f" (func $f))))))
    (func (export "f") (param "n" u32) (result u32) (canon lift (core func $m "f"))))
  (component $Apart
    (core module $M (func (export "f") (result i32) (i32.const 7)))
    (core instance $m (instantiate $M))
    (func (export "f") (result u32) (canon lift (core func $m "f"))))
  (instance $thrower (instantiate $Thrower))
  (instance $catcher (instantiate $Catcher (with "f" (func $thrower "f"))))
  (instance $passer (instantiate $Passer (with "f" (func $thrower "f"))))
  (instance $twice (instantiate $Catcher (with "f" (func $catcher "f"))))
  (instance $past (instantiate $Catcher (with "f" (func $passer "f"))))
  (instance $apart (instantiate $Apart))
  (export "direct" (func $thrower "f"))
  (export "one" (func $catcher "f"))
  (export "two" (func $twice "f"))
  (export "past" (func $past "f"))
  (export "apart" (func $apart "f")))
"""
OWN_TRAP: Final = "wasm `unreachable` instruction executed"


def cases() -> Iterator[Case]:
    for export, position in (
        ("one", "callee: body"),
        ("two", "callee: two calls away"),
        ("past", "callee: past a tail call"),
    ):
        good = tuple((Step(export, (n,), returns=1),) for n in (0, 1))
        bad = (Step(export, (2,), trap="uncaught exception"),)
        yield Played(COMPOSITION, (*good, bad)).case("throw-callee", position, f"{export}, {position}")
    direct = (Step("direct", (2,), trap="uncaught exception", by_engine=True),)
    runs = ((Step("direct", (1,), returns=1),), direct)
    yield Played(COMPOSITION, runs).case("throw-callee", "host: export", "to the host")


def poisoned() -> Iterator[Case]:
    """After a trap, no instance may be entered again, not even one that had no part in it."""
    fine = (Step("one", (0,), returns=1), Step("apart", (), returns=7))
    for n, trap in ((2, "uncaught exception"), (3, OWN_TRAP)):
        for export in ("one", "apart"):
            steps = (Step("one", (n,), trap=trap), Step(export, (0,) if export == "one" else (), trap=POISONED))
            name = f"{export} after {trap}"
            position = "the same instance" if export == "one" else "another instance"
            yield Played(COMPOSITION, (fine, steps)).case("poisoned", position, name)


POISONED: Final = "cannot enter component instance"
