"""What streams and futures carry: the type, six elements in a buffer, and how they are come by."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final, final

COUNT: Final = 6
"""Elements in a buffer; where a value can be wrong, the last one is."""
TEXT: Final = 0x480
"""Where the buffer's strings and lists are, in every guest: sixteen bytes of ASCII."""


@final
@dataclass(frozen=True, slots=True)
class Element:
    """`type`: none for no elements. `made`: a function of the guest that makes each of them when it is wanted."""

    name: str
    type: str
    size: int
    buffer: bytes = b""
    made: str | None = None

    @property
    def stream(self) -> str:
        return f"(stream {self.type})"

    @property
    def future(self) -> str:
        return f"(future {self.type})"


def _texts(before: bytes = b"", after: bytes = b"") -> bytes:
    """Pointers and lengths; the last one is outside of the memory."""
    pairs = [(TEXT + i, i + 1) for i in range(COUNT - 1)] + [(0xFFFF_FFF0, 9)]
    return b"".join(before + struct.pack("<II", *pair) + after for pair in pairs)


ELEMENTS: Final = (
    Element("none", "", 0),
    Element("u8", "u8", 1, bytes(range(11, 17))),
    Element("u16", "u16", 2, struct.pack("<6H", *range(21, 27))),
    Element("u64", "u64", 8, struct.pack("<6Q", *range(31, 37))),
    Element("padded", "(tuple u8 u32)", 8, b"".join(struct.pack("<BxxxI", i, i * i) for i in range(COUNT))),
    Element("option", "(option u16)", 4, b"".join(struct.pack("<BxH", i % 2, i) for i in range(5)) + b"\x07\0\0\0"),
    Element("string", "string", 8, _texts()),
    Element(
        "list", "(list u16)", 8, b"".join(struct.pack("<II", TEXT + 2 * i, i) for i in range(5)) + b"\1\5\0\0\1\0\0\0"
    ),
    Element("record", "(tuple u8 string (option u8))", 16, _texts(b"\x09\0\0\0", b"\1\5\0\0")),
    Element("own", "(own $thing)", 4, made="make"),
    Element("end", "$bytes", 4, made="spare"),
)
