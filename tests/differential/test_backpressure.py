"""Calls that wait to start, composed beside fused: what each side is told, in which order, and what traps."""

from __future__ import annotations

import pytest
from wasmtime import wat2wasm

from meldpy.errors import UnsupportedError
from meldpy.pipeline import FuseOptions, fuse
from tests.differential.divergences import Divergences
from tests.differential.test_async import assert_alike, both
from tests.support.harness import Call, Difference, Returned, Trap

PROVIDER = """
(component $Provider
  (import "log" (func $log (param "x" u32)))
  (core func $log (canon lower (func $log)))
  (core func $inc (canon backpressure.inc)) (core func $dec (canon backpressure.dec))
  (core func $return (canon task.return (result u32)))
  (core module $M
    (import "" "log" (func $log (param i32)))
    (import "" "inc" (func $inc)) (import "" "dec" (func $dec))
    (import "" "return" (func $return (param i32)))
    (global $open (mut i32) (i32.const 0))
    ;; 100 and more: closes the gate again; 200 and more: yields first, and 300 and more: then opens the gate
    (func $begin (param $x i32) (result i32)
      (call $log (local.get $x))
      (if (i32.ge_u (local.get $x) (i32.const 300)) (then (global.set $open (i32.const 1))))
      (if (i32.ge_u (local.get $x) (i32.const 200)) (then (return (i32.const 1))))
      (if (i32.ge_u (local.get $x) (i32.const 100)) (then (call $inc)))
      (call $return (i32.add (local.get $x) (i32.const 1)))
      (i32.const 0))
    (func (export "t") (param $x i32) (result i32) (call $begin (local.get $x)))
    (func (export "callback") (param i32 i32 i32) (result i32)
      (if (global.get $open) (then (call $dec)))
      (call $return (local.get 0))
      (i32.const 0))
    (func (export "wide") (param i64 f32 f64 i32) (result i32)
      (call $log (i32.wrap_i64 (local.get 0))) (call $log (i32.trunc_f32_u (local.get 1)))
      (call $log (i32.trunc_f64_u (local.get 2))) (call $log (local.get 3))
      (call $return (i32.const 9))
      (i32.const 0))
    (func (export "s") (param $x i32) (result i32) (call $log (local.get $x)) (i32.mul (local.get $x) (i32.const 2)))
    (func (export "hold") (call $inc)) (func (export "let-in") (call $dec)))
  (core instance $m (instantiate $M (with "" (instance (export "log" (func $log)) (export "inc" (func $inc))
    (export "dec" (func $dec)) (export "return" (func $return))))))
  (func (export "t") async (param "x" u32) (result u32)
    (canon lift (core func $m "t") async (callback (core func $m "callback"))))
  (func (export "wide") async (param "a" u64) (param "b" f32) (param "c" f64) (param "d" u8) (result u32)
    (canon lift (core func $m "wide") async (callback (core func $m "callback"))))
  (func (export "s") async (param "x" u32) (result u32) (canon lift (core func $m "s")))
  (func (export "hold") (canon lift (core func $m "hold")))
  (func (export "let-in") (canon lift (core func $m "let-in"))))
"""


