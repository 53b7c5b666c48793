"""Async where it is out of place: built-ins in a realloc, and sync-typed tasks that would have to wait."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Final

from tests.support.trapcases.async_guests import TYPES, builtins_of
from tests.support.trapcases.case import Case, Played, Step


# --- built-ins where an instance may not be left --------------------------------------------------------------------
def _params(type_: str) -> str:
    """Zeros for the parameters of a core type."""
    params = type_.partition("(result")[0]
    return "(i32.const 0) " * params.count("i32")


@cache
def leaving() -> str:
    """The provider's realloc calls the built-in whose number the length of a list says."""
    builtins = builtins_of(True)
    calls = []
    for number, (name, (type_, _)) in enumerate(builtins.items()):
        call = f"(call ${name} {_params(type_)})"
        call = f"(drop {call})" if "(result" in type_ else call
        calls.append(f"(if (i32.eq (local.get $size) (i32.const {4 * number + 4})) (then {call}))")
    canons = "\n".join(f"(core func ${key} (canon {canon}))" for key, (_, canon) in builtins.items())
    core = " ".join(f'(import "" "{key}" (func ${key} {type_}))' for key, (type_, _) in builtins.items())
    given = " ".join(f'(export "{key}" (func ${key}))' for key in builtins)
    return f"""
    (component
      (component $Leaver {TYPES}
        (core module $Mem (memory (export "m") 1)) (core instance $mem (instantiate $Mem)) {canons}
        (core module $M {core}
          (func (export "realloc") (param i32 i32 i32) (param $size i32) (result i32)
            {" ".join(calls)} (i32.const 1024))
          (func (export "f") (param i32 i32) (result i32) (i32.const 1)))
        (core instance $m (instantiate $M (with "" (instance {given}))))
        (func (export "f") (param "x" (list u32)) (result u32)
          (canon lift (core func $m "f") (memory (core memory $mem "m")) (realloc (core func $m "realloc")))))
      (component $Driver
        (import "f" (func $f (param "x" (list u32)) (result u32)))
        (core module $Mem (memory (export "m") 1)) (core instance $mem (instantiate $Mem))
        (core func $f (canon lower (func $f) (memory (core memory $mem "m"))))
        (core module $M
          (import "" "f" (func $f (param i32 i32) (result i32)))
          (func (export "run") (param $n i32) (result i32) (call $f (i32.const 0) (local.get $n))))
        (core instance $m (instantiate $M (with "" (instance (export "f" (func $f))))))
        (func (export "run") async (param "n" u32) (result u32) (canon lift (core func $m "run"))))
      (instance $l (instantiate $Leaver))
      (instance $d (instantiate $Driver (with "f" (func $l "f"))))
      (export "run" (func $d "run")))"""


def left() -> Iterator[Case]:
    builtins = builtins_of(True)
    fine = (Step("run", (len(builtins) + 1,), returns=1),)
    for number, (name, (_, canon)) in enumerate(builtins.items()):
        if name in ("get", "set") or name[0] in "cb":
            continue  # context.* may be used anywhere; the others are there with another element
        bad = (Step("run", (number + 1,), trap="cannot leave component instance"),)
        position = {"ret": "task.return", "subtask-cancel-async": "subtask.cancel async"}.get(name, canon.split()[0])
        if position == "task.return" and name != "ret":
            continue
        yield Played(leaving(), (fine, bad)).case("async-leaving", position, position)


