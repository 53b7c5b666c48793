"""Layout as the models compute it, for every generated type; and value types that are large beyond reason.

Two models (`tests.support.gen.layout`, `tests.support.canonical_model`) agree with `meldpy.cabi` on sizes, alignments,
offsets and flat types. Adapters of types with 10,000 fields or 1,000 cases are linear in size, and right.
"""

from __future__ import annotations

from functools import cache
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wasmtime import wat2wasm

import meldpy
from meldpy.binary.decode import decode_component
from meldpy.cabi import Abi, Context
from meldpy.model.component import CoreModuleSection
from meldpy.model.core import NumType
from meldpy.model.extern import FuncType
from tests.support import canonical_model
from tests.support.gen import layout
from tests.support.gen.resolved import resolved
from tests.support.gen.types import (
    STRING,
    Enum,
    Flags,
    ListOf,
    Option,
    Prim,
    Record,
    Result,
    TupleOf,
    Type,
    Variant,
    parts,
    random_params,
    random_type,
    type_of_each_kind,
    types,
)
from tests.support.limits.check import answer
from tests.support.limits.large import Large, Where, composition
from tests.support.shape import assert_fused_shape

WIDTHS = (False, True)


# --- every generated type ---------------------------------------------------------------------------------------------
def check_layout(type: Type, abi: Abi, wide: bool) -> None:
    node, layouts = resolved(type), abi.layouts(wide)
    assert layouts.elem_size(node) == layout.size(type, wide)
    assert layouts.alignment(node) == layout.alignment(type, wide)
    assert canonical_model.extent(node, wide) == (layout.size(type, wide), layout.alignment(type, wide))
    fields, cases = layout.fields_of(type), layout.cases_of(type)
    if isinstance(type, Record | TupleOf):
        assert fields is not None
        assert list(layouts.field_offsets(node)) == layout.offsets(fields, wide)  # type: ignore[arg-type]
    if cases is not None:
        assert layouts.payload_offset(node) == layout.payload_offset(cases, wide)
        payloads = canonical_model.parts(node)[1]
        assert canonical_model.payload_start(payloads, wide) == layout.payload_offset(cases, wide)
    flat = layout.flatten(type, wide)
    expected = tuple(NumType[core.upper()] for core in flat) if len(flat) <= layout.MAX_FLAT_PARAMS else None
    assert abi.flattener(wide).flat(node) == expected


def everything_in(type: Type) -> set[Type]:
    found: set[Type] = set()
    todo = [type]
    while todo:
        each = todo.pop()
        if each not in found:
            found.add(each)
            todo += parts(each)
    return found


@settings(max_examples=150)
@given(types())
def test_every_part_of_a_random_type_lies_where_the_models_say(type: Type) -> None:
    abi = Abi()
    for wide in WIDTHS:
        for each in everything_in(type):
            check_layout(each, abi, wide)


@pytest.mark.parametrize("wide", WIDTHS)
def test_every_part_of_the_covering_types_lies_where_the_models_say(wide: bool) -> None:
    abi, covered = Abi(), 0
    for seed in range(20):
        for type in type_of_each_kind(Random(seed)):
            for each in everything_in(type):
                check_layout(each, abi, wide)
                covered += 1
    assert covered > 500


def core(names: tuple[str, ...]) -> tuple[NumType, ...]:
    return tuple(NumType[name.upper()] for name in names)


@settings(max_examples=150)
@given(st.randoms(use_true_random=False), st.booleans())
def test_core_signatures_of_random_functions_are_those_of_the_model(rng: Random, wide: bool) -> None:
    params, result = random_params(rng), random_type(rng) if rng.randrange(4) else None
    type = FuncType(
        tuple((f"p{i}", resolved(t)) for i, t in enumerate(params)), None if result is None else resolved(result)
    )
    flat = layout.flat_params(params, wide)
    returned = layout.core_result(result, wide)
    results = () if returned is None else (returned,)
    lifted = Abi().func(type, Context.LIFT, wide).core
    assert (lifted.params, lifted.results) == (core(flat), core(results))
    pointer = (layout.pointer_type(wide),) if layout.spills_result(result, wide) else ()
    lowered = Abi().func(type, Context.LOWER, wide).core
    assert lowered.params == core((*flat, *pointer))
    assert lowered.results == (() if pointer else core(results))


# --- very large types -------------------------------------------------------------------------------------------------
KINDS: list[tuple[Type, Any]] = [
    (Prim("u8"), 0xA1),
    (Prim("u64"), 0x0102_0304_0506_0708),
    (Prim("bool"), True),
    (Prim("s16"), -2),
    (Prim("char"), 0x10FFFF),
    (Option(Prim("u16")), (1, 0xBEEF)),
    (Flags(9), 0x155),
    (Prim("f32"), 1.5),
    (Enum(3), (2, None)),
    (STRING, "grün"),
    (TupleOf((Prim("u8"), Prim("u32"))), [7, 0xDEAD_BEEF]),
    (Result(Prim("f64"), Prim("u8")), (1, 0x77)),
    (ListOf(Prim("u16")), [1, 2, 3]),
    (Option(Prim("u16")), (0, None)),
]
"""One of each kind that needs no gated feature, which engines would not let a component be compiled with."""


