"""What cannot be fused faithfully, by name and place, known before anything is emitted.

Classes come from `analysis.blocking`, what is left to do from `analysis.work`; here are the features that the emitted
code of async (`tasks/`) does not carry. Tasks of one output are of one kind: if one instance cannot have its async
fused, none has. What nothing reaches is never refused.

Spec: design section 1, the closed list; ADR-0034.
"""

from __future__ import annotations

from collections.abc import Iterator

from meldpy.cabi import Abi, Content, value_types
from meldpy.errors import UnsupportedError
from meldpy.model.asynchrony import AsyncClass
from meldpy.model.builtins import ContextSlot, Copy, FlagImmediate, NoImmediates, TextOptions, ThreadStart
from meldpy.model.canon import BuiltinOp
from meldpy.model.core import NumType
from meldpy.model.extern import FuncType
from meldpy.model.facts import Facts
from meldpy.model.ids import InstanceId, LiftId
from meldpy.model.linked import AsyncBuiltin, CanonicalOptions, ImportFunc, Lift, LiftFunc, LinkedGraph, Lower
from meldpy.model.valtype import DefinedType, FutureType, StreamType

ASYNC = "async"
_CONTENT = {Content.STREAM: "stream", Content.FUTURE: "future", Content.ERROR_CONTEXT: "error-context"}
_PLAIN = frozenset(
    {
        BuiltinOp.BACKPRESSURE_INC,
        BuiltinOp.BACKPRESSURE_DEC,
        BuiltinOp.TASK_CANCEL,
        BuiltinOp.SUBTASK_DROP,
        BuiltinOp.WAITABLE_SET_NEW,
        BuiltinOp.WAITABLE_SET_DROP,
        BuiltinOp.WAITABLE_JOIN,
    }
)


def refuse_unsupported(graph: LinkedGraph, facts: Facts, exported: tuple[LiftId, ...], abi: Abi) -> None:
    """Raise UnsupportedError for the first thing that is reached and not supported."""
    for _, error in unsupported(graph, facts, exported, abi):
        raise error


def unsupported(
    graph: LinkedGraph, facts: Facts, exported: tuple[LiftId, ...], abi: Abi, *, whole: bool = True
) -> Iterator[tuple[InstanceId, UnsupportedError]]:
    """Everything that is reached and not supported, with the instance whose it is: what decides first, then whatever
    else is async. whole: everything is fused into one component; otherwise nothing async is."""
    if facts.asynchrony.class_ is AsyncClass.SYNC:
        return
    deciding = list(_deciding(graph, facts, exported, abi))
    if deciding or not whole:
        yield from deciding
        for each in facts.asynchrony.against if deciding else ():
            reason = f"and it cannot be left to the engine in a flat output: {each.kind.value}"
            yield each.instance, UnsupportedError(ASYNC, reason, each.location)
        yield from _everything_async(graph, facts, exported, abi)


# --- what the emitted code does not carry ---------------------------------------------------------------------------
def _deciding(
    graph: LinkedGraph, facts: Facts, exported: tuple[LiftId, ...], abi: Abi
) -> Iterator[tuple[InstanceId, UnsupportedError]]:
    found = facts.asynchrony
    hosted = hosted_ends(graph, facts, exported, abi)
    for lift in graph.lifts:
        if lift.id in exported:
            for reason in _export(lift, lift.id in found.working, lift.instance in found.reaching, graph, abi):
                yield lift.instance, UnsupportedError(ASYNC, reason, lift.location)
        if (lift.id in facts.live.lifts or lift.id in exported) and lift.options.async_ and not lift.options.callback:
            reason = "a function is lifted with the option async and no callback"
            yield lift.instance, UnsupportedError(ASYNC, reason, lift.location)
    yield from _backpressure(graph, facts, exported, abi)
    for lower in graph.lowers:
        if lower.id in facts.live.lowers:
            for reason in _lower(graph, lower, abi):
                yield lower.instance, UnsupportedError(ASYNC, reason, lower.location)
    for builtin in graph.builtins:
        if isinstance(builtin, AsyncBuiltin) and builtin.id in facts.live.builtins:
            feature = _builtin(builtin) or _elements(graph, builtin, hosted, abi)
            if feature is not None:
                reason = f"the built-in {builtin.op.value[1]} {feature}"
                yield builtin.instance, UnsupportedError(ASYNC, reason, builtin.location)
    for each in (*found.deciding, *found.orphans):
        yield each.instance, UnsupportedError(ASYNC, each.obstacle.value, each.location)


def _export(lift: Lift, working: bool, reaching: bool, graph: LinkedGraph, abi: Abi) -> Iterator[str]:
    yield from _content("an exported function", lift.type, Content.ERROR_CONTEXT, abi)
    if lift.type.async_ and (working or reaching):
        lent = abi.contents.resources([param for _, param in lift.type.params], Content.BORROW)
        if any(graph.resources[resource].definer is None for resource in lent):
            yield "an exported async function borrows a resource that the host has"


def _backpressure(
    graph: LinkedGraph, facts: Facts, exported: tuple[LiftId, ...], abi: Abi
) -> Iterator[tuple[InstanceId, UnsupportedError]]:
    gated = gated_instances(graph, facts)
    if not gated:
        return
    owners = {graph.lifts[id].instance for id in exported if graph.lifts[id].type.async_}
    if owners & gated and len(owners) > 1:
        for lift in graph.lifts:
            if lift.id in exported and lift.type.async_ and lift.instance not in gated:
                reason = "the host calls async functions of this instance and of another that uses backpressure"
                yield lift.instance, UnsupportedError(ASYNC, reason, lift.location)
    for lower in graph.lowers:
        if lower.id in facts.live.lowers and isinstance(lower.callee, LiftFunc) and lower.options.async_:
            waits = graph.lifts[lower.callee.lift].instance in gated
            if waits and abi.contents.of(value_types(lower.type)) & Content.BORROW:
                reason = "a function with a borrow in its type is called asynchronously where it may have to wait"
                yield lower.instance, UnsupportedError(ASYNC, reason, lower.location)


