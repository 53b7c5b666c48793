"""Host functions as the engine calls them. Nothing that happens in one may unwind through the engine.

Whatever a function raises, down to SystemExit, is kept by the guest that called it and ends that guest's call with an
error. A function that wants to tell the guest of a failure returns it as a value of its type.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping
from itertools import count
from typing import Any, Protocol, TypeAlias, final

import wasmtime
from wasmtime import _ffi as ffi
from wasmtime import component as wc

from meldpy.engine.guests.memory import VAL, Given
from meldpy.engine.guests.signatures import Signature

HostFunction: TypeAlias = "Callable[..., Any]"
"""Gets the parameters' values, returns the result's; see `values`."""
HostWorld: TypeAlias = "Mapping[str, Mapping[str, HostFunction]]"
"""Interface name -> function name -> function."""


class Caller(Protocol):
    """The guest whose call reaches a host function."""

    def host_call(self, run: Callable[[], None]) -> BaseException | None:
        """Run a host function; what it raised, if it did. The time it takes is not the guest's."""


@final
class _Bound:
    """One function of one guest."""

    __slots__ = ("caller", "function", "signature")

    def __init__(self, caller: Caller, function: HostFunction, signature: Signature) -> None:
        self.caller, self.function, self.signature = caller, function, signature


_bound: dict[int, _Bound] = {}
_numbers = count(1)


def define(
    linker: wc.Linker, caller: Caller, world: HostWorld, signatures: Mapping[str, Mapping[str, Signature]]
) -> None:
    """Define every function of `world` that the component imports (`signatures`). They live as long as the store."""
    with linker.root() as root:
        for interface, functions in signatures.items():
            with root.add_instance(interface) as instance:
                for name, signature in functions.items():
                    _add(instance, name, _Bound(caller, world[interface][name], signature))


def _add(instance: wc.LinkerInstance, name: str, bound: _Bound) -> None:
    number = next(_numbers)
    _bound[number] = bound
    encoded = name.encode()
    error = ffi.wasmtime_component_linker_instance_add_func(
        instance.ptr(), ctypes.create_string_buffer(encoded), len(encoded), _CALL, number, _FORGET
    )
    if error:
        raise wasmtime.WasmtimeError._from_ptr(error)


def error_address(text: str) -> int:
    """The address of a new error of the engine's, which owns it."""
    encoded = text.encode().replace(b"\0", b"")
    made = ffi.wasmtime_error_new(ctypes.create_string_buffer(encoded))
    return ctypes.cast(made, ctypes.c_void_p).value or 0


def _call(
    number: int, _context: object, _type: object, arguments: Any, _count: int, results: Any, _results: int
) -> int:
    bound = _bound[number]

    def run() -> None:
        signature = bound.signature
        values = signature.read(ctypes.cast(arguments, ctypes.c_void_p).value or 0)
        result = bound.function(*values)
        if signature.result is None:
            return
        block = bytearray(VAL)
        signature.result.write(block, 0, result, Given())
        ctypes.memmove(results, bytes(block), VAL)

    raised = bound.caller.host_call(run)
    return 0 if raised is None else error_address(f"{type(raised).__name__} in a host function")


def _forget(number: int) -> None:
    if _bound is not None:  # a store may go when the interpreter has taken this module apart
        _bound.pop(number, None)


_CALL = ffi.wasmtime_component_func_callback_t(_call)
_FORGET = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(_forget)
