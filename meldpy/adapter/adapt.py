"""`adapt`: code for every crossing of a component boundary.

Between fused instances a crossing is a call site, one lower paired with one lift, and becomes a trampoline. At the
outer edge it stays a canon definition of the output's component, with stubs where flags are alive. What cannot be
done faithfully is refused before anything is written. Nothing here knows an index: bodies hold symbols, and `merge`
lays them out.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from meldpy.adapter.boundary import OuterEdge, located
from meldpy.adapter.builtins import TableBuiltins
from meldpy.adapter.emitter import Workshop
from meldpy.adapter.exports import exported_lifts
from meldpy.adapter.flags import leaving_instances
from meldpy.adapter.forms import unsupported_forms
from meldpy.adapter.functions import Functions
from meldpy.adapter.handles import Handles
from meldpy.adapter.inline import inline
from meldpy.adapter.library import Instances, RuntimeLibrary
from meldpy.adapter.naming import lifted_names
from meldpy.adapter.one_memory import OneMemory, nameless_resources
from meldpy.adapter.passing import Passing
from meldpy.adapter.plan import plan
from meldpy.adapter.refusals import refuse_unsupported, unsupported
from meldpy.adapter.resources import handle_tables, outer_resources
from meldpy.adapter.symbols import Symbols
from meldpy.adapter.tasks import Tasks, takes_time, waiting_instances
from meldpy.adapter.trampoline import emit_trampoline
from meldpy.adapter.translate import translate
from meldpy.adapter.trivial import direct_callee
from meldpy.cabi import Abi
from meldpy.model.asynchrony import AsyncClass
from meldpy.model.code import Adapted, Crossing, EmittedFunc, FuncSymbol, OuterAsyncFunc, OuterLift, OuterLower, Target
from meldpy.model.facts import Facts
from meldpy.model.ids import InstanceId, LiftId, LowerId, ResourceId
from meldpy.model.linked import AsyncBuiltin, Builtin, Lift, LiftFunc, LinkedGraph, Lower
from meldpy.records import replace
from meldpy.runtime import FIRST_PAGES

_ANY: Final = Target()


def adapt(
    graph: LinkedGraph,
    facts: Facts,
    runtime: RuntimeLibrary,
    opaque: Collection[ResourceId] = frozenset(),
    *,
    core: bool = False,
    passes_first: bool = False,
    target: Target = _ANY,
    tell_values: bool = False,
) -> Adapted:
    """Everything that a linked graph needs beside its own core modules. `runtime`: the runtime library by name;
    `opaque`: the resource types whose reps are declared to be opaque numbers (see `resources`); `core`: for a core
    output (see `one_memory`); `passes_first`: async passes through where it can, also if emitted code could carry it;
    `target`: what code may use (`runtime` too); `tell_values`: whether a trap tells the values that broke its
    rule (see `told_values`).

    Raises UnsupportedError for what is reached and cannot be fused (`refusals`).
    """
    abi = Abi()
    exported = exported_lifts(graph)
    passing = _passing(graph, facts, exported, abi, passes_first)
    for _, error in unsupported_forms(graph, facts, exported):
        raise error

    # Decide: who keeps which handle table, and which flags are alive.
    found = facts.asynchrony
    nameless = nameless_resources(graph) if core else frozenset()
    waiting = waiting_instances(graph, facts, exported, abi) if passing is None else ()
    crowded = passing is None and bool(found.reaching or found.working)
    tables = handle_tables(graph, facts, exported, abi, opaque, nameless, waiting, crowded=crowded, passing=passing)
    symbols = Symbols(facts.forwards)
    functions = Functions()
    labels = {instance.id: instance.label for instance in graph.instances}
    leaving = leaving_instances(graph, facts, exported, symbols, abi)
    leave_flags = {id: functions.flag(f"may_leave of {labels[id]}", 1) for id in leaving}
    library = Instances(runtime, len(graph.modules), len(graph.core_instances))
    handles = Handles(graph, tables, functions, library, abi.keys)
    labels |= {handles.outer: "the host", handles.nobody: "nobody"}
    shop = Workshop(abi, functions, library, handles, facts.may_throw, leave_flags, labels, translate, target.vectors)
    shop.tell_values = tell_values
    edge = OuterEdge(shop, graph, symbols)
    inner_builtins = TableBuiltins(shop, graph, symbols)
    tasks: Tasks | None = None
    if passing is not None:
        shop.passing = Passing(graph, facts, symbols, edge, passing)
    elif found.class_ is not AsyncClass.SYNC:
        tasks = Tasks(shop, graph, facts, symbols, exported, edge, one_memory=core)
        shop.tasks = tasks.machinery

    # Name: every live lower and built-in gets its function before any body that might call it is written.
    calls, host_calls = _live_lowers(graph, facts)
    one_memory = OneMemory(shop, graph, symbols, edge.shims, tasks) if core else None
    if one_memory is not None:
        one_memory.decide([graph.lifts[id] for id in exported], host_calls)
    sites: dict[LowerId, EmittedFunc] = {}
    names = lifted_names(graph)
    crossings: list[Crossing] = []
    for lower in calls:
        assert isinstance(lower.callee, LiftFunc)
        lift = graph.lifts[lower.callee.lift]
        callee = None
        if (tasks is None or tasks.is_plain(lower, lift)) and _is_plain(shop, lift):
            callee = direct_callee(graph, lower, lift, symbols, facts, leaving, abi)
        if callee is None:
            sites[lower.id] = functions.reserve()
        func = symbols.lowers[lower.id] = sites[lower.id] if callee is None else callee
        task = tasks is not None and lift.options.async_
        crossings.append(Crossing(lower.id, lift.id, names[lift.id], func, task))
    for lower in host_calls:
        slow = None if tasks is None else tasks.host_call(lower)
        symbols.lowers[lower.id] = edge.host_call(lower) if slow is None else slow
    builtins = _live_builtins(graph, facts)
    for builtin in builtins:
        symbols.builtins[builtin.id] = _builtin_symbol(builtin, shop, inner_builtins, edge, tasks)
    if tasks is not None:
        tasks.know_all()

    # Emit: the trampolines, each followed by the helpers it is the first to ask for; built-ins; shims of host calls.
    for lower in (lower for lower in calls if lower.id in sites):
        assert isinstance(lower.callee, LiftFunc)
        with located(lower.location):
            lift = graph.lifts[lower.callee.lift]
            site = plan(graph, lower, lift, names[lift.id], symbols, abi, handles)
            if tasks is not None and tasks.is_task(lower, lift):
                tasks.call(sites[lower.id], site, lift)
            else:
                emit_trampoline(shop, sites[lower.id], site)
            shop.finish()
    inner_builtins.finish()
    edge.finish()
    if tasks is not None:
        tasks.hosts.finish()

    # The outer edge, whose wrappers are functions too: nothing is collected before all of it is made.
    outer_lowers = tuple(_outer_lower(lower, edge, tasks) for lower in host_calls)
    outer_lifts = tuple(_outer_lift(graph.lifts[id], edge, tasks) for id in exported)
    resources = tuple(edge.outer_resource(id) for id in outer_resources(graph, facts, exported, abi, tables))
    if tasks is not None:
        tasks.finish()
    outer_async = _outer_async(shop)
    core_edge = None
    if one_memory is not None:
        core_edge = replace(one_memory.edge(outer_lifts, outer_lowers, outer_async), one_table=not target.tables)
    often, helpers = shop.reallocs.values(), shop.outlined.values()
    written = inline(functions.functions, library, often, helpers, shop.seldom, target)
    if core or tasks is not None:
        # The async runtime works in these memories everywhere; those of a core output may become one, side by side.
        library.open(FIRST_PAGES)
    return Adapted(
        functions=written,
        flags=functions.flags,
        modules=library.modules,
        runtime=library.instances,
        lowers=symbols.lowers,
        builtins=symbols.builtins,
        outer_lifts=outer_lifts,
        outer_lowers=outer_lowers,
        outer_builtins=handles.outer_builtins,
        outer_resources=resources,
        opaque_reps=tables.opaque,
        core=core_edge,
        outer_async=outer_async,
        crossings=tuple(crossings),
        passing=passing,
    )


def _passing(
    graph: LinkedGraph, facts: Facts, exported: tuple[LiftId, ...], abi: Abi, passes_first: bool
) -> InstanceId | None:
    """The instance whose async passes through to the engine; None if emitted code carries what there is.

    Raises UnsupportedError if there is async of neither kind.
    """
    if facts.asynchrony.passing is not None:
        if passes_first or any(True for _ in unsupported(graph, facts, exported, abi)):
            return facts.asynchrony.passing
        return None
    refuse_unsupported(graph, facts, exported, abi)
    return None


def _is_plain(shop: Workshop, lift: Lift) -> bool:
    return shop.passing is None or shop.passing.is_plain(lift.instance)


def _outer_async(shop: Workshop) -> tuple[OuterAsyncFunc, ...]:
    if shop.passing is not None:
        return tuple(shop.passing.outer)
    return () if shop.tasks is None else tuple(shop.tasks.outer)


def _outer_lift(lift: Lift, edge: OuterEdge, tasks: Tasks | None) -> OuterLift:
    if tasks is not None and tasks.is_root(lift):
        with located(lift.location):
            return tasks.roots.outer_lift(lift, edge.realloc_of(lift))
    return edge.outer_lift(lift)


def _outer_lower(lower: Lower, edge: OuterEdge, tasks: Tasks | None) -> OuterLower:
    slow = tasks is not None and takes_time(lower)
    return tasks.hosts.outer_lower(lower) if tasks is not None and slow else edge.outer_lower(lower)


def _live_lowers(graph: LinkedGraph, facts: Facts) -> tuple[list[Lower], list[Lower]]:
    """The live lowers of lifted functions, and those of imported ones."""
    live = [lower for lower in graph.lowers if lower.id in facts.live.lowers]
    calls = [lower for lower in live if isinstance(lower.callee, LiftFunc)]
    return calls, [lower for lower in live if not isinstance(lower.callee, LiftFunc)]


def _live_builtins(graph: LinkedGraph, facts: Facts) -> list[Builtin]:
    return [builtin for builtin in graph.builtins if builtin.id in facts.live.builtins]


def _builtin_symbol(
    builtin: Builtin, shop: Workshop, inner: TableBuiltins, edge: OuterEdge, tasks: Tasks | None
) -> FuncSymbol:
    """Whose function it is: the engine's or of emitted tasks, if it is one of async; else of a table of ours, or the
    outer component's."""
    if isinstance(builtin, AsyncBuiltin):
        if shop.passing is not None:
            return shop.passing.symbol(builtin)
        assert tasks is not None
        return tasks.builtins.symbol(builtin)
    return inner.symbol(builtin) if shop.handles.has_table(builtin.instance) else edge.builtin_call(builtin)
