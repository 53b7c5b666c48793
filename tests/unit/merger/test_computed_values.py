"""What merging computes itself is what the engine would compute: arithmetic that wraps, offsets, initialisers."""

from __future__ import annotations

import pytest

from meldpy.errors import LimitError
from meldpy.merger.limits import check_expression, check_sums
from meldpy.model.core import Op, SegmentMode
from tests.support.core_graph import CoreGraph, assert_same

EDGES_32 = (2, 0x7FFF_FFFF, 0x8000_0000, 0x8000_0001, 0xFFFF_FFFF)
EDGES_64 = (3, 1 << 32, (1 << 63) - 1, 1 << 63, (1 << 64) - 1)


@pytest.mark.parametrize("operation", ["add", "sub", "mul"])
@pytest.mark.parametrize(("type", "edges"), [("i32", EDGES_32), ("i64", EDGES_64)])
def test_arithmetic_wraps(type: str, edges: tuple[int, ...], operation: str) -> None:
    """The globals are imported by another instance, so that their values are known to the merger."""
    pairs = [(left, right) for left in edges for right in edges]
    graph = CoreGraph()
    a = graph.instance(
        "(module "
        + "".join(
            f'(global (export "{i}") {type} ({type}.{operation} ({type}.const {left}) ({type}.const {right})))'
            for i, (left, right) in enumerate(pairs)
        )
        + ")"
    )
    value = "(global.get {0})" if type == "i32" else "(i32.wrap_i64 (i64.shr_u (global.get {0}) (i64.const {1})))"
    functions = "".join(
        f'(func (export "{i}-{shift}") (result i32) {value.format(len(pairs) + i, shift)})'
        for i in range(len(pairs))
        for shift in ((0,) if type == "i32" else (0, 32))
    )
    imports = "".join(f'(import "a" "{i}" (global {type}))' for i in range(len(pairs)))
    copies = "".join(f"(global {type} (global.get {i}))" for i in range(len(pairs)))
    b = graph.instance(f"(module {imports} {copies} {functions})", *(a[str(i)] for i in range(len(pairs))))
    calls = [export.name for export in b.module.exports]
    for name in calls:
        graph.export(name, b[name])
    fused = assert_same(graph, *((name, ()) for name in calls))
    assert {op.opcode for each in fused.main.globals for op in each.init} == {
        Op.I32_CONST if type == "i32" else Op.I64_CONST
    }


@pytest.mark.parametrize(("type", "offset"), [("i32", 0), ("i32", 65534), ("i64", 0), ("i64", 65534)])
@pytest.mark.parametrize("delta", [0, 1])
def test_a_computed_offset_is_a_constant_where_it_fits(type: str, offset: int, delta: int) -> None:
    graph = CoreGraph()
    memory = "i64 1" if type == "i64" else "1"
    a = graph.instance(
        f"""(module (memory (export "m") {memory}) (global (export "g") {type} ({type}.const {offset - 5}))
          (func (export "peek") (param i32) (result i32)
            (i32.load8_u {"(i64.extend_i32_u (local.get 0))" if type == "i64" else "(local.get 0)"})))"""
    )
    graph.instance(
        f"""(module (import "a" "m" (memory {memory})) (import "a" "g" (global $g {type}))
          (data ({type}.add (global.get $g) ({type}.const {5 + delta})) "xy"))""",
        a["m"],
        a["g"],
    )
    graph.export("peek", a["peek"])
    fused = assert_same(graph, *(("peek", (offset + i,)) for i in range(2)))
    if offset + delta + 2 <= 65536:
        assert [segment.mode for segment in fused.main.data] == [SegmentMode.ACTIVE]


@pytest.mark.parametrize("high", ["0x8000_0000", "0xFFFF_0000"])
def test_offsets_in_the_upper_half_of_a_32_bit_memory(high: str) -> None:
    """Not in bounds here, so the trap is the same; the constant is written as a negative number."""
    for kind, type in (("data", "i32"), ("elem", "i32")):
        graph = CoreGraph()
        what = (
            f'(memory 1) (data ({type}.const {high}) "x")'
            if kind == "data"
            else f"(table 1 funcref) (func $f) (elem ({type}.const {high}) func $f)"
        )
        graph.instance(f"(module {what})")
        assert_same(graph)


