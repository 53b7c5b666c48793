"""What a call can leave to do: a task that waits, or an event that makes one ready.

While an async export of the host's call is going on there is somebody to do it. A start function, a destructor that the
host runs and a sync-typed export return to a host that waits for nothing; work that they leave is orphaned. Likewise a
call that leaves nothing needs nobody to come back for it.

Work is made by calling what becomes a task that may wait, or may have to wait to start; by reads and writes, cancels
and drops that settle the other side; by joining a set that somebody waits for, and by letting calls in. A host call
that takes its time is work too. Making sets and ends, and returning, leave nothing: whoever waits for a result is in
the middle of a call that is looked at by itself.
"""

from __future__ import annotations

from collections.abc import Iterator

from meldpy.analysis.blocking import lifts_of
from meldpy.analysis.effects import CallGraph, Node, backwards
from meldpy.analysis.exits import Exits
from meldpy.cabi import Abi, Shapes, value_types
from meldpy.cabi.contents import Contents
from meldpy.model.asynchrony import AsyncClass, Asynchrony, Deciding, Obstacle
from meldpy.model.builtins import CancelCopy, ContextSlot, Copy, EventPlace
from meldpy.model.canon import BuiltinOp
from meldpy.model.core import FuncImportType
from meldpy.model.facts import Live
from meldpy.model.ids import CoreFuncIndex, FuncId, InstanceId, LiftId, ResourceId
from meldpy.model.linked import (
    AsyncBuiltin,
    BuiltinFunc,
    CoreFunc,
    ImportFunc,
    InstanceItem,
    LiftFunc,
    LinkedGraph,
    LowerFunc,
    OuterItem,
    ResourceBuiltin,
    TypeItem,
)
from meldpy.model.valtype import DefinedType, ResourceType, ValType
from meldpy.records import replace

_SETTLING = frozenset(
    {
        BuiltinOp.SUBTASK_CANCEL,
        BuiltinOp.STREAM_DROP_READABLE,
        BuiltinOp.STREAM_DROP_WRITABLE,
        BuiltinOp.FUTURE_DROP_READABLE,
        BuiltinOp.FUTURE_DROP_WRITABLE,
        BuiltinOp.WAITABLE_JOIN,
    }
)


def with_work(graph: LinkedGraph, live: Live, calls: CallGraph, exits: Exits, found: Asynchrony) -> Asynchrony:
    """`found` with the lifts that leave work, and what is orphaned. `exits`: the tasks that never wait."""
    if found.class_ is AsyncClass.SYNC:
        return found
    callers = {node: list(those) for node, those in calls.callers.items()}
    for lower in graph.lowers:
        if lower.id in live.lowers and isinstance(lower.callee, LiftFunc):
            callers.setdefault(graph.lifts[lower.callee.lift].core_func, []).append(LowerFunc(lower.id))
    for builtin in graph.builtins:
        if isinstance(builtin, ResourceBuiltin) and builtin.op == "drop":
            dtor = graph.resources[builtin.resource].dtor
            if dtor is not None:
                callers.setdefault(dtor, []).append(BuiltinFunc(builtin.id))
    working = backwards(callers, _makers(graph, live, exits))
    lifts = frozenset(lift.id for lift in graph.lifts if lift.options.async_ or lift.core_func in working)
    # Only tasks that wait in an event loop can be made ready, and only by what comes after they began to.
    loops = [lift for lift in graph.lifts if lift.options.async_ and lift.id in live.lifts]
    if all(map(exits.at_once, loops)) and not waiting_to_start(graph, live):
        # nobody but the host can have something to say later
        working = backwards(callers, _for_the_host(graph, live))
    return replace(found, working=lifts, orphans=tuple(_orphans(graph, working)))


def waiting_to_start(graph: LinkedGraph, live: Live) -> frozenset[InstanceId]:
    """The instances that fused callers may find asking them to wait before they start."""
    called = {
        graph.lifts[lower.callee.lift].instance
        for lower in graph.lowers
        if lower.id in live.lowers and lower.type.async_ and isinstance(lower.callee, LiftFunc)
    }
    return frozenset(called) & frozenset(
        builtin.instance
        for builtin in graph.builtins
        if isinstance(builtin, AsyncBuiltin)
        and builtin.id in live.builtins
        and builtin.op is BuiltinOp.BACKPRESSURE_INC
    )


