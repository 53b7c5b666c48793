"""Functions by where they come from, and the canonical options that name them.

What is lifted, lowered and called in a linked graph (`linked`) is one of these, and so are the functions that the
immediates of built-ins name (`builtins`).

Spec: Explainer.md "Canonical ABI"; Binary.md "Canonical Definitions" (canonopt).
"""

from __future__ import annotations

from typing import TypeAlias, final

from meldpy.model.canon import StringEncoding
from meldpy.model.core import CoreFuncType, RecGroup
from meldpy.model.ids import BuiltinId, FuncId, GlobalId, ImportFuncId, LiftId, LowerId, MemoryId, TableId, TagId
from meldpy.records import dataclass


@final
@dataclass(frozen=True, slots=True)
class LowerFunc:
    """The core function that a `canon lower` makes."""

    lower: LowerId


@final
@dataclass(frozen=True, slots=True)
class BuiltinFunc:
    """The core function that a canon built-in makes."""

    builtin: BuiltinId


CoreFunc: TypeAlias = "FuncId | LowerFunc | BuiltinFunc"
"""Any core function: defined by a core module, or made by a canonical definition."""

CoreItem: TypeAlias = "CoreFunc | TableId | MemoryId | GlobalId | TagId"
"""Whatever a core import can be bound to."""


@final
@dataclass(frozen=True, slots=True)
class LiftFunc:
    """The component function that a `canon lift` makes."""

    lift: LiftId


@final
@dataclass(frozen=True, slots=True)
class ImportFunc:
    """A component function that the outer component imports."""

    func: ImportFuncId


ComponentFunc: TypeAlias = "LiftFunc | ImportFunc"


# --- canonical options --------------------------------------------------------------------------------------
@final
@dataclass(frozen=True, slots=True)
class CanonicalOptions:
    """`memory64`: the memory's address type is i64 (False without a memory). `gc`, `core_type`: values are references,
    and the core function has that type."""

    string_encoding: StringEncoding = StringEncoding.UTF8
    memory: MemoryId | None = None
    memory64: bool = False
    realloc: CoreFunc | None = None
    post_return: CoreFunc | None = None
    async_: bool = False
    callback: CoreFunc | None = None
    gc: bool = False
    core_type: CoreTypeDefinition | None = None


@final
@dataclass(frozen=True, slots=True)
class CoreTypeDefinition:
    """A core type apart from the component that wrote it: member `index` of the space that `groups` fill."""

    groups: tuple[RecGroup, ...]
    index: int

    @property
    def func(self) -> CoreFuncType | None:
        """The function type that it is, if it is one."""
        members = [member for group in self.groups for member in group.types]
        comp = members[self.index].comp
        return comp if isinstance(comp, CoreFuncType) else None
