"""Values of a type, boundaries first: extreme integers, NaN payloads, chars next to surrogates, awkward strings."""

from __future__ import annotations

from random import Random
from typing import Any, Final

from hypothesis import strategies as st

from tests.support.gen.layout import cases_of, element_of, fields_of, size
from tests.support.gen.types import STRING, Flags, Prim, Type

CHARS: Final = (0, 0x41, 0x7F, 0x80, 0xFF, 0x100, 0x7FF, 0x800, 0xD7FF, 0xE000, 0xFFFD, 0xFFFF, 0x10000, 0x10FFFF)
LATIN1: Final = "\0\x7f\x80\xa9\xff"
BEYOND: Final = "\u0100\u07ff\u0800\ud7ff\ue000\uffff\U00010000\U0010ffff"
FLOATS: Final = {
    "f32": (0, 1 << 31, 1, 0x3F80_0000, 0x7F7F_FFFF, 0x7F80_0000, 0xFF80_0000, 0x7FC0_0000, 0x7F80_0001, 0xFFFF_FFFF),
    "f64": (
        0, 1 << 63, 1, 0x3FF0 << 48, 0x7FEF_FFFF_FFFF_FFFF, 0x7FF0 << 48, 0xFFF0 << 48, 0x7FF8 << 48,
        (0x7FF0 << 48) | 1, (1 << 64) - 1,
    ),
}  # fmt: skip
LENGTHS: Final = (0, 0, 1, 1, 2, 2, 3, 4)
LONG_LENGTHS: Final = (7, 8, 9, 15, 16, 17, 31, 33)
VERY_LONG: Final = (63, 64, 65, 257, 1000)
MOST_BYTES: Final = 1200
"""About how many bytes of a guest's memory one value may take."""


class Budget:
    """What is left to spend on one value; lists end when it is gone."""

    def __init__(self, left: int = MOST_BYTES) -> None:
        self.left = left

    def take(self, wanted: int, each: int) -> int:
        """How many of `wanted` elements of `each` bytes there may be."""
        count = max(0, min(wanted, self.left // max(1, each)))
        self.left -= count * each
        return count


def random_text(rng: Random, budget: Budget) -> str:
    """ASCII, latin1 or beyond; the odd character likes to sit at the borders of eight-byte blocks."""
    kind = rng.randrange(10)
    if kind == 0:
        return ""
    if kind < 4:
        alphabet = ("a", LATIN1, LATIN1 + BEYOND)[rng.randrange(3)]
        return "".join(rng.choice(alphabet) for _ in range(budget.take(rng.choice((1, 2, 3, 5, 9)), 8)))
    length = budget.take(rng.choice((3, 7, 8, 9, 15, 16, 17, 23, 24, 25, 40, 130)), 8)
    text = [chr(0x61 + i % 26) for i in range(length)]
    for _ in range(rng.randrange(3) if length else 0):
        at = rng.choice((0, length - 1, 6, 7, 8, 9, 15, 16))
        text[at % length] = rng.choice(LATIN1 if kind < 7 else LATIN1 + BEYOND)
    return "".join(text)


def random_value(type: Type, rng: Random, budget: Budget | None = None) -> Any:
    """In the shape of `model`, but strings are str."""
    budget = Budget() if budget is None else budget
    if type == STRING:
        return random_text(rng, budget)
    if isinstance(type, Prim):
        return _scalar(type.name, rng)
    if isinstance(type, Flags):
        return rng.choice((0, (1 << type.count) - 1, 1 << (type.count - 1), rng.getrandbits(type.count)))
    fields, cases, element = fields_of(type), cases_of(type), element_of(type)
    if fields is not None:
        return [random_value(t, rng, budget) for t in fields]
    if cases is not None:
        case = rng.choice((0, len(cases) - 1, rng.randrange(len(cases))))
        payload = cases[case]
        return case, None if payload is None else random_value(payload, rng, budget)
    assert element is not None
    wanted = rng.choice(rng.choice((*[LENGTHS] * 5, LONG_LENGTHS, LONG_LENGTHS, VERY_LONG)))
    count = budget.take(wanted, size(element, True))
    return [random_value(element, rng, budget) for _ in range(count)]


def values(type: Type) -> st.SearchStrategy[Any]:
    return st.randoms(use_true_random=False).map(lambda rng: random_value(type, rng))


def _scalar(name: str, rng: Random) -> Any:
    match name:
        case "bool":
            return bool(rng.randrange(2))
        case "char":
            return rng.choice(CHARS)
        case "f32" | "f64":
            return rng.choice((*FLOATS[name], rng.getrandbits(int(name[1:]))))
    width = int(name[1:])
    low = -(1 << (width - 1)) if name.startswith("s") else 0
    high = low + (1 << width) - 1
    return rng.choice((low, low + 1, 0, 1, high - 1, high, rng.randint(low, high)))
