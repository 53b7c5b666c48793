"""The plan of a single memory: where each former memory lies, and how code must reach it.

Regions follow one another, each from a multiple of 64 KiB on. A region has *room*: what it may grow to without
anything else moving. Room is known if a memory never grows, if its own maximum is small, or if the user gave one
(`--memory-max`); such regions come first, so that as many as possible have a base that never changes:

    exported memory   at 0, because the host's pointers are addresses
    with known room   constant base; constant length too if they never grow, or have all that they may have
    the first other   constant base; when it grows, those behind it move
    all behind it     base in a global
    the last          if it has a constant base: no check at all, since the engine's own bound is its end

Pages that a region grows into are zero: what moves away is cleared, and nothing is ever written behind a length.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, final

from meldpy.errors import LimitError, Location, UnsupportedError, UsageError
from meldpy.model.core import MemoryType
from meldpy.model.regions import MemoryUses
from meldpy.records import dataclass

PAGE: Final = 0x10000
MOST_PAGES: Final = 65_535
"""One less than there are: so an access at -1 is out of bounds, and lengths fit an i32."""
_SMALL: Final = 16
"""Pages that are set aside for a memory with a maximum without asking."""


@final
@dataclass(frozen=True, slots=True)
class Region:
    """One former memory. start: where it begins (at first, if it can move). size, most: bytes it has and may have.
    room: bytes up to the next region, None if it makes room by moving those behind it. grows: code can make it
    larger."""

    memory: int
    is64: bool
    page_log2: int
    start: int
    size: int
    most: int
    room: int | None
    grows: bool
    moves: bool
    last: bool

    @property
    def unchecked(self) -> bool:
        """Whether the engine's own bound is the region's end. An i64 address has no bit to spare, and pages of one byte
        are not the engine's."""
        return self.last and not self.moves and not self.is64 and self.page_log2 == 16


@final
@dataclass(frozen=True, slots=True)
class RegionPlan:
    """regions: in order of place. pages, most: of the one memory."""

    regions: tuple[Region, ...]
    pages: int
    most: int


def plan_regions(
    memories: Sequence[MemoryType],
    names: Sequence[str],
    uses: MemoryUses,
    exported: int | None,
    limits: Mapping[str, int],
) -> RegionPlan:
    """`names`: of the memories, for `limits` (pages by name) and messages. Raises UsageError, LimitError, or
    UnsupportedError for a shared memory."""
    _check_names(names, limits)
    drafts = [_draft(index, memories[index], names[index], uses, limits) for index in range(len(memories))]
    order = sorted(drafts, key=lambda draft: (draft.memory != exported, draft.room is None, draft.memory))
    regions: list[Region] = []
    start, moves = 0, False
    for position, draft in enumerate(order):
        last = position == len(order) - 1
        region = _placed(draft, start, moves, last)
        regions.append(region)
        start += _pages(draft.size if draft.room is None or region.unchecked else draft.room) * PAGE
        moves = moves or draft.room is None
    pages = start // PAGE
    if pages > MOST_PAGES:
        raise LimitError(
            f"the memories together have {pages} pages, more than the {MOST_PAGES} of a single memory",
            remedy="give less room with --memory-max, or fuse without --memory single",
        )
    final = regions[-1]
    most = MOST_PAGES if moves else pages + _pages(final.most - final.size) * final.unchecked * final.grows
    return RegionPlan(tuple(regions), pages, min(most, MOST_PAGES))


def _draft(index: int, memory: MemoryType, name: str, uses: MemoryUses, limits: Mapping[str, int]) -> Region:
    bounds = memory.limits
    if bounds.shared:
        raise UnsupportedError(
            "in a single memory",
            f"the memory of {name} is shared",
            Location(name),
            remedy="fuse without --memory single",
        )
    page_log2 = 16 if bounds.page_size_log2 is None else bounds.page_size_log2
    size = bounds.min << page_log2
    most = min(MOST_PAGES * PAGE, MOST_PAGES * PAGE if bounds.max is None else bounds.max << page_log2)
    if name in limits:
        if limits[name] << page_log2 < size:
            raise UsageError(
                f"--memory-max {name}={limits[name]} is less than the {bounds.min} pages it starts with",
                remedy=f"give at least {bounds.min}",
            )
        most = min(most, limits[name] << page_log2)
    grows = index in uses.grown and size < most
    known = name in limits or (bounds.max is not None and most - size <= _SMALL * PAGE)
    room = size if not grows else most if known else None
    return Region(index, bounds.is64, page_log2, 0, size, most, room, grows, False, False)


def _placed(draft: Region, start: int, moves: bool, last: bool) -> Region:
    return Region(
        draft.memory,
        draft.is64,
        draft.page_log2,
        start,
        draft.size,
        draft.most,
        draft.room,
        draft.grows,
        moves,
        last,
    )


def _pages(size: int) -> int:
    return -(-size // PAGE)


def _check_names(names: Sequence[str], limits: Mapping[str, int]) -> None:
    for name in limits:
        if name not in names:
            raise UsageError(
                f"--memory-max names {name}, which no memory is called", remedy=f"there are: {', '.join(names)}"
            )
