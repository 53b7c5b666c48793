"""Large values without padding or invalid bits cross between memories as one copy, and as nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from meldpy.model.code import Adapted
from meldpy.model.valtype import DefinedType, ListType, TupleType, ValType
from tests.support.canonical_model import P
from tests.support.crossing import Crossing, GuestSide, limits

MEMORY_COPY = b"\xfc\x0a"
LONGS = DefinedType(TupleType((P.U64,) * 20))
FIXED = DefinedType(ListType(P.U32, 40))
LETTERS = DefinedType(ListType(P.CHAR, 40))


def copies(adapted: Adapted) -> int:
    return sum(chunk.count(MEMORY_COPY) for f in adapted.functions for chunk in f.body if isinstance(chunk, bytes))


def code_size(type: ValType) -> int:
    adapted = Crossing([type]).adapted()
    return sum(len(chunk) for f in adapted.functions for chunk in f.body if isinstance(chunk, bytes))


@pytest.mark.parametrize(("caller", "callee"), [(False, False), (False, True), (True, False), (True, True)])
@pytest.mark.parametrize(("type", "sent"), [(LONGS, [2**64 - i for i in range(1, 21)]), (FIXED, list(range(7, 47)))])
def test_a_large_plain_value_arrives_by_one_copy(type: ValType, sent: Any, caller: bool, callee: bool) -> None:
    crossing = Crossing([type, P.U8], caller=GuestSide(limits(caller)), callee=GuestSide(limits(callee))).build()
    crossing.call(sent, 9)
    assert crossing.received == [sent, 9]
    assert copies(crossing.linked.adapted) == 1


@pytest.mark.parametrize(("type", "copied"), [(LONGS, 1), (FIXED, 1), (LETTERS, 0)])
def test_a_result_too(type: ValType, copied: int) -> None:
    sent = [70 + i for i in range(20 if type is LONGS else 40)]
    crossing = Crossing([], type, sent).build()
    assert crossing.call() == sent
    assert copies(crossing.linked.adapted) == copied


def test_what_is_copied_whole_is_not_translated_again() -> None:
    """Twice as many fields are no more code."""
    more = DefinedType(TupleType((P.U64,) * 40))
    assert abs(code_size(more) - code_size(LONGS)) <= 4
    assert abs(code_size(DefinedType(ListType(P.U32, 80))) - code_size(FIXED)) <= 4


@pytest.mark.parametrize(("fields", "copied"), [(15, 0), (16, 1), (17, 1)])
def test_small_values_are_loads_and_stores(fields: int, copied: int) -> None:
    type = DefinedType(TupleType((P.U64,) * fields))
    assert copies(Crossing([], type, None).adapted()) == copied


def test_what_has_invalid_bits_or_padding_is_not_copied() -> None:
    padded = DefinedType(TupleType((*[P.U64] * 20, P.U8)))
    assert [copies(Crossing([type]).adapted()) for type in (LETTERS, padded)] == [0, 0]
