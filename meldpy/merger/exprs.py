"""Constant expressions of the merged module, and the definitions that are made of them: globals and tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

from meldpy.merger.consts import Constants, FuncValue, NullValue, Value
from meldpy.merger.layout import Layout
from meldpy.merger.limits import check_expression
from meldpy.merger.placement import Placement
from meldpy.merger.plan import memory_type, table_type
from meldpy.merger.types import remap_global, remap_heap, remap_table
from meldpy.merger.units import Unit, symbol_at
from meldpy.model.code import Flag
from meldpy.model.core import (
    AbsHeapType,
    ConstExpr,
    ConstOp,
    Global,
    GlobalType,
    MemoryType,
    NumType,
    Op,
    Table,
    TableType,
)
from meldpy.model.ids import GlobalId, MemoryId, TableId

_ARRAY_OR_STRUCT = frozenset({Op.STRUCT_NEW, Op.STRUCT_NEW_DEFAULT, Op.ARRAY_NEW, Op.ARRAY_NEW_DEFAULT})


@final
class ExprWriter:
    """Writes constant expressions of any unit with merged indices: known values as one instruction."""

    def __init__(self, layout: Layout, constants: Constants) -> None:
        self.layout = layout
        self.constants = constants

    def write(self, unit: Unit, expr: ConstExpr) -> ConstExpr:
        value = self.constants.value(unit, expr)
        if value is not None:
            return (self._known(value),)
        return tuple(self._rewrite(unit, op) for op in expr)

    def write_apart(self, unit: Unit, expr: ConstExpr) -> ConstExpr:
        """As `write`, but without any global: equal in type, while what is allocated is another object."""
        result: list[ConstOp] = []
        pending = [(unit, op) for op in reversed(expr)]
        while pending:
            within, op = pending.pop()
            if op.opcode == Op.GLOBAL_GET and isinstance(op.operand, int):
                symbol = within.globals[op.operand]
                if isinstance(symbol, GlobalId) and self.constants.of_global(symbol) is None:
                    owner = self.layout.units[symbol.instance]
                    init = owner.module.globals[symbol.index - owner.own_globals].init
                    pending += [(owner, each) for each in reversed(init)]
                    continue
            result.append(self._rewrite(within, op))
            check_expression(len(result) + len(pending))
        return tuple(result)

    def _known(self, value: Value) -> ConstOp:
        match value:
            case ConstOp():
                return value
            case FuncValue(func):
                return ConstOp(Op.REF_FUNC, self.layout.func(func))
            case NullValue(op, unit):
                return self._null(self.layout.units[unit], op)

    def _null(self, unit: Unit, op: ConstOp) -> ConstOp:
        assert isinstance(op.operand, int | AbsHeapType)
        return ConstOp(Op.REF_NULL, remap_heap(op.operand, self.layout.type_map(unit)))

    def _rewrite(self, unit: Unit, op: ConstOp) -> ConstOp:
        types = self.layout.type_map(unit)
        match op.operand:
            case int(target) if op.opcode == Op.GLOBAL_GET:
                symbol = unit.globals[target]
                value = self.constants.of_global(symbol)
                return ConstOp(Op.GLOBAL_GET, self.layout.global_(symbol)) if value is None else self._known(value)
            case int(target) if op.opcode == Op.REF_FUNC:
                func = symbol_at(unit, target)
                assert func is not None, "a function in a live expression is live"
                return ConstOp(Op.REF_FUNC, self.layout.func(func))
            case _ if op.opcode == Op.REF_NULL:
                return self._null(unit, op)
            case int(type_) if op.opcode in _ARRAY_OR_STRUCT:
                return ConstOp(op.opcode, types(type_))
            case (type_, count) if op.opcode == Op.ARRAY_NEW_FIXED:
                return ConstOp(op.opcode, (types(type_), count))
            case _:
                return op


def merged_globals(units: Sequence[Unit], flags: Sequence[Flag], writer: ExprWriter) -> tuple[Global, ...]:
    """In the order of `layout.globals`."""
    layout = writer.layout
    result: list[Global] = []
    for unit in units:
        own = unit.globals[unit.own_globals :]
        for symbol, global_ in zip(own, unit.module.globals, strict=True):
            if symbol in layout.globals:
                type_ = remap_global(global_.type, layout.type_map(unit))
                result.append(Global(type_, writer.write(unit, global_.init)))
    for flag in flags:
        result.append(Global(GlobalType(NumType.I32, True), (ConstOp(Op.I32_CONST, flag.init),)))
    return tuple(result)


def merged_tables(placement: Placement, writer: ExprWriter) -> tuple[Table, ...]:
    """The tables that the main module defines."""
    layout = writer.layout
    result: list[Table] = []
    for table in placement.main_tables:
        unit = layout.units[table.instance]
        init = unit.module.tables[table.index - unit.own_tables].init
        type_ = merged_table_type(layout, table)
        if init is not None and writer.constants.needs_global(unit, init):
            # The start function fills the table before anyone sees it; until then any value of its type will do.
            result.append(Table(type_, None if type_.element.nullable else writer.write_apart(unit, init)))
        else:
            result.append(Table(type_, None if init is None else writer.write(unit, init)))
    if placement.shared.parts:
        result.append(Table(placement.shared.type))
    return tuple(result)


def table_init(unit: Unit, table: TableId) -> ConstExpr:
    init = unit.module.tables[table.index - unit.own_tables].init
    assert init is not None
    return init


def merged_table_type(layout: Layout, table: TableId) -> TableType:
    return remap_table(table_type(layout.units, table), layout.type_map(layout.units[table.instance]))


def merged_memory_type(layout: Layout, memory: MemoryId) -> MemoryType:
    return memory_type(layout.units, memory)
