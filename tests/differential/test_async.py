"""Async between fused instances, composed beside fused: results, traps, host calls in order, deadlocks.

The random compositions (`support/asyncflows`) tell everything that either instance sees to the host.
"""

from __future__ import annotations

import os

import pytest
from wasmtime import wat2wasm

from meldpy.engine.traps import same_trap
from meldpy.errors import LimitError, UnsupportedError
from meldpy.fixture.prove import fuse as fuse_fixture
from meldpy.pipeline import FuseOptions, fuse
from tests.support.asyncflows import make
from tests.support.compose import Export, Wire, compose
from tests.support.fixtures import load
from tests.support.harness import Call, Guest, Observed, Returned, Trap, observe
from tests.support.shape import assert_fused_shape
from tests.support.values import Plain

RUN = Call("run", [])


def log(guest: Guest | None, args: list[Plain]) -> None:
    """Takes note of nothing: the observer does."""


HOST = {"log": log}


def both(text: str, *calls: Call) -> tuple[Observed, Observed]:
    """What is seen of the composition, and of its fused form, which must be flat."""
    composed = bytes(wat2wasm(text))
    fused = fuse([composed], FuseOptions(flat=True)).bytes
    assert_fused_shape(fused)
    return tuple(observe(binary, calls or (RUN,), host=HOST) for binary in (composed, fused))  # type: ignore[return-value]


def assert_alike(text: str, *calls: Call) -> list[Returned | Trap]:
    """The outcomes, which are the same in both forms."""
    composed, fused = both(text, *calls)
    for one, other in zip(composed.steps, fused.steps, strict=True):
        assert one.host_calls == other.host_calls
        match one.outcome, other.outcome:
            case Trap(kind=kind), Trap(kind=others):
                assert same_trap(kind, others)
            case expected, got:
                assert expected == got
    return [step.outcome for step in composed.steps if step.label != "(instantiate)"]


# --- scenarios --------------------------------------------------------------------------------------------------------
CALLEE = """
(component $A
  (import "log" (func $log (param "x" u32)))
  (core module $Mem (memory (export "m") 1)) (core instance $mem (instantiate $Mem))
  (core func $log (canon lower (func $log)))
  (core func $return (canon task.return (result u32)))
  (core func $return-none (canon task.return))
  (core func $get (canon context.get i32 0))
  (core func $set (canon context.set i32 0))
  (core module $M
    (import "" "log" (func $log (param i32)))
    (import "" "return" (func $return (param i32)))
    (import "" "return-none" (func $return-none))
    (import "" "get" (func $get (result i32)))
    (import "" "set" (func $set (param i32)))
    (func (export "now") (param $x i32) (result i32)
      (call $log (call $get))
      (call $set (i32.const 9))
      (call $return (i32.add (local.get $x) (i32.const 1)))
      (i32.const 0))
    (func (export "later") (param $x i32) (result i32)
      (call $log (call $get))
      (call $set (local.get $x))
      (i32.const 1))
    (func (export "wrong") (param $x i32) (result i32) (call $return-none) (i32.const 0))
    (func (export "sync") (param $x i32) (result i32)
      (call $log (call $get))
      (call $set (i32.const 5))
      (i32.mul (local.get $x) (i32.const 2)))
    (func (export "sync-returns") (param $x i32) (result i32) (call $return (i32.const 1)) (i32.const 1))
    (func (export "callback") (param $code i32) (param i32 i32) (result i32)
      (call $log (local.get $code))
      (call $return (call $get))
      (i32.const 0)))
  (core instance $m (instantiate $M (with "" (instance
    (export "log" (func $log)) (export "return" (func $return)) (export "return-none" (func $return-none))
    (export "get" (func $get)) (export "set" (func $set))))))
  (func (export "now") async (param "x" u32) (result u32)
    (canon lift (core func $m "now") async (callback (core func $m "callback"))))
  (func (export "later") async (param "x" u32) (result u32)
    (canon lift (core func $m "later") async (callback (core func $m "callback"))))
  (func (export "wrong") async (param "x" u32) (result u32)
    (canon lift (core func $m "wrong") async (callback (core func $m "callback"))))
  (func (export "sync") async (param "x" u32) (result u32) (canon lift (core func $m "sync")))
  (func (export "sync-returns") async (param "x" u32) (result u32) (canon lift (core func $m "sync-returns")))
  (func (export "plain") (param "x" u32) (result u32) (canon lift (core func $m "sync"))))
"""


