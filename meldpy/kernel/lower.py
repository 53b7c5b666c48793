"""Function bodies without instructions that a target lacks: sign extensions, saturating truncations, memory.copy and
memory.fill, and functions of several results.

What stands in their place and which functions help is decided elsewhere (core_output); here the instructions are
found and replaced, in the loop of scan.wat with the functions of lower.wat. A function of several results gives the
first one; the others travel in globals from just before it returns to just after the call, where nothing can come
between.
"""

from __future__ import annotations

from array import array
from typing import Final, final

from meldpy.kernel.chunks import in_chunks
from meldpy.kernel.failures import Origin, failure
from meldpy.kernel.loader import LOCK, Layout, lowering_kernel
from meldpy.kernel.scan import clear_stamps
from meldpy.model.lowered import Replacements
from meldpy.model.reindexed import DROPPED_BIT, IndexCounts, Positions, Rewritten

_GROWTH: Final = 8
"""The output is at most this much larger, but for results: a sign extension of one byte becomes six."""
_RESULT: Final = 6
"""Bytes that reading or writing one global takes."""
_TRUNCATIONS: Final = 8
_NONE: Final = 0xFFFF_FFFF
_SINGLE: Final = 0
"""In place of the list of a function with one result or none."""


def lower(
    bodies: bytes | memoryview,
    count: int,
    counts: IndexCounts,
    replacements: Replacements,
    with_positions: bool = False,
) -> Rewritten | None:
    """The `count` bodies rewritten; `counts`: the sizes of the module's index spaces.

    None if a branch leaves a function of several results with all of them, which cannot be said otherwise.
    """
    with LOCK:
        traced = array("I") if with_positions else None
        run = _Run(memoryview(bodies).cast("B"), count, counts, replacements, traced)
        in_chunks(len(bodies), count, run.origin, run.process)
        stuck = run.loaded.call("lower_stuck")
    if stuck:
        return None
    return Rewritten(b"".join(run.out), None if traced is None else run.positions(traced))


@final
class _Run:
    """One pass over all bodies: what goes through the kernel, and what has come out so far."""

    def __init__(
        self,
        bodies: memoryview,
        count: int,
        counts: IndexCounts,
        given: Replacements,
        traced: array[int] | None,
    ) -> None:
        self.bodies = bodies
        self.count = count
        self.origin = Origin("the merged module", 0, ())
        self.out: list[bytes] = []
        most = max(map(len, given.extra_results.values()), default=0)
        self.growth = _GROWTH + _RESULT * most
        layout = Layout()
        self.traced = traced
        self.written = 0
        self.loaded = lowering_kernel(traced is not None)
        clear_stamps(self.loaded, counts, layout)
        memories = range(counts.memories)
        tables = [
            [given.truncations.get(op, _NONE) for op in range(_TRUNCATIONS)],
            [given.copies.get((d, s), _NONE) for d in memories for s in memories],
            [given.fills.get(memory, _NONE) for memory in memories],
        ]
        placed = [self._put(layout, table) for table in tables]
        lists = {f: self._put(layout, [len(results), *results]) for f, results in given.extra_results.items()}
        extras = self._put(layout, [lists.get(f, _SINGLE) for f in range(counts.funcs)])
        self.base = layout.top
        signs = int(given.sign_extensions)
        imported = counts.funcs - count
        self.loaded.call("lower_setup", signs, *placed, extras, counts.memories, imported)

    def _put(self, layout: Layout, table: list[int]) -> int:
        data = array("I", table).tobytes()
        at = layout.take(len(data))
        self.loaded.reserve(layout.top)
        self.loaded.view[at : at + len(data)] = data
        return at

    def process(self, position: int, size: int, done: int) -> tuple[int, int]:
        """Rewrites the whole bodies in `size` bytes from `position` (see `in_chunks`)."""
        layout = Layout(self.base)
        source = layout.take(size)
        records = layout.take(5 * size)
        target = layout.take(self.growth * size)
        table = layout.take(4 * size) if self.traced is not None else 0
        loaded = self.loaded
        loaded.reserve(layout.top)
        loaded.view[source : source + size] = self.bodies[position : position + size]
        if table:
            loaded.call("trace", source, size, table, target, self.written)
        failed = loaded.call("lower", source, source + size, self.count - done, done + 1, records, target)
        state = loaded.state()
        if failed:
            raise failure(state, position + state.at - source, self.bodies, self.origin)
        self.out.append(bytes(loaded.view[target : state.output]))
        self.written += state.output - target
        if self.traced is not None:
            self.traced.frombytes(loaded.view[table : table + 4 * (state.consumed - source)])
        return state.consumed - source, state.bodies

    def positions(self, traced: array[int]) -> Positions:
        return Positions(array("I", [*traced, self.written | DROPPED_BIT]))
