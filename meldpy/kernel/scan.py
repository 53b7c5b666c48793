"""What function bodies refer to: `scan` lists it per function, without ever decoding them to objects.

Reachability, devirtualisation, and the proofs that let the adapter leave out a barrier all ask "what can this function
touch". The loop over bytes is written in WAT (scan.wat); here is only what surrounds it. What the references mean is
for the analysis to say.

Spec: core, binary format, "Code Section", "Instructions", "Types".
"""

from __future__ import annotations

from array import array
from typing import Final

from meldpy.kernel.chunks import in_chunks
from meldpy.kernel.failures import Origin, failure
from meldpy.kernel.loader import LOCK, Kernel, Layout, kernel
from meldpy.kernel.opcodes import REMARKS, SPACES
from meldpy.model.facts import CodeFacts
from meldpy.model.reindexed import IndexCounts
from meldpy.records import astuple

_INDEX_BYTES: Final = 4
"""An instruction has at least as many bytes as it gives records; a record has one byte of kind and this many more."""


def scan(
    bodies: bytes | memoryview,
    count: int,
    counts: IndexCounts,
    *,
    source_offset: int = 0,
    source: str = "core module",
    path: tuple[str, ...] = (),
) -> CodeFacts:
    """What each of the `count` function bodies in `bodies` (each with its size in front) refers to.

    counts: the sizes of the module's index spaces, imports included. source_offset: file offset of `bodies[0]`, for
    errors, as are `source` and `path`. References of a function are in the order of their first occurrence.

    Raises DecodeError if the bodies are malformed, UnsupportedError for an instruction that is not in the table.
    """
    with LOCK:
        layout = Layout()
        clear_stamps(kernel(), counts, layout)
        run = _Run(memoryview(bodies).cast("B"), count, Origin(source, source_offset, path), layout)
        in_chunks(len(bodies), count, run.origin, run.process)
    return CodeFacts(array("I", [0, *run.ends[::2]]), array("I", [0, *run.ends[1::2]]), run.kinds, run.indices)


def clear_stamps(loaded: Kernel, counts: IndexCounts, layout: Layout) -> None:
    """Gives each kind of reference its table of stamps, all zero: no function has the number 0."""
    tables = [(immediate, 1) for immediate in REMARKS]
    for immediates, items in zip(SPACES, astuple(counts), strict=True):
        tables += [(immediate, items) for immediate in immediates]
    for immediate, items in tables:
        start = layout.take(4 * items)
        loaded.reserve(layout.top)
        loaded.view[start : start + 4 * items] = bytes(4 * items)
        loaded.describe(immediate, start, items)


class _Run:
    """One call of `scan`: what goes through the kernel, and what has come out so far."""

    def __init__(self, bodies: memoryview, count: int, origin: Origin, layout: Layout) -> None:
        self.bodies = bodies
        self.count = count
        self.origin = origin
        self.base = layout.top
        self.kinds = bytearray()
        self.indices = array("i")
        self.ends = array("I")

    def process(self, position: int, size: int, done: int) -> tuple[int, int]:
        """Reads the whole bodies in `size` bytes from `position` (see `in_chunks`)."""
        layout = Layout(self.base)
        source = layout.take(size)
        kinds = layout.take(size)
        indices = layout.take(_INDEX_BYTES * size)
        ends = layout.take(8 * size)
        loaded = kernel()
        loaded.reserve(layout.top)
        view = loaded.view
        view[source : source + size] = self.bodies[position : position + size]
        failed = loaded.call(
            "scan", source, source + size, self.count - done, done + 1, kinds, indices, ends, position, len(self.kinds)
        )
        state = loaded.state()
        if failed:
            raise failure(state, position + state.at - source, self.bodies, self.origin)
        records = state.output - kinds
        self.kinds += view[kinds : state.output]
        self.indices.frombytes(view[indices : indices + _INDEX_BYTES * records])
        self.ends.frombytes(view[ends : ends + 8 * state.bodies])
        return state.consumed - source, state.bodies