# --- tasks that may not block ---------------------------------------------------------------------------------------
BLOCKING: Final = """
(component
  (component $Later
    (core func $ret (canon task.return (result u32)))
    (core module $M
      (import "" "ret" (func $ret (param i32)))
      (func (export "f") (param $x i32) (result i32)
        (if (local.get $x) (then (return (i32.const 1))))
        (call $ret (i32.const 1))
        (i32.const 0))
      (func (export "callback") (param i32 i32 i32) (result i32) (call $ret (i32.const 1)) (i32.const 0)))
    (core instance $m (instantiate $M (with "" (instance (export "ret" (func $ret))))))
    (func (export "f") async (param "x" u32) (result u32)
      (canon lift (core func $m "f") async (callback (core func $m "callback")))))
  (component $Blocks
    (type $f (future u32))
    (import "f" (func $later async (param "x" u32) (result u32)))
    (core module $Mem (memory (export "m") 1)) (core instance $mem (instantiate $Mem))
    (core func $later (canon lower (func $later)))
    (core func $new (canon future.new $f))
    (core func $read (canon future.read $f async (memory (core memory $mem "m"))))
    (core func $write (canon future.write $f async (memory (core memory $mem "m"))))
    (core func $set-new (canon waitable-set.new))
    (core func $join (canon waitable.join))
    (core func $wait (canon waitable-set.wait (memory (core memory $mem "m"))))
    (core module $M
      (import "" "later" (func $later (param i32) (result i32)))
      (import "" "new" (func $new (result i64)))
      (import "" "read" (func $read (param i32 i32) (result i32)))
      (import "" "write" (func $write (param i32 i32) (result i32)))
      (import "" "set-new" (func $set-new (result i32)))
      (import "" "join" (func $join (param i32 i32)))
      (import "" "wait" (func $wait (param i32 i32) (result i32)))
      (func (export "calls") (param $x i32) (result i32) (call $later (local.get $x)))
      (func (export "waits") (param $x i32) (result i32)
        (local $e i64) (local $s i32)
        (local.set $e (call $new))
        (local.set $s (call $set-new))
        (drop (call $read (i32.wrap_i64 (local.get $e)) (i32.const 64)))
        (call $join (i32.wrap_i64 (local.get $e)) (local.get $s))
        ;; 0: there is an event
        (if (i32.eqz (local.get $x))
          (then (drop (call $write (i32.wrap_i64 (i64.shr_u (local.get $e) (i64.const 32))) (i32.const 64)))))
        (drop (call $wait (local.get $s) (i32.const 128)))
        (i32.const 1)))
    (core instance $m (instantiate $M (with "" (instance (export "later" (func $later)) (export "new" (func $new))
      (export "read" (func $read)) (export "write" (func $write)) (export "set-new" (func $set-new))
      (export "join" (func $join)) (export "wait" (func $wait))))))
    (func (export "calls") (param "x" u32) (result u32) (canon lift (core func $m "calls")))
    (func (export "waits") (param "x" u32) (result u32) (canon lift (core func $m "waits"))))
  (component $Driver
    (import "calls" (func $calls (param "x" u32) (result u32)))
    (import "waits" (func $waits (param "x" u32) (result u32)))
    (core func $calls (canon lower (func $calls)))
    (core func $waits (canon lower (func $waits)))
    (core module $M
      (import "" "calls" (func $calls (param i32) (result i32)))
      (import "" "waits" (func $waits (param i32) (result i32)))
      (func (export "calls") (param i32) (result i32) (call $calls (local.get 0)))
      (func (export "waits") (param i32) (result i32) (call $waits (local.get 0))))
    (core instance $m (instantiate $M (with "" (instance
      (export "calls" (func $calls)) (export "waits" (func $waits))))))
    (func (export "calls") async (param "x" u32) (result u32) (canon lift (core func $m "calls")))
    (func (export "waits") async (param "x" u32) (result u32) (canon lift (core func $m "waits"))))
  (instance $l (instantiate $Later))
  (instance $b (instantiate $Blocks (with "f" (func $l "f"))))
  (instance $d (instantiate $Driver (with "calls" (func $b "calls")) (with "waits" (func $b "waits"))))
  (export "calls" (func $d "calls"))
  (export "waits" (func $d "waits")))
"""


def blocking() -> Iterator[Case]:
    """A sync-typed function in the middle of an async task."""
    for export, position in (("calls", "synchronous lower"), ("waits", "waitable-set.wait")):
        runs = (
            (Step(export, (0,), returns=1),),
            (Step(export, (1,), trap="a synchronous task cannot block"),),
        )
        yield Played(BLOCKING, runs).case("cannot-block", position, position)


# --- backpressure -----------------------------------------------------------------------------------------------------
BACKPRESSURE: Final = """
(component
  (component $Gated
    (core func $inc (canon backpressure.inc))
    (core func $dec (canon backpressure.dec))
    (core module $M
      (import "" "inc" (func $inc))
      (import "" "dec" (func $dec))
      (func (export "inc") (call $inc))
      (func (export "dec") (call $dec)))
    (core instance $m (instantiate $M (with "" (instance (export "inc" (func $inc)) (export "dec" (func $dec))))))
    (func (export "inc") (canon lift (core func $m "inc")))
    (func (export "dec") (canon lift (core func $m "dec"))))
  (component $Driver
    (import "inc" (func $inc))
    (import "dec" (func $dec))
    (core func $inc (canon lower (func $inc)))
    (core func $dec (canon lower (func $dec)))
    (core module $M
      (import "" "inc" (func $inc))
      (import "" "dec" (func $dec))
      (func $run (export "run") (param $ups i32) (param $downs i32) (result i32)
        (block $up (loop $more
          (br_if $up (i32.eqz (local.get $ups)))
          (call $inc)
          (local.set $ups (i32.sub (local.get $ups) (i32.const 1)))
          (br $more)))
        (block $down (loop $more
          (br_if $down (i32.eqz (local.get $downs)))
          (call $dec)
          (local.set $downs (i32.sub (local.get $downs) (i32.const 1)))
          (br $more)))
        (i32.const 1)))
    (core instance $m (instantiate $M (with "" (instance (export "inc" (func $inc)) (export "dec" (func $dec))))))
    (func (export "run") async (param "ups" u32) (param "downs" u32) (result u32) (canon lift (core func $m "run"))))
  (instance $g (instantiate $Gated))
  (instance $d (instantiate $Driver (with "inc" (func $g "inc")) (with "dec" (func $g "dec"))))
  (export "run" (func $d "run")))
"""


def backpressure() -> Iterator[Case]:
    trap, most = "backpressure out of range", (1 << 16) - 1
    ups = ((Step("run", (most, most), returns=1),), (Step("run", (most + 1, 0), trap=trap),))
    downs = ((Step("run", (2, 2), returns=1),), (Step("run", (0, 1), trap=trap),), (Step("run", (2, 3), trap=trap),))
    for op, runs in (("inc", ups), ("dec", downs)):
        yield Played(BACKPRESSURE, runs).case("backpressure-range", f"backpressure.{op}", op)
