"""The start function: what could not be done by constant active segments, and the calls of start functions, in order.

Nothing to do: no start function. Exactly one start function and nothing else: that one. Otherwise a function of ours,
in parts if it is long.

Spec: core, "Instantiation": an active segment is `memory.init` (or `table.init`) of the whole, then a drop.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, assert_never, final

from meldpy.asm.leb import signed, unsigned
from meldpy.merger.bodies import CodeWriter
from meldpy.merger.exprs import table_init
from meldpy.merger.plan import Action, ApplyData, ApplyElems, CallStart, FillTable, memory_type, table_type
from meldpy.merger.segments import Segments
from meldpy.model.core import AbsHeapType, ConstOp, CoreFuncType, Op
from meldpy.records import dataclass

_CALL = b"\x10"
_I32_CONST = b"\x41"
_I64_CONST = b"\x42"
_MEMORY_INIT = b"\xfc\x08"
_DATA_DROP = b"\xfc\x09"
_TABLE_INIT = b"\xfc\x0c"
_TABLE_FILL = b"\xfc\x11"
_ELEM_DROP = b"\xfc\x0d"

_PART: Final = 20_000
"""Actions per function: engines compile a function at a time, and bodies are limited."""
_NO_PARAMS: Final = CoreFuncType((), ())


@final
@dataclass(frozen=True, slots=True)
class Start:
    """index: the start function, if any. names: of the functions emitted for it, which come last of all."""

    index: int | None
    names: tuple[str, ...]
    type: int | None


def write_start(actions: Sequence[Action], segments: Segments, code: CodeWriter) -> Start:
    layout = segments.layout
    match actions:
        case []:
            return Start(None, (), None)
        case [CallStart(func)]:
            return Start(layout.func(func), (), None)
        case _:
            pass
    first = layout.func_count
    type_ = layout.types.func(_NO_PARAMS)
    bodies = [
        b"".join([_action(action, segments) for action in actions[i : i + _PART]])
        for i in range(0, len(actions), _PART)
    ]
    names = ["start"] if len(bodies) == 1 else [f"start: part {i + 1}" for i in range(len(bodies))]
    if len(bodies) > 1:
        bodies.append(b"".join([_CALL + unsigned(first + part) for part in range(len(bodies))]))
        names.append("start")
    for name, body in zip(names, bodies, strict=True):
        code.entry(name, (), 0, body)
    return Start(first + len(bodies) - 1, tuple(names), type_)


def filled_functions(actions: Sequence[Action], segments: Segments) -> set[int]:
    """The functions behind ref.func in the values that tables are filled with."""
    found: set[int] = set()
    for action in actions:
        if isinstance(action, FillTable):
            expr = segments.writer.write(action.unit, table_init(action.unit, action.table))
            found.update(op.operand for op in expr if op.opcode == Op.REF_FUNC and isinstance(op.operand, int))
    return found


def _action(action: Action, segments: Segments) -> bytes:
    layout = segments.layout
    match action:
        case CallStart(func):
            return _CALL + unsigned(layout.func(func))
        case ApplyElems():
            segment = unsigned(segments.applied_elems(action))
            table = unsigned(layout.table(action.table))
            where = _where(action, table_type(layout.units, action.table).limits.is64)
            return where + _TABLE_INIT + segment + table + _ELEM_DROP + segment
        case ApplyData():
            segment = unsigned(segments.applied_data(action))
            memory = unsigned(layout.memory(action.memory))
            where = _where(action, memory_type(layout.units, action.memory).limits.is64)
            return where + _MEMORY_INIT + segment + memory + _DATA_DROP + segment
        case FillTable(unit, table):
            limits = table_type(layout.units, table).limits
            const = _I64_CONST if limits.is64 else _I32_CONST
            value = b"".join(map(_instruction, segments.writer.write(unit, table_init(unit, table))))
            return (
                const
                + signed(0)
                + value
                + const
                + _signed(limits.min, limits.is64)
                + _TABLE_FILL
                + unsigned(layout.table(table))
            )
        case _:
            assert_never(action)


def _instruction(op: ConstOp) -> bytes:
    """A constant instruction as part of a body."""
    opcode = bytes((op.opcode,)) if op.opcode <= 0xFF else bytes((op.opcode >> 8,)) + unsigned(op.opcode & 0xFF)
    match op.operand:
        case None:
            return opcode
        case bytes(raw):
            return opcode + raw
        case AbsHeapType():
            return opcode + bytes((op.operand.value,))
        case (type_, count):
            return opcode + unsigned(type_) + unsigned(count)
        case int(value):
            # Signed LEB of an index is a valid unsigned one too.
            return opcode + signed(value)
        case _:
            assert_never(op.operand)


def _where(action: ApplyElems | ApplyData, is64: bool) -> bytes:
    """Destination, source 0, length. Segment offset and length are i32 whatever the address type."""
    destination = (_I64_CONST if is64 else _I32_CONST) + _signed(action.offset, is64)
    return destination + _I32_CONST + signed(0) + _I32_CONST + signed(action.length)


def _signed(value: int, is64: bool) -> bytes:
    """The immediate of a constant: unsigned in meaning, signed in writing."""
    bits = 64 if is64 else 32
    return signed(value - (1 << bits) if value >> (bits - 1) else value)
