"""All cases, by the condition of the table that they are for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from itertools import chain
from typing import Final

from tests.support.trapcases import (
    async_edges,
    async_scripts,
    chained,
    dropping,
    entering,
    handles,
    hooks,
    limits,
    pointers,
    reallocs,
    values,
)
from tests.support.trapcases.case import Case

SOURCES: Final[tuple[Callable[[], Iterator[Case]], ...]] = (
    values.cases,
    reallocs.cases,
    pointers.cases,
    hooks.cases,
    hooks.at_the_edge,
    hooks.with_tables,
    hooks.by_all_ways,
    hooks.neighbours,
    chained.cases,
    chained.poisoned,
    entering.cases,
    entering.neighbours,
    dropping.neighbours,
    handles.cases,
    limits.cases,
    async_scripts.cases,
    async_edges.blocking,
    async_edges.left,
    async_edges.backpressure,
)


@cache
def cases() -> dict[str, list[Case]]:
    found: dict[str, list[Case]] = {}
    for case in chain.from_iterable(source() for source in SOURCES):
        found.setdefault(case.condition, []).append(case)
    return found
