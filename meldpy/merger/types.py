"""Core types merged by structure, rec group by rec group.

Core types are iso-recursive: two rec groups of equal structure *are* the same types, so hash-consing changes no
program. A group's key has its references to members of itself relative (negative) and all others as merged
indices; those exist already, because a group refers only to itself and to groups before it. Groups that nothing
uses are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeAlias, assert_never, final

from meldpy.merger.protocols import DROPPED
from meldpy.model.core import (
    AbsHeapType,
    ArrayType,
    CompType,
    CoreFuncType,
    CoreTypeIndex,
    CoreValType,
    FieldType,
    GlobalType,
    HeapType,
    NumType,
    PackedType,
    RecGroup,
    RefType,
    StructType,
    SubType,
    TableType,
)

Remap: TypeAlias = Callable[[int], int]


@final
class TypeTable:
    """The type index space of one module under construction."""

    def __init__(self) -> None:
        self.groups: list[RecGroup] = []
        self.flat: list[SubType] = []
        self._starts: dict[tuple[SubType, ...], int] = {}

    def absorb(self, groups: Sequence[RecGroup], used: Iterable[int]) -> list[int]:
        """The merged index of each type of a module, DROPPED for what neither `used` nor a used type refers to."""
        starts: list[int] = []
        total = 0
        for group in groups:
            starts.append(total)
            total += len(group.types)
        needed = set(used)
        wanted: list[int] = []
        for i in reversed(range(len(groups))):
            start, types = starts[i], groups[i].types
            if start in needed if len(types) == 1 else not needed.isdisjoint(range(start, start + len(types))):
                wanted.append(i)
                for member in types:
                    needed.update(references(member))
        merged = [DROPPED] * total
        for i in reversed(wanted):
            start, types = starts[i], groups[i].types
            relative = _relative(start, merged)
            new = self._intern(tuple(remap_sub(member, relative) for member in types))
            merged[start : start + len(types)] = range(new, new + len(types))
        return merged

    def func(self, type_: CoreFuncType) -> int:
        """The index of a plain function type that refers to no other type."""
        return self._intern((SubType(type_),))

    def func_type(self, index: int) -> CoreFuncType:
        comp = self.flat[index].comp
        assert isinstance(comp, CoreFuncType)
        return comp

    def _intern(self, key: tuple[SubType, ...]) -> int:
        known = self._starts.get(key)
        if known is not None:
            return known
        start = len(self.flat)
        members = tuple(remap_sub(member, lambda i: start - 1 - i if i < 0 else i) for member in key)
        self._starts[key] = start
        self.groups.append(RecGroup(members, explicit=len(members) != 1))
        self.flat += members
        return start


def _relative(start: int, merged: Sequence[int]) -> Remap:
    return lambda i: start - 1 - i if i >= start else merged[i]


def references(type_: SubType) -> Iterator[int]:
    """The type indices that a type definition mentions."""
    yield from type_.supertypes
    for value in _component_types(type_.comp):
        yield from heap_references(value)


def heap_references(value: CoreValType | PackedType) -> Iterator[int]:
    if isinstance(value, RefType) and isinstance(value.heap, int):
        yield value.heap


def _component_types(comp: CompType) -> Iterator[CoreValType | PackedType]:
    match comp:
        case CoreFuncType(params, results):
            yield from params
            yield from results
        case StructType(fields):
            for field in fields:
                yield field.storage
        case ArrayType(element):
            yield element.storage
        case _:
            assert_never(comp)


# --- the same type with other indices -------------------------------------------------------------------------
def remap_heap(heap: HeapType, to: Remap) -> HeapType:
    return to(heap) if isinstance(heap, int) else heap


def remap_ref(type_: RefType, to: Remap) -> RefType:
    return type_ if isinstance(type_.heap, AbsHeapType) else RefType(type_.nullable, to(type_.heap))


def remap_val(value: CoreValType, to: Remap) -> CoreValType:
    return value if isinstance(value, NumType) else remap_ref(value, to)


def remap_global(type_: GlobalType, to: Remap) -> GlobalType:
    return GlobalType(remap_val(type_.value, to), type_.mutable)


def remap_table(type_: TableType, to: Remap) -> TableType:
    return TableType(remap_ref(type_.element, to), type_.limits)


def remap_sub(type_: SubType, to: Remap) -> SubType:
    """`type_` itself where it mentions no type, as most function types do."""
    if next(references(type_), None) is None:
        return type_
    supertypes = tuple(CoreTypeIndex(to(i)) for i in type_.supertypes)
    return SubType(_remap_comp(type_.comp, to), type_.final, supertypes)


def _remap_comp(comp: CompType, to: Remap) -> CompType:
    match comp:
        case CoreFuncType(params, results):
            return CoreFuncType(tuple(remap_val(v, to) for v in params), tuple(remap_val(v, to) for v in results))
        case StructType(fields):
            return StructType(tuple(_remap_field(field, to) for field in fields))
        case ArrayType(element):
            return ArrayType(_remap_field(element, to))
        case _:
            assert_never(comp)


def _remap_field(field: FieldType, to: Remap) -> FieldType:
    storage = field.storage
    return FieldType(storage if isinstance(storage, PackedType) else remap_val(storage, to), field.mutable)
