"""`thread.yield` on the stack of a fused task: what others do meanwhile, composed beside fused.

Of two instances the one (`guest`) yields, and the other (`WORKER`) has the tasks that go on meanwhile, so that nothing
of it can be left to the engine. A component outside both stands for the host (`HOST`).
"""

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
from tests.support.compose import Export, Wire, compose
from tests.support.harness import Call, Returned, Trap, observe
from tests.support.shape import assert_fused_shape

U32: Final = '(param "x" u32) (result u32)'

HOST: Final = """
(component
  (core func $return (canon task.return (result u32)))
  (core module $M
    (import "" "return" (func $return (param i32)))
    (global $left (mut i32) (i32.const 0))
    (global $began (mut i32) (i32.const 0))
    ;; returns at once, and goes on for so many turns
    (func (export "begin") (param i32) (result i32)
      (global.set $began (i32.add (global.get $began) (i32.const 1)))
      (global.set $left (local.get 0))
      (call $return (local.get 0))
      (i32.const 1))
    (func (export "event") (param i32 i32 i32) (result i32)
      (if (i32.eqz (global.get $left)) (then (return (i32.const 0))))
      (global.set $left (i32.sub (global.get $left) (i32.const 1)))
      (i32.const 1))
    (func (export "left") (param i32) (result i32) (global.get $left)))
  (core instance $m (instantiate $M (with "" (instance (export "return" (func $return))))))
  (func (export "begin") async (param "x" u32) (result u32)
    (canon lift (core func $m "begin") async (callback (core func $m "event"))))
  (func (export "left") (param "x" u32) (result u32) (canon lift (core func $m "left"))))
"""
"""`begin` something that takes some turns; `left` says how many, and takes no time itself."""

WORKER: Final = f"""
(component $Worker
  (core func $return (canon task.return (result u32)))
  (core func $get (canon context.get i32 0))
  (core func $set (canon context.set i32 0))
  (core module $M
    (import "" "return" (func $return (param i32)))
    (import "" "get" (func $get (result i32)))
    (import "" "set" (func $set (param i32)))
    (global $steps (mut i32) (i32.const 0))
    (func (export "work") (param i32) (result i32) (call $set (local.get 0)) (i32.const 1))
    (func (export "step") (param i32 i32 i32) (result i32)
      (global.set $steps (i32.add (global.get $steps) (i32.const 1)))
      (call $set (i32.sub (call $get) (i32.const 1)))
      (if (i32.gt_s (call $get) (i32.const 0)) (then (return (i32.const 1))))
      (call $return (global.get $steps))
      (i32.const 0))
    (func (export "steps") (param i32) (result i32) (global.get $steps)))
  (core instance $m (instantiate $M (with "" (instance
    (export "return" (func $return)) (export "get" (func $get)) (export "set" (func $set))))))
  (func (export "work") async {U32} (canon lift (core func $m "work") async (callback (core func $m "step"))))
  (func (export "steps") {U32} (canon lift (core func $m "steps"))))
"""
"""`work` takes so many turns; `steps` counts the turns of all."""

IMPORTS: Final = {"begin": "async ", "left": "", "work": "async ", "steps": ""}


def guest(bodies: dict[str, str], lifts: str, *, more: str = "") -> str:
    """bodies: core functions `(param $x i32) (result i32)` by name. lifts: what the guest exports."""
    imports = " ".join(f'(import "{name}" (func ${name} {async_}{U32}))' for name, async_ in IMPORTS.items())
    names = ["begin'", "left'", "steps'", "work'", "yield", "get", "set"]
    given = " ".join(f'(export "{name}" (func ${name}))' for name in names)
    functions = " ".join(
        f'(func ${name} (export "{name}") (param $x i32) (result i32) (local $n i32) {body})'
        for name, body in bodies.items()
    )
    return f"""
(component $Guest
  {imports}
  (core module $Memory (memory (export "m") 1))
  (core instance $memory (instantiate $Memory))
  (core func $begin' (canon lower (func $begin)))
  (core func $left' (canon lower (func $left)))
  (core func $steps' (canon lower (func $steps)))
  (core func $work' (canon lower (func $work) async (memory (core memory $memory "m"))))
  (core func $yield (canon thread.yield))
  (core func $get (canon context.get i32 0))
  (core func $set (canon context.set i32 0))
  (core module $M
    (import "" "m" (memory 1))
    (import "" "begin'" (func $begin (param i32) (result i32)))
    (import "" "left'" (func $left (param i32) (result i32)))
    (import "" "steps'" (func $steps (param i32) (result i32)))
    (import "" "work'" (func $work (param i32 i32) (result i32)))
    (import "" "yield" (func $yield (result i32)))
    (import "" "get" (func $get (result i32)))
    (import "" "set" (func $set (param i32)))
    {more}
    {functions})
  (core instance $m (instantiate $M (with "" (instance (export "m" (memory $memory "m")) {given}))))
  {lifts})"""


def lifts(*names: str, async_: bool = True) -> str:
    return " ".join(
        f'(func (export "{name}") {"async " * async_}{U32} (canon lift (core func $m "{name}")))' for name in names
    )


def inside(guest: str, exports: list[str], *, more: str = "") -> bytes:
    """`guest` and its worker, whose imports are the host's."""
    outer = ["begin", "left"]
    imports = " ".join(f'(import "{name}" (func ${name} {IMPORTS[name]}{U32}))' for name in outer)
    given = " ".join(f'(with "{name}" (func ${name}))' for name in outer)
    worker = " ".join(f'(with "{name}" (func $worker "{name}"))' for name in ("work", "steps"))
    exported = " ".join(f'(export "{name}" (func $guest "{name}"))' for name in exports)
    return bytes(
        wat2wasm(f"""
(component {imports} {WORKER} {guest}
  (instance $worker (instantiate $Worker))
  (instance $guest (instantiate $Guest {given} {worker}))
  {more} {exported})""")
    )


def outcomes(form: bytes, *calls: Call) -> list[Returned | Trap]:
    """What the calls come to, composed and, the same, fused to a flat component."""
    fused = fuse([form], FuseOptions(flat=True)).bytes
    assert_fused_shape(fused)
    seen = []
    for each in (form, fused):
        wires = [Wire("inside", name, "host", name) for name in ("begin", "left")]
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