def calling(name: str, body: str, *, async_: bool, type_: str = "async", export: str = "async") -> str:
    """A composition whose `run` calls one function of the callee; the core import `f` is its lower."""
    lower = 'async (memory (core memory $mem "m"))' if async_ else ""
    signature = "(param i32 i32) (result i32)" if async_ else "(param i32) (result i32)"
    return f"""
    (component
      (import "log" (func $log (param "x" u32)))
      {CALLEE}
      (instance $a (instantiate $A (with "log" (func $log))))
      (component $B
        (import "f" (func $f {type_} (param "x" u32) (result u32)))
        (core module $Mem (memory (export "m") 1)) (core instance $mem (instantiate $Mem))
        (core func $f (canon lower (func $f) {lower}))
        (core func $wait (canon waitable-set.wait (memory (core memory $mem "m"))))
        (core func $set (canon waitable-set.new))
        (core func $join (canon waitable.join))
        (core func $drop (canon subtask.drop))
        (core module $M
          (import "" "m" (memory 1))
          (import "" "f" (func $f {signature}))
          (import "" "wait" (func $wait (param i32 i32) (result i32)))
          (import "" "set" (func $set (result i32)))
          (import "" "join" (func $join (param i32 i32)))
          (import "" "drop" (func $drop (param i32)))
          (func (export "run") (result i32) (local $s i32) {body}))
        (core instance $m (instantiate $M (with "" (instance
          (export "m" (memory $mem "m")) (export "f" (func $f)) (export "wait" (func $wait))
          (export "set" (func $set)) (export "join" (func $join)) (export "drop" (func $drop))))))
        (func (export "run") {export} (result u32) (canon lift (core func $m "run"))))
      (instance $b (instantiate $B (with "f" (func $a "{name}"))))
      (func (export "run") (alias export $b "run")))"""


SYNC = "(call $f (i32.const 20))"
AT_ONCE = """
  (if (i32.ne (call $f (i32.const 20) (i32.const 8)) (i32.const 2)) (then unreachable))
  (i32.load (i32.const 8))"""
WAITED = """
  (local.set $s (call $f (i32.const 20) (i32.const 8)))
  (if (i32.ne (i32.and (local.get $s) (i32.const 15)) (i32.const 1)) (then unreachable))
  (local.set $s (i32.shr_u (local.get $s) (i32.const 4)))
  (call $join (local.get $s) (call $set))
  (drop (call $wait (i32.add (local.get $s) (i32.const 1)) (i32.const 16)))
  (call $drop (local.get $s))
  (i32.add (i32.load (i32.const 8)) (i32.mul (i32.load (i32.const 20)) (i32.const 100)))"""


@pytest.mark.parametrize(
    ("callee", "body", "async_", "result"),
    [
        ("now", SYNC, False, 21),
        ("later", SYNC, False, 20),
        ("sync", SYNC, False, 40),
        ("now", AT_ONCE, True, 21),
        ("sync", AT_ONCE, True, 40),
        ("later", WAITED, True, 220),
    ],
)
def test_every_lower_against_every_lift(callee: str, body: str, async_: bool, result: int) -> None:
    text = calling(callee, body, async_=async_)
    assert assert_alike(text) == [Returned(result)]


def test_a_sync_typed_function_has_a_context_of_its_own() -> None:
    text = calling("plain", SYNC, async_=False, type_="")
    assert assert_alike(text, RUN, RUN) == [Returned(40), Returned(40)]


