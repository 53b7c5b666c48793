"""Calls of the host's async functions from fused instances, composed beside fused.

The host is a component outside both forms (`support/asynchosts`): it completes at once, after some turns, or never.
"""

from __future__ import annotations

from typing import Final

import pytest
from wasmtime import wat2wasm

from meldpy.engine.traps import same_trap
from meldpy.errors import UnsupportedError
from meldpy.pipeline import FuseOptions, fuse
from tests.support.asynchosts import guests, second, with_host
from tests.support.harness import Call, Guest, Returned, Trap, observe
from tests.support.shape import assert_fused_shape
from tests.support.values import Plain

NEVER = 99
STUBBORN = 50


def log(guest: Guest | None, args: list[Plain]) -> None:
    """Takes note of nothing: the observer does."""


def assert_alike(form: bytes, names: list[str], *calls: Call) -> list[Returned | Trap]:
    """The outcomes of the calls, which are the same composed and fused, as is what was logged."""
    fused = fuse([form], FuseOptions(flat=True)).bytes
    assert_fused_shape(fused)
    composed, other = (observe(with_host(each, names), calls, host={"log": log}) for each in (form, fused))
    for one, two in zip(composed.steps, other.steps, strict=True):
        assert one.host_calls == two.host_calls, one.label
        match one.outcome, two.outcome:
            case Trap(kind=kind), Trap(kind=others):
                assert same_trap(kind, others), (one.outcome, two.outcome)
            case expected, got:
                assert expected == got
    return [step.outcome for step in composed.steps if step.label != "(instantiate)"]


# --- async lowers ----------------------------------------------------------------------------------------------------
ASKING = {
    "double": "(call $follow (call $double (local.get $t) (local.get $x) (call $record)))",
    "hush": "(i32.store (call $record) (i32.const 5)) (call $follow (call $hush (local.get $t)))",
    "say": """
      (local.set $s (call $say (local.get $t) (i32.const 512) (local.get $x) (call $record)))
      (call $follow (local.get $s))""",
    "wide": """
      (i32.store (i32.const 64) (local.get $t)) (i32.store (i32.const 68) (local.get $x))
      (i32.store (i32.const 72) (i32.const 30)) (i32.store (i32.const 88) (i32.const 4))
      (call $follow (call $wide (i32.const 64) (call $record)))""",
    "make": "(call $follow (call $make (local.get $t) (local.get $x) (call $record)))",
    "look": """
      (local.set $h (call $thing-now (local.get $x)))
      (drop (call $record)) (i32.store offset=8 (call $get) (local.get $h))
      (call $follow (call $look (local.get $t) (local.get $h) (call $get)))""",
    "drop-lent": """
      (local.set $h (call $thing-now (local.get $x)))
      (drop (call $follow (call $look (local.get $t) (local.get $h) (call $record))))
      (call $drop (local.get $h)) (i32.const 0)""",
    "give": "(call $follow (call $give (local.get $t) (call $thing-now (local.get $x)) (call $record)))",
}
RESULTS = {"double": 14, "hush": 5, "wide": 4037, "look": 21, "give": 35}


@pytest.fixture(scope="module")
def asking() -> bytes:
    return guests(second(ASKING), list(ASKING))


def test_async_lowers_of_host_functions(asking: bytes) -> None:
    names = [name for name in ASKING if name != "drop-lent"]
    calls = [Call(name, [turns, 7]) for name in names for turns in (0, 1, 3, 0)]
    outcomes = assert_alike(asking, list(ASKING), *calls)
    for call, outcome in zip(calls, outcomes, strict=True):
        assert isinstance(outcome, Returned)
        if call.func in RESULTS:
            assert outcome == Returned(RESULTS[call.func])


def test_a_thing_is_lent_until_the_call_is_heard_of(asking: bytes) -> None:
    [outcome] = assert_alike(asking, list(ASKING), Call("drop-lent", [3, 7]))
    assert isinstance(outcome, Trap)


