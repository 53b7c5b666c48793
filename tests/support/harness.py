"""The differential harness: runs a composition and its fused form side by side and compares all that can be seen.

Observing is meldpy's own (`meldpy.engine.observe`), and so is listing differences (`meldpy.fixture.compare`), because
fixtures are run by users as well; here values have the plain form of tests.support.values. `assert_like` lets a
difference pass only if the table of known divergences has an entry for it. `check` is what most tests call: it also
asserts the shape of the fused output.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from wasmtime import Config, Engine, _ffi

from meldpy.engine import observe as engine_observe
from meldpy.engine.observe import Call, Exit, Guest, Host, HostFunction, Observed, Returned, Step, Trap
from meldpy.fixture import compare as fixture_compare
from meldpy.fixture.compare import Difference
from tests.differential.divergences import Divergences
from tests.support.shape import assert_fused_shape
from tests.support.values import PlainCodec, same

__all__ = [
    "Call",
    "Difference",
    "Exit",
    "Guest",
    "Host",
    "HostFunction",
    "Observed",
    "Returned",
    "Step",
    "Trap",
    "assert_like",
    "check",
    "compare",
    "concurrency_off",
    "default",
    "observe",
    "pooling",
]


def observe(
    binary: bytes, calls: Sequence[Call], *, host: Host | None = None, config: Config | None = None
) -> Observed:
    """Runs `binary` through `calls`, whose values are in the plain form."""
    engine = Engine(config if config is not None else Config())
    return engine_observe.observe(binary, calls, PlainCodec(), host=host, engine=engine)


def compare(composed: Observed, fused: Observed) -> list[Difference]:
    """Every difference, in order of appearance."""
    return fixture_compare.compare(composed, fused, same)


def check(
    composed: bytes,
    fused: bytes,
    calls: Sequence[Call],
    *,
    divergences: Divergences,
    host: Host | None = None,
    config: Callable[[], Config] = Config,
) -> Observed:
    """Fails unless `fused` has its shape and behaves as `composed` does; what the composition was seen doing."""
    assert_fused_shape(fused)
    observed = observe(composed, calls, host=host, config=config())
    assert_like(observed, observe(fused, calls, host=host, config=config()), divergences)
    return observed


def assert_like(composed: Observed, fused: Observed, divergences: Divergences) -> None:
    """Fails for any difference that the table does not explain."""
    differences = compare(composed, fused)
    unexplained = [str(difference) for difference in differences if not divergences.explains(difference)]
    assert not unexplained, "the fused form behaves differently:\n  " + "\n  ".join(unexplained)


def default() -> Config:
    return Config()


def pooling() -> Config:
    """wasmtime's pooling allocator with its defaults: at most one memory and one table per core module."""
    config = Config()
    pool = _ffi.wasmtime_pooling_allocation_config_new()
    _ffi.wasmtime_pooling_allocation_strategy_set(config.ptr(), pool)
    _ffi.wasmtime_pooling_allocation_config_delete(pool)
    return config


def concurrency_off() -> Config:
    """Without the engine's support for concurrent tasks, whose bookkeeping changes how it enters and leaves."""
    config = Config()
    _ffi.wasmtime_config_concurrency_support_set(config.ptr(), False)
    return config
