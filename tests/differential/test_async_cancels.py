"""Synchronous cancels in the midst of a composition, which is fused in the hope that they are obeyed (ADR-0085, -0086).

The root starts tasks of the middle, which start tasks of a worker, and of an instance at the side; then it cancels the
first. What a worker does when it hears of that is its argument. Obeyed at once or not, the forms do the same as long as
whoever waits can do so on the one stack; where they cannot, the fused form traps by a name of its own.
"""

from __future__ import annotations

from typing import Final

import pytest
from wasmtime import wat2wasm

from meldpy.engine.traps import same_trap
from meldpy.pipeline import FuseInput, FuseOptions, fuse
from tests.differential.divergences import Divergences
from tests.differential.test_async import HOST, assert_alike, both
from tests.support.compose import Export, Wire, compose
from tests.support.harness import Call, Difference, Returned, Step, Trap, compare, observe
from tests.support.shape import assert_fused_shape

OBEYS, YIELDS, NEVER, RETURNS, POKED, OBEYS_LATE = 0, 1, 2, 3, 4, 5
"""What a worker does when it is cancelled."""
AT_ONCE, TURNS = 16, 32
"""Added to a middle's argument: it cancels its worker in its first activation; it only yields, so often."""
NONE: Final = 99

WORKER: Final = """
(component $Worker
  (import "log" (func $log (param "x" u32)))
  (type $wake (stream))
  (core func $log (canon lower (func $log)))
  (core func $return (canon task.return (result u32))) (core func $cancelled (canon task.cancel))
  (core func $get (canon context.get i32 0)) (core func $set (canon context.set i32 0))
  (core func $set-new (canon waitable-set.new)) (core func $join (canon waitable.join))
  (core func $new (canon stream.new $wake))
  (core func $read (canon stream.read $wake async)) (core func $write (canon stream.write $wake async))
  (core module $M
    (import "" "log" (func $log (param i32))) (import "" "return" (func $return (param i32)))
    (import "" "cancelled" (func $cancelled))
    (import "" "get" (func $get (result i32))) (import "" "set" (func $set (param i32)))
    (import "" "set-new" (func $set-new (result i32))) (import "" "join" (func $join (param i32 i32)))
    (import "" "new" (func $new (result i64)))
    (import "" "read" (func $read (param i32 i32 i32) (result i32)))
    (import "" "write" (func $write (param i32 i32 i32) (result i32)))
    (global $writable (mut i32) (i32.const 0)) (global $turns (mut i32) (i32.const 0))
    (func $wait (param $set i32) (result i32) (i32.or (i32.const 2) (i32.shl (local.get $set) (i32.const 4))))
    (func (export "work") (param $x i32) (result i32)
      (call $log (i32.add (i32.const 100) (local.get $x)))
      (call $set (local.get $x))
      (call $wait (call $set-new)))
    (func (export "callback") (param $code i32) (param i32 i32) (result i32)
      (local $x i32) (local $e i64) (local $s i32)
      (local.set $x (call $get))
      (call $log (i32.add (i32.const 110) (local.get $code)))
      (if (i32.eq (local.get $code) (i32.const 6))
        (then
          (if (i32.eq (local.get $x) (i32.const 1)) (then (return (i32.const 1))))
          (if (i32.eq (local.get $x) (i32.const 2)) (then (return (call $wait (call $set-new)))))
          (if (i32.eq (local.get $x) (i32.const 3)) (then (call $return (i32.const 33)) (return (i32.const 0))))
          (if (i32.eq (local.get $x) (i32.const 4))
            (then
              (local.set $e (call $new)) (local.set $s (call $set-new))
              (global.set $writable (i32.wrap_i64 (i64.shr_u (local.get $e) (i64.const 32))))
              (drop (call $read (i32.wrap_i64 (local.get $e)) (i32.const 0) (i32.const 1)))
              (call $join (i32.wrap_i64 (local.get $e)) (local.get $s))
              (return (call $wait (local.get $s)))))
          (if (i32.eq (local.get $x) (i32.const 5))
            (then (global.set $turns (i32.const 3)) (return (i32.const 1))))))
      (if (global.get $turns)
        (then (global.set $turns (i32.sub (global.get $turns) (i32.const 1))) (return (i32.const 1))))
      (call $cancelled)
      (i32.const 0))
    (func (export "poke")
      (if (global.get $writable)
        (then (drop (call $write (global.get $writable) (i32.const 0) (i32.const 1)))))))
  (core instance $m (instantiate $M (with "" (instance
    (export "log" (func $log)) (export "return" (func $return)) (export "cancelled" (func $cancelled))
    (export "get" (func $get)) (export "set" (func $set)) (export "set-new" (func $set-new))
    (export "join" (func $join)) (export "new" (func $new)) (export "read" (func $read))
    (export "write" (func $write))))))
  (func (export "work") async (param "x" u32) (result u32)
    (canon lift (core func $m "work") async (callback (core func $m "callback"))))
  (func (export "poke") (canon lift (core func $m "poke"))))
"""


