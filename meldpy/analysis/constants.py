"""Constant expressions that can be computed at link time.

An offset such as `global.get $__memory_base` is a constant once instances are known: the imported global is
another instance's immutable global with a constant initialiser. Anything else is None, which callers treat as
"could be any value".
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import final

from meldpy.analysis.spaces import Spaces
from meldpy.model.core import ConstExpr, Op
from meldpy.model.ids import GlobalId

_BINARY: dict[int, tuple[Callable[[int, int], int], int]] = {
    Op.I32_ADD: (operator.add, 32),
    Op.I32_SUB: (operator.sub, 32),
    Op.I32_MUL: (operator.mul, 32),
    Op.I64_ADD: (operator.add, 64),
    Op.I64_SUB: (operator.sub, 64),
    Op.I64_MUL: (operator.mul, 64),
}


@final
class Constants:
    """The values of all immutable integer globals, and with them of expressions.

    Globals are evaluated once each, in the order of instantiation and of their indices: an initialiser refers only to
    globals before it, so that chains of any length cost one step per global.
    """

    def __init__(self, all_spaces: Sequence[Spaces]) -> None:
        self._globals: dict[GlobalId, int | None] = {}
        for spaces in all_spaces:
            for index, defined in enumerate(spaces.module.globals, len(spaces.imported_globals)):
                value = None if defined.type.mutable else self.value(spaces, defined.init)
                self._globals[spaces.global_(index)] = value

    def value(self, spaces: Spaces, expr: ConstExpr) -> int | None:
        """The unsigned value of an integer constant expression of the module in `spaces`, or None if unknown.

        i64 results are returned modulo 2^64, i32 results modulo 2^32.
        """
        stack: list[int] = []
        for op in expr:
            match op.opcode:
                case Op.I32_CONST if isinstance(op.operand, int):
                    stack.append(op.operand % (1 << 32))
                case Op.I64_CONST if isinstance(op.operand, int):
                    stack.append(op.operand % (1 << 64))
                case Op.GLOBAL_GET if isinstance(op.operand, int):
                    value = self._globals[spaces.global_(op.operand)]
                    if value is None:
                        return None
                    stack.append(value)
                case opcode if opcode in _BINARY and len(stack) >= 2:
                    compute, bits = _BINARY[opcode]
                    right, left = stack.pop(), stack.pop()
                    stack.append(compute(left, right) % (1 << bits))
                case _:
                    return None
        return stack[0] if len(stack) == 1 else None
