"""Core modules under the embedded wasmtime, as `meldpy.core` sees an engine: functions, one memory, imports.

Core values are unsigned integers of their bits. A host function may call back in; what it raises passes through the
guest to whoever called.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol, TypeAlias, final
from weakref import ref

from meldpy.errors import EngineError
from meldpy.model.core import CoreFuncType, NumType

if TYPE_CHECKING:
    import wasmtime

HostFunction: TypeAlias = "Callable[[Sequence[int]], Sequence[int]]"
CoreImports: TypeAlias = "Mapping[tuple[str, str], tuple[CoreFuncType, HostFunction]]"


class CoreTrap(Exception):
    """The guest's code trapped; the text is the engine's."""


class CoreInstance(Protocol):
    """One instance of a core module; `call` raises CoreTrap."""

    def call(self, name: str, args: Sequence[int]) -> list[int]: ...

    def has(self, name: str) -> bool: ...

    def read(self, at: int, size: int) -> bytes: ...

    def write(self, at: int, data: bytes) -> None: ...

    def memory_size(self) -> int: ...


CoreEngine: TypeAlias = "Callable[[bytes, CoreImports], CoreInstance]"
"""Instantiates a module whose imports are all functions."""


def wasmtime_engine(data: bytes, imports: CoreImports) -> CoreInstance:
    """Raises EngineError if the module does not compile or link."""
    return _Wasmtime(data, imports)


_SIZES = {NumType.I32: 4, NumType.I64: 8, NumType.F32: 4, NumType.F64: 8}
_FORMATS = {NumType.I32: "<i", NumType.I64: "<q", NumType.F32: "<f", NumType.F64: "<d"}


def to_number(type: NumType, bits: int) -> int | float:
    """The number that engines' Python bindings want: signed integers, floats."""
    size = _SIZES[type]
    number: int | float = struct.unpack(_FORMATS[type], (bits & (1 << 8 * size) - 1).to_bytes(size, "little"))[0]
    return number


def to_bits(type: NumType, number: int | float) -> int:
    if type in (NumType.I32, NumType.I64):
        return int(number) & ((1 << 8 * _SIZES[type]) - 1)
    return int.from_bytes(struct.pack(_FORMATS[type], number), "little")


@final
class _Wasmtime:
    def __init__(self, data: bytes, imports: CoreImports) -> None:
        import wasmtime

        from meldpy.engine.config import plain_engine
        from meldpy.engine.words import causes_of

        engine = plain_engine()
        self._functions: list[HostFunction] = []
        self._store: wasmtime.Store | wasmtime.Caller = wasmtime.Store(engine)
        try:
            module = wasmtime.Module(engine, data)
        except wasmtime.WasmtimeError as error:
            raise EngineError(
                "the core module does not compile",
                causes=causes_of(error),
                remedy="`meld validate` says what is wrong with it; make it again with `meld fuse --core`",
            ) from error
        given = []
        for import_ in module.imports:
            key = (import_.module, import_.name or "")
            if key not in imports:
                raise EngineError(
                    f"nothing provides the import {' '.join(key)}",
                    remedy="give it a function under that name: `meld docs core`",
                )
            given.append(self._host(*imports[key]))
        try:
            self._instance = wasmtime.Instance(self._store, module, given)
        except (wasmtime.WasmtimeError, wasmtime.Trap) as error:
            raise CoreTrap(str(error)) from error
        exports = self._instance.exports(self._store)
        self._funcs: dict[str, tuple[wasmtime.Func, tuple[NumType, ...], tuple[NumType, ...]]] = {}
        self._memory: wasmtime.Memory | None = None
        for name, item in exports.items():
            if isinstance(item, wasmtime.Func):
                type_ = item.type(self._store)
                self._funcs[name] = (item, _types(type_.params), _types(type_.results))
            elif isinstance(item, wasmtime.Memory):
                self._memory = item

    def _host(self, type: CoreFuncType, function: HostFunction) -> wasmtime.Func:
        """An import. The engine keeps it as long as the store, so it must not keep the store: it finds its function,
        which may know everything, through who called the guest.
        """
        import wasmtime

        number = len(self._functions)
        self._functions.append(function)
        alive = ref(self)
        params, results = [_wasmtime_type(t) for t in type.params], [_wasmtime_type(t) for t in type.results]

        def called(caller: wasmtime.Caller, *args: int | float) -> object:
            this = alive()
            assert this is not None, "who calls a guest holds it"
            before, this._store = this._store, caller
            try:
                bits = this._functions[number](
                    [to_bits(_num(t), arg) for t, arg in zip(type.params, args, strict=True)]
                )
            finally:
                this._store = before
            numbers = [to_number(_num(t), each) for t, each in zip(type.results, bits, strict=True)]
            return numbers[0] if len(numbers) == 1 else numbers or None

        return wasmtime.Func(self._store, wasmtime.FuncType(params, results), called, access_caller=True)

    def has(self, name: str) -> bool:
        return name in self._funcs

    def call(self, name: str, args: Sequence[int]) -> list[int]:
        import wasmtime

        func, params, results = self._funcs[name]
        numbers = [to_number(t, bits) for t, bits in zip(params, args, strict=True)]
        try:
            result = func(self._store, *numbers)
        except (wasmtime.WasmtimeError, wasmtime.Trap) as error:
            raise CoreTrap(str(error)) from error
        found = [] if not results else [result] if len(results) == 1 else list(result)
        return [to_bits(t, each) for t, each in zip(results, found, strict=True)]

    def read(self, at: int, size: int) -> bytes:
        assert self._memory is not None
        return bytes(self._memory.read(self._store, at, at + size))

    def write(self, at: int, data: bytes) -> None:
        assert self._memory is not None
        self._memory.write(self._store, data, at)

    def memory_size(self) -> int:
        return 0 if self._memory is None else self._memory.data_len(self._store)


def _num(type: object) -> NumType:
    assert isinstance(type, NumType), "the Canonical ABI has no other core types"
    return type


def _types(types: Sequence[wasmtime.ValType]) -> tuple[NumType, ...]:
    return tuple(NumType[str(each).upper()] for each in types)


def _wasmtime_type(type: object) -> wasmtime.ValType:
    import wasmtime

    made: wasmtime.ValType = getattr(wasmtime.ValType, _num(type).name.lower())()
    return made
