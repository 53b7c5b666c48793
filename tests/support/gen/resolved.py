"""Generated types as the nodes of the project's own model."""

from __future__ import annotations

from meldpy.model.valtype import (
    Case,
    DefinedType,
    EnumType,
    Field,
    FlagsType,
    ListType,
    MapType,
    OptionType,
    PrimValType,
    RecordType,
    ResultType,
    TupleType,
    ValType,
    VariantType,
)
from tests.support.gen.types import (
    Enum,
    Fixed,
    Flags,
    ListOf,
    MapOf,
    Option,
    Prim,
    Record,
    Result,
    TupleOf,
    Type,
    Variant,
)


def resolved(type: Type) -> ValType:
    if isinstance(type, Prim):
        return PrimValType[type.name.upper()]
    return DefinedType(_definition(type))


def _definition(
    type: Type,
) -> (
    RecordType[ValType]
    | VariantType[ValType]
    | ListType[ValType]
    | TupleType[ValType]
    | FlagsType
    | EnumType
    | OptionType[ValType]
    | ResultType[ValType]
    | MapType[ValType]
):
    match type:
        case Record(fields):
            return RecordType(tuple(Field(f"f{i}", resolved(t)) for i, t in enumerate(fields)))
        case TupleOf(fields):
            return TupleType(tuple(map(resolved, fields)))
        case Variant(cases):
            return VariantType(tuple(Case(f"c{i}", _maybe(t)) for i, t in enumerate(cases)))
        case Enum(count):
            return EnumType(tuple(f"e{i}" for i in range(count)))
        case Flags(count):
            return FlagsType(tuple(f"b{i}" for i in range(count)))
        case Option(some):
            return OptionType(resolved(some))
        case Result(ok, error):
            return ResultType(_maybe(ok), _maybe(error))
        case ListOf(element):
            return ListType(resolved(element))
        case Fixed(element, length):
            return ListType(resolved(element), length)
        case MapOf(key, value):
            return MapType(resolved(key), resolved(value))
    raise AssertionError(type)


def _maybe(type: Type | None) -> ValType | None:
    return None if type is None else resolved(type)
