"""Who keeps the handle tables, decided for the whole composition at once.

In the spec every component instance has a handle table of its own. The outer component has one too, the engine's,
and canon built-ins, lifts and lowers of the outer component all work on it. If one fused instance alone deals in
handles, then its table and the engine's hold the same entries at all times: whatever it creates, drops, receives
from the host or gives to the host goes through built-ins, lifts and lowers whose outer counterparts do exactly that
on the outer table, in the same order, with the same indices and the same traps. So they are used directly, nothing
is translated, and no table of ours exists. This is the last case of "the outer boundary" in design section 6, and
it covers every program that uses WASI from one component.

It needs two things. Nobody else may touch the outer table: all reached resource built-ins, exported functions with
handles and host functions with handles belong to one instance. And no handle may move inside: a call site that
passes handles was refused before (`refusals`). A resource type's destructor then needs no help either: the outer
component defines the type, so whoever drops the last handle, host or guest, the engine runs the destructor.

Everything else needs tables of ours and boundary shims that translate between them and the engine's. Until they are
built it is refused here, and this is the one place that decides: their builder replaces `outer_table_user`, and
nothing else relies on there being one user.
"""

from __future__ import annotations

from collections.abc import Iterator

from meldpy.adapter.exports import exported_types
from meldpy.adapter.refusals import HANDLES, HANDLES_REMEDY
from meldpy.cabi import Abi, Content, value_types
from meldpy.errors import Location, UnsupportedError
from meldpy.model.facts import Facts
from meldpy.model.ids import InstanceId, LiftId, ResourceId
from meldpy.model.linked import ImportFunc, LinkedGraph, ResourceBuiltin
from meldpy.model.valtype import ValType


def outer_table_user(graph: LinkedGraph, facts: Facts, exported: tuple[LiftId, ...], abi: Abi) -> InstanceId | None:
    """The one instance that deals in handles, None if no instance does. UnsupportedError if several do."""
    first: InstanceId | None = None
    for instance, what, location in _users(graph, facts, exported, abi):
        if first is None:
            first = instance
        elif instance != first:
            one, other = graph.instances[first].label, graph.instances[instance].label
            raise UnsupportedError(
                HANDLES,
                f"both {one} and {other} use resources ({other}: {what}), and each needs a handle table of its own",
                location,
                remedy=HANDLES_REMEDY,
            )
    return first


def outer_resources(graph: LinkedGraph, facts: Facts, exported: tuple[LiftId, ...], abi: Abi) -> tuple[ResourceId, ...]:
    """The resource types that the outer component must define: defined inside, and used or mentioned in the world."""
    used = {
        builtin.resource
        for builtin in graph.builtins
        if isinstance(builtin, ResourceBuiltin) and builtin.id in facts.live.builtins
    }
    types: list[ValType] = []
    for lift in exported:
        types += value_types(graph.lifts[lift].type)
    for lower in graph.lowers:
        if lower.id in facts.live.lowers and isinstance(lower.callee, ImportFunc):
            types += value_types(lower.type)
    value_exports, resource_exports = exported_types(graph)
    used.update(abi.contents.resources([*types, *value_exports]), resource_exports)
    return tuple(sorted(id for id in used if graph.resources[id].definer is not None))


def _users(
    graph: LinkedGraph, facts: Facts, exported: tuple[LiftId, ...], abi: Abi
) -> Iterator[tuple[InstanceId, str, Location]]:
    for builtin in graph.builtins:
        if isinstance(builtin, ResourceBuiltin) and builtin.id in facts.live.builtins:
            what = f"resource.{builtin.op} of {graph.resources[builtin.resource].name}"
            yield builtin.instance, what, builtin.location
    for id in exported:
        lift = graph.lifts[id]
        if abi.contents.of(value_types(lift.type)) & Content.HANDLE:
            yield lift.instance, "an exported function with handles", lift.location
    for lower in graph.lowers:
        if lower.id not in facts.live.lowers or not isinstance(lower.callee, ImportFunc):
            continue
        if abi.contents.of(value_types(lower.type)) & Content.HANDLE:
            yield lower.instance, "an imported function with handles", lower.location