@pytest.mark.parametrize("empty", [False, True])
def test_a_table_in_the_upper_half_of_its_index_space(empty: bool) -> None:
    graph = CoreGraph()
    item = "" if empty else "$f"
    a = graph.instance(
        f"""(module (table $t i64 9 funcref) (func $f (result i32) (i32.const 3))
          (elem (table $t) (i64.const 8) func {item})
          (func (export "call") (param i32) (result i32)
            (call_indirect $t (result i32) (i64.extend_i32_u (local.get 0)))))"""
    )
    graph.export("call", a["call"])
    fused = assert_same(graph, ("call", (8,)), ("call", (7,)))
    assert len(fused.main.elements) == (0 if empty else 1), "an empty segment in bounds does nothing"


REFERENCES = """(module
  (type $pair (struct (field i32) (field i32))) (type $bytes (array i8)) (type $numbers (array i32))
  (type $get (func (result i32)))
  (import "a" "box" (global $box (ref struct)))
  (func $f (type $get) (i32.const 41))
  (func $g (type $get) (i32.const 42))
  (table $pairs 2 (ref null $pair) (struct.new $pair (i32.const 300) (i32.const -300)))
  (table $zeros 2 (ref null $pair) (struct.new_default $pair))
  (table $arrays 2 (ref null $bytes) (array.new $bytes (i32.const 200) (i32.const 3)))
  (table $blank 2 (ref null $numbers) (array.new_default $numbers (i32.const 4)))
  (table $fixed 2 (ref null $numbers) (array.new_fixed $numbers 2 (i32.const 70000) (i32.const -70000)))
  (table $small 2 i31ref (ref.i31 (i32.const 77)))
  (table $functions 2 (ref $get) (ref.func $g))
  (table $mixed 2 (ref null struct) (global.get $box))
  (func (export "pair") (result i32) (struct.get $pair 1 (table.get $pairs (i32.const 1))))
  (func (export "zero") (result i32) (struct.get $pair 0 (table.get $zeros (i32.const 1))))
  (func (export "array") (result i32) (array.get_u $bytes (table.get $arrays (i32.const 0)) (i32.const 2)))
  (func (export "blank") (result i32) (array.len (table.get $blank (i32.const 0))))
  (func (export "fixed") (result i32) (array.get $numbers (table.get $fixed (i32.const 1)) (i32.const 1)))
  (func (export "small") (result i32) (i31.get_u (table.get $small (i32.const 1))))
  (func (export "function") (result i32) (call_ref $get (table.get $functions (i32.const 1))))
  (func (export "mixed") (result i32) (ref.is_null (table.get $mixed (i32.const 1))))
  (elem declare func $f))"""


def test_tables_start_with_what_their_initialisers_make() -> None:
    graph = CoreGraph()
    box = graph.instance(
        """(module (type $box (struct (field i32)))
          (global (export "box") (ref struct) (struct.new $box (i32.const 1))))"""
    )["box"]
    a = graph.instance(REFERENCES, box)
    names = [export.name for export in a.module.exports]
    for name in names:
        graph.export(name, a[name])
    assert_same(graph, *((name, ()) for name in names))


def test_sums_and_expressions_may_reach_their_limits() -> None:
    at_limit = {
        **dict.fromkeys(("types", "functions", "globals", "imports", "exports", "tags"), 1_000_000),
        **dict.fromkeys(("element segments", "data segments"), 100_000),
        **dict.fromkeys(("memories", "tables"), 100),
    }
    check_sums("the merged module", at_limit)
    for what, limit in at_limit.items():
        with pytest.raises(LimitError, match=f"{limit + 1} {what}"):
            check_sums("the merged module", {**at_limit, what: limit + 1})
    check_expression(100_000)
    with pytest.raises(LimitError):
        check_expression(100_001)
