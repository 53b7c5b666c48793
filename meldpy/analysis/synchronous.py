"""What a synchronous task does that would have to block, and when one stack is not enough to do it.

A task of a function that is not of async type must not block. Where it would have to, the threads of its own instance
that are ready go on, in any order, for as long as that lets it wait no more; it traps when none is left. A fused output
traps at once. Two things make a difference, and a graph that has one of them is not of class F1:

**Siblings.** Somebody of the instance can be ready. The tasks that wait without a stack are those of callback lifts
that answered WAIT or YIELD, and they are the base's alone, since another instance that blocks and has such tasks would
be a second base (`blocking`). So the base must not have both: such a lift, and a synchronous function that gets to one
of its sites. What the host called waits in tasks of the engine's, which nobody can go on with from the stack of
another call.

**Callees.** What a synchronous task waits for is an async function with a thread of its own: when that blocks, the
caller traps, unless it has its result. Emitted code has one flag for that, which says that the task at work is
synchronous, and stays set in the sync lifts that it calls. A task of a callback lift has its own, and a yield is
nothing where the flag is set. So a synchronous function must not get, at once or by way of others, to a synchronous
lower of a callback lift whose function gets to a blocking site of its instance; nor to one whose function gets to a
`thread.yield`, there or by way of other functions of async type. (In one of synchronous type a yield is nothing in any
form, and what that waits for is looked at by itself.)

Synchronous cancels of subtasks are left to the hope that they are obeyed (`blocking`): one that is not traps, without
the others going on before (divergences.toml, `cancel-in-sync-task`); none of them could help it, since only a
subtask's own task can resolve it.

Spec: CanonicalABI.md `canon_lift`, what it does for a function type that is not async.
"""

from __future__ import annotations

from collections.abc import Iterator

from meldpy.analysis.effects import CallGraph, Node, backwards
from meldpy.analysis.exits import Exits
from meldpy.errors import Location
from meldpy.model.asynchrony import AsyncClass, Asynchrony, BlockingSite, Deciding, Obstacle, SiteKind
from meldpy.model.facts import Live
from meldpy.model.ids import InstanceId
from meldpy.model.linked import CoreFunc, LiftFunc, LinkedGraph, LowerFunc


def with_synchronous(graph: LinkedGraph, live: Live, calls: CallGraph, exits: Exits, found: Asynchrony) -> Asynchrony:
    """`found`, which is F1 no longer if a synchronous task can get to where its trap would come too early, or never."""
    if found.class_ is not AsyncClass.F1:
        return found
    functions = list(_synchronous(graph, live))
    waiting = _with_a_callee_to_wait_for(graph, live, calls, found)
    reaching = backwards(_through_lowers(graph, live, calls, async_=False), waiting)
    deciding = [
        Deciding(Obstacle.SYNC_CALLER, instance, location) for instance, location, func in functions if func in reaching
    ]
    if found.base is not None and _waits(graph, live, exits, found.base):
        stopping = [site.func for site in found.sites if site.instance == found.base and _stops(site)]
        reaching = backwards(calls.callers, stopping)
        deciding += [
            Deciding(Obstacle.SIBLINGS, instance, location)
            for instance, location, func in functions
            if instance == found.base and func in reaching
        ]
    if not deciding:
        return found
    first = {(each.obstacle, each.instance): each for each in reversed(deciding)}
    return Asynchrony(AsyncClass.F2, found.sites, None, tuple(reversed(first.values())), found.blocking, found.reaching)


def _stops(site: BlockingSite) -> bool:
    return not site.benign and site.kind is not SiteKind.CANCEL_SUBTASK


def _waits(graph: LinkedGraph, live: Live, exits: Exits, instance: InstanceId) -> bool:
    """Whether tasks of an instance can wait in their event loop."""
    lifts = (lift for lift in graph.lifts if lift.id in live.lifts and lift.instance == instance)
    return any(lift.options.callback is not None and not exits.at_once(lift) for lift in lifts)


def _through_lowers(graph: LinkedGraph, live: Live, calls: CallGraph, *, async_: bool) -> dict[Node, list[Node]]:
    """Callers, also across instances. async_: by functions of async type only."""
    callers = {node: list(those) for node, those in calls.callers.items()}
    for lower in graph.lowers:
        if lower.id in live.lowers and isinstance(lower.callee, LiftFunc) and (lower.type.async_ or not async_):
            callers.setdefault(graph.lifts[lower.callee.lift].core_func, []).append(LowerFunc(lower.id))
    return callers


def _with_a_callee_to_wait_for(graph: LinkedGraph, live: Live, calls: CallGraph, found: Asynchrony) -> list[Node]:
    """The synchronous lowers of functions that can block or yield where emitted code would not see who is below."""
    blocking = backwards(calls.callers, [site.func for site in found.sites if not site.benign])
    yields: list[Node] = [site.func for site in found.sites if site.kind is SiteKind.YIELD]
    yielding = backwards(_through_lowers(graph, live, calls, async_=True), yields)
    lowers: list[Node] = []
    for site in found.sites:
        if isinstance(site.func, LowerFunc):
            match graph.lowers[site.func.lower].callee:
                case LiftFunc(lift):
                    callee = graph.lifts[lift]
                    blocks = callee.options.callback is not None and callee.core_func in blocking
                    if blocks or callee.core_func in yielding:
                        lowers.append(site.func)
                case _:
                    pass
    return lowers


def _synchronous(graph: LinkedGraph, live: Live) -> Iterator[tuple[InstanceId, Location, CoreFunc]]:
    """The functions that run in synchronous tasks, and whose and where they are."""
    for lift in graph.lifts:
        if lift.id in live.lifts and not lift.type.async_:
            yield lift.instance, lift.location, lift.core_func
    for resource in graph.resources:
        if resource.definer is not None and resource.dtor is not None:
            yield resource.definer, resource.location, resource.dtor
