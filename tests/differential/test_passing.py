"""Async that passes through: one instance has all of it, others are fused with it, and the engine runs its tasks.

The asynchronous guest has what emitted code does not carry (a function of synchronous type may leave a call of the
host's that has to go on without it), so passing is what makes it flat.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from typing import Final

import pytest
from wasmtime import wat2wasm

import meldpy
from meldpy.adapter.passing import Passing
from meldpy.engine.traps import same_trap
from meldpy.errors import UnsupportedError
from meldpy.pipeline import FuseInput, FuseOptions
from tests.support.asyncs import BUILTINS, HOST
from tests.support.compose import Export, Wire, compose
from tests.support.harness import Call, Returned, Trap, observe
from tests.support.shape import assert_fused_shape

LIBRARY: Final = """
(component $Library
  (core module $M
    (memory (export "m") 1)
    (data (i32.const 8) "twelve bytes")
    (func (export "double") (param i32) (result i32) (i32.mul (local.get 0) (i32.const 2)))
    (func (export "name") (result i32)
      (i32.store (i32.const 0) (i32.const 8)) (i32.store (i32.const 4) (i32.const 12)) (i32.const 0)))
  (core instance $m (instantiate $M))
  (func (export "double") (param "x" u32) (result u32) (canon lift (core func $m "double")))
  (func (export "name") (result string) (canon lift (core func $m "name") (memory (core memory $m "m")))))
"""
"""Knows nothing of async."""

GUEST: Final = f"""
(component $Guest
  (import "later" (func $later async (param "turns" u32) (param "x" u32) (result u32)))
  (import "double" (func $double (param "x" u32) (result u32)))
  (import "name" (func $name (result string)))
  (core module $Memory
    (import "" "get" (func $get (result i32)))
    (import "" "set" (func $set (param i32)))
    (memory (export "m") 1)
    (global $next (mut i32) (i32.const 4096))
    ;; what it finds in the context, where everybody can see it; and it leaves something there
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (i32.store (i32.const 200) (i32.add (i32.load (i32.const 200)) (call $get)))
      (call $set (i32.const 999))
      (global.get $next)
      (global.set $next (i32.add (global.get $next) (i32.add (local.get 3) (i32.const 8)))))
    (func (export "name-length") (result i32) (i32.load (i32.const 132))))
  (core func $get (canon context.get i32 0))
  (core func $set (canon context.set i32 0))
  (core instance $memory (instantiate $Memory (with "" (instance
    (export "get" (func $get)) (export "set" (func $set))))))
  (core func $later (canon lower (func $later) async (memory (core memory $memory "m"))))
  (core func $later-blocking (canon lower (func $later)))
  (core func $double (canon lower (func $double)))
  (core func $name
    (canon lower (func $name) (memory (core memory $memory "m")) (realloc (core func $memory "realloc"))))
  {BUILTINS}
  (core module $M
    (import "" "m" (memory 1))
    (import "" "later" (func $later (param i32 i32 i32) (result i32)))
    (import "" "later-blocking" (func $later-blocking (param i32 i32) (result i32)))
    (import "" "double" (func $double (param i32) (result i32)))
    (import "" "name" (func $name (param i32)))
    (import "" "return" (func $return (param i32)))
    (import "" "set-new" (func $set-new (result i32)))
    (import "" "join" (func $join (param i32 i32)))
    (import "" "subtask-drop" (func $subtask-drop (param i32)))
    (import "" "get" (func $get (result i32)))
    (import "" "set" (func $set (param i32)))
    ;; the library's answer goes into the context, and out of the task when the host has answered
    (func (export "run") (param $turns i32) (param $x i32) (result i32)
      (local $set i32)
      (local $status i32)
      (call $set (call $double (local.get $x)))
      (call $name (i32.const 128))
      (local.set $status (call $later (local.get $turns) (local.get $x) (i32.const 64)))
      (if (i32.eq (i32.and (local.get $status) (i32.const 15)) (i32.const 2))
        (then (call $done) (return (i32.const 0))))
      (local.set $set (call $set-new))
      (call $join (i32.shr_u (local.get $status) (i32.const 4)) (local.get $set))
      (i32.or (i32.const 2) (i32.shl (local.get $set) (i32.const 4))))
    (func $done (call $return (i32.add (i32.add (call $get) (i32.load (i32.const 132))) (i32.load (i32.const 64)))))
    (func (export "event") (param $event i32) (param $subtask i32) (param $state i32) (result i32)
      (call $subtask-drop (local.get $subtask))
      (call $done)
      (i32.const 0))
    (func (export "blocking") (param $turns i32) (param $x i32) (result i32)
      (i32.add (call $double (local.get $x)) (call $later-blocking (local.get $turns) (local.get $x))))
    ;; what it finds in the context; and it leaves something there
    (func (export "fresh") (result i32) (call $get) (call $set (i32.const 7)))
    (func (export "seen") (result i32) (i32.load (i32.const 200)))
    ;; a call that nobody waits for; the tests do not make it, since the engine has no event loop for it yet
    (func (export "leave") (param $turns i32) (result i32)
      (call $later (local.get $turns) (i32.const 0) (i32.const 64))))
  (core instance $m (instantiate $M (with "" (instance
    (export "m" (memory $memory "m"))
    (export "later" (func $later)) (export "later-blocking" (func $later-blocking))
    (export "double" (func $double)) (export "name" (func $name))
    (export "return" (func $return)) (export "set-new" (func $set-new)) (export "join" (func $join))
    (export "subtask-drop" (func $subtask-drop)) (export "get" (func $get)) (export "set" (func $set))))))
  (func (export "run") async (param "turns" u32) (param "x" u32) (result u32)
    (canon lift (core func $m "run") async (callback (core func $m "event"))))
  (func (export "blocking") async (param "turns" u32) (param "x" u32) (result u32)
    (canon lift (core func $m "blocking")))
  (func (export "fresh") (result u32) (canon lift (core func $m "fresh")))
  (func (export "seen") (result u32) (canon lift (core func $m "seen")))
  (func (export "leave") (param "turns" u32) (result u32) (canon lift (core func $m "leave"))))
