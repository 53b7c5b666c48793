"""What cannot be fused faithfully yet, refused by name and place before anything is emitted.

Async: canonical definitions with async options, async function types, built-ins other than the resource three, and
stream, future and error-context types. What nothing reaches is never refused.

Spec: design section 11, last paragraph; section 1, the closed list.
"""

from __future__ import annotations

from collections.abc import Iterator

from meldpy.cabi import Abi, Content, value_types
from meldpy.errors import UnsupportedError
from meldpy.model.extern import FuncType
from meldpy.model.facts import Facts
from meldpy.model.ids import InstanceId, LiftId
from meldpy.model.linked import AsyncBuiltin, CanonicalOptions, LinkedGraph

ASYNC = "async"
_ASYNC_CONTENT = {Content.STREAM: "stream", Content.FUTURE: "future", Content.ERROR_CONTEXT: "error-context"}


def refuse_unsupported(graph: LinkedGraph, facts: Facts, exported: tuple[LiftId, ...], abi: Abi) -> None:
    """Raise UnsupportedError for the first thing, in order of ids, that is reached and not supported."""
    for _, error in unsupported(graph, facts, exported, abi):
        raise error


def unsupported(
    graph: LinkedGraph, facts: Facts, exported: tuple[LiftId, ...], abi: Abi
) -> Iterator[tuple[InstanceId, UnsupportedError]]:
    """Everything that is reached and not supported, in order of ids, with the instance whose it is."""
    for lift in graph.lifts:
        if lift.id in facts.live.lifts or lift.id in exported:
            what = "an exported function" if lift.id in exported else "a function"
            for reason in _async_in(what, lift.type, lift.options, abi):
                yield lift.instance, UnsupportedError(ASYNC, reason, lift.location)
    for lower in graph.lowers:
        if lower.id not in facts.live.lowers:
            continue
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
    content = abi.contents.of(value_types(type))
    for kind, name in _ASYNC_CONTENT.items():
        if kind in content:
            yield f"{what} has a {name} in its type"