def test_a_post_return_has_the_context_of_its_call() -> None:
    """Called by the host and by another instance, with the same in both forms."""
    text = """
    (component
      (import "log" (func $log (param "x" u32)))
      (component $A
        (import "log" (func $log (param "x" u32)))
        (core func $log (canon lower (func $log)))
        (core func $get (canon context.get i32 0)) (core func $set (canon context.set i32 0))
        (core module $M
          (import "" "log" (func $log (param i32)))
          (import "" "get" (func $get (result i32))) (import "" "set" (func $set (param i32)))
          (func (export "f") (param $x i32) (result i32)
            (call $log (call $get)) (call $set (i32.add (local.get $x) (i32.const 50))) (local.get $x))
          (func (export "after") (param $x i32) (global.set $seen (i32.add (call $get) (local.get $x))))
          (global $seen (mut i32) (i32.const 0))
          (func (export "seen") (result i32) (call $log (call $get)) (global.get $seen)))
        (core instance $m (instantiate $M (with "" (instance
          (export "log" (func $log)) (export "get" (func $get)) (export "set" (func $set))))))
        (func (export "f") (param "x" u32) (result u32)
          (canon lift (core func $m "f") (post-return (func $m "after"))))
        (func (export "seen") (result u32) (canon lift (core func $m "seen"))))
      (instance $a (instantiate $A (with "log" (func $log))))
      (component $B
        (import "f" (func $f (param "x" u32) (result u32)))
        (core func $f (canon lower (func $f)))
        (core module $M
          (import "" "f" (func $f (param i32) (result i32)))
          (func (export "run") (result i32) (i32.add (call $f (i32.const 1)) (call $f (i32.const 2)))))
        (core instance $m (instantiate $M (with "" (instance (export "f" (func $f))))))
        (func (export "run") (result u32) (canon lift (core func $m "run"))))
      (instance $b (instantiate $B (with "f" (func $a "f"))))
      (export "f" (func $a "f"))
      (export "seen" (func $a "seen"))
      (func (export "run") (alias export $b "run")))"""
    calls = [Call("f", [7]), Call("seen", []), Call("f", [8]), Call("seen", []), RUN, Call("seen", [])]
    assert assert_alike(text, *calls) == [Returned(value) for value in (7, 64, 8, 66, 3, 54)]


def test_task_return_of_another_result_type_traps() -> None:
    [outcome] = assert_alike(calling("wrong", SYNC, async_=False))
    assert isinstance(outcome, Trap)


@pytest.mark.parametrize(("lifts", "returns", "same"), [(True, False, True), (True, True, True), (False, True, False)])
def test_task_return_may_leave_out_a_memory_that_only_parameters_need(lifts: bool, returns: bool, same: bool) -> None:
    memory = '(memory (core memory $mem "m"))'
    text = calling("now", SYNC, async_=False)
    if lifts:
        text = text.replace('(core func $m "now") async', f'(core func $m "now") async {memory}')
    if returns:
        text = text.replace("(canon task.return (result u32))", f"(canon task.return (result u32) {memory})")
    [outcome] = assert_alike(text)
    assert (outcome == Returned(21)) == same


def test_task_return_in_a_task_of_a_sync_lift_traps() -> None:
    """The engine gives up with a message of its own."""
    composed, fused = both(calling("sync-returns", SYNC, async_=False))
    assert isinstance(composed.steps[-1].outcome, Trap)
    outcome = fused.steps[-1].outcome
    assert isinstance(outcome, Trap)
    assert outcome.kind == "task.return of another function"


def test_a_sync_typed_export_cannot_block() -> None:
    text = calling("later", SYNC, async_=False, export="")
    with pytest.raises(UnsupportedError, match="work that has to go on"):
        fuse([bytes(wat2wasm(text))], FuseOptions(flat=True))


SYNC_TYPED_BELOW = """
(component
  (import "run" (func $run (result u32)))
  (core func $run (canon lower (func $run)))
  (core module $M (import "" "run" (func $run (result i32))) (func (export "run") (result i32) (call $run)))
  (core instance $m (instantiate $M (with "" (instance (export "run" (func $run))))))
  (func (export "run") async (result u32) (canon lift (core func $m "run"))))
"""
"""Calls what is sync-typed from an async task, since the engine gives up on such calls of its host."""


@pytest.mark.parametrize(("body", "async_"), [(SYNC, False), (AT_ONCE, True)])
def test_a_sync_typed_export_may_call_what_exits_at_once(body: str, async_: bool) -> None:
    """The callee's function can only say EXIT, so no work is left behind and nobody blocks."""
    inner = bytes(wat2wasm(calling("now", body, async_=async_, export="")))
    fused = fuse([inner], FuseOptions(flat=True)).bytes
    assert_fused_shape(fused)
    above = bytes(wat2wasm(SYNC_TYPED_BELOW))
    for form in (inner, fused):
        binary = compose(
            {"inner": form, "above": above}, [Wire("above", "run", "inner", "run")], [Export("above", "run")]
        )
        [step] = [step for step in observe(binary, [RUN], host=HOST).steps if step.label != "(instantiate)"]
        assert (step.outcome, step.host_calls) == (Returned(21), [("log", [0])])


