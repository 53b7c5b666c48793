"""The narrated driver: from identities to one core module, its carriers and its boundary.

Each step uses only what the steps before it made. The point of no return is `Layout`: before it nothing has an
index, after it nothing is added.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import final

from meldpy.merger.bodies import CodeWriter, Moved, referenced_functions, write_emitted, write_guests
from meldpy.merger.boundary import Edge
from meldpy.merger.carriers import carried_funcs, carrier_modules, forwarders_of
from meldpy.merger.consts import Constants
from meldpy.merger.customs import dropped_customs, merged_producers
from meldpy.merger.endings import with_endings
from meldpy.merger.exprs import ExprWriter, merged_globals, merged_memory_type, merged_tables
from meldpy.merger.layout import Layout, space_map
from meldpy.merger.limits import check_sums
from meldpy.merger.names import Names, component_path, memory_names, name_prefixes
from meldpy.merger.outer import HostImports, host_imports
from meldpy.merger.placement import Placement, place
from meldpy.merger.plan import plan_initialisation
from meldpy.merger.protocols import DROPPED, MergeOptions, Reindex, Scan
from meldpy.merger.reach import kept_items
from meldpy.merger.references import references_of
from meldpy.merger.segments import Segments
from meldpy.merger.start import Start, filled_functions, write_start
from meldpy.merger.units import Symbols, units_of
from meldpy.model.code import Adapted
from meldpy.model.core import Code, CoreCustom, CoreFuncIndex, CoreModule, CoreTypeIndex, PlacedCustom, TagType
from meldpy.model.debug import NameStyle
from meldpy.model.facts import Facts
from meldpy.model.fused import FusedModule, MergedUnit
from meldpy.model.ids import CoreInstanceId
from meldpy.model.linked import LinkedGraph
from meldpy.records import dataclass

_LAST_SECTION = 11


def merge(
    graph: LinkedGraph, facts: Facts, adapted: Adapted, reindex: Reindex, scan: Scan, options: MergeOptions
) -> FusedModule:
    """One main module with all live guest code, the runtime library and emitted code, and its carriers.

    `adapted.lowers` and `adapted.builtins` say what live core imports get. Raises LimitError if a sum passes what
    engines accept (`limits`), and InternalError if something live refers to something that analysis found dead.
    """
    # Who is who: core instances with every import replaced by what implements it.
    symbols = Symbols(facts, adapted)
    units = units_of(graph, facts, adapted, symbols, scan)
    references = {unit.module_id: references_of(unit.code) for unit in units}
    # What is copied, and what happens at instantiation, in order.
    kept = kept_items(units, facts.live, adapted, symbols)
    constants = Constants(units)
    plan = plan_initialisation(units, kept, constants, symbols)
    # Where memories and tables live, and what the main module imports.
    hosts = host_imports(graph, adapted, symbols)
    forwarders = forwarders_of(adapted, symbols)
    placement = place(graph, units, kept, plan, adapted, bool(forwarders))
    # Indices for everything but segments; from here on nothing is added.
    layout = Layout(units, kept, adapted, symbols, hosts, placement, references)
    segments = Segments(plan, ExprWriter(layout, constants), placement.main_memories, references)
    segments.fill_forwarders([layout.func(each.func) for each in forwarders])
    segments.declare(
        referenced_functions(adapted.functions, layout, references) | filled_functions(plan.actions, segments)
    )
    # The edge: imports and exports of the main module, as data for the outer component.
    edge = Edge(layout, placement, symbols, carried_funcs(placement, forwarders))
    edge.import_all(hosts)
    boundary = edge.boundary(graph, adapted)
    # All sums, before anything is emitted.
    _check(layout, segments, edge, layout.func_count)
    # The code: guests', ours, and the start function last.
    code = CodeWriter()
    moved = write_guests(layout, segments, reindex, code, options.positions)
    ours = adapted.functions if options.positions else with_endings(adapted.functions, layout, symbols, moved)
    write_emitted(ours, layout, code)
    start = write_start(plan.actions, segments, code)
    _check(layout, segments, edge, len(hosts.imports) + code.count)
    parts = _Parts(adapted, hosts, placement, layout, segments, edge, code, start, name_prefixes(graph, units))
    names = _names(parts, options.names)
    customs = _customs(parts, names, options.version)
    main = _main_module(parts, customs, needs_data_count=any(r.data for r in references.values()))
    carriers = carrier_modules(placement, forwarders, layout, segments, names)
    return FusedModule(
        carriers,
        main,
        boundary,
        merged_units(graph, layout, moved),
        dropped_customs(units),
        memory_names(graph, layout),
    )


@final
@dataclass(frozen=True, slots=True)
class _Parts:
    """What the main module is put together from."""

    adapted: Adapted
    hosts: HostImports
    placement: Placement
    layout: Layout
    segments: Segments
    edge: Edge
    code: CodeWriter
    start: Start
    prefixes: Mapping[CoreInstanceId, str]


def _main_module(parts: _Parts, customs: Sequence[CoreCustom], needs_data_count: bool) -> CoreModule:
    layout, segments, start = parts.layout, parts.segments, parts.start
    start_types = [start.type for _ in start.names if start.type is not None]
    return CoreModule(
        types=tuple(layout.types.groups),
        imports=tuple(parts.edge.imports),
        funcs=tuple([CoreTypeIndex(type_) for type_ in (*layout.own_types(), *start_types)]),
        tables=merged_tables(parts.placement, segments.writer),
        memories=tuple(merged_memory_type(layout, memory) for memory in parts.placement.main_memories),
        tags=_tags(layout),
        globals=merged_globals(layout.units, parts.adapted.flags, segments.writer),
        exports=tuple(parts.edge.exports),
        start=None if start.index is None else CoreFuncIndex(start.index),
        elements=tuple(segments.elems),
        data_count=len(segments.data) if needs_data_count or segments.has_passive_data else None,
        code=Code(parts.code.count, parts.code.join()),
        data=tuple(segments.data),
        customs=tuple(PlacedCustom(_LAST_SECTION, section) for section in customs),
    )


def _names(parts: _Parts, style: NameStyle) -> Names | None:
    if style is NameStyle.NONE:
        return None
    names = Names(parts.layout, parts.segments, parts.prefixes if style is NameStyle.FULL else None)
    names.add_units()
    names.add_ours(parts.hosts, parts.adapted.functions, parts.adapted.flags, parts.start.names)
    return names


def _customs(parts: _Parts, names: Names | None, version: str) -> list[CoreCustom]:
    producers = merged_producers(parts.layout.units, version)
    return [producers] if names is None else [names.section(), producers]


def merged_units(graph: LinkedGraph, layout: Layout, moved: Mapping[CoreInstanceId, Moved]) -> tuple[MergedUnit, ...]:
    """The guests' units whose code was copied, with what their custom sections need to follow it."""
    return tuple(
        MergedUnit(
            unit.module,
            component_path(graph, graph.core_instances[unit.id].instance),
            unit.label,
            unit.location.source,
            [DROPPED] * unit.own_funcs + layout.funcs[unit.id][unit.own_funcs :],
            space_map(layout.globals, unit.globals),
            moved[unit.id].base,
            moved[unit.id].positions,
            graph.instances[graph.core_instances[unit.id].instance].input,
            next((index for index in space_map(layout.memories, unit.memories[:1]) if index != DROPPED), None),
        )
        for unit in layout.units
        if unit.id in moved and not unit.runtime
    )


def _tags(layout: Layout) -> tuple[TagType, ...]:
    """In the order of `layout.tags`."""
    return tuple(
        TagType(CoreTypeIndex(layout.type_map(unit)(tag.type)))
        for unit in layout.units
        for symbol, tag in zip(unit.tags[unit.own_tags :], unit.module.tags, strict=True)
        if symbol in layout.tags
    )


def _check(layout: Layout, segments: Segments, edge: Edge, functions: int) -> None:
    check_sums(
        "the merged module",
        {
            "types": len(layout.types.flat),
            "functions": functions,
            "globals": len(layout.globals),
            "imports": len(edge.imports),
            "exports": len(edge.exports),
            "tags": len(layout.tags),
            "element segments": len(segments.elems),
            "data segments": len(segments.data),
            "memories": len(layout.memories),
            "tables": len(set(layout.tables.values())),
        },
    )
