"""Function bodies with other indices: `reindex` rewrites whole code sections without ever decoding them to objects.

A merged module has other index spaces than the modules it is made of, so every instruction that names a type, function,
table, memory, global, tag or segment must name another one, and as LEB128 grows and shrinks with its value, all that
follows moves. That is a loop over bytes and written in WAT (reindex.wat); here is only what surrounds it: finished
maps in, chunks of a bounded size through, errors with a place out.

Not done here: deciding what is kept and where it goes (merger), validation beyond what decoding needs (engine), and
constant expressions, which are model.

Everything comes out in its shortest encoding: padded LEB128 shrinks, a memory operand never names memory 0.

Spec: core, binary format, "Code Section", "Instructions", "Types".
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import Final

from meldpy.kernel.chunks import in_chunks
from meldpy.kernel.failures import Origin, failure
from meldpy.kernel.loader import LOCK, Layout, kernel
from meldpy.kernel.opcodes import SPACES
from meldpy.model.reindexed import IndexMaps, Reindexed

_GROWTH: Final = 4
"""The output is at most this much larger: `call_indirect` with two one-byte indices grows from 3 to 11 bytes."""


def reindex(
    bodies: bytes | memoryview,
    count: int,
    maps: IndexMaps,
    keep: Sequence[bool] | None = None,
    *,
    source_offset: int = 0,
    source: str = "core module",
    path: tuple[str, ...] = (),
    with_offsets: bool = False,
) -> Reindexed:
    """The `count` function bodies in `bodies` (each with its size in front) with all indices mapped.

    keep: which of the bodies to rewrite; the others are left out unread. source_offset: file offset of `bodies[0]`,
    for errors, as are `source` and `path`.

    Raises DecodeError if the bodies are malformed, UnsupportedError for an instruction that is not in the table,
    InternalError if a kept body refers to a dropped item.
    """
    assert keep is None or len(keep) == count
    flags = None if keep is None else bytes(map(bool, keep))
    with LOCK:
        layout = Layout()
        _load_maps(maps, layout)
        origin = Origin(source, source_offset, path)
        run = _Run(memoryview(bodies).cast("B"), count, flags, origin, layout, with_offsets)
        in_chunks(len(bodies), count, origin, run.process)
    kept = count if flags is None else flags.count(1)
    return Reindexed(b"".join(run.out), kept, run.largest, run.offsets)


def _load_maps(maps: IndexMaps, layout: Layout) -> None:
    """Puts the maps into the kernel's memory as finished LEB128, and tells the kernel where they are."""
    spaces = (maps.types, maps.funcs, maps.tables, maps.memories, maps.globals, maps.tags, maps.elems, maps.data)
    raw = array("i")
    for space in spaces:
        raw.extend(array("i", space))
    signed = layout.take(8 * len(maps.types))
    entries = layout.take(8 * len(raw))
    source = layout.take(4 * len(raw))
    loaded = kernel()
    loaded.reserve(layout.top)
    loaded.view[source : source + 4 * len(raw)] = memoryview(raw).cast("B")
    loaded.call("encode", source, len(maps.types), signed, 1)
    loaded.call("encode", source, len(raw), entries, 0)
    loaded.describe(0, signed, len(maps.types))
    for immediates, space in zip(SPACES, spaces, strict=True):
        for immediate in immediates:
            loaded.describe(immediate, entries, len(space))
        entries += 8 * len(space)


class _Run:
    """One call of `reindex`: what goes through the kernel, and what has come out so far."""

    def __init__(
        self, bodies: memoryview, count: int, keep: bytes | None, origin: Origin, layout: Layout, with_offsets: bool
    ) -> None:
        self.bodies = bodies
        self.count = count
        self.keep = keep
        self.origin = origin
        self.base = layout.top
        self.with_offsets = with_offsets
        self.out: list[bytes] = []
        self.written = 0
        self.largest = 0
        self.offsets = array("I")

    def process(self, position: int, size: int, done: int) -> tuple[int, int]:
        """Rewrites the whole bodies in `size` bytes from `position` (see `in_chunks`)."""
        layout = Layout(self.base)
        source = layout.take(size)
        target = layout.take(_GROWTH * size)
        flags = layout.take(size) if self.keep is not None else 0
        pairs = layout.take(8 * size) if self.with_offsets else 0
        loaded = kernel()
        loaded.reserve(layout.top)
        view = loaded.view
        view[source : source + size] = self.bodies[position : position + size]
        if self.keep is not None:
            # no body is shorter than a byte
            next_flags = self.keep[done : done + size]
            view[flags : flags + len(next_flags)] = next_flags
        failed = loaded.call("reindex", source, source + size, target, self.count - done, flags, pairs)
        state = loaded.state()
        if failed:
            raise failure(state, position + state.at - source, self.bodies, self.origin)
        if pairs:
            self._note_offsets(view[pairs : pairs + 8 * self._kept(done, state.bodies)].cast("I"), position)
        if state.output > target:
            self.out.append(bytes(view[target : state.output]))
        self.written += state.output - target
        self.largest = max(self.largest, state.largest)
        return state.consumed - source, state.bodies

    def _kept(self, done: int, bodies: int) -> int:
        return bodies if self.keep is None else self.keep[done : done + bodies].count(1)

    def _note_offsets(self, pairs: memoryview, position: int) -> None:
        self.offsets.extend(array("I", pairs))
        start = len(self.offsets) - len(pairs)
        for first, shift in ((start, position), (start + 1, self.written)):
            if shift:
                self.offsets[first::2] = array("I", [offset + shift for offset in self.offsets[first::2]])
