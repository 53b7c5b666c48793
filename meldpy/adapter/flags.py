"""Which `may_leave` and `may_enter` flags are alive. All others are provably true whenever they are read.

**may_leave** of an instance is clear while its realloc or post-return runs, and read when it calls out: by its
lowers and by resource.new and resource.drop. So the flag is alive exactly if some realloc or post-return that a
lift or lower of the instance really uses can reach a lower or a built-in.

**may_enter**: a call from a caller to a callee enters the callee and those of its ancestors that are not also the
caller's. That can find an instance already entered only if somebody outside it calls in while it runs, and among
fused instances the only one outside whom an instance or its siblings can reach is an ancestor that has core code,
which then calls a child: an instance that lowers a lifted function, or that drops handles of a resource type that
another instance defines (the destructor is a call like any other). So flags exist exactly for the children of such
instances; of any entering set that leads back, the child of that ancestor is a member. The host
can call back in too, but whether it may is the engine's decision.

The flag of `may_enter` is a count of entries (zero: may enter), because the host may be inside more than once when
an engine permits it.

Spec: `ComponentInstance.entering_set`, `Store.lift`, `canon_lower`, `LiftLowerContext.reallocate`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import final

from meldpy.adapter.symbols import Symbols
from meldpy.cabi import Abi, Context
from meldpy.model.facts import Facts
from meldpy.model.ids import FuncId, InstanceId, LiftId
from meldpy.model.linked import CoreFunc, LiftFunc, LinkedGraph, ResourceBuiltin


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


@final
@dataclass(frozen=True, slots=True)
class Entering:
    """Which instances have a may_enter flag, and whom a call enters."""

    parents: tuple[InstanceId | None, ...]
    flagged: frozenset[InstanceId]

    def entered(self, callee: InstanceId, caller: InstanceId | None) -> tuple[InstanceId, ...]:
        """The flagged instances that a call enters, outermost first; `caller` is None for the host."""
        outside = frozenset(self._lineage(caller))
        return tuple(i for i in reversed(list(self._lineage(callee))) if i in self.flagged and i not in outside)

    def _lineage(self, instance: InstanceId | None) -> Iterator[InstanceId]:
        while instance is not None:
            yield instance
            instance = self.parents[instance]


def entering(graph: LinkedGraph, facts: Facts) -> Entering:
    """The may_enter flags that are alive: see above."""
    calling = {
        lower.instance for lower in graph.lowers if lower.id in facts.live.lowers and isinstance(lower.callee, LiftFunc)
    }
    calling |= {
        builtin.instance
        for builtin in graph.builtins
        if isinstance(builtin, ResourceBuiltin)
        and builtin.id in facts.live.builtins
        and builtin.op == "drop"
        # None: the host's destructor enters none of ours
        and graph.resources[builtin.resource].definer not in (None, builtin.instance)
    }
    flagged = frozenset(instance.id for instance in graph.instances if instance.parent in calling)
    return Entering(tuple(instance.parent for instance in graph.instances), flagged)
