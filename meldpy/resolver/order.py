"""Instantiation order of inputs: providers first, independent inputs as on the command line; cycles are errors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence


def in_order(count: int, needs: Mapping[int, Iterable[int]]) -> list[int] | None:
    """0…count-1 so that each comes after what it needs, the smallest possible first; None if there is a cycle."""
    missing = {i: set(needs.get(i, ())) for i in range(count)}
    order: list[int] = []
    while missing:
        ready = next((i for i, wanted in missing.items() if not wanted), None)
        if ready is None:
            return None
        del missing[ready]
        order.append(ready)
        for wanted in missing.values():
            wanted.discard(ready)
    return order


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
