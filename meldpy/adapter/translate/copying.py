"""Values that may be copied as bytes: every bit pattern is valid, there is no padding, and nothing points elsewhere.

Padding must not be copied: it would leak bytes of the caller's memory. Since nothing points, the layout of such a
type does not depend on the pointer width, so it agrees on both sides of any crossing. Floats qualify: any NaN may
stand for any other.
"""

from __future__ import annotations

from typing import assert_never

from meldpy.adapter.emitter import Emitter, Workshop
from meldpy.adapter.places import Addr, Place
from meldpy.asm import I32, I64, Local, Op
from meldpy.cabi import discriminant_size, flags_size
from meldpy.model.core import NumType
from meldpy.model.valtype import (
    BorrowType,
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

COPY_FROM = 128
"""Bytes from which one `memory.copy` beats loads and stores (it is a call into the engine)."""

_NOT_PLAIN = {PrimValType.BOOL, PrimValType.CHAR, PrimValType.STRING, PrimValType.ERROR_CONTEXT}


def is_plain(shop: Workshop, type: ValType) -> bool:
    """Whether the bytes of a value of `type` may be copied unseen."""
    if isinstance(type, PrimValType):
        return type not in _NOT_PLAIN
    plain = shop.plain.get(type)
    if plain is None:
        plain = shop.plain[type] = _compute(shop, type)
    return plain


def _compute(shop: Workshop, type: DefinedType) -> bool:
    match shop.abi.shape(type):
        case PrimValType() as primitive:
            return primitive not in _NOT_PLAIN
        case ListType(element, length):
            return length is not None and is_plain(shop, element)
        case RecordType(fields):
            if not all(is_plain(shop, field.type) for field in fields):
                return False
            layouts = shop.abi.layouts(False)
            return sum(layouts.elem_size(field.type) for field in fields) == layouts.elem_size(type)
        case FlagsType(labels):
            return len(labels) == 8 * flags_size(len(labels))
        case VariantType(cases):
            full = len(cases) == 1 << 8 * discriminant_size(len(cases))
            return full and all(case.type is None for case in cases)
        case OwnType() | BorrowType() | StreamType() | FutureType():
            return False
        case other:
            assert_never(other)


def worth_copying(em: Emitter, type: ValType, src: Place, dst: Place) -> bool:
    """Whether the value at `src` should reach `dst` by one `memory.copy`."""
    if not (isinstance(src, Addr) and isinstance(dst, Addr)):
        return False
    return em.layouts(src.side).elem_size(type) >= COPY_FROM and is_plain(em.shop, type)


def copy_whole(em: Emitter, type: ValType, src: Place, dst: Place) -> None:
    """Copy the bytes of one plain value between memories."""
    assert isinstance(src, Addr)
    assert isinstance(dst, Addr)
    push_address(em, dst)
    push_address(em, src)
    em.b.const(_length_type(src, dst), em.layouts(src.side).elem_size(type))
    em.b.memory_copy(dst.side.needs_memory().id, src.side.needs_memory().id)


def copy_bytes(em: Emitter, src: Addr, dst: Addr, byte_length: Local) -> None:
    """Copy as many bytes as the i64 local says."""
    push_address(em, dst)
    push_address(em, src)
    em.b.get(byte_length)
    if _length_type(src, dst) is I32:
        em.b.op(Op.I32_WRAP_I64)
    em.b.memory_copy(dst.side.needs_memory().id, src.side.needs_memory().id)


def push_address(em: Emitter, place: Addr) -> None:
    """Push the effective address of a place."""
    em.b.get(place.base)
    if place.offset:
        em.b.const(place.base.type, place.offset)
        em.b.op(Op.I64_ADD if place.base.type is I64 else Op.I32_ADD)


def _length_type(src: Addr, dst: Addr) -> NumType:
    return I64 if src.side.memory64 and dst.side.memory64 else I32
