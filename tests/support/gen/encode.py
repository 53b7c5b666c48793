"""Values into the image of a guest's memory and into core values, as a guest might have written them.

What the Canonical ABI ignores is noise: upper bits of narrow integers, bits beyond the flags, any non-zero bool, core
values that a case does not use, gaps between blocks. A `Encoder` with a `target` breaks one rule at one place, or
puts the neighbour there that is just allowed; which of the two, and what follows from it, the model finds out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Final

from tests.support.gen.guests import TOP
from tests.support.gen.layout import (
    MAX_FLAT_PARAMS,
    alignment,
    cases_of,
    discriminant_size,
    element_of,
    fields_of,
    flags_size,
    flatten,
    flatten_all,
    offsets,
    payload_offset,
    pointer_size,
    size,
    up,
)
from tests.support.gen.types import STRING, Flags, Prim, TupleOf, Type

BAD_CHARS: Final = (0xD800, 0xDBFF, 0xDC00, 0xDFFF, 0x110000, 0x80000000, 0xFFFFFFFF, 0xD7FF, 0xE000, 0x10FFFF)
"""The last three are the neighbours that are allowed."""
BAD_UTF8: Final = (
    b"\x80", b"\xc0\x80", b"\xc1\xbf", b"\xc2", b"\xe0\x9f\xbf", b"\xe0\xa0", b"\xed\xa0\x80", b"\xed\xbf\xbf",
    b"\xf0\x8f\xbf\xbf", b"\xf0\x90\x80", b"\xf4\x90\x80\x80", b"\xf5\x80\x80\x80", b"\xff", b"\xe1\x80\xc0",
    b"\xc2A", b"\xed\x9f\xbf", b"\xee\x80\x80", b"\xf4\x8f\xbf\xbf", b"\xf0\x90\x80\x80", b"\xe0\xa0\x80",
)  # fmt: skip
"""The last five are the neighbours that are allowed."""
BAD_UTF16: Final = (
    (0xD800,), (0xDC00,), (0xDBFF, 0xDBFF), (0xDBFF, 0x41), (0xDC00, 0xD800), (0xD800, 0xE000),
    (0xD7FF,), (0xE000,), (0xD800, 0xDC00), (0xDBFF, 0xDFFF),
)  # fmt: skip
"""The last four are the neighbours that are allowed."""


class Full(Exception):
    """The image has no room for the value."""


@dataclass(slots=True)
class Encoder:
    """Writes into `data` from `next` to `end`; `wide` and `encoding` as the guest has them.

    top: if not 0, some blocks go to the end of the memory, below this address and what lies there already.
    """

    rng: Random
    wide: bool
    encoding: str
    data: bytearray
    next: int
    end: int
    target: int = -1
    sites: int = 0
    top: int = 0

    def _hit(self) -> bool:
        """Whether this is the place to break; counts the places."""
        self.sites += 1
        return self.sites - 1 == self.target

    def block(self, count: int, align: int) -> int:
        below = (self.top - count) // align * align
        if self.top and below >= len(self.data) - TOP and self.rng.randrange(8) == 0:
            self.top = below
            return below
        at = up(self.next + self.rng.choice((0, 0, 1, 3)), align)
        if at + count > self.end:
            raise Full
        self.next = at + count
        return at

    def put(self, at: int, count: int, value: int) -> None:
        self.data[at : at + count] = (value & ((1 << 8 * count) - 1)).to_bytes(count, "little")

    # --- memory ---------------------------------------------------------------------------------------------------
    def store(self, type: Type, value: Any, at: int) -> None:
        if isinstance(type, Prim) and type != STRING:
            self.put(at, size(type, self.wide), self._scalar(type.name, value, 8))
            return
        if isinstance(type, Flags):
            self.put(at, flags_size(type.count), self._flags(type, value, 8 * flags_size(type.count)))
            return
        fields, cases = fields_of(type), cases_of(type)
        if fields is not None:
            for t, v, o in zip(fields, value, offsets(fields, self.wide), strict=True):
                self.store(t, v, at + o)
        elif cases is not None:
            case, payload = value
            inner = cases[case]
            self.put(at, discriminant_size(len(cases)), self._case(case, len(cases)))
            if inner is not None:
                self.store(inner, payload, at + payload_offset(cases, self.wide))
        else:
            pointer, length = self._range(type, value)
            self.put(at, pointer_size(self.wide), pointer)
            self.put(at + pointer_size(self.wide), pointer_size(self.wide), length)

    def _scalar(self, name: str, value: Any, bool_bits: int) -> int:
        match name:
            case "bool":
                return self.rng.choice((1, 2, 0x80, (1 << bool_bits) - 1)) if value else 0
            case "char":
                return self.rng.choice(BAD_CHARS) if self._hit() else int(value)
        return int(value)

    def _flags(self, type: Flags, value: int, bits: int) -> int:
        return value | (self.rng.getrandbits(bits) >> type.count << type.count)

    def _case(self, case: int, count: int, flat: bool = False) -> int:
        if not self._hit():
            return case
        most = (1 << (32 if flat else 8 * discriminant_size(count))) - 1
        return min(most, self.rng.choice((count, count + 1, count + 255, most, count - 1)))

    def _range(self, type: Type, value: Any) -> tuple[int, int]:
        element = element_of(type)
        if element is None:
            return self._string(value)
        stride, align = size(element, self.wide), alignment(element, self.wide)
        at = self.block(stride * len(value), align)
        for i, v in enumerate(value):
            self.store(element, v, at + i * stride)
        return self._broken_range(at, len(value), stride, align) if self._hit() else (at, len(value))

    def _broken_range(self, at: int, length: int, stride: int, align: int) -> tuple[int, int]:
        """A pointer or a length that is wrong, or just right."""
        top = 1 << (8 * pointer_size(self.wide))
        memory = len(self.data)
        last = (memory - length * stride) // align * align
        return self.rng.choice(
            (
                (at + 1, length),
                (at + align // 2, length),
                (last, length),
                (last + align, length),
                (last + 1, length),
                (memory, 0),
                (memory + align, 0),
                (at, (memory - at) // stride + 1),
                (at, (1 << 28) // stride + 1),
                (at, top // stride),
                (at, top // stride + 1),
                (at, top - 1),
                (at, top // 2 - 1),
                (top - align, length),
                (top - align, 1),
                (top // 2, length),
                (up(at, align), 0),
            )
        )

    def _string(self, value: str) -> tuple[int, int]:
        data, align, unit, tag = self._encoded(value)
        at = self.block(len(data), align)
        self.data[at : at + len(data)] = data
        length = len(data) // unit
        if self._hit():
            at, length = self._broken_range(at, length, unit, align)
        return at, length | tag

    def _encoded(self, text: str) -> tuple[bytes, int, int, int]:
        """(bytes, alignment, bytes per code unit, tag); the bytes are ill-formed if that is what is to break."""
        hit = self._hit()
        if self.encoding == "utf8":
            data = text.encode()
            return (self._splice(data, 1, self.rng.choice(BAD_UTF8)) if hit else data), 1, 1, 0
        narrow = all(ord(c) < 256 for c in text)
        if self.encoding != "utf16" and narrow and not hit and self.rng.randrange(3):
            return text.encode("latin-1"), 2, 1, 0
        data = text.encode("utf-16-le")
        if hit:
            units = self.rng.choice(BAD_UTF16)
            data = self._splice(data, 2, b"".join(unit.to_bytes(2, "little") for unit in units))
        return data, 2, 2, 0 if self.encoding == "utf16" else 1 << (8 * pointer_size(self.wide) - 1)

    def _splice(self, data: bytes, unit: int, piece: bytes) -> bytes:
        """`piece` in place of some of the data; it may cut a character."""
        at = self.rng.choice((0, len(data), self.rng.randint(0, len(data)))) // unit * unit
        return data[:at] + piece + data[at + len(piece) * self.rng.randrange(2) :]

    # --- core values ----------------------------------------------------------------------------------------------
    def lower(self, type: Type, value: Any) -> list[int]:
        """The bits of the core values of `flatten`."""
        if isinstance(type, Prim) and type != STRING:
            return [self._narrow(type.name, self._scalar(type.name, value, 32))]
        if isinstance(type, Flags):
            return [self._flags(type, value, 32)]
        fields, cases = fields_of(type), cases_of(type)
        if fields is not None:
            return [x for t, v in zip(fields, value, strict=True) for x in self.lower(t, v)]
        if cases is None:
            return list(self._range(type, value))
        case, payload = value
        inner = cases[case]
        slots = flatten(type, self.wide)
        flat = [self._case(case, len(cases), flat=True)]
        if inner is not None:
            for x, have, slot in zip(self.lower(inner, payload), flatten(inner, self.wide), slots[1:], strict=False):
                upper = have in ("i32", "f32") and slot == "i64"
                flat.append(x | self.rng.choice((0, self.rng.getrandbits(32))) << 32 if upper else x)
        flat += [self.rng.getrandbits(32 if slot in ("i32", "f32") else 64) for slot in slots[len(flat) :]]
        return flat

    def _narrow(self, name: str, value: int) -> int:
        """An integer as a core value; the bits that the type does not have are noise."""
        if name in ("bool", "char", "f32", "f64"):
            return value
        width = int(name[1:])
        core = 64 if width == 64 else 32
        noise = self.rng.choice((0, -1, self.rng.getrandbits(core)))
        return ((value & ((1 << width) - 1)) | noise << width) & ((1 << core) - 1)

    def params(self, types: tuple[Type, ...], values: Sequence[Any]) -> list[int]:
        if len(flatten_all(types, self.wide)) <= MAX_FLAT_PARAMS:
            return [x for t, v in zip(types, values, strict=True) for x in self.lower(t, v)]
        return [self.area(TupleOf(types), list(values))]

    def result(self, type: Type, value: Any) -> int:
        if len(flatten(type, self.wide)) == 1:
            return self.lower(type, value)[0]
        return self.area(type, value)

    def area(self, type: Type, value: Any) -> int:
        at = self.block(size(type, self.wide), alignment(type, self.wide))
        self.store(type, value, at)
        return self.broken_pointer(at, type)

    def free_area(self, type: Type) -> int:
        """Room for a result that somebody else stores."""
        return self.broken_pointer(self.block(size(type, self.wide), alignment(type, self.wide)), type)

    def broken_pointer(self, at: int, type: Type) -> int:
        if not self._hit():
            return at
        align, memory = alignment(type, self.wide), len(self.data)
        last = (memory - size(type, self.wide)) // align * align
        top = 1 << (8 * pointer_size(self.wide))
        return self.rng.choice((at + align // 2, at + 1, last, last + align, memory, top - align, top - 1, top // 2))
