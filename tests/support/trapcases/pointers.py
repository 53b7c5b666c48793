"""Pointers to parameters and results that are too many to be core values."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from tests.support.gen.calls import Ready
from tests.support.gen.guests import PAGE, Func
from tests.support.gen.types import Prim, TupleOf, Type
from tests.support.trapcases.batch import Batch
from tests.support.trapcases.case import Case
from tests.support.trapcases.precise import ready
from tests.support.trapcases.shapes import MANY

UTF8: Final = ("utf8", "utf8")
PAIR: Final[Type] = TupleOf((Prim("u32"), Prim("u64")))
SPILLED: Final = Func((Prim("u32"),) * (MANY + 1), None, UTF8, post_return=False)
RETURNING: Final = Func((), PAIR, UTF8, post_return=False)
"""Lifted, its result is in the callee's memory; lowered, in the caller's."""


def cases() -> Iterator[Case]:
    """Every bit pattern is a value of these types, so that wherever the pointer leads, there is a value."""
    for wide in (False, True):
        batch = Batch(wide)
        top = 1 << (64 if wide else 32)
        for name, place, chosen, size, align in (
            ("params", "params: spilled", SPILLED, 4 * (MANY + 1), 4),
            ("result", "result: lowered", RETURNING, 16, 8),
            ("result", "result: lifted", RETURNING, 16, 8),
        ):
            batch.number(chosen)
            last = (PAGE - size) // align * align
            misaligned = (PAGE - 1024 + 1, PAGE - 1024 + align // 2)
            outside = [last + align, PAGE, top - align]
            if wide:
                outside += [1 << 32, (1 << 32) + PAGE - 1024]
            said = "parameters" if name == "params" else "result"
            good = (PAGE - 1024, last, 16)
            yield _case(
                batch, chosen, f"{name}-pointer-misaligned", place, misaligned, good, f"{said} pointer misaligned"
            )
            yield _case(
                batch, chosen, f"{name}-pointer-outside", place, tuple(outside), good, f"{said} pointer out of bounds"
            )


def _case(
    batch: Batch, chosen: Func, condition: str, place: str, bad: tuple[int, ...], good: tuple[int, ...], trap: str
) -> Case:
    slot = {"params: spilled": 0, "result: lowered": 1, "result: lifted": 2}[place]

    def call(pointer: int) -> Ready:
        pointers: list[int | None] = [None, None, None]
        pointers[slot] = pointer
        args = list(range(len(chosen.params)))
        return ready(batch.number(chosen), chosen, batch.guests, args, [1, 2], (pointers[0], pointers[1], pointers[2]))

    def calls() -> list[tuple[str, Ready, str | None]]:
        tried: list[tuple[int, str | None]] = [*((p, trap) for p in bad), *((p, None) for p in good)]
        return [(f"pointer {pointer}", call(pointer), expected) for pointer, expected in tried]

    width = "64-bit memories" if batch.wide else "32-bit memories"
    name = f"{place}, {condition}, {width}"
    return Case(condition, place, name, len(bad), len(good), lambda _: batch.problems(chosen, calls))
