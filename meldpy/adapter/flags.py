"""Which `may_leave` flags are alive. All others are provably true whenever they are read.

`may_leave` of an instance is clear while its realloc or post-return runs, and read when it calls out: by its
lowers and by resource.new and resource.drop. So the flag is alive exactly if some realloc or post-return that a
lift or lower of the instance really uses can reach a lower or a built-in.

There is no flag for entering: a running instance may be called again, by whom ever (ADR-0045).

Spec: `canon_lower`, `canon_lift`, `LiftLowerContext.reallocate`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from meldpy.adapter.symbols import Symbols
from meldpy.cabi import Abi, Context
from meldpy.model.facts import Facts
from meldpy.model.ids import FuncId, InstanceId, LiftId
from meldpy.model.linked import CoreFunc, LinkedGraph


def leaving_instances(
    graph: LinkedGraph, facts: Facts, exported: Iterable[LiftId], symbols: Symbols, abi: Abi
) -> tuple[InstanceId, ...]:
    """The instances whose may_leave flag is alive, in order of ids."""
    leaving = {
        instance
        for instance, func in _interrupting(graph, facts, frozenset(exported), abi)
        if _may_leave(symbols.target(func), facts)
    }
    return tuple(sorted(leaving))


def _interrupting(
    graph: LinkedGraph, facts: Facts, exported: frozenset[LiftId], abi: Abi
) -> Iterator[tuple[InstanceId, CoreFunc]]:
    """Each realloc and post-return that is used, with its instance."""
    for lift in graph.lifts:
        if lift.id not in facts.live.lifts and lift.id not in exported:
            continue
        if lift.options.realloc is not None and abi.needs(lift.type, Context.LIFT).realloc:
            yield lift.instance, lift.options.realloc
        if lift.options.post_return is not None:
            yield lift.instance, lift.options.post_return
    for lower in graph.lowers:
        if lower.id not in facts.live.lowers:
            continue
        if lower.options.realloc is not None and abi.needs(lower.type, Context.LOWER).realloc:
            yield lower.instance, lower.options.realloc


def _may_leave(func: CoreFunc, facts: Facts) -> bool:
    """A realloc that is itself a lower or a built-in leaves at once."""
    return not isinstance(func, FuncId) or func in facts.may_leave
