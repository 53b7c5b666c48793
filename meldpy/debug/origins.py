"""Where each byte of the code came from: the section `meld.origins`, which an output has if it was asked for.

Content: the length of a JSON text and that text, which lists the units, then for each unit a zlib stream. Unpacked it
has one byte for every byte of the old bodies, how much further in the new bodies it lies than the byte before it, and
then another for each, 1 for a byte that was left out. So the whole table is made and read without a loop over bytes.
"""

from __future__ import annotations

import json
import zlib
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
_VERSION: Final = 1
_LARGEST: Final = 1 << 28


def origins_section(units: Sequence[MergedUnit]) -> bytes:
    """The section's content; the units' positions are known."""
    described: list[dict[str, Any]] = []
    streams: list[bytes] = []
    for unit in units:
        assert unit.positions is not None, "origins want positions"
        stream = zlib.compress(_steps(unit.positions), 9)
        described.append(
            {
                "component": unit.component,
                "module": unit.label,
                "code": unit.module.code.offset,
                "base": unit.base,
                "size": unit.positions.new(len(unit.positions.table) - 1),
                "bytes": len(stream),
            }
        )
        streams.append(stream)
    text = json.dumps({"version": _VERSION, "units": described}, separators=(",", ":")).encode()
    return b"".join((unsigned(len(text)), text, *streams))


def _steps(positions: Positions) -> bytes:
    """Two bytes for each old byte. All entries are taken at once, as lanes of one large number."""
    size = len(positions.table) - 1
    table = int.from_bytes(memoryview(positions.table).cast("B")[: 4 * size], "little")
    lane = int.from_bytes(b"\1\0\0\0" * size, "little")
    places = table & lane * (DROPPED_BIT - 1)
    steps = places - (places << 32 & ((1 << 32 * size) - 1))
    left_out = table >> 31 & lane
    return steps.to_bytes(4 * size, "little")[::4] + left_out.to_bytes(4 * size, "little")[::4]


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
        try:
            head = json.loads(cursor.take(cursor.u32()))
            if head["version"] != _VERSION:
                raise Malformed
            self._units = [(unit, cursor.take(unit["bytes"])) for unit in head["units"]]
        except (ValueError, KeyError, TypeError) as error:
            raise Malformed from error

    def find(self, place: int) -> Origin | None:
        """Where the byte at `place` of the merged bodies came from; None for code of ours."""
        for unit, stream in self._units:
            if unit["base"] <= place < unit["base"] + unit["size"]:
                return Origin(unit["component"].partition("/")[0], unit["code"] + _before(stream, place - unit["base"]))
        return None


def _before(stream: bytes, place: int) -> int:
    """The first kept byte of the old bodies that went to `place`, or else to the nearest one before it."""
    unpacker = zlib.decompressobj()
    try:
        steps = unpacker.decompress(stream, _LARGEST)
    except zlib.error as error:
        raise Malformed from error
    size = len(steps) // 2
    places = list(accumulate(steps[:size]))
    last = bisect_right(places, place) - 1
    while last > 0 and places[last - 1] == places[last] and not steps[size + last - 1]:
        last -= 1
    return last
