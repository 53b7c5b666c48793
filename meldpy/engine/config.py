"""Engines with all features on, the ones without a setter included.

wasmtime's C API has a setter for most proposals. Some gated ones (fixed-length lists, error-context, 64-bit
component memories, …) have none, yet their place in the `Config` is known relative to a neighbour that has one: the
set of enabled features is one 64-bit word, the set of explicitly disabled ones the word after it. Turning the
neighbour off and on shows where its bit lies. A bit that we flip counts only if a probe component, which needs the
feature, then compiles; on a wheel that is laid out otherwise the feature stays off and `missing` names it.
"""

from __future__ import annotations

import atexit
import ctypes
from functools import cache
from typing import final

import wasmtime

from meldpy.engine.compiling import refusal
from meldpy.records import dataclass

_SETTERS = (
    "bulk_memory",
    "compact_imports",
    "component_model",
    "component_model_async",
    "component_model_async_stackful",
    "component_model_canonical_names",
    "component_model_implements",
    "component_model_map",
    "component_model_more_async_builtins",
    "custom_page_sizes",
    "exceptions",
    "function_references",
    "gc",
    "memory64",
    "multi_memory",
    "multi_value",
    "reference_types",
    "relaxed_simd",
    "shared_memory",
    "simd",
    "tail_call",
    "threads",
    "wide_arithmetic",
)
"""Features with a setter in some supported version; one that a version lacks is skipped."""


@final
@dataclass(frozen=True, slots=True)
class _Gated:
    """A feature without a setter: `distance` bits above `neighbour`'s bit; `probe` compiles only if it is on."""

    name: str
    neighbour: str
    distance: int
    probe: str


_GATED = (
    _Gated("threads", "component_model_more_async_builtins", 1, "(component (core func (canon thread.index)))"),
    _Gated(
        "error-context",
        "component_model_more_async_builtins",
        2,
        "(component (core func (canon error-context.drop)))",
    ),
    _Gated("fixed-length lists", "component_model_more_async_builtins", 3, "(component (type (list u8 4)))"),
    _Gated(
        "values as references",
        "component_model_more_async_builtins",
        4,
        """(component
             (core module $m (func (export "f")))
             (core instance $i (instantiate $m))
             (func (canon lift (core func $i "f") gc)))""",
    ),
    _Gated(
        "64-bit component memories",
        "component_model_map",
        1,
        """(component
             (core module $m (memory (export "m") i64 1)
               (func (export "f") (param i64 i64))
               (func (export "r") (param i64 i64 i64 i64) (result i64) i64.const 0))
             (core instance $i (instantiate $m))
             (func (param "s" string)
               (canon lift (core func $i "f") (memory (core memory $i "m")) (realloc (core func $i "r")))))""",
    ),
)


@final
@dataclass(frozen=True, slots=True)
class FullEngine:
    """An engine with everything on that can be; `missing`: gated features that this wasmtime would not take."""

    engine: wasmtime.Engine
    missing: tuple[str, ...]


def _set(config: wasmtime.Config, feature: str, on: bool) -> None:
    for name in (f"wasmtime_config_wasm_{feature}_set", f"wasmtime_config_{feature}_set"):
        setter = getattr(wasmtime._ffi.dll, name, None)
        if setter is not None:
            setter.restype, setter.argtypes = None, [ctypes.c_void_p, ctypes.c_bool]
            setter(ctypes.cast(config.ptr(), ctypes.c_void_p), on)


def base_config(optimise: bool = False) -> wasmtime.Config:
    """A Config with every feature on that has a setter. Without `optimise`, compiling is fast and code is slow."""
    config = wasmtime.Config()
    for feature in _SETTERS:
        _set(config, feature, True)
    if not optimise:
        config.cranelift_opt_level = "none"
    return config


_CONFIG_BYTES = 1024
"""How far into the Config the feature words are looked for."""


def _flip(config: wasmtime.Config, gated: _Gated) -> bool:
    """Turn a gated feature on by its bit; False if the words cannot be found."""
    address = ctypes.cast(config.ptr(), ctypes.c_void_p).value
    assert address is not None
    _set(config, gated.neighbour, False)
    off = ctypes.string_at(address, _CONFIG_BYTES)
    _set(config, gated.neighbour, True)
    on = ctypes.string_at(address, _CONFIG_BYTES)
    changed = {at: a ^ b for at, (a, b) in enumerate(zip(off, on, strict=True)) if a != b}
    for at, bits in changed.items():
        # The neighbour is one bit, and the same bit of the next word says "explicitly disabled".
        if bits & (bits - 1) == 0 and changed.get(at + 8) == bits:
            enabled = ctypes.c_uint64.from_address(address + at // 8 * 8)
            disabled = ctypes.c_uint64.from_address(address + at // 8 * 8 + 8)
            bit = 1 << (at % 8 * 8 + bits.bit_length() - 1 + gated.distance)
            enabled.value |= bit
            disabled.value &= ~bit
            return True
    return False


@cache
def plain_engine() -> wasmtime.Engine:
    """The engine that is right for almost every input: all features with a setter."""
    return wasmtime.Engine(base_config())


def _with_gated(features: tuple[_Gated, ...], optimise: bool) -> wasmtime.Engine | None:
    config = base_config(optimise)
    if not all(_flip(config, feature) for feature in features):
        return None
    return wasmtime.Engine(config)


@cache
def full_engine(optimise: bool = False) -> FullEngine:
    """An engine that also has the gated features, each verified by its probe."""
    taken: tuple[_Gated, ...] = ()
    missing: list[str] = []
    for gated in _GATED:
        if _accepts(_with_gated((*taken, gated), optimise), gated.probe):
            taken = (*taken, gated)
        else:
            missing.append(gated.name)
    engine = _with_gated(taken, optimise)
    assert engine is not None
    return FullEngine(engine, tuple(missing))


def _accepts(engine: wasmtime.Engine | None, probe: str) -> bool:
    if engine is None:
        return False
    return refusal(engine, probe.encode()) is None


# Engines must go before the binding's modules are torn down, which they need for it.
atexit.register(plain_engine.cache_clear)
atexit.register(full_engine.cache_clear)