def driver(body: str, *, beside_a_future: bool = False) -> str:
    """A composition whose `run` does `body`; `$note` logs what it is given.

    beside_a_future: waitables are of more kinds than one, though no future is ever made.
    """
    defined, imported, given, used = _FUTURE if beside_a_future else ("", "", "", "")
    return f"""
    (component
      (import "log" (func $log (param "x" u32)))
      {PROVIDER}
      (instance $p (instantiate $Provider (with "log" (func $log))))
      (component $Driver
        (import "log" (func $log (param "x" u32)))
        (import "t" (func $t async (param "x" u32) (result u32)))
        (import "wide" (func $w async (param "a" u64) (param "b" f32) (param "c" f64) (param "d" u8) (result u32)))
        (import "s" (func $s async (param "x" u32) (result u32)))
        (import "hold" (func $hold)) (import "let-in" (func $let-in))
        (core module $Mem (memory (export "m") 1)) (core instance $mem (instantiate $Mem))
        (core func $log (canon lower (func $log)))
        (core func $t (canon lower (func $t) async (memory (core memory $mem "m"))))
        (core func $w (canon lower (func $w) async (memory (core memory $mem "m"))))
        (core func $s (canon lower (func $s) async (memory (core memory $mem "m"))))
        (core func $sync-t (canon lower (func $t)))
        (core func $hold (canon lower (func $hold))) (core func $let-in (canon lower (func $let-in)))
        (core func $set-new (canon waitable-set.new)) (core func $join (canon waitable.join))
        (core func $wait (canon waitable-set.wait (memory (core memory $mem "m"))))
        (core func $drop (canon subtask.drop)) (core func $cancel (canon subtask.cancel)) {defined}
        (core module $M
          (import "" "m" (memory 1)) (import "" "log" (func $log (param i32)))
          (import "" "t" (func $t (param i32 i32) (result i32))) (import "" "s" (func $s (param i32 i32) (result i32)))
          (import "" "w" (func $w (param i64 f32 f64 i32 i32) (result i32)))
          (import "" "sync-t" (func $sync-t (param i32) (result i32)))
          (import "" "hold" (func $hold)) (import "" "let-in" (func $let-in))
          (import "" "set-new" (func $set-new (result i32))) (import "" "join" (func $join (param i32 i32)))
          (import "" "wait" (func $wait (param i32 i32) (result i32))) (import "" "drop" (func $drop (param i32)))
          (import "" "cancel" (func $cancel (param i32) (result i32))) {imported}
          (global $set (mut i32) (i32.const 0)) (global $last (mut i32) (i32.const 0))
          (func $note (param i32) (call $log (local.get 0)))
          ;; what an async lower said: logged, and in the set
          (func $called (param $status i32)
            (call $note (local.get $status))
            (global.set $last (i32.shr_u (local.get $status) (i32.const 4)))
            (if (global.get $last) (then (call $join (global.get $last) (global.get $set)))))
          (func $event
            (call $note (call $wait (global.get $set) (i32.const 16)))
            (call $note (i32.load (i32.const 16))) (call $note (i32.load (i32.const 20)))
            (call $note (i32.load (i32.const 64))) (call $note (i32.load (i32.const 68))))
          (func (export "run") (result i32)
            (global.set $set (call $set-new)) {used}
            {body}
            (i32.const 1)))
        (core instance $m (instantiate $M (with "" (instance (export "m" (memory $mem "m")) (export "log" (func $log))
          (export "t" (func $t)) (export "s" (func $s)) (export "w" (func $w)) (export "sync-t" (func $sync-t))
          (export "hold" (func $hold)) (export "let-in" (func $let-in)) (export "set-new" (func $set-new))
          (export "join" (func $join)) (export "wait" (func $wait)) (export "drop" (func $drop))
          (export "cancel" (func $cancel)) {given}))))
        (func (export "run") async (result u32) (canon lift (core func $m "run"))))
      (instance $d (instantiate $Driver (with "log" (func $log)) (with "t" (func $p "t")) (with "s" (func $p "s"))
        (with "wide" (func $p "wide")) (with "hold" (func $p "hold")) (with "let-in" (func $p "let-in"))))
      (func (export "run") (alias export $d "run")))"""


_FUTURE = (
    "(type $Future (future)) (core func $future (canon future.new $Future))",
    '(import "" "future" (func $future (result i64)))',
    '(export "future" (func $future))',
    "(if (i32.const 0) (then (drop (call $future))))",
)


def call(name: str, x: int, at: int = 64) -> str:
    return f"(call $called (call ${name} (i32.const {x}) (i32.const {at})))"


HOLD, LET_IN, EVENT = "(call $hold)", "(call $let-in)", "(call $event)"
SCENARIOS = {
    "a call waits, starts, and returns": f"{HOLD} {call('t', 5)}"
    f" (call $note (i32.load (i32.const 64))) {LET_IN} {EVENT}",
    "a sync lift waits too": f"{HOLD} {call('s', 5)} {LET_IN} {EVENT}",
    "it started, and returns later": f"{HOLD} {call('t', 205)} {LET_IN} {EVENT} {EVENT}",
    "every kind of argument": f"{HOLD} (call $called (call $w (i64.const 3) (f32.const 4) (f64.const 5)"
    f" (i32.const 262) (i32.const 64))) {LET_IN} {EVENT}",
    "twice held, once let in": f"{HOLD} {HOLD} {call('t', 5)} {LET_IN} {call('t', 6, 68)} {LET_IN} {EVENT} {EVENT}",
    "first come, first served": f"{HOLD} {call('t', 5)} {call('s', 6, 68)} {call('t', 7, 72)}"
    f" {LET_IN} {EVENT} {EVENT} {EVENT}",
    "the first one closes the gate": f"{HOLD} {call('t', 105)} {call('t', 6, 68)} {LET_IN} {EVENT} {LET_IN} {EVENT}",
    "cancelled before it started": f"{HOLD} {call('t', 5)} (call $join (global.get $last) (i32.const 0))"
    f" (call $note (call $cancel (global.get $last))) (call $drop (global.get $last)) {call('t', 6)} {LET_IN} {EVENT}",
    "cancelled, while others wait": f"{HOLD} {call('t', 5)} {call('t', 6, 68)}"
    f" (call $join (global.get $last) (i32.const 0)) (call $note (call $cancel (global.get $last))) {LET_IN} {EVENT}",
    "nobody waits": f"{HOLD} {LET_IN} {call('t', 5)}",
}


