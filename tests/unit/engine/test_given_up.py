"""What nobody holds any more is freed, with all that its host functions know.

The engine keeps a host function as long as its store lives. One that knows the store would keep it alive for ever.
"""

from __future__ import annotations

import gc
from weakref import ref

import pytest
from wasmtime import wat2wasm

import meldpy
from meldpy import core
from meldpy.engine import calls
from meldpy.engine.observe import Call, Guest, HostFunction, Returned, Trap
from meldpy.pipeline import FuseOptions
from tests.support.harness import observe

ASKS = bytes(
    wat2wasm("""(component
      (import "ask" (func $ask (param "x" u32) (result u32)))
      (core func $ask (canon lower (func $ask)))
      (core module $m
        (import "" "ask" (func $ask (param i32) (result i32)))
        (func (export "run") (param i32) (result i32) (call $ask (local.get 0)))
        (func (export "fail") unreachable)
        (func (export "spin") (result i32) (i32.const 1))
        (func (export "again") (param i32 i32 i32) (result i32) (i32.const 1)))
      (core instance $i (instantiate $m (with "" (instance (export "ask" (func $ask))))))
      (func (export "run") (param "x" u32) (result u32) (canon lift (core func $i "run")))
      (func (export "fail") (canon lift (core func $i "fail")))
      (func (export "spin") async (canon lift (core func $i "spin") async (callback (core func $i "again")))))""")
)


def answering() -> HostFunction:
    """A function of its own for each run, so that it can be seen to go."""

    def ask(guest: Guest | None, args: list[object]) -> object:
        (asked,) = args
        assert isinstance(asked, int)
        return asked + 1

    return ask


@pytest.mark.parametrize("ends", ["run", "fail", "spin"])
def test_an_observed_run(ends: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "POLLS", 10)
    ask = answering()
    last = Call("run", [7]) if ends == "run" else Call(ends)
    steps = observe(ASKS, [Call("run", [1]), last], host={"ask": ask}).steps
    assert steps[1].outcome == Returned(2)
    assert isinstance(steps[2].outcome, Returned if ends == "run" else Trap)
    kept = ref(ask)
    del ask
    gc.collect()
    assert kept() is None


@pytest.mark.parametrize("ends", ["run", "fail"])
def test_a_loaded_core_output(ends: str) -> None:
    module = meldpy.fuse([ASKS], FuseOptions(core=True)).bytes
    guest = core.load(module, {"ask": lambda x: x + 1})
    assert guest.call("run", 1) == 2
    if ends == "fail":
        with pytest.raises(core.GuestTrap):
            guest.call("fail")
    kept = ref(guest)
    del guest
    gc.collect()
    assert kept() is None
