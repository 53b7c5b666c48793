"""Alignment, element size and offsets of values in a memory. Spec: CanonicalABI.md "Alignment", "Element Size".

All results are bytes. A valid type takes less than 2^28 of them (Explainer.md, "defvaltype"); engines do not check
that everywhere, so it is checked here, where somebody first asks how large a type is.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never, final

from meldpy.cabi.despecialize import Shapes
from meldpy.errors import LimitError
from meldpy.model.valtype import (
    BorrowType,
    Case,
    DefinedType,
    FlagsType,
    FutureType,
    ListType,
    OwnType,
    PrimValType,
    RecordType,
    StreamType,
    ValType,
    VariantType,
)
from meldpy.records import dataclass

MAX_VALUE_SIZE = 1 << 28
MAX_STRING_BYTE_LENGTH = (1 << 28) - 1
MAX_LIST_BYTE_LENGTH = (1 << 28) - 1

_FIXED = {
    PrimValType.BOOL: 1,
    PrimValType.S8: 1,
    PrimValType.U8: 1,
    PrimValType.S16: 2,
    PrimValType.U16: 2,
    PrimValType.S32: 4,
    PrimValType.U32: 4,
    PrimValType.S64: 8,
    PrimValType.U64: 8,
    PrimValType.F32: 4,
    PrimValType.F64: 8,
    PrimValType.CHAR: 4,
    PrimValType.ERROR_CONTEXT: 4,
}
"""Size and alignment of the primitives that do not hold a pointer."""


def align_to(offset: int, alignment: int) -> int:
    """The first multiple of `alignment` (a power of two) that is not below `offset`."""
    return (offset + alignment - 1) & -alignment


def discriminant_size(cases: int) -> int:
    """Bytes of the discriminant of a variant with that many cases."""
    assert 0 < cases < 1 << 32
    if cases <= 1 << 8:
        return 1
    return 2 if cases <= 1 << 16 else 4


def flags_size(labels: int) -> int:
    """Bytes, and alignment, of flags with that many labels."""
    assert 0 < labels <= 32
    if labels <= 8:
        return 1
    return 2 if labels <= 16 else 4


@final
@dataclass(frozen=True, slots=True)
class Extent:
    size: int
    alignment: int


@final
class Layouts:
    """Layouts for one pointer width."""

    def __init__(self, shapes: Shapes, memory64: bool) -> None:
        self._shapes = shapes
        self._pointer = 8 if memory64 else 4
        self._memo: dict[DefinedType, Extent] = {}
        self._offsets: dict[DefinedType, tuple[int, ...]] = {}
        self._payloads: dict[DefinedType, int] = {}

    # Each of these raises LimitError, without a location, for a type that is too large.
    def alignment(self, type: ValType) -> int:
        return self._extent(type).alignment

    def elem_size(self, type: ValType) -> int:
        return self._extent(type).size

    def payload(self, element: ValType | None) -> Extent:
        """One element of a stream, or what a future holds: nothing takes no bytes anywhere."""
        return Extent(0, 1) if element is None else self._extent(element)

    def field_offsets(self, type: DefinedType) -> tuple[int, ...]:
        """Offsets of the fields of a record or tuple."""
        offsets = self._offsets.get(type)
        if offsets is None:
            shape = self._shapes.shape(type)
            assert isinstance(shape, RecordType)
            offsets = self._offsets[type] = self._place([field.type for field in shape.fields])[0]
        return offsets

    def payload_offset(self, type: ValType) -> int:
        """Where the payload of a variant begins."""
        assert isinstance(type, DefinedType)
        offset = self._payloads.get(type)
        if offset is None:
            shape = self._shapes.shape(type)
            assert isinstance(shape, VariantType)
            offset = self._payloads[type] = self._payload_offset(shape.cases)
        return offset

    # --- inside -----------------------------------------------------------------------------------------------
    def _extent(self, type: ValType) -> Extent:
        if isinstance(type, PrimValType):
            return self._primitive(type)
        extent = self._memo.get(type)
        if extent is None:
            extent = self._compute(type)
            if extent.size >= MAX_VALUE_SIZE:
                raise LimitError(
                    f"a value of a type takes {extent.size} bytes in memory, and 2^28 - 1 are allowed",
                    remedy="make the type smaller, or a list of it",
                )
            self._memo[type] = extent
        return extent

    def _primitive(self, type: PrimValType) -> Extent:
        if type is PrimValType.STRING:
            return Extent(2 * self._pointer, self._pointer)
        return Extent(_FIXED[type], _FIXED[type])

    def _compute(self, type: DefinedType) -> Extent:
        match self._shapes.shape(type):
            case PrimValType() as primitive:
                return self._primitive(primitive)
            case ListType(element, length):
                if length is None:
                    return Extent(2 * self._pointer, self._pointer)
                inner = self._extent(element)
                return Extent(length * inner.size, inner.alignment)
            case RecordType(fields):
                return self._place([field.type for field in fields])[1]
            case VariantType(cases):
                return self._variant(cases)
            case FlagsType(labels):
                return Extent(flags_size(len(labels)), flags_size(len(labels)))
            case OwnType() | BorrowType() | StreamType() | FutureType():
                return Extent(4, 4)
            case other:
                assert_never(other)

    def _place(self, types: Sequence[ValType]) -> tuple[tuple[int, ...], Extent]:
        offsets = []
        size, alignment = 0, 1
        for type in types:
            extent = self._extent(type)
            size = align_to(size, extent.alignment)
            offsets.append(size)
            size += extent.size
            alignment = max(alignment, extent.alignment)
        return tuple(offsets), Extent(align_to(size, alignment), alignment)

    def _variant(self, cases: Sequence[Case[ValType]]) -> Extent:
        alignment = max(discriminant_size(len(cases)), self._max_case_alignment(cases))
        payload = max((self.elem_size(case.type) for case in cases if case.type is not None), default=0)
        return Extent(align_to(self._payload_offset(cases) + payload, alignment), alignment)

    def _payload_offset(self, cases: Sequence[Case[ValType]]) -> int:
        return align_to(discriminant_size(len(cases)), self._max_case_alignment(cases))

    def _max_case_alignment(self, cases: Sequence[Case[ValType]]) -> int:
        return max((self.alignment(case.type) for case in cases if case.type is not None), default=1)
