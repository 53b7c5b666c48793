"""Async-typed functions are called through the engine's async entry point, and end as their guests do."""

from __future__ import annotations

import pytest
from wasmtime import wat2wasm

from meldpy.engine import calls
from meldpy.engine.observe import STILL_RUNNING, Call, Returned, Trap
from meldpy.engine.run import TRAP_CODE, Environment, Outcome, invoke
from meldpy.engine.traps import DEADLOCK
from meldpy.errors import EngineError, UsageError
from tests.support import asyncs
from tests.support.harness import observe


def run(text: str, call: str) -> Outcome:
    return invoke(bytes(wat2wasm(text)), (call.partition("(")[0],), call, Environment())


@pytest.mark.parametrize(
    ("call", "result"),
    [
        ("run-now(4)", "8"),
        ("run-later(0, 4)", "8"),
        ("run-later(3, 5)", "10"),
        ("run-later(300, 6)", "12"),  # more turns than one poll takes
        ("run-both(0, 7)", "28"),
        ("run-both(5, 7)", "28"),
        ("run-blocking(0, 9)", "18"),
        ("run-blocking(5, 9)", "18"),
    ],
)
def test_an_async_typed_function_returns(call: str, result: str) -> None:
    assert run(asyncs.TOGETHER, call) == Outcome(0, result)


def test_a_deadlock_is_a_trap() -> None:
    outcome = run(asyncs.TOGETHER, "run-never(1)")
    assert (outcome.exit_code, outcome.result) == (TRAP_CODE, None)
    assert "deadlock detected" in (outcome.trap or "")


def test_a_call_that_yields_for_ever_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "POLLS", 100)
    with pytest.raises(EngineError, match="does not end"):
        run(asyncs.ENDLESS, "f()")


@pytest.mark.parametrize("call", ["stream()", "future()"])
def test_what_the_binding_cannot_hold_is_refused_before_the_call(call: str) -> None:
    with pytest.raises(UsageError, match=f"cannot pass a {call[:-2]}<"):
        run(asyncs.ENDS, call)


def test_the_harness_sees_what_async_functions_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls, "POLLS", 100)
    together = bytes(wat2wasm(asyncs.TOGETHER))
    seen = observe(together, [Call("run-later", [2, 3]), Call("run-never", [1]), Call("run-both", [1, 1])])
    results = [step.outcome for step in seen.steps if step.label != "(instantiate)"]
    assert (results[0], results[2]) == (Returned(6), Returned(4))
    assert isinstance(results[1], Trap)
    assert results[1].kind == DEADLOCK
    assert seen.world["export run-now"] == "async func(x: u32) -> u32"
    step = observe(bytes(wat2wasm(asyncs.ENDLESS)), [Call("f")]).steps[1]
    assert isinstance(step.outcome, Trap)
    assert step.outcome.kind == STILL_RUNNING


def test_the_world_tells_streams_and_futures_and_what_they_carry() -> None:
    world = observe(bytes(wat2wasm(asyncs.ENDS)), []).world
    assert world["export stream"] == "func() -> tuple<stream<u8>>"
    assert world["export future"] == "async func() -> option<future<_>>"


def test_an_async_import_that_nothing_provides_is_named() -> None:
    guest = bytes(wat2wasm(asyncs.GUEST))
    with pytest.raises(EngineError, match="imports now, and nothing"):
        observe(guest, [Call("run-now", [1])])
    with pytest.raises(EngineError, match="no host functions of async type, as now is"):
        observe(guest, [Call("run-now", [1])], host={name: lambda *_: 1 for name in ("now", "later", "never")})