def caller(name: str, called: str, code: str, lifts: str, more: str = "", *, cancel: str = "subtask.cancel") -> str:
    """An instance that calls async functions; `called`: their names. more: imports of sync functions."""
    names, plain = called.split(), more.split()
    imports = [f'(import "{each}" (func ${each} async (param "x" u32) (result u32)))' for each in names]
    imports += [f'(import "{each}" (func ${each}))' for each in plain]
    lowers = [
        f'(core func ${each} (canon lower (func ${each}) async (memory (core memory $mem "m"))))' for each in names
    ]
    lowers += [f"(core func ${each} (canon lower (func ${each})))" for each in plain]
    declared = [f'(import "" "{each}" (func ${each}! (param i32 i32) (result i32)))' for each in names]
    declared += [f'(import "" "{each}" (func ${each}))' for each in plain]
    calls = [
        f"(func ${each} (param i32) (result i32)"
        f" (i32.shr_u (call ${each}! (local.get 0) (i32.const 64)) (i32.const 4)))"
        for each in names
    ]
    given = " ".join(f'(export "{each}" (func ${each}))' for each in (*names, *plain))
    return f"""
    (component ${name}
      (import "log" (func $log (param "x" u32))) {" ".join(imports)}
      (core module $Mem (memory (export "m") 1)) (core instance $mem (instantiate $Mem))
      (core func $log (canon lower (func $log))) {" ".join(lowers)}
      (core func $return (canon task.return (result u32))) (core func $cancelled (canon task.cancel))
      (core func $get (canon context.get i32 0)) (core func $set (canon context.set i32 0))
      (core func $set-new (canon waitable-set.new))
      (core func $cancel (canon {cancel})) (core func $drop (canon subtask.drop))
      (core module $M
        (import "" "log" (func $log (param i32))) (import "" "return" (func $return (param i32)))
        (import "" "cancelled" (func $cancelled))
        (import "" "get" (func $get (result i32))) (import "" "set" (func $set (param i32)))
        (import "" "set-new" (func $set-new (result i32)))
        (import "" "cancel" (func $cancel (param i32) (result i32))) (import "" "drop" (func $drop (param i32)))
        {" ".join(declared)} {" ".join(calls)} {code})
      (core instance $m (instantiate $M (with "" (instance
        (export "log" (func $log)) (export "return" (func $return)) (export "cancelled" (func $cancelled))
        (export "get" (func $get)) (export "set" (func $set)) (export "set-new" (func $set-new))
        (export "cancel" (func $cancel)) (export "drop" (func $drop)) {given}))))
      {lifts})"""


def lift(name: str) -> str:
    return f"""(func (export "{name}") async (param "x" u32) (result u32)
      (canon lift (core func $m "{name}") async (callback (core func $m "callback"))))"""


