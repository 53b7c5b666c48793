"""Everything that async adds to one adapt run, in the order in which `adapt` asks for it.

Which crossings become tasks, and which exports roots, is decided here from what `analysis` found; the other modules of
this package write the code.
"""

from __future__ import annotations

from typing import final

from meldpy.adapter.boundary import OuterEdge
from meldpy.adapter.emitter import Emitter, Workshop
from meldpy.adapter.plan import CallSite
from meldpy.adapter.refusals import context_slots, gated_instances, hosted_ends
from meldpy.adapter.symbols import Symbols
from meldpy.adapter.tasks.builtins import AsyncBuiltins
from meldpy.adapter.tasks.calls import emit_deferred_sync, emit_task_call
from meldpy.adapter.tasks.ends import Ends
from meldpy.adapter.tasks.gates import Gates
from meldpy.adapter.tasks.hosts import HostCalls, takes_time
from meldpy.adapter.tasks.machinery import Machinery, Observers
from meldpy.adapter.tasks.outside import Outside
from meldpy.adapter.tasks.roots import Roots
from meldpy.asm import FuncBuilder
from meldpy.cabi import Abi, Content, value_types
from meldpy.model.canon import BuiltinOp
from meldpy.model.code import EmittedFunc
from meldpy.model.core import CoreFuncType
from meldpy.model.facts import Facts
from meldpy.model.ids import InstanceId, LiftId
from meldpy.model.linked import AsyncBuiltin, ImportFunc, Lift, LiftFunc, LinkedGraph, Lower

_RETURNING = (BuiltinOp.TASK_RETURN, BuiltinOp.TASK_CANCEL)
_CONTEXTS = (BuiltinOp.CONTEXT_GET, BuiltinOp.CONTEXT_SET)


@final
class Tasks:
    def __init__(
        self,
        shop: Workshop,
        graph: LinkedGraph,
        facts: Facts,
        symbols: Symbols,
        exported: tuple[LiftId, ...],
        edge: OuterEdge,
        *,
        one_memory: bool,
    ) -> None:
        self._shop = shop
        self._graph = graph
        self._symbols = symbols
        self._found = facts.asynchrony
        self._exported = exported
        self.machinery = Machinery(shop.functions, shop.library, shop.handles, _observers(graph, facts, exported))
        self.outside = Outside(shop.functions, shop.library, shop.handles, self.machinery, one_memory=one_memory)
        self.machinery.events = self.outside.events
        gated = gated_instances(graph, facts)
        passed = {graph.lifts[id].instance for id in exported if graph.lifts[id].type.async_}
        self.gates = self.machinery.gates = Gates(shop, self.machinery, gated, gated & passed)
        hosted = hosted_ends(graph, facts, exported, shop.abi)
        ends = self.machinery.ends = Ends(shop, self.machinery, self.outside, edge, hosted)
        self.builtins = AsyncBuiltins(shop, graph, self.machinery, self.outside, ends, self.gates, symbols)
        self.roots = Roots(shop, graph, self.machinery, self.outside, symbols, edge)
        self.hosts = HostCalls(shop, graph, self.machinery, self.outside, symbols, edge)

    def is_root(self, lift: Lift) -> bool:
        """Whether an exported lift becomes an async callback lift: it waits, blocks, or leaves something to do."""
        found = self._found
        return lift.type.async_ and (lift.id in found.working or lift.instance in found.reaching)

    def is_plain(self, lower: Lower, lift: Lift) -> bool:
        """Whether nothing about a call could tell that there is async around it."""
        observed = self.machinery.observes(lift.instance) or lift.instance in self.machinery.locks
        waits = lower.type.async_ and lift.instance in self.gates
        return not (lower.options.async_ or lift.options.async_ or observed or waits)

    def is_task(self, lower: Lower, lift: Lift) -> bool:
        """Whether a call may become a task, and is not a matter of one trampoline alone."""
        deferred = lower.type.async_ and lower.options.async_ and lift.instance in self.gates
        return lift.options.async_ or deferred

    def host_call(self, lower: Lower) -> EmittedFunc | None:
        """The function behind a lower of an imported function that may take its time; None for any other."""
        return self.hosts.symbol(lower) if takes_time(lower) else None

    def know_all(self) -> None:
        """Number what must be known before code is written: every lower and built-in has its symbol by now."""
        for id in self._exported:
            if self.is_root(self._graph.lifts[id]):
                self.roots.know(self._graph.lifts[id])

    def call(self, symbol: EmittedFunc, site: CallSite, lift: Lift) -> None:
        """The trampoline of a call that becomes a task."""
        if not lift.options.async_:
            number = self.machinery.number(lift.id, lift.instance, None)
            emit_deferred_sync(self._shop, self.machinery, self.gates, symbol, site, number)
            return
        assert lift.options.callback is not None, "stackful lifts were refused"
        number = self.machinery.number(lift.id, lift.instance, self._symbols.final(lift.options.callback))
        emit_task_call(self._shop, self.machinery, self.gates, symbol, site, number)

    def finish(self) -> None:
        """Built-ins, then what the runtime calls: all tasks are known."""
        self.builtins.finish()

        def new_emitter(name: str, type: CoreFuncType) -> Emitter:
            return Emitter(self._shop, FuncBuilder(name, type))

        self.hosts.finish_heard()
        self.outside.finish(new_emitter)
        self.gates.finish(new_emitter)
        self.machinery.finish(new_emitter)


