"""What happens when a core instance is made: may it call out of its component instance, may it trap."""

from __future__ import annotations

from collections.abc import Callable
from typing import final

from meldpy.analysis.bounds import Bounds
from meldpy.analysis.constants import Constants
from meldpy.analysis.spaces import spaces_of
from meldpy.model.core import CoreModule
from meldpy.model.facts import Facts
from meldpy.model.ids import CoreInstanceId, FuncId
from meldpy.model.linked import LinkedGraph
from meldpy.records import dataclass


@final
@dataclass(frozen=True, slots=True)
class Steps:
    """Core instances whose start function may call out; and those that may trap: that have a start function, or an
    active segment that is not certainly in bounds."""

    calls: frozenset[CoreInstanceId]
    traps: frozenset[CoreInstanceId]


def steps_of(graph: LinkedGraph, facts: Facts, is_unread: Callable[[CoreModule], bool]) -> Steps:
    """`is_unread`: whether nothing is known about what a module does."""
    all_spaces = [spaces_of(graph, each) for each in graph.core_instances]
    bounds = Bounds(all_spaces, Constants(all_spaces))
    calls: set[CoreInstanceId] = set()
    traps: set[CoreInstanceId] = set()
    for spaces in all_spaces:
        start = spaces.module.start
        if is_unread(spaces.module):
            calls.add(spaces.id)
        elif start is not None:
            traps.add(spaces.id)
            func = spaces.func(start)
            target = facts.forwards.get(func, func) if isinstance(func, FuncId) else func
            if not isinstance(target, FuncId) or target in facts.may_leave:
                calls.add(spaces.id)
        elif any(True for _ in bounds.uncertain(spaces)):
            traps.add(spaces.id)
    return Steps(frozenset(calls), frozenset(traps))
