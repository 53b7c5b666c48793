"""LEB128 integers, both ways. Spec: core binary format, "Integers"; s33 is that of block and heap types.

Reading takes a view and two positions in it, so that callers keep whole-file offsets. Padded encodings are legal
up to ceil(bits / 7) bytes and are read; writing is always minimal.
"""

from __future__ import annotations

from collections.abc import Iterable


class LebError(ValueError):
    """Not a LEB128 integer of the wanted width. The reader that knows the place turns it into a DecodeError."""


TRUNCATED = "unexpected end in the middle of a LEB128 integer"


def read_unsigned(view: memoryview, position: int, end: int, bits: int) -> tuple[int, int]:
    """The unsigned integer at `position` (bytes in `view`, not past `end`) and the position behind it."""
    value = shift = 0
    while shift < bits:
        if position >= end:
            raise LebError(TRUNCATED)
        byte = view[position]
        position += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            if value >> bits:
                raise LebError(f"integer is too large for u{bits}")
            return value, position
    raise LebError(f"integer representation is too long for u{bits}")


def read_signed(view: memoryview, position: int, end: int, bits: int) -> tuple[int, int]:
    """As `read_unsigned`, for a two's complement integer of `bits` bits."""
    value = shift = 0
    while shift < bits:
        if position >= end:
            raise LebError(TRUNCATED)
        byte = view[position]
        position += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            if byte & 0x40:
                value -= 1 << shift
            if not -(1 << (bits - 1)) <= value < 1 << (bits - 1):
                raise LebError(f"integer is too large for s{bits}")
            return value, position
    raise LebError(f"integer representation is too long for s{bits}")


_ONE_BYTE = tuple(bytes([value]) for value in range(0x80))


def unsigned(value: int) -> bytes:
    """The minimal encoding of a non-negative integer."""
    if value < 0x80:
        return _ONE_BYTE[value]
    if value < 0x4000:
        return bytes((value & 0x7F | 0x80, value >> 7))
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


def unsigned_vec(values: Iterable[int]) -> bytes:
    """A vector: its count, then each integer. Small ones go through at C speed."""
    values = tuple(values)
    if not values or max(values) < 0x80:
        return unsigned(len(values)) + bytes(values)
    return unsigned(len(values)) + b"".join(map(unsigned, values))
