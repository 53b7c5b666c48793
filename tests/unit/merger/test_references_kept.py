"""Types, functions and globals that only an initialiser or a declaration mentions, and types that are not symmetric."""

from __future__ import annotations

import pytest

from meldpy.merger.types import TypeTable
from meldpy.model.core import (
    AbsHeapType,
    ArrayType,
    CoreFuncType,
    CoreTypeIndex,
    FieldType,
    NumType,
    RecGroup,
    RefType,
    StructType,
    SubType,
)
from tests.support.core_graph import CoreGraph, Handle, assert_same

ONLY_IN_INITIALISERS = """(module
  (type $a (struct (field i32))) (type $b (struct (field (mut i64))))
  (type $c (array i8)) (type $d (array i16)) (type $e (array i32)) (type $f (struct (field f64)))
  (type $in-table (struct (field f32))) (type $of-table (array f32)) (type $in-elem (struct (field i64 i64)))
  (type $get (func (result i32)))
  (global $new (ref struct) (struct.new $a (i32.const 1)))
  (global $default (ref struct) (struct.new_default $b))
  (global $array (ref array) (array.new $c (i32.const 7) (i32.const 3)))
  (global $blank (ref array) (array.new_default $d (i32.const 4)))
  (global $fixed (ref array) (array.new_fixed $e 2 (i32.const 1) (i32.const 2)))
  (global $null (ref null struct) (ref.null $f))
  (table $t 2 (ref null struct) (struct.new $in-table (f32.const 1)))
  (table $of 2 (ref null $of-table))
  (elem (table $t) (i32.const 1) (ref null struct) (struct.new $in-elem (i64.const 1) (i64.const 2)))
  (func (export "struct") (param i32) (result i32)
    (ref.is_null (select (result (ref null struct)) (global.get $new) (global.get $default) (local.get 0))))
  (func (export "lengths") (result i32)
    (i32.add (array.len (global.get $array)) (i32.add (array.len (global.get $blank)) (array.len (global.get $fixed)))))
  (func (export "null") (result i32) (ref.is_null (global.get $null)))
  (func (export "table") (param i32) (result i32) (ref.is_null (table.get $t (local.get 0))))
  (func (export "of") (param i32) (result i32) (ref.is_null (table.get $of (local.get 0)))))"""


@pytest.mark.parametrize("twice", [False, True])
def test_types_that_only_initialisers_mention(twice: bool) -> None:
    graph = CoreGraph()
    graph.instance('(module (type (func (param i64))) (func (export "f")))')
    module = graph.module(ONLY_IN_INITIALISERS)
    instances = [graph.instance(module) for _ in range(1 + twice)]
    names = [export.name for export in instances[0].module.exports]
    calls: list[tuple[str, tuple[int, ...]]] = []
    for number, instance in enumerate(instances):
        for name in names:
            graph.export(f"{name}{number}", instance[name])
            with_argument = name in ("struct", "table", "of")
            calls += [(f"{name}{number}", (i,)) for i in (0, 1)] if with_argument else [(f"{name}{number}", ())]
    assert_same(graph, *calls)


BOXES = """(module
  (type $box (struct (field i32))) (type $boxes (array (ref $box))) (type $get (func (result i32)))
  (type $all (struct (field (ref $box)) (field (ref null func)) (field (ref null $boxes)) (field (ref null any))
    (field (ref null $get))))
  (import "a" "box" (global $box (ref $box))) (import "a" "f" (global $f (ref func)))
  (import "a" "null" (global $null (ref null func))) (import "a" "n" (global $n i32))
  (table $all 2 (ref null $all)
    (struct.new $all (global.get $box) (global.get $f)
      (array.new_fixed $boxes 2 (global.get $box) (global.get $box)) (ref.null any) (ref.func $mine)))
  (table $plain 2 (ref $box) (global.get $box))
  (func $mine (type $get) (i32.const 44))
  (func (export "mine") (result i32) (call_ref $get (struct.get $all 4 (table.get $all (i32.const 1)))))
  (func (export "plain") (result i32) (struct.get $box 0 (table.get $plain (i32.const 1))))
  (func (export "box") (result i32) (struct.get $box 0 (struct.get $all 0 (table.get $all (i32.const 1)))))
  (func (export "call") (result i32)
    (call_ref $get (ref.cast (ref $get) (struct.get $all 1 (table.get $all (i32.const 0))))))
  (func (export "len") (result i32) (array.len (struct.get $all 2 (table.get $all (i32.const 1)))))
  (func (export "any") (result i32) (ref.is_null (struct.get $all 3 (table.get $all (i32.const 1))))))"""

