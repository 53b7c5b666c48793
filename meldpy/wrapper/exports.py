"""The exports of the outer component, with the names that the composition's world gives to types.

A type that an export mentions must have been named by an import or export before (Binary.md, external visibility).
Where a nested component would have named the types of an interface, the output says it by ascription: the functions
and types are gathered in an instance of inline exports, in any equal types, and the export is ascribed an instance
type that introduces each type under its name and writes the function types over those names:

    (instance $i (export "rec" (type $rec)) (export "f" (func $f)))
    (export "a:b/c" (instance $i) (instance (type $rec …) (export "rec" (type $r (eq $rec))) (export "f" (func …))))

Inline exports cannot hold `[constructor]`, `[method]` or `[static]` names; see `annotated` for those.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import assert_never, final

from meldpy.model.component import ExternDesc, InlineExports, Instantiate, Sort, SortIndex
from meldpy.model.extern import ExternType, InstanceType
from meldpy.model.ids import ComponentIndex, CoreModuleIndex, FuncIndex, LiftId, ModuleId
from meldpy.model.linked import (
    ComponentFunc,
    FuncItem,
    ImportFunc,
    InstanceItem,
    LiftFunc,
    LinkedGraph,
    ModuleItem,
    OuterExport,
    OuterItem,
    TypeItem,
)
from meldpy.records import dataclass
from meldpy.wrapper.annotated import Need, has_annotated_names, naming_component
from meldpy.wrapper.builder import ComponentBuilder
from meldpy.wrapper.imports import Imports
from meldpy.wrapper.items import extern_type
from meldpy.wrapper.scope import Entry, Scope
from meldpy.wrapper.types import extern_desc, introduce, target_index, type_index


@final
@dataclass(slots=True)
class Exports:
    """world: types by the names that imports and exports gave them. plain: types that need no name.
    modules: the index of a core module that is handed on."""

    graph: LinkedGraph
    builder: ComponentBuilder
    imports: Imports
    lifts: dict[LiftId, FuncIndex]
    world: Scope
    plain: Scope
    modules: Callable[[ModuleId], CoreModuleIndex]

    def write(self) -> None:
        for export in self.graph.exports:
            self._export(export)

    def _export(self, export: OuterExport) -> None:
        match export.item:
            case TypeItem(type=node):
                item = SortIndex(Sort.TYPE, target_index(self.world, node))
                self.world.name(node, Entry(self.builder.export(export.name, item)))
            case FuncItem(func=func, type=type_):
                desc = extern_desc(self.world, type_)
                self.builder.export(export.name, SortIndex(Sort.FUNC, self._func(func)), desc)
            case ModuleItem(module=module, type=module_type):
                item = SortIndex(Sort.CORE_MODULE, self.modules(module))
                self.builder.export(export.name, item, extern_desc(self.world, module_type))
            case InstanceItem() as instance:
                item = SortIndex(Sort.INSTANCE, self._instance(instance))
                type_of = extern_type(instance)
                index = self.builder.export(export.name, item, self._ascribed(instance, type_of))
                introduce(self.world, type_of, index)
            case _:
                assert_never(export.item)

    def _ascribed(self, item: InstanceItem, type_: ExternType) -> ExternDesc | None:
        """The ascribed type; an imported instance passed on whole keeps its own."""
        return None if item.imported is not None and self._is_whole(item) else extern_desc(self.world, type_)

    def _is_whole(self, item: InstanceItem) -> bool:
        assert item.imported is not None
        import_, path = item.imported
        type_: ExternType = self.graph.imports[import_].type
        for name in path:
            type_ = _member(type_, name)
        assert isinstance(type_, InstanceType), "an imported instance has an instance type"
        return {e.name.name for e in type_.exports} == {name.name for name, _ in item.exports}

    # --- items ---------------------------------------------------------------------------------------------
    def _func(self, func: ComponentFunc) -> FuncIndex:
        match func:
            case LiftFunc(lift):
                return self.lifts[lift]
            case ImportFunc():
                return self.imports.func(func)
            case _:
                assert_never(func)

    def _instance(self, item: InstanceItem) -> int:
        """The index of an instance with the exports of `item`, not yet under the world's types."""
        if item.imported is not None:
            return self.imports.instance(*item.imported).index()
        if has_annotated_names(item):
            component, needs = naming_component(item)
            index = ComponentIndex(self.builder.component(component))
            args = tuple((name, self._need(need)) for name, need in needs)
            return self.builder.instance(Instantiate(index, args))
        exports = tuple((name, self._item(inner)) for name, inner in (*item.exports, *item.hidden))
        return self.builder.instance(InlineExports(exports))

    def _item(self, item: OuterItem) -> SortIndex:
        match item:
            case FuncItem(func=func):
                return SortIndex(Sort.FUNC, self._func(func))
            case TypeItem(type=node):
                return SortIndex(Sort.TYPE, type_index(self.plain, node))
            case ModuleItem(module=module):
                return SortIndex(Sort.CORE_MODULE, self.modules(module))
            case InstanceItem():
                return SortIndex(Sort.INSTANCE, self._instance(item))
            case _:
                assert_never(item)

    def _need(self, need: Need) -> SortIndex:
        if isinstance(need, FuncItem | InstanceItem | ModuleItem):
            return self._item(need)
        return SortIndex(Sort.TYPE, type_index(self.plain, need))


def _member(type_: ExternType, name: str) -> ExternType:
    assert isinstance(type_, InstanceType), "a path leads through instances"
    (member,) = (export.type for export in type_.exports if export.name.name == name)
    return member
