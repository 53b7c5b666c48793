"""Index spaces and environments: what an index means while one definition list is evaluated.

A component that is being instantiated has a scope with all sorts; a component or instance type that is being
evaluated has one with types, core types and declared instances. Outer aliases walk from scope to scope.
Indices come from inputs, so every look-up is checked. Spec: Explainer.md "Index Spaces", "Alias Definitions".
"""

from __future__ import annotations

from typing import Generic, TypeAlias, TypeVar, final

from meldpy.errors import DecodeError, LimitError, Location
from meldpy.model.extern import InstanceType, TypeNode
from meldpy.model.ids import FuncId, GlobalId, InstanceId, MemoryId, TableId, TagId
from meldpy.model.linked import BuiltinFunc, CoreFunc, CoreItem, LowerFunc
from meldpy.records import dataclass
from meldpy.resolver.coretypes import CoreType
from meldpy.resolver.values import (
    MAX_DEPTH,
    ComponentValue,
    CoreInstanceValue,
    FuncValue,
    InstanceValue,
    Item,
    ModuleValue,
    TypeValue,
)

T = TypeVar("T")


@final
class Space(Generic[T]):
    """One index space. `what` names its sort in messages."""

    __slots__ = ("items", "what")

    def __init__(self, what: str) -> None:
        self.what = what
        self.items: list[T] = []

    def add(self, item: T) -> None:
        self.items.append(item)

    def get(self, index: int) -> T:
        """The item at `index`; DecodeError if there is none."""
        if not 0 <= index < len(self.items):
            raise DecodeError(f"{self.what} index {index} is out of bounds ({len(self.items)} defined so far)")
        return self.items[index]

    def __len__(self) -> int:
        return len(self.items)


@final
@dataclass(frozen=True, slots=True)
class Place:
    """A component definition's place: its input and the path through it."""

    source: str
    path: tuple[str, ...] = ()

    def at(self, offset: int | None) -> Location:
        return Location(self.source, offset, self.path)

    def inside(self, step: str) -> Place:
        return Place(self.source, (*self.path, step))


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


@final
class TypeScope:
    """The index spaces of a component type or an instance type while its declarators are evaluated."""

    __slots__ = ("core_types", "depth", "instances", "parent", "types")

    def __init__(self, parent: Scope) -> None:
        self.parent = parent
        self.depth: int = parent.depth + 1 if isinstance(parent, TypeScope) else 1
        if self.depth > MAX_DEPTH:
            raise LimitError(f"types are nested more than {MAX_DEPTH} deep", remedy="flatten the nesting of types")
        self.core_types: Space[CoreType] = Space("core type")
        self.types: Space[TypeNode] = Space("type")
        self.instances: Space[InstanceType] = Space("instance")


Scope: TypeAlias = "ComponentScope | TypeScope"


def outward(scope: Scope, count: int) -> Scope:
    """The scope `count` steps further out (0 is `scope`); DecodeError beyond the outermost."""
    found: Scope | None = scope
    for _ in range(count):
        if found is None:
            break
        found = found.parent
    if found is None:
        raise DecodeError(f"an outer alias goes {count} scopes outwards, which is beyond the outermost component")
    return found


__all__ = ["ComponentScope", "Place", "Scope", "Space", "TypeScope", "outward"]
