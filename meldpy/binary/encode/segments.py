"""Constant expressions, tables, globals, element and data segments, written: the mirror of `decode/segments`.

A segment takes the shortest form that can say it, unless the model asks for the explicit one.
"""

from __future__ import annotations

from typing import assert_never

from meldpy.binary.encode.coretypes import global_type, heap_type, ref_type, table_type
from meldpy.binary.leb128 import signed, unsigned, unsigned_vec
from meldpy.binary.sections import ELEM_KIND_FUNC, END, TABLE_WITH_INIT
from meldpy.binary.writer import Writer, vec
from meldpy.model.core import (
    FUNCREF,
    AbsHeapType,
    ConstExpr,
    ConstOp,
    DataSegment,
    ElementSegment,
    Global,
    Op,
    SegmentMode,
    Table,
)


# --- constant expressions -------------------------------------------------------------------------
def operand(op: ConstOp) -> bytes:
    """The immediate of an instruction; which integers are signed depends on the opcode."""
    value = op.operand
    match value:
        case None:
            return b""
        case bytes():
            return value
        case AbsHeapType():
            return heap_type(value)
        case tuple():
            return b"".join(map(unsigned, value))
        case int():
            return signed(value) if op.opcode in (Op.I32_CONST, Op.I64_CONST, Op.REF_NULL) else unsigned(value)
        case _:
            assert_never(value)


def const_op(op: ConstOp) -> bytes:
    if op.opcode > 0xFF:
        opcode = bytes((op.opcode >> 8,)) + unsigned(op.opcode & 0xFF)
    else:
        opcode = bytes((op.opcode,))
    return opcode + operand(op)


def const_expr(expr: ConstExpr) -> bytes:
    return b"".join(map(const_op, expr)) + bytes((END,))


# --- tables and globals ---------------------------------------------------------------------------
def table(item: Table) -> bytes:
    if item.init is None:
        return table_type(item.type)
    return bytes((TABLE_WITH_INIT, 0x00)) + table_type(item.type) + const_expr(item.init)


def global_(item: Global) -> bytes:
    return global_type(item.type) + const_expr(item.init)


# --- segments -------------------------------------------------------------------------------------
def _items(segment: ElementSegment) -> bytes:
    exprs: list[ConstExpr] = []
    indices: list[int] = []
    for item in segment.items:
        if isinstance(item, tuple):
            exprs.append(item)
        else:
            indices.append(item)
    assert not (indices if segment.expressions else exprs), "items and `expressions` disagree"
    return vec(exprs, const_expr) if segment.expressions else unsigned_vec(indices)


def element_segment(segment: ElementSegment) -> bytes:
    flags = 0b100 if segment.expressions else 0
    place = b""
    match segment.mode:
        case SegmentMode.PASSIVE:
            flags |= 0b001
        case SegmentMode.DECLARATIVE:
            flags |= 0b011
        case SegmentMode.ACTIVE:
            assert segment.table is not None
            assert segment.offset is not None
            short_form = segment.table == 0 and (not segment.expressions or segment.element == FUNCREF)
            if segment.explicit_table or not short_form:
                flags |= 0b010
                place = unsigned(segment.table)
            place += const_expr(segment.offset)
    if flags & 0b011:
        place += ref_type(segment.element) if segment.expressions else bytes((ELEM_KIND_FUNC,))
    return bytes((flags,)) + place + _items(segment)


def data_segment(segment: DataSegment, writer: Writer) -> None:
    """Appends the segment to `writer`; its bytes stay a slice."""
    match segment.mode:
        case SegmentMode.PASSIVE:
            writer.put(b"\x01")
        case SegmentMode.ACTIVE:
            assert segment.memory is not None
            assert segment.offset is not None
            explicit = segment.explicit_memory or segment.memory != 0
            writer.put(b"\x02" + unsigned(segment.memory) if explicit else b"\x00", const_expr(segment.offset))
        case SegmentMode.DECLARATIVE:
            raise AssertionError("data segments are not declarative")
    writer.put(unsigned(len(segment.data)), segment.data)
