"""Whether async can pass through: one instance has all of it, and the engine cannot tell that others share its module.

Then nothing about it is ours: its lifts, lowers and built-ins stay canonical definitions of the output's component, and
the engine sees the tasks, sets, streams and futures that it saw. That is exact if

1. nobody else has entries in the output's table, so that the indices are the instance's own;
2. only the host enters its async lifts;
3. fused callers of its functions leave no trace: its context slots are saved, zeroed and restored around such a call
   (`adapter/passing`), and nothing is reached from there that depends on whose task is running, such as blocking;
4. the async functions that the host can call are all its own, since they take one lock;
5. it holds back calls (`backpressure.*`) of its own exports only.

The fourth is stronger than async.md has it, which lets others export functions that never block: a host function that
the instance calls may call such a function back, and find the lock taken. So the fifth never decides alone.

What becomes of async that does not pass through is decided elsewhere: `blocking`, `work`, `partition`. ADR-0065.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import final

from meldpy.analysis.blocking import lifts_of
from meldpy.analysis.effects import CallGraph, Node, backwards
from meldpy.analysis.work import start_func
from meldpy.cabi import Abi, Content, value_types
from meldpy.errors import Location
from meldpy.model.asynchrony import Against, AsyncClass, Asynchrony, Objection
from meldpy.model.builtins import (
    CancelCopy,
    ContextSlot,
    Copy,
    EndType,
    EventPlace,
    FlagImmediate,
    NoImmediates,
    TaskReturn,
    TextOptions,
    ThreadStart,
)
from meldpy.model.canon import BuiltinOp
from meldpy.model.extern import FuncType
from meldpy.model.facts import Live
from meldpy.model.ids import InstanceId
from meldpy.model.linked import AsyncBuiltin, BuiltinFunc, Lift, LiftFunc, LinkedGraph, Lower, LowerFunc
from meldpy.records import replace

_OF_ANY_TASK = frozenset(
    {
        BuiltinOp.SUBTASK_DROP,
        BuiltinOp.WAITABLE_SET_NEW,
        BuiltinOp.WAITABLE_SET_DROP,
        BuiltinOp.WAITABLE_SET_POLL,
        BuiltinOp.WAITABLE_JOIN,
        BuiltinOp.BACKPRESSURE_INC,
        BuiltinOp.BACKPRESSURE_DEC,
        BuiltinOp.ERROR_CONTEXT_DROP,
    }
)
"""Built-ins without types that do the same in whatever task they run, and never wait."""
_BACKPRESSURE = (BuiltinOp.BACKPRESSURE_INC, BuiltinOp.BACKPRESSURE_DEC)


def with_passing(graph: LinkedGraph, live: Live, calls: CallGraph, found: Asynchrony) -> Asynchrony:
    """`found` with the instance whose async can pass through, or what is against it."""
    if found.class_ is AsyncClass.SYNC:
        return found
    return _Question(graph, live, calls).answered(found)


@final
class _Question:
    def __init__(self, graph: LinkedGraph, live: Live, calls: CallGraph) -> None:
        self.graph = graph
        self.calls = calls
        self.contents = Abi().contents
        exported = {lift for export in graph.exports for lift in lifts_of(export.item)}
        self.exports = [lift for lift in graph.lifts if lift.id in exported]
        self.lifts = [lift for lift in graph.lifts if lift.id in exported or lift.id in live.lifts]
        self.lowers = [lower for lower in graph.lowers if lower.id in live.lowers]
        live_builtins = [builtin for builtin in graph.builtins if builtin.id in live.builtins]
        self.builtins = [builtin for builtin in live_builtins if isinstance(builtin, AsyncBuiltin)]

    def answered(self, found: Asynchrony) -> Asynchrony:
        owners: dict[InstanceId, Location] = {}
        for each in self._async():
            owners.setdefault(each.instance, each.location)
        if len(owners) != 1:
            several = (Objection(instance, Against.SEVERAL, location) for instance, location in owners.items())
            return replace(found, against=tuple(several))
        (instance,) = owners
        first: dict[Against, Objection] = {}
        for kind, location in self._against(instance):
            first.setdefault(kind, Objection(instance, kind, location))
        return replace(found, passing=None if first else instance, against=tuple(first.values()))

    def _async(self) -> Iterator[AsyncBuiltin | Lift | Lower]:
        """Whatever is async. Functions of an async type that are lifted and lowered without the option count as
        calls, not as async."""
        yield from self.builtins
        for lift in self.lifts:
            if lift.options.async_ or self._has(lift.type, Content.ASYNC):
                yield lift
        for lower in self.lowers:
            hosts = lower.type.async_ and not isinstance(lower.callee, LiftFunc)
            if hosts or lower.options.async_ or self._has(lower.type, Content.ASYNC):
                yield lower

    def _has(self, type: FuncType, content: Content) -> bool:
        return bool(self.contents.of(value_types(type)) & content)

    # --- the conditions ---------------------------------------------------------------------------------------
    def _against(self, instance: InstanceId) -> Iterator[tuple[Against, Location]]:
        inside = [lower for lower in self.lowers if isinstance(lower.callee, LiftFunc)]
        entered = {lower.callee.lift for lower in inside if isinstance(lower.callee, LiftFunc)}
        for location in self._dealings(instance):
            yield Against.SHARED_TABLE, location
        called = [lift for lift in self.lifts if lift.id in entered]
        crossings: list[Lift | Lower] = [*inside, *called]
        for each in crossings:
            if each.type.async_ or each.options.async_:
                yield Against.CALLED_INSIDE, each.location
        bound = backwards(self.calls.callers, self._bound_to_a_task())
        for lift in called:
            if lift.instance == instance and lift.core_func in bound:
                yield Against.SYNC_CALL, lift.location
        async_ = backwards(self.calls.callers, (BuiltinFunc(builtin.id) for builtin in self.builtins))
        for start, location in self._starts():
            if start in async_:
                yield Against.SYNC_CALL, location
        others = [lift for lift in self.exports if lift.type.async_ and lift.instance != instance]
        for lift in others:
            yield Against.OTHER_EXPORTS, lift.location
        for builtin in self.builtins:
            if others and builtin.op in _BACKPRESSURE:
                yield Against.BACKPRESSURE, builtin.location
            if isinstance(builtin.immediates, ThreadStart):
                yield Against.THREAD_TABLE, builtin.location

    def _dealings(self, instance: InstanceId) -> Iterator[Location]:
        """Where some other instance has handles in the output's table, or exchanges any with this one."""
        for lift in self.exports:
            if lift.instance != instance and self._has(lift.type, Content.HANDLE):
                yield lift.location
        for lower in self.lowers:
            if isinstance(lower.callee, LiftFunc):
                pair = lower.instance, self.graph.lifts[lower.callee.lift].instance
                if instance in pair and self._has(lower.type, Content.HANDLE):
                    yield lower.location
            elif lower.instance != instance and self._has(lower.type, Content.HANDLE):
                yield lower.location

    def _bound_to_a_task(self) -> Iterator[Node]:
        """Lowers and built-ins that do something else, or trap, in a task that was called synchronously."""
        for lower in self.lowers:
            if lower.type.async_ and not lower.options.async_:
                yield LowerFunc(lower.id)
        for builtin in self.builtins:
            if not _is_of_any_task(builtin):
                yield BuiltinFunc(builtin.id)

    def _starts(self) -> Iterator[tuple[Node, Location]]:
        for core in self.graph.core_instances:
            module = self.graph.modules[core.module]
            if module.module.start is not None:
                yield start_func(self.graph, core.id, module.module.start), module.location


def _is_of_any_task(builtin: AsyncBuiltin) -> bool:
    match builtin.immediates:
        case ContextSlot() | EndType() | TextOptions():
            return True
        case Copy(options=options):
            return options.async_
        case CancelCopy(async_=async_):
            return async_
        case EventPlace():
            return builtin.op is BuiltinOp.WAITABLE_SET_POLL
        case FlagImmediate(value):
            return builtin.op is BuiltinOp.SUBTASK_CANCEL and value
        case NoImmediates():
            return builtin.op in _OF_ANY_TASK
        case TaskReturn() | ThreadStart():
            return False
