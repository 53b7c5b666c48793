"""Constant expressions, computed at link time.

Every import of a core instance is bound inside the graph, so an imported immutable global is some other
instance's initialiser, and whatever is numeric folds to one constant: GOT-style offsets above all. What cannot be
computed (allocations of the GC proposal) is written out again with merged indices, and a `global.get` in it names
an immutable global that precedes it, because instances are merged in instantiation order.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias, final

from meldpy.merger.units import Unit, symbol_at
from meldpy.model.code import FlagRef, FuncSymbol, GlobalSymbol
from meldpy.model.core import ConstExpr, ConstOp, Op
from meldpy.model.ids import CoreInstanceId
from meldpy.records import dataclass


@final
@dataclass(frozen=True, slots=True)
class FuncValue:
    """A reference to a function."""

    func: FuncSymbol


@final
@dataclass(frozen=True, slots=True)
class NullValue:
    """A null reference; `unit` says in whose type space a heap type that is an index counts."""

    op: ConstOp
    unit: CoreInstanceId


Value: TypeAlias = "ConstOp | FuncValue | NullValue"
"""A known value; a ConstOp is a numeric or vector constant."""

_CONSTANTS = frozenset({Op.I32_CONST, Op.I64_CONST, Op.F32_CONST, Op.F64_CONST, Op.V128_CONST})
_ARITHMETIC = {
    Op.I32_ADD: (Op.I32_CONST, 32, int.__add__),
    Op.I32_SUB: (Op.I32_CONST, 32, int.__sub__),
    Op.I32_MUL: (Op.I32_CONST, 32, int.__mul__),
    Op.I64_ADD: (Op.I64_CONST, 64, int.__add__),
    Op.I64_SUB: (Op.I64_CONST, 64, int.__sub__),
    Op.I64_MUL: (Op.I64_CONST, 64, int.__mul__),
}


@final
class Constants:
    """The values of all immutable globals that can be known."""

    def __init__(self, units: Sequence[Unit]) -> None:
        self._values: dict[GlobalSymbol, Value | None] = {}
        for unit in sorted(units, key=lambda unit: unit.order):
            own = unit.globals[unit.own_globals :]
            for target, global_ in zip(own, unit.module.globals, strict=True):
                self._values[target] = None if global_.type.mutable else self.value(unit, global_.init)

    def of_global(self, target: GlobalSymbol) -> Value | None:
        return None if isinstance(target, FlagRef) else self._values[target]

    def value(self, unit: Unit, expr: ConstExpr) -> Value | None:
        """The value of a constant expression of `unit`, or None if only the engine can make it."""
        stack: list[Value] = []
        for op in expr:
            found = self._step(unit, op, stack)
            if found is None:
                return None
            stack.append(found)
        return stack[0] if len(stack) == 1 else None

    def offset(self, unit: Unit, expr: ConstExpr) -> int:
        """The unsigned value of a segment's offset (bytes or elements from the start of its memory or table)."""
        value = self.value(unit, expr)
        # Integers come from constants, arithmetic and immutable globals of this graph alone: no host global exists.
        assert isinstance(value, ConstOp)
        assert isinstance(value.operand, int)
        return value.operand & (0xFFFF_FFFF if value.opcode == Op.I32_CONST else 0xFFFF_FFFF_FFFF_FFFF)

    def needs_global(self, unit: Unit, expr: ConstExpr) -> bool:
        """Whether only a global of the merged module can give part of the expression's value."""
        return self.value(unit, expr) is None and any(
            op.opcode == Op.GLOBAL_GET
            and isinstance(op.operand, int)
            and self.of_global(unit.globals[op.operand]) is None
            for op in expr
        )

    def _step(self, unit: Unit, op: ConstOp, stack: list[Value]) -> Value | None:
        if op.opcode in _CONSTANTS:
            return op
        if op.opcode == Op.GLOBAL_GET:
            assert isinstance(op.operand, int)
            return self.of_global(unit.globals[op.operand])
        if op.opcode == Op.REF_FUNC:
            assert isinstance(op.operand, int)
            func = symbol_at(unit, op.operand)
            return None if func is None else FuncValue(func)
        if op.opcode == Op.REF_NULL:
            return NullValue(op, unit.id)
        if op.opcode in _ARITHMETIC and len(stack) >= 2:
            return _compute(op.opcode, stack)
        return None


def _compute(opcode: int, stack: list[Value]) -> ConstOp:
    result, bits, function = _ARITHMETIC[opcode]
    right, left = stack.pop(), stack.pop()
    assert isinstance(left, ConstOp)
    assert isinstance(left.operand, int)
    assert isinstance(right, ConstOp)
    assert isinstance(right.operand, int)
    value = function(left.operand, right.operand) % (1 << bits)
    return ConstOp(result, value - (1 << bits) if value >> (bits - 1) else value)
