"""Host functions as the engine calls them. Nothing that happens in one may unwind through the engine.

Whatever a function raises, down to SystemExit, is kept by the guest that called it and ends that guest's call with an
error. A function that wants to tell the guest of a failure returns it as a value of its type.

A linker is an artefact's, not a guest's: it costs more memory and time than everything else of an instance. So what it
defines is the place of a function, and whose function it is says the store that the engine calls it for.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Mapping
from itertools import count
from typing import Any, Protocol, TypeAlias, final
from weakref import WeakValueDictionary

import wasmtime
from wasmtime import _ffi as ffi
from wasmtime import component as wc

from meldpy.engine.guests.memory import VAL, Given
from meldpy.engine.guests.signatures import Signature

HostFunction: TypeAlias = "Callable[..., Any]"
"""Gets the parameters' values, returns the result's; see `values`."""
HostWorld: TypeAlias = "Mapping[str, Mapping[str, HostFunction]]"
"""Interface name -> function name -> function."""


Imports: TypeAlias = "Mapping[str, Mapping[str, Signature]]"
"""Interface name -> function name -> signature, of what a component imports."""


class Caller(Protocol):
    """The guest whose call reaches a host function."""

    @property
    def functions(self) -> tuple[HostFunction, ...]:
        """Its host functions, as `chosen` has them."""

    def host_call(self, run: Callable[[], None]) -> BaseException | None:
        """Run a host function; what it raised, if it did. The time it takes is not the guest's."""


def chosen(world: HostWorld, imports: Imports) -> tuple[HostFunction, ...]:
    """The functions of `world` that are imported, in the order of `imports`. KeyError if it lacks one."""
    return tuple(world[interface][name] for interface, functions in imports.items() for name in functions)


@final
class _Defined:
    """What a linker defines: the place in `chosen`, and the signature."""

    __slots__ = ("index", "signature")

    def __init__(self, index: int, signature: Signature) -> None:
        self.index, self.signature = index, signature


_defined: dict[int, _Defined] = {}
_numbers = count(1)
_callers: WeakValueDictionary[int, Caller] = WeakValueDictionary()
"""By the address of their store's context, which the engine keeps for a store's life."""


def define(linker: wc.Linker, imports: Imports) -> None:
    """Define every function of `imports`, for any guest that has them. They live as long as the linker and what was
    instantiated by it."""
    indices = count()
    with linker.root() as root:
        for interface, functions in imports.items():
            with root.add_instance(interface) as instance:
                for name, signature in functions.items():
                    _add(instance, name, _Defined(next(indices), signature))


def attach(store: wasmtime.Store, caller: Caller) -> None:
    """From now on what runs in `store` calls the functions of `caller`."""
    _callers[_address(store._context())] = caller


def _add(instance: wc.LinkerInstance, name: str, defined: _Defined) -> None:
    number = next(_numbers)
    _defined[number] = defined
    encoded = name.encode()
    error = ffi.wasmtime_component_linker_instance_add_func(
        instance.ptr(), ctypes.create_string_buffer(encoded), len(encoded), _CALL, number, _FORGET
    )
    if error:
        raise wasmtime.WasmtimeError._from_ptr(error)


def _address(pointer: Any) -> int:
    return ctypes.cast(pointer, ctypes.c_void_p).value or 0


def error_address(text: str) -> int:
    """The address of a new error of the engine's, which owns it."""
    encoded = text.encode().replace(b"\0", b"")
    made = ffi.wasmtime_error_new(ctypes.create_string_buffer(encoded))
    return _address(made)


def _call(number: int, context: object, _type: object, arguments: Any, _count: int, results: Any, _results: int) -> int:
    defined, caller = _defined[number], _callers.get(_address(context))
    if caller is None:
        return error_address("the store of a call is no guest's")

    def run() -> None:
        signature = defined.signature
        result = caller.functions[defined.index](*signature.read(_address(arguments)))
        if signature.result is None:
            return
        block = bytearray(VAL)
        signature.result.write(block, 0, result, Given())
        ctypes.memmove(results, bytes(block), VAL)

    raised = caller.host_call(run)
    return 0 if raised is None else error_address(f"{type(raised).__name__} in a host function")


def _forget(number: int) -> None:
    if _defined is not None:  # a linker may go when the interpreter has taken this module apart
        _defined.pop(number, None)


_CALL = ffi.wasmtime_component_func_callback_t(_call)
_FORGET = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(_forget)
