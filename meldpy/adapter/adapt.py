"""`adapt`: code for every crossing of a component boundary.

Between fused instances a crossing is a call site, one lower paired with one lift, and becomes a trampoline. At the
outer edge it stays a canon definition of the output's component, with stubs where flags are alive. What cannot be
done faithfully is refused before anything is written. Nothing here knows an index: bodies hold symbols, and `merge`
lays them out.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final, final

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
    run = _Run(graph, facts, runtime, opaque, exported, passing, abi, target, core=core)
    run.shop.tell_values = tell_values
    run.name()
    run.emit()
    return run.adapted()


@final
class _Run:
    """One run, in the order of its methods: to decide who keeps which handle table and which flags are alive; to name
    every live lower and built-in, since any body may call any of them; to write the bodies; to take stock.
    """

    def __init__(
        self,
        graph: LinkedGraph,
        facts: Facts,
        runtime: RuntimeLibrary,
        opaque: Collection[ResourceId],
        exported: tuple[LiftId, ...],
        passing: InstanceId | None,
        abi: Abi,
        target: Target,
        *,
        core: bool,
    ) -> None:
        self._graph, self._facts, self._exported, self._passing = graph, facts, exported, passing
        self._abi, self._target, self._core = abi, target, core
        found = facts.asynchrony
        nameless = nameless_resources(graph) if core else frozenset()
        waiting = waiting_instances(graph, facts, exported, abi) if passing is None else ()
        crowded = passing is None and bool(found.reaching or found.working)
        self._tables = handle_tables(
            graph, facts, exported, abi, opaque, nameless, waiting, crowded=crowded, passing=passing
        )
        symbols = self._symbols = Symbols(facts.forwards)
        functions = self._functions = Functions()
        library = self._library = Instances(runtime, len(graph.modules), len(graph.core_instances))
        # a core output's host sees the memory where values wait; addresses of tasks, in that of tables, must not move
        beside = not core and (passing is not None or found.class_ is AsyncClass.SYNC)
        handles = Handles(graph, self._tables, functions, library, abi.keys, beside=beside)
        labels = {instance.id: instance.label for instance in graph.instances}
        self._leaving = leaving_instances(graph, facts, exported, symbols, abi)
        flags = {id: functions.flag(f"may_leave of {labels[id]}", 1) for id in self._leaving}
        labels |= {handles.outer: "the host", handles.nobody: "nobody"}
        shop = Workshop(abi, functions, library, handles, facts.may_throw, flags, labels, translate, target.vectors)
        self.shop = shop
        self._edge = OuterEdge(shop, graph, symbols)
        self._builtins = TableBuiltins(shop, graph, symbols)
        self._tasks: Tasks | None = None
        if passing is not None:
            shop.passing = Passing(graph, facts, symbols, self._edge, passing)
        elif found.class_ is not AsyncClass.SYNC:
            self._tasks = Tasks(shop, graph, facts, symbols, exported, self._edge, one_memory=core)
            shop.tasks = self._tasks.machinery
        self._calls, self._host_calls = _live_lowers(graph, facts)
        self._names = lifted_names(graph)
        self._sites: dict[LowerId, EmittedFunc] = {}
        self._crossings: list[Crossing] = []
        self._one_memory = OneMemory(shop, graph, symbols, self._edge.shims, self._tasks) if core else None

    def name(self) -> None:
        if self._one_memory is not None:
            self._one_memory.decide([self._graph.lifts[id] for id in self._exported], self._host_calls)
        for lower in self._calls:
            lift = self._callee(lower)
            func = self._symbols.lowers[lower.id] = self._site(lower, lift)
            task = self._tasks is not None and lift.options.async_
            self._crossings.append(Crossing(lower.id, lift.id, self._names[lift.id], func, task))
        for lower in self._host_calls:
            slow = None if self._tasks is None else self._tasks.host_call(lower)
            self._symbols.lowers[lower.id] = self._edge.host_call(lower) if slow is None else slow
        for builtin in self._graph.builtins:
            if builtin.id in self._facts.live.builtins:
                self._symbols.builtins[builtin.id] = self._builtin(builtin)
        if self._tasks is not None:
            self._tasks.know_all()

    def emit(self) -> None:
        """The trampolines, each followed by the helpers it is the first to ask for; built-ins; shims of host calls."""
        for lower in self._calls:
            if lower.id not in self._sites:
                continue
            with located(lower.location):
                lift = self._callee(lower)
                site = plan(self._graph, lower, lift, self._names[lift.id], self._symbols, self._abi, self.shop.handles)
                if self._tasks is not None and self._tasks.is_task(lower, lift):
                    self._tasks.call(self._sites[lower.id], site, lift)
                else:
                    emit_trampoline(self.shop, self._sites[lower.id], site)
                self.shop.finish()
        self._builtins.finish()
        self._edge.finish()
        if self._tasks is not None:
            self._tasks.hosts.finish()

    def adapted(self) -> Adapted:
        """The outer edge too, whose wrappers are functions: nothing is collected before all of it is made."""
        lowers = tuple(self._outer_lower(lower) for lower in self._host_calls)
        lifts = tuple(self._outer_lift(self._graph.lifts[id]) for id in self._exported)
        outer = outer_resources(self._graph, self._facts, self._exported, self._abi, self._tables)
        resources = tuple(map(self._edge.outer_resource, outer))
        if self._tasks is not None:
            self._tasks.finish()
        outer_async = self._outer_async()
        core = None
        if self._one_memory is not None:
            core = replace(self._one_memory.edge(lifts, lowers, outer_async), one_table=not self._target.tables)
        shop, functions, library = self.shop, self._functions, self._library
        often, helpers = shop.reallocs.values(), shop.outlined.values()
        written = inline(functions.functions, library, often, helpers, shop.seldom, self._target)
        if self._core or self._tasks is not None:
            # The async runtime works in these memories everywhere; those of a core output may become one, side by side.
            library.open(FIRST_PAGES)
        return Adapted(
            functions=written,
            flags=functions.flags,
            modules=library.modules,
            runtime=library.instances,
            lowers=self._symbols.lowers,
            builtins=self._symbols.builtins,
            outer_lifts=lifts,
            outer_lowers=lowers,
            outer_builtins=shop.handles.outer_builtins,
            outer_resources=resources,
            opaque_reps=self._tables.opaque,
            core=core,
            outer_async=outer_async,
            crossings=tuple(self._crossings),
            passing=self._passing,
        )

    # --- one of each ------------------------------------------------------------------------------------------
    def _callee(self, lower: Lower) -> Lift:
        assert isinstance(lower.callee, LiftFunc)
        return self._graph.lifts[lower.callee.lift]

    def _site(self, lower: Lower, lift: Lift) -> FuncSymbol:
        """What a call site calls: the callee itself, where a trampoline would do nothing, or a trampoline to come."""
        plain = self.shop.passing is None or self.shop.passing.is_plain(lift.instance)
        if plain and (self._tasks is None or self._tasks.is_plain(lower, lift)):
            callee = direct_callee(self._graph, lower, lift, self._symbols, self._facts, self._leaving, self._abi)
            if callee is not None:
                return callee
        site = self._sites[lower.id] = self._functions.reserve()
        return site

    def _builtin(self, builtin: Builtin) -> FuncSymbol:
        """Whose function it is: the engine's or of emitted tasks, if it is one of async; else of a table of ours, or
        the outer component's.
        """
        if isinstance(builtin, AsyncBuiltin):
            if self.shop.passing is not None:
                return self.shop.passing.symbol(builtin)
            assert self._tasks is not None
            return self._tasks.builtins.symbol(builtin)
        if self.shop.handles.has_table(builtin.instance):
            return self._builtins.symbol(builtin)
        return self._edge.builtin_call(builtin)

    def _outer_lift(self, lift: Lift) -> OuterLift:
        if self._tasks is not None and self._tasks.is_root(lift):
            with located(lift.location):
                return self._tasks.roots.outer_lift(lift, self._edge.realloc_of(lift))
        return self._edge.outer_lift(lift)

    def _outer_lower(self, lower: Lower) -> OuterLower:
        if self._tasks is not None and takes_time(lower):
            return self._tasks.hosts.outer_lower(lower)
        return self._edge.outer_lower(lower)

    def _outer_async(self) -> tuple[OuterAsyncFunc, ...]:
        if self.shop.passing is not None:
            return tuple(self.shop.passing.outer)
        return () if self._tasks is None else tuple(self._tasks.machinery.outer)


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


def _live_lowers(graph: LinkedGraph, facts: Facts) -> tuple[list[Lower], list[Lower]]:
    """The live lowers of lifted functions, and those of imported ones."""
    live = [lower for lower in graph.lowers if lower.id in facts.live.lowers]
    calls = [lower for lower in live if isinstance(lower.callee, LiftFunc)]
    return calls, [lower for lower in live if not isinstance(lower.callee, LiftFunc)]