# --- several calls of the host at once --------------------------------------------------------------------------------
WAITERS = """
(component
  (import "log" (func $log (param "x" u32)))
  (core module $Mem (memory (export "m") 1)) (core instance $mem (instantiate $Mem))
  (type $f (future u32))
  (core func $log (canon lower (func $log)))
  (core func $ret (canon task.return (result u32)))
  (core func $setnew (canon waitable-set.new))
  (core func $join (canon waitable.join))
  (core func $get (canon context.get i32 0)) (core func $set (canon context.set i32 0))
  (core func $fnew (canon future.new $f))
  (core func $fread (canon future.read $f async (memory (core memory $mem "m"))))
  (core func $fwrite (canon future.write $f async (memory (core memory $mem "m"))))
  (core module $M
    (import "" "m" (memory 1))
    (import "" "log" (func $log (param i32))) (import "" "ret" (func $ret (param i32)))
    (import "" "setnew" (func $setnew (result i32))) (import "" "join" (func $join (param i32 i32)))
    (import "" "get" (func $get (result i32))) (import "" "set" (func $set (param i32)))
    (import "" "fnew" (func $fnew (result i64))) (import "" "fread" (func $fread (param i32 i32) (result i32)))
    (import "" "fwrite" (func $fwrite (param i32 i32) (result i32)))
    (global $n (mut i32) (i32.const 0))
    (func (export "waiter") (param $x i32) (result i32)
      (local $e i64) (local $s i32) (local $at i32)
      (call $log (call $get))
      (call $set (local.get $x))
      (local.set $e (call $fnew))
      (local.set $s (call $setnew))
      (local.set $at (i32.mul (local.get $x) (i32.const 16)))
      (i32.store offset=1024 (local.get $at) (i32.wrap_i64 (i64.shr_u (local.get $e) (i64.const 32))))
      (drop (call $fread (i32.wrap_i64 (local.get $e)) (i32.add (local.get $at) (i32.const 1028))))
      (call $join (i32.wrap_i64 (local.get $e)) (local.get $s))
      (i32.or (i32.const 2) (i32.shl (local.get $s) (i32.const 4))))
    (func (export "poker") (param $x i32) (result i32)
      (call $log (i32.const 500))
      (i32.store (i32.const 8) (i32.mul (local.get $x) (i32.const 11)))
      (call $log (call $fwrite (i32.load offset=1024 (i32.mul (local.get $x) (i32.const 16))) (i32.const 8)))
      (call $ret (local.get $x))
      (i32.const 0))
    (func (export "cb") (param i32 i32 i32) (result i32)
      (call $log (local.get 0)) (call $log (local.get 1)) (call $log (local.get 2)) (call $log (call $get))
      (call $ret (i32.load offset=1028 (i32.mul (call $get) (i32.const 16))))
      (i32.const 0)))
  (core instance $m (instantiate $M (with "" (instance (export "m" (memory $mem "m"))
    (export "log" (func $log)) (export "ret" (func $ret)) (export "setnew" (func $setnew)) (export "join"
      (func $join))
    (export "get" (func $get)) (export "set" (func $set)) (export "fnew" (func $fnew)) (export "fread"
      (func $fread)) (export "fwrite" (func $fwrite))))))
  (func (export "waiter") async (param "x" u32) (result u32) (canon lift (core func $m "waiter") async (callback
    (core func $m "cb"))))
  (func (export "poker") async (param "x" u32) (result u32) (canon lift (core func $m "poker") async (callback
    (core func $m "cb")))))
"""
CALLER = """
(component
  (import "log" (func $log (param "x" u32)))
  (import "waiter" (func $w async (param "x" u32) (result u32)))
  (import "poker" (func $p async (param "x" u32) (result u32)))
  (core module $Mem (memory (export "m") 1)) (core instance $mem (instantiate $Mem))
  (core func $log (canon lower (func $log)))
  (core func $w (canon lower (func $w) async (memory (core memory $mem "m"))))
  (core func $p (canon lower (func $p) async (memory (core memory $mem "m"))))
  (core func $setnew (canon waitable-set.new)) (core func $join (canon waitable.join))
  (core func $wait (canon waitable-set.wait (memory (core memory $mem "m"))))
  (core func $drop (canon subtask.drop))
  (core module $M
    (import "" "m" (memory 1)) (import "" "log" (func $log (param i32)))
    (import "" "w" (func $w (param i32 i32) (result i32))) (import "" "p" (func $p (param i32 i32) (result i32)))
    (import "" "setnew" (func $setnew (result i32))) (import "" "join" (func $join (param i32 i32)))
    (import "" "wait" (func $wait (param i32 i32) (result i32))) (import "" "drop" (func $drop (param i32)))
    (func $note (param i32) (result i32) (call $log (local.get 0)) (local.get 0))
    (func $go (param $s i32) (param $r i32)
      (local.set $r (call $note (local.get $r)))
      (if (i32.gt_u (local.get $r) (i32.const 15)) (then (call $join (i32.shr_u (local.get $r) (i32.const 4))
        (local.get $s)))))
    (func (export "run") (result i32) (local $s i32) (local $i i32) (local $h i32)
      (local.set $s (call $setnew))
      (call $go (local.get $s) (call $w (i32.const 1) (i32.const 64)))
      (call $go (local.get $s) (call $w (i32.const 2) (i32.const 68)))
      (call $go (local.get $s) (call $w (i32.const 3) (i32.const 72)))
      (call $go (local.get $s) (call $p (i32.const 2) (i32.const 76)))
      (call $go (local.get $s) (call $p (i32.const 3) (i32.const 80)))
      (drop (call $note (call $wait (local.get $s) (i32.const 16))))
      (call $log (i32.load (i32.const 20)))
      (drop (call $note (call $wait (local.get $s) (i32.const 16))))
      (call $log (i32.load (i32.const 20)))
      (call $go (local.get $s) (call $p (i32.const 1) (i32.const 84)))
      (drop (call $note (call $wait (local.get $s) (i32.const 16))))
      (call $log (i32.load (i32.const 20)))
      (call $log (i32.load (i32.const 64))) (call $log (i32.load (i32.const 68))) (call $log (i32.load
        (i32.const 72)))
      (i32.const 1)))
  (core instance $m (instantiate $M (with "" (instance (export "m" (memory $mem "m")) (export "log" (func $log))
    (export "w" (func $w)) (export "p" (func $p)) (export "setnew" (func $setnew)) (export "join" (func $join))
      (export "wait" (func $wait)) (export "drop" (func $drop))))))
  (func (export "run") async (result u32) (canon lift (core func $m "run"))))
"""


