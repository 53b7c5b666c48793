"""Types by structure, constant expressions over other instances' globals, and declarations for ref.func."""

from __future__ import annotations

from meldpy.merger.types import TypeTable
from meldpy.model.core import (
    ArrayType,
    CoreFuncType,
    CoreTypeIndex,
    FieldType,
    NumType,
    Op,
    RecGroup,
    RefType,
    SegmentMode,
    StructType,
    SubType,
)
from tests.support.core_graph import CoreGraph, assert_same

I32_TO_I32 = SubType(CoreFuncType((NumType.I32,), (NumType.I32,)))
NOTHING = SubType(CoreFuncType((), ()))


def node(self_index: int) -> SubType:
    return SubType(StructType((FieldType(RefType(True, self_index), True),)))


def test_equal_groups_are_one_and_unused_ones_are_dropped() -> None:
    table = TypeTable()
    groups = (RecGroup((NOTHING,)), RecGroup((I32_TO_I32,)), RecGroup((NOTHING,)))
    assert table.absorb(groups, {1, 2}) == [-1, 0, 1]
    assert table.absorb(groups, {0}) == [1, -1, -1]
    assert table.groups == [RecGroup((I32_TO_I32,)), RecGroup((NOTHING,))]


def test_a_used_type_keeps_what_it_refers_to() -> None:
    table = TypeTable()
    array = SubType(ArrayType(FieldType(RefType(False, 1), False)))
    groups = (RecGroup((NOTHING,)), RecGroup((I32_TO_I32,)), RecGroup((array,)))
    assert table.absorb(groups, {2}) == [-1, 0, 1]
    assert table.groups[1] == RecGroup((SubType(ArrayType(FieldType(RefType(False, 0), False))),))


def test_recursive_groups_are_equal_wherever_they_stand() -> None:
    table = TypeTable()
    first = table.absorb((RecGroup((node(0),)), RecGroup((NOTHING,))), {0, 1})
    second = table.absorb((RecGroup((NOTHING,)), RecGroup((node(1),), explicit=True)), {0, 1})
    assert (first, second) == ([0, 1], [1, 0])


def test_a_group_of_two_differs_from_two_groups() -> None:
    table = TypeTable()
    assert table.absorb((RecGroup((NOTHING, I32_TO_I32), explicit=True),), {1}) == [0, 1]
    assert table.absorb((RecGroup((NOTHING,)), RecGroup((I32_TO_I32,))), {0, 1}) == [2, 3]


def test_a_final_type_differs_from_one_that_is_not() -> None:
    table = TypeTable()
    assert table.absorb((RecGroup((SubType(CoreFuncType((), ()), final=False),)),), {0}) == [0]
    assert table.absorb((RecGroup((NOTHING,)),), {0}) == [1]
    sub = SubType(CoreFuncType((), ()), True, (CoreTypeIndex(0),))
    assert table.absorb((RecGroup((SubType(CoreFuncType((), ()), final=False),)), RecGroup((sub,))), {1}) == [0, 2]


TREES = """(module
  (rec (type $tree (struct (field (ref null $list)) (field i32))) (type $list (array (mut (ref null $tree)))))
  {imports}
  {body})"""


def test_structs_of_one_recursive_type_cross_instances() -> None:
    graph = CoreGraph()
    maker = graph.instance(
        TREES.format(
            imports="",
            body="""(func (export "make") (param i32) (result (ref null struct))
              (struct.new $tree (array.new_default $list (i32.const 3)) (local.get 0)))""",
        )
    )
    reader = graph.instance(
        TREES.format(
            imports="""(type $unrelated (func (param f64)))
              (import "a" "make" (func $make (param i32) (result structref)))""",
            body="""(func (export "read") (param i32) (result i32)
              (local $t (ref $tree))
              (local.set $t (ref.cast (ref $tree) (call $make (local.get 0))))
              (i32.add (array.len (struct.get $tree 0 (local.get $t))) (struct.get $tree 1 (local.get $t))))""",
        ),
        maker["make"],
    )
    graph.export("read", reader["read"])
    fused = assert_same(graph, ("read", (39,)))
    assert len([group for group in fused.main.types if len(group.types) == 2]) == 1


def test_a_cast_to_a_type_of_other_structure_fails_as_before() -> None:
    graph = CoreGraph()
    maker = graph.instance(
        """(module (type $t (struct (field i32)))
          (func (export "make") (result (ref null struct)) (struct.new $t (i32.const 1))))"""
    )
    reader = graph.instance(
        """(module (type $t (struct (field (mut i32)))) (import "a" "make" (func $make (result (ref null struct))))
          (func (export "is") (result i32) (ref.test (ref $t) (call $make))))""",
        maker["make"],
    )
    graph.export("is", reader["is"])
    assert_same(graph, ("is", ()))


