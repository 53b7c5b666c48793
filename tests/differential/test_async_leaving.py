"""A readable end that leaves for the host where no task of the engine's could hear of its other end.

What is written into it was left pending by a task that is over; a function of synchronous type hands it over, which is
no work of its own (`analysis/work`), and whoever waits later is told. A component outside stands for the host
(`support/asynctold`).
"""

from __future__ import annotations

from typing import Final

from wasmtime import wat2wasm

from meldpy.pipeline import FuseOptions, fuse
from tests.support.asynctold import HOST, NO_CALLBACK, RUN, TYPES, component, given, instance
from tests.support.compose import Export, Wire, compose
from tests.support.harness import Call, Returned, observe
from tests.support.shape import assert_fused_shape

HELP: Final = '(func (export "help") (result i32) (call $return (i32.const 2)) (i32.const 0))'
GUEST: Final = """
  (global $ends (mut i64) (i64.const 0))
  (func $writable (result i32) (i32.wrap_i64 (i64.shr_u (global.get $ends) (i64.const 32))))
  (func (export "write") (result i32)
    (drop (call $help (i32.const 16)))
    (global.set $ends (call $stream-new))
    (drop (call $stream-write (call $writable) (i32.const 64) (i32.const 3)))
    (call $return (i32.const 1)) (i32.const 0))
  (func (export "hand-over") (result i32) (call $keep (i32.wrap_i64 (global.get $ends))) (i32.const 2))
  (func (export "run") (result i32) (local $s i32)
    (local.set $s (call $set-new))
    (call $join (call $writable) (local.get $s))
    (drop (call $read (i32.const 5)))
    (i32.or (i32.const 2) (i32.shl (local.get $s) (i32.const 4))))
  (func (export "callback") (param $code i32) (param i32) (param $payload i32) (result i32)
    (call $return (i32.add (i32.mul (local.get $code) (i32.const 1000)) (local.get $payload))) (i32.const 0))
"""
"""`write` leaves a write pending, `hand-over` gives the other end to the host, `run` has it read and waits."""


def guests() -> bytes:
    """Two, since the async of one alone would be left to the engine."""
    lifts = RUN + RUN.replace("run", "write")
    lifts += '(func (export "hand-over") (result u32) (canon lift (core func $m "hand-over")))'
    used = ["keep", "read", "return", "stream-new", "stream-write", "set-new", "join"]
    more = {"help": ("async (result u32)", "(param i32) (result i32)")}
    return component(f"""
      {instance("Helper", ["return"], HELP + NO_CALLBACK, RUN.replace("run", "help"))}
      (instance $helper (instantiate $Helper {given()}))
      {instance("Guest", used, GUEST, lifts, more)}
      (instance $guest (instantiate $Guest {given("keep", "read")} (with "help" (func $helper "help"))))
      (export "write" (func $guest "write")) (export "hand-over" (func $guest "hand-over"))
      (export "run" (func $guest "run"))""")


def test_a_write_that_is_pending_when_its_stream_leaves_outside_of_async_calls_is_heard_of() -> None:
    fused = fuse([guests()], FuseOptions(flat=True)).bytes
    assert_fused_shape(fused)
    names = ("write", "hand-over", "run")
    wires = [Wire("guests", name, "host", name) for name in ("thing", *TYPES)]
    for form in (guests(), fused):
        children = {"host": bytes(wat2wasm(HOST)), "guests": form}
        composed = compose(children, wires, [Export("guests", name) for name in names])
        steps = observe(composed, [Call(name) for name in names]).steps
        # STREAM_WRITE, three elements
        assert [step.outcome for step in steps[-3:]] == [Returned(1), Returned(2), Returned(3000 + (3 << 4))]
