"""The values that broke a rule, told by the backtrace of the trap.

An engine says of a trap where it was and through which calls it came, and nothing else that every engine says: no
local, no argument, and the memories of a component are closed to the host. So in an output made with `trap_values` a
check that fails does not call its trap function itself. It calls a function named `value: pointer` with the value. That
calls itself once for each byte that is left of it, the lowest first, from a place in its body that belongs to this byte
alone; then it does the same for the next value, and at last calls the trap function. So the trap is the innermost frame
as ever, and the offsets of the frames around it are the value (`debug.values` reads them).

No byte of other outputs knows of this, and nothing happens here before a check has failed.
"""

from __future__ import annotations

from collections.abc import Sequence

from meldpy.adapter.functions import Functions
from meldpy.adapter.traps import Trap
from meldpy.asm import I32, I64, FuncBuilder, Op
from meldpy.model.code import EmittedFunc
from meldpy.model.core import CoreFuncType
from meldpy.model.debug import VALUE


def teller(functions: Functions, trap: Trap, names: Sequence[str]) -> EmittedFunc:
    """The function that takes as many i64 as there are names, puts them into the backtrace, and traps."""
    if not names:
        return functions.trap(trap)
    following = teller(functions, trap, names[1:])
    symbol = functions.reserve()
    b = FuncBuilder(f"{VALUE}{names[0]}", CoreFuncType((I64,) * len(names), ()))
    value, *rest = b.params

    # nothing is left of the value: on to the next one
    b.get(value)
    b.op(Op.I64_EQZ)
    with b.if_():
        b.get(*rest)
        b.call(following)
        b.unreachable()

    # a call for each byte that may be the lowest; `debug.values` knows these instructions
    low = b.local(I32)
    b.get(value)
    b.op(Op.I32_WRAP_I64)
    b.i32(255)
    b.op(Op.I32_AND)
    b.set(low)
    for byte in range(256):
        b.get(low)
        b.i32(byte)
        b.op(Op.I32_EQ)
        with b.if_():
            b.get(value)
            b.i64(8)
            b.op(Op.I64_SHR_U)
            b.get(*rest)
            b.call(symbol)
            b.unreachable()
    b.unreachable()
    functions.define(symbol, b)
    return symbol