def test_call_indirect_checks_the_type_as_before() -> None:
    graph = CoreGraph()
    a = graph.instance(
        """(module (type $open (sub (func (result i32)))) (type $closed (func (result i32)))
          (func $f (type $open) i32.const 1) (func $g (type $closed) i32.const 2)
          (table (export "t") funcref (elem $f $g))
          (func (export "open") (param i32) (result i32) (call_indirect (type $open) (local.get 0)))
          (func (export "closed") (param i32) (result i32) (call_indirect (type $closed) (local.get 0))))"""
    )
    b = graph.instance(
        """(module (type (func)) (type $closed (func (result i32))) (import "a" "t" (table 2 funcref))
          (func (export "other") (param i32) (result i32) (call_indirect (type $closed) (local.get 0))))""",
        a["t"],
    )
    graph.export("open", a["open"])
    graph.export("closed", a["closed"])
    graph.export("other", b["other"])
    assert_same(graph, *((name, (i,)) for name in ("open", "closed", "other") for i in (0, 1)))


ENV = """(module
  (memory (export "memory") 1) (table (export "table") 16 funcref)
  (global (export "base") i32 (i32.const 1024)) (global (export "table_base") i32 (i32.const 4))
  (global (export "sp") (mut i32) (i32.const 4096))
  (global (export "got") (mut i32) (i32.const 0)))"""

LIBRARY = """(module
  (import "env" "memory" (memory 1)) (import "env" "table" (table 0 funcref))
  (import "env" "base" (global $base i32)) (import "env" "table_base" (global $table_base i32))
  (import "env" "sp" (global $sp (mut i32))) (import "env" "got" (global $got (mut i32)))
  (global $next (export "next") i32 (i32.add (global.get $base) (i32.const 16)))
  (global $twice i32 (i32.mul (i32.sub (global.get $base) (i32.const 24)) (i32.const 2)))
  (global (export "table_next") i32 (i32.add (global.get $table_base) (i32.const 2)))
  (data (global.get $base) "hello") (data (i32.add (global.get $base) (i32.const 8)) "world")
  (elem (global.get $table_base) func $f $g)
  (func $f (result i32) (global.get $twice)) (func $g (result i32) (i32.load8_u (global.get $base)))
  (func (export "setup") (global.set $got (global.get $table_base))
    (global.set $sp (i32.sub (global.get $sp) (i32.const 8))))
  (func (export "sp") (result i32) (global.get $sp))
  (func (export "peek") (param i32) (result i32) (i32.load8_u (local.get 0)))
  (func (export "call") (param i32) (result i32) (call_indirect (result i32) (local.get 0)))
  (func (export "call_got") (result i32) (call_indirect (result i32) (global.get $got))))"""


def test_shared_everything_modules_have_constant_active_segments() -> None:
    graph = CoreGraph()
    env = graph.instance(ENV)
    library = graph.module(LIBRARY)
    shared = (env["memory"], env["table"])
    a = graph.instance(library, *shared, env["base"], env["table_base"], env["sp"], env["got"])
    b = graph.instance(library, *shared, a["next"], a["table_next"], env["sp"], env["got"])
    last = graph.instance('(module (import "b" "setup" (func $s)) (start $s))', b["setup"])
    assert last.id == 3
    for name in ("sp", "call_got"):
        graph.export(name, a[name])
    for name in ("peek", "call"):
        graph.export(name, b[name])
    fused = assert_same(
        graph,
        ("sp", ()),
        ("call_got", ()),
        *(("peek", (address,)) for address in (1024, 1032, 1040, 1048)),
        *(("call", (slot,)) for slot in range(3, 9)),
    )
    assert {segment.mode for segment in fused.main.data} == {SegmentMode.ACTIVE}
    assert {op.opcode for segment in fused.main.data for op in segment.offset or ()} == {Op.I32_CONST}
    assert fused.main.start is not None
    assert {op.opcode for global_ in fused.main.globals for op in global_.init} == {Op.I32_CONST}


def test_global_initialisers_that_only_the_engine_can_compute() -> None:
    graph = CoreGraph()
    a = graph.instance(
        """(module (type $box (struct (field i32)))
          (global $seven i32 (i32.const 7))
          (global (export "box") (ref $box) (struct.new $box (i32.add (global.get $seven) (i32.const 1)))))"""
    )
    b = graph.instance(
        """(module (type (func)) (type $box (struct (field i32))) (type $boxes (array (ref $box)))
          (import "a" "box" (global $box (ref $box)))
          (global $same (ref $box) (global.get $box))
          (global $pair (ref array) (array.new_fixed $boxes 2 (global.get $box) (global.get $same)))
          (table $t 2 (ref $box) (global.get $box))
          (table $n 3 (ref null $box) (global.get $box))
          (elem (table $n) (i32.const 1) (ref null $box) (ref.null $box))
          (func (export "same") (result i32) (ref.eq (global.get $same) (table.get $t (i32.const 1))))
          (func (export "read") (param i32) (result i32) (struct.get $box 0 (table.get $n (local.get 0))))
          (func (export "len") (result i32) (array.len (global.get $pair))))""",
        a["box"],
    )
    for name in ("same", "read", "len"):
        graph.export(name, b[name])
    assert_same(graph, ("same", ()), ("read", (0,)), ("read", (2,)), ("len", ()), ("read", (1,)))


