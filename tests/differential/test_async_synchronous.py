"""Synchronous tasks that wait for async ones: the host calls a task that yields, and a function whose callee may block.

The callee is a callback lift whose function can only say EXIT, or a sync lift. It waits on its stack, yields there, or
goes straight on; in the first two cases whoever waits for it synchronously must trap, though others are ready.
"""

from __future__ import annotations

from functools import cache
from typing import Final

import pytest
from wasmtime import wat2wasm

from meldpy.pipeline import FuseOptions, fuse
from tests.support.compose import Export, Wire, compose
from tests.support.harness import Call, Returned, Trap, compare, observe

_MEMORY: Final = '(core module $Memory (memory (export "m") 1)) (core instance $memory (instantiate $Memory))'
_SET: Final = """
  (core func $new (canon waitable-set.new)) (core func $join (canon waitable.join))
  (core func $wait (canon waitable-set.wait (memory (core memory $memory "m"))))"""

CALLBACK: Final = '(canon lift (core func $m "f") async (callback (core func $m "callback")))'
SYNC: Final = '(canon lift (core func $m "f-returns"))'
WAITS: Final = "(drop (call $wait (call $new) (i32.const 0)))"
YIELDS: Final = "(drop (call $yield))"


def parts(lift: str, body: str, later: str = "") -> str:
    """`poke` calls `f`, which does `body`; the tasks of `g` yield three times, and do `later` when they go on."""
    return f"""
(component
  (import "log" (func $log (param "x" u32)))
  (component $Callee
    (import "log" (func $log (param "x" u32)))
    {_MEMORY} {_SET}
    (core func $log (canon lower (func $log)))
    (core func $return (canon task.return)) (core func $yield (canon thread.yield))
    (core module $M
      (import "" "log" (func $log (param i32))) (import "" "return" (func $return))
      (import "" "new" (func $new (result i32))) (import "" "wait" (func $wait (param i32 i32) (result i32)))
      (import "" "yield" (func $yield (result i32)))
      (global $turns (mut i32) (i32.const 3))
      (func (export "f-returns") (call $log (i32.const 1)) {body} (call $log (i32.const 2)))
      (func (export "f") (result i32) (call $log (i32.const 1)) {body} (call $log (i32.const 2))
        (call $return) (i32.const 0))
      (func (export "g") (result i32) (call $log (i32.const 3)) (i32.const 1))
      (func (export "callback") (param i32 i32 i32) (result i32)
        (call $log (i32.const 4)) {later}
        (global.set $turns (i32.sub (global.get $turns) (i32.const 1)))
        (if (global.get $turns) (then (return (i32.const 1))))
        (call $return) (i32.const 0)))
    (core instance $m (instantiate $M (with "" (instance
      (export "log" (func $log)) (export "return" (func $return)) (export "new" (func $new))
      (export "wait" (func $wait)) (export "yield" (func $yield))))))
    (func (export "f") async {lift})
    (func (export "g") async (canon lift (core func $m "g") async (callback (core func $m "callback")))))
  (component $Caller
    (import "f" (func $f async))
    (core func $f (canon lower (func $f)))
    (core module $M (import "" "f" (func $f)) (func (export "poke") (call $f)))
    (core instance $m (instantiate $M (with "" (instance (export "f" (func $f))))))
    (func (export "poke") (canon lift (core func $m "poke"))))
  (instance $callee (instantiate $Callee (with "log" (func $log))))
  (instance $caller (instantiate $Caller (with "f" (func $callee "f"))))
  (func (export "g") (alias export $callee "g"))
  (func (export "poke") (alias export $caller "poke")))"""


@cache
def front() -> bytes:
    """Calls `g`, pokes, and waits until the task of `g` is over."""
    return bytes(
        wat2wasm(f"""
(component
  (import "g" (func $g async)) (import "poke" (func $poke))
  {_MEMORY} {_SET}
  (core func $g (canon lower (func $g) async)) (core func $poke (canon lower (func $poke)))
  (core module $M
    (import "" "g" (func $g (result i32))) (import "" "poke" (func $poke))
    (import "" "new" (func $new (result i32))) (import "" "join" (func $join (param i32 i32)))
    (import "" "wait" (func $wait (param i32 i32) (result i32)))
    (func (export "run") (local $task i32) (local $set i32)
      (local.set $task (call $g))
      (call $poke)
      (local.set $set (call $new))
      (call $join (i32.shr_u (local.get $task) (i32.const 4)) (local.get $set))
      (drop (call $wait (local.get $set) (i32.const 16)))))
  (core instance $m (instantiate $M (with "" (instance
    (export "g" (func $g)) (export "poke" (func $poke)) (export "new" (func $new)) (export "join" (func $join))
    (export "wait" (func $wait))))))
  (func (export "run") async (canon lift (core func $m "run"))))""")
    )


def together(back: bytes) -> bytes:
    wires = [Wire("front", name, "back", name) for name in ("g", "poke")]
    return compose({"front": front(), "back": back}, wires, [Export("front", "run")])


@pytest.mark.parametrize(
    ("lift", "body", "flat"),
    [
        (CALLBACK, WAITS, False),
        (CALLBACK, YIELDS, False),
        (CALLBACK, "", True),
        (SYNC, WAITS, True),
        (SYNC, YIELDS, False),
        (SYNC, "", True),
    ],
)
def test_a_synchronous_task_waits_for_nobody(lift: str, body: str, flat: bool) -> None:
    back = bytes(wat2wasm(parts(lift, body)))
    result = fuse([back], FuseOptions(validate=False))
    assert (not result.report.kept) is flat
    seen, got = [observe(together(form), [Call("run")], host={"log": _log}) for form in (back, result.bytes)]
    assert not compare(seen, got)
    told = [args[0] for _, args in seen.steps[-1].host_calls]
    if body:
        assert isinstance(seen.steps[-1].outcome, Trap)
        assert told == [3, 1]
    else:
        assert seen.steps[-1].outcome == Returned(None)
        assert told == [3, 1, 2, 4, 4, 4]


@pytest.mark.parametrize("lift", [CALLBACK, SYNC])
@pytest.mark.parametrize("later", [WAITS, YIELDS])
def test_what_the_callee_does_elsewhere_is_no_matter(lift: str, later: str) -> None:
    back = bytes(wat2wasm(parts(lift, "", later)))
    result = fuse([back], FuseOptions(flat=True))
    seen, got = [observe(together(form), [Call("run")], host={"log": _log}) for form in (back, result.bytes)]
    assert not compare(seen, got)
    told = [args[0] for _, args in seen.steps[-1].host_calls]
    assert told == ([3, 1, 2, 4] if later == WAITS else [3, 1, 2, 4, 4, 4])


def _log(guest: object, args: object) -> None:
    pass
