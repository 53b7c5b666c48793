"""Where a value can be: wrappers around a type, and functions that have it as a parameter or as their result."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from tests.support.gen.guests import Func
from tests.support.gen.layout import flatten
from tests.support.gen.types import Fixed, ListOf, MapOf, Option, Prim, Record, Result, TupleOf, Type, Variant

SIDES: Final = ("params", "result")
U8: Final = Prim("u8")
U64: Final = Prim("u64")
MANY: Final = 16
"""So many parameters before the one of interest make all of them travel through memory."""

Wrapper = tuple[Callable[[Type], Type], Callable[[Any, Any], Any]]
"""The type around a type; the value around a value, given a harmless one of its type too."""

WRAPPERS: Final[dict[str, Wrapper]] = {
    "top": (lambda t: t, lambda plain, value: value),
    "record": (lambda t: Record((t,)), lambda plain, value: [value]),
    "tuple": (lambda t: TupleOf((U64, t)), lambda plain, value: [5, value]),
    "list": (ListOf, lambda plain, value: [plain, value]),
    "fixed-length list": (lambda t: Fixed(t, 2), lambda plain, value: [plain, value]),
    "map": (lambda t: MapOf(U8, t), lambda plain, value: [[1, plain], [2, value]]),
    "variant": (lambda t: Variant((None, U64, t)), lambda plain, value: (2, value)),
    "option": (Option, lambda plain, value: (1, value)),
    "result": (lambda t: Result(U8, t), lambda plain, value: (1, value)),
    "deep": (lambda t: ListOf(Option(Record((U8, t)))), lambda plain, value: [(0, None), (1, [9, value])]),
}
SPILLED: Final = "spilled"
WIDE: Final = ("top", "record", "variant", "deep")


def shapes(side: str, wide: bool = False) -> list[str]:
    """All, or with 64-bit memories some; the engine cannot compile fixed-length lists there: see divergences.toml."""
    found = list(WIDE if wide else WRAPPERS)
    return [*found, SPILLED] if side == "params" else found


def func(side: str, shape: str, leaf: Type, encodings: tuple[str, str]) -> Func:
    if shape == SPILLED:
        return Func((*[U8] * MANY, leaf), None, encodings, post_return=False)
    wrapped = WRAPPERS[shape][0](leaf)
    if side == "params":
        return Func((wrapped,), None, encodings, post_return=False)
    return Func((), wrapped, encodings, post_return=True)


def values(side: str, shape: str, plain: Any, value: Any) -> tuple[list[Any], Any]:
    """Arguments and result."""
    if shape == SPILLED:
        return [*range(MANY), value], None
    wrapped = WRAPPERS[shape][1](plain, value)
    return ([wrapped], None) if side == "params" else ([], wrapped)


def in_memory(side: str, shape: str, leaf: Type, wide: bool) -> bool:
    """Whether the value is lifted from memory rather than from core values."""
    if shape in ("list", "map", "deep", SPILLED):
        return True
    return side == "result" and len(flatten(WRAPPERS[shape][0](leaf), wide)) > 1


def position(side: str, shape: str) -> str:
    return f"{side}: {shape}"
