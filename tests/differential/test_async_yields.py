"""`thread.yield` on the stack of a fused task (`support/asyncyields`): what others do meanwhile, composed and fused."""

from __future__ import annotations

from typing import Final

import pytest
from wasmtime import wat2wasm

from meldpy.engine.traps import same_trap
from meldpy.errors import UnsupportedError
from meldpy.pipeline import FuseOptions, fuse
from tests.support.asyncwebs import composition, play
from tests.support.asyncwebs.program import Task
from tests.support.asyncwebs.scenes import SCENES, pair, task
from tests.support.asyncyields import HOST, OUTER, U32, guest, inside, lifts
from tests.support.compose import Export, Wire, compose
from tests.support.harness import Call, Returned, Trap, observe
from tests.support.shape import assert_fused_shape


def outcomes(form: bytes, *calls: Call) -> list[Returned | Trap]:
    """What the calls come to, composed and, the same, fused to a flat component."""
    fused = fuse([form], FuseOptions(flat=True)).bytes
    assert_fused_shape(fused)
    seen = []
    for each in (form, fused):
        wires = [Wire("inside", name, "host", name) for name in OUTER]
        exports = [Export("inside", name) for name in dict.fromkeys(call.func for call in calls)]
        whole = compose({"host": bytes(wat2wasm(HOST)), "inside": each}, wires, exports)
        seen.append([step.outcome for step in observe(whole, calls).steps if step.label != "(instantiate)"])
    for one, other in zip(*seen, strict=True):
        if isinstance(one, Trap) and isinstance(other, Trap):
            assert same_trap(one.kind, other.kind)
        else:
            assert one == other
    return seen[0]


def numbers(found: list[Returned | Trap]) -> list[object]:
    return [outcome.value for outcome in found if isinstance(outcome, Returned)]


@pytest.mark.parametrize("name", ["pauses", "pauses of a callback"])
def test_yields_on_the_stack_are_flat(name: str) -> None:
    form = composition(SCENES[name])
    result = fuse([form], FuseOptions(flat=True))
    assert_fused_shape(result.bytes)
    assert [step.outcome for step in play(result.bytes)] == [step.outcome for step in play(form)]


WORKED: Final = {
    # how often it yields until a task of x turns has made them all
    "until": """
      (drop (call $work (local.get $x) (i32.const 64)))
      loop $more
        (if (call $yield) (then unreachable))
        (local.set $n (i32.add (local.get $n) (i32.const 1)))
        (br_if $more (i32.lt_u (call $steps (i32.const 0)) (local.get $x)))
      end
      (local.get $n)""",
    # and how far it is after one yield, with its own context as it was
    "once": """
      (call $set (i32.const 41))
      (drop (call $work (local.get $x) (i32.const 64)))
      (drop (call $yield))
      (i32.add (i32.mul (call $get) (i32.const 1000)) (call $steps (i32.const 0)))""",
}


def test_what_is_ready_runs_while_a_task_yields() -> None:
    """Also more of it than the pump does at a time."""
    for turns in (1, 2, 64, 65, 200):
        form = inside(guest(WORKED, lifts(*WORKED)), list(WORKED))
        assert numbers(outcomes(form, Call("until", [turns]), Call("once", [3]))) == [turns, 41000 + turns + 1]


ASKED: Final = {
    "asked": """
      (drop (call $begin (local.get $x)))
      loop $more
        (drop (call $yield))
        (br_if $more (call $left (i32.const 0)))
      end
      (local.get $x)"""
}


def test_the_host_gets_on_while_a_task_yields() -> None:
    """No event tells of it: its call was over at once, and what it goes on with is told by a function of its own."""
    form = inside(guest(ASKED, lifts(*ASKED)), list(ASKED))
    assert numbers(outcomes(form, Call("asked", [1]), Call("asked", [90]))) == [1, 90]


TOLD: Final = {
    "told": """
      (drop (call $ask (local.get $x) (i32.const 64)))
      loop $more
        (drop (call $yield))
        (br_if $more (i32.eqz (call $steps (i32.const 0))))
      end
      (call $steps (i32.const 0))"""
}


def test_a_task_hears_of_the_host_while_another_yields() -> None:
    """Nothing else is ready then, so that only the yield itself can find out."""
    form = inside(guest(TOLD, lifts(*TOLD)), list(TOLD))
    assert numbers(outcomes(form, Call("told", [3]))) == [1]


