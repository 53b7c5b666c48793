"""Memories as regions of one memory: what rewriting an access must know."""

from __future__ import annotations

from collections.abc import Mapping
from typing import final

from meldpy.records import dataclass


@final
@dataclass(frozen=True, slots=True)
class MemoryUses:
    """What the bodies of a module do with memories beside loads and stores: memory indices, and for copies pairs of
    (destination, source)."""

    grown: frozenset[int]
    filled: frozenset[int]
    initialised: frozenset[int]
    copied: frozenset[tuple[int, int]]


@final
@dataclass(frozen=True, slots=True)
class RegionCode:
    """How code reaches one former memory.

    base: a constant; base_global: the global it is in, if it can move (then `base` is 0). length: in bytes, if it never
    changes; length_global: the global it is in otherwise. Neither: the region is the last and nothing is checked, since
    the engine's own bound is its end. least: bytes it has at least. grow, fill, init: functions for memory.grow, and
    for the operands of memory.fill and memory.init; None if nothing needs them.
    """

    is64: bool
    page_log2: int
    base: int
    base_global: int | None
    length: int | None
    length_global: int | None
    least: int
    grow: int | None
    fill: int | None
    init: int | None

    @property
    def unchecked(self) -> bool:
        return self.length is None and self.length_global is None


@final
@dataclass(frozen=True, slots=True)
class RegionMap:
    """The regions by memory index, the functions for the operands of copies, and the one that traps."""

    regions: tuple[RegionCode, ...]
    copies: Mapping[tuple[int, int], int]
    out_of_bounds: int


@final
@dataclass(frozen=True, slots=True)
class Seen:
    """An opcode (prefix 0, or 0xFB to 0xFE) that bodies use: the defined function that has it first, and the offset
    there from the start of all bodies."""

    prefix: int
    opcode: int
    function: int
    offset: int
