"""The boundary: the main module's imports and exports, and what the outer canonical definitions point at.

Export names are for readers and need only be distinct; what they are bound to is in the boundary as data.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import final

from meldpy.merger.carriers import MEMORY, TABLE, CarriedFuncs, forwarder_table
from meldpy.merger.exprs import merged_memory_type, merged_table_type
from meldpy.merger.layout import Layout
from meldpy.merger.limits import check_name, clip_name
from meldpy.merger.outer import HostAsync, HostBuiltin, HostFunc, HostImports, HostUncalled
from meldpy.merger.placement import Placement
from meldpy.merger.units import Symbols
from meldpy.model.code import Adapted, CoreEdge, FuncSymbol, OuterLift, OuterOptions
from meldpy.model.core import (
    CoreExport,
    CoreExternType,
    CoreImport,
    CoreSort,
    CoreTypeIndex,
    FuncImportType,
)
from meldpy.model.fused import (
    Boundary,
    BoundAsync,
    BoundBuiltin,
    BoundLift,
    BoundLower,
    BoundOptions,
    BoundResource,
    BoundUncalled,
    CoreBoundary,
    CoreExportRef,
    MainImport,
)
from meldpy.model.ids import LiftId, MemoryId
from meldpy.model.linked import FuncItem, InstanceItem, LiftFunc, LinkedGraph, OuterItem, TypeItem


@final
class Edge:
    """Collects imports and exports of the main module."""

    def __init__(self, layout: Layout, placement: Placement, symbols: Symbols, carried: CarriedFuncs | None) -> None:
        self.layout = layout
        self.symbols = symbols
        self.carried = carried
        self.imports: list[CoreImport] = []
        self.exports: list[CoreExport] = []
        self._bound: list[MainImport] = []
        self._import_names: set[tuple[str, str]] = set()
        self._exported: dict[tuple[CoreSort, int], str] = {}
        self._export_names: set[str] = set()
        self._carrier_of = {c.memory: number for number, c in enumerate(placement.carriers) if c.memory is not None}
        self._placement = placement

    # --- imports ------------------------------------------------------------------------------------------------
    def import_all(self, hosts: HostImports) -> None:
        """In the order of `layout`: functions, then the carriers' memories and tables."""
        for item, type_ in zip(hosts.imports, self.layout.host_types, strict=True):
            bound: MainImport
            match item:
                case HostFunc():
                    bound = BoundLower(item.func, self._options(item.lower.options))
                case HostBuiltin():
                    bound = BoundBuiltin(item.builtin.op, item.builtin.resource)
                case HostUncalled():
                    bound = BoundUncalled(item.uncalled.import_, item.uncalled.path)
                case HostAsync():
                    realloc = None if item.func.realloc is None else self._early(item.func.realloc, "cabi_realloc")
                    bound = BoundAsync(item.func, self._carried_memory(item.func.memory), realloc)
            self._import(item.module, item.name, FuncImportType(CoreTypeIndex(type_)), bound)
        carriers = self._placement.carriers
        for number, carrier in enumerate(carriers):
            if carrier.memory is not None:
                memory_type = merged_memory_type(self.layout, carrier.memory)
                self._import_carried(number, MEMORY, memory_type, CoreSort.MEMORY)
        for number, carrier in enumerate(carriers):
            if carrier.table is not None:
                self._import_carried(number, TABLE, merged_table_type(self.layout, carrier.table), CoreSort.TABLE)
        if self.carried is not None:
            table_type = forwarder_table(len(self.carried.forwarders))
            self._import_carried(self.carried.carrier, TABLE, table_type, CoreSort.TABLE)

    def _import_carried(self, carrier: int, name: str, type_: CoreExternType, sort: CoreSort) -> None:
        self._import(f"carrier {carrier}", name, type_, CoreExportRef(carrier, name, sort))

    def _import(self, module: str, name: str, type_: CoreExternType, bound: MainImport) -> None:
        check_name(module)
        unique, number = clip_name(name), 2
        while (module, unique) in self._import_names:
            unique, number = clip_name(name, f" #{number}"), number + 1
        self._import_names.add((module, unique))
        self.imports.append(CoreImport(module, unique, type_))
        self._bound.append(bound)

    # --- exports ------------------------------------------------------------------------------------------------
    def _export(self, sort: CoreSort, index: int, wish: str) -> CoreExportRef:
        """An export of the main module; one item is exported once, under the first name wished for."""
        if (sort, index) not in self._exported:
            name, number = clip_name(wish), 2
            while name in self._export_names:
                name, number = clip_name(wish, f" #{number}"), number + 1
            self._export_names.add(name)
            self._exported[sort, index] = name
            self.exports.append(CoreExport(name, sort, index))
        return CoreExportRef(None, self._exported[sort, index], sort)

    def _carried_memory(self, memory: MemoryId | None) -> CoreExportRef | None:
        ref = None if memory is None else self._memory(memory)
        assert ref is None or ref.carrier is not None or not self._placement.carriers
        return ref

    def _func(self, func: FuncSymbol, wish: str) -> CoreExportRef:
        return self._export(CoreSort.FUNC, self.layout.func(func), wish)

    def _memory(self, memory: MemoryId) -> CoreExportRef:
        if memory in self._carrier_of:
            return CoreExportRef(self._carrier_of[memory], MEMORY, CoreSort.MEMORY)
        return self._export(CoreSort.MEMORY, self.layout.memory(memory), "memory")

    # --- canonical definitions ----------------------------------------------------------------------------------
    def boundary(self, graph: LinkedGraph, adapted: Adapted) -> Boundary:
        names = lift_names(graph)
        lifts = tuple(self._lift(lift, names[lift.lift]) for lift in adapted.outer_lifts)
        resources = tuple(
            BoundResource(each.resource, None if each.dtor is None else self._early(each.dtor, "dtor"))
            for each in adapted.outer_resources
        )
        return Boundary(tuple(self._bound), lifts, resources, self._core(adapted.core))

    def _core(self, edge: CoreEdge | None) -> CoreBoundary | None:
        if edge is None:
            return None
        memory = None if edge.memory is None else self._memory(edge.memory)
        realloc = None if edge.realloc is None else self._func(edge.realloc, "cabi_realloc")
        return CoreBoundary(memory, realloc, edge.string_encoding)

    def _lift(self, lift: OuterLift, name: str) -> BoundLift:
        options = lift.options
        bound = BoundOptions(
            options.string_encoding,
            None if options.memory is None else self._memory(options.memory),
            None if options.realloc is None else self._func(options.realloc, "cabi_realloc"),
            None if options.post_return is None else self._func(options.post_return, f"cabi_post_{name}"),
            None if options.callback is None else self._func(options.callback, f"callback {name}"),
            options.async_,
        )
        return BoundLift(lift.lift, self._func(lift.core_func, name), bound)

    def _options(self, options: OuterOptions) -> BoundOptions:
        """Of a lower: everything lies in carriers, if there are any."""
        memory = self._carried_memory(options.memory)
        realloc = None if options.realloc is None else self._early(options.realloc, "cabi_realloc")
        assert options.post_return is None, "only lifts have a post-return"
        return BoundOptions(options.string_encoding, memory, realloc, None, async_=options.async_)

    def _early(self, func: FuncSymbol, wish: str) -> CoreExportRef:
        """A function that a component must name before its main module exists: a forwarder's, if there are any."""
        return self._func(func, wish) if self.carried is None else self.carried.ref(self.symbols.need(func))


def lift_names(graph: LinkedGraph) -> dict[LiftId, str]:
    """The first name under which the outer component exports each lift: `interface#function` or `function`."""
    names: dict[LiftId, str] = {}
    for export in graph.exports:
        for lift, path in _lifts(export.item, ()):
            names.setdefault(lift, "#".join((export.name.name, *path)))
    return names


def _lifts(item: OuterItem, path: tuple[str, ...]) -> Iterator[tuple[LiftId, tuple[str, ...]]]:
    match item:
        case FuncItem(func=LiftFunc(lift)):
            yield lift, path
        case InstanceItem(exports=exports, hidden=hidden):
            for name, inner in (*exports, *hidden):
                yield from _lifts(inner, (*path, name.name))
        case FuncItem() | TypeItem():
            pass