MIDDLE: Final = caller(
    "Middle",
    "work",
    """
    (func (export "mid") (param $x i32) (result i32) (local $h i32)
      (call $log (i32.add (i32.const 200) (local.get $x)))
      (if (i32.ge_u (local.get $x) (i32.const 32))
        (then (call $set (i32.add (i32.const 0x1000) (local.get $x))) (return (i32.const 1))))
      (local.set $h (call $work (i32.and (local.get $x) (i32.const 15))))
      (if (i32.ge_u (local.get $x) (i32.const 16))
        (then
          (call $log (call $cancel (local.get $h))) (call $drop (local.get $h))
          (call $return (i32.const 7)) (return (i32.const 0))))
      (call $set (local.get $h))
      (i32.or (i32.const 2) (i32.shl (call $set-new) (i32.const 4))))
    (func (export "callback") (param $code i32) (param i32 i32) (result i32)
      (call $log (i32.add (i32.const 250) (local.get $code)))
      (if (i32.eq (local.get $code) (i32.const 6))
        (then
          (call $log (i32.add (i32.const 260) (call $cancel (call $get))))
          (call $drop (call $get))
          (call $cancelled)
          (return (i32.const 0))))
      (if (i32.eq (call $get) (i32.const 0x1020))
        (then (call $return (i32.const 8)) (return (i32.const 0))))
      (call $set (i32.sub (call $get) (i32.const 1)))
      (i32.const 1))""",
    lift("mid"),
)
SIDE: Final = caller(
    "Side",
    "work mid",
    """
    (func (export "side") (param $x i32) (result i32) (call $set (local.get $x)) (i32.const 1))
    (func (export "callback") (param $code i32) (param i32 i32) (result i32) (local $h i32)
      (if (i32.eq (local.get $code) (i32.const 6)) (then (call $cancelled) (return (i32.const 0))))
      (call $log (i32.add (i32.const 300) (call $get)))
      (if (i32.ge_u (call $get) (i32.const 16))
        (then (call $log (call $mid (i32.sub (call $get) (i32.const 16)))))
        (else
          (local.set $h (call $work (call $get)))
          (drop (call $cancel (local.get $h))) (call $drop (local.get $h))))
      (call $return (i32.const 9))
      (i32.const 0))""",
    lift("side"),
)
ROOT: Final = """
    (func (export "run") (param $m i32) (param $side i32) (param $second i32) (result i32) (local $h i32) (local $s i32)
      (local.set $h (call $mid (local.get $m)))
      (call $log (local.get $h))
      (if (i32.ne (local.get $side) (i32.const 99)) (then (drop (call $side (local.get $side)))))
      (if (i32.ne (local.get $second) (i32.const 99)) (then (drop (call $mid (local.get $second)))))
      (local.set $s (i32.const 9))
      (if (local.get $h) (then (local.set $s (call $cancel (local.get $h)))))
      (call $log (i32.add (i32.const 10) (local.get $s)))
      (call $poke)
      (call $return (local.get $s))
      (i32.const 0))
    (func (export "callback") (param i32 i32 i32) (result i32) unreachable)"""
RUN: Final = """(func (export "run") async (param "m" u32) (param "side" u32) (param "second" u32) (result u32)
  (canon lift (core func $m "run") async (callback (core func $m "callback"))))"""


def composition(*, side: str = SIDE, root: str = ROOT, exported: str = "") -> str:
    return f"""
    (component
      (import "log" (func $log (param "x" u32)))
      {WORKER}
      (instance $worker (instantiate $Worker (with "log" (func $log))))
      (instance $other (instantiate $Worker (with "log" (func $log))))
      {MIDDLE}
      (instance $middle (instantiate $Middle (with "log" (func $log)) (with "work" (func $worker "work"))))
      {side}
      (instance $side (instantiate $Side (with "log" (func $log)) (with "work" (func $other "work"))
        (with "mid" (func $middle "mid"))))
      {caller("Root", "mid side", root, RUN, "poke")}
      (instance $root (instantiate $Root (with "log" (func $log)) (with "mid" (func $middle "mid"))
        (with "side" (func $side "side")) (with "poke" (func $other "poke"))))
      (export "run" (func $root "run")) {exported})"""


def run(middle: int, side: int = NONE, second: int = NONE) -> Call:
    return Call("run", [middle, side, second])


