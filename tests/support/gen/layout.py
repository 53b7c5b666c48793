"""Sizes, alignments and flat types, from CanonicalABI.md (Alignment, Element Size, Flattening).

Independent of the project's own arithmetic, and simple rather than fast. `wide` says that the memory is 64-bit.
"""

from __future__ import annotations

from functools import cache
from typing import Final

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

MAX_FLAT_PARAMS: Final = 16
MAX_FLAT_RESULTS: Final = 1
SIZES: Final = {
    "bool": 1, "s8": 1, "u8": 1, "s16": 2, "u16": 2, "s32": 4, "u32": 4, "s64": 8, "u64": 8,
    "f32": 4, "f64": 8, "char": 4,
}  # fmt: skip


def up(offset: int, alignment: int) -> int:
    return -(-offset // alignment) * alignment


def pointer_size(wide: bool) -> int:
    return 8 if wide else 4


def pointer_type(wide: bool) -> str:
    return "i64" if wide else "i32"


def fields_of(type: Type) -> tuple[Type, ...] | None:
    match type:
        case Record(fields) | TupleOf(fields):
            return fields
        case Fixed(element, length):
            return (element,) * length
        case _:
            return None


def cases_of(type: Type) -> tuple[Type | None, ...] | None:
    match type:
        case Variant(cases):
            return cases
        case Enum(count):
            return (None,) * count
        case Option(some):
            return (None, some)
        case Result(ok, error):
            return (ok, error)
        case _:
            return None


def element_of(type: Type) -> Type | None:
    match type:
        case ListOf(element):
            return element
        case MapOf(key, value):
            return TupleOf((key, value))
        case _:
            return None


def discriminant_size(count: int) -> int:
    return 1 if count <= 1 << 8 else 2 if count <= 1 << 16 else 4


def flags_size(count: int) -> int:
    return 1 if count <= 8 else 2 if count <= 16 else 4


@cache
def alignment(type: Type, wide: bool) -> int:
    if isinstance(type, Prim) and type.name != "string":
        return SIZES[type.name]
    if isinstance(type, Flags):
        return flags_size(type.count)
    fields = fields_of(type)
    if fields is not None:
        return max(alignment(t, wide) for t in fields)
    cases = cases_of(type)
    if cases is not None:
        return max(discriminant_size(len(cases)), payload_alignment(cases, wide))
    return pointer_size(wide)


@cache
def size(type: Type, wide: bool) -> int:
    if isinstance(type, Prim) and type.name != "string":
        return SIZES[type.name]
    if isinstance(type, Flags):
        return flags_size(type.count)
    fields = fields_of(type)
    if fields is not None:
        end = 0
        for t in fields:
            end = up(end, alignment(t, wide)) + size(t, wide)
        return up(end, alignment(type, wide))
    cases = cases_of(type)
    if cases is not None:
        largest = max((size(t, wide) for t in cases if t is not None), default=0)
        return up(payload_offset(cases, wide) + largest, alignment(type, wide))
    return 2 * pointer_size(wide)


def offsets(fields: tuple[Type, ...], wide: bool) -> list[int]:
    found, end = [], 0
    for t in fields:
        found.append(up(end, alignment(t, wide)))
        end = found[-1] + size(t, wide)
    return found


def payload_alignment(cases: tuple[Type | None, ...], wide: bool) -> int:
    return max((alignment(t, wide) for t in cases if t is not None), default=1)


def payload_offset(cases: tuple[Type | None, ...], wide: bool) -> int:
    return up(discriminant_size(len(cases)), payload_alignment(cases, wide))


def join(a: str, b: str) -> str:
    if a == b:
        return a
    return "i32" if {a, b} == {"i32", "f32"} else "i64"


@cache
def flatten(type: Type, wide: bool) -> tuple[str, ...]:
    if isinstance(type, Prim) and type.name != "string":
        return ({"s64": "i64", "u64": "i64", "f32": "f32", "f64": "f64"}.get(type.name, "i32"),)
    if isinstance(type, Flags):
        return ("i32",)
    fields = fields_of(type)
    if fields is not None:
        return flatten_all(fields, wide)
    cases = cases_of(type)
    if cases is not None:
        joined: list[str] = []
        for case in set(cases):
            for i, core in enumerate(() if case is None else flatten(case, wide)):
                if i < len(joined):
                    joined[i] = join(joined[i], core)
                else:
                    joined.append(core)
        return ("i32", *joined)
    return (pointer_type(wide),) * 2


def flatten_all(types: tuple[Type, ...], wide: bool) -> tuple[str, ...]:
    return tuple(core for t in types for core in flatten(t, wide))


def flat_params(types: tuple[Type, ...], wide: bool) -> tuple[str, ...]:
    """The core parameters of a lifted function; a lowered one may have a result pointer besides."""
    flat = flatten_all(types, wide)
    return flat if len(flat) <= MAX_FLAT_PARAMS else (pointer_type(wide),)


def spills_params(types: tuple[Type, ...], wide: bool) -> bool:
    return len(flatten_all(types, wide)) > MAX_FLAT_PARAMS


def spills_result(type: Type | None, wide: bool) -> bool:
    return type is not None and len(flatten(type, wide)) > MAX_FLAT_RESULTS


def core_result(type: Type | None, wide: bool) -> str | None:
    """The core result of a lifted function, whose result may be a pointer."""
    if type is None:
        return None
    return pointer_type(wide) if spills_result(type, wide) else flatten(type, wide)[0]
