"""What a definition evaluates to at link time: the values that index spaces hold and that instantiation passes around.

A component is a closure (its definition and the scope around it), an instance is an ordered record of named items,
a function is a lift or an outer import. A scope holds values, and a closure holds a scope: so both are here.
None of these outlive `resolve`; what does is in `model.linked`.
Spec: Explainer.md "Component Definitions", "Instance Definitions", "Index Spaces".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias, final

from meldpy.errors import LimitError, Location
from meldpy.model.component import Component
from meldpy.model.extern import ComponentType, CoreModuleType, ExternName, FuncType, TypeNode
from meldpy.model.ids import FuncId, GlobalId, InstanceId, MemoryId, ModuleId, TableId, TagId
from meldpy.model.linked import BuiltinFunc, ComponentFunc, CoreFunc, CoreItem, LowerFunc
from meldpy.records import dataclass
from meldpy.resolver.coretypes import CoreType
from meldpy.resolver.corevalues import CoreInstanceValue
from meldpy.resolver.spaces import Place, Space

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


# --- scopes -------------------------------------------------------------------------------------------------
@final
class ComponentScope:
    """The index spaces of one component instance while its definitions are evaluated.

    `offset` is that of the definition being evaluated (file offset), for messages. `func_paths`, `instance_paths`: by
    index, what imports, and exports inside them, are called here (`linked.Lower.path`).
    """

    __slots__ = (
        "components",
        "core_funcs",
        "core_globals",
        "core_instances",
        "core_memories",
        "core_modules",
        "core_tables",
        "core_tags",
        "core_types",
        "func_paths",
        "funcs",
        "instance",
        "instance_paths",
        "instances",
        "offset",
        "parent",
        "place",
        "types",
    )

    def __init__(self, instance: InstanceId, parent: ComponentScope | None, place: Place) -> None:
        self.instance = instance
        self.parent = parent
        self.place = place
        self.offset: int | None = None
        self.core_funcs: Space[CoreFunc] = Space("core func")
        self.core_tables: Space[TableId] = Space("core table")
        self.core_memories: Space[MemoryId] = Space("core memory")
        self.core_globals: Space[GlobalId] = Space("core global")
        self.core_tags: Space[TagId] = Space("core tag")
        self.core_types: Space[CoreType] = Space("core type")
        self.core_modules: Space[ModuleValue] = Space("core module")
        self.core_instances: Space[CoreInstanceValue] = Space("core instance")
        self.funcs: Space[FuncValue] = Space("func")
        self.types: Space[TypeNode] = Space("type")
        self.components: Space[ComponentValue] = Space("component")
        self.instances: Space[InstanceValue] = Space("instance")
        self.func_paths: dict[int, tuple[str, ...]] = {}
        self.instance_paths: dict[int, tuple[str, ...]] = {}

    @property
    def here(self) -> Location:
        return self.place.at(self.offset)

    def add(self, item: Item) -> None:
        """A new index for `item` in the space of its sort."""
        match item:
            case FuncValue():
                self.funcs.add(item)
            case TypeValue():
                self.types.add(item.type)
            case ComponentValue():
                self.components.add(item)
            case ModuleValue():
                self.core_modules.add(item)
            case InstanceValue():
                self.instances.add(item)

    def add_called(self, item: Item, path: tuple[str, ...]) -> None:
        """The same for what is imported as `path`, or exported inside of that."""
        match item:
            case FuncValue():
                self.func_paths[len(self.funcs)] = path
            case InstanceValue():
                self.instance_paths[len(self.instances)] = path
            case _:
                pass
        self.add(item)

    def add_core(self, item: CoreItem) -> None:
        match item:
            case FuncId() | LowerFunc() | BuiltinFunc():
                self.core_funcs.add(item)
            case TableId():
                self.core_tables.add(item)
            case MemoryId():
                self.core_memories.add(item)
            case GlobalId():
                self.core_globals.add(item)
            case TagId():
                self.core_tags.add(item)