def test_what_has_an_event_comes_before_what_yields() -> None:
    """Others yield on as long as the worker does, but it is not they who end the loop."""
    bodies = {
        "both": """
          (drop (call $work (i32.const 50) (i32.const 64)))
          (drop (call $ask (local.get $x) (i32.const 68)))
          loop $more
            (drop (call $yield))
            (local.set $n (i32.add (local.get $n) (i32.const 1)))
            (br_if $more (i32.lt_u (call $steps (i32.const 0)) (i32.const 51)))
          end
          (local.get $n)"""
    }
    form = inside(guest(bodies, lifts(*bodies)), list(bodies))
    assert numbers(outcomes(form, Call("both", [3]))) == [50]


def test_a_yield_that_can_be_cancelled_is_kept() -> None:
    """The spec had the option once (#716), and the engine does not know it any more."""
    form = inside(guest(WORKED, lifts(*WORKED)), list(WORKED))
    # thread.yield, and the context.get behind it
    assert form.count(b"\x0c\x00\x0a\x7f") == 1
    cancellable = form.replace(b"\x0c\x00\x0a\x7f", b"\x0c\x01\x0a\x7f")
    with pytest.raises(UnsupportedError, match=r"thread\.yield is used"):
        fuse([cancellable], FuseOptions(flat=True, validate=False))


def test_to_a_synchronous_function_a_yield_is_nothing() -> None:
    """Where no task may block, the work is done in the next call that may."""
    bodies = {"once": WORKED["once"], "sync-steps": "(drop (call $yield)) (call $steps (i32.const 0))"}
    form = inside(
        guest(bodies, lifts("once") + lifts("sync-steps", async_=False)),
        list(bodies),
    )
    found = outcomes(form, *(Call(name, [5]) for name in ("once", "sync-steps", "once", "sync-steps", "sync-steps")))
    assert numbers(found)[1] == numbers(found)[0] - 41000  # type: ignore[operator]


LEAVES: Final = '(func (export "leave") (param i32) (drop (call $yield)))'


def test_nobody_yields_who_may_not_leave() -> None:
    late = f'(func (export "f") async {U32} (canon lift (core func $m "f") (post-return (core func $m "leave"))))'
    form = inside(guest({"f": "(local.get $x)"}, late, more=LEAVES), ["f"])
    [outcome] = outcomes(form, Call("f", [1]))
    assert isinstance(outcome, Trap)


MIDDLE: Final = f"""
(component $Middle
  (import "once" (func $once async {U32}))
  (import "work" (func $work async {U32}))
  (core module $Memory (memory (export "m") 1))
  (core instance $memory (instantiate $Memory))
  (core func $once' (canon lower (func $once)))
  (core func $work' (canon lower (func $work) async (memory (core memory $memory "m"))))
  (core module $M
    (import "" "once" (func $once (param i32) (result i32)))
    (import "" "work" (func $work (param i32 i32) (result i32)))
    (func (export "through") (param i32) (result i32)
      (drop (call $work (i32.const 7) (i32.const 64)))
      (i32.add (call $once (local.get 0)) (call $once (local.get 0)))))
  (core instance $m (instantiate $M (with "" (instance (export "once" (func $once')) (export "work" (func $work'))))))
  (func (export "through") async {U32} (canon lift (core func $m "through"))))
(instance $middle (instantiate $Middle
  (with "once" (func $guest "once")) (with "work" (func $worker "work"))))
(export "through" (func $middle "through"))
"""


def test_a_task_may_yield_that_was_called_synchronously() -> None:
    """Whoever called it waits; others do not."""
    form = inside(guest(WORKED, lifts("once")), [], more=MIDDLE)
    [outcome] = outcomes(form, Call("through", [2]))
    assert isinstance(outcome, Returned)


BLOCKED: Final = {
    "called asynchronously": pair("u8", "call 6 1 0 1, await 6", task("number", "yield, pause, return")),
    "each on a stack of its own": pair("u8", "sync-call 12 1 0 1, pause", task("number", "return, pause")),
}
"""Tasks that yield where those who called them go on: for that each would need a stack. Why, in part."""


@pytest.mark.parametrize("why", BLOCKED)
def test_where_callers_go_on_while_a_task_yields_it_is_kept(why: str) -> None:
    form = composition(BLOCKED[why])
    with pytest.raises(UnsupportedError, match=why):
        fuse([form], FuseOptions(flat=True))
    result = fuse([form])
    assert result.report.kept
    assert play(result.bytes) == play(form)
    # the neighbour: the same task, and nobody goes on meanwhile
    for main in ("sync-call 12 1 0 1, pause", "pause"):
        assert not fuse([composition(pair("u8", main, Task("number", False, (("pause",),))))]).report.kept
