"""Instances whose exports have annotated names: `[constructor]r`, `[method]r.m`, `[static]r.s`.

Such a name is valid only beside an export that names the resource in the same component or type (Binary.md, "Import
and Export Definitions"). Inline exports name nothing, so no instance of inline exports can hold one: this is the one
case where the output contains a component. It has no core module and no canonical definition; it imports types and
functions and exports them under their names. All it decides is names, so its own types are imported one by one under
made-up names (t0, f0, …) and the world's view of them comes from the type that `exports` ascribes.
"""

from __future__ import annotations

import re
from typing import TypeAlias, assert_never, final

from meldpy.model.component import (
    Component,
    ExternDesc,
    FuncDesc,
    InstanceDesc,
    Sort,
    SortIndex,
    TypeDesc,
)
from meldpy.model.extern import ExternName, TypeNode
from meldpy.model.ids import TypeIndex
from meldpy.model.linked import FuncItem, InstanceItem, ModuleItem, OuterItem, TypeItem
from meldpy.model.valtype import DefinedType, ResourceType
from meldpy.records import dataclass, field
from meldpy.wrapper.builder import ComponentBuilder
from meldpy.wrapper.items import extern_type
from meldpy.wrapper.scope import Entry, Scope
from meldpy.wrapper.types import extern_desc, type_index

Need: TypeAlias = "TypeNode | FuncItem | InstanceItem | ModuleItem"
"""What one import of the naming component is instantiated with."""


_ANNOTATION = re.compile(r"\[(constructor|method|static)\]")
"""`plainname` of Explainer.md, its annotated forms."""


def has_annotated_names(item: InstanceItem) -> bool:
    """Does an export of this very instance (not of one inside it) have an annotated name?

    The question is whether the format lets a name stand where we would write it; it decides nothing about the function.
    """
    return any(_ANNOTATION.match(name.name) is not None for name, _ in item.exports)


def naming_component(item: InstanceItem) -> tuple[Component, tuple[tuple[str, Need], ...]]:
    """A component whose exports are those of `item`, and what its imports are to be given, by import name."""
    naming = _Naming()
    indices = [naming.take(inner) for _, inner in item.exports]
    naming.give(item, indices)
    return naming.builder.finish(), tuple(naming.needs)


@final
@dataclass(slots=True)
class _Naming:
    """Import everything (`take`), then export it (`give`).

    outside: types as imported. inside: the same, but resource types by the names they are exported under.
    """

    builder: ComponentBuilder = field(default_factory=ComponentBuilder)
    needs: list[tuple[str, Need]] = field(default_factory=list)
    outside: Scope = field(init=False)
    inside: Scope = field(init=False)

    def __post_init__(self) -> None:
        self.outside = Scope(self.builder, introducer=self)
        self.inside = Scope(self.builder, raw=self.outside.raw)

    # --- Introducer ----------------------------------------------------------------------------------------
    def nominal(self, node: DefinedType, index: int) -> int:
        imported = self._import("t", node, TypeDesc(TypeIndex(index)))
        self.inside.wrote(node, imported)
        return imported

    def resource(self, node: ResourceType) -> int:
        return self._import("t", node, TypeDesc(None))

    # --- the two passes ------------------------------------------------------------------------------------
    def take(self, item: OuterItem) -> SortIndex:
        match item:
            case TypeItem(type=node):
                return SortIndex(Sort.TYPE, type_index(self.outside, node))
            case FuncItem(type=type_):
                return SortIndex(Sort.FUNC, self._import("f", item, FuncDesc(type_index(self.outside, type_))))
            case ModuleItem(type=type_):
                module_type = extern_desc(self.outside, type_)
                return SortIndex(Sort.CORE_MODULE, self._import("m", item, module_type))
            case InstanceItem():
                type_of = type_index(self.outside, extern_type(item))
                return SortIndex(Sort.INSTANCE, self._import("i", item, InstanceDesc(type_of)))
            case _:
                assert_never(item)

    def give(self, item: InstanceItem, indices: list[SortIndex]) -> None:
        for (name, inner), index in zip(item.exports, indices, strict=True):
            match inner:
                case TypeItem(type=node):
                    exported = self.builder.export(name, index)
                    if isinstance(node, ResourceType):
                        self.inside.name(node, Entry(exported))
                case FuncItem(type=type_):
                    self.builder.export(name, index, FuncDesc(type_index(self.inside, type_)))
                case InstanceItem() | ModuleItem():
                    self.builder.export(name, index)
                case _:
                    assert_never(inner)

    def _import(self, letter: str, need: Need, desc: ExternDesc) -> int:
        name = f"{letter}{len(self.needs)}"
        self.needs.append((name, need))
        return self.builder.import_(ExternName(name), desc)
