"""Which resource types there are, who defines and uses each, and where its handles are: for people to look at."""

from __future__ import annotations

from collections.abc import Collection
from enum import Enum, unique
from typing import final

from meldpy.adapter.exports import exported_lifts
from meldpy.adapter.resources import handle_tables
from meldpy.cabi import Abi, value_types
from meldpy.model.facts import Facts
from meldpy.model.ids import InstanceId, ResourceId
from meldpy.model.linked import LiftFunc, LinkedGraph, ResourceBuiltin
from meldpy.records import dataclass


@unique
class TableKind(Enum):
    """direct: handles are in the engine's table, which one instance alone uses. table: in tables of the runtime
    library. opaque: reps travel in place of handles. outer: nobody inside has handles of it."""

    DIRECT = "direct"
    TABLE = "table"
    OPAQUE = "opaque"
    OUTER = "outer"


@final
@dataclass(frozen=True, slots=True)
class ResourceUse:
    """One resource type. name: what an interface calls it, if any does. definer: a label, None if it is imported.
    users: the labels of instances with code that can have handles of it."""

    name: str
    definer: str | None
    users: tuple[str, ...]
    kind: TableKind


def resource_uses(
    graph: LinkedGraph, facts: Facts, opaque: Collection[ResourceId] = frozenset()
) -> tuple[ResourceUse, ...]:
    """Every resource type that a linked graph names or uses, in order of ids."""
    abi = Abi()
    exported = exported_lifts(graph)
    tables = handle_tables(graph, facts, exported, abi, opaque)
    users: dict[ResourceId, set[InstanceId]] = {resource.id: set() for resource in graph.resources}
    for builtin in graph.builtins:
        if isinstance(builtin, ResourceBuiltin) and builtin.id in facts.live.builtins:
            users[builtin.resource].add(builtin.instance)
    for lift in (graph.lifts[id] for id in exported):
        for resource in abi.contents.resources(value_types(lift.type)):
            users[resource].add(lift.instance)
    for lower in graph.lowers:
        if lower.id in facts.live.lowers:
            for resource in abi.contents.resources(value_types(lower.type)):
                users[resource].add(lower.instance)
                if isinstance(lower.callee, LiftFunc):
                    users[resource].add(graph.lifts[lower.callee.lift].instance)

    def kind(resource: ResourceId) -> TableKind:
        if not users[resource]:
            return TableKind.OUTER
        if users[resource] == {tables.direct}:
            return TableKind.DIRECT
        return TableKind.OPAQUE if resource in tables.opaque else TableKind.TABLE

    return tuple(
        ResourceUse(
            next((alias for alias in resource.aliases if "." in alias), resource.name),
            None if resource.definer is None else graph.instances[resource.definer].label,
            tuple(graph.instances[user].label for user in sorted(users[resource.id])),
            kind(resource.id),
        )
        for resource in graph.resources
        # neither named nor used: it stands for another one in the type that an import declares
        if resource.aliases or users[resource.id]
    )
