"""The checks of a string's length, alignment and bounds once more, in front of the library's, to tell the values.

The runtime library checks a string itself, and its trap functions take no values. In an output that tells values
(`told_values`) its check of a source has this in front of it, which fails where it would fail, by the same rule. What
the content breaks is not told: the values of that are in the string.

Spec: load_string_from_range.
"""

from __future__ import annotations

from meldpy.adapter.emitter import Emitter, Workshop
from meldpy.adapter.places import Side
from meldpy.adapter.traps import Trap
from meldpy.asm import I64, FuncBuilder, Op
from meldpy.cabi import MAX_STRING_BYTE_LENGTH
from meldpy.model.code import EmittedFunc
from meldpy.model.core import CoreFuncType
from meldpy.model.ids import FuncId

_UNITS = {"utf8": (1, 1), "utf16": (2, 2), "latin1": (1, 2)}
"""Bytes of a code unit, and the alignment of a string, by the library's check."""


def telling_check(shop: Workshop, side: Side, name: str, check: FuncId) -> EmittedFunc:
    """A function of the type of `check`, the library's check `name` of strings in the memory of `side`."""
    if check not in shop.outlined:
        shop.outlined[check] = _written(shop, side, name, check)
    return shop.outlined[check]


def _written(shop: Workshop, side: Side, name: str, check: FuncId) -> EmittedFunc:
    address = side.pointer
    size, alignment = _UNITS[name]
    b = FuncBuilder(f"check of {name}, telling values", CoreFuncType((address, address), ()))
    em = Emitter(shop, b)
    pointer, units = b.params
    b.get(units)
    b.const(address, MAX_STRING_BYTE_LENGTH // size)
    b.op(Op.I64_GT_U if address is I64 else Op.I32_GT_U)
    em.trap_if(Trap.STRING_TOO_LONG, units=units)
    em.check_aligned(pointer, alignment, Trap.STRING_MISALIGNED)
    with b.scratch(I64) as (length,):
        em.get_extended(units)
        b.i64(size)
        b.op(Op.I64_MUL)
        b.set(length)
        em.check_bounds(side.needs_memory(), pointer, length, Trap.STRING_OUT_OF_BOUNDS)
    b.get(pointer, units)
    b.call(check)
    return shop.functions.add(b)
