"""A small model of the Canonical ABI on Python values, independent of the project's own arithmetic.

It works on the model's resolved type nodes without memos, tables or despecialization shared with the code under
test, and it covers every synchronous value type without handles. Values: bool and integers as int or bool, chars and
enums, options, results and variants as (case number, payload or None), flags as an int of bits, strings as str,
everything else as a list. Floats are float; NaNs are left to tests of their own.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from meldpy.model.core import NumType
from meldpy.model.valtype import (
    BorrowType,
    DefinedType,
    EnumType,
    FlagsType,
    ListType,
    MapType,
    OptionType,
    OwnType,
    PrimValType,
    RecordType,
    ResultType,
    TupleType,
    ValType,
    VariantType,
)

P = PrimValType
I32, I64, F32, F64 = NumType.I32, NumType.I64, NumType.F32, NumType.F64
FORMATS = {
    P.BOOL: "B", P.S8: "b", P.U8: "B", P.S16: "h", P.U16: "H", P.S32: "i", P.U32: "I",
    P.S64: "q", P.U64: "Q", P.F32: "f", P.F64: "d", P.CHAR: "I",
}  # fmt: skip


def parts(type: ValType) -> tuple[str, Any]:
    """("prim", p), ("fields", types), ("cases", payloads), ("flags", count), ("list", element), ("array", (t, n))."""
    if isinstance(type, PrimValType):
        return "prim", type
    match type.definition:
        case PrimValType() as prim:
            return "prim", prim
        case RecordType(fields):
            return "fields", [f.type for f in fields]
        case TupleType(types):
            return "fields", list(types)
        case VariantType(cases):
            return "cases", [c.type for c in cases]
        case EnumType(labels):
            return "cases", [None] * len(labels)
        case OptionType(some):
            return "cases", [None, some]
        case ResultType(ok, error):
            return "cases", [ok, error]
        case FlagsType(labels):
            return "flags", len(labels)
        case MapType(key, value):
            return "list", DefinedType(TupleType((key, value)))
        case ListType(element, None):
            return "list", element
        case OwnType() | BorrowType():
            # an index in core values and in memory; what it means is not this model's affair
            return "prim", PrimValType.U32
        case ListType(element, length):
            return "array", (element, length)
    raise AssertionError(type)


def bytes_for(count: int) -> int:
    """Bytes of an unsigned integer that must tell `count` values apart: 1, 2 or 4."""
    return 1 if count <= 256 else 2 if count <= 65536 else 4


def up(offset: int, alignment: int) -> int:
    while offset % alignment:
        offset += 1
    return offset


@cache
def extent(type: ValType, wide: bool) -> tuple[int, int]:
    """(size, alignment)"""
    kind, what = parts(type)
    pointer = 8 if wide else 4
    if kind == "prim":
        if what is P.STRING:
            return 2 * pointer, pointer
        size = struct.calcsize(FORMATS[what])
        return size, size
    if kind == "list":
        return 2 * pointer, pointer
    if kind == "array":
        size, alignment = extent(what[0], wide)
        return size * what[1], alignment
    if kind == "flags":
        size = 1 if what <= 8 else 2 if what <= 16 else 4
        return size, size
    if kind == "cases":
        extents = [extent(t, wide) for t in what if t is not None]
        alignment = max([bytes_for(len(what)), *(a for _, a in extents)])
        start = payload_start(what, wide)
        return up(start + max([0, *(s for s, _ in extents)]), alignment), alignment
    offset, alignment = 0, 1
    for t in what:
        size, a = extent(t, wide)
        offset, alignment = up(offset, a) + size, max(alignment, a)
    return up(offset, alignment), alignment


def payload_start(cases: Sequence[ValType | None], wide: bool) -> int:
    return up(bytes_for(len(cases)), max([1, *(extent(t, wide)[1] for t in cases if t is not None)]))


def flat(type: ValType, wide: bool) -> list[NumType]:
    return list(_flat(type, wide))


@cache
def _flat(type: ValType, wide: bool) -> tuple[NumType, ...]:
    kind, what = parts(type)
    pointer = I64 if wide else I32
    if kind == "prim":
        if what is P.STRING:
            return (pointer, pointer)
        return ({"q": I64, "Q": I64, "f": F32, "d": F64}.get(FORMATS[what], I32),)
    if kind == "list":
        return (pointer, pointer)
    if kind == "array":
        return _flat(what[0], wide) * what[1]
    if kind == "flags":
        return (I32,)
    if kind == "fields":
        return tuple(x for t in what for x in _flat(t, wide))
    joined: list[NumType] = []
    for t in dict.fromkeys(what):
        for i, x in enumerate(_flat(t, wide) if t is not None else ()):
            if i == len(joined):
                joined.append(x)
            elif joined[i] is not x:
                joined[i] = I32 if {joined[i], x} == {I32, F32} else I64
    return (I32, *joined)


@dataclass
class Heap:
    """A guest's memory as the model sees it, with a bump allocator; `data` is written into the real memory."""

    data: bytearray
    wide: bool
    next: int = 64
    regions: list[tuple[int, int]] = field(default_factory=list)

    def alloc(self, size: int, alignment: int) -> int:
        at = up(self.next, alignment)
        self.next = at + size
        assert self.next <= len(self.data)
        self.regions.append((at, size))
        return at

    # --- memory -----------------------------------------------------------------------------------------------
    def store(self, type: ValType, value: Any, at: int) -> None:
        kind, what = parts(type)
        if kind == "prim" and what is not P.STRING:
            struct.pack_into("<" + FORMATS[what], self.data, at, value)
        elif kind in ("prim", "list"):
            pointer, length = self.store_range(kind, what, value)
            struct.pack_into("<QQ" if self.wide else "<II", self.data, at, pointer, length)
        elif kind == "array":
            for i, v in enumerate(value):
                self.store(what[0], v, at + i * extent(what[0], self.wide)[0])
        elif kind == "flags":
            size = extent(type, self.wide)[0]
            self.data[at : at + size] = value.to_bytes(size, "little")
        elif kind == "cases":
            case, payload = value
            size = bytes_for(len(what))
            self.data[at : at + size] = case.to_bytes(size, "little")
            if what[case] is not None:
                self.store(what[case], payload, at + payload_start(what, self.wide))
        else:
            for t, v in zip(what, value, strict=True):
                size, alignment = extent(t, self.wide)
                at = up(at, alignment)
                self.store(t, v, at)
                at += size

    def load(self, type: ValType, at: int) -> Any:
        kind, what = parts(type)
        assert at % extent(type, self.wide)[1] == 0
        if kind == "prim" and what is not P.STRING:
            (value,) = struct.unpack_from("<" + FORMATS[what], self.data, at)
            return bool(value) if what is P.BOOL else value
        if kind in ("prim", "list"):
            return self.load_range(kind, what, *struct.unpack_from("<QQ" if self.wide else "<II", self.data, at))
        if kind == "array":
            return [self.load(what[0], at + i * extent(what[0], self.wide)[0]) for i in range(what[1])]
        if kind == "flags":
            return int.from_bytes(self.data[at : at + extent(type, self.wide)[0]], "little")
        if kind == "cases":
            case = int.from_bytes(self.data[at : at + bytes_for(len(what))], "little")
            payload = what[case]
            return case, None if payload is None else self.load(payload, at + payload_start(what, self.wide))
        values = []
        for t in what:
            size, alignment = extent(t, self.wide)
            at = up(at, alignment)
            values.append(self.load(t, at))
            at += size
        return values

    def store_range(self, kind: str, what: Any, value: Any) -> tuple[int, int]:
        if kind == "prim":
            data = value.encode()
            at = self.alloc(len(data), 1)
            self.data[at : at + len(data)] = data
            return at, len(data)
        size, alignment = extent(what, self.wide)
        at = self.alloc(size * len(value), alignment)
        for i, v in enumerate(value):
            self.store(what, v, at + i * size)
        return at, len(value)

    def load_range(self, kind: str, what: Any, pointer: int, length: int) -> Any:
        if kind == "prim":
            return bytes(self.data[pointer : pointer + length]).decode()
        return [self.load(what, pointer + i * extent(what, self.wide)[0]) for i in range(length)]

    # --- flat -------------------------------------------------------------------------------------------------
    def lower(self, type: ValType, value: Any) -> list[Any]:
        """Flat core values: unsigned ints, floats."""
        kind, what = parts(type)
        if kind == "prim" and what is not P.STRING:
            code = FORMATS[what]
            return [value] if code in "fd" else [int(value) % (1 << (64 if code in "qQ" else 32))]
        if kind in ("prim", "list"):
            return list(self.store_range(kind, what, value))
        if kind == "array":
            return [x for v in value for x in self.lower(what[0], v)]
        if kind == "flags":
            return [value]
        if kind == "fields":
            return [x for t, v in zip(what, value, strict=True) for x in self.lower(t, v)]
        case, payload = value
        joined = flat(type, self.wide)[1:]
        out: list[Any] = [case]
        if what[case] is not None:
            for x, have, want in zip(
                self.lower(what[case], payload), flat(what[case], self.wide), joined, strict=False
            ):
                out.append(x if have is want or have in (I32, I64) else _bits(x, have))
        for want in joined[len(out) - 1 :]:
            out.append(0 if want in (I32, I64) else 0.0)
        return out

    def lift(self, type: ValType, values: list[Any]) -> Any:
        """Takes its flat values off the front of `values` (unsigned ints, floats)."""
        kind, what = parts(type)
        if kind == "prim" and what is not P.STRING:
            x = values.pop(0)
            code = FORMATS[what]
            if code in "fd":
                return x
            if what is P.BOOL:
                assert x in (0, 1), "a canonical bool is 0 or 1"
                return bool(x)
            width = 64 if code in "qQ" else 32
            value = x - (1 << width) if code in "bhiq" and x >> (width - 1) else x
            struct.pack("<" + code, value)  # in range for its type
            return value
        if kind in ("prim", "list"):
            return self.load_range(kind, what, values.pop(0), values.pop(0))
        if kind == "array":
            return [self.lift(what[0], values) for _ in range(what[1])]
        if kind == "flags":
            return values.pop(0)
        if kind == "fields":
            return [self.lift(t, values) for t in what]
        case = values.pop(0)
        joined = flat(type, self.wide)[1:]
        mine = [values.pop(0) for _ in joined]
        if what[case] is None:
            assert not any(mine), "unused slots are zero"
            return case, None
        own = flat(what[case], self.wide)
        assert not any(mine[len(own) :]), "unused slots are zero"
        inner = [
            x if have is want or (have in (I32, I64) and want in (I32, I64)) else _unbits(x, want)
            for x, have, want in zip(mine, joined, own, strict=False)
        ]
        return case, self.lift(what[case], inner)


def _bits(x: float, type: NumType) -> int:
    return struct.unpack("<I", struct.pack("<f", x))[0] if type is F32 else struct.unpack("<Q", struct.pack("<d", x))[0]


def _unbits(x: int, type: NumType) -> float:
    return struct.unpack("<f", struct.pack("<I", x))[0] if type is F32 else struct.unpack("<d", struct.pack("<Q", x))[0]
