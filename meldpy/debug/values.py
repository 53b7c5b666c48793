"""Values that a trap told by its backtrace, read from the frames (`adapter.told_values` says how they get there).

A frame of a function named `value: pointer` is a part: either it stands for a byte of that value, which is the one that
the instructions before its call compare with, or it says that nothing is left of the value. Innermost frames come
first, so the parts of a value are: nothing left, then its bytes from the highest to the lowest. The last value comes
first. A trace that ends within parts was cut off by the engine, and of such a value nothing is said.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, TypeAlias, final

from meldpy.model.core import Bytes
from meldpy.records import dataclass

_BYTE: Final = re.compile(
    rb"\x20(?P<low>.)\x41(?P<byte>[\x00-\x3f]|[\x80-\xff][\x00\x01])\x46\x04\x40"  # if low is this byte
    rb"\x20\x00\x42\x08\x88(?:\x20.)*\x10[\x80-\xff]{0,4}[\x00-\x7f]\x00\x0b",  # go on with value >> 8
    re.DOTALL,
)
Value: TypeAlias = "tuple[str, int]"
"""What it is, and the value, unsigned."""


@final
@dataclass(frozen=True, slots=True)
class Part:
    """name: of the value. byte: of the value, or None if nothing is left of it."""

    name: str
    byte: int | None


def part(name: str, body: Bytes, offset: int) -> Part | None:
    """What a frame at `offset` in the body of the function for `name` stands for; None if the body is none of ours."""
    found = list(_BYTE.finditer(body))
    if [_byte(match) for match in found] != list(range(256)):
        return None
    if offset < found[0].start():
        return Part(name, None)
    return next((Part(name, _byte(match)) for match in found if match.start() <= offset < match.end()), None)


def _byte(match: re.Match[bytes]) -> int:
    """A signed LEB128 of one byte or two, of a number that is not negative."""
    number: bytes = match["byte"]
    return number[0] & 0x7F | sum(number[1:]) << 7


def values(parts: Sequence[Part]) -> list[Value] | None:
    """The values in the order in which they were given, from all parts behind a trap; None if they are not whole."""
    found: list[Value] = []
    for each in parts:
        if each.byte is None:
            found.append((each.name, 0))
        elif not found or found[-1][0] != each.name:
            return None
        else:
            found[-1] = each.name, found[-1][1] << 8 | each.byte
    return found[::-1]


def told_values(found: Sequence[Value]) -> str:
    return ", ".join(f"{name} {value:#x}" for name, value in found)