def test_calls_that_wait_for_each_other_wake_each_other() -> None:
    """Each has an engine task of its own, in which alone its code runs; whoever makes another ready wakes that."""
    inner, caller = bytes(wat2wasm(WAITERS)), bytes(wat2wasm(CALLER))
    fused = fuse([inner], FuseOptions(flat=True)).bytes
    wires = [Wire("caller", name, "inner", name) for name in ("waiter", "poker")]
    seen = [
        observe(compose({"inner": form, "caller": caller}, wires, [Export("caller", "run")]), [RUN, RUN], host=HOST)
        for form in (inner, fused)
    ]
    for one, other in zip(*(each.steps for each in seen), strict=True):
        assert one.host_calls == other.host_calls
        assert one.outcome == other.outcome
    assert seen[0].steps[1].outcome == Returned(1)
    assert len(seen[0].steps[1].host_calls) == 36


# --- random -----------------------------------------------------------------------------------------------------------
def _search(first: int, count: int) -> dict[str, int]:
    """How often each outcome came."""
    outcomes: dict[str, int] = {}
    for seed in range(first, first + count):
        made = make(seed)
        try:
            [outcome] = assert_alike(made.text)
        except AssertionError as error:
            raise AssertionError(f"seed {seed}: {made.tasks}, {made.operations}") from error
        kind = outcome.kind if isinstance(outcome, Trap) else "returned"
        outcomes[kind] = outcomes.get(kind, 0) + 1
    return outcomes


def test_random_compositions_do_the_same_composed_and_fused() -> None:
    outcomes = _search(int(os.environ.get("ASYNC_SEED", "0")), 25)
    assert {"returned", "deadlock detected"} <= outcomes.keys()


@pytest.mark.deep
def test_many_random_compositions() -> None:
    count = int(os.environ.get("ASYNC_COMPOSITIONS", "2000"))
    print(_search(int(os.environ.get("ASYNC_SEED", "1000")), count))


# --- limits ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("limit", ["MOST_LIFTS", "MOST_CALLERS"])
def test_more_than_a_cell_can_number_stays_nested(limit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    fixture = load("async-calls")
    assert fuse_fixture(fixture, fixture.forms[0], options=FuseOptions(flat=True)).report.groups == 1
    monkeypatch.setattr(f"meldpy.adapter.tasks.machinery.{limit}", 0)
    with pytest.raises(LimitError, match="async lift"):
        fuse_fixture(fixture, fixture.forms[0], options=FuseOptions(flat=True))
    assert fuse_fixture(fixture, fixture.forms[0], options=FuseOptions()).report.kept
