"""DWARF expressions, evaluated: what each piece of a variable is, in an invented state of the machine.

An expression before and after its memory became a part of a larger one must come to the same: values are equal, and
places are as far apart as the memory moved. Locals, globals and memory hold numbers that follow from their index or
address, so that what reads at a wrong place gets a wrong number.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

from elftools.dwarf.dwarf_expr import DWARFExprOp

OBJECT: Final = 0x1000
"""Where the object lies whose part is looked for, in the module's memory."""
_BITS: Final = (1 << 32) - 1
_ARITHMETIC: Final[dict[str, Callable[[int, int], int]]] = {
    "and": lambda a, b: a & b,
    "or": lambda a, b: a | b,
    "xor": lambda a, b: a ^ b,
    "plus": lambda a, b: a + b,
    "minus": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "shl": lambda a, b: a << min(b, 40),
    "shr": lambda a, b: a >> min(b, 40),
    "eq": lambda a, b: int(a == b),
    "ne": lambda a, b: int(a != b),
    "lt": lambda a, b: int(a < b),
    "le": lambda a, b: int(a <= b),
    "gt": lambda a, b: int(a > b),
    "ge": lambda a, b: int(a >= b),
    "shra": lambda a, b: (a - ((a >> 31) << 32)) >> min(b, 40),
    "div": lambda a, b: a // b if b else 0,
    "mod": lambda a, b: a % b if b else 0,
}


def number(*what: object) -> int:
    """The number that lies there."""
    return int.from_bytes(sha256(repr(what).encode()).digest()[:4], "little")


@dataclass(frozen=True)
class Machine:
    """base: where the module's memory begins in the memory that expressions read. address_at: of .debug_addr.
    base_global: the global that holds the base. globals: what each is called after all, if these are old indices."""

    base: int
    address_at: Callable[[int], int]
    base_global: int | None = None
    globals: Sequence[int] | None = None

    def read(self, address: int) -> int:
        return number("memory", (address - self.base) & _BITS)

    def location(self, kind: int, index: int) -> int:
        if kind in (1, 3):
            if index == self.base_global:
                return self.base
            index = index if self.globals is None else self.globals[index]
        return number("engine", 1 if kind == 3 else kind, index)


def pieces(operations: Iterable[DWARFExprOp], machine: Machine, start: int | None = None) -> list[tuple[Any, ...]]:
    """("value", n), ("memory", address as the module knows it) or ("gone",) for each piece.

    start: the complete address that the debugger puts on the stack first.
    """
    stack = [] if start is None else [start]
    found: list[tuple[Any, ...]] = []
    value: tuple[Any, ...] | None = None

    def finish(*size: int) -> None:
        nonlocal value
        if value is None:
            value = ("memory", (stack[-1] - machine.base) & _BITS) if stack else ("gone",)
        found.append((*value, *size))
        value = None

    for operation in operations:
        name = operation.op_name.removeprefix("DW_OP_")
        args = list(operation.args)
        if name.startswith("lit"):
            stack.append(int(name[3:]))
        elif name.startswith("const") and name != "constx":
            stack.append(args[0] & _BITS)
        elif name == "addr":
            stack.append(args[0])
        elif name == "addrx":
            stack.append(machine.address_at(args[0]))
        elif name == "push_object_address":
            stack.append(machine.base + OBJECT)
        elif name == "fbreg":
            stack.append((number("frame") + args[0]) & _BITS)
        elif name == "WASM_location":
            stack.append(machine.location(args[0], args[1]))
        elif name in ("entry_value", "GNU_entry_value"):
            stack.append(number(str(args)))
        elif name in ("deref", "deref_size"):
            stack.append(machine.read(stack.pop()))
        elif name == "plus_uconst":
            stack.append((stack.pop() + args[0]) & _BITS)
        elif name in ("dup", "over", "pick"):
            stack.append(stack[-1 - {"dup": 0, "over": 1}.get(name, args[0] if args else 0)])
        elif name == "drop":
            stack.pop()
        elif name == "swap":
            stack[-2:] = stack[-1], stack[-2]
        elif name == "rot":
            stack[-3:] = stack[-1], stack[-3], stack[-2]
        elif name in _ARITHMETIC:
            top = stack.pop()
            stack.append(_ARITHMETIC[name](stack.pop(), top) & _BITS)
        elif name == "neg":
            stack.append(-stack.pop() & _BITS)
        elif name in ("not", "abs"):
            stack.append(~stack.pop() & _BITS if name == "not" else stack.pop())
        elif name in ("convert", "GNU_convert", "nop"):
            pass
        elif name == "stack_value":
            value = ("value", stack[-1]) if stack else ("gone",)
        elif name == "implicit_value":
            value = ("bytes", str(args))
        elif name == "piece":
            finish(args[0])
            stack = []
        else:
            raise NotImplementedError(name)
    if stack or value is not None or not found:
        finish()
    return found
