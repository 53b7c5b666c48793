"""Flattening, against an independent model and at its limits."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meldpy.cabi import MAX_FLAT_PARAMS, Abi, Context, Extent, Needs, join, lift_context, lower_context
from meldpy.model.core import CoreFuncType, NumType
from meldpy.model.extern import FuncType
from meldpy.model.ids import LowerId
from meldpy.model.linked import CanonicalOptions, LowerFunc
from meldpy.model.valtype import Case, DefinedType, ListType, OptionType, TupleType, ValType, VariantType
from tests.support.canonical_model import P, flat
from tests.support.value_types import TYPES

I32, I64, F32, F64 = NumType.I32, NumType.I64, NumType.F32, NumType.F64


@settings(max_examples=200, deadline=None)
@given(TYPES, st.booleans())
def test_flat_types_are_those_of_the_model_up_to_the_limit(type: ValType, wide: bool) -> None:
    expected = flat(type, wide)
    assert Abi().flattener(wide).flat(type) == (tuple(expected) if len(expected) <= MAX_FLAT_PARAMS else None)


@given(st.sampled_from([I32, I64, F32, F64]), st.sampled_from([I32, I64, F32, F64]))
def test_join_is_symmetric_and_keeps_equal_types(a: NumType, b: NumType) -> None:
    assert join(a, b) is join(b, a)
    assert join(a, a) is a
    assert join(I32, F32) is I32
    assert join(F32, F64) is join(I32, F64) is join(I64, F32) is I64


def func(params: list[ValType], result: ValType | None = None) -> FuncType:
    return FuncType(tuple((f"p{i}", p) for i, p in enumerate(params)), result)


@pytest.mark.parametrize("wide", [False, True])
def test_sixteen_parameters_are_flat_and_seventeen_spill(wide: bool) -> None:
    pointer = I64 if wide else I32
    for context in (Context.LIFT, Context.LOWER):
        sixteen = Abi().func(func([P.F32] * 16), context, wide)
        assert sixteen.core == CoreFuncType((F32,) * 16, ())
        seventeen = Abi().func(func([P.F32] * 17), context, wide)
        assert seventeen.params is None
        assert seventeen.core == CoreFuncType((pointer,), ())


@pytest.mark.parametrize("wide", [False, True])
def test_two_results_spill_to_a_returned_pointer_or_a_given_one(wide: bool) -> None:
    pointer = I64 if wide else I32
    type = func([P.U8], P.STRING)
    lifted = Abi().func(type, Context.LIFT, wide)
    lowered = Abi().func(type, Context.LOWER, wide)
    assert lifted.result is None
    assert lifted.core == CoreFuncType((I32,), (pointer,))
    assert lowered.core == CoreFuncType((I32, pointer), ())
    assert Abi().func(func([], P.F64), Context.LOWER, wide).core == CoreFuncType((), (F64,))


def test_spilled_parameters_and_a_result_pointer_are_both_pointers() -> None:
    type = func([P.U8] * 17, P.STRING)
    assert Abi().func(type, Context.LOWER, True).core == CoreFuncType((I64, I64), ())
    assert Abi().func(type, Context.LIFT, True).core == CoreFuncType((I64,), (I64,))


def test_what_is_beyond_the_limit_costs_nothing() -> None:
    wide_record: ValType = DefinedType(TupleType((P.U8,) * 10_000))
    dag: ValType = P.U8
    for _ in range(30):
        dag = DefinedType(TupleType((dag, dag)))
    long_list: ValType = DefinedType(ListType(P.U8, 1 << 40))
    for type in (wide_record, dag, long_list, DefinedType(OptionType(dag))):
        assert Abi().flattener(False).flat(type) is None


def test_a_variant_counts_its_discriminant() -> None:
    def payload(count: int) -> DefinedType:
        return DefinedType(VariantType((Case("a", DefinedType(TupleType((P.U8,) * count))), Case("b", None))))

    assert Abi().flattener(False).flat(payload(15)) == (I32,) * 16
    assert Abi().flattener(False).flat(payload(16)) is None


# --- async ------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("wide", [False, True])
def test_an_async_lower_has_four_flat_parameters_a_result_pointer_and_a_status(wide: bool) -> None:
    pointer = I64 if wide else I32
    four = Abi().func(func([P.F32] * 4, P.U8), Context.ASYNC_LOWER, wide)
    assert four.core == CoreFuncType((F32, F32, F32, F32, pointer), (I32,))
    assert four.result is None
    five = Abi().func(func([P.F32] * 5), Context.ASYNC_LOWER, wide)
    assert five.params is None
    assert five.core == CoreFuncType((pointer,), (I32,))
    assert five.result == ()


def test_an_async_lift_takes_sixteen_and_returns_a_callback_code_or_nothing() -> None:
    for context, results in ((Context.CALLBACK_LIFT, (I32,)), (Context.STACKFUL_LIFT, ())):
        sixteen = Abi().func(func([P.S64] * 16, P.STRING), context, False)
        assert sixteen.core == CoreFuncType((I64,) * 16, results)
        assert sixteen.result == (I32, I32)
        seventeen = Abi().func(func([P.S64] * 17), context, False)
        assert seventeen.core == CoreFuncType((I32,), results)


def test_task_return_takes_sixteen_flat_values_or_a_pointer() -> None:
    def returned(result: ValType | None, wide: bool = False) -> CoreFuncType:
        return Abi().returned(result, wide).core

    assert returned(None) == CoreFuncType((), ())
    assert returned(P.STRING, True) == CoreFuncType((I64, I64), ())
    sixteen, seventeen = (DefinedType(TupleType((P.F64,) * count)) for count in (16, 17))
    assert returned(sixteen) == CoreFuncType((F64,) * 16, ())
    assert returned(seventeen) == CoreFuncType((I32,), ())
    assert Abi().func(func([], seventeen), Context.CALLBACK_LIFT, False).result is None


def test_what_an_async_function_needs_of_its_options() -> None:
    abi = Abi()
    returns_text = func([], P.STRING)
    assert abi.needs(returns_text, Context.ASYNC_LOWER) == Needs(memory=True, realloc=True, encoding=True)
    assert abi.needs(returns_text, Context.CALLBACK_LIFT) == Needs(memory=True, realloc=False, encoding=True)
    # the result of an async lower is in memory even if it is one number
    assert abi.needs(func([], P.U8), Context.ASYNC_LOWER) == Needs(memory=True, realloc=False, encoding=False)
    assert abi.needs(func([P.U8] * 5), Context.ASYNC_LOWER) == Needs(memory=True, realloc=False, encoding=False)
    assert abi.needs(func([P.U8] * 4), Context.ASYNC_LOWER) == Needs(memory=False, realloc=False, encoding=False)
    assert abi.needs(func([P.U8] * 17), Context.CALLBACK_LIFT) == Needs(memory=True, realloc=True, encoding=False)
    many = DefinedType(TupleType((P.U8,) * 17))
    assert abi.needs(func([], many), Context.CALLBACK_LIFT) == Needs(memory=True, realloc=False, encoding=False)


def test_options_say_which_kind_of_lift_or_lower_it_is() -> None:
    callback = LowerFunc(LowerId(0))
    assert lift_context(CanonicalOptions()) is Context.LIFT
    assert lift_context(CanonicalOptions(async_=True)) is Context.STACKFUL_LIFT
    assert lift_context(CanonicalOptions(async_=True, callback=callback)) is Context.CALLBACK_LIFT
    assert lower_context(CanonicalOptions()) is Context.LOWER
    assert lower_context(CanonicalOptions(async_=True)) is Context.ASYNC_LOWER


def test_a_stream_without_elements_takes_no_bytes() -> None:
    assert Abi().layouts(False).payload(None) == Extent(0, 1)
    assert Abi().layouts(True).payload(P.STRING) == Extent(16, 8)