def _makers(graph: LinkedGraph, live: Live, exits: Exits) -> Iterator[Node]:
    gated = waiting_to_start(graph, live)
    for lower in graph.lowers:
        match lower.callee:
            case _ if lower.id not in live.lowers:
                pass
            case LiftFunc(lift) if lower.type.async_ and graph.lifts[lift].instance in gated:
                yield LowerFunc(lower.id)
            case LiftFunc(lift) if graph.lifts[lift].options.async_ and not exits.at_once(graph.lifts[lift]):
                yield LowerFunc(lower.id)
            case ImportFunc() if lower.options.async_ and lower.type.async_:
                yield LowerFunc(lower.id)
            case _:
                pass
    for builtin in graph.builtins:
        if builtin.id not in live.builtins or not isinstance(builtin, AsyncBuiltin):
            continue
        match builtin.immediates:
            case Copy() | CancelCopy():
                yield BuiltinFunc(builtin.id)
            case ContextSlot() | EventPlace():
                pass
            case _ if builtin.op is BuiltinOp.BACKPRESSURE_DEC:
                if builtin.instance in gated:
                    yield BuiltinFunc(builtin.id)
            case _ if builtin.op in _SETTLING:
                yield BuiltinFunc(builtin.id)
            case _:
                pass


def _for_the_host(graph: LinkedGraph, live: Live) -> Iterator[Node]:
    """What the host can answer later: calls, and copies by ends that it may have."""
    abi = Abi()
    types = [
        type for export in graph.exports for id in lifts_of(export.item) for type in value_types(graph.lifts[id].type)
    ]
    for lower in graph.lowers:
        if lower.id in live.lowers and isinstance(lower.callee, ImportFunc):
            types += value_types(lower.type)
            if lower.options.async_ and lower.type.async_:
                yield LowerFunc(lower.id)
    hosted = abi.ends(types)
    for builtin in graph.builtins:
        match builtin:
            case AsyncBuiltin(immediates=Copy(type=type) | CancelCopy(type=type)) if builtin.id in live.builtins:
                if abi.keys.key(type) in hosted:
                    yield BuiltinFunc(builtin.id)
            case _:
                pass


def _orphans(graph: LinkedGraph, working: set[Node]) -> Iterator[Deciding]:
    exported = {lift for export in graph.exports for lift in lifts_of(export.item)}
    for lift in graph.lifts:
        if not lift.type.async_ and lift.id in exported and lift.core_func in working:
            yield Deciding(Obstacle.ORPHANS, lift.instance, lift.location)
    for core in graph.core_instances:
        module = graph.modules[core.module]
        if module.module.start is not None and start_func(graph, core.id, module.module.start) in working:
            yield Deciding(Obstacle.ORPHANS, core.instance, module.location)
    visible = _visible(graph, exported)
    for resource in graph.resources:
        if resource.id in visible and resource.definer is not None and resource.dtor in working:
            yield Deciding(Obstacle.ORPHANS, resource.definer, resource.location)


def _visible(graph: LinkedGraph, exported: set[LiftId]) -> set[ResourceId]:
    """The resource types that the host can have handles of, since something at the edge mentions them."""
    types: list[ValType] = [type for lift in exported for type in value_types(graph.lifts[lift].type)]
    for imported in graph.import_funcs:
        types += value_types(imported.type)
    found: set[ResourceId] = set()
    items: list[OuterItem] = [export.item for export in graph.exports]
    while items:
        match items.pop():
            case TypeItem(type=ResourceType(id=id)):
                found.add(id)
            case TypeItem(type=DefinedType() as type):
                types.append(type)
            case InstanceItem(exports=exports, hidden=hidden):
                items += [inner for _, inner in (*exports, *hidden)]
            case _:
                pass
    return found | set(Contents(Shapes()).resources(types))


def start_func(graph: LinkedGraph, core: int, index: int) -> CoreFunc:
    """What the start function of a core instance is, `index` being its index there."""
    instance = graph.core_instances[core]
    module = graph.modules[instance.module].module
    funcs = [
        arg
        for declared, arg in zip(module.imports, instance.args, strict=True)
        if isinstance(declared.type, FuncImportType)
    ]
    if index < len(funcs):
        func = funcs[index]
        assert isinstance(func, FuncId | LowerFunc | BuiltinFunc)
        return func
    return FuncId(instance.id, CoreFuncIndex(index))
