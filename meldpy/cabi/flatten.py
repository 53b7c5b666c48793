"""Flat core types of values and functions. Spec: CanonicalABI.md "Flattening".

Flattening stops as soon as the limit is passed: a value with more than `MAX_FLAT_PARAMS` core values never travels
flat, so how many more it has does not matter, and a record of 10,000 fields or a DAG with 2^30 leaves costs nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum, unique
from typing import TypeAlias, assert_never, final

from meldpy.cabi.despecialize import Shapes
from meldpy.model.core import CoreFuncType, NumType
from meldpy.model.extern import FuncType
from meldpy.model.valtype import (
    BorrowType,
    Case,
    DefinedType,
    FlagsType,
    FutureType,
    ListType,
    OwnType,
    PrimValType,
    RecordType,
    StreamType,
    ValType,
    VariantType,
)
from meldpy.records import dataclass

MAX_FLAT_PARAMS = 16
MAX_FLAT_ASYNC_PARAMS = 4
MAX_FLAT_RESULTS = 1

FlatTypes: TypeAlias = "tuple[NumType, ...]"

_SCALARS = {
    PrimValType.S64: NumType.I64,
    PrimValType.U64: NumType.I64,
    PrimValType.F32: NumType.F32,
    PrimValType.F64: NumType.F64,
}
"""Primitives that flatten to something other than i32 (strings apart)."""


@unique
class Context(Enum):
    """Which canonical definition a function type is flattened for."""

    LIFT = "lift"
    LOWER = "lower"
    CALLBACK_LIFT = "async lift with a callback"
    STACKFUL_LIFT = "async lift without one"
    ASYNC_LOWER = "async lower"


def join(a: NumType, b: NumType) -> NumType:
    """The core type that can hold both. Spec: `join`."""
    if a is b:
        return a
    if {a, b} == {NumType.I32, NumType.F32}:
        return NumType.I32
    return NumType.I64


@final
@dataclass(frozen=True, slots=True)
class FlatFunc:
    """A function type, flattened for one context.

    params, result: the flat values, or None where they spill into memory. core: the core function's type. An async
    lift's result is what it hands to `task.return`, an async lower's is always in memory; what their core functions
    return is a word on how the task stands.
    """

    params: FlatTypes | None
    result: FlatTypes | None
    core: CoreFuncType


@final
class Flattener:
    """Flat types for one pointer width."""

    def __init__(self, shapes: Shapes, memory64: bool) -> None:
        self._shapes = shapes
        self.pointer = NumType.I64 if memory64 else NumType.I32
        self._memo: dict[DefinedType, FlatTypes | None] = {}

    def flat(self, type: ValType) -> FlatTypes | None:
        """The core types of a value, or None if there are more than MAX_FLAT_PARAMS."""
        if isinstance(type, PrimValType):
            return self._primitive(type)
        if type not in self._memo:
            self._memo[type] = self._compute(type)
        return self._memo[type]

    def flats(self, types: Iterable[ValType], limit: int = MAX_FLAT_PARAMS) -> FlatTypes | None:
        """The core types of several values in a row, or None if there are more than `limit` (or MAX_FLAT_PARAMS)."""
        out: list[NumType] = []
        for type in types:
            flat = self.flat(type)
            if flat is None or len(out) + len(flat) > limit:
                return None
            out += flat
        return tuple(out)

    def func(self, type: FuncType, context: Context) -> FlatFunc:
        """`flatten_functype`."""
        types = [param for _, param in type.params]
        match context:
            case Context.LIFT | Context.LOWER:
                return self._sync(type, context)
            case Context.CALLBACK_LIFT | Context.STACKFUL_LIFT:
                params = self.flats(types)
                core_results = (NumType.I32,) if context is Context.CALLBACK_LIFT else ()
                core = CoreFuncType(self._or_pointer(params), core_results)
                return FlatFunc(params, self.returned(type.result).params, core)
            case Context.ASYNC_LOWER:
                params = self.flats(types, MAX_FLAT_ASYNC_PARAMS)
                out = () if self._is_nothing(type.result) else (self.pointer,)
                core = CoreFuncType((*self._or_pointer(params), *out), (NumType.I32,))
                return FlatFunc(params, None if out else (), core)
            case other:
                assert_never(other)

    def returned(self, result: ValType | None) -> FlatFunc:
        """What `task.return` takes for a function with this result: as its parameters, or a pointer to them."""
        params: FlatTypes | None = () if result is None else self.flat(result)
        return FlatFunc(params, (), CoreFuncType(self._or_pointer(params), ()))

    # --- inside -----------------------------------------------------------------------------------------------
    def _or_pointer(self, flats: FlatTypes | None) -> FlatTypes:
        return (self.pointer,) if flats is None else flats

    def _is_nothing(self, result: ValType | None) -> bool:
        """Whether a result has no flat values at all."""
        return result is None or self.flat(result) == ()

    def _sync(self, type: FuncType, context: Context) -> FlatFunc:
        params = self.flats(param for _, param in type.params)
        result: FlatTypes | None = () if type.result is None else self.flat(type.result)
        if result is not None and len(result) > MAX_FLAT_RESULTS:
            result = None
        core_params, core_results = self._or_pointer(params), result
        if core_results is None:
            if context is Context.LIFT:
                core_results = (self.pointer,)
            else:
                core_params, core_results = (*core_params, self.pointer), ()
        return FlatFunc(params, result, CoreFuncType(core_params, core_results))

    def _primitive(self, type: PrimValType) -> FlatTypes:
        if type is PrimValType.STRING:
            return (self.pointer, self.pointer)
        return (_SCALARS.get(type, NumType.I32),)

    def _compute(self, type: DefinedType) -> FlatTypes | None:
        match self._shapes.shape(type):
            case PrimValType() as primitive:
                return self._primitive(primitive)
            case ListType(element, length):
                return (self.pointer, self.pointer) if length is None else self._repeat(element, length)
            case RecordType(fields):
                return self.flats(field.type for field in fields)
            case VariantType(cases):
                return self._variant(cases)
            case FlagsType() | OwnType() | BorrowType() | StreamType() | FutureType():
                return (NumType.I32,)
            case other:
                assert_never(other)

    def _repeat(self, element: ValType, length: int) -> FlatTypes | None:
        flat = self.flat(element)
        if flat is None or len(flat) * length > MAX_FLAT_PARAMS:
            return None
        return flat * length

    def _variant(self, cases: Iterable[Case[ValType]]) -> FlatTypes | None:
        joined: list[NumType] = []
        for case in cases:
            if case.type is None:
                continue
            flat = self.flat(case.type)
            if flat is None or len(flat) >= MAX_FLAT_PARAMS:
                return None
            for index, core_type in enumerate(flat):
                if index < len(joined):
                    joined[index] = join(joined[index], core_type)
                else:
                    joined.append(core_type)
        return (NumType.I32, *joined)