def test_other_constants_come_through() -> None:
    graph = CoreGraph()
    a = graph.instance(
        """(module (global (export "f32") f32 (f32.const nan:0x200001)) (global (export "i64") i64 (i64.const -5))
          (global (export "v") v128 (v128.const i32x4 1 2 3 4)) (global (export "null") funcref (ref.null func))
          (func $f (result i32) i32.const 3) (global (export "func") funcref (ref.func $f)))"""
    )
    b = graph.instance(
        """(module (import "a" "f32" (global $f32 f32)) (import "a" "i64" (global $i64 i64))
          (import "a" "v" (global $v v128))
          (import "a" "null" (global $null funcref)) (import "a" "func" (global $func funcref))
          (global $f f32 (global.get $f32)) (global $i i64 (i64.mul (global.get $i64) (i64.const 3)))
          (global $copy v128 (global.get $v))
          (table $t 4 funcref)
          (elem (i32.const 1) funcref (global.get $func) (global.get $null))
          (func (export "f") (result i32) (i32.reinterpret_f32 (global.get $f)))
          (func (export "i") (result i32) (i32.wrap_i64 (global.get $i)))
          (func (export "v") (result i32) (i32x4.extract_lane 2 (global.get $copy)))
          (func (export "call") (param i32) (result i32) (call_indirect (result i32) (local.get 0))))""",
        *(a[name] for name in ("f32", "i64", "v", "null", "func")),
    )
    for name in ("f", "i", "v", "call"):
        graph.export(name, b[name])
    assert_same(graph, ("f", ()), ("i", ()), ("v", ()), ("call", (1,)), ("call", (2,)))


def test_functions_behind_ref_func_are_declared() -> None:
    graph = CoreGraph()
    a = graph.instance('(module (func (export "f") (result i32) i32.const 12))')
    b = graph.instance(
        """(module (import "a" "f" (func $f (result i32))) (table $t 1 funcref) (elem declare func $f)
          (func (export "go") (result i32)
            (table.set $t (i32.const 0) (ref.func $f))
            (call_indirect $t (result i32) (i32.const 0))))""",
        a["f"],
    )
    graph.export("go", b["go"])
    fused = assert_same(graph, ("go", ()))
    assert [segment.mode for segment in fused.main.elements] == [SegmentMode.DECLARATIVE]


def test_tables_with_initialisers_stay_in_the_main_module() -> None:
    graph = CoreGraph()
    module = graph.module(
        """(module (type $f (func (result i32))) (func $own (type $f) i32.const 5) (func $two (type $f) i32.const 6)
          (table $t 3 (ref $f) (ref.func $own)) (table $plain 3 (ref null $f))
          (elem (table $t) (i32.const 1) (ref $f) (item ref.func $two))
          (elem (table $plain) (i32.const 2) (ref null $f) (item ref.func $own))
          (func (export "call") (param i32) (result i32) (call_ref $f (table.get $t (local.get 0))))
          (func (export "plain") (param i32) (result i32) (call_ref $f (table.get $plain (local.get 0)))))"""
    )
    a = graph.instance(module)
    graph.export("call", a["call"])
    graph.export("plain", a["plain"])
    fused = assert_same(graph, *((name, (i,)) for name in ("call", "plain") for i in range(4)))
    assert [table.init is not None for table in fused.main.tables] == [True]
    assert [len(carrier.tables) for carrier in fused.carriers] == [1]


def test_an_import_may_be_bound_to_a_subtype() -> None:
    graph = CoreGraph()
    a = graph.instance(
        """(module (type $s (struct (field i32))) (type $f (sub (func (result anyref))))
          (type $g (sub final $f (func (result (ref $s)))))
          (global (export "g") (ref $s) (struct.new $s (i32.const 31)))
          (func (export "f") (type $g) (struct.new $s (i32.const 11)))
          (memory (export "m") 3 4) (table (export "t") 5 9 funcref))"""
    )
    b = graph.instance(
        """(module (type $s (struct (field i32))) (type $f (sub (func (result anyref))))
          (import "a" "g" (global $g anyref)) (import "a" "f" (func $f (type $f)))
          (import "a" "m" (memory 1)) (import "a" "t" (table 2 funcref))
          (elem declare func $f)
          (func (export "g") (result i32)
            (local $x anyref)
            (local.set $x (select (result anyref) (global.get $g) (ref.null any) (i32.const 1)))
            (struct.get $s 0 (ref.cast (ref $s) (block (result anyref) (global.get $g)))))
          (func (export "f") (result i32) (struct.get $s 0 (ref.cast (ref $s) (call_ref $f (ref.func $f)))))
          (func (export "size") (result i32) (i32.add (memory.size) (table.size 0))))""",
        *(a[name] for name in ("g", "f", "m", "t")),
    )
    for name in ("g", "f", "size"):
        graph.export(name, b[name])
    assert_same(graph, ("g", ()), ("f", ()), ("size", ()))
