"""Calls of a guest with arguments and result in WAVE, for people. The values go by the binding's own conversions."""

from __future__ import annotations

import ctypes

import wasmtime
from wasmtime import _ffi as ffi
from wasmtime import component as wc

from meldpy.engine.guests.guest import Guest
from meldpy.engine.values import to_text, to_value
from meldpy.engine.wave import parse_call
from meldpy.errors import UsageError


def call_text(guest: Guest, path: tuple[str, ...], call: str, deadline: float) -> str | None:
    """The result of the exported function at `path` for the arguments of `call`; None if it has none.

    Raises what `Guest.call` does, and UsageError for arguments that cannot be read or do not fit.
    """
    _, trees = parse_call(call)
    given = () if trees is None else trees

    def run(func: wc.Func, store: wasmtime.Store) -> str | None:
        type_ = func.type(store)
        if len(given) != len(type_.params):
            raise UsageError(
                f"{path[-1]} takes {len(type_.params)} arguments, {len(given)} were given",
                remedy="give as many as its type has",
            )
        values = [to_value(tree, of) for tree, (_, of) in zip(given, type_.params, strict=True)]
        arguments = (ffi.wasmtime_component_val_t * len(values))()
        result = ffi.wasmtime_component_val_t()
        converted = 0
        try:
            for (_, of), value in zip(type_.params, values, strict=True):
                of.convert_to_c(store, value, ctypes.pointer(arguments[converted]))
                converted += 1
            error = ffi.wasmtime_component_func_call(
                ctypes.byref(func._func),
                store._context(),
                arguments,
                len(values),
                None if type_.result is None else ctypes.byref(result),
                0 if type_.result is None else 1,
            )
        finally:
            for argument in arguments[:converted]:
                ffi.wasmtime_component_val_delete(ctypes.byref(argument))
        if error:
            raise wasmtime.WasmtimeError._from_ptr(error)
        return None if type_.result is None else to_text(type_.result.convert_from_c(result), type_.result)

    said = guest.call_with(path, run, deadline)
    assert said is None or isinstance(said, str), "it is what `run` returns"
    return said
