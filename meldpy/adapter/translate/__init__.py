"""Translating one value: lift it from a source place and lower it at a destination place, in one step.

`translate` is the whole adapter for values: it recurses over the type, and a place is either flat locals or an
address, so the same code serves parameters and results, stack and memory, at any depth. There is one function per
shape of type, in the modules here. Source locals are never written; destination locals are written exactly once on
every path. What the spec does in two passes (lift everything, then lower everything) happens value by value here:
no guest code but realloc runs in between, and realloc cannot leave its instance. It shows in two places only: which
of two traps fires first, and a realloc that overwrites live arguments where an instance calls itself (ADR-0008).

Spec: CanonicalABI.md "Loading", "Storing", "Flat Lifting", "Flat Lowering".
"""

from __future__ import annotations

from typing import assert_never

from meldpy.adapter.emitter import Emitter
from meldpy.adapter.places import Place
from meldpy.adapter.translate.handles import translate_end, translate_handle
from meldpy.adapter.translate.lists import translate_fixed_list, translate_list
from meldpy.adapter.translate.outline import call_outlined, wants_outline
from meldpy.adapter.translate.raw import translate_raw
from meldpy.adapter.translate.records import translate_record
from meldpy.adapter.translate.scalars import translate_flags, translate_scalar
from meldpy.adapter.translate.text import translate_text
from meldpy.adapter.translate.variants import translate_variant
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

__all__ = ["translate", "translate_here"]


def translate(em: Emitter, type: ValType, src: Place, dst: Place) -> None:
    """Emit the translation of a value of `type`, inline or as a call of a shared helper."""
    if isinstance(type, DefinedType) and wants_outline(em, type):
        call_outlined(em, type, src, dst, translate_here)
    else:
        translate_here(em, type, src, dst)


def translate_here(em: Emitter, type: ValType, src: Place, dst: Place) -> None:
    """Emit the translation inline; parts of the value may still be outlined."""
    if em.raw and translate_raw(em, type, src, dst):
        return
    match em.shop.abi.shape(type):
        case PrimValType.STRING:
            translate_text(em, src, dst)
        case PrimValType.ERROR_CONTEXT as handle:
            translate_handle(em, handle, src, dst)
        case PrimValType() as primitive:
            translate_scalar(em, primitive, src, dst)
        case FlagsType(labels):
            translate_flags(em, len(labels), src, dst)
        case ListType(element, length):
            if length is None:
                translate_list(em, element, src, dst)
            else:
                translate_fixed_list(em, type, element, length, src, dst)
        case RecordType(fields):
            assert isinstance(type, DefinedType)
            translate_record(em, type, [field.type for field in fields], src, dst)
        case VariantType(cases):
            translate_variant(em, type, cases, src, dst)
        case StreamType() | FutureType():
            assert isinstance(type, DefinedType)
            translate_end(em, type, src, dst)
        case OwnType() | BorrowType() as handle:
            translate_handle(em, handle, src, dst)
        case other:
            assert_never(other)
