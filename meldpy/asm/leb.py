"""Minimal LEB128 encodings for immediates. (`binary` has its own reader and writer; packages do not share code.)"""

from __future__ import annotations


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
