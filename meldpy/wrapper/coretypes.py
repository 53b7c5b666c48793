"""Core types moved in their index space: a rec group as it reads that many positions further on."""

from __future__ import annotations

from meldpy.model.core import (
    ArrayType,
    CompType,
    CoreFuncType,
    CoreValType,
    FieldType,
    PackedType,
    RecGroup,
    RefType,
    StructType,
    SubType,
)
from meldpy.model.ids import CoreTypeIndex
from meldpy.records import replace


def shifted(group: RecGroup, by: int) -> RecGroup:
    """`group` with every type index raised by `by`."""

    def index(old: int) -> CoreTypeIndex:
        return CoreTypeIndex(old + by)

    def value(type_: CoreValType) -> CoreValType:
        if isinstance(type_, RefType) and isinstance(type_.heap, int):
            return replace(type_, heap=index(type_.heap))
        return type_

    def field(type_: FieldType) -> FieldType:
        return type_ if isinstance(type_.storage, PackedType) else replace(type_, storage=value(type_.storage))

    def comp(type_: CompType) -> CompType:
        match type_:
            case CoreFuncType(params, results):
                return CoreFuncType(tuple(map(value, params)), tuple(map(value, results)))
            case StructType(fields):
                return StructType(tuple(map(field, fields)))
            case ArrayType(element):
                return ArrayType(field(element))

    def sub(type_: SubType) -> SubType:
        return replace(type_, comp=comp(type_.comp), supertypes=tuple(map(index, type_.supertypes)))

    return group if by == 0 else replace(group, types=tuple(map(sub, group.types)))
