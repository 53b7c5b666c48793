"""Indices and identities, kept apart by the type checker.

An *index* is a position in one index space of one module or component, as bytes have it; it means nothing
elsewhere. An *id* is an identity that `resolve` mints: it holds for the whole link, and has no order.
"""

from __future__ import annotations

from typing import NewType, final

from meldpy.records import dataclass

# --- positions in one core module, or in the core index spaces of one component ----------------------------
CoreTypeIndex = NewType("CoreTypeIndex", int)
CoreFuncIndex = NewType("CoreFuncIndex", int)
CoreTableIndex = NewType("CoreTableIndex", int)
CoreMemoryIndex = NewType("CoreMemoryIndex", int)
CoreGlobalIndex = NewType("CoreGlobalIndex", int)
CoreTagIndex = NewType("CoreTagIndex", int)
CoreElemIndex = NewType("CoreElemIndex", int)
CoreDataIndex = NewType("CoreDataIndex", int)
CoreModuleIndex = NewType("CoreModuleIndex", int)
CoreInstanceIndex = NewType("CoreInstanceIndex", int)

# --- positions in the index spaces of one component ---------------------------------------------------------
TypeIndex = NewType("TypeIndex", int)
FuncIndex = NewType("FuncIndex", int)
ValueIndex = NewType("ValueIndex", int)
ComponentIndex = NewType("ComponentIndex", int)
InstanceIndex = NewType("InstanceIndex", int)

# --- identities, minted by resolve --------------------------------------------------------------------------
ModuleId = NewType("ModuleId", int)
"""A core module definition: position in LinkedGraph.modules (decoded once, however often instantiated)."""
CoreInstanceId = NewType("CoreInstanceId", int)
"""One instantiation of a core module: position in LinkedGraph.core_instances, which is instantiation order."""
InstanceId = NewType("InstanceId", int)
"""One component instance: position in LinkedGraph.instances."""
ResourceId = NewType("ResourceId", int)
"""One resource type, minted once per instantiation of its definer: position in LinkedGraph.resources."""
LiftId = NewType("LiftId", int)
"""One evaluated `canon lift`: position in LinkedGraph.lifts."""
LowerId = NewType("LowerId", int)
"""One evaluated `canon lower`: position in LinkedGraph.lowers."""
BuiltinId = NewType("BuiltinId", int)
"""One evaluated canon built-in (resource.new, …): position in LinkedGraph.builtins."""
ImportFuncId = NewType("ImportFuncId", int)
"""One function the outer component imports (directly or inside an imported instance)."""
EmittedId = NewType("EmittedId", int)
"""One function that we emit: position in Adapted.functions."""
FlagId = NewType("FlagId", int)
"""One mutable i32 global that we emit (a may_leave, a forget flag): position in Adapted.flags."""


@final
@dataclass(frozen=True, slots=True)
class FuncId:
    """A function that the module of `instance` defines; `index` is its position in that module's function space."""

    instance: CoreInstanceId
    index: CoreFuncIndex


@final
@dataclass(frozen=True, slots=True)
class TableId:
    """A table that the module of `instance` defines; `index` counts imports, as in the module."""

    instance: CoreInstanceId
    index: CoreTableIndex


@final
@dataclass(frozen=True, slots=True)
class MemoryId:
    """A memory that the module of `instance` defines; `index` counts imports, as in the module."""

    instance: CoreInstanceId
    index: CoreMemoryIndex


@final
@dataclass(frozen=True, slots=True)
class GlobalId:
    """A global that the module of `instance` defines; `index` counts imports, as in the module."""

    instance: CoreInstanceId
    index: CoreGlobalIndex


@final
@dataclass(frozen=True, slots=True)
class TagId:
    """A tag that the module of `instance` defines; `index` counts imports, as in the module."""

    instance: CoreInstanceId
    index: CoreTagIndex
