"""Values between Python and a core module: the Canonical ABI's load, store, lift and lower, with the spec's checks.

Core values are unsigned integers of their bits, floats too: so the joins of variants are masks. What a value looks like
in Python, `pythonvalues` knows.

Spec: CanonicalABI.md "Loading", "Storing", "Lifting", "Lowering" and their flat counterparts.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from typing import Any, Protocol, final

from meldpy.cabi import MAX_STRING_BYTE_LENGTH, Abi, discriminant_size, flags_size
from meldpy.core.handles import GuestTrap
from meldpy.core.pythonvalues import (
    INTEGERS,
    choice,
    elements,
    fields,
    flag_bits,
    no_form,
    record_value,
    scalar_bits,
    sized,
    text,
    variant_value,
)
from meldpy.model.canon import StringEncoding
from meldpy.model.core import NumType
from meldpy.model.ids import ResourceId
from meldpy.model.valtype import (
    BorrowType,
    DefinedType,
    FlagsType,
    FutureType,
    ListType,
    MapType,
    OwnType,
    PrimValType,
    RecordType,
    StreamType,
    ValType,
    VariantType,
)

_UTF16_TAG = 1 << 31


class Side(Protocol):
    """What moving values needs of an instance and the call it is for."""

    @property
    def encoding(self) -> StringEncoding: ...

    def read(self, at: int, size: int) -> bytes: ...

    def write(self, at: int, data: bytes) -> None: ...

    def memory_size(self) -> int: ...

    def allocate(self, alignment: int, size: int) -> int: ...

    def check_handle(self, resource: ResourceId, value: object) -> None: ...

    def lift_own(self, resource: ResourceId, index: int) -> object: ...

    def lift_borrow(self, resource: ResourceId, index: int) -> object: ...

    def lower_own(self, resource: ResourceId, value: object) -> int: ...

    def lower_borrow(self, resource: ResourceId, value: object) -> int: ...


@final
class Values:
    """Moves values of one world; `abi` holds its memos."""

    def __init__(self, abi: Abi, side: Side) -> None:
        self._abi = abi
        self._side = side
        self._layouts = abi.layouts(False)

    def check(self, type: ValType, value: Any) -> None:
        """Raises what lowering or storing `value` would raise, and changes nothing: no memory, and no handle."""
        match self._abi.shape(type):
            case PrimValType.STRING:
                text(value)
            case PrimValType() as primitive:
                scalar_bits(primitive, value)
            case RecordType(parts):
                assert isinstance(type, DefinedType)
                for f, each in zip(parts, fields(type, value), strict=True):
                    self.check(f.type, each)
            case VariantType(cases):
                assert isinstance(type, DefinedType)
                index, payload = choice(type, value, cases)
                payload_type = cases[index].type
                if payload_type is not None:
                    self.check(payload_type, payload)
            case ListType(element, None):
                if not (element is PrimValType.U8 and isinstance(value, bytes)):
                    for each in elements(type, value):
                        self.check(element, each)
            case ListType(element, int(length)):
                for each in sized(value, length):
                    self.check(element, each)
            case FlagsType(labels):
                flag_bits(labels, value)
            case OwnType(resource) | BorrowType(resource):
                self._side.check_handle(resource.id, value)
            case StreamType() | FutureType() | ListType():
                raise no_form()

    # --- in memory --------------------------------------------------------------------------------------------
    def place(self, type: ValType, at: int) -> int:
        """`at`, which the guest gave for a value of `type`: aligned, and in bounds."""
        self._check(at, self._layouts.alignment(type), self._layouts.elem_size(type), "pointer")
        return at

    def _check(self, at: int, alignment: int, size: int, what: str) -> None:
        if at % alignment:
            raise GuestTrap(f"{what} misaligned")
        if at + size > self._side.memory_size():
            raise GuestTrap(f"{what} out of bounds")

    def load(self, type: ValType, at: int) -> Any:
        side, layouts = self._side, self._layouts
        match self._abi.shape(type):
            case PrimValType.STRING:
                return self._string(*struct.unpack("<II", side.read(at, 8)))
            case PrimValType() as primitive:
                size = layouts.elem_size(primitive)
                return self._scalar(primitive, int.from_bytes(side.read(at, size), "little"))
            case RecordType(parts):
                assert isinstance(type, DefinedType)
                offsets = layouts.field_offsets(type)
                return record_value(type, [self.load(f.type, at + o) for f, o in zip(parts, offsets, strict=True)])
            case VariantType(cases):
                assert isinstance(type, DefinedType)
                index = int.from_bytes(side.read(at, discriminant_size(len(cases))), "little")
                payload = self._case(cases, index).type
                value = None if payload is None else self.load(payload, at + layouts.payload_offset(type))
                return variant_value(type, cases[index].label, value)
            case ListType(element, None):
                return self._list(type, element, *struct.unpack("<II", side.read(at, 8)))
            case ListType(element, int(length)):
                return self._elements(element, at, length)
            case FlagsType(labels):
                return self._flags(labels, int.from_bytes(side.read(at, flags_size(len(labels))), "little"))
            case OwnType(resource):
                return side.lift_own(resource.id, int.from_bytes(side.read(at, 4), "little"))
            case BorrowType(resource):
                return side.lift_borrow(resource.id, int.from_bytes(side.read(at, 4), "little"))
            case StreamType() | FutureType() | ListType():
                raise no_form()

    def store(self, type: ValType, value: Any, at: int) -> None:
        side, layouts = self._side, self._layouts
        match self._abi.shape(type):
            case PrimValType.STRING:
                side.write(at, struct.pack("<II", *self._lower_string(value)))
            case PrimValType() as primitive:
                side.write(at, scalar_bits(primitive, value).to_bytes(layouts.elem_size(primitive), "little"))
            case RecordType(parts):
                assert isinstance(type, DefinedType)
                offsets = layouts.field_offsets(type)
                for f, o, each in zip(parts, offsets, fields(type, value), strict=True):
                    self.store(f.type, each, at + o)
            case VariantType(cases):
                assert isinstance(type, DefinedType)
                index, payload = choice(type, value, cases)
                side.write(at, index.to_bytes(discriminant_size(len(cases)), "little"))
                payload_type = cases[index].type
                if payload_type is not None:
                    self.store(payload_type, payload, at + layouts.payload_offset(type))
            case ListType(element, None):
                side.write(at, struct.pack("<II", *self._lower_list(type, element, value)))
            case ListType(element, int(length)):
                self._store_elements(element, sized(value, length), at)
            case FlagsType(labels):
                side.write(at, flag_bits(labels, value).to_bytes(flags_size(len(labels)), "little"))
            case OwnType(resource):
                side.write(at, side.lower_own(resource.id, value).to_bytes(4, "little"))
            case BorrowType(resource):
                side.write(at, side.lower_borrow(resource.id, value).to_bytes(4, "little"))
            case StreamType() | FutureType() | ListType():
                raise no_form()

    # --- flat -------------------------------------------------------------------------------------------------
    def lift(self, type: ValType, flat: Iterator[int]) -> Any:
        """The value whose core values come next."""
        match self._abi.shape(type):
            case PrimValType.STRING:
                return self._string(next(flat) & 0xFFFF_FFFF, next(flat) & 0xFFFF_FFFF)
            case PrimValType() as primitive:
                return self._scalar(primitive, next(flat))
            case RecordType(parts):
                assert isinstance(type, DefinedType)
                return record_value(type, [self.lift(f.type, flat) for f in parts])
            case VariantType(cases):
                assert isinstance(type, DefinedType)
                index = next(flat) & 0xFFFF_FFFF
                payload = self._case(cases, index).type
                # the slots that all cases share
                slots = [next(flat) for _ in range(len(self._flat(type)) - 1)]
                value = None if payload is None else self.lift(payload, iter(slots))
                return variant_value(type, cases[index].label, value)
            case ListType(element, None):
                return self._list(type, element, next(flat) & 0xFFFF_FFFF, next(flat) & 0xFFFF_FFFF)
            case ListType(element, int(length)):
                return [self.lift(element, flat) for _ in range(length)]
            case FlagsType(labels):
                return self._flags(labels, next(flat))
            case OwnType(resource):
                return self._side.lift_own(resource.id, next(flat) & 0xFFFF_FFFF)
            case BorrowType(resource):
                return self._side.lift_borrow(resource.id, next(flat) & 0xFFFF_FFFF)
            case StreamType() | FutureType() | ListType():
                raise no_form()
        raise AssertionError("all shapes are above")

    def lower(self, type: ValType, value: Any) -> list[int]:
        """The core values of `value`."""
        match self._abi.shape(type):
            case PrimValType.STRING:
                return list(self._lower_string(value))
            case PrimValType() as primitive:
                return [_extended(primitive, value)]
            case RecordType(parts):
                assert isinstance(type, DefinedType)
                pairs = zip(parts, fields(type, value), strict=True)
                return [bits for f, each in pairs for bits in self.lower(f.type, each)]
            case VariantType(cases):
                assert isinstance(type, DefinedType)
                index, payload = choice(type, value, cases)
                payload_type = cases[index].type
                flat = [] if payload_type is None else self.lower(payload_type, payload)
                return [index, *flat, *[0] * (len(self._flat(type)) - 1 - len(flat))]
            case ListType(element, None):
                return list(self._lower_list(type, element, value))
            case ListType(element, int(length)):
                return [bits for each in sized(value, length) for bits in self.lower(element, each)]
            case FlagsType(labels):
                return [flag_bits(labels, value)]
            case OwnType(resource):
                return [self._side.lower_own(resource.id, value)]
            case BorrowType(resource):
                return [self._side.lower_borrow(resource.id, value)]
            case StreamType() | FutureType() | ListType():
                raise no_form()
        raise AssertionError("all shapes are above")

    def _flat(self, type: ValType) -> tuple[NumType, ...]:
        flat = self._abi.flattener(False).flat(type)
        assert flat is not None, "what has too many flat values lies in memory"
        return flat

    # --- lists and strings ------------------------------------------------------------------------------------
    def _list(self, type: ValType, element: ValType, at: int, length: int) -> Any:
        size = self._layouts.elem_size(element)
        self._check(at, self._layouts.alignment(element), length * size, "list")
        values = self._elements(element, at, length)
        return dict(values) if isinstance(type, DefinedType) and isinstance(type.definition, MapType) else values

    def _elements(self, element: ValType, at: int, length: int) -> list[Any]:
        if element is PrimValType.U8:
            return list(self._side.read(at, length))
        size = self._layouts.elem_size(element)
        return [self.load(element, at + i * size) for i in range(length)]

    def _lower_list(self, type: ValType, element: ValType, value: Any) -> tuple[int, int]:
        values = elements(type, value)
        at = self._allocate(self._layouts.alignment(element), len(values) * self._layouts.elem_size(element))
        self._store_elements(element, values, at)
        return at, len(values)

    def _store_elements(self, element: ValType, values: Sequence[Any], at: int) -> None:
        if element is PrimValType.U8:
            whole = values if isinstance(values, bytes) else bytes([scalar_bits(element, each) for each in values])
            self._side.write(at, whole)
            return
        size = self._layouts.elem_size(element)
        for i, each in enumerate(values):
            self.store(element, each, at + i * size)

    def _allocate(self, alignment: int, size: int) -> int:
        at = self._side.allocate(alignment, size)
        self._check(at, alignment, size, "realloc result")
        return at

    def _string(self, at: int, length: int) -> str:
        match self._side.encoding:
            case StringEncoding.UTF8:
                units, size, codec = length, 1, "utf-8"
            case StringEncoding.UTF16:
                units, size, codec = length, 2, "utf-16-le"
            case StringEncoding.LATIN1_UTF16 if length & _UTF16_TAG:
                units, size, codec = length ^ _UTF16_TAG, 2, "utf-16-le"
            case StringEncoding.LATIN1_UTF16:
                units, size, codec = length, 1, "latin-1"
        alignment = 1 if self._side.encoding is StringEncoding.UTF8 else 2
        if units * size > MAX_STRING_BYTE_LENGTH:
            raise GuestTrap("string too long")
        self._check(at, alignment, units * size, "string")
        try:
            return self._side.read(at, units * size).decode(codec)
        except UnicodeDecodeError as error:
            raise GuestTrap(f"invalid {codec.removesuffix('-le').replace('-', '')}") from error

    def _lower_string(self, value: Any) -> tuple[int, int]:
        value = text(value)
        match self._side.encoding:
            case StringEncoding.UTF8:
                data, alignment, tag, unit = value.encode("utf-8"), 1, 0, 1
            case StringEncoding.UTF16:
                data, alignment, tag, unit = value.encode("utf-16-le"), 2, 0, 2
            case StringEncoding.LATIN1_UTF16 if all(ord(c) < 256 for c in value):
                data, alignment, tag, unit = value.encode("latin-1"), 2, 0, 1
            case StringEncoding.LATIN1_UTF16:
                data, alignment, tag, unit = value.encode("utf-16-le"), 2, _UTF16_TAG, 2
        at = self._allocate(alignment, len(data))
        self._side.write(at, data)
        return at, len(data) // unit | tag

    # --- small things -----------------------------------------------------------------------------------------
    def _scalar(self, type: PrimValType, bits: int) -> Any:
        if type in INTEGERS:
            size, signed = INTEGERS[type]
            return int.from_bytes((bits & (1 << 8 * size) - 1).to_bytes(size, "little"), "little", signed=signed)
        match type:
            case PrimValType.BOOL:
                return bits & 0xFFFF_FFFF != 0
            case PrimValType.F32:
                return struct.unpack("<f", (bits & 0xFFFF_FFFF).to_bytes(4, "little"))[0]
            case PrimValType.F64:
                return struct.unpack("<d", bits.to_bytes(8, "little"))[0]
            case PrimValType.CHAR:
                code = bits & 0xFFFF_FFFF
                if code >= 0x11_0000 or 0xD800 <= code <= 0xDFFF:
                    raise GuestTrap("invalid char")
                return chr(code)
            case _:
                raise no_form()

    def _case(self, cases: Sequence[Any], index: int) -> Any:
        if index >= len(cases):
            raise GuestTrap("invalid variant discriminant")
        return cases[index]

    def _flags(self, labels: Sequence[str], bits: int) -> set[str]:
        return {label for i, label in enumerate(labels) if bits >> i & 1}


def _extended(type: PrimValType, value: Any) -> int:
    """The bits of a scalar as a core value: a small signed integer is extended to 32 bits."""
    bits = scalar_bits(type, value)
    if type in (PrimValType.S8, PrimValType.S16) and value < 0:
        return bits | 0xFFFF_FFFF & ~((1 << 8 * INTEGERS[type][0]) - 1)
    return bits
