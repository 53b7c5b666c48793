"""Code size is linear in the type as a DAG, functions stay below the engines' limits, and large values still arrive."""

from __future__ import annotations

import random
from typing import Any

import pytest

from meldpy.errors import LimitError
from meldpy.model.code import Adapted, Emitted
from meldpy.model.valtype import (
    Case,
    DefinedType,
    EnumType,
    Field,
    ListType,
    OptionType,
    RecordType,
    ResultType,
    TupleType,
    ValType,
    VariantType,
)
from tests.support.canonical_model import P
from tests.support.crossing import Crossing, GuestSide, limits

MAX_BODY, MAX_LOCALS = 7_654_321, 50_000


def size(function: Emitted) -> int:
    return sum(len(chunk) if isinstance(chunk, bytes) else 4 for chunk in function.body)


def total(adapted: Adapted) -> int:
    return sum(size(function) for function in adapted.functions)


def within_limits(adapted: Adapted) -> bool:
    return all(size(f) < MAX_BODY // 8 and len(f.locals) < MAX_LOCALS // 8 for f in adapted.functions)


def record(*types: ValType) -> DefinedType:
    return DefinedType(RecordType(tuple(Field(f"f{i}", t) for i, t in enumerate(types))))


def variant(*types: ValType | None) -> DefinedType:
    return DefinedType(VariantType(tuple(Case(f"c{i}", t) for i, t in enumerate(types))))


def big(type: ValType, pages: int = 16, wide: bool = True) -> Crossing:
    return Crossing([type], caller=GuestSide(limits(wide, pages)), callee=GuestSide(limits(False, pages)))


def test_a_record_of_10_000_fields_arrives() -> None:
    lists, options = DefinedType(ListType(P.BOOL)), DefinedType(OptionType(P.U16))
    kinds: list[ValType] = [P.U8, P.CHAR, P.BOOL, P.STRING, lists, options]
    samples: list[Any] = [7, ord("x"), True, "é", [True, False], (1, 9)]
    crossing = big(record(*(kinds[i % 6] for i in range(10_000)))).build()
    assert within_limits(crossing.linked.adapted)
    sent = [samples[i % 6] for i in range(10_000)]
    crossing.call(sent)
    assert crossing.received == [sent]


@pytest.mark.parametrize("flat", [False, True])
def test_a_variant_of_1_000_cases_arrives(flat: bool) -> None:
    payloads: list[ValType | None] = [None, P.U8, P.F32, P.STRING, DefinedType(ListType(P.CHAR)), record(P.S64, P.F64)]
    samples = [None, 200, 1.5, "ab", [ord("y")], [-1, 2.5]]
    cases = variant(*(payloads[i % 6] for i in range(1_000)))
    crossing = big(cases if flat else DefinedType(ListType(cases))).build()
    assert within_limits(crossing.linked.adapted)
    sent: Any = [(i, samples[i % 6]) for i in range(0, 1_000, 37)]
    for value in sent if flat else [sent]:
        crossing.call(value)
        assert crossing.received == [value]


def test_cases_with_distinct_payloads_do_not_grow_one_function_without_bound() -> None:
    payloads = [record(*[P.CHAR] * (1 + i % 40), DefinedType(ListType(P.U8, 1 + i))) for i in range(400)]
    adapted = big(DefinedType(ListType(variant(*payloads)))).adapted()
    assert within_limits(adapted)


@pytest.mark.parametrize(
    "double",
    [
        lambda t: variant(t, record(P.U8, t)),
        lambda t: DefinedType(ResultType(t, DefinedType(ListType(t)))),
        lambda t: record(DefinedType(ListType(t)), DefinedType(OptionType(DefinedType(ListType(t))))),
    ],
)
def test_code_is_linear_in_a_dag(double: Any) -> None:
    def code_of(depth: int) -> int:
        type: ValType = P.CHAR
        for _ in range(depth):
            type = double(type)
        adapted = big(DefinedType(ListType(type))).adapted()
        assert within_limits(adapted)
        return total(adapted)

    ten, twenty, thirty = code_of(10), code_of(20), code_of(30)
    assert thirty - twenty < 2 * (twenty - ten) + 500


def test_a_record_dag_shares_its_halves() -> None:
    type: ValType = P.CHAR
    for _ in range(25):
        type = record(type, type)
    adapted = big(DefinedType(ListType(type))).adapted()
    assert total(adapted) < 5_000


def test_a_value_of_2_to_the_28_bytes_is_refused_with_its_place() -> None:
    type: ValType = P.CHAR
    for _ in range(26):
        type = record(type, type)
    with pytest.raises(LimitError, match="268435456") as refused:
        big(DefinedType(ListType(type))).adapted()
    assert refused.value.location is not None


def test_a_flat_dag_of_variants_stays_small_and_works() -> None:
    """14 levels fit into 16 flat values; as a tree they have 2^14 leaves."""
    type: ValType = P.CHAR
    for _ in range(14):
        type = variant(type, DefinedType(TupleType((type,))))
    crossing = big(type).build()
    assert total(crossing.linked.adapted) < 20_000
    value: Any = ord("z")
    for level in range(14):
        value = (1, [value]) if level % 3 else (0, value)
    crossing.call(value)
    assert crossing.received == [value]


@pytest.mark.parametrize("wrap", [OptionType, ListType, lambda t: TupleType((t,)), lambda t: ListType(t, 1)])
def test_a_type_of_depth_100_is_no_recursion_problem(wrap: Any) -> None:
    type: ValType = P.CHAR
    for _ in range(100):
        type = DefinedType(wrap(type))
    crossing = big(type)
    assert within_limits(crossing.adapted())


def test_a_deep_value_arrives() -> None:
    type: ValType = P.U16
    value: Any = 7
    for level in range(60):
        if level % 2:
            type, value = DefinedType(ListType(type)), [value, value] if level < 8 else [value]
        else:
            type, value = record(P.U8, type), [level, value]
    crossing = big(type).build()
    crossing.call(value)
    assert crossing.received == [value]


def test_long_fixed_lists_are_loops() -> None:
    type = DefinedType(ListType(P.CHAR, 10_000))
    crossing = big(record(P.U8, type)).build()
    assert total(crossing.linked.adapted) < 2_000
    sent = [3, [random.Random(1).randrange(0xD800) for _ in range(10_000)]]
    crossing.call(sent)
    assert crossing.received == [sent]


def test_an_enum_of_1_000_cases_needs_no_table() -> None:
    type = DefinedType(EnumType(tuple(f"e{i}" for i in range(1_000))))
    assert total(big(type).adapted()) < 200
