"""Layout laws, against an independent model and by themselves."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meldpy.cabi import Abi, align_to, discriminant_size, flags_size
from meldpy.errors import LimitError
from meldpy.model.ids import ResourceId
from meldpy.model.valtype import (
    BorrowType,
    Case,
    DefinedType,
    EnumType,
    Field,
    FlagsType,
    FutureType,
    ListType,
    OwnType,
    PrimValType,
    RecordType,
    ResourceType,
    StreamType,
    TupleType,
    ValType,
    VariantType,
)
from tests.support.canonical_model import P, extent, payload_start
from tests.support.value_types import TYPES


@settings(max_examples=200, deadline=None)
@given(TYPES, st.booleans())
def test_size_and_alignment_are_those_of_the_model(type: ValType, wide: bool) -> None:
    layouts = Abi().layouts(wide)
    assert (layouts.elem_size(type), layouts.alignment(type)) == extent(type, wide)


@settings(max_examples=100, deadline=None)
@given(st.lists(TYPES, min_size=1, max_size=8), st.booleans())
def test_fields_follow_each_other_aligned_and_without_waste(types: list[ValType], wide: bool) -> None:
    layouts = Abi().layouts(wide)
    offsets = layouts.field_offsets(DefinedType(RecordType(tuple(Field(str(i), t) for i, t in enumerate(types)))))
    end = 0
    for offset, type in zip(offsets, types, strict=True):
        assert offset == align_to(end, layouts.alignment(type))
        end = offset + layouts.elem_size(type)
    assert offsets == layouts.field_offsets(DefinedType(TupleType(tuple(types))))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.none() | TYPES, min_size=1, max_size=8), st.booleans())
def test_payloads_begin_behind_the_discriminant(cases: list[ValType | None], wide: bool) -> None:
    type = DefinedType(VariantType(tuple(Case(str(i), t) for i, t in enumerate(cases))))
    assert Abi().layouts(wide).payload_offset(type) == payload_start(cases, wide)


@pytest.mark.parametrize(("count", "size"), [(1, 1), (256, 1), (257, 2), (65536, 2), (65537, 4)])
def test_discriminants_have_the_smallest_size_that_tells_cases_apart(count: int, size: int) -> None:
    assert discriminant_size(count) == size
    assert Abi().layouts(False).elem_size(DefinedType(EnumType(("x",) * count))) == size


@pytest.mark.parametrize(("count", "size"), [(1, 1), (8, 1), (9, 2), (16, 2), (17, 4), (32, 4)])
def test_flags_take_one_two_or_four_bytes(count: int, size: int) -> None:
    assert flags_size(count) == size
    assert Abi().layouts(True).alignment(DefinedType(FlagsType(("x",) * count))) == size


def test_handles_are_four_bytes_in_any_memory() -> None:
    resource = ResourceType(ResourceId(0))
    handles: list[ValType] = [
        DefinedType(OwnType(resource)),
        DefinedType(BorrowType(resource)),
        DefinedType(StreamType(P.U8)),
        DefinedType(FutureType(None)),
        PrimValType.ERROR_CONTEXT,
    ]
    for wide in (False, True):
        layouts = Abi().layouts(wide)
        assert [(layouts.elem_size(t), layouts.alignment(t)) for t in handles] == [(4, 4)] * 5


def test_a_dag_that_is_exponential_as_a_tree_is_laid_out_at_once() -> None:
    type: ValType = P.U8
    for _ in range(27):
        type = DefinedType(TupleType((type, type)))
    assert Abi().layouts(False).elem_size(type) == 1 << 27


def test_values_of_2_to_the_28_bytes_are_refused() -> None:
    layouts = Abi().layouts(False)
    assert layouts.elem_size(DefinedType(ListType(P.U8, (1 << 28) - 1))) == (1 << 28) - 1
    with pytest.raises(LimitError, match="268435456"):
        layouts.elem_size(DefinedType(ListType(P.U8, 1 << 28)))
