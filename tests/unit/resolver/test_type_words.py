"""How messages show types: as WIT has them, cut where they are long or deep."""

from __future__ import annotations

import pytest

from meldpy.model.core import CoreModule
from meldpy.model.extern import (
    ComponentType,
    CoreModuleType,
    ExternName,
    ExternType,
    FuncType,
    InstanceType,
    NamedExtern,
    TypeExtern,
    ValueExtern,
)
from meldpy.model.ids import LiftId, ModuleId, ResourceId
from meldpy.model.linked import LiftFunc
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
from meldpy.resolver.describe import MAX_NESTING, MAX_WIDTH, Describer
from meldpy.resolver.values import FuncValue, InstanceValue, ModuleValue, TypeValue, kind_of

WORDS = Describer(lambda id: f"thing-{id}", lambda id: f"origin {id}")
U8, STRING = PrimValType.U8, PrimValType.STRING
THING = ResourceType(ResourceId(3))


@pytest.mark.parametrize(
    ("definition", "words"),
    [
        (PrimValType.U8, "u8"),
        (RecordType((Field("a", U8), Field("b", STRING))), "record { a: u8, b: string }"),
        (VariantType((Case("none", None), Case("some", U8))), "variant { none, some(u8) }"),
        (FlagsType(("x", "y")), "flags { x, y }"),
        (EnumType(("red", "green")), "enum { red, green }"),
        (TupleType((U8, STRING)), "tuple<u8, string>"),
        (ListType(U8), "list<u8>"),
        (ListType(U8, 4), "list<u8, 4>"),
        (OptionType(STRING), "option<string>"),
        (ResultType(None, None), "result"),
        (ResultType(U8, None), "result<u8>"),
        (ResultType(None, STRING), "result<_, string>"),
        (ResultType(U8, STRING), "result<u8, string>"),
        (MapType(STRING, U8), "map<string, u8>"),
        (OwnType(THING), "thing-3"),
        (BorrowType(THING), "borrow<thing-3>"),
        (StreamType(None), "stream"),
        (StreamType(U8), "stream<u8>"),
        (FutureType(None), "future"),
        (FutureType(U8), "future<u8>"),
    ],
)
def test_value_types(definition: object, words: str) -> None:
    type_ = DefinedType(definition)  # type: ignore[arg-type]  # each is one
    assert WORDS.value(type_) == WORDS.node(type_) == words
    assert WORDS.extern(TypeExtern(type_)) == f"type {words}"
    assert WORDS.extern(ValueExtern(type_)) == f"value {words}"


def test_primitives_have_their_names_in_wit() -> None:
    assert WORDS.value(PrimValType.ERROR_CONTEXT) == "error-context"
    assert WORDS.value(PrimValType.F32) == "f32"


def nested(depth: int) -> ValType:
    type_: ValType = U8
    for _ in range(depth):
        type_ = DefinedType(ListType(type_))
    return type_


def test_deep_types_end_in_an_ellipsis() -> None:
    assert WORDS.value(nested(MAX_NESTING)) == "list<" * MAX_NESTING + "u8" + ">" * MAX_NESTING
    assert WORDS.value(nested(MAX_NESTING + 1)) == "list<" * MAX_NESTING + "…" + ">" * MAX_NESTING


def test_long_types_are_cut() -> None:
    def flags(length: int) -> ValType:
        return DefinedType(FlagsType(("f" * (length - len("flags {  }")),)))

    assert WORDS.value(flags(MAX_WIDTH)).endswith("f }")
    assert WORDS.value(flags(MAX_WIDTH + 1)) == ("flags { " + "f" * MAX_WIDTH)[:399] + " …"


F = FuncType((("a", U8), ("b", DefinedType(BorrowType(THING)))), STRING)


@pytest.mark.parametrize(
    ("type_", "words"),
    [
        (F, "func(a: u8, b: borrow<thing-3>) -> string"),
        (FuncType((), None), "func()"),
        (FuncType((), None, async_=True), "async func()"),
        (TypeExtern(THING, True), "resource"),
        (TypeExtern(THING, False), "type resource thing-3"),
        (InstanceType((NamedExtern(ExternName("f"), F), NamedExtern(ExternName("g"), F))), "instance { f, g }"),
        (ComponentType((), (), ()), "component"),
        (CoreModuleType(CoreModule(), ()), "core module"),
    ],
)
def test_declarations(type_: ExternType, words: str) -> None:
    assert WORDS.extern(type_) == words


def test_what_is_provided() -> None:
    function = FuncValue(LiftFunc(LiftId(0)), F)
    one = InstanceValue({"f": (ExternName("f"), function), "t": (ExternName("t"), TypeValue(U8))})
    assert WORDS.item(one) == "instance { f, t }"
    assert WORDS.item(ModuleValue(ModuleId(0))) == "core module"
    assert WORDS.item(function) == "func(a: u8, b: borrow<thing-3>) -> string"
    assert WORDS.item(TypeValue(THING)) == "resource"
    assert WORDS.item(TypeValue(U8)) == "type u8"
    assert [kind_of(item) for item in (function, TypeValue(U8), ModuleValue(ModuleId(0)), one)] == [
        "func",
        "type",
        "core module",
        "instance",
    ]
