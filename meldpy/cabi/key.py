"""Structural keys of types by hash-consing: equal keys exactly for equal types.

Types are equal if their definitions are, labels included, with resource types by identity; names given by exports
and imports do not matter. A key is a small integer that means something only among keys of the same `Keys`.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import assert_never, final

from meldpy.model.valtype import (
    BorrowType,
    DefinedType,
    EnumType,
    FlagsType,
    FutureType,
    ListType,
    MapType,
    OptionType,
    OwnType,
    PrimValType,
    RecordType,
    ResultType,
    StreamType,
    TupleType,
    ValType,
    VariantType,
)


@final
class Keys:
    """One numbering of types. Linear in the number of nodes, however large the type is as a tree."""

    def __init__(self) -> None:
        self._memo: dict[DefinedType, int] = {}
        self._numbers: dict[Hashable, int] = {}

    def key(self, type: ValType) -> int:
        if isinstance(type, PrimValType):
            return self._number(type)
        key = self._memo.get(type)
        if key is None:
            key = self._memo[type] = self._number(self._structure(type))
        return key

    def _number(self, structure: Hashable) -> int:
        return self._numbers.setdefault(structure, len(self._numbers))

    def _optional(self, type: ValType | None) -> int:
        return -1 if type is None else self.key(type)

    def _structure(self, type: DefinedType) -> Hashable:
        match type.definition:
            case PrimValType() as primitive:
                return primitive
            case RecordType(fields):
                return RecordType, tuple((field.label, self.key(field.type)) for field in fields)
            case VariantType(cases):
                return VariantType, tuple((case.label, self._optional(case.type)) for case in cases)
            case ListType(element, length):
                return ListType, self.key(element), length
            case TupleType(types):
                return TupleType, tuple(self.key(field) for field in types)
            case FlagsType() | EnumType() as labels:
                return labels
            case OptionType(some):
                return OptionType, self.key(some)
            case ResultType(ok, error):
                return ResultType, self._optional(ok), self._optional(error)
            case MapType(key, value):
                return MapType, self.key(key), self.key(value)
            case OwnType(resource):
                return OwnType, resource.id
            case BorrowType(resource):
                return BorrowType, resource.id
            case StreamType(inner):
                return StreamType, self._optional(inner)
            case FutureType(inner):
                return FutureType, self._optional(inner)
            case other:
                assert_never(other)
