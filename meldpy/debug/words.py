"""Reading DWARF's numbers, strings and forms at a position; Malformed beyond the end."""

from __future__ import annotations

from typing import Final, final

from meldpy.debug.cursor import Malformed
from meldpy.model.core import Bytes

_SIZED: Final = {
    **dict.fromkeys((0x0B, 0x0C, 0x11, 0x25, 0x29), 1),
    **dict.fromkeys((0x05, 0x12, 0x26, 0x2A), 2),
    **dict.fromkeys((0x27, 0x2B), 3),
    **dict.fromkeys((0x06, 0x0E, 0x13, 0x17, 0x1F, 0x28, 0x2C), 4),
    **dict.fromkeys((0x07, 0x14, 0x20), 8),
}
_ULEB: Final = (0x0F, 0x15, 0x1A, 0x1B, 0x22, 0x23)


@final
class Words:
    __slots__ = ("at", "data")

    def __init__(self, data: Bytes, at: int = 0) -> None:
        self.data = data
        self.at = at

    def sized(self, size: int) -> int:
        end = self.at + size
        if end > len(self.data):
            raise Malformed
        value = int.from_bytes(self.data[self.at : end], "little")
        self.at = end
        return value

    def u8(self) -> int:
        return self.sized(1)

    def u16(self) -> int:
        return self.sized(2)

    def u32(self) -> int:
        return self.sized(4)

    def skip(self, size: int) -> bytes:
        end = self.at + size
        if size < 0 or end > len(self.data):
            raise Malformed
        skipped = bytes(self.data[self.at : end])
        self.at = end
        return skipped

    def uleb(self) -> int:
        data, at = self.data, self.at
        value = shift = 0
        while True:
            if at >= len(data) or shift > 63:
                raise Malformed
            byte = data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                self.at = at
                return value
            shift += 7

    def sleb(self) -> int:
        start = self.at
        value = self.uleb()
        bits = 7 * (self.at - start)
        return value - (1 << bits) if value >> (bits - 1) else value

    def text(self) -> bytes:
        rest = bytes(self.data[self.at : self.at + 256])
        end = rest.find(b"\0")
        if end < 0:
            rest = bytes(self.data[self.at :])
            end = rest.find(b"\0")
        if end < 0:
            raise Malformed
        self.at += end + 1
        return rest[:end]

    def form(self, form: int, address_size: int, version: int) -> int | bytes | None:
        """The value behind a form: a number, or the bytes of a string or block."""
        if form in _SIZED:
            return self.sized(_SIZED[form])
        if form in _ULEB:
            return self.uleb()
        match form:
            case 0x01:
                return self.sized(address_size)
            case 0x08:
                return self.text()
            case 0x0D:
                return self.sleb()
            case 0x10:
                return self.sized(address_size if version == 2 else 4)
            case 0x19:
                return 1
            case 0x1E:
                return self.skip(16)
            case 0x03:
                return self.skip(self.u16())
            case 0x04:
                return self.skip(self.u32())
            case 0x0A:
                return self.skip(self.u8())
            case 0x09 | 0x18:
                return self.skip(self.uleb())
            case _:
                raise Malformed