# --- the same in both forms -------------------------------------------------------------------------------------------
def test_a_worker_that_obeys_or_returns_at_once_lets_the_chain_go_on() -> None:
    for worker in (OBEYS, RETURNS):
        assert assert_alike(composition(), run(worker)) == [Returned(4)]


@pytest.mark.parametrize("worker", [YIELDS, OBEYS_LATE])
def test_a_worker_that_takes_its_time_is_waited_for_on_the_stack_of_the_chain(worker: int) -> None:
    assert assert_alike(composition(), run(worker), run(OBEYS)) == [Returned(4), Returned(4)]


def test_where_a_worker_never_obeys_both_forms_are_in_a_deadlock() -> None:
    [outcome] = assert_alike(composition(), run(NEVER))
    assert seen(outcome) == DEADLOCK


def test_a_cancel_in_a_first_activation_is_no_matter_if_it_is_obeyed() -> None:
    assert assert_alike(composition(), run(AT_ONCE + OBEYS), run(AT_ONCE + RETURNS)) == [Returned(9), Returned(9)]


def test_other_tasks_of_an_instance_wait_while_one_of_it_does() -> None:
    """The second task of the middle is ready all the time, and runs when the first one is over."""
    assert assert_alike(composition(), run(OBEYS_LATE, second=TURNS + 2)) == [Returned(4)]


def test_what_waits_above_another_wait_may_end_first() -> None:
    assert assert_alike(composition(), run(OBEYS_LATE, side=YIELDS)) == [Returned(4)]


# --- where one stack is not enough ------------------------------------------------------------------------------------
WAITS: Final = "synchronous cancel that has to wait"
DEADLOCK: Final = "deadlock detected"


def seen(outcome: Returned | Trap) -> object:
    """A value, or the kind of a trap."""
    return outcome.kind if isinstance(outcome, Trap) else outcome.value


def assert_waits(text: str, call: Call, divergences: Divergences, composed: object) -> None:
    forms = both(text, call)
    assert [seen(form.steps[-1].outcome) for form in forms] == [composed, WAITS]
    found: list[Difference] = [each for each in compare(*forms) if each.aspect == "outcome"]
    assert found
    assert all(map(divergences.explains, found))


@pytest.mark.parametrize(
    ("call", "composed"),
    [
        pytest.param(run(AT_ONCE + YIELDS), 9, id="below a caller that goes on"),
        pytest.param(run(YIELDS, side=POKED), 4, id="above one that could go on"),
        pytest.param(run(OBEYS_LATE, side=16 + TURNS), 4, id="a call of an instance that waits"),
    ],
)
def test_a_cancel_that_would_need_a_second_stack_traps(call: Call, composed: object, divergences: Divergences) -> None:
    assert_waits(composition(), call, divergences, composed)


def test_the_engine_is_not_waited_for_while_it_could_call_another_instance(divergences: Divergences) -> None:
    text = composition(exported='(export "mid" (func $middle "mid"))')
    assert_waits(text, run(NEVER), divergences, DEADLOCK)


def test_where_cancels_may_have_to_wait_is_told_with_the_input_to_keep() -> None:
    item = FuseInput("chain", "chain", bytes(wat2wasm(composition())))
    told = [note for note in fuse([item], FuseOptions()).report.notes if "subtask.cancel" in note]
    assert len(told) == 3, "all but the workers cancel"
    assert all(note.endswith("; --keep chain leaves it to the engine") for note in told)
    kept = fuse([item], FuseOptions(keeps=("chain",))).report
    assert kept.kept
    assert not any("subtask.cancel" in note for note in kept.notes)


def test_a_worker_without_task_cancel_keeps_its_callers_nested() -> None:
    """It could never obey at once: nothing is hoped for."""
    text = composition().replace(
        '(call $cancelled)\n      (i32.const 0))\n    (func (export "poke")',
        '(call $return (i32.const 1))\n      (i32.const 0))\n    (func (export "poke")',
    )
    assert text != composition()
    assert fuse([bytes(wat2wasm(text))], FuseOptions()).report.kept


