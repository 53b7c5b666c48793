"""Instantiation order of inputs: providers first, independent inputs as on the command line; cycles are errors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from heapq import heappop, heappush


def in_order(count: int, needs: Mapping[int, Iterable[int]]) -> list[int] | None:
    """0…count-1 so that each comes after what it needs, the smallest possible first; None if there is a cycle."""
    missing = {i: set(needs.get(i, ())) for i in range(count)}
    wanted_by: dict[int, list[int]] = {}
    for i, wanted in missing.items():
        for each in wanted:
            wanted_by.setdefault(each, []).append(i)
    ready = [i for i, wanted in missing.items() if not wanted]
    order: list[int] = []
    while ready:
        order.append(heappop(ready))
        for i in wanted_by.get(order[-1], ()):
            missing[i].discard(order[-1])
            if not missing[i]:
                heappush(ready, i)
    return order if len(order) == count else None


def cycle(count: int, needs: Mapping[int, Iterable[int]]) -> Sequence[int]:
    """The members of a cycle, each needing the next and the last the first; empty if there is none.

    Of several, the one that a walk from the smallest member on, taking smallest needs first, closes first.
    """
    done: set[int] = set()
    for start in range(count):
        path: list[int] = []
        stack = [iter([start])]
        while stack:
            found = next(stack[-1], None)
            if found is None:
                stack.pop()
                if path:
                    done.add(path.pop())
            elif found in path:
                return path[path.index(found) :]
            elif found not in done:
                path.append(found)
                stack.append(iter(sorted(needs.get(found, ()))))
    return ()
