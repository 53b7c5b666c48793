"""Minimal LEB128 encodings for immediates. (`binary` has its own reader and writer; packages do not share code.)"""

from __future__ import annotations

from meldpy.model.core import Bytes


def unsigned(value: int) -> bytes:
    """The minimal encoding of a non-negative integer."""
    assert value >= 0
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def signed(value: int) -> bytes:
    """The minimal encoding of an integer in two's complement."""
    out = bytearray()
    while not -0x40 <= value < 0x40:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value & 0x7F)
    return bytes(out)


def read_unsigned(data: Bytes, at: int) -> tuple[int, int]:
    """The unsigned LEB128 at `at`, which must be there, and where what follows begins."""
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at