# --- calls of the host ------------------------------------------------------------------------------------------------
AT_FIRST, TOLD, LATER = 0, 1, 2
"""When the middle cancels its call of the host: in its first activation, when it is cancelled itself, a turn later."""
WITH_TIMER: Final = f"""
    (component
      (import "log" (func $log (param "x" u32)))
      (import "timer" (func $timer async (param "x" u32) (result u32)))
      {
    caller(
        "Middle",
        "timer",
        '''
    (func $stop (param $h i32)
      (call $log (i32.add (i32.const 260) (call $cancel (local.get $h)))) (call $drop (local.get $h)))
    (func (export "mid") (param $x i32) (result i32) (local $h i32)
      (local.set $h (call $timer (i32.shr_u (local.get $x) (i32.const 4))))
      (local.set $x (i32.and (local.get $x) (i32.const 15)))
      (if (i32.eqz (local.get $x))
        (then (call $stop (local.get $h)) (call $return (i32.const 7)) (return (i32.const 0))))
      (call $set (local.get $h))
      (if (i32.eq (local.get $x) (i32.const 2)) (then (return (i32.const 1))))
      (i32.or (i32.const 2) (i32.shl (call $set-new) (i32.const 4))))
    (func (export "callback") (param $code i32) (param i32 i32) (result i32)
      (call $log (i32.add (i32.const 250) (local.get $code)))
      (call $stop (call $get))
      (if (local.get $code) (then (call $cancelled)) (else (call $return (i32.const 8))))
      (i32.const 0))''',
        lift("mid"),
    )
}
      (instance $middle (instantiate $Middle (with "log" (func $log)) (with "timer" (func $timer))))
      {
    caller(
        "Root",
        "mid",
        '''
    (func (export "run") (param $m i32) (param $turns i32) (param i32) (result i32)
      (call $set (call $mid (local.get $m)))
      (call $log (call $get))
      (if (local.get $turns) (then (return (i32.const 1))))
      (call $end))
    (func $end (result i32)
      (call $return (if (result i32) (call $get) (then (call $cancel (call $get))) (else (i32.const 9))))
      (i32.const 0))
    (func (export "callback") (param i32 i32 i32) (result i32) (call $end))''',
        RUN,
    )
}
      (instance $root (instantiate $Root (with "log" (func $log)) (with "mid" (func $middle "mid"))))
      (export "run" (func $root "run")))"""


def with_timer(form: bytes, call: Call) -> list[Step]:
    """The steps of a form with the worker outside, as its host."""
    whole = {"host": bytes(wat2wasm(WORKER)), "guests": form}
    return observe(
        compose(whole, [Wire("guests", "timer", "host", "work")], [Export("guests", "run")]), [call], host=HOST
    ).steps


@pytest.mark.parametrize("host", [OBEYS, YIELDS, RETURNS, OBEYS_LATE])
@pytest.mark.parametrize(
    ("when", "turns", "result"),
    [
        pytest.param(AT_FIRST, 0, 9, id="below a caller that goes on"),
        pytest.param(TOLD, 0, 4, id="in the midst of a cancel"),
        pytest.param(LATER, 1, 2, id="while the caller is away"),
    ],
)
def test_a_call_of_the_host_is_cancelled_by_the_engine_whoever_is_below(
    when: int, turns: int, result: int, host: int
) -> None:
    """As a guest does with a timer that it needs no more: the engine's own built-in is called in place, so that nothing
    is pumped above the caller and nothing traps."""
    composed = bytes(wat2wasm(WITH_TIMER))
    fused = fuse([composed], FuseOptions(flat=True)).bytes
    assert_fused_shape(fused)
    one, other = (with_timer(form, Call("run", [16 * host + when, turns, NONE])) for form in (composed, fused))
    assert one == other
    assert seen(one[-1].outcome) == result


