"""`.debug_frame` of one module, rewritten for code that has moved. Spec: DWARF 5 section 6.4.

No compiler for WebAssembly is known to write it (the engine unwinds), so it is not worth a loop in the kernel: entries
are read one by one here. What is left out of the code loses its entry. A section with expressions, whose operands may
be indices and addresses in memory, is not followed.
"""

from __future__ import annotations

from typing import Final, final

from meldpy.model.core import Bytes
from meldpy.model.reindexed import DROPPED_BIT
from meldpy.records import dataclass

_IS_CIE: Final = 0xFFFFFFFF
_ADVANCE: Final = 0x40
_ADVANCES: Final = {0x02: 1, 0x03: 2, 0x04: 4}
_SET: Final = 0x01
_OPERANDS: Final = {
    **dict.fromkeys((0x00, 0x0A, 0x0B), 0),
    **dict.fromkeys((0x06, 0x07, 0x08, 0x0D, 0x0E, 0x13, 0x2E), 1),
    **dict.fromkeys((0x05, 0x09, 0x0C, 0x11, 0x12, 0x14, 0x15), 2),
}
"""How many LEB128 numbers follow an instruction."""


class UnknownFrames(Exception):
    """The section is not understood, and why."""


@final
@dataclass(frozen=True, slots=True)
class Place:
    """Where code went: positions, lead and base as in DwarfInput."""

    positions: memoryview
    lead: int
    base: int

    def new(self, address: int) -> int:
        return self.base + (self._entry(address) & ~DROPPED_BIT)

    def live(self, address: int) -> bool:
        return address >= self.lead and not self._entry(address) & DROPPED_BIT

    def _entry(self, address: int) -> int:
        return int(self.positions[min(max(address - self.lead, 0), len(self.positions) - 1)])


@final
@dataclass(frozen=True, slots=True)
class _Cie:
    """new: its offset in what is written. unit: bytes of code that an advance counts in."""

    new: int
    address_size: int
    unit: int


@final
class _Reader:
    def __init__(self, data: bytes, at: int, end: int) -> None:
        self.data, self.at, self.end = data, at, end
        if end > len(data):
            raise UnknownFrames("it ends inside of something")

    def sized(self, size: int) -> int:
        self.at += size
        if self.at > self.end:
            raise UnknownFrames("it ends inside of something")
        return int.from_bytes(self.data[self.at - size : self.at], "little")

    def leb(self) -> int:
        """An unsigned LEB128 number; of a signed one at least its end."""
        value = shift = 0
        while True:
            byte = self.sized(1)
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value
            if shift > 63:
                raise UnknownFrames("malformed LEB128 integer")


def moved_frames(section: Bytes, place: Place, base: int) -> bytes:
    """The section with moved addresses; base: bytes of other modules' before it. Raises UnknownFrames."""
    data = bytes(section)
    out = bytearray()
    cies: dict[int, _Cie] = {}
    at = 0
    while at < len(data):
        length = _Reader(data, at, at + 4).sized(4)
        if length >= 0xFFFFFFF0:
            raise UnknownFrames("64-bit DWARF")
        reader = _Reader(data, at + 4, at + 4 + length)
        pointer = reader.sized(4)
        if pointer == _IS_CIE:
            cies[at] = _cie(reader, len(out))
            out += data[at : reader.end]
        elif pointer in cies:
            out += _moved(reader, cies[pointer], place, base)
        else:
            raise UnknownFrames("an offset or index that leads nowhere")
        at = reader.end
    return bytes(out)


def _cie(reader: _Reader, new: int) -> _Cie:
    version = reader.sized(1)
    if version not in (1, 3, 4) or reader.sized(1):
        raise UnknownFrames("frames with an augmentation, or of an unknown version")
    address_size = 4
    if version == 4:
        address_size = reader.sized(1)
        if address_size not in (4, 8) or reader.sized(1):
            raise UnknownFrames("addresses that are neither of 4 nor of 8 bytes, or segmented")
    unit = reader.leb()
    reader.leb()
    if version == 1:
        reader.sized(1)
    else:
        reader.leb()
    # what an entry begins with has no address to advance from
    for instruction, _, _ in _instructions(reader, address_size):
        if instruction in (_ADVANCE, _SET):
            raise UnknownFrames("an advance without a place to advance from")
    return _Cie(new, address_size, unit)


def _instructions(reader: _Reader, address_size: int) -> list[tuple[int, int, bytes]]:
    """(kind, operand, bytes) of each: kind _ADVANCE counts in units, _SET is an address, 0 stays as it is."""
    found: list[tuple[int, int, bytes]] = []
    while reader.at < reader.end:
        start = reader.at
        opcode = reader.sized(1)
        high, low = opcode & 0xC0, opcode & 0x3F
        kind = operand = 0
        if high == _ADVANCE:
            kind, operand = _ADVANCE, low
        elif high == 0x80:
            reader.leb()
        elif high == 0xC0:
            pass
        elif low in _ADVANCES:
            kind, operand = _ADVANCE, reader.sized(_ADVANCES[low])
        elif low == _SET:
            kind, operand = _SET, reader.sized(address_size)
        elif low in _OPERANDS:
            for _ in range(_OPERANDS[low]):
                reader.leb()
        else:
            raise UnknownFrames("frames with expressions, or an unknown instruction")
        found.append((kind, operand, reader.data[start : reader.at]))
    return found


def _moved(reader: _Reader, cie: _Cie, place: Place, base: int) -> bytes:
    """One function's entry; nothing if its code was left out."""
    size = cie.address_size
    low, length = reader.sized(size), reader.sized(size)
    program = _instructions(reader, size)
    dead = (1 << 8 * size) - 2
    if low == 0 or low >= dead or not (place.live(low) and place.new(low + length) > place.new(low)):
        return b""
    start = place.new(low)
    body = bytearray((base + cie.new).to_bytes(4, "little"))
    body += start.to_bytes(size, "little") + (place.new(low + length) - start).to_bytes(size, "little")
    old = low
    for kind, operand, written in program:
        if not kind:
            body += written
            continue
        before = place.new(old)
        old = operand if kind == _SET else old + operand * cie.unit
        body += _advanced(place.new(old) - before, cie.unit)
    body += bytes(-(len(body) + 4) % size)
    return len(body).to_bytes(4, "little") + bytes(body)


def _advanced(distance: int, unit: int) -> bytes:
    if distance < 0 or not unit or distance % unit or distance // unit > 0xFFFFFFFF:
        raise UnknownFrames("a moved length does not fit where it is written")
    steps = distance // unit
    if steps < 0x40:
        return bytes((_ADVANCE | steps,)) if steps else b""
    return b"\x04" + steps.to_bytes(4, "little")
