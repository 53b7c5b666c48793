"""Who keeps the handle tables, decided for the whole composition at once.

In the spec every component instance has a handle table of its own. The outer component has one too, the engine's,
and canon built-ins, lifts and lowers of the outer component all work on it. There are three ways for an instance:

- It deals in no handles. Then it has no table.
- **direct**: it alone deals in handles with the outer component (no task of the engine's waits for emitted code, which
  takes a handle), and it passes none to another fused instance. Then its
  table and the engine's hold the same entries at all times: whatever it creates, drops, receives from the host or gives
  to the host goes through built-ins, lifts and lowers whose outer counterparts do exactly that on the outer table, in
  the same order, with the same indices and the same traps. So they are used directly and nothing is translated. This
  covers every program that uses WASI from one component. A resource type's destructor needs no help either: the outer
  component defines the type, so whoever drops the last handle, host or guest, the engine runs the destructor.
- Otherwise it has a table of ours, in the memory of the runtime library. Calls between instances translate between
  their tables (`translate/handles`), and at the outer edge shims translate between a table and the engine's (`shims`).

**Opaque reps** (design section 6, `--opaque-rep`): a resource type that is declared to be an opaque number has no
entries in tables of ours; its rep travels as the handle. That takes effect only if no borrow of it is ever lowered into
an instance that does not define it, since such a borrow must be dropped, which a number cannot be.

Spec: CanonicalABI.md "Component Instance State".
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import final

from meldpy.adapter.exports import exported_types
from meldpy.cabi import Abi, Content, value_types
from meldpy.model.facts import Facts
from meldpy.model.ids import InstanceId, LiftId, ResourceId
from meldpy.model.linked import ImportFunc, LiftFunc, LinkedGraph, Lower, ResourceBuiltin
from meldpy.model.valtype import ValType
from meldpy.records import dataclass


@final
@dataclass(frozen=True, slots=True)
class Tables:
    """direct: the instance whose table is the engine's, if any. numbers: the instances with a table of ours, numbered
    from 0. opaque: the resource types whose reps travel as handles."""

    direct: InstanceId | None
    numbers: Mapping[InstanceId, int]
    opaque: frozenset[ResourceId]


def handle_tables(
    graph: LinkedGraph,
    facts: Facts,
    exported: tuple[LiftId, ...],
    abi: Abi,
    opaque: Iterable[ResourceId] = (),
    nameless: Collection[ResourceId] = frozenset(),
    waiting: Iterable[InstanceId] = (),
    *,
    crowded: bool = False,
    passing: InstanceId | None = None,
) -> Tables:
    """Which instance has which table. `opaque`: the resource types that were declared so; `nameless`: those that
    cannot be in the outer component's table; `waiting`: the instances that have handles of tasks, sets, streams or
    futures, which are in the same table as all others; `crowded`: whether emitted code has handles of its own in the
    engine's table, so that it is no instance's; `passing`: the instance whose async passes through, the only one with
    handles in the outer component's table."""
    builtins = [b for b in graph.builtins if isinstance(b, ResourceBuiltin) and b.id in facts.live.builtins]
    with_builtins = {builtin.instance for builtin in builtins}
    lifts = [graph.lifts[id] for id in exported]
    at_the_edge = {lift.instance for lift in lifts if abi.contents.of(value_types(lift.type)) & Content.HANDLE}
    among_themselves = set(waiting)
    for lower in _live_lowers(graph, facts):
        if abi.contents.of(value_types(lower.type)) & Content.HANDLE:
            match lower.callee:
                case ImportFunc():
                    at_the_edge.add(lower.instance)
                case LiftFunc(lift):
                    among_themselves.update((lower.instance, graph.lifts[lift].instance))
    users = with_builtins | at_the_edge | among_themselves
    candidates = (at_the_edge or users) - among_themselves
    direct = min(candidates) if len(candidates) == 1 and len(at_the_edge or users) == 1 else None
    if passing is not None:
        assert at_the_edge <= {passing}, "analysis: nobody else has handles there"
        direct = passing
    if crowded or any(builtin.instance == direct and builtin.resource in nameless for builtin in builtins):
        direct = None
    numbers = {instance: number for number, instance in enumerate(sorted(users - {direct}))}
    lent = set(_lent_to_others(graph, facts, exported, abi))
    return Tables(direct, numbers, frozenset(opaque) - lent)


def outer_resources(
    graph: LinkedGraph, facts: Facts, exported: tuple[LiftId, ...], abi: Abi, tables: Tables
) -> tuple[ResourceId, ...]:
    """The resource types that the outer component must define: defined inside, and mentioned in the world or used by
    the direct instance."""
    used = {
        builtin.resource
        for builtin in graph.builtins
        if isinstance(builtin, ResourceBuiltin)
        and builtin.id in facts.live.builtins
        and builtin.instance == tables.direct
    }
    types: list[ValType] = []
    for lift in exported:
        types += value_types(graph.lifts[lift].type)
    for lower in _live_lowers(graph, facts):
        if isinstance(lower.callee, ImportFunc):
            types += value_types(lower.type)
    value_exports, resource_exports = exported_types(graph)
    used.update(abi.contents.resources([*types, *value_exports]), resource_exports)
    return tuple(sorted(id for id in used if graph.resources[id].definer is not None))


def _live_lowers(graph: LinkedGraph, facts: Facts) -> Iterator[Lower]:
    return (lower for lower in graph.lowers if lower.id in facts.live.lowers)


def _lent_to_others(graph: LinkedGraph, facts: Facts, exported: tuple[LiftId, ...], abi: Abi) -> Iterator[ResourceId]:
    """The resource types of which a borrow is lowered into an instance that does not define them."""
    called = [lower.callee.lift for lower in _live_lowers(graph, facts) if isinstance(lower.callee, LiftFunc)]
    for lift in (graph.lifts[id] for id in (*called, *exported)):
        params = [param for _, param in lift.type.params]
        for resource in abi.contents.resources(params, Content.BORROW):
            if graph.resources[resource].definer != lift.instance:
                yield resource
