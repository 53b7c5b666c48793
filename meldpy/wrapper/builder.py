"""Two places that definitions can be appended to: a component, and the declarator list of a type.

Both hand out the next index of the sort that a definition adds to, and know nothing of what the definitions mean.
`ComponentBuilder` also groups consecutive definitions of one kind into one section, which keeps the output small and
deterministic. Spec: Binary.md "Component Definitions", "Type Definitions".
"""

from __future__ import annotations

from collections import Counter
from typing import Protocol, TypeAlias, cast, final

from meldpy.model.canon import Canon, Lift
from meldpy.model.component import (
    Alias,
    AliasDecl,
    AliasSection,
    CanonSection,
    Component,
    ComponentDesc,
    ComponentSection,
    CoreInstanceDef,
    CoreInstanceSection,
    CoreModuleDesc,
    CoreModuleSection,
    CoreTypeDecl,
    CoreTypeDef,
    CoreTypeSection,
    Decl,
    Export,
    ExportAlias,
    ExportDecl,
    ExportSection,
    ExternDesc,
    FuncDesc,
    Import,
    ImportDecl,
    ImportSection,
    InstanceDef,
    InstanceDesc,
    InstanceSection,
    Section,
    Sort,
    SortIndex,
    TypeDecl,
    TypeDef,
    TypeDesc,
    TypeSection,
    ValueDesc,
)
from meldpy.model.core import CoreModule, RecGroup
from meldpy.model.extern import ExternName
from meldpy.model.ids import InstanceIndex
from meldpy.records import dataclass, field


def sort_of(desc: ExternDesc) -> Sort:
    """The index space that an import or export of type `desc` adds to."""
    match desc:
        case CoreModuleDesc():
            return Sort.CORE_MODULE
        case FuncDesc():
            return Sort.FUNC
        case ValueDesc():
            return Sort.VALUE
        case TypeDesc():
            return Sort.TYPE
        case ComponentDesc():
            return Sort.COMPONENT
        case InstanceDesc():
            return Sort.INSTANCE


class Sink(Protocol):
    """Where types are written to: a component or a declarator list. Each method returns the new item's index."""

    def define_type(self, definition: TypeDef) -> int: ...

    def define_core_type(self, definition: CoreTypeDef) -> int: ...

    def alias(self, alias: Alias) -> int: ...

    def import_(self, name: ExternName, desc: ExternDesc) -> int: ...


@final
@dataclass(slots=True)
class Counts:
    """The size of each index space so far."""

    sizes: Counter[Sort] = field(default_factory=Counter)

    def next(self, sort: Sort, count: int = 1) -> int:
        """Index of the first of `count` new items of `sort`."""
        index = self.sizes[sort]
        self.sizes[sort] += count
        return index


@final
@dataclass(slots=True)
class DeclBuilder:
    """The declarators of an instance type or component type, in order."""

    decls: list[Decl] = field(default_factory=list)
    _counts: Counts = field(default_factory=Counts)

    def define_type(self, definition: TypeDef) -> int:
        self.decls.append(TypeDecl(definition))
        return self._counts.next(Sort.TYPE)

    def define_core_type(self, definition: CoreTypeDef) -> int:
        self.decls.append(CoreTypeDecl(definition))
        return self._counts.next(Sort.CORE_TYPE, core_type_count(definition))

    def alias(self, alias: Alias) -> int:
        self.decls.append(AliasDecl(alias))
        return self._counts.next(alias.sort)

    def import_(self, name: ExternName, desc: ExternDesc) -> int:
        self.decls.append(ImportDecl(name, desc))
        return self._counts.next(sort_of(desc))

    def export(self, name: ExternName, desc: ExternDesc) -> int:
        self.decls.append(ExportDecl(name, desc))
        return self._counts.next(sort_of(desc))


def core_type_count(definition: CoreTypeDef) -> int:
    """How many core type indices `definition` adds."""
    return len(definition.types) if isinstance(definition, RecGroup) else 1


Item: TypeAlias = "CoreInstanceDef | CoreTypeDef | InstanceDef | Alias | TypeDef | Canon | Import | Export"