"""
"""Waits for the host in its callback and on its stack; its context, and that of its allocator, are seen."""

TOP: Final = """
(component $Top
  (import "fresh" (func $fresh (result u32)))
  (core func $fresh (canon lower (func $fresh)))
  (core module $M
    (import "" "fresh" (func $fresh (result i32)))
    (func (export "both") (result i32) (i32.add (call $fresh) (i32.mul (call $fresh) (i32.const 100)))))
  (core instance $m (instantiate $M (with "" (instance (export "fresh" (func $fresh))))))
  (func (export "both") (result u32) (canon lift (core func $m "both"))))
"""
"""Calls a sync function of the asynchronous guest, twice in one task."""

EXPORTS: Final = ("run", "blocking", "fresh", "seen", "leave", "both")
INNER: Final = f"""
  {LIBRARY} {GUEST} {TOP}
  (instance $library (instantiate $Library))
  (instance $guest (instantiate $Guest (with "later" (func $later))
    (with "double" (func $library "double")) (with "name" (func $library "name"))))
  (instance $top (instantiate $Top (with "fresh" (func $guest "fresh"))))
  {" ".join(f'(export "{name}" (func ${"top" if name == "both" else "guest"} "{name}"))' for name in EXPORTS)}
"""
LATER: Final = '(import "later" (func $later async (param "turns" u32) (param "x" u32) (result u32)))'
INSIDE: Final = f"(component $Inside {LATER} {INNER})"


def played(inside: bytes, calls: Sequence[Call]) -> list[Returned | Trap]:
    """What calls of the guest, in the host's component, come to."""
    parts = {"host": bytes(wat2wasm(HOST)), "inside": inside}
    whole = compose(parts, [Wire("inside", "later", "host", "later")], [Export("inside", name) for name in EXPORTS])
    return [step.outcome for step in observe(whole, tuple(calls)).steps if step.label != "(instantiate)"]


def alike(one: Sequence[Returned | Trap], other: Sequence[Returned | Trap]) -> bool:
    return all(
        same_trap(a.kind, b.kind) if isinstance(a, Trap) and isinstance(b, Trap) else a == b
        for a, b in zip(one, other, strict=True)
    )


CALLS: Final = [
    *(Call("run", [turns, 21]) for turns in (0, 1, 5)),
    Call("both", []),
    *(Call("blocking", [turns, 4]) for turns in (0, 3)),
    Call("fresh", []),
    Call("both", []),
    Call("run", [2, 8]),
    Call("seen", []),
]


def test_async_of_one_guest_passes_through_a_flat_output() -> None:
    composition = bytes(wat2wasm(INSIDE))
    result = meldpy.fuse([composition], FuseOptions(flat=True))
    assert_fused_shape(result.bytes)
    assert (result.report.call_sites, result.report.engine_call_sites) == (3, 0)
    expected = played(composition, CALLS)
    assert alike(expected, played(result.bytes, CALLS))
    found = [outcome.value for outcome in expected if isinstance(outcome, Returned)]
    assert found == [42 + 12 + 42] * 3 + [0, 16, 16, 0, 0, 16 + 12 + 16, 0]


