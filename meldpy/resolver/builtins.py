"""The immediates of built-ins of async, threads and error-context, evaluated.

Which immediates go with which opcode was settled when they were read (`binary`), so a shape that is not listed here is
a defect of ours; what they name is checked like every other index. Spec: Binary.md "Canonical Definitions".
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from meldpy.errors import DecodeError
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
from meldpy.model.canon import BuiltinOp, CanonOpt, OtherBuiltin, ResultList
from meldpy.model.core import CoreFuncType, NumType, RefType
from meldpy.model.functions import CoreTypeDefinition
from meldpy.model.linked import CanonicalOptions
from meldpy.model.valtype import DefinedType, FutureType, StreamType
from meldpy.resolver.coretypes import definition_of, rec_member
from meldpy.resolver.types import TypeEvaluator
from meldpy.resolver.values import ComponentScope

ReadOptions: TypeAlias = "Callable[[tuple[CanonOpt, ...]], CanonicalOptions]"


def evaluate_immediates(
    canon: OtherBuiltin, scope: ComponentScope, types: TypeEvaluator, options: ReadOptions
) -> Immediates:
    """What the immediates of `canon` mean. DecodeError if an index means nothing, or something of another sort."""
    match canon.immediates:
        case ():
            return NoImmediates()
        case (bool() as flag,):
            return FlagImmediate(flag)
        case (int() as index,):
            return EndType(_end_type(index, scope))
        case (tuple() as opts,):
            return TextOptions(options(opts))
        case (ResultList(result), tuple() as opts):
            return TaskReturn(None if result is None else types.value(result, scope), options(opts))
        case (NumType() | RefType() as core_type, int() as slot):
            return ContextSlot(core_type, slot)
        case (int() as index, bool() as flag):
            return CancelCopy(_end_type(index, scope), flag)
        case (int() as index, tuple() as opts):
            return Copy(_end_type(index, scope), options(opts))
        case (bool() as flag, int() as index) if canon.op in _EVENTS:
            return EventPlace(flag, scope.core_memories.get(index))
        case (bool() as flag, int() as index):
            return ThreadStart(_start_type(index, scope), None, flag)
        case (int() as index, int() as table):
            return ThreadStart(_start_type(index, scope), scope.core_tables.get(table))
        case (bool() as flag, int() as index, int() as table):
            return ThreadStart(_start_type(index, scope), scope.core_tables.get(table), flag)
        case other:
            raise AssertionError(f"{canon.op.value[1]} was read with immediates {other}")


_EVENTS = (BuiltinOp.WAITABLE_SET_WAIT, BuiltinOp.WAITABLE_SET_POLL)


def _end_type(index: int, scope: ComponentScope) -> DefinedType:
    found = scope.types.get(index)
    if not isinstance(found, DefinedType) or not isinstance(found.definition, StreamType | FutureType):
        raise DecodeError(f"type {index} is not a stream or future type")
    return found


def _start_type(index: int, scope: ComponentScope) -> CoreTypeDefinition:
    definition = definition_of(rec_member(scope.core_types.get(index)))
    if not isinstance(definition.func, CoreFuncType):
        raise DecodeError(f"core type {index} is not a function type")
    return definition
