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
from meldpy.kernel.loader import LOCK, Kernel, Layout, kernel, tracing_kernel
from meldpy.kernel.opcodes import INDIRECT_CALLS, SPACES, indirect_shape
from meldpy.model.reindexed import DROPPED_BIT, IndexMaps, Positions, Reindexed, TableParts

_GROWTH: Final = 4
"""The output is at most this much larger: `call_indirect` with two one-byte indices grows from 3 to 11 bytes."""
_GROWTH_THROUGH_PARTS: Final = 16
"""The same through a part of a table: from 3 to 46 bytes."""


def reindex(
    bodies: bytes | memoryview,
    count: int,
    maps: IndexMaps,
    keep: Sequence[bool] | None = None,
    *,
    source_offset: int = 0,
    source: str = "core module",
    path: tuple[str, ...] = (),
    with_positions: bool = False,
) -> Reindexed:
    """The `count` function bodies in `bodies` (each with its size in front) with all indices mapped.

    keep: which of the bodies to rewrite; the others are left out unread. source_offset: file offset of `bodies[0]`,
    for errors, as are `source` and `path`. with_positions: say where every byte went.

    Raises DecodeError if the bodies are malformed, UnsupportedError for an instruction that is not in the table,
    InternalError if a kept body refers to a dropped item.
    """
    assert keep is None or len(keep) == count
    flags = None if keep is None else bytes(map(bool, keep))
    with LOCK:
        layout = Layout()
        loaded = tracing_kernel() if with_positions else kernel()
        _load_maps(loaded, maps, layout)
        origin = Origin(source, source_offset, path)
        run = _Run(loaded, memoryview(bodies).cast("B"), count, flags, origin, layout, with_positions, maps.parts)
        try:
            in_chunks(len(bodies), count, origin, run.process)
        finally:
            _shape_indirect_calls(loaded, False)
    kept = count if flags is None else flags.count(1)
    return Reindexed(b"".join(run.out), kept, run.largest, _positions(run) if with_positions else None)


def _positions(run: _Run) -> Positions:
    run.positions.append(run.written | DROPPED_BIT)
    return Positions(run.positions)


def _load_maps(loaded: Kernel, maps: IndexMaps, layout: Layout) -> None:
    """Puts the maps into the kernel's memory as finished LEB128, and tells the kernel where they are."""
    spaces = (maps.types, maps.funcs, maps.tables, maps.memories, maps.globals, maps.tags, maps.elems, maps.data)
    raw = array("i")
    for space in spaces:
        raw.extend(array("i", space))
    signed = layout.take(8 * len(maps.types))
    entries = layout.take(8 * len(raw))
    source = layout.take(4 * len(raw))
    loaded.reserve(layout.top)
    loaded.view[source : source + 4 * len(raw)] = memoryview(raw).cast("B")
    loaded.call("encode", source, len(maps.types), signed, 1)
    loaded.call("encode", source, len(raw), entries, 0)
    loaded.describe(0, signed, len(maps.types))
    for immediates, space in zip(SPACES, spaces, strict=True):
        for immediate in immediates:
            loaded.describe(immediate, entries, len(space))
        entries += 8 * len(space)


def _load_parts(loaded: Kernel, parts: TableParts, layout: Layout) -> int:
    """Puts the parts where indirect calls find them; where the bodies' numbers of parameters are."""
    pairs = array("I", [each for pair in zip(parts.first, parts.size, strict=True) for each in pair]).tobytes()
    params = array("i", parts.params).tobytes()
    at = layout.take(len(pairs))
    start = layout.take(len(params))
    loaded.reserve(layout.top)
    loaded.view[at : at + len(pairs)] = pairs
    loaded.view[start : start + len(params)] = params
    loaded.call("set_parts", at, -1 if parts.trap is None else parts.trap)
    _shape_indirect_calls(loaded, True)
    return start


def _shape_indirect_calls(loaded: Kernel, through_parts: bool) -> None:
    for opcode in INDIRECT_CALLS:
        loaded.view[4 * opcode : 4 * opcode + 4] = indirect_shape(through_parts)


class _Run:
    """One call of `reindex`: what goes through the kernel, and what has come out so far."""

    def __init__(
        self,
        loaded: Kernel,
        bodies: memoryview,
        count: int,
        keep: bytes | None,
        origin: Origin,
        layout: Layout,
        with_positions: bool,
        parts: TableParts | None,
    ) -> None:
        self.loaded = loaded
        self.bodies = bodies
        self.count = count
        self.keep = keep
        self.origin = origin
        self.growth = _GROWTH if parts is None else _GROWTH_THROUGH_PARTS
        self.params = 0 if parts is None else _load_parts(loaded, parts, layout)
        self.base = layout.top
        self.with_positions = with_positions
        self.out: list[bytes] = []
        self.written = 0
        self.largest = 0
        self.positions = array("I")

    def process(self, position: int, size: int, done: int) -> tuple[int, int]:
        """Rewrites the whole bodies in `size` bytes from `position` (see `in_chunks`)."""
        layout = Layout(self.base)
        source = layout.take(size)
        target = layout.take(self.growth * size)
        flags = layout.take(size) if self.keep is not None else 0
        table = layout.take(4 * size) if self.with_positions else 0
        loaded = self.loaded
        loaded.reserve(layout.top)
        view = loaded.view
        view[source : source + size] = self.bodies[position : position + size]
        if self.keep is not None:
            # no body is shorter than a byte
            next_flags = self.keep[done : done + size]
            view[flags : flags + len(next_flags)] = next_flags
        if table:
            loaded.call("trace", source, size, table, target, self.written)
        loaded.call("set_params", self.params and self.params + 4 * done)
        failed = loaded.call("reindex", source, source + size, target, self.count - done, flags)
        state = loaded.state()
        if failed:
            raise failure(state, position + state.at - source, self.bodies, self.origin)
        consumed = state.consumed - source
        if table:
            self.positions.frombytes(view[table : table + 4 * consumed])
        if state.output > target:
            self.out.append(bytes(view[target : state.output]))
        self.written += state.output - target
        self.largest = max(self.largest, state.largest)
        return consumed, state.bodies