GroupedSection: TypeAlias = (
    "type[CoreInstanceSection] | type[CoreTypeSection] | type[InstanceSection] | type[AliasSection]"
    " | type[TypeSection] | type[CanonSection] | type[ImportSection] | type[ExportSection]"
)


@final
@dataclass(slots=True)
class ComponentBuilder:
    """A component in the making. Methods are named after the definitions of Binary.md."""

    _sections: list[Section] = field(default_factory=list)
    _counts: Counts = field(default_factory=Counts)
    _open: GroupedSection | None = None
    _items: list[Item] = field(default_factory=list)

    # --- definitions, each returning the index it makes -----------------------------------------------------
    def define_type(self, definition: TypeDef) -> int:
        self._put(TypeSection, definition)
        return self._counts.next(Sort.TYPE)

    def define_core_type(self, definition: CoreTypeDef) -> int:
        self._put(CoreTypeSection, definition)
        return self._counts.next(Sort.CORE_TYPE, core_type_count(definition))

    def alias(self, alias: Alias) -> int:
        self._put(AliasSection, alias)
        return self._counts.next(alias.sort)

    def import_(self, name: ExternName, desc: ExternDesc) -> int:
        self._put(ImportSection, Import(name, desc))
        return self._counts.next(sort_of(desc))

    def export(self, name: ExternName, item: SortIndex, desc: ExternDesc | None = None) -> int:
        self._put(ExportSection, Export(name, item, desc))
        return self._counts.next(item.sort)

    def core_instance(self, definition: CoreInstanceDef) -> int:
        self._put(CoreInstanceSection, definition)
        return self._counts.next(Sort.CORE_INSTANCE)

    def instance(self, definition: InstanceDef) -> int:
        self._put(InstanceSection, definition)
        return self._counts.next(Sort.INSTANCE)

    def canon(self, definition: Canon) -> int:
        """A `canon lift` makes a function, every other canonical definition a core function."""
        self._put(CanonSection, definition)
        return self._counts.next(Sort.FUNC if isinstance(definition, Lift) else Sort.CORE_FUNC)

    def core_module(self, module: CoreModule) -> int:
        self._close()
        self._sections.append(CoreModuleSection(module))
        return self._counts.next(Sort.CORE_MODULE)

    def component(self, component: Component) -> int:
        self._close()
        self._sections.append(ComponentSection(component))
        return self._counts.next(Sort.COMPONENT)

    def finish(self) -> Component:
        """The component; the builder is not used afterwards."""
        self._close()
        return Component(tuple(self._sections))

    @property
    def core_types(self) -> int:
        """How many core type indices there are so far."""
        return self._counts.sizes[Sort.CORE_TYPE]

    # --- sections ------------------------------------------------------------------------------------------
    def _put(self, section: GroupedSection, item: Item) -> None:
        if self._open is not section:
            self._close()
            self._open = section
        self._items.append(item)

    def _close(self) -> None:
        if self._open is not None:
            # Each method above pairs one section class with its own item type.
            make = cast("type[TypeSection]", self._open)
            self._sections.append(make(cast("tuple[TypeDef, ...]", tuple(self._items))))
        self._open, self._items = None, []


@final
@dataclass(slots=True)
class ExportPath:
    """An instance that an import or export introduced, or one inside it; aliased when something asks for it."""

    sink: Sink
    parent: ExportPath | None
    name: str
    _index: int | None = None

    @classmethod
    def at(cls, sink: Sink, index: int) -> ExportPath:
        """An instance that has an index already."""
        return cls(sink, None, "", index)

    def inner(self, name: str) -> ExportPath:
        return ExportPath(self.sink, self, name)

    def index(self) -> InstanceIndex:
        if self._index is None:
            assert self.parent is not None, "a root instance has an index"
            self._index = self.parent.alias(Sort.INSTANCE, self.name)
        return InstanceIndex(self._index)

    def alias(self, sort: Sort, name: str) -> int:
        """A new alias of export `name` of this instance."""
        return self.sink.alias(ExportAlias(sort, self.index(), name))
