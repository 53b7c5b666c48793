"""Values as a guest might have written them, with words of the test's choice where a rule is to be broken.

`Raw` stands for a value: its words are the core values that would be lifted, or what lies in memory. `Precise` encodes
everything else as random tests do, but nothing breaks by chance.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Any

from tests.support.gen.calls import CORE_SIZES, Ready
from tests.support.gen.encode import Encoder
from tests.support.gen.guests import ARGS, FAIL_AT, HEAP, IMAGE, PAGE, RESULT, Func, Guest, lowered_params
from tests.support.gen.layout import (
    cases_of,
    core_result,
    discriminant_size,
    flatten,
    pointer_size,
    size,
    spills_result,
)
from tests.support.gen.types import Type, has_pointer


@dataclass(frozen=True, slots=True)
class Raw:
    """words: from the first on, the rest are zeros. blobs: (address, bytes) that the guest's memory holds besides."""

    words: tuple[int, ...]
    blobs: tuple[tuple[int, bytes], ...] = ()


class Precise(Encoder):
    """An encoder that takes `Raw` for any value."""

    def store(self, type: Type, value: Any, at: int) -> None:
        if not isinstance(value, Raw):
            return Encoder.store(self, type, value, at)
        self._write(value)
        count = word_size(type, self.wide)
        for i, word in enumerate(value.words):
            self.put(at + i * count, count, word)
        return None

    def lower(self, type: Type, value: Any) -> list[int]:
        if not isinstance(value, Raw):
            return Encoder.lower(self, type, value)
        self._write(value)
        return [*value.words, *[0] * (len(flatten(type, self.wide)) - len(value.words))]

    def _write(self, value: Raw) -> None:
        for at, data in value.blobs:
            self.data[at : at + len(data)] = data


def word_size(type: Type, wide: bool) -> int:
    """Of a raw value in memory: a discriminant, a pointer or a scalar."""
    cases = cases_of(type)
    if cases is not None:
        return discriminant_size(len(cases))
    return pointer_size(wide) if has_pointer(type) else size(type, wide)


def ready(
    number: int,
    func: Func,
    guests: tuple[Guest, Guest],
    args: list[Any],
    result: Any = None,
    pointers: tuple[int | None, int | None, int | None] = (None, None, None),
) -> Ready:
    """A call with these values. pointers, if given, replace those to spilled params, to the caller's result area, and
    to the callee's."""
    caller, callee = (
        Precise(Random(0), g.wide, encoding, bytearray([g.pattern]) * (g.pages * PAGE), IMAGE, HEAP)
        for g, encoding in zip(guests, func.encodings, strict=True)
    )
    for encoder in (caller, callee):
        encoder.data[FAIL_AT:ARGS] = bytes(ARGS - FAIL_AT)
    flat = caller.params(func.params, args)
    if pointers[0] is not None:
        flat = [pointers[0]]
    if spills_result(func.result, caller.wide):
        assert func.result is not None
        area = caller.free_area(func.result)
        flat.append(area if pointers[1] is None else pointers[1])
    for i, (bits, core) in enumerate(zip(flat, lowered_params(func, caller.wide), strict=True)):
        caller.put(ARGS + 8 * i, CORE_SIZES[core], bits)
    returned = core_result(func.result, callee.wide)
    if returned is not None:
        assert func.result is not None
        bits = callee.result(func.result, result)
        callee.put(RESULT, CORE_SIZES[returned], bits if pointers[2] is None else pointers[2])
    return Ready(number, bytes(caller.data), bytes(callee.data))
