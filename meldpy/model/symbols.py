"""Functions and other items of the merged module by symbol, and the references to them in emitted bodies.

They become indices when `merge` lays the module out. What is emitted with them is in `code`.
"""

from __future__ import annotations

from typing import TypeAlias, final

from meldpy.model.builtins import Immediates
from meldpy.model.canon import BuiltinOp, StringEncoding
from meldpy.model.core import CoreFuncType
from meldpy.model.ids import EmittedId, FlagId, FuncId, GlobalId, LowerId, MemoryId, ResourceId, TableId, TagId
from meldpy.model.linked import ResourceOp
from meldpy.model.valtype import ValType
from meldpy.records import dataclass


# --- functions by symbol ------------------------------------------------------------------------------------
@final
@dataclass(frozen=True, slots=True)
class EmittedFunc:
    """A function that we emit."""

    emitted: EmittedId


@final
@dataclass(frozen=True, slots=True)
class OuterLowerFunc:
    """The core import of the main module that the outer component satisfies with `canon lower` of a host function."""

    lower: LowerId


@final
@dataclass(frozen=True, slots=True)
class OuterBuiltinFunc:
    """The core import of the main module that the outer component satisfies with `canon resource.<op> resource`."""

    op: ResourceOp
    resource: ResourceId


@final
@dataclass(frozen=True, slots=True)
class OuterAsyncFunc:
    """The core import of the main module that the outer component satisfies with an async built-in.

    type: the result of `task.return`, the stream or future type of an end, where there is one. encoding, memory: its
    options, which lie in carriers. async_: its `async` option or flag. immediates: all that a guest's own definition
    says, in place of `type`, `encoding` and `async_`; realloc: its allocator.
    """

    op: BuiltinOp
    core_type: CoreFuncType
    type: ValType | None = None
    encoding: StringEncoding = StringEncoding.UTF8
    memory: MemoryId | None = None
    async_: bool = False
    immediates: Immediates | None = None
    realloc: FuncSymbol | None = None


FuncSymbol: TypeAlias = "FuncId | EmittedFunc | OuterLowerFunc | OuterBuiltinFunc | OuterAsyncFunc"
"""Any function of the merged module. A FuncId may also be a function of a runtime instance."""


# --- references in emitted bodies ---------------------------------------------------------------------------
@final
@dataclass(frozen=True, slots=True)
class FuncRef:
    """A function index (u32 LEB): behind call, return_call, ref.func."""

    func: FuncSymbol


@final
@dataclass(frozen=True, slots=True)
class MemArg:
    """A memarg for `memory`: alignment exponent (with bit 6 and the index unless the index is 0), then offset (LEB)."""

    memory: MemoryId
    align_log2: int
    offset: int


@final
@dataclass(frozen=True, slots=True)
class MemoryRef:
    """A memory index (u32 LEB): behind memory.size, memory.grow, memory.copy (destination, source), memory.fill."""

    memory: MemoryId


@final
@dataclass(frozen=True, slots=True)
class GlobalRef:
    """A global index (u32 LEB): a flag of ours, or a guest's global."""

    target: GlobalSymbol


GlobalSymbol: TypeAlias = "GlobalId | FlagRef"


@final
@dataclass(frozen=True, slots=True)
class FlagRef:
    flag: FlagId


@final
@dataclass(frozen=True, slots=True)
class TypeRef:
    """A type index (LEB, also valid as an s33 block type) for a function type."""

    type: CoreFuncType


@final
@dataclass(frozen=True, slots=True)
class TableRef:
    table: TableId


@final
@dataclass(frozen=True, slots=True)
class TagRef:
    tag: TagId


Chunk: TypeAlias = "bytes | FuncRef | MemArg | MemoryRef | GlobalRef | TypeRef | TableRef | TagRef"