def record(count: int) -> tuple[Type, Any]:
    chosen = [KINDS[i % len(KINDS)] for i in range(count)]
    return Record(tuple(t for t, _ in chosen)), [v for _, v in chosen]


def variant(count: int) -> tuple[Type, Any]:
    """And the list of all its cases' values."""
    chosen = [KINDS[i % len(KINDS)] for i in range(count)]
    return Variant(tuple(t for t, _ in chosen)), [(i, v) for i, (_, v) in enumerate(chosen)]


def distinct(count: int) -> tuple[Type, Any]:
    """A variant none of whose cases has the payload of another."""
    mixed = [i * 577 % 12**3 for i in range(count)]
    chosen = [[KINDS[i // 12**digit % 12] for digit in range(3)] for i in mixed]
    assert len({tuple(t for t, _ in payload) for payload in chosen}) == count
    payloads = tuple(TupleOf(tuple(t for t, _ in payload)) for payload in chosen)
    return Variant(payloads), [(i, [v for _, v in payload]) for i, payload in enumerate(chosen)]


def large(kind: str, count: int, where: Where, wide: tuple[bool, bool]) -> Large:
    match kind:
        case "enum":
            return Large(Enum(count), [(i, None) for i in range(count)], where, wide)
        case "record":
            type, value = record(count)
            return Large(type, [value, value] if where == "list" else value, where, wide)
        case "variant":
            return Large(*variant(count), where, wide)
    return Large(*distinct(count), where, wide)


def fuse(value: Large) -> tuple[bytes, bytes]:
    """(the composition, its fused form)"""
    composed = bytes(wat2wasm(composition(value)))
    return composed, meldpy.fuse([composed]).bytes


@cache
def fused_large(kind: str, count: int, where: Where, wide: tuple[bool, bool]) -> tuple[int, bytes, bytes]:
    value = large(kind, count, where, wide)
    return (value.expected(), *fuse(value))


def code_size(data: bytes) -> int:
    component = decode_component(data, "test")
    return sum(len(s.module.code.bodies) for s in component.sections if isinstance(s, CoreModuleSection))


LARGE: list[tuple[str, int, Where, tuple[bool, bool], int]] = [
    ("record", 10_000, "param", (False, False), 60),
    ("record", 10_000, "list", (True, False), 60),
    ("record", 10_000, "result", (False, True), 60),
    ("variant", 1_000, "list", (False, False), 2),
    ("distinct", 1_000, "list", (True, True), 125),
    ("enum", 1_000, "list", (False, True), 1),
]
"""What crosses, where, between which memories; and the bytes of adapter code that one more field or case may take."""


@pytest.mark.parametrize(("kind", "count", "where", "wide", "most"), LARGE)
def test_a_very_large_type_crosses_as_it_is(
    kind: str, count: int, where: Where, wide: tuple[bool, bool], most: int
) -> None:
    expected, composed, fused = fused_large(kind, count, where, wide)
    print(f"{kind} of {count} as {where}: {len(composed)} bytes composed, {len(fused)} fused, {code_size(fused)} code")
    assert_fused_shape(fused)
    assert answer(fused) == expected
    assert answer(composed) == expected


@pytest.mark.parametrize(("kind", "count", "where", "wide", "most"), LARGE)
def test_adapters_are_linear_in_the_size_of_the_type(
    kind: str, count: int, where: Where, wide: tuple[bool, bool], most: int
) -> None:
    sizes = [code_size(fused_large(kind, each, where, wide)[2]) for each in (count // 5, count)]
    each = (sizes[1] - sizes[0]) / (count - count // 5)
    print(f"{kind} as {where}: {sizes[0]} and {sizes[1]} bytes of code, {each:.1f} per field or case")
    assert each <= most
    assert sizes[1] <= 6 * sizes[0], "five times as many fields or cases; indices grow by a byte here and there"


def test_large_types_inside_others_are_there_a_few_times_at_most() -> None:
    """Lists, options and results of a large variant, in records of records."""
    type, values = distinct(1_000)
    alone = code_size(fuse(Large(type, values, "list"))[1])
    nested: Type = type
    for _ in range(3):
        nested = Record((ListOf(nested), Option(nested)))
    whole = code_size(fuse(Large(nested, [[[], (0, None)]], "list"))[1])
    print(f"{alone} bytes of code alone, {whole} nested")
    assert whole < 4 * alone


@pytest.mark.parametrize("count", [257, 1_000])
def test_the_case_behind_the_last_traps(count: int) -> None:
    """At the end of a list of all cases."""
    value = Large(Enum(count), [(i, None) for i in range(count)], "list")
    composed = bytearray(fuse(value)[0])
    last = (count - 1).to_bytes(2, "little")
    data, _ = value.sender
    at = bytes(composed).index(data) + len(data) - len(last)
    assert composed[at : at + len(last)] == last
    composed[at : at + len(last)] = count.to_bytes(2, "little")
    fused = meldpy.fuse([bytes(composed)]).bytes
    assert answer(fused) == "invalid variant discriminant"
