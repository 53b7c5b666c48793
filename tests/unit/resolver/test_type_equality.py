"""Which types of an importer and a provider are equal, and what is said of those that are not."""

from __future__ import annotations

from itertools import combinations

import pytest

from meldpy.model.extern import FuncType
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
    MapType,
    OptionType,
    OwnType,
    PrimValType,
    RecordType,
    ResourceType,
    ResultType,
    StreamType,
    TupleType,
    ValType,
    VariantType,
)
from meldpy.resolver.describe import Describer
from meldpy.resolver.subtype import Mismatch, Subtyping

U8, S8 = PrimValType.U8, PrimValType.S8
THING, OTHER = ResourceType(ResourceId(0)), ResourceType(ResourceId(1))


def subtyping() -> Subtyping:
    return Subtyping(Describer(lambda id: f"r{id}", lambda id: f"definition {id}"))


def definitions() -> list[object]:
    """New objects each time, no two of which are equal types."""
    return [
        PrimValType.U16,
        RecordType((Field("a", U8), Field("b", U8))),
        RecordType((Field("a", U8), Field("c", U8))),
        RecordType((Field("a", U8), Field("b", S8))),
        RecordType((Field("a", U8),)),
        VariantType((Case("a", U8), Case("b", None))),
        VariantType((Case("a", U8), Case("b", U8))),
        VariantType((Case("a", None), Case("b", None))),
        VariantType((Case("a", S8), Case("b", None))),
        FlagsType(("a", "b")),
        FlagsType(("b", "a")),
        EnumType(("a", "b")),
        EnumType(("a",)),
        TupleType((U8, U8)),
        TupleType((U8, S8)),
        TupleType((U8,)),
        ListType(U8),
        ListType(S8),
        ListType(U8, 2),
        ListType(U8, 3),
        OptionType(U8),
        OptionType(S8),
        ResultType(None, None),
        ResultType(U8, None),
        ResultType(None, U8),
        ResultType(U8, S8),
        ResultType(S8, U8),
        MapType(U8, U8),
        MapType(U8, S8),
        MapType(S8, U8),
        OwnType(THING),
        OwnType(OTHER),
        BorrowType(THING),
        BorrowType(OTHER),
        StreamType(None),
        StreamType(U8),
        StreamType(S8),
        FutureType(None),
        FutureType(U8),
    ]


def test_types_of_one_structure_are_equal() -> None:
    compare = subtyping()
    for first, second in zip(definitions(), definitions(), strict=True):
        a, b = DefinedType(first), DefinedType(second)  # type: ignore[arg-type]  # each is one
        for _ in range(2):  # what was found equal stays equal
            compare.values(a, b)
            compare.nodes(a, b)
        compare.values(DefinedType(ListType(a)), DefinedType(ListType(b)))


def test_all_others_are_not() -> None:
    compare = subtyping()
    for first, second in combinations(definitions(), 2):
        a, b = DefinedType(first), DefinedType(second)  # type: ignore[arg-type]  # each is one
        for left, right in ((a, b), (b, a), (DefinedType(OptionType(a)), DefinedType(OptionType(b)))):
            for _ in range(2):
                with pytest.raises(Mismatch):
                    compare.values(left, right)


def test_a_name_for_a_primitive_is_the_primitive() -> None:
    compare = subtyping()
    compare.values(U8, DefinedType(U8))
    compare.values(DefinedType(U8), U8)
    compare.values(DefinedType(U8), DefinedType(U8))
    for a, b in ((U8, DefinedType(S8)), (DefinedType(S8), U8), (U8, S8), (U8, DefinedType(ListType(U8)))):
        with pytest.raises(Mismatch):
            compare.values(a, b)


RECORD_A, RECORD_B = RecordType((Field("f", U8),)), RecordType((Field("f", S8),))


