"""Function bodies with all memories in one: every access is checked against its region's length and moved by its base.

What a region is and which functions help with it is decided elsewhere (core_output); here accesses are found and
replaced, in the loop of scan.wat with the functions of rebase.wat. An access becomes

    unchecked       i32.load offset=(base + o)
    constant base   local.tee $a  len - (o + size)  i32.gt_u  if trap end  local.get $a  i32.load offset=(base + o)
    base can move   the same, with  global.get $base  i32.add  before the load

where the subtraction is made in 64 bits if it could wrap. What lies on the address (a stored value) waits in a local.
A check that is certain to pass is left out (bounds.wat): of a constant address, or of a local that was checked before.
Spec: core, "Instructions", "Memory Instructions"; threads proposal, where a misaligned access traps before bounds.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import Final, final

from meldpy.kernel.chunks import in_chunks
from meldpy.kernel.failures import Origin, failure
from meldpy.kernel.loader import LOCK, Kernel, Layout, rebasing_kernel
from meldpy.kernel.opcodes import ACCESSES_END, SUB_OPCODES
from meldpy.kernel.scan import clear_stamps
from meldpy.model.regions import MemoryUses, RegionCode, RegionMap, Seen
from meldpy.model.reindexed import DROPPED_BIT, IndexCounts, Positions, Rewritten

_GROWTH: Final = 24
"""The output is at most this much larger: a load of three bytes becomes one of 45."""
_SURVEY, _REPLACE, _SEE = 1, 2, 3
_OPCODES: Final = 256 + 4 * SUB_OPCODES
_NONE: Final = 0xFFFF_FFFF
_RECORD: Final = 64
_KNOWN: Final = 1288 + 4 * 8192
"""See bounds.wat."""


def survey(bodies: bytes | memoryview, count: int, counts: IndexCounts) -> MemoryUses:
    """What the `count` bodies do with memories; `counts`: the sizes of the module's index spaces."""
    with LOCK:
        run = _Run(memoryview(bodies).cast("B"), counts, bytes(4 * count), None)
        in_chunks(len(bodies), count, run.origin, run.process)
        view, number = run.loaded.view, counts.memories
        flags = [view[run.regions + _RECORD * i + 32] for i in range(number)]
        copied = view[run.copies : run.copies + 4 * number * number].cast("I")
        pairs = frozenset(divmod(i, number) for i, used in enumerate(copied) if used)
    grown, filled, initialised = (frozenset(i for i, each in enumerate(flags) if each & bit) for bit in (1, 2, 4))
    return MemoryUses(grown, filled, initialised, pairs)


def rebase(
    bodies: bytes | memoryview,
    count: int,
    counts: IndexCounts,
    params: Sequence[int],
    regions: RegionMap,
    with_positions: bool = False,
) -> Rewritten:
    """The `count` bodies rewritten for one memory. params: how many parameters each function has."""
    with LOCK:
        traced = array("I") if with_positions else None
        run = _Run(memoryview(bodies).cast("B"), counts, array("I", params).tobytes(), regions, traced=traced)
        in_chunks(len(bodies), count, run.origin, run.process)
    return Rewritten(b"".join(run.out), None if traced is None else run.positions(traced))


def opcodes_seen(bodies: bytes | memoryview, count: int, counts: IndexCounts) -> tuple[Seen, ...]:
    """Each opcode that the `count` bodies use, where it is used first."""
    with LOCK:
        run = _Run(memoryview(bodies).cast("B"), counts, bytes(4 * count), None, _OPCODES)
        in_chunks(len(bodies), count, run.origin, run.process)
    return tuple(run.seen.values())