@pytest.mark.parametrize("name", ["double", "say", "make"])
def test_a_host_function_that_never_returns(asking: bytes, name: str) -> None:
    [outcome] = assert_alike(asking, list(ASKING), Call(name, [NEVER, 7]))
    assert outcome == Trap("deadlock detected", outcome.message if isinstance(outcome, Trap) else "")


def test_a_bad_place_for_the_result_traps_when_the_call_is_over() -> None:
    bodies = {"double": "(call $follow (call $double (local.get $t) (local.get $x) (i32.const 65534)))"}
    for turns in (0, 2):
        [outcome] = assert_alike(guests(second(bodies), ["double"]), ["double"], Call("double", [turns, 7]))
        assert isinstance(outcome, Trap)


# --- what is left ----------------------------------------------------------------------------------------------------
def test_a_call_may_end_before_the_host_does() -> None:
    """The caller has returned and exited; its subtask is still going on when the next call comes."""
    bodies = {
        "leave": """
          (local.set $s (call $double (local.get $t) (local.get $x) (call $record)))
          (call $log (local.get $s))
          (call $return (local.get $x)) (i32.const 0)""",
        "double": ASKING["double"],
    }
    form = guests(second(bodies), list(bodies))
    calls = [Call("leave", [NEVER, 1]), Call("leave", [4, 2]), Call("double", [2, 3]), Call("double", [0, 4])]
    assert assert_alike(form, list(bodies), *calls) == [Returned(1), Returned(2), Returned(6), Returned(8)]


def test_polls_see_what_the_host_has_done() -> None:
    """The second yields until a poll has the event."""
    bodies = {
        "spin": """
          (local.set $s (call $double (local.get $t) (local.get $x) (call $record)))
          (i32.store offset=12 (call $get) (call $set-new))
          (call $join (i32.shr_u (local.get $s) (i32.const 4)) (i32.load offset=12 (call $get)))
          (i32.const 1)"""
    }
    more = """
      (func (export "callback") (param i32 i32 i32) (result i32)
        (if (i32.eqz (call $poll (i32.load offset=12 (call $get)) (i32.const 16))) (then (return (i32.const 1))))
        (call $log (i32.load (i32.const 20)))
        (call $subtask-drop (i32.load (i32.const 16)))
        (call $return (call $finish))
        (i32.const 0))"""
    form = guests(second(bodies, more=more), ["spin"])
    assert assert_alike(form, ["spin"], Call("spin", [3, 8]), Call("spin", [30, 9])) == [Returned(16), Returned(18)]


STARTS: Final = """
(component
  (import "double" (func $double async (param "x" u32) (result u32)))
  (component $S
  (import "double" (func $double async (param "x" u32) (result u32)))
  (core module $Memory (memory (export "m") 1))
  (core instance $memory (instantiate $Memory))
  (core func $double' (canon lower (func $double) async (memory (core memory $memory "m"))))
  (core module $M
    (import "" "double" (func $double (param i32 i32) (result i32)))
    (func (export "f") (result i32) (call $double (i32.const 1) (i32.const 8))))
  (core instance $m (instantiate $M (with "" (instance (export "double" (func $double'))))))
  (func (export "f") @ (result u32) (canon lift (core func $m "f"))))
  (instance $a (instantiate $S (with "double" (func $double))))
  (instance $b (instantiate $S (with "double" (func $double))))
  (func (export "f") (alias export $a "f"))
  (func (export "g") (alias export $b "f")))
"""


def test_whoever_starts_a_host_call_has_a_task_of_the_engine() -> None:
    """An export of a type that is not async has none that could hear of the end."""
    with pytest.raises(UnsupportedError, match="work that has to go on"):
        fuse([bytes(wat2wasm(STARTS.replace("@", "")))], FuseOptions(flat=True))
    assert_fused_shape(fuse([bytes(wat2wasm(STARTS.replace("@", "async")))], FuseOptions(flat=True)).bytes)


