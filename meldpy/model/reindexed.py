"""What the merger asks of the kernel, and what it gets: index maps in, rewritten function bodies out."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import Final, final

from meldpy.records import dataclass, field


@final
@dataclass(frozen=True, slots=True)
class TableParts:
    """Tables of a core module that are parts of a larger one, and are only called through.

    first, size: per table of the module its part's first slot, and how many slots it has; size 0: it is no part.
    params: per body how many parameters the function has if it calls through a part, else -1. trap: for code without
    table.get, the new index of the type of functions without parameters and results.
    """

    first: Sequence[int]
    size: Sequence[int]
    params: Sequence[int]
    trap: int | None = None


@final
@dataclass(frozen=True, slots=True)
class IndexMaps:
    """Old index to new index for each index space of one core module; every space is mapped in full.

    -1 marks an item that was dropped: meeting it in a kept body is a defect of ours (InternalError).
    parts: for tables that share one.
    """

    types: Sequence[int]
    funcs: Sequence[int]
    tables: Sequence[int]
    memories: Sequence[int]
    globals: Sequence[int]
    tags: Sequence[int]
    elems: Sequence[int]
    data: Sequence[int]
    parts: TableParts | None = None


@final
@dataclass(frozen=True, slots=True)
class IndexCounts:
    """How many items, imports included, each index space of one core module has."""

    types: int
    funcs: int
    tables: int
    memories: int
    globals: int
    tags: int
    elems: int
    data: int


DROPPED_BIT: Final = 0x80000000
"""In an entry of Positions: the byte belongs to a body that was left out."""


@final
@dataclass(frozen=True, slots=True)
class Positions:
    """Where each byte of `bodies` went: `table[old]` is the new offset, with DROPPED_BIT if the body was left out.

    Both are offsets from the start of `bodies`; the last entry stands for their end. The map is total and never goes
    back: an instruction's first byte goes to the first byte of the rewritten one, its other bytes behind it, and what
    was left out goes to the end of the kept body before it.
    """

    table: array[int] = field(repr=False)

    def new(self, old: int) -> int:
        """The new offset; what lies behind the end goes to the end."""
        return self.table[min(old, len(self.table) - 1)] & ~DROPPED_BIT

    def kept(self, old: int) -> bool:
        """Whether `old` lies in a body that was kept."""
        return old < len(self.table) and not self.table[old] & DROPPED_BIT

    def then(self, base: int, later: Positions) -> Positions:
        """Where each byte is after a second move, which kept all bodies; `base`: where the first move put `bodies`.

        Counted from where the second move puts what was at `base`.
        """
        second = later.table
        moved = second[base] & ~DROPPED_BIT
        return Positions(
            array(
                "I",
                [(second[base + (at & ~DROPPED_BIT)] & ~DROPPED_BIT) - moved | at & DROPPED_BIT for at in self.table],
            )
        )


@final
@dataclass(frozen=True, slots=True)
class Rewritten:
    """All bodies of a module after another move, and where each byte went, if that was asked for."""

    bodies: bytes
    positions: Positions | None = None


@final
@dataclass(frozen=True, slots=True)
class Reindexed:
    """`count` bodies, each with its size in front, as `Code` has them.

    largest: bytes of the largest body, to be held against the engines' limit (field.md section 6).
    positions: where each byte went, if that was asked for.
    """

    bodies: bytes
    count: int
    largest: int
    positions: Positions | None = None