GLOBALS = """(module
  (type $box (struct (field i32))) (type $get (func (result i32)))
  (import "z" "g" (global $imported i64)) (import "z" "h" (global f32))
  (func $unused) (func $f (type $get) (i32.const 77))
  (global $pad i64 (i64.const 1))
  (global (export "n") i32 (i32.const 5)) (global (export "f") (ref func) (ref.func $f))
  (global (export "null") (ref null func) (ref.null func))
  (global (export "box") (ref $box) (struct.new $box (i32.const 33))) (export "pad" (global $pad)))"""


def with_globals(graph: CoreGraph) -> Handle:
    z = graph.instance('(module (global (export "g") i64 (i64.const 6)) (global (export "h") f32 (f32.const 6)))')
    return graph.instance(GLOBALS, z["g"], z["h"])


def test_a_table_filled_with_everything_that_an_initialiser_can_hold() -> None:
    graph = CoreGraph()
    a = with_globals(graph)
    b = graph.instance(BOXES, a["box"], a["f"], a["null"], a["n"])
    for export in b.module.exports:
        graph.export(export.name, b[export.name])
    fused = assert_same(graph, *((export.name, ()) for export in b.module.exports))
    assert fused.main.start is not None, "only the engine can make the box"


@pytest.mark.parametrize(
    ("type", "init"),
    [
        ("funcref", "(global.get $f)"),
        ("funcref", "(global.get $null)"),
        ("funcref", "(ref.null func)"),
        ("(ref null $pair)", "(struct.new $pair (global.get $n) (i32.const 1))"),
        ("i31ref", "(ref.i31 (global.get $n))"),
    ],
)
def test_what_is_known_fills_a_table_without_a_start_function(type: str, init: str) -> None:
    graph = CoreGraph()
    a = with_globals(graph)
    b = graph.instance(
        f"""(module (type $pair (struct (field i32 i32)))
          (import "a" "f" (global $f (ref func))) (import "a" "null" (global $null (ref null func)))
          (import "a" "n" (global $n i32)) (table $t 2 {type} {init})
          (func (export "null") (param i32) (result i32) (ref.is_null (table.get $t (local.get 0)))))""",
        a["f"],
        a["null"],
        a["n"],
    )
    graph.export("null", b["null"])
    fused = assert_same(graph, ("null", (0,)), ("null", (1,)), ("null", (2,)))
    assert fused.main.start is None


# --- types that are not symmetric -------------------------------------------------------------------------------------
def struct(*fields: NumType) -> SubType:
    return SubType(StructType(tuple(FieldType(field, False) for field in fields)))


def ref(index: int) -> RefType:
    return RefType(True, CoreTypeIndex(index))


def test_what_goes_in_and_what_comes_out_stay_apart() -> None:
    table = TypeTable()
    takes = SubType(CoreFuncType((ref(1), NumType.I32), (ref(2),)))
    groups = (
        RecGroup((struct(),)),
        RecGroup((struct(NumType.I32),)),
        RecGroup((struct(NumType.I64),)),
        RecGroup((takes,)),
    )
    assert table.absorb(groups, {3}) == [-1, 0, 1, 2]
    (_, _, func) = table.groups
    assert func.types[0].comp == CoreFuncType((ref(0), NumType.I32), (ref(1),))


def test_members_of_a_group_refer_to_each_other_wherever_the_group_stands() -> None:
    def group(first: int) -> RecGroup:
        array = SubType(ArrayType(FieldType(ref(first + 1), True)))
        node = SubType(StructType((FieldType(ref(first), True), FieldType(RefType(True, AbsHeapType.ANY), False))))
        return RecGroup((array, node), explicit=True)

    table = TypeTable()
    assert table.absorb((group(0),), {0}) == [0, 1]
    assert table.absorb((RecGroup((struct(),)), group(1)), {0, 2}) == [2, 0, 1]
    assert table.groups[0] == group(0)


def test_a_function_takes_one_type_and_returns_another_across_instances() -> None:
    types = """(type $in (struct (field i32))) (type $out (struct (field (mut i64)) (field i32)))
               (type $convert (func (param (ref $in)) (result (ref $out))))"""
    graph = CoreGraph()
    a = graph.instance(
        f"""(module {types} (func (export "convert") (type $convert)
          (struct.new $out (i64.const 0) (i32.add (struct.get $in 0 (local.get 0)) (i32.const 1)))))"""
    )
    b = graph.instance(
        f"""(module (type (func (param f32))) {types} (import "a" "convert" (func $convert (type $convert)))
          (table 1 (ref null $convert)) (elem (i32.const 0) (ref null $convert) (ref.func $convert))
          (func (export "run") (param i32) (result i32)
            (i32.add
              (struct.get $out 1 (call $convert (struct.new $in (local.get 0))))
              (struct.get $out 1
                (call_indirect (type $convert) (struct.new $in (local.get 0)) (i32.const 0))))))""",
        a["convert"],
    )
    graph.export("run", b["run"])
    assert_same(graph, ("run", (20,)))
