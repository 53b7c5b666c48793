"""Strategies for value types without handles, and for values of them in the shape of `canonical_model`."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

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
from tests.support.canonical_model import P, parts

PRIMS = [p for p in PrimValType if p is not P.ERROR_CONTEXT]


def defined(types: st.SearchStrategy[ValType]) -> st.SearchStrategy[ValType]:
    some = st.lists(types, min_size=1, max_size=6)
    optional = st.none() | types
    definitions = (
        some.map(lambda ts: RecordType(tuple(Field(f"f{i}", t) for i, t in enumerate(ts))))
        | some.map(lambda ts: TupleType(tuple(ts)))
        | st.lists(optional, min_size=1, max_size=5).map(
            lambda ts: VariantType(tuple(Case(f"c{i}", t) for i, t in enumerate(ts)))
        )
        | types.map(OptionType)
        | st.builds(ResultType, optional, optional)
        | types.map(ListType)
        | st.builds(ListType, types, st.integers(1, 5))
        | st.builds(MapType, st.sampled_from([P.U32, P.STRING, P.CHAR]), types)
    )
    return definitions.map(DefinedType)


def labels(counts: list[int]) -> st.SearchStrategy[tuple[str, ...]]:
    return st.sampled_from(counts).map(lambda n: tuple(f"l{i}" for i in range(n)))


LEAVES = (
    st.sampled_from(PRIMS)
    | labels([1, 7, 8, 9, 16, 31, 32]).map(lambda ls: DefinedType(FlagsType(ls)))
    | labels([1, 3, 256, 257]).map(lambda ls: DefinedType(EnumType(ls)))
)
TYPES = st.recursive(LEAVES, defined, max_leaves=12)

RANGES = {P.S8: 8, P.S16: 16, P.S32: 32, P.S64: 64, P.U8: 8, P.U16: 16, P.U32: 32, P.U64: 64}


def primitive(prim: PrimValType) -> st.SearchStrategy[Any]:
    match prim:
        case P.BOOL:
            return st.booleans()
        case P.CHAR:
            return st.characters(exclude_categories=["Cs"]).map(ord)
        case P.STRING:
            return st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
        case P.F32:
            return st.floats(width=32, allow_nan=False)
        case P.F64:
            return st.floats(allow_nan=False)
    bits = RANGES[prim]
    if prim.name.startswith("S"):
        return st.integers(-(1 << (bits - 1)), (1 << (bits - 1)) - 1)
    return st.integers(0, (1 << bits) - 1)


def values(type: ValType) -> st.SearchStrategy[Any]:
    kind, what = parts(type)
    match kind:
        case "prim":
            return primitive(what)
        case "fields":
            return st.tuples(*map(values, what)).map(list)
        case "flags":
            return st.integers(0, (1 << what) - 1)
        case "list":
            return st.lists(values(what), max_size=3)
        case "array":
            return st.lists(values(what[0]), min_size=what[1], max_size=what[1])
    return st.integers(0, len(what) - 1).flatmap(
        lambda case: st.tuples(st.just(case), st.none() if what[case] is None else values(what[case]))
    )
