"""The class of a linked graph: where its tasks can block on a stack, and whether one stack is enough for that.

The unit is the component instance: an instance with a blocking site that something reaches may block in any of its
tasks. That errs on the safe side.

**Sites.** A synchronous lower of an async function blocks while the callee's task has not returned. It never does if
the callee is a sync lift, or a callback lift whose function can only say EXIT (`exits`), that cannot block either and
is certain to start at once: no backpressure, and an instance lock that is free because nobody who is in the middle of a
call there can be waiting below. A lock is held only while guest code runs, or by a blocked stack; so where none blocks
it is free unless the call came round in a circle.

**Bases.** A blocked stack begins in a task that was not called synchronously: from the host, by an async lower, or as a
callback out of an event loop. (A sync-typed task traps where it would block, so it is none; `synchronous` looks at
what may happen before.) It continues through synchronous lowers only. If all stacks begin in one instance, that
instance's lock admits one at a time.

**Cancels.** A synchronous `subtask.cancel` returns at once if the callee obeys, which no analysis can know; but guests
of the usual toolchains do, since they let go of what they were doing. So a graph that is F0 or F1 but for its cancels
is of that class *as long as they are obeyed*: emitted code waits for one that is not where that is exact, and traps
where it is not. A callee without `task.cancel` cannot obey, and its callers' cancels count as what they are.

Not decided here: what is done about a class (adapter, wrapper), and features that no class can carry.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import final

from meldpy.analysis.exits import Exits
from meldpy.cabi import Abi, Content, value_types
from meldpy.model.asynchrony import AsyncClass, Asynchrony, BlockingSite, Deciding, Obstacle, SiteKind
from meldpy.model.builtins import CancelCopy, Copy, FlagImmediate
from meldpy.model.canon import BuiltinOp
from meldpy.model.facts import Live
from meldpy.model.ids import InstanceId, LiftId
from meldpy.model.linked import (
    AsyncBuiltin,
    BuiltinFunc,
    FuncItem,
    ImportFunc,
    InstanceItem,
    Lift,
    LiftFunc,
    LinkedGraph,
    Lower,
    LowerFunc,
    OuterItem,
    ResourceBuiltin,
)
from meldpy.records import replace

_THREADS = frozenset(
    {
        BuiltinOp.THREAD_NEW_INDIRECT,
        BuiltinOp.THREAD_RESUME_LATER,
        BuiltinOp.THREAD_SUSPEND,
        BuiltinOp.THREAD_SUSPEND_THEN_RESUME,
        BuiltinOp.THREAD_YIELD_THEN_RESUME,
        BuiltinOp.THREAD_SUSPEND_THEN_PROMOTE,
        BuiltinOp.THREAD_YIELD_THEN_PROMOTE,
        BuiltinOp.THREAD_SPAWN_REF,
        BuiltinOp.THREAD_SPAWN_INDIRECT,
    }
)


def classify(graph: LinkedGraph, live: Live, exits: Exits) -> Asynchrony:
    """The class of `graph`, from what is live; `exits`: which tasks are over when their first activation ends."""
    return _Classifier(graph, live, exits).run()


@final
class _Classifier:
    def __init__(self, graph: LinkedGraph, live: Live, exits: Exits) -> None:
        self.graph = graph
        self.exits = exits
        self.abi = Abi()
        self.exported = [lift for export in graph.exports for lift in lifts_of(export.item)]
        self.lifts = [lift for lift in graph.lifts if lift.id in live.lifts or lift.id in self.exported]
        self.lowers = [lower for lower in graph.lowers if lower.id in live.lowers]
        live_builtins = [builtin for builtin in graph.builtins if builtin.id in live.builtins]
        self.builtins = [builtin for builtin in live_builtins if isinstance(builtin, AsyncBuiltin)]
        self.calls = _Calls(graph, self.lowers, [b for b in live_builtins if isinstance(b, ResourceBuiltin)])

    def run(self) -> Asynchrony:
        if not self._is_async():
            return Asynchrony(AsyncClass.SYNC)
        circles = [
            Deciding(Obstacle.CIRCLE, lower.instance, lower.location)
            for lower in self.lowers
            if lower.type.async_
            and isinstance(lower.callee, LiftFunc)
            and self.calls.reaches(self.graph.lifts[lower.callee.lift].instance, lower.instance)
        ]
        found = self._class(circles, obeyed=False)
        cancelling = {each.instance for each in found.sites if each.kind is SiteKind.CANCEL_SUBTASK}
        if found.class_ is not AsyncClass.F2 or not cancelling or not all(map(self._can_be_obeyed, cancelling)):
            return found
        hoped = self._class(circles, obeyed=True)
        if hoped.class_ is AsyncClass.F2:
            return found
        on_stacks = self._reaching(frozenset(cancelling) | hoped.blocking)
        return replace(hoped, reaching=hoped.reaching | on_stacks, cancelling=on_stacks)

    def _class(self, circles: list[Deciding], *, obeyed: bool) -> Asynchrony:
        """The class; obeyed: if no synchronous cancel of a subtask has to wait."""
        sites = (*self._sync_lowers(own := list(self._builtin_sites(obeyed=obeyed))), *own)
        blocking = {site.instance for site in sites if not site.benign}
        if not blocking and not circles:
            return Asynchrony(AsyncClass.F0, sites)
        frozen = frozenset(blocking)
        reaching = self._reaching(frozen)
        base, deciding = self._base(sites, blocking)
        deciding += circles
        if deciding:
            first: dict[tuple[Obstacle, InstanceId], Deciding] = {}
            for each in deciding:
                first.setdefault((each.obstacle, each.instance), each)
            return Asynchrony(AsyncClass.F2, sites, None, tuple(first.values()), frozen, reaching)
        return Asynchrony(AsyncClass.F1, sites, base, (), frozen, reaching)

    def _reaching(self, instances: frozenset[InstanceId]) -> frozenset[InstanceId]:
        return frozenset(each.id for each in self.graph.instances if self.calls.from_(each.id) & instances)

    def _can_be_obeyed(self, instance: InstanceId) -> bool:
        """Whether all that an instance could cancel has a way to say that it is cancelled."""
        obeying = {builtin.instance for builtin in self.builtins if builtin.op is BuiltinOp.TASK_CANCEL}
        for lower in self.lowers:
            if lower.instance == instance and lower.options.async_ and isinstance(lower.callee, LiftFunc):
                callee = self.graph.lifts[lower.callee.lift]
                waits = callee.options.async_ and not self.exits.at_once(callee)
                if waits and callee.instance not in obeying:
                    return False
        return True

    def _is_async(self) -> bool:
        definitions: list[Lift | Lower] = [*self.lifts, *self.lowers]
        return (
            bool(self.builtins)
            or any(each.type.async_ or each.options.async_ for each in definitions)
            or any(self.abi.contents.of(value_types(each.type)) & Content.ASYNC for each in definitions)
        )

    # --- sites ------------------------------------------------------------------------------------------------
    def _builtin_sites(self, *, obeyed: bool) -> Iterator[BlockingSite]:
        for builtin in self.builtins:
            kind, benign = self._blocks(builtin)
            benign |= obeyed and kind is SiteKind.CANCEL_SUBTASK
            if kind is not None:
                yield BlockingSite(kind, builtin.instance, BuiltinFunc(builtin.id), builtin.location, benign)

    def _blocks(self, builtin: AsyncBuiltin) -> tuple[SiteKind | None, bool]:
        """How a built-in can block, and whether that is benign."""
        match builtin.op, builtin.immediates:
            case BuiltinOp.WAITABLE_SET_WAIT, _:
                return SiteKind.WAIT, False
            case BuiltinOp.THREAD_YIELD, _:
                return SiteKind.YIELD, False
            case op, _ if op in _THREADS:
                return SiteKind.THREAD, False
            case _, Copy(options=options) if not options.async_:
                return SiteKind.COPY, False
            case BuiltinOp.SUBTASK_CANCEL, FlagImmediate(False):
                return SiteKind.CANCEL_SUBTASK, False
            case _, CancelCopy(async_=False):
                # between fused instances it is over at once, and for the host's answer the engine waits
                return SiteKind.CANCEL_COPY, True
            case _:
                return None, False

    def _sync_lowers(self, others: list[BlockingSite]) -> list[BlockingSite]:
        """The synchronous lowers that can block, given the other sites."""
        blocking = {site.instance for site in others if not site.benign}
        gated = {builtin.instance for builtin in self.builtins if builtin.op is BuiltinOp.BACKPRESSURE_INC}
        lowers = [lower for lower in self.lowers if lower.type.async_ and not lower.options.async_]
        found: dict[Lower, None] = {}
        while True:
            new = [lower for lower in lowers if lower not in found and self._may_block(lower, blocking, gated)]
            if not new:
                break
            found.update(dict.fromkeys(new))
            blocking.update(lower.instance for lower in new)
        ordered = [lower for lower in lowers if lower in found]
        return [
            BlockingSite(SiteKind.SYNC_LOWER, lower.instance, LowerFunc(lower.id), lower.location) for lower in ordered
        ]

    def _may_block(self, lower: Lower, blocking: set[InstanceId], gated: set[InstanceId]) -> bool:
        match lower.callee:
            case ImportFunc():
                return True
            case LiftFunc(lift):
                callee = self.graph.lifts[lift]
                instance = callee.instance
                starts = instance not in gated and not self.calls.reaches(instance, lower.instance)
                waits = callee.options.async_ and not self.exits.at_once(callee)
                return waits or not starts or bool(blocking & self.calls.from_(instance))

    # --- bases ------------------------------------------------------------------------------------------------
    def _base(
        self, sites: tuple[BlockingSite, ...], blocking: set[InstanceId]
    ) -> tuple[InstanceId | None, list[Deciding]]:
        """The instance where all blocked stacks begin, or what speaks against there being one."""
        deciding = [
            Deciding(Obstacle.THREADS, site.instance, site.location) for site in sites if site.kind is SiteKind.THREAD
        ]
        bases: dict[InstanceId, Lift] = {}
        called: dict[LiftId, Lower] = {}
        for lower in self.lowers:
            if lower.type.async_ and lower.options.async_ and isinstance(lower.callee, LiftFunc):
                called[lower.callee.lift] = lower
        for lift in self.lifts:
            if not lift.type.async_ or lift.instance not in blocking:
                continue
            if lift.id in called:
                deciding.append(Deciding(Obstacle.ASYNC_CALLEE, lift.instance, called[lift.id].location))
            if lift.options.async_ and lift.options.callback is None:
                deciding.append(Deciding(Obstacle.STACKFUL, lift.instance, lift.location))
            if lift.id in self.exported or lift.id in called or lift.options.callback is not None:
                bases.setdefault(lift.instance, lift)
        ordered = sorted(bases)
        deciding += [Deciding(Obstacle.TWO_BASES, other, bases[other].location) for other in ordered[1:]]
        base = ordered[0] if ordered else None
        for lift in self.lifts:
            # where only sync-typed tasks get to a site, all of them trap there
            if base is not None and lift.id in self.exported and lift.type.async_ and lift.instance != base:
                deciding.append(Deciding(Obstacle.OTHER_EXPORTS, lift.instance, lift.location))
        return base, deciding


@final
class _Calls:
    """Which instance can be running in the middle of a call that another one made."""

    def __init__(self, graph: LinkedGraph, lowers: list[Lower], builtins: list[ResourceBuiltin]) -> None:
        self._callees: dict[InstanceId, set[InstanceId]] = {}
        for lower in lowers:
            if isinstance(lower.callee, LiftFunc):
                self._callees.setdefault(lower.instance, set()).add(graph.lifts[lower.callee.lift].instance)
        for builtin in builtins:
            definer = graph.resources[builtin.resource].definer
            if builtin.op == "drop" and definer is not None:
                self._callees.setdefault(builtin.instance, set()).add(definer)
        self._known: dict[InstanceId, frozenset[InstanceId]] = {}

    def from_(self, instance: InstanceId) -> frozenset[InstanceId]:
        """`instance` and whatever it can call, through any number of others."""
        found = self._known.get(instance)
        if found is None:
            seen = {instance}
            pending = [instance]
            while pending:
                for callee in self._callees.get(pending.pop(), ()):
                    if callee not in seen:
                        seen.add(callee)
                        pending.append(callee)
            found = self._known[instance] = frozenset(seen)
        return found

    def reaches(self, instance: InstanceId, other: InstanceId) -> bool:
        return other in self.from_(instance)


def lifts_of(item: OuterItem) -> Iterator[LiftId]:
    match item:
        case FuncItem(func=LiftFunc(lift)):
            yield lift
        case InstanceItem(exports=exports, hidden=hidden):
            for _, inner in (*exports, *hidden):
                yield from lifts_of(inner)
        case _:
            return
