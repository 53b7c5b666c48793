"""What a definition evaluates to at link time: the values that index spaces hold and that instantiation passes around.

A component is a closure (its definition and the scope around it), an instance is an ordered record of named items,
a function is a lift or an outer import. None of these outlive `resolve`; what does is in `model.linked`.
Spec: Explainer.md "Component Definitions", "Instance Definitions".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias, final

from meldpy.errors import DecodeError, LimitError
from meldpy.model.component import Component
from meldpy.model.core import CoreExport, CoreModule, CoreSort
from meldpy.model.extern import ComponentType, CoreModuleType, ExternName, FuncType, TypeNode
from meldpy.model.ids import (
    CoreFuncIndex,
    CoreGlobalIndex,
    CoreInstanceId,
    CoreMemoryIndex,
    CoreTableIndex,
    CoreTagIndex,
    FuncId,
    GlobalId,
    MemoryId,
    ModuleId,
    TableId,
    TagId,
)
from meldpy.model.linked import ComponentFunc, CoreItem
from meldpy.records import dataclass, field

if TYPE_CHECKING:
    from meldpy.resolver.scope import ComponentScope, Place

MAX_DEPTH = 100
"""How deep instances, types and declarator lists may nest (the engines' limit for types)."""
MAX_ITEMS = 50_000
"""Items in one instance, those of instances inside it included, each as often as it can be named. More are allowed
where the cap on definitions is raised."""
ITEMS_SHARE = 4
"""Definitions that allow one item."""


@final
@dataclass(frozen=True, slots=True, eq=False)
class FuncValue:
    """A component function as some scope sees it: `type` names types as that scope knows them."""

    func: ComponentFunc
    type: FuncType


@final
@dataclass(frozen=True, slots=True, eq=False)
class TypeValue:
    """A type as an instance exports it. `bound_resource`: the export was ascribed `(sub resource)`."""

    type: TypeNode
    bound_resource: bool = False


@final
@dataclass(frozen=True, slots=True, eq=False)
class ComponentValue:
    """A component closure.

    views: the component types it was bound to on its way, oldest first; each hides the exports it does not declare.
    unknown: (import number, export path) if it is one that an input imports, looked at alone. Its definition is empty,
    and the first of its views is all that is known.
    """

    definition: Component
    scope: ComponentScope | None
    place: Place
    views: tuple[ComponentType, ...] = ()
    unknown: tuple[int, tuple[str, ...]] | None = None


@final
@dataclass(frozen=True, slots=True)
class ModuleValue:
    """A core module. `type`: what it was declared as on its way, None if it is seen as it is."""

    module: ModuleId
    type: CoreModuleType | None = None


@final
@dataclass(frozen=True, slots=True, eq=False)
class InstanceValue:
    """A component instance: its visible exports, in order.

    imported: (import number, export path) if it is an instance that the outer component imports, seen whole.
    hidden: functions that the type it was exported with does not declare; nothing can name them any more.
    """

    exports: Mapping[str, NamedItem]
    imported: tuple[int, tuple[str, ...]] | None = None
    depth: int = 1
    items: int = 1
    hidden: tuple[tuple[ExternName, FuncValue], ...] = ()


Item: TypeAlias = "FuncValue | TypeValue | ComponentValue | ModuleValue | InstanceValue"
"""Whatever a component can import or export."""

NamedItem: TypeAlias = "tuple[ExternName, Item]"


def instance_value(
    exports: Mapping[str, NamedItem], imported: tuple[int, tuple[str, ...]] | None = None, most: int = MAX_ITEMS
) -> InstanceValue:
    """An instance of these exports. LimitError if instances nest deeper than MAX_DEPTH, or hold more than `most`."""
    inner = [item for _, item in exports.values() if isinstance(item, InstanceValue)]
    depth = 1 + max((item.depth for item in inner), default=0)
    items = 1 + len(exports) + sum(item.items for item in inner)
    if depth > MAX_DEPTH:
        raise LimitError(f"instances are nested more than {MAX_DEPTH} deep", remedy="flatten the nesting of instances")
    if items > most + len(exports):
        raise LimitError(
            f"an instance holds more than {most} items, counting those of instances inside it wherever they are",
            remedy=f"export each instance once, or raise the cap with --max-definitions, to {ITEMS_SHARE} for an item",
        )
    return InstanceValue(exports, imported, depth, items)


def kind_of(item: Item) -> str:
    """The sort's name, for messages."""
    match item:
        case FuncValue():
            return "func"
        case TypeValue():
            return "type"
        case ComponentValue():
            return "component"
        case ModuleValue():
            return "core module"
        case InstanceValue():
            return "instance"


# --- core instances -----------------------------------------------------------------------------------------
@final
@dataclass(frozen=True, slots=True)
class ModuleInfo:
    """What instantiation needs to know of a module: found once, however often it is instantiated.

    imported[sort]: for each imported item of the sort, in index order, its position among `module.imports`.
    defined[sort]: how many items of the sort the module defines itself.
    """

    module: CoreModule
    imported: Mapping[CoreSort, Sequence[int]]
    defined: Mapping[CoreSort, int]
    exports: Mapping[str, CoreExport]


@final
@dataclass(frozen=True, slots=True, eq=False)
class CoreModuleInstance:
    """An instantiated core module; its exports are looked up when asked for."""

    id: CoreInstanceId
    info: ModuleInfo
    args: tuple[CoreItem, ...]

    def export(self, name: str) -> CoreItem | None:
        found = self.info.exports.get(name)
        return None if found is None else self.item(found.sort, found.index)

    def item(self, sort: CoreSort, index: int) -> CoreItem:
        """What stands at `index` of the module's space of `sort`; an import is what it is bound to."""
        imported = self.info.imported[sort]
        if index < len(imported):
            return self.args[imported[index]]
        if index >= len(imported) + self.info.defined[sort]:
            raise DecodeError(f"the core module exports {sort.name.lower()} {index}, which does not exist")
        match sort:
            case CoreSort.FUNC:
                return FuncId(self.id, CoreFuncIndex(index))
            case CoreSort.TABLE:
                return TableId(self.id, CoreTableIndex(index))
            case CoreSort.MEMORY:
                return MemoryId(self.id, CoreMemoryIndex(index))
            case CoreSort.GLOBAL:
                return GlobalId(self.id, CoreGlobalIndex(index))
            case CoreSort.TAG:
                return TagId(self.id, CoreTagIndex(index))


@final
@dataclass(frozen=True, slots=True, eq=False)
class CoreInlineInstance:
    """A core instance made of inline exports."""

    items: Mapping[str, CoreItem] = field(default_factory=dict)

    def export(self, name: str) -> CoreItem | None:
        return self.items.get(name)


CoreInstanceValue: TypeAlias = "CoreModuleInstance | CoreInlineInstance"
