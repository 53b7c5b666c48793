"""A component that is written as it was evaluated: one that stays as it is, or the root around several parts.

The job: from a graph, a component with the same core modules, core instances, canonical definitions and options, in the
order of instantiation; nothing is merged, nothing adapted. Instances of the graph that are components of their own
in the output (`Child`) are nested, instantiated at their place, and called through their exports. A root that only
wires is the case without core instances of its own; a kept instance is the case without children; a parent and a child
that call each other have both. Which is which is decided elsewhere (analysis); so is a child's world (resolver).

Definitions are written when something asks for them, as late as that: whatever a definition names was instantiated
before it in the composition too, so it is there.

Spec: Binary.md "Component Definitions", "Canonical Definitions".
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import assert_never, final

from meldpy.errors import InternalError
from meldpy.model.canon import Canon, CanonOpt
from meldpy.model.canon import Lift as CanonLift
from meldpy.model.canon import Lower as CanonLower
from meldpy.model.component import (
    Component,
    CoreExportAlias,
    CoreInlineExports,
    CoreInstantiate,
    Instantiate,
    ResourceTypeDef,
    Sort,
    SortIndex,
)
from meldpy.model.coresorts import CORE_SORTS, component_sort
from meldpy.model.functions import CoreTypeDefinition
from meldpy.model.ids import (
    ComponentIndex,
    CoreFuncIndex,
    CoreInstanceId,
    CoreInstanceIndex,
    FuncId,
    FuncIndex,
    GlobalId,
    InstanceId,
    LiftId,
    MemoryId,
    ResourceId,
    TableId,
    TagId,
    TypeIndex,
)
from meldpy.model.linked import (
    AsyncBuiltin,
    Builtin,
    BuiltinFunc,
    CanonicalOptions,
    ComponentFunc,
    CoreInstance,
    CoreItem,
    FuncItem,
    ImportFunc,
    InstanceItem,
    LiftFunc,
    LinkedGraph,
    LowerFunc,
    OuterItem,
    ResourceBuiltin,
    TypeItem,
)
from meldpy.model.partition import ModuleNeed, Need, Piece
from meldpy.model.valtype import DefinedType, PrimValType, ResourceType, ValType, ValTypeRef
from meldpy.records import dataclass
from meldpy.wrapper.builder import ComponentBuilder, ExportPath
from meldpy.wrapper.builtins import async_builtin
from meldpy.wrapper.canons import option_list, resource_builtin
from meldpy.wrapper.coretypes import shifted
from meldpy.wrapper.exports import Exports
from meldpy.wrapper.imports import Imports
from meldpy.wrapper.modules import Modules
from meldpy.wrapper.scope import Entry, Scope
from meldpy.wrapper.types import type_index


@final
@dataclass(frozen=True, slots=True)
class Child:
    """A part that is a component of its own: what it is of the graph around it, and the component."""

    piece: Piece
    component: Component


def write_whole(graph: LinkedGraph, own: Collection[InstanceId], children: Sequence[Child]) -> Component:
    """The component whose own instances are `own`, and all other instances of `graph` in `children`.

    Children are instantiated in their order, each before the first core instance of `own` that follows it.
    """
    return _Whole(graph, frozenset(own), tuple(children)).write()


@final
class _Whole:
    def __init__(self, graph: LinkedGraph, own: frozenset[InstanceId], children: tuple[Child, ...]) -> None:
        self.graph = graph
        self.own = own
        self.builder = ComponentBuilder()
        self.world = Scope(self.builder)
        self.plain = Scope(self.builder, raw=self.world.raw, introducer=self)
        self.imports = Imports(graph, self.builder, self.world)
        self.children = children
        self.child_of = {id_: child for child in children for id_ in child.piece.instances}
        self.modules = Modules(graph, self.builder, self.imports)
        self.core_instances: dict[CoreInstanceId, CoreInstanceIndex] = {}
        self.core_items: dict[CoreItem, int] = {}
        self.lifts: dict[LiftId, FuncIndex] = {}
        self.core_types: dict[CoreTypeDefinition, int] = {}
        self.instantiated: dict[InstanceId, ExportPath] = {}
        """Children, by the first of their instances."""

    def write(self) -> Component:
        self.imports.write()
        waiting = list(self.children)
        for core_instance in self.graph.core_instances:
            if core_instance.instance in self.own:
                while waiting and (waiting[0].piece.first is None or waiting[0].piece.first < core_instance.id):
                    self._child(waiting.pop(0))
                self._core_instance(core_instance)
        for child in waiting:
            self._child(child)
        self._prepare_exports()
        Exports(self.graph, self.builder, self.imports, self.lifts, self.world, self.plain, self.modules).write()
        return self.builder.finish()

    # --- Introducer: types of definitions need no name -----------------------------------------------------------
    def nominal(self, node: DefinedType, index: int) -> int:
        return index

    def resource(self, node: ResourceType) -> int:
        """The definition of a resource type that nothing has named yet: one of our own, or of a child."""
        resource = self.graph.resources[node.id]
        if resource.definer is None:
            raise InternalError(f"resource type {node.id} is mentioned, yet neither imported nor defined")
        if resource.definer not in self.own:
            child = self.child_of[resource.definer]
            return self._child(child).alias(Sort.TYPE, child.piece.resources[resource.id])
        dtor = None if resource.dtor is None else CoreFuncIndex(self.core(resource.dtor))
        return self.builder.define_type(ResourceTypeDef(resource.rep, dtor))

    def _resource(self, resource: ResourceId) -> TypeIndex:
        if resource not in self.plain.raw:
            self.plain.raw[resource] = Entry(self.resource(ResourceType(resource)))
        return TypeIndex(self.plain.raw[resource].index())

    # --- children ---------------------------------------------------------------------------------------------------
    def _child(self, child: Child) -> ExportPath:
        """The child's instance; it is instantiated when it is first asked for."""
        key = child.piece.instances[0]
        if key not in self.instantiated:
            args = tuple(
                (import_.name.name, self._need(need))
                for import_, need in zip(child.piece.graph.imports, child.piece.needs, strict=True)
            )
            component = ComponentIndex(self.builder.component(child.component))
            self.instantiated[key] = ExportPath.at(self.builder, self.builder.instance(Instantiate(component, args)))
        return self.instantiated[key]

    def _need(self, need: Need) -> SortIndex:
        match need:
            case LiftFunc() | ImportFunc():
                return SortIndex(Sort.FUNC, self._component_func(need))
            case DefinedType():
                return SortIndex(Sort.TYPE, type_index(self.plain, need))
            case ResourceType(id=resource):
                return SortIndex(Sort.TYPE, self._resource(resource))
            case ModuleNeed(module):
                return SortIndex(Sort.CORE_MODULE, self.modules(module))
            case _:
                assert_never(need)

    # --- component functions ----------------------------------------------------------------------------------------
    def _component_func(self, func: ComponentFunc) -> FuncIndex:
        match func:
            case ImportFunc():
                return self.imports.func(func)
            case LiftFunc(lift):
                return self._lift(lift)
            case _:
                assert_never(func)

    def _lift(self, id_: LiftId) -> FuncIndex:
        if id_ not in self.lifts:
            lift = self.graph.lifts[id_]
            if lift.instance in self.own:
                type_ = type_index(self.plain, lift.type)
                core_func, options = CoreFuncIndex(self.core(lift.core_func)), self.options(lift.options)
                self.lifts[id_] = FuncIndex(self.builder.canon(CanonLift(core_func, options, type_)))
            else:
                child = self.child_of[lift.instance]
                self.lifts[id_] = FuncIndex(self._child(child).alias(Sort.FUNC, child.piece.lifts[id_]))
        return self.lifts[id_]

    # --- core level -------------------------------------------------------------------------------------------------
    def _core_instance(self, core_instance: CoreInstance) -> None:
        module = self.graph.modules[core_instance.module]
        groups: dict[str, list[tuple[str, SortIndex]]] = {}
        for import_, item in zip(module.module.imports, core_instance.args, strict=True):
            index = SortIndex(component_sort(item), self.core(item))
            groups.setdefault(import_.module, []).append((import_.name, index))
        args = tuple(
            (name, CoreInstanceIndex(self.builder.core_instance(CoreInlineExports(tuple(exports)))))
            for name, exports in groups.items()
        )
        made = self.builder.core_instance(CoreInstantiate(self.modules(module.id), args))
        self.core_instances[core_instance.id] = CoreInstanceIndex(made)

    def core(self, item: CoreItem) -> int:
        """The index of a core item: aliased from the instance that defines it, or made by its canonical definition."""
        if item not in self.core_items:
            self.core_items[item] = self._make_core(item)
        return self.core_items[item]

    def _make_core(self, item: CoreItem) -> int:
        match item:
            case LowerFunc(lower=id_):
                lower = self.graph.lowers[id_]
                func, options = self._component_func(lower.callee), self.options(lower.options)
                return self.builder.canon(CanonLower(func, options))
            case BuiltinFunc(builtin=builtin):
                return self.builder.canon(self._builtin(self.graph.builtins[builtin]))
            case FuncId() | TableId() | MemoryId() | GlobalId() | TagId():
                alias = CoreExportAlias(component_sort(item), self.core_instances[item.instance], self._name(item))
                return self.builder.alias(alias)
            case _:
                assert_never(item)

    def _builtin(self, builtin: Builtin) -> Canon:
        match builtin:
            case ResourceBuiltin(op=op, resource=resource):
                return resource_builtin(op, resource, self._resource)
            case AsyncBuiltin():
                return async_builtin(builtin, self)
            case _:
                assert_never(builtin)

    def _name(self, item: FuncId | TableId | MemoryId | GlobalId | TagId) -> str:
        """The first name under which the instance that defines `item` exports it: whatever left it, left it so."""
        module = self.graph.modules[self.graph.core_instances[item.instance].module].module
        sort = component_sort(item)
        for export in module.exports:
            if CORE_SORTS[export.sort] is sort and export.index == item.index:
                return export.name
        raise InternalError("a core item is used outside its instance, which does not export it")

    def options(self, options: CanonicalOptions) -> tuple[CanonOpt, ...]:
        return option_list(options, self.core, self.core_type)

    # --- Indices: for built-ins -----------------------------------------------------------------------------------
    def type(self, node: DefinedType) -> TypeIndex:
        return type_index(self.plain, node)

    def value(self, type: ValType) -> ValTypeRef:
        return type if isinstance(type, PrimValType) else type_index(self.plain, type)

    def core_type(self, definition: CoreTypeDefinition) -> int:
        """The definition, and what it refers to, once: its groups fill a space of their own, behind what is there."""
        if definition not in self.core_types:
            first = self.builder.core_types
            for group in definition.groups:
                self.builder.define_core_type(shifted(group, first))
            self.core_types[definition] = first + definition.index
        return self.core_types[definition]

    # --- what is exported -------------------------------------------------------------------------------------------
    def _prepare_exports(self) -> None:
        """Every lift and resource type that an export mentions gets its index before the first export."""
        for item in _items(self.graph):
            match item:
                case FuncItem(func=func):
                    if isinstance(func, LiftFunc):
                        self._lift(func.lift)
                case TypeItem(type=ResourceType(id=resource)):
                    self._resource(resource)
                case _:
                    pass


def _items(graph: LinkedGraph) -> Iterator[OuterItem]:
    """Every exported item, instances opened up, in order."""
    stack = [export.item for export in graph.exports][::-1]
    while stack:
        item = stack.pop()
        yield item
        if isinstance(item, InstanceItem):
            stack += [inner for _, inner in (*item.exports, *item.hidden)][::-1]
