"""Constant expressions, and what holds them in a core module: tables, globals, element and data segments.

Spec: core binary format, "Expressions", "Table Section", "Element Section", "Data Section".
"""

from __future__ import annotations

from typing import Final

from meldpy.binary.decode.coretypes import global_type, heap_type, ref_type, table_type, type_index
from meldpy.binary.reader import Reader
from meldpy.binary.sections import ELEM_KIND_FUNC, END, TABLE_WITH_INIT, Limit
from meldpy.model.core import (
    FUNCREF,
    AbsHeapType,
    ConstExpr,
    ConstOp,
    DataSegment,
    ElementSegment,
    Global,
    Op,
    RefType,
    SegmentMode,
    Table,
)
from meldpy.model.ids import CoreFuncIndex, CoreMemoryIndex, CoreTableIndex

FUNC_ITEMS: Final = RefType(False, AbsHeapType.FUNC)
"""The type of a segment whose items are function indices: none of them is null."""

PREFIXES: Final = (0xFB, 0xFD)
RAW_OPERANDS: Final = {Op.F32_CONST: 4, Op.F64_CONST: 8, Op.V128_CONST: 16}
PLAIN_OPS: Final = frozenset(
    (
        Op.I32_ADD,
        Op.I32_SUB,
        Op.I32_MUL,
        Op.I64_ADD,
        Op.I64_SUB,
        Op.I64_MUL,
        Op.ANY_CONVERT_EXTERN,
        Op.EXTERN_CONVERT_ANY,
        Op.REF_I31,
    )
)


# --- constant expressions -------------------------------------------------------------------------
def const_op(r: Reader, opcode: int, offset: int) -> ConstOp:
    """The instruction whose opcode was read at `offset`."""
    match opcode:
        case Op.I32_CONST:
            return ConstOp(opcode, r.s32())
        case Op.I64_CONST:
            return ConstOp(opcode, r.s64())
        case Op.F32_CONST | Op.F64_CONST | Op.V128_CONST:
            return ConstOp(opcode, bytes(r.slice(RAW_OPERANDS[opcode], "a constant")))
        case Op.GLOBAL_GET | Op.REF_FUNC:
            return ConstOp(opcode, r.u32())
        case Op.REF_NULL:
            return ConstOp(opcode, heap_type(r))
        case Op.STRUCT_NEW | Op.STRUCT_NEW_DEFAULT | Op.ARRAY_NEW | Op.ARRAY_NEW_DEFAULT:
            return ConstOp(opcode, type_index(r))
        case Op.ARRAY_NEW_FIXED:
            return ConstOp(opcode, (type_index(r), r.u32()))
        case _ if opcode in PLAIN_OPS:
            return ConstOp(opcode)
        case _:
            raise r.error(f"instruction {opcode:#04x} is not allowed in a constant expression", offset)


def const_expr(r: Reader) -> ConstExpr:
    ops: list[ConstOp] = []
    while True:
        offset = r.offset
        opcode = r.byte("instruction")
        if opcode == END:
            return tuple(ops)
        if opcode in PREFIXES:
            sub_opcode = r.u32()
            if sub_opcode > 0xFF:
                raise r.error(f"instruction {opcode:#04x} {sub_opcode} is not allowed in a constant expression", offset)
            opcode = opcode << 8 | sub_opcode
        ops.append(const_op(r, opcode, offset))


# --- tables and globals ---------------------------------------------------------------------------
def table(r: Reader) -> Table:
    if r.peek("table") != TABLE_WITH_INIT:
        return Table(table_type(r))
    r.position += 1
    r.expect(0x00, "the byte behind a table's 0x40")
    return Table(table_type(r), const_expr(r))


def global_(r: Reader) -> Global:
    return Global(global_type(r), const_expr(r))


# --- segments -------------------------------------------------------------------------------------
def func_items(r: Reader) -> tuple[CoreFuncIndex, ...]:
    return tuple(map(CoreFuncIndex, r.u32_vec("elements", Limit.ELEMENT_ITEMS)))


def element_segment(r: Reader) -> ElementSegment:
    """Flags: bit 0 not active; bit 1 declarative, or with an explicit table; bit 2 items are expressions."""
    start = r.offset
    flags = r.u32()
    if flags > 0b111:
        raise r.error(f"unknown flags {flags:#x} of an element segment", start)
    expressions = bool(flags & 0b100)
    mode, table_index, offset = SegmentMode.ACTIVE, None, None
    if flags & 0b001:
        mode = SegmentMode.DECLARATIVE if flags & 0b010 else SegmentMode.PASSIVE
    else:
        table_index = CoreTableIndex(r.u32() if flags & 0b010 else 0)
        offset = const_expr(r)
    short_form = FUNCREF if expressions else FUNC_ITEMS
    element = short_form
    if flags & 0b011:
        if expressions:
            element = ref_type(r)
        else:
            r.expect(ELEM_KIND_FUNC, "element kind")
    items = r.vec("elements", Limit.ELEMENT_ITEMS, const_expr) if expressions else func_items(r)
    explicit = flags & 0b011 == 0b010 and table_index == 0 and element == short_form
    return ElementSegment(mode, element, items, expressions, table_index, offset, explicit)


def data_segment(r: Reader) -> DataSegment:
    """Flags: 0 active in memory 0, 1 passive, 2 active with an explicit memory."""
    start = r.offset
    flags = r.u32()
    match flags:
        case 1:
            return DataSegment(SegmentMode.PASSIVE, r.slice(r.u32(), "data segment"))
        case 0 | 2:
            memory = CoreMemoryIndex(r.u32() if flags == 2 else 0)
            offset = const_expr(r)
            data = r.slice(r.u32(), "data segment")
            return DataSegment(SegmentMode.ACTIVE, data, memory, offset, flags == 2 and memory == 0)
        case _:
            raise r.error(f"unknown flags {flags:#x} of a data segment", start)