def test_inputs_pass_async_through_as_a_composition_does() -> None:
    texts = {"library": LIBRARY, "guest": GUEST, "top": TOP}
    inputs = [FuseInput(name, name, bytes(wat2wasm(text))) for name, text in texts.items()]
    options = FuseOptions(flat=True, exports=tuple(name for name in EXPORTS if name != "both"))
    output = meldpy.fuse(inputs, options).bytes
    assert alike(played(bytes(wat2wasm(INSIDE)), CALLS), played(output, CALLS))


def test_context_slots_are_kept_from_whoever_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without what keeps them, they are seen and changed."""
    composition = bytes(wat2wasm(INSIDE))
    monkeypatch.setattr(Passing, "sync_call", lambda self, em, instance: nullcontext())
    output = meldpy.fuse([composition], FuseOptions(flat=True)).bytes
    assert not alike(played(composition, CALLS), played(output, CALLS))


ALLOCATES: Final = """
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (i32.store (i32.const 200) (i32.add (i32.load (i32.const 200)) (call $get)))
      (call $set (i32.const 999))"""


def test_an_allocator_that_calls_out_is_stopped() -> None:
    """While it allocates, the guest may not call out, whoever asked for memory."""
    assert ALLOCATES in INSIDE
    text = (
        INSIDE.replace(ALLOCATES, ALLOCATES.replace("(call $set (i32.const 999))", "(drop (call $new))"))
        .replace("  (core module $Memory\n", '  (core module $Memory\n(import "" "new" (func $new (result i32)))\n')
        .replace("  (core func $get (canon", "  (core func $new (canon waitable-set.new))\n  (core func $get (canon")
        .replace(
            '(with "" (instance\n    (export "get"', '(with "" (instance (export "new" (func $new))\n (export "get"'
        )
    )
    composition = bytes(wat2wasm(text))
    output = meldpy.fuse([composition], FuseOptions(flat=True)).bytes
    calls = [Call("fresh", []), Call("run", [0, 1])]
    expected = played(composition, calls)
    assert [type(outcome) for outcome in expected] == [Returned, Trap]
    assert alike(expected, played(output, calls))


def test_where_async_does_not_pass_it_is_kept() -> None:
    """A function that another instance calls may block: it would run in another task than it should."""
    fresh = '(func (export "fresh") (result i32) (call $get)'
    assert fresh in INSIDE
    blocks = "(drop (call $later-blocking (i32.const 0) (i32.const 0)))"
    composition = bytes(wat2wasm(INSIDE.replace(fresh, fresh.replace("(call $get)", f"{blocks} (call $get)"))))
    with pytest.raises(UnsupportedError):
        meldpy.fuse([composition], FuseOptions(flat=True))
    result = meldpy.fuse([composition])
    assert [kept.label for kept in result.report.kept] == ["component 1"]
    calls = [Call("both", []), Call("run", [1, 1])]
    assert alike(played(composition, calls), played(result.bytes, calls))


@pytest.mark.parametrize("options", ["", '(memory (core memory $m "m"))', "string-encoding=utf16"])
@pytest.mark.parametrize("returned", ["", '(memory (core memory $m "m"))', "string-encoding=utf16"])
def test_task_return_has_the_options_of_its_lift_also_those_that_no_type_needs(options: str, returned: str) -> None:
    """The engine compares them; a memory that `task.return` does not name is nothing to it."""
    text = f"""
    (component
      (core module $Memory (memory (export "m") 1))
      (core instance $m (instantiate $Memory))
      (core func $return (canon task.return (result u32) {returned}))
      (core func $join (canon waitable.join))
      (core module $M
        (import "" "m" (memory 1))
        (import "" "return" (func $return (param i32))) (import "" "join" (func $join (param i32 i32)))
        (global $exit (mut i32) (i32.const 0))
        (func (export "run") (result i32) (call $return (i32.const 5)) (global.get $exit))
        (func (export "wakes") (call $join (i32.const 1) (i32.const 2)))
        (func (export "callback") (param i32 i32 i32) (result i32) unreachable))
      (core instance $i (instantiate $M (with "" (instance
        (export "m" (memory $m "m")) (export "return" (func $return)) (export "join" (func $join))))))
      (func (export "wakes") (canon lift (core func $i "wakes")))
      (func (export "run") async (result u32)
        (canon lift (core func $i "run") async {options} (callback (core func $i "callback")))))"""
    binary = bytes(wat2wasm(text))
    result = meldpy.fuse([binary], FuseOptions(flat=True))
    assert any("stays the engine's" in note for note in result.report.notes)
    fused = result.bytes
    [composed, got] = [observe(form, [Call("run", [])]).steps[-1].outcome for form in (binary, fused)]
    if options == returned or (returned == "" and "memory" in options):
        assert composed == got == Returned(5)
    else:
        assert isinstance(composed, Trap)
        assert isinstance(got, Trap)
        assert same_trap(composed.kind, got.kind)
