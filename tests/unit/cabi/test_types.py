"""Keys, predicates and what function types need of the canonical options."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from meldpy.cabi import Abi, Content, Context, Keys, Needs
from meldpy.model.extern import FuncType
from meldpy.model.ids import ResourceId
from meldpy.model.valtype import (
    BorrowType,
    DefinedType,
    EnumType,
    Field,
    FlagsType,
    FutureType,
    ListType,
    MapType,
    OptionType,
    OwnType,
    RecordType,
    ResourceType,
    ResultType,
    StreamType,
    TupleType,
    ValType,
    VariantType,
)
from tests.support.canonical_model import P
from tests.support.value_types import TYPES


def copy(type: ValType) -> ValType:
    """The same type, made of other nodes, every node behind one more name."""
    if not isinstance(type, DefinedType):
        return type
    match type.definition:
        case RecordType(fields):
            made = DefinedType(RecordType(tuple(Field(f.label, copy(f.type)) for f in fields)))
        case TupleType(types):
            made = DefinedType(TupleType(tuple(copy(t) for t in types)))
        case ListType(element, length):
            made = DefinedType(ListType(copy(element), length))
        case OptionType(some):
            made = DefinedType(OptionType(copy(some)))
        case MapType(key, value):
            made = DefinedType(MapType(copy(key), copy(value)))
        case ResultType(ok, error):
            made = DefinedType(ResultType(ok and copy(ok), error and copy(error)))
        case other:
            made = DefinedType(other)
    return DefinedType(made.definition, made)


@settings(max_examples=100, deadline=None)
@given(TYPES)
def test_equal_types_have_equal_keys_whatever_their_names(type: ValType) -> None:
    keys = Keys()
    assert keys.key(type) == keys.key(copy(type))


def test_different_types_have_different_keys() -> None:
    one, two = ResourceType(ResourceId(1)), ResourceType(ResourceId(2))
    types: list[ValType] = [
        P.U8,
        P.S8,
        DefinedType(RecordType((Field("a", P.U8),))),
        DefinedType(RecordType((Field("b", P.U8),))),
        DefinedType(TupleType((P.U8,))),
        DefinedType(ListType(P.U8)),
        DefinedType(ListType(P.U8, 1)),
        DefinedType(ListType(P.U8, 2)),
        DefinedType(OptionType(P.U8)),
        DefinedType(ResultType(P.U8, None)),
        DefinedType(ResultType(None, P.U8)),
        DefinedType(FlagsType(("a",))),
        DefinedType(EnumType(("a",))),
        DefinedType(VariantType(())),
        DefinedType(MapType(P.U8, P.U8)),
        DefinedType(OwnType(one)),
        DefinedType(OwnType(two)),
        DefinedType(BorrowType(one)),
        DefinedType(StreamType(None)),
        DefinedType(StreamType(P.U8)),
        DefinedType(FutureType(None)),
    ]
    keys = Keys()
    assert len({keys.key(t) for t in types}) == len(types)


def test_resources_are_equal_by_identity_not_by_name() -> None:
    keys = Keys()
    first = ResourceType(ResourceId(1))
    renamed = ResourceType(ResourceId(1), alias_of=first)
    assert keys.key(DefinedType(OwnType(first))) == keys.key(DefinedType(OwnType(renamed)))


def test_contents_are_found_at_any_depth() -> None:
    resource = ResourceType(ResourceId(5))
    contents = Abi().contents

    def inside(type: ValType) -> Content:
        return contents.content(DefinedType(OptionType(DefinedType(TupleType((P.U8, DefinedType(ListType(type, 2))))))))

    assert inside(P.U8) == Content.NONE
    assert inside(P.STRING) == Content.STRING | Content.POINTER
    assert inside(DefinedType(ListType(P.U8))) == Content.POINTER
    assert inside(DefinedType(MapType(P.U8, P.STRING))) == Content.STRING | Content.POINTER
    assert inside(DefinedType(OwnType(resource))) in Content.HANDLE
    assert inside(DefinedType(BorrowType(resource))) == Content.BORROW
    assert inside(P.ERROR_CONTEXT) & Content.ASYNC
    # what a stream carries is no part of the value, but for what is async itself
    assert inside(DefinedType(StreamType(DefinedType(OwnType(resource))))) == Content.STREAM
    assert inside(DefinedType(StreamType(DefinedType(FutureType(P.STRING))))) == Content.STREAM | Content.FUTURE


def test_the_resources_of_types_come_in_order_of_first_mention() -> None:
    a, b = ResourceType(ResourceId(9)), ResourceType(ResourceId(2))
    types: list[ValType] = [
        DefinedType(ListType(DefinedType(BorrowType(a)))),
        P.U8,
        DefinedType(TupleType((DefinedType(OwnType(b)), DefinedType(OwnType(a))))),
    ]
    assert Abi().contents.resources(types) == (9, 2)


LIST = DefinedType(ListType(P.U8))


@pytest.mark.parametrize(
    ("params", "result", "lift", "lower"),
    [
        ([P.U8], P.U8, Needs(False, False, False), Needs(False, False, False)),
        ([LIST], None, Needs(True, True, False), Needs(True, False, False)),
        ([], LIST, Needs(True, False, False), Needs(True, True, False)),
        ([P.STRING], None, Needs(True, True, True), Needs(True, False, True)),
        ([P.U8] * 17, None, Needs(True, True, False), Needs(True, False, False)),
        ([], DefinedType(TupleType((P.U8, P.U8))), Needs(True, False, False), Needs(True, False, False)),
    ],
)
def test_needs(params: list[ValType], result: ValType | None, lift: Needs, lower: Needs) -> None:
    type = FuncType(tuple((str(i), p) for i, p in enumerate(params)), result)
    assert Abi().needs(type, Context.LIFT) == lift
    assert Abi().needs(type, Context.LOWER) == lower