def waiting_instances(graph: LinkedGraph, facts: Facts, exported: tuple[LiftId, ...], abi: Abi) -> set[InstanceId]:
    """The instances with handles of tasks, sets, streams or futures."""
    live = facts.live
    found = {
        builtin.instance
        for builtin in graph.builtins
        if isinstance(builtin, AsyncBuiltin) and builtin.id in live.builtins and builtin.op not in _CONTEXTS
    }
    for lift in graph.lifts:
        called = lift.id in live.lifts or lift.id in exported
        if called and (lift.options.async_ or abi.contents.of(value_types(lift.type)) & Content.ASYNC):
            found.add(lift.instance)
    for lower in graph.lowers:
        fused = lower.id in live.lowers and isinstance(lower.callee, LiftFunc)
        hosted = lower.id in live.lowers and isinstance(lower.callee, ImportFunc)
        if hosted and (lower.options.async_ or abi.contents.of(value_types(lower.type)) & Content.ASYNC):
            found.add(lower.instance)
        if fused and (lower.options.async_ or abi.contents.of(value_types(lower.type)) & Content.ASYNC):
            found.add(lower.instance)
    if facts.asynchrony.reaching or facts.asynchrony.working:
        # a root's cell names its instance's table
        found.update(graph.lifts[id].instance for id in exported if graph.lifts[id].type.async_)
    return found


def _observers(graph: LinkedGraph, facts: Facts, exported: tuple[LiftId, ...]) -> Observers:
    live, found = facts.live, facts.asynchrony
    returning = {
        builtin.instance
        for builtin in graph.builtins
        if isinstance(builtin, AsyncBuiltin) and builtin.id in live.builtins and builtin.op in _RETURNING
    }
    called = {
        graph.lifts[lower.callee.lift].instance
        for lower in graph.lowers
        if lower.id in live.lowers and isinstance(lower.callee, LiftFunc) and lower.type.async_
    }
    locked = (found.blocking & called) - {found.base}
    exporting = {graph.lifts[id].instance for id in exported if graph.lifts[id].type.async_}
    return Observers(
        contexts=context_slots(graph, facts),
        returning=frozenset(returning),
        blocking=found.reaching,
        locked=frozenset(locked),
        cancelling=found.cancelling,
        exporting=frozenset(exporting),
    )