@pytest.mark.parametrize(
    ("first", "second", "reasons"),
    [
        (RECORD_A, RECORD_B, ("field `f` differs", "u8 is not s8")),
        (RECORD_A, RecordType((Field("g", U8),)), ("the fields are f on one side, g on the other",)),
        (VariantType((Case("c", U8),)), VariantType((Case("c", None),)), ("case `c` differs", "u8 is not no type")),
        (VariantType((Case("c", None),)), VariantType((Case("c", S8),)), ("case `c` differs", "no type is not s8")),
        (VariantType((Case("c", U8),)), VariantType(()), ("the cases are c on one side,  on the other",)),
        (FlagsType(("a", "b")), FlagsType(("a",)), ("the labels are a, b on one side, a on the other",)),
        (EnumType(("a",)), EnumType(("a", "b")), ("the labels are a on one side, a, b on the other",)),
        (TupleType((U8, U8)), TupleType((U8, S8)), ("element 1 differs", "u8 is not s8")),
        (TupleType((U8,)), TupleType((U8, U8)), ("tuple<u8> is not tuple<u8, u8>",)),
        (ListType(U8), ListType(S8), ("the element type differs", "u8 is not s8")),
        (ListType(U8), ListType(U8, 1), ("list<u8> is not list<u8, 1>",)),
        (OptionType(U8), OptionType(S8), ("the option's type differs", "u8 is not s8")),
        (ResultType(U8, None), ResultType(S8, None), ("the ok type differs", "u8 is not s8")),
        (ResultType(U8, None), ResultType(U8, U8), ("the error type differs", "no type is not u8")),
        (MapType(U8, U8), MapType(S8, U8), ("the key type differs", "u8 is not s8")),
        (MapType(U8, U8), MapType(U8, S8), ("the value type differs", "u8 is not s8")),
        (StreamType(U8), StreamType(None), ("the element type differs", "u8 is not no type")),
        (
            OwnType(THING),
            OwnType(OTHER),
            (
                "resource type `r0` (definition 0) is not resource type `r1` (definition 1):"
                " each instance that defines one has its own",
            ),
        ),
        (OwnType(THING), BorrowType(THING), ("r0 is not borrow<r0>",)),
        (ListType(DefinedType(RECORD_A)), ListType(DefinedType(RECORD_B)),
         ("the element type differs", "field `f` differs", "u8 is not s8")),
    ],
)  # fmt: skip
def test_the_reason_leads_from_the_outside_in(first: object, second: object, reasons: tuple[str, ...]) -> None:
    with pytest.raises(Mismatch) as caught:
        subtyping().values(DefinedType(first), DefinedType(second))  # type: ignore[arg-type]  # each is one
    assert caught.value.reasons == reasons


def func(*params: tuple[str, ValType], result: ValType | None = None, async_: bool = False) -> FuncType:
    return FuncType(params, result, async_)


@pytest.mark.parametrize(
    ("first", "second", "reasons"),
    [
        (func(), func(async_=True), ("one of the functions is async",)),
        (func(("a", U8)), func(("b", U8)), ("the parameters are (a) on one side, (b) on the other",)),
        (func(("a", U8)), func(), ("the parameters are (a) on one side, () on the other",)),
        (func(("a", U8)), func(("a", S8)), ("parameter `a` differs", "u8 is not s8")),
        (func(result=U8), func(result=S8), ("the result differs", "u8 is not s8")),
        (func(result=U8), func(), ("the result differs", "u8 is not no type")),
        (func(), func(result=U8), ("the result differs", "no type is not u8")),
    ],
)
def test_functions_are_equal_by_names_types_and_result(
    first: FuncType, second: FuncType, reasons: tuple[str, ...]
) -> None:
    compare = subtyping()
    compare.funcs(first, func(*first.params, result=first.result, async_=first.async_))
    with pytest.raises(Mismatch) as caught:
        compare.nodes(first, second)
    assert caught.value.reasons == reasons


def test_types_of_different_kinds() -> None:
    compare = subtyping()
    compare.nodes(THING, ResourceType(THING.id))
    for a, b in ((THING, U8), (U8, func()), (func(), DefinedType(OptionType(U8)))):
        with pytest.raises(Mismatch, match="different kinds"):
            compare.nodes(a, b)
    with pytest.raises(Mismatch, match="r0"):
        compare.nodes(THING, OTHER)


def test_shared_parts_are_compared_once() -> None:
    """2 to the 60th paths lead to the innermost type."""

    def dag() -> DefinedType:
        type_ = DefinedType(ListType(U8))
        for _ in range(60):
            type_ = DefinedType(TupleType((type_, type_)))
        return type_

    subtyping().values(dag(), dag())
