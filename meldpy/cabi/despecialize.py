"""Specialised value types in terms of the fundamental ones. Spec: CanonicalABI.md "Despecialization"."""

from __future__ import annotations

from typing import TypeAlias, final

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

Shape: TypeAlias = (
    "PrimValType | RecordType[ValType] | VariantType[ValType] | ListType[ValType] | FlagsType"
    " | OwnType[ResourceType] | BorrowType[ResourceType] | StreamType[ValType] | FutureType[ValType]"
)
"""A despecialized definition: no tuple, enum, option, result or map."""


@final
class Shapes:
    """Memo of despecialized definitions. A map's element tuple becomes a node here, once, to have an identity."""

    def __init__(self) -> None:
        self._memo: dict[DefinedType, Shape] = {}

    def shape(self, type: ValType) -> Shape:
        if isinstance(type, PrimValType):
            return type
        shape = self._memo.get(type)
        if shape is None:
            shape = self._memo[type] = _despecialize(type)
        return shape


def _despecialize(type: DefinedType) -> Shape:
    match type.definition:
        case TupleType(types):
            return RecordType(tuple(Field(str(index), field) for index, field in enumerate(types)))
        case EnumType(labels):
            return VariantType(tuple(_case(label, None) for label in labels))
        case OptionType(some):
            return VariantType((_case("none", None), _case("some", some)))
        case ResultType(ok, error):
            return VariantType((_case("ok", ok), _case("error", error)))
        case MapType(key, value):
            return _list(DefinedType(TupleType((key, value))))
        case other:
            return other


def _case(label: str, type: ValType | None) -> Case[ValType]:
    return Case(label, type)


def _list(element: ValType) -> ListType[ValType]:
    return ListType(element)
