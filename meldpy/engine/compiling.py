"""Compiling a component to see whether the engine takes it, without the binding's component module.

That module declares every component type before it compiles anything, which takes longer than a small component does;
and it copies what it is given. Only who runs components needs it.
"""

from __future__ import annotations

import ctypes

import wasmtime
from wasmtime import _ffi as ffi


def refusal(engine: wasmtime.Engine, data: bytes) -> wasmtime.WasmtimeError | None:
    """The engine's error if it does not compile the component `data` (binary or text); None if it does."""
    if not data.startswith(b"\0"):
        try:
            data = bytes(wasmtime.wat2wasm(data))
        except wasmtime.WasmtimeError as error:
            return error
    compiled = ctypes.POINTER(ffi.wasmtime_component_t)()
    # the bytes are read where they lie
    start = ctypes.cast(ctypes.c_char_p(data), ctypes.POINTER(ctypes.c_uint8))
    failed = ffi.wasmtime_component_new(engine.ptr(), start, len(data), ctypes.byref(compiled))
    if failed:
        return wasmtime.WasmtimeError._from_ptr(failed)
    ffi.wasmtime_component_delete(compiled)
    return None
