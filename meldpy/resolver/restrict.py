"""One part of a linked graph as a graph of its own, for which the rest is the world outside.

A function of the rest becomes an import, a lift that the rest calls an export; a resource type that the rest defines
is an imported one, and one that the rest uses is exported. So nothing that comes after can tell the rest from a host,
and everything that holds at the outer boundary holds at the cut. The names are made up (f0, t1, r2, m3) and decide
nothing: `Piece` says what each stands for.

A function that is imported or exported can mention a record, variant, enum, flags or resource type only by a name
(Binary.md, external visibility of types). So these are imported too, each underlying definition once, or exported if a
resource type of the part itself is in it.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import final

from meldpy.model.extern import ExternName, ExternType, FuncType, TypeExtern
from meldpy.model.ids import (
    BuiltinId,
    CoreInstanceId,
    ImportFuncId,
    InstanceId,
    LiftId,
    LowerId,
    ModuleId,
    ResourceId,
)
from meldpy.model.linked import (
    ComponentFunc,
    FuncItem,
    ImportedFunc,
    ImportFunc,
    LiftFunc,
    LinkedGraph,
    OuterExport,
    OuterImport,
    Resource,
    TypeItem,
)
from meldpy.model.partition import ModuleNeed, Need, Piece, Used
from meldpy.model.valtype import (
    BorrowType,
    DefinedType,
    EnumType,
    FlagsType,
    OwnType,
    PrimValType,
    RecordType,
    ResourceType,
    ValType,
    VariantType,
)
from meldpy.records import replace
from meldpy.resolver.nodes import func_mentions, mentions
from meldpy.resolver.renumbered import NewIds


def restrict(graph: LinkedGraph, instances: Collection[InstanceId], used: Used) -> Piece:
    """The part of `graph` that `instances` are; `used` is of `graph`."""
    return _Restriction(graph, frozenset(instances), used).run()


@final
class _Restriction:
    """Decides the part's world (`_boundary`); what is inside is copied under new ids (`renumbered`)."""

    def __init__(self, graph: LinkedGraph, members: frozenset[InstanceId], used: Used) -> None:
        self.graph = graph
        self.members = members
        self.used = used
        self.where = graph.instances[min(members)].location
        inside = [each for each in graph.core_instances if each.instance in members]
        self.first = min((each.id for each in inside), default=None)
        self.core_instances = {each.id: CoreInstanceId(i) for i, each in enumerate(inside)}
        self.modules = {id_: ModuleId(i) for i, id_ in enumerate(dict.fromkeys(each.module for each in inside))}
        lifts = [each.id for each in graph.lifts if each.id in used.lifts and each.instance in members]
        lowers = [each.id for each in graph.lowers if each.id in used.lowers and each.instance in members]
        builtins = [each.id for each in graph.builtins if each.id in used.builtins and each.instance in members]
        self.lifts = {old: LiftId(new) for new, old in enumerate(lifts)}
        self.lowers = {old: LowerId(new) for new, old in enumerate(lowers)}
        self.builtins = {old: BuiltinId(new) for new, old in enumerate(builtins)}
        # The world.
        self.imports: list[OuterImport] = []
        self.needs: list[Need] = []
        self.import_funcs: dict[ComponentFunc, ImportedFunc] = {}
        self.import_modules: dict[ModuleId, int] = {}
        self.imported_resources: set[ResourceId] = set()
        self.exports: list[OuterExport] = []
        self.offered_resources: dict[ResourceId, str] = {}
        self.exported_types: list[DefinedType] = []
        self.seen: dict[DefinedType, bool] = {}
        """Type definitions, and whether a resource type of the part is in them."""

    def run(self) -> Piece:
        offered = self._boundary()
        graph = self.graph
        ids = NewIds(
            self.modules,
            self.core_instances,
            self.lifts,
            self.lowers,
            self.builtins,
            self.import_funcs,
            self.import_modules,
        )
        return Piece(
            graph=LinkedGraph(
                inputs=graph.inputs,
                modules=tuple(ids.module(graph.modules[old], new) for old, new in self.modules.items()),
                instances=graph.instances,
                core_instances=tuple(ids.core_instance(graph.core_instances[old]) for old in self.core_instances),
                resources=tuple(self._resource(each, ids) for each in graph.resources),
                lifts=tuple(ids.lift(graph.lifts[old]) for old in self.lifts),
                lowers=tuple(ids.lower(graph.lowers[old]) for old in self.lowers),
                builtins=tuple(ids.builtin(graph.builtins[old]) for old in self.builtins),
                imports=tuple(self.imports),
                import_funcs=tuple(self.import_funcs.values()),
                exports=tuple(self.exports),
            ),
            instances=tuple(sorted(self.members)),
            needs=tuple(self.needs),
            lifts=offered,
            resources=self.offered_resources,
            first=self.first,
        )

    # --- the part's world ----------------------------------------------------------------------------------------
    def _boundary(self) -> dict[LiftId, str]:
        """Decides imports and exports; returns the names of exported lifts."""
        graph = self.graph
        offered = self._offered()
        called = [graph.lowers[old] for old in self.lowers]
        outside = dict.fromkeys(lower.callee for lower in called if not self._is_inside(lower.callee))
        for type_ in (self._type_of(func) for func in (*outside, *map(LiftFunc, offered))):
            self._introduce(type_)
        self._resources_inside()
        for func in outside:
            type_ = self._type_of(func)
            number = self._import("f", func, type_)
            self.import_funcs[func] = ImportedFunc(ImportFuncId(len(self.import_funcs)), number, (), type_)
        for id_ in self.modules:
            imported = graph.modules[id_].imported
            if imported is not None:
                self.import_modules[id_] = self._import("m", ModuleNeed(id_), imported.type)
        for resource in sorted(self.used.users):
            if self._defines(resource) and any(user not in self.members for user in self.used.users[resource]):
                self._offer(resource)
        for resource, name in self.offered_resources.items():
            self._export(name, TypeItem(ResourceType(resource)))
        for i, node in enumerate(self.exported_types):
            self._export(f"t{len(self.imports) + i}", TypeItem(node))
        names = {lift: f"f{len(self.imports) + i}" for i, lift in enumerate(offered)}
        for lift, name in names.items():
            self._export(name, FuncItem(LiftFunc(self.lifts[lift]), graph.lifts[lift].type))
        return names

    def _offered(self) -> list[LiftId]:
        """The part's lifts that the rest calls or the world exports."""
        callers = self.used.callers
        return [lift for lift in self.lifts if any(caller not in self.members for caller in callers[lift])]

    def _is_inside(self, func: ComponentFunc) -> bool:
        return isinstance(func, LiftFunc) and self.graph.lifts[func.lift].instance in self.members

    def _type_of(self, func: ComponentFunc) -> FuncType:
        match func:
            case LiftFunc(lift):
                return self.graph.lifts[lift].type
            case ImportFunc(id_):
                return self.graph.import_funcs[id_].type

    def _import(self, letter: str, need: Need, type_: ExternType) -> int:
        self.imports.append(OuterImport(ExternName(f"{letter}{len(self.imports)}"), type_, self.where))
        self.needs.append(need)
        return len(self.imports) - 1

    def _export(self, name: str, item: FuncItem | TypeItem) -> None:
        self.exports.append(OuterExport(ExternName(name), item, self.where))

    def _defines(self, resource: ResourceId) -> bool:
        return self.graph.resources[resource].definer in self.members

    def _offer(self, resource: ResourceId) -> None:
        self.offered_resources.setdefault(resource, f"r{resource}")

    # --- the types that the world needs names for ------------------------------------------------------------------
    def _introduce(self, type_: FuncType) -> None:
        for each in func_mentions(type_):
            self._named(each)

    def _named(self, type_: ValType) -> bool:
        """Imports or exports what `type_` mentions by name; whether a resource type of the part is in it."""
        if isinstance(type_, PrimValType):
            return False
        while type_.alias_of is not None:
            type_ = type_.alias_of
        if type_ not in self.seen:
            self.seen[type_] = self._named_definition(type_)
        return self.seen[type_]

    def _named_definition(self, node: DefinedType) -> bool:
        definition = node.definition
        if isinstance(definition, OwnType | BorrowType):
            return self._resource_named(definition.resource.id)
        inside = [self._named(each) for each in mentions(definition) if not isinstance(each, ResourceType)]
        if isinstance(definition, RecordType | VariantType | EnumType | FlagsType):
            if any(inside):
                self.exported_types.append(node)
            else:
                self._import("t", node, TypeExtern(node))
        return any(inside)

    def _resource_named(self, resource: ResourceId) -> bool:
        if self._defines(resource):
            self._offer(resource)
            return True
        if resource not in self.imported_resources:
            self.imported_resources.add(resource)
            node = ResourceType(resource)
            self._import("r", node, TypeExtern(node, bound_resource=True))
        return False

    def _resources_inside(self) -> None:
        """Resource types of the rest that only calls inside the part, or built-ins, mention."""
        for resource in sorted(self.used.users):
            if not self._defines(resource) and any(user in self.members for user in self.used.users[resource]):
                self._resource_named(resource)

    def _resource(self, resource: Resource, ids: NewIds) -> Resource:
        if not self._defines(resource.id):
            return replace(resource, definer=None, dtor=None)
        return replace(resource, dtor=ids.optional(resource.dtor))