# --- cancel ----------------------------------------------------------------------------------------------------------
CANCELLING = {
    "cancel": """
      (local.set $s (call $double (local.get $t) (local.get $x) (call $record)))
      (call $log (i32.and (local.get $s) (i32.const 15)))
      (local.set $s (i32.shr_u (local.get $s) (i32.const 4)))
      (call $log (call $subtask-cancel (local.get $s)))
      (call $subtask-drop (local.get $s))
      (call $return (call $finish)) (i32.const 0)""",
    "again": """
      (local.set $s (i32.shr_u (call $double (local.get $t) (local.get $x) (call $record)) (i32.const 4)))
      (call $log (call $subtask-cancel (local.get $s)))
      (call $log (call $subtask-cancel (local.get $s))) (i32.const 0)""",
    "joined": """
      (local.set $s (i32.shr_u (call $double (local.get $t) (local.get $x) (call $record)) (i32.const 4)))
      (call $join (local.get $s) (call $set-new))
      (call $log (call $subtask-cancel (local.get $s))) (i32.const 0)""",
    "early": """
      (local.set $s (i32.shr_u (call $double (local.get $t) (local.get $x) (call $record)) (i32.const 4)))
      (call $subtask-drop (local.get $s)) (i32.const 0)""",
}


@pytest.fixture(scope="module")
def cancelling() -> bytes:
    return guests(second(CANCELLING), list(CANCELLING), alone=True)


@pytest.mark.parametrize("name", list(CANCELLING))
@pytest.mark.parametrize("turns", [1, NEVER, STUBBORN])
def test_cancelling_a_host_call(cancelling: bytes, name: str, turns: int) -> None:
    [outcome] = assert_alike(cancelling, list(CANCELLING), Call(name, [turns, 7]))
    assert isinstance(outcome, Trap) is (name != "cancel")


def test_a_host_call_that_was_heard_of_is_cancelled_no_more() -> None:
    more = """
      (func (export "callback") (param $code i32) (param $subtask i32) (param $state i32) (result i32)
        (call $join (local.get $subtask) (i32.const 0))
        (call $log (call $subtask-cancel (local.get $subtask)))
        (call $return (call $finish)) (i32.const 0))"""
    form = guests(second({"double": ASKING["double"]}, more=more), ["double"])
    [outcome] = assert_alike(form, ["double"], Call("double", [2, 7]))
    assert isinstance(outcome, Trap)


# --- synchronous lowers ----------------------------------------------------------------------------------------------
BLOCKING = {
    "double": "(call $double (local.get $t) (local.get $x))",
    "hush": "(call $hush (local.get $t)) (i32.const 6)",
    "say": """
      (call $say (local.get $t) (i32.const 512) (local.get $x) (i32.const 64))
      (i32.add (i32.load8_u (i32.load (i32.const 64))) (i32.mul (i32.load (i32.const 68)) (i32.const 1000)))""",
    "wide": """
      (call $wide (local.get $t) (local.get $x) (i32.const 30) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 4))
    """,
    "make": "(local.tee $h (call $make (local.get $t) (local.get $x))) (call $drop (local.get $h))",
    "look": """
      (local.set $h (call $thing-now (local.get $x)))
      (call $look (local.get $t) (local.get $h)) (call $drop (local.get $h))""",
    "give": "(call $give (local.get $t) (call $thing-now (local.get $x)))",
}


@pytest.fixture(scope="module")
def blocking() -> bytes:
    return guests(second(BLOCKING, lower="", more="(; ;)"), list(BLOCKING), lower="")


def test_synchronous_lowers_of_host_functions(blocking: bytes) -> None:
    results = {"double": 14, "hush": 6, "say": 7115, "wide": 4037, "make": 1, "look": 21, "give": 35}
    calls = [Call(name, [turns, 7]) for name in BLOCKING for turns in (0, 1, 3, 0)]
    outcomes = assert_alike(blocking, list(BLOCKING), *calls)
    assert outcomes == [Returned(results[call.func]) for call in calls]


@pytest.mark.parametrize("name", ["double", "say", "make"])
def test_a_synchronous_lower_of_what_never_returns(blocking: bytes, name: str) -> None:
    [outcome] = assert_alike(blocking, list(BLOCKING), Call(name, [NEVER, 7]))
    assert isinstance(outcome, Trap)
    assert outcome.kind == "deadlock detected"
