"""Handles of guests' resources that the host was given: remembered, so that they are dropped with the guest."""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import final

import wasmtime
from wasmtime import _ffi as ffi

_ANY = ctypes.POINTER(ffi.wasmtime_component_resource_any_t)
_arriving = threading.local()


@final
class Handle:
    """A handle that the host holds. It is an argument of calls of the guest that gave it, and of no other's."""

    def __init__(self, address: int) -> None:
        self._any = ffi.wasmtime_component_resource_any_clone(ctypes.cast(address, _ANY))
        self.owned = bool(ffi.wasmtime_component_resource_any_owned(self._any))

    @property
    def address(self) -> int:
        return ctypes.cast(self._any, ctypes.c_void_p).value or 0

    def drop(self, store: wasmtime.Store) -> bool:
        """Run the destructor. False if it did not return: the guest is dead."""
        error = ffi.wasmtime_component_resource_any_drop(store._context(), self._any)
        if error:
            wasmtime.WasmtimeError._from_ptr(error)
        return not error

    def free(self) -> None:
        ffi.wasmtime_component_resource_any_delete(self._any)


@contextmanager
def arriving(into: list[Handle]) -> Iterator[None]:
    """Handles that are read meanwhile, on this thread, go into the table `into`."""
    _arriving.table = into
    try:
        yield
    finally:
        _arriving.table = None


def arrive(address: int) -> Handle:
    """The handle at `address`, entered into the table that is waiting for it."""
    handle = Handle(address)
    table = getattr(_arriving, "table", None)
    if table is not None:
        table.append(handle)
    return handle
