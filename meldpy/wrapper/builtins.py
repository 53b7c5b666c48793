"""Built-ins of async, threads and error-context as canonical definitions again: evaluated immediates back to indices.

The other direction is `resolver.builtins`. Spec: Binary.md "Canonical Definitions".
"""

from __future__ import annotations

from typing import Protocol, assert_never

from meldpy.model.builtins import (
    CancelCopy,
    ContextSlot,
    Copy,
    EndType,
    EventPlace,
    FlagImmediate,
    Immediates,
    NoImmediates,
    TaskReturn,
    TextOptions,
    ThreadStart,
)
from meldpy.model.canon import BuiltinOp, CanonOpt, Immediate, OtherBuiltin, ResultList
from meldpy.model.functions import CoreTypeDefinition
from meldpy.model.ids import TypeIndex
from meldpy.model.linked import AsyncBuiltin, CanonicalOptions, CoreItem
from meldpy.model.valtype import DefinedType, ValType, ValTypeRef


class Indices(Protocol):
    """Where the component that is written has what immediates name."""

    def core(self, item: CoreItem) -> int: ...

    def options(self, options: CanonicalOptions) -> tuple[CanonOpt, ...]: ...

    def type(self, node: DefinedType) -> TypeIndex: ...

    def value(self, type: ValType) -> ValTypeRef: ...

    def core_type(self, definition: CoreTypeDefinition) -> int: ...


def async_builtin(builtin: AsyncBuiltin, indices: Indices) -> OtherBuiltin:
    """The canonical definition of a built-in."""
    return OtherBuiltin(builtin.op, written_immediates(builtin.op, builtin.immediates, indices))


def written_immediates(op: BuiltinOp, immediates: Immediates, indices: Indices) -> tuple[Immediate, ...]:
    """The immediates of a built-in, as they are written."""
    match immediates:
        case NoImmediates():
            return ()
        case FlagImmediate(value):
            return (value,)
        case ContextSlot(type_, slot):
            return (type_, slot)
        case TaskReturn(result, options):
            return (ResultList(None if result is None else indices.value(result)), indices.options(options))
        case EndType(type_):
            return (indices.type(type_),)
        case Copy(type_, options):
            return (indices.type(type_), indices.options(options))
        case CancelCopy(type_, async_):
            return (indices.type(type_), async_)
        case TextOptions(options):
            return (indices.options(options),)
        case EventPlace(cancellable, memory):
            return (cancellable, indices.core(memory))
        case ThreadStart(start, table, shared):
            type_index = indices.core_type(start)
            if table is None:
                return (shared, type_index)
            place = (type_index, indices.core(table))
            return place if op is BuiltinOp.THREAD_NEW_INDIRECT else (shared, *place)
        case _:
            assert_never(immediates)