SYNC_MIDDLE: Final = caller(
    "Middle",
    "timer",
    """
    (func (export "mid") (param $x i32) (result i32)
      (call $log (i32.add (i32.const 260) (call $cancel (call $timer (local.get $x))))) (i32.const 7))""",
    '(func (export "mid") (param "x" u32) (result u32) (canon lift (core func $m "mid")))',
)
SYNC_TASK: Final = f"""
    (component
      (import "log" (func $log (param "x" u32)))
      (import "timer" (func $timer async (param "x" u32) (result u32)))
      {SYNC_MIDDLE}
      (instance $middle (instantiate $Middle (with "log" (func $log)) (with "timer" (func $timer))))
      (component $Root
        (import "mid" (func $mid (param "x" u32) (result u32)))
        (core func $mid' (canon lower (func $mid))) (core func $return (canon task.return (result u32)))
        (core module $M
          (import "" "mid" (func $mid (param i32) (result i32))) (import "" "return" (func $return (param i32)))
          (func (export "run") (param i32 i32 i32) (result i32)
            (call $return (call $mid (local.get 0))) (i32.const 0))
          (func (export "callback") (param i32 i32 i32) (result i32) unreachable))
        (core instance $m (instantiate $M
          (with "" (instance (export "mid" (func $mid')) (export "return" (func $return))))))
        {RUN})
      (instance $root (instantiate $Root (with "mid" (func $middle "mid"))))
      (export "run" (func $root "run")))"""


def test_a_synchronous_task_cancels_no_call_of_the_host_synchronously(divergences: Divergences) -> None:
    """Whether the host's answer has to be waited for shows only when it was."""
    composed = bytes(wat2wasm(SYNC_TASK))
    forms = (composed, fuse([composed], FuseOptions(flat=True)).bytes)
    one, other = (with_timer(form, run(OBEYS))[-1].outcome for form in forms)
    assert (seen(one), seen(other)) == (7, "a synchronous task cannot block")
    assert divergences.explains(Difference("run", "outcome", one, other))
    waiting, trapping = (with_timer(form, run(YIELDS))[-1].outcome for form in forms)
    assert same_trap(str(seen(waiting)), str(seen(trapping)))


# --- asynchronous cancels ---------------------------------------------------------------------------------------------
WAITING_ROOT: Final = """
    (func (export "run") (param $m i32) (param $side i32) (param i32) (result i32) (local $h i32)
      (local.set $h (call $mid (local.get $m)))
      (drop (call $side (local.get $side)))
      (call $set (call $cancel (local.get $h)))
      (call $log (i32.add (i32.const 10) (call $get)))
      (i32.const 1))
    (func (export "callback") (param i32 i32 i32) (result i32)
      (if (i32.lt_u (call $get) (i32.const 40))
        (then (call $set (i32.add (call $get) (i32.const 10))) (return (i32.const 1))))
      (call $return (call $get))
      (i32.const 0))"""
CANCELS_LATER: Final = caller(
    "Side",
    "work mid",
    """
    (func (export "side") (param i32) (result i32) (call $set (call $mid (i32.const 0))) (i32.const 1))
    (func (export "callback") (param $code i32) (param i32 i32) (result i32)
      (if (i32.eq (local.get $code) (i32.const 6)) (then (call $cancelled) (return (i32.const 0))))
      (call $log (i32.add (i32.const 300) (i32.and (call $cancel (call $get)) (i32.const 15))))
      (call $return (i32.const 9))
      (i32.const 0))""",
    lift("side"),
    cancel="subtask.cancel async",
)


def test_a_task_that_is_cancelled_while_its_instance_waits_hears_of_it_afterwards() -> None:
    """The embedded engine has no asynchronous cancel, so it cannot play the composition."""
    text = composition(side=CANCELS_LATER, root=WAITING_ROOT)
    fused = fuse([bytes(wat2wasm(text))], FuseOptions(flat=True)).bytes
    assert_fused_shape(fused)
    step = observe(fused, [run(OBEYS_LATE, side=0)], host=HOST).steps[-1]
    assert step.outcome == Returned(44)
    logged = [args[0] for _, args in step.host_calls]
    # the first task of the middle, the cancel that is BLOCKED, the end of the first task, then the second one
    assert logged[logged.index(256) :] == [256, 116, 315, 110, 110, 110, 110, 264, 14, 256, 116, 264]