def _lower(graph: LinkedGraph, lower: Lower, abi: Abi) -> Iterator[str]:
    match lower.callee:
        case ImportFunc():
            yield from _content("an imported function", lower.type, Content.ERROR_CONTEXT, abi)
        case LiftFunc(lift):
            yield from _content("a function", lower.type, Content.ERROR_CONTEXT, abi)
            if graph.lifts[lift].instance == lower.instance and (lower.type.async_ or lower.options.async_):
                yield "an instance calls an async function of its own"


def _builtin(builtin: AsyncBuiltin) -> str | None:
    """What is not carried about a built-in, if anything."""
    match builtin.immediates:
        case TextOptions() | ThreadStart():
            return "is used"
        case ContextSlot(type=core_type):
            return None if core_type is NumType.I32 else "is used with i64"
        case FlagImmediate(flag):
            carried = builtin.op is BuiltinOp.SUBTASK_CANCEL or (builtin.op is BuiltinOp.THREAD_YIELD and not flag)
            return None if carried else "is used"
        case NoImmediates():
            return None if builtin.op in _PLAIN else "is used"
        case _:
            return None


def gated_instances(graph: LinkedGraph, facts: Facts) -> frozenset[InstanceId]:
    """The instances that use backpressure."""
    return frozenset(
        builtin.instance
        for builtin in graph.builtins
        if isinstance(builtin, AsyncBuiltin)
        and builtin.id in facts.live.builtins
        and builtin.op in (BuiltinOp.BACKPRESSURE_INC, BuiltinOp.BACKPRESSURE_DEC)
    )


def _elements(graph: LinkedGraph, builtin: AsyncBuiltin, hosted: frozenset[int], abi: Abi) -> str | None:
    """What is not carried about writing elements that the host may read."""
    match builtin.immediates:
        case Copy(type=DefinedType(definition=StreamType(element) | FutureType(element)) as type) if (
            element is not None
            and builtin.op in (BuiltinOp.STREAM_WRITE, BuiltinOp.FUTURE_WRITE)
            and abi.keys.key(type) in hosted
        ):
            if abi.contents.content(element) & (Content.STREAM | Content.FUTURE):
                return "writes streams or futures for the host"
            if any(graph.resources[id].definer is not None for id in abi.contents.resources([element])):
                return "writes handles of an exported resource for the host"
    return None


def hosted_ends(graph: LinkedGraph, facts: Facts, exported: tuple[LiftId, ...], abi: Abi) -> frozenset[int]:
    """The stream and future types, by key, of which an end can be the host's."""
    types = [type for id in exported for type in value_types(graph.lifts[id].type)]
    for lower in graph.lowers:
        if lower.id in facts.live.lowers and isinstance(lower.callee, ImportFunc):
            types += value_types(lower.type)
    return abi.ends(types)


def context_slots(graph: LinkedGraph, facts: Facts) -> dict[InstanceId, tuple[int, ...]]:
    """The instances that use context slots, with which."""
    found: dict[InstanceId, set[int]] = {}
    for builtin in graph.builtins:
        if (
            isinstance(builtin, AsyncBuiltin)
            and builtin.id in facts.live.builtins
            and isinstance(builtin.immediates, ContextSlot)
        ):
            found.setdefault(builtin.instance, set()).add(builtin.immediates.slot)
    return {instance: tuple(sorted(slots)) for instance, slots in found.items()}


# --- everything async -----------------------------------------------------------------------------------------------
def _everything_async(
    graph: LinkedGraph, facts: Facts, exported: tuple[LiftId, ...], abi: Abi
) -> Iterator[tuple[InstanceId, UnsupportedError]]:
    for lift in graph.lifts:
        if lift.id in facts.live.lifts or lift.id in exported:
            what = "an exported function" if lift.id in exported else "a function"
            for reason in _async_in(what, lift.type, lift.options, abi):
                yield lift.instance, UnsupportedError(ASYNC, reason, lift.location)
    for lower in graph.lowers:
        if lower.id in facts.live.lowers:
            for reason in _async_in("a lowered function", lower.type, lower.options, abi):
                yield lower.instance, UnsupportedError(ASYNC, reason, lower.location)
    for builtin in graph.builtins:
        if isinstance(builtin, AsyncBuiltin) and builtin.id in facts.live.builtins:
            reason = f"the built-in {builtin.op.value[1]} is used"
            yield builtin.instance, UnsupportedError(ASYNC, reason, builtin.location)


def _async_in(what: str, type: FuncType, options: CanonicalOptions, abi: Abi) -> Iterator[str]:
    if type.async_:
        yield f"{what} has an async function type"
    if options.async_:
        yield f"{what} uses the canonical option async"
    if options.callback is not None:
        yield f"{what} uses the canonical option callback"
    yield from _content(what, type, Content.ASYNC, abi)


def _content(what: str, type: FuncType, content: Content, abi: Abi) -> Iterator[str]:
    inside = abi.contents.of(value_types(type)) & content
    yield from (f"{what} has a {name} in its type" for kind, name in _CONTENT.items() if kind in inside)
