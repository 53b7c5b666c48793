"""Reading small custom sections: bytes in, or Malformed. (Stages do not share code; `binary` has its own reader.)"""

from __future__ import annotations

from typing import final

from meldpy.model.core import Bytes


class Malformed(Exception):
    """The section does not follow its own rules."""


@final
class Cursor:
    def __init__(self, data: Bytes) -> None:
        self.data = memoryview(data)
        self.position = 0

    @property
    def remaining(self) -> int:
        return len(self.data) - self.position

    def u8(self) -> int:
        return self.take(1)[0]

    def take(self, size: int) -> bytes:
        if size > self.remaining:
            raise Malformed
        self.position += size
        return bytes(self.data[self.position - size : self.position])

    def u32(self) -> int:
        """An unsigned LEB128 integer below 2**32."""
        value = shift = 0
        while shift < 35:
            byte = self.u8()
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                if value >= 1 << 32:
                    break
                return value
        raise Malformed

    def name(self) -> str:
        try:
            return self.take(self.u32()).decode()
        except UnicodeDecodeError as error:
            raise Malformed from error