@pytest.mark.parametrize("beside_a_future", [False, True])
@pytest.mark.parametrize("name", SCENARIOS)
def test_calls_that_wait_to_start(name: str, beside_a_future: bool) -> None:
    assert assert_alike(driver(SCENARIOS[name], beside_a_future=beside_a_future)) == [Returned(1)]


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (f"{HOLD} {call('t', 5)} {EVENT}", "deadlock detected"),
        (f"{HOLD} (call $note (call $sync-t (i32.const 5)))", "deadlock detected"),
        (f"{HOLD} {call('t', 5)} (call $drop (global.get $last))", "cannot drop a subtask which has not yet resolved"),
        (LET_IN, "backpressure counter overflow"),
    ],
)
def test_what_cannot_go_on(body: str, kind: str) -> None:
    [outcome] = assert_alike(driver(body))
    assert isinstance(outcome, Trap)
    assert outcome.kind == kind


def test_a_synchronous_call_waits_on_its_stack() -> None:
    """A task that yielded opens the gate in the meantime."""
    body = f"{call('t', 305)} {call('t', 106, 68)} (call $note (call $sync-t (i32.const 7)))"
    assert assert_alike(driver(body)) == [Returned(1)]
    # nobody does
    body = f"{call('t', 205)} {call('t', 106, 68)} (call $note (call $sync-t (i32.const 7)))"
    [outcome] = assert_alike(driver(body))
    assert isinstance(outcome, Trap)
    assert outcome.kind == "deadlock detected"


def test_a_new_call_waits_behind_those_that_wait(divergences: Divergences) -> None:
    """The gate is open, and they have not started yet."""
    composed, fused = both(driver(f"{HOLD} {call('t', 5)} {LET_IN} {call('t', 6, 68)} {EVENT}"))
    assert composed.steps[-1].outcome == fused.steps[-1].outcome == Returned(1)
    logs = [[args[0] for _, args in form.steps[-1].host_calls] for form in (composed, fused)]
    assert logs[1][:4] == [32, 48, 5, 6], "STARTING, twice"
    assert divergences.explains(Difference("run", "host calls", *logs))


def test_the_host_feels_backpressure_through_the_engine() -> None:
    """All async exports are of the instance that asks for it."""
    text = f"""(component (import "log" (func $log (param "x" u32))) {PROVIDER}
      (instance $p (instantiate $Provider (with "log" (func $log))))
      (export "run" (func $p "s")) (export "hold" (func $p "hold")) (export "let-in" (func $p "let-in")))"""
    calls = [Call("run", [4]), Call("hold"), Call("let-in"), Call("run", [5])]
    assert assert_alike(text, *calls) == [Returned(8), Returned(None), Returned(None), Returned(10)]
    [*_, last] = assert_alike(text, *calls[:2], Call("run", [6]))
    assert isinstance(last, Trap)
    assert last.kind == "deadlock detected"


def test_another_instance_with_async_exports_is_refused() -> None:
    text = f"""(component (import "log" (func $log (param "x" u32))) {PROVIDER}
      (instance $p (instantiate $Provider (with "log" (func $log))))
      (component $Q (core module $M (func (export "f"))) (core instance $m (instantiate $M))
        (func (export "f") async (canon lift (core func $m "f"))))
      (instance $q (instantiate $Q))
      (export "run" (func $p "s")) (export "hold" (func $p "hold")) (export "f" (func $q "f")))"""
    with pytest.raises(UnsupportedError, match="another that uses backpressure"):
        fuse([bytes(wat2wasm(text))], FuseOptions(flat=True))