@final
class _Run:
    """One pass over all bodies: what goes through the kernel, and what has come out so far."""

    def __init__(
        self,
        bodies: memoryview,
        counts: IndexCounts,
        params: bytes,
        regions: RegionMap | None,
        opcodes: int = 0,
        traced: array[int] | None = None,
    ) -> None:
        self.bodies = bodies
        self.params = params
        self.origin = Origin("the merged module", 0, ())
        self.out: list[bytes] = []
        layout = Layout(ACCESSES_END)
        self.traced = traced
        self.written = 0
        self.loaded = loaded = rebasing_kernel(traced is not None)
        clear_stamps(loaded, counts, layout)
        number = counts.memories
        self.regions = layout.take(_RECORD * number)
        self.opcodes = opcodes
        self.seen: dict[int, Seen] = {}
        self.copies = layout.take(8 * opcodes or 4 * number * number)
        known = layout.take(_KNOWN)
        loaded.reserve(layout.top)
        self.base = layout.top
        _write(loaded, known, bytes(_KNOWN))
        _write(loaded, self.regions, bytes(_RECORD * number))
        _write(loaded, self.copies, bytes(8 * opcodes or 4 * number * number))
        if regions is not None:
            _write(loaded, self.regions, b"".join(map(_record, regions.regions)))
            table = [regions.copies.get((d, s), _NONE) for d in range(number) for s in range(number)]
            _write(loaded, self.copies, array("I", table).tobytes())
        mode = _SEE if opcodes else _SURVEY if regions is None else _REPLACE
        trap = 0 if regions is None else regions.out_of_bounds
        loaded.call("rebase_setup", self.regions, number, self.copies, trap, mode, known)

    def process(self, position: int, size: int, done: int) -> tuple[int, int]:
        """Rewrites the whole bodies in `size` bytes from `position` (see `in_chunks`)."""
        layout = Layout(self.base)
        source = layout.take(size)
        records = layout.take(5 * size)
        params = layout.take(4 * size)
        target = layout.take(_GROWTH * size)
        table = layout.take(4 * size) if self.traced is not None else 0
        loaded = self.loaded
        loaded.reserve(layout.top)
        _write(loaded, source, self.bodies[position : position + size])
        # no body is shorter than a byte
        _write(loaded, params, self.params[4 * done : 4 * (done + size)])
        count = len(self.params) // 4 - done
        if table:
            loaded.call("trace", source, size, table, target, self.written)
        failed = loaded.call("rebase", source, source + size, count, done + 1, records, params, target)
        state = loaded.state()
        if failed:
            raise failure(state, position + state.at - source, self.bodies, self.origin)
        self._see(position - source)
        self.out.append(bytes(loaded.view[target : state.output]))
        self.written += state.output - target
        if self.traced is not None:
            self.traced.frombytes(loaded.view[table : table + 4 * (state.consumed - source)])
        return state.consumed - source, state.bodies

    def positions(self, traced: array[int]) -> Positions:
        return Positions(array("I", [*traced, self.written | DROPPED_BIT]))

    def _see(self, moved: int) -> None:
        """What is in the table of opcodes and new: `moved` is how far offsets are from addresses."""
        if not self.opcodes:
            return
        table = self.loaded.view[self.copies : self.copies + 8 * self.opcodes].cast("I")
        for number in range(self.opcodes):
            if table[2 * number] and number not in self.seen:
                prefix, opcode = (0, number) if number < 256 else divmod(number - 256, SUB_OPCODES)
                prefix = prefix + 0xFB if number >= 256 else 0
                offset = table[2 * number] - 1 + moved
                self.seen[number] = Seen(prefix, opcode, table[2 * number + 1] - 1, offset)


def _write(loaded: Kernel, at: int, data: bytes | memoryview) -> None:
    loaded.view[at : at + len(data)] = data


def _record(region: RegionCode) -> bytes:
    """See rebase.wat."""
    constant = region.length is not None
    what = region.is64 | (region.base_global is not None) << 1 | constant << 2 | region.unchecked << 3
    length = region.length if region.length is not None else region.length_global or 0
    words = [what | region.page_log2 << 8, region.base, length, region.base_global or 0, region.least]
    words += [_NONE if func is None else func for func in (region.grow, region.fill, region.init)]
    return array("I", words).tobytes().ljust(_RECORD, b"\0")
