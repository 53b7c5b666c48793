"""Where each byte of the code came from: the section `meld.origins`, which an output has if it was asked for.

Content: the length of a JSON text and that text, which lists the units, then for each unit how its table is made. That
is: for every byte of the old bodies how much further in the new bodies it lies than the byte before it, nearly always
one, told as the number of ones (LEB128) and the byte that follows them, and behind a zero how many more there are;
then how many bytes were kept, left out, kept, ... in turn. No library packs this further: its bytes would depend on
which one is installed, and outputs do not.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from typing import Any, Final, final

from meldpy.asm.leb import unsigned
from meldpy.debug.cursor import Cursor, Malformed
from meldpy.model.core import Bytes
from meldpy.model.fused import MergedUnit
from meldpy.model.reindexed import DROPPED_BIT, Positions
from meldpy.records import dataclass

SECTION: Final = "meld.origins"
_VERSION: Final = 2
_LARGEST: Final = 1 << 28
_RUN: Final = re.compile(rb"(\x01*)(\x00+|[^\x01]|\Z)", re.DOTALL)
_TURN: Final = re.compile(rb"\x00+|\x01+")


def origins_section(units: Sequence[MergedUnit]) -> bytes:
    """The section's content; the units' positions are known."""
    described: list[dict[str, Any]] = []
    streams: list[bytes] = []
    for unit in units:
        assert unit.positions is not None, "origins want positions"
        steps, left_out = _steps(unit.positions)
        stream = _told_steps(steps) + _told_turns(left_out)
        described.append(
            {
                "component": unit.component,
                "module": unit.label,
                "code": unit.module.code.offset,
                "base": unit.base,
                "size": unit.positions.new(len(steps)),
                "from": len(steps),
                "bytes": len(stream),
            }
        )
        streams.append(stream)
    text = json.dumps({"version": _VERSION, "units": described}, separators=(",", ":")).encode()
    return b"".join((unsigned(len(text)), text, *streams))


def _steps(positions: Positions) -> tuple[bytes, bytes]:
    """For each old byte how far it is from the one before, and whether it was left out.

    All entries are taken at once, as lanes of one large number.
    """
    size = len(positions.table) - 1
    table = int.from_bytes(memoryview(positions.table).cast("B")[: 4 * size], "little")
    lane = int.from_bytes(b"\1\0\0\0" * size, "little")
    places = table & lane * (DROPPED_BIT - 1)
    steps = places - (places << 32 & ((1 << 32 * size) - 1))
    left_out = table >> 31 & lane
    assert not steps & lane * 0xFFFFFF00, "no instruction is replaced by so much"
    return steps.to_bytes(4 * size, "little")[::4], left_out.to_bytes(4 * size, "little")[::4]


def _told_steps(steps: bytes) -> bytes:
    parts: list[bytes] = []
    for run in _RUN.finditer(steps):
        ones, other = run.groups()
        if ones or other:
            parts += [unsigned(len(ones)), other[:1]]
            if other[:1] == b"\0":
                parts.append(unsigned(len(other) - 1))
    return b"".join(parts)


def _told_turns(left_out: bytes) -> bytes:
    turns = [len(turn[0]) for turn in _TURN.finditer(left_out)]
    return b"".join(unsigned(turn) for turn in ([0, *turns] if left_out[:1] == b"\1" else turns))


@final
@dataclass(frozen=True, slots=True)
class Origin:
    """Where something came from: an input as the output calls it, and the offset in its file."""

    input: str
    offset: int

    def __str__(self) -> str:
        return f"{self.input} at {self.offset:#x}"


@final
class Origins:
    """The section, read. Raises Malformed."""

    def __init__(self, section: Bytes) -> None:
        cursor = Cursor(section)
        self._places: dict[int, tuple[list[int], bytes]] = {}
        try:
            head = json.loads(cursor.take(cursor.u32()))
            if head["version"] != _VERSION:
                raise Malformed
            self._units = [(unit, cursor.take(unit["bytes"])) for unit in head["units"]]
        except (ValueError, KeyError, TypeError) as error:
            raise Malformed from error

    def find(self, place: int) -> Origin | None:
        """Where the byte at `place` of the merged bodies came from; None for code of ours."""
        for number, (unit, stream) in enumerate(self._units):
            if unit["base"] <= place < unit["base"] + unit["size"]:
                if number not in self._places:
                    steps, left_out = _read(stream, unit["from"])
                    self._places[number] = list(accumulate(steps)), left_out
                return Origin(
                    unit["component"].partition("/")[0],
                    unit["code"] + _before(*self._places[number], place - unit["base"]),
                )
        return None


def _read(stream: bytes, size: int) -> tuple[bytes, bytes]:
    """The steps of `size` bytes, and which of them were left out."""
    if not isinstance(size, int) or not 0 <= size <= _LARGEST:
        raise Malformed
    cursor = Cursor(stream)
    steps, left_out = bytearray(), bytearray()
    while len(steps) < size:
        ones = cursor.u32()
        _fits(steps, ones, size)
        steps += b"\1" * ones
        if len(steps) < size:
            steps += cursor.take(1)
            if not steps[-1]:
                zeros = cursor.u32()
                _fits(steps, zeros, size)
                steps += bytes(zeros)
    kept = True
    while len(left_out) < size:
        turn = cursor.u32()
        _fits(left_out, turn, size)
        left_out += (b"\0" if kept else b"\1") * turn
        kept = not kept
    return bytes(steps), bytes(left_out)


def _fits(made: bytearray, more: int, size: int) -> None:
    if more > size - len(made):
        raise Malformed


def _before(places: list[int], left_out: bytes, place: int) -> int:
    """The first kept byte of the old bodies that went to `place`, or else to the nearest one before it."""
    last = bisect_right(places, place) - 1
    while last > 0 and places[last - 1] == places[last] and not left_out[last - 1]:
        last -= 1
    return last
