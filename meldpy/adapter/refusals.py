"""What cannot be fused faithfully yet, refused by name and place before anything is emitted.

Async: canonical definitions with async options, async function types, built-ins other than the resource three, and
stream, future and error-context types. What nothing reaches is never refused.

Spec: design section 11, last paragraph; section 1, the closed list.
"""

from __future__ import annotations

from meldpy.cabi import Abi, Content, value_types
from meldpy.errors import Location, UnsupportedError
from meldpy.model.extern import FuncType
from meldpy.model.facts import Facts
from meldpy.model.ids import LiftId
from meldpy.model.linked import AsyncBuiltin, CanonicalOptions, LinkedGraph

ASYNC = "async"
_ASYNC_CONTENT = {Content.STREAM: "stream", Content.FUTURE: "future", Content.ERROR_CONTEXT: "error-context"}


def refuse_unsupported(graph: LinkedGraph, facts: Facts, exported: tuple[LiftId, ...], abi: Abi) -> None:
    """Raise UnsupportedError for the first thing, in order of ids, that is reached and not supported."""
    for lift in graph.lifts:
        if lift.id in facts.live.lifts or lift.id in exported:
            what = "an exported function" if lift.id in exported else "a function"
            _refuse_async(what, lift.type, lift.options, lift.location, abi)
    for lower in graph.lowers:
        if lower.id not in facts.live.lowers:
            continue
        _refuse_async("a lowered function", lower.type, lower.options, lower.location, abi)
    for builtin in graph.builtins:
        if isinstance(builtin, AsyncBuiltin) and builtin.id in facts.live.builtins:
            raise UnsupportedError(ASYNC, f"the built-in {builtin.op.value[1]} is used", builtin.location)


def _refuse_async(what: str, type: FuncType, options: CanonicalOptions, location: Location, abi: Abi) -> None:
    if type.async_:
        raise UnsupportedError(ASYNC, f"{what} has an async function type", location)
    if options.async_:
        raise UnsupportedError(ASYNC, f"{what} uses the canonical option async", location)
    if options.callback is not None:
        raise UnsupportedError(ASYNC, f"{what} uses the canonical option callback", location)
    content = abi.contents.of(value_types(type))
    for kind, name in _ASYNC_CONTENT.items():
        if kind in content:
            raise UnsupportedError(ASYNC, f"{what} has a {name} in its type", location)
