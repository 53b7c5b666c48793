"""Which component instance needs which: what has to exist, or to have happened, before it can be instantiated.

An instance needs those whose lifts it lowers and those that define a resource type its definitions mention. And it
needs to come after what was observably initialised before it, because a cut must not change
what a host sees while a component is instantiated.

Of two steps of initialisation the order can be seen if one of them may call out and the other may call out or trap:
then a host sees a call before the other's, or sees one although instantiation fails. A start function may do either; an
active segment that is not certainly in bounds may trap. Two steps of which neither calls out commute.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import final

from meldpy.analysis.steps import Steps
from meldpy.model.ids import InstanceId
from meldpy.model.linked import LiftFunc, LinkedGraph
from meldpy.model.partition import Used
from meldpy.records import dataclass, field


@final
@dataclass(frozen=True, slots=True)
class Needs:
    """edges[i]: what instance i needs, in order of ids; there is a key for every instance that is anything at all.

    An instance that owns no core instance, used definition or used resource type is nothing at run time.
    """

    edges: Mapping[InstanceId, tuple[InstanceId, ...]]


def needs(graph: LinkedGraph, used: Used, steps: Steps) -> Needs:
    """The needs of all instances of `graph`."""
    edges: dict[InstanceId, set[InstanceId]] = {}
    for core_instance in graph.core_instances:
        edges.setdefault(core_instance.instance, set())
    for lift in graph.lifts:
        if lift.id in used.lifts:
            edges.setdefault(lift.instance, set())
    for lower in graph.lowers:
        if lower.id in used.lowers:
            needed = edges.setdefault(lower.instance, set())
            if isinstance(lower.callee, LiftFunc):
                needed.add(graph.lifts[lower.callee.lift].instance)
    for builtin in graph.builtins:
        if builtin.id in used.builtins:
            edges.setdefault(builtin.instance, set())
    for resource, users in used.users.items():
        definer = graph.resources[resource].definer
        if definer is None:
            continue
        edges.setdefault(definer, set())
        for user in users:
            if user is not None:
                edges.setdefault(user, set()).add(definer)
    for later, earlier in _in_order(graph, steps):
        edges[later].add(earlier)
    return Needs({id_: tuple(sorted(edges[id_] - {id_})) for id_ in sorted(edges)})


@final
@dataclass(slots=True)
class _Before:
    """The owners of the steps that the next one may have to follow."""

    call: InstanceId | None = None
    traps: list[InstanceId] = field(default_factory=list)


def _in_order(graph: LinkedGraph, steps: Steps) -> Iterator[tuple[InstanceId, InstanceId]]:
    """(later, earlier) for steps whose order can be seen; others follow by transitivity."""
    before = _Before()
    for core_instance in graph.core_instances:
        owner = core_instance.instance
        calls = core_instance.id in steps.calls
        if not calls and core_instance.id not in steps.traps:
            continue
        if before.call is not None:
            yield owner, before.call
        if calls:
            yield from ((owner, earlier) for earlier in before.traps)
            before = _Before(owner)
        else:
            before.traps.append(owner)
