"""Values between Python and a core module: the Canonical ABI's load, store, lift and lower, with the spec's checks.

Core values are unsigned integers of their bits, floats too: so the joins of variants are masks. What a value looks like
in Python is in the package's docstring.

Spec: CanonicalABI.md "Loading", "Storing", "Lifting", "Lowering" and their flat counterparts.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol, final

from meldpy.cabi import Abi, discriminant_size, flags_size
from meldpy.core.handles import GuestTrap
from meldpy.errors import UnsupportedError, UsageError
from meldpy.model.canon import StringEncoding
from meldpy.model.core import NumType
from meldpy.model.ids import ResourceId
from meldpy.model.valtype import (
    BorrowType,
    DefinedType,
    EnumType,
    FlagsType,
    FutureType,
    ListType,
    MapType,
    OptionType,
    OwnType,
    PrimValType,
    RecordType,
    StreamType,
    TupleType,
    ValType,
    VariantType,
)
from meldpy.records import dataclass

_REMEDY = "give a value of the type that the function has: `meld docs core`"

_INTEGERS = {
    PrimValType.U8: (1, False),
    PrimValType.S8: (1, True),
    PrimValType.U16: (2, False),
    PrimValType.S16: (2, True),
    PrimValType.U32: (4, False),
    PrimValType.S32: (4, True),
    PrimValType.U64: (8, False),
    PrimValType.S64: (8, True),
}
_UTF16_TAG = 1 << 31
_MAX_STRING = (1 << 28) - 1


@final
@dataclass(frozen=True, slots=True)
class Case:
    """A case of a variant, a result, or an option of an option."""

    label: str
    value: Any = None


class Side(Protocol):
    """What moving values needs of an instance and the call it is for."""

    @property
    def encoding(self) -> StringEncoding: ...

    def read(self, at: int, size: int) -> bytes: ...

    def write(self, at: int, data: bytes) -> None: ...

    def memory_size(self) -> int: ...

    def allocate(self, alignment: int, size: int) -> int: ...

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
            case RecordType(fields):
                assert isinstance(type, DefinedType)
                offsets = layouts.field_offsets(type)
                return _record_value(type, [self.load(f.type, at + o) for f, o in zip(fields, offsets, strict=True)])
            case VariantType(cases):
                assert isinstance(type, DefinedType)
                index = int.from_bytes(side.read(at, discriminant_size(len(cases))), "little")
                payload = self._case(cases, index).type
                value = None if payload is None else self.load(payload, at + layouts.payload_offset(type))
                return _variant_value(type, cases[index].label, value)
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
                raise _async()

    def store(self, type: ValType, value: Any, at: int) -> None:
        side, layouts = self._side, self._layouts
        match self._abi.shape(type):
            case PrimValType.STRING:
                side.write(at, struct.pack("<II", *self._lower_string(value)))
            case PrimValType() as primitive:
                side.write(at, _bits(primitive, value).to_bytes(layouts.elem_size(primitive), "little"))
            case RecordType(fields):
                assert isinstance(type, DefinedType)
                offsets = layouts.field_offsets(type)
                for f, o, each in zip(fields, offsets, _fields(type, value), strict=True):
                    self.store(f.type, each, at + o)
            case VariantType(cases):
                assert isinstance(type, DefinedType)
                index, payload = _choice(type, value, [case.label for case in cases])
                side.write(at, index.to_bytes(discriminant_size(len(cases)), "little"))
                payload_type = cases[index].type
                if payload_type is not None:
                    self.store(payload_type, payload, at + layouts.payload_offset(type))
            case ListType(element, None):
                side.write(at, struct.pack("<II", *self._lower_list(type, element, value)))
            case ListType(element, int(length)):
                self._store_elements(element, _sized(value, length), at)
            case FlagsType(labels):
                side.write(at, _flag_bits(labels, value).to_bytes(flags_size(len(labels)), "little"))
            case OwnType(resource):
                side.write(at, side.lower_own(resource.id, value).to_bytes(4, "little"))
            case BorrowType(resource):
                side.write(at, side.lower_borrow(resource.id, value).to_bytes(4, "little"))
            case StreamType() | FutureType() | ListType():
                raise _async()

    # --- flat -------------------------------------------------------------------------------------------------
    def lift(self, type: ValType, flat: Iterator[int]) -> Any:
        """The value whose core values come next."""
        match self._abi.shape(type):
            case PrimValType.STRING:
                return self._string(next(flat) & 0xFFFF_FFFF, next(flat) & 0xFFFF_FFFF)
            case PrimValType() as primitive:
                return self._scalar(primitive, next(flat))
            case RecordType(fields):
                assert isinstance(type, DefinedType)
                return _record_value(type, [self.lift(f.type, flat) for f in fields])
            case VariantType(cases):
                assert isinstance(type, DefinedType)
                index = next(flat) & 0xFFFF_FFFF
                payload = self._case(cases, index).type
                # the slots that all cases share
                slots = [next(flat) for _ in range(len(self._flat(type)) - 1)]
                value = None if payload is None else self.lift(payload, iter(slots))
                return _variant_value(type, cases[index].label, value)
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
                raise _async()
        raise AssertionError("all shapes are above")

    def lower(self, type: ValType, value: Any) -> list[int]:
        """The core values of `value`."""
        match self._abi.shape(type):
            case PrimValType.STRING:
                return list(self._lower_string(value))
            case PrimValType() as primitive:
                return [_extended(primitive, value)]
            case RecordType(fields):
                assert isinstance(type, DefinedType)
                pairs = zip(fields, _fields(type, value), strict=True)
                return [bits for f, each in pairs for bits in self.lower(f.type, each)]
            case VariantType(cases):
                assert isinstance(type, DefinedType)
                index, payload = _choice(type, value, [case.label for case in cases])
                payload_type = cases[index].type
                flat = [] if payload_type is None else self.lower(payload_type, payload)
                return [index, *flat, *[0] * (len(self._flat(type)) - 1 - len(flat))]
            case ListType(element, None):
                return list(self._lower_list(type, element, value))
            case ListType(element, int(length)):
                return [bits for each in _sized(value, length) for bits in self.lower(element, each)]
            case FlagsType(labels):
                return [_flag_bits(labels, value)]
            case OwnType(resource):
                return [self._side.lower_own(resource.id, value)]
            case BorrowType(resource):
                return [self._side.lower_borrow(resource.id, value)]
            case StreamType() | FutureType() | ListType():
                raise _async()
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
        values: Sequence[Any] = list(value.items()) if isinstance(value, Mapping) else list(value)
        at = self._allocate(self._layouts.alignment(element), len(values) * self._layouts.elem_size(element))
        self._store_elements(element, values, at)
        return at, len(values)

    def _store_elements(self, element: ValType, values: Sequence[Any], at: int) -> None:
        if element is PrimValType.U8:
            self._side.write(at, bytes(values))
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
        if units * size > _MAX_STRING:
            raise GuestTrap("string too long")
        self._check(at, alignment, units * size, "string")
        try:
            return self._side.read(at, units * size).decode(codec)
        except UnicodeDecodeError as error:
            raise GuestTrap(f"invalid {codec.removesuffix('-le').replace('-', '')}") from error

    def _lower_string(self, value: Any) -> tuple[int, int]:
        if not isinstance(value, str):
            raise UsageError(f"a string is wanted, not {value!r}", remedy=_REMEDY)
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
        if type in _INTEGERS:
            size, signed = _INTEGERS[type]
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
                raise _async()

    def _case(self, cases: Sequence[Any], index: int) -> Any:
        if index >= len(cases):
            raise GuestTrap("invalid variant discriminant")
        return cases[index]

    def _flags(self, labels: Sequence[str], bits: int) -> set[str]:
        return {label for i, label in enumerate(labels) if bits >> i & 1}


# --- Python's side ----------------------------------------------------------------------------------------------------
def _record_value(type: DefinedType, values: list[Any]) -> Any:
    if isinstance(type.definition, TupleType):
        return tuple(values)
    assert isinstance(type.definition, RecordType)
    return {f.label: value for f, value in zip(type.definition.fields, values, strict=True)}


def _fields(type: DefinedType, value: Any) -> Iterable[Any]:
    if isinstance(type.definition, TupleType):
        return _sized(value, len(type.definition.types))
    assert isinstance(type.definition, RecordType)
    labels = [f.label for f in type.definition.fields]
    if not isinstance(value, Mapping) or set(value) != set(labels):
        raise UsageError(f"a record with {', '.join(labels)} is wanted, not {value!r}", remedy=_REMEDY)
    return [value[label] for label in labels]


def _variant_value(type: DefinedType, label: str, value: Any) -> Any:
    match type.definition:
        case EnumType():
            return label
        case OptionType(inner) if not _is_option(inner):
            return None if label == "none" else value
        case _:
            return Case(label, value)


def _choice(type: DefinedType, value: Any, labels: list[str]) -> tuple[int, Any]:
    match type.definition, value:
        case EnumType(), str():
            label, payload = value, None
        case (_, Case(label=label, value=payload)):
            pass
        case OptionType(inner), _ if not _is_option(inner):
            label, payload = ("none", None) if value is None else ("some", value)
        case _:
            raise UsageError(f"one of the cases {', '.join(labels)} is wanted, not {value!r}", remedy=_REMEDY)
    if label not in labels:
        raise UsageError(f"one of the cases {', '.join(labels)} is wanted, not {label!r}", remedy=_REMEDY)
    return labels.index(label), payload


def _is_option(type: ValType) -> bool:
    return isinstance(type, DefinedType) and isinstance(type.definition, OptionType)


def _sized(value: Any, length: int) -> Sequence[Any]:
    values = list(value)
    if len(values) != length:
        raise UsageError(f"{length} values are wanted, not {len(values)}", remedy=_REMEDY)
    return values


def _bits(type: PrimValType, value: Any) -> int:
    """The bits of a scalar in memory."""
    if type in _INTEGERS:
        size, signed = _INTEGERS[type]
        try:
            return int.from_bytes(int(value).to_bytes(size, "little", signed=signed), "little")
        except OverflowError as error:
            raise UsageError(f"{value} is no {type.name.lower()}", remedy=_REMEDY) from error
    match type:
        case PrimValType.BOOL:
            return int(bool(value))
        case PrimValType.F32:
            return int.from_bytes(struct.pack("<f", value), "little")
        case PrimValType.F64:
            return int.from_bytes(struct.pack("<d", value), "little")
        case PrimValType.CHAR:
            return ord(value)
        case _:
            raise _async()


def _extended(type: PrimValType, value: Any) -> int:
    """The bits of a scalar as a core value: a small signed integer is extended to 32 bits."""
    bits = _bits(type, value)
    if type in (PrimValType.S8, PrimValType.S16) and int(value) < 0:
        return int(value) & 0xFFFF_FFFF
    return bits


def _flag_bits(labels: Sequence[str], value: Any) -> int:
    unknown = set(value) - set(labels)
    if unknown:
        raise UsageError(f"there is no flag {', '.join(sorted(unknown))}", remedy=_REMEDY)
    return sum(1 << i for i, label in enumerate(labels) if label in value)


def _async() -> UnsupportedError:
    return UnsupportedError(
        "async",
        "streams, futures and error contexts have no form in Python yet",
        remedy="fuse the component that uses it without --core, and run that",
    )
