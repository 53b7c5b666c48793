"""What goes on when a synchronous task would have to block: first, the other tasks of its instance.

A task of a function that is not of async type must not block. Where it would have to, the threads of its own instance
that are ready go on, in any order, for as long as that lets it wait no more; it traps when none is left. A fused output
traps at once. That is the same wherever nobody of the instance can be ready: the tasks that wait without a stack are
those of callback lifts that answered WAIT or YIELD, and they are the base's alone, since another instance that blocks
and has such tasks would be a second base (`blocking`).

So the base of a graph must not have both: a callback lift whose tasks can wait in their event loop, and a synchronous
function that gets to one of its blocking sites. If it has, one stack is not enough: what the host called waits in tasks
of the engine's, which nobody can go on with from the stack of another call. Synchronous cancels of subtasks are left to
the hope that they are obeyed (`blocking`): one that is not traps, without the others going on before (divergences.toml,
`cancel-in-sync-task`); none of them could help it, since only a subtask's own task can resolve it.

Spec: CanonicalABI.md `canon_lift`, what it does for a function type that is not async.
"""

from __future__ import annotations

from collections.abc import Iterator

from meldpy.analysis.effects import CallGraph, backwards
from meldpy.analysis.exits import Exits
from meldpy.errors import Location
from meldpy.model.asynchrony import AsyncClass, Asynchrony, Deciding, Obstacle, SiteKind
from meldpy.model.facts import Live
from meldpy.model.ids import InstanceId
from meldpy.model.linked import CoreFunc, LinkedGraph


def with_siblings(graph: LinkedGraph, live: Live, calls: CallGraph, exits: Exits, found: Asynchrony) -> Asynchrony:
    """`found`, which is F1 no longer if a synchronous task of its base could let others of its instance go on."""
    base = found.base
    if base is None or not any(
        lift.id in live.lifts
        and lift.instance == base
        and lift.options.callback is not None
        and not exits.at_once(lift)
        for lift in graph.lifts
    ):
        return found
    sites = [
        site.func
        for site in found.sites
        if site.instance == base and not site.benign and site.kind is not SiteKind.CANCEL_SUBTASK
    ]
    blocking = backwards(calls.callers, sites)
    for location, func in _synchronous(graph, live, base):
        if func in blocking:
            deciding = (Deciding(Obstacle.SIBLINGS, base, location),)
            return Asynchrony(AsyncClass.F2, found.sites, None, deciding, found.blocking, found.reaching)
    return found


def _synchronous(graph: LinkedGraph, live: Live, instance: InstanceId) -> Iterator[tuple[Location, CoreFunc]]:
    """The functions of an instance that run in synchronous tasks."""
    for lift in graph.lifts:
        if lift.id in live.lifts and lift.instance == instance and not lift.type.async_:
            yield lift.location, lift.core_func
    for resource in graph.resources:
        if resource.definer == instance and resource.dtor is not None:
            yield resource.location, resource.dtor
