"""One call of an exported function, by the engine's entry point that the function's type asks for.

The binding has classes for the synchronous entry point only; that one refuses an async-typed function whose lift is
async, and would leave a task that waits for ever. An async-typed function is called through the C interface: the call
is a future, and polling it runs whatever task of the store is ready. What the guest waits for is the engine's business
(it says "deadlock detected" where nothing can ever come); a call whose tasks only ever yield is given up.

Streams and futures have no values in the C interface: a function that takes or returns one cannot be called from here.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from typing import final

import wasmtime
from wasmtime import _ffi as ffi
from wasmtime import component as wc
from wasmtime.component import _enter

from meldpy.engine.worldtext import is_async, parts, show
from meldpy.errors import UsageError

POLLS = 100_000
"""How often a call is polled before it is given up. A poll runs up to 64 pieces of work; a deadlock takes one."""


@final
class StillRunning(Exception):
    """The call's tasks yield again and again, and nothing comes of it."""


def call(func: wc.Func, store: wasmtime.Store | wasmtime.StoreContext, arguments: Sequence[object]) -> object:
    """The function's result, in the binding's form. Raises WasmtimeError for a trap, StillRunning, and what host
    functions raise."""
    type_ = func.type(store)
    _refuse_ends(type_)
    if not is_async(type_):
        return func(store, *arguments)
    given = (ffi.wasmtime_component_val_t * len(arguments))()
    result = ffi.wasmtime_component_val_t()
    converted = 0
    try:
        for (_, of), argument in zip(type_.params, arguments, strict=True):
            of.convert_to_c(store, argument, ctypes.pointer(given[converted]))
            converted += 1
        _poll(func, store, given, result, 0 if type_.result is None else 1)
        return None if type_.result is None else type_.result.convert_from_c(result)
    finally:
        for value in given[:converted]:
            ffi.wasmtime_component_val_delete(ctypes.byref(value))


def _refuse_ends(type_: wc.FuncType) -> None:
    """The C interface has no values for what is refused here, and ends the process where it meets one."""
    for of in (*(param for _, param in type_.params), *([] if type_.result is None else [type_.result])):
        for part in parts(of):
            if isinstance(part, wc.StreamType | wc.FutureType | wc.ErrorContext):
                raise UsageError(
                    f"the embedded engine's binding cannot pass a {show(part)}",
                    remedy="call it from another component",
                )


def _poll(
    func: wc.Func,
    store: wasmtime.Store | wasmtime.StoreContext,
    given: ctypes.Array[ffi.wasmtime_component_val_t],
    result: ffi.wasmtime_component_val_t,
    results: int,
) -> None:
    """Make the call, and poll it until it is over."""
    error = ctypes.POINTER(ffi.wasmtime_error_t)()
    future = ffi.wasmtime_component_func_call_async(
        ctypes.byref(func._func),
        store._context(),
        given,
        len(given),
        ctypes.byref(result) if results else None,
        results,
        ctypes.byref(error),
    )
    try:
        if not any(ffi.wasmtime_call_future_poll(future) for _ in range(POLLS)):
            raise StillRunning("the call does not end: its tasks yield again and again")
    finally:
        ffi.wasmtime_call_future_delete(future)
    if error:
        failure = wasmtime.WasmtimeError._from_ptr(error)
        _enter.maybe_raise_last_exn()
        raise failure
