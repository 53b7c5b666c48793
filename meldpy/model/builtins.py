"""The immediates of async built-ins, evaluated: everything that a canon definition needs to be written again.

As read from bytes they are indices (`canon.OtherBuiltin`); here types are nodes, and memories, tables and functions are
identities. Which kind of immediates a built-in has follows from its opcode (`binary.sections.BUILTIN_IMMEDIATES`), so
whoever wants a special one asks for the kind, and for `BuiltinOp` only where kinds are shared.

Spec: Binary.md "Canonical Definitions"; Explainer.md "Async Built-ins".
"""

from __future__ import annotations

from typing import TypeAlias, final

from meldpy.model.core import CoreValType
from meldpy.model.functions import CanonicalOptions, CoreTypeDefinition
from meldpy.model.ids import MemoryId, TableId
from meldpy.model.valtype import DefinedType, ValType
from meldpy.records import dataclass


@final
@dataclass(frozen=True, slots=True)
class NoImmediates:
    """`task.cancel`, `subtask.drop`, `waitable-set.{new,drop}`, `waitable.join`, `backpressure.*`, …"""


@final
@dataclass(frozen=True, slots=True)
class FlagImmediate:
    """`async?` of `subtask.cancel`, `cancel?` of `thread.{yield,suspend,…}`, `sh?` of `available-parallelism`."""

    value: bool


@final
@dataclass(frozen=True, slots=True)
class ContextSlot:
    """`context.{get,set}`."""

    type: CoreValType
    slot: int


@final
@dataclass(frozen=True, slots=True)
class TaskReturn:
    """`task.return`: the result type that it is for, and the options that it lifts with."""

    result: ValType | None
    options: CanonicalOptions


@final
@dataclass(frozen=True, slots=True)
class EndType:
    """`{stream,future}.{new,drop-readable,drop-writable}`: a stream or future type."""

    type: DefinedType


@final
@dataclass(frozen=True, slots=True)
class Copy:
    """`{stream,future}.{read,write}`."""

    type: DefinedType
    options: CanonicalOptions


@final
@dataclass(frozen=True, slots=True)
class CancelCopy:
    """`{stream,future}.cancel-{read,write}`."""

    type: DefinedType
    async_: bool


@final
@dataclass(frozen=True, slots=True)
class TextOptions:
    """`error-context.{new,debug-message}`."""

    options: CanonicalOptions


@final
@dataclass(frozen=True, slots=True)
class EventPlace:
    """`waitable-set.{wait,poll}`: where the event goes."""

    cancellable: bool
    memory: MemoryId


@final
@dataclass(frozen=True, slots=True)
class ThreadStart:
    """`thread.{new-indirect,spawn-indirect,spawn-ref}`: the start function's type, and the table that it is in (None:
    a reference is handed over). `shared`: of the two spawns."""

    type: CoreTypeDefinition
    table: TableId | None
    shared: bool = False


Immediates: TypeAlias = (
    "NoImmediates | FlagImmediate | ContextSlot | TaskReturn | EndType | Copy | CancelCopy | TextOptions | EventPlace"
    " | ThreadStart"
)
