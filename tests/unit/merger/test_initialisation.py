"""Instantiation order: what a start function, the host or a trap can see of it stays as it is."""

from __future__ import annotations

import pytest

from meldpy.model.core import SegmentMode
from tests.support.core_graph import CoreGraph, assert_same

MEMORY = """(module
  (memory (export "m") 1 4) (table (export "t") 8 funcref) (data (i32.const 0) "first")
  (func (export "peek") (param i32) (result i32) (i32.load8_u (local.get 0))))"""

SEER = """(module
  (import "a" "m" (memory 1)) (import "h" "log" (func $log (param i32)))
  (func $start (call $log (i32.load8_u (i32.const 0))) (i32.store8 (i32.const 100) (i32.const 9)))
  (start $start))"""


def modes(segments: object) -> list[SegmentMode]:
    assert isinstance(segments, tuple)
    return [segment.mode for segment in segments]


def test_without_start_functions_everything_stays_active() -> None:
    graph = CoreGraph()
    a = graph.instance(MEMORY)
    graph.instance('(module (import "a" "m" (memory 1)) (data (i32.const 1) "XY") (data (i32.const 70) ""))', a["m"])
    graph.export("peek", a["peek"])
    fused = assert_same(graph, *(("peek", (i,)) for i in range(6)))
    assert fused.main.start is None
    assert modes(fused.main.data) == [SegmentMode.ACTIVE, SegmentMode.ACTIVE]
    assert fused.main.data_count is None


def test_a_start_function_sees_only_what_came_before_it() -> None:
    graph = CoreGraph()
    log = graph.host("log", 1)
    a = graph.instance(MEMORY)
    graph.instance(SEER, a["m"], log)
    graph.instance('(module (import "a" "m" (memory 1)) (data (i32.const 0) "XY") (data (i32.const 99) "xyz"))', a["m"])
    graph.instance(SEER, a["m"], log)
    graph.export("peek", a["peek"])
    fused = assert_same(graph, ("peek", (0,)), ("peek", (1,)), ("peek", (100,)))
    assert modes(fused.main.data) == [SegmentMode.ACTIVE, SegmentMode.PASSIVE, SegmentMode.PASSIVE]


def test_a_start_function_before_the_memory_exists_changes_nothing() -> None:
    graph = CoreGraph()
    log = graph.host("log", 1)
    other = graph.instance(MEMORY)
    graph.instance(SEER, other["m"], log)
    a = graph.instance(MEMORY)
    graph.instance('(module (import "a" "m" (memory 1)) (data (i32.const 1) "XY"))', a["m"])
    graph.export("peek", a["peek"])
    fused = assert_same(graph, ("peek", (1,)))
    assert sorted(len(carrier.data) for carrier in fused.carriers) == [1, 2]
    assert {mode for carrier in fused.carriers for mode in modes(carrier.data)} == {SegmentMode.ACTIVE}
    assert fused.main.data == ()
    assert fused.main.data_count is None


def test_start_functions_run_in_instantiation_order_imported_ones_too() -> None:
    graph = CoreGraph()
    log, hello = graph.host("log", 1), graph.host("hello")
    starts = graph.module(
        """(module (import "h" "log" (func $log (param i32)))
          (global $g (mut i32) (i32.const 0))
          (func $start (call $log (global.get $g)) (global.set $g (i32.const 5)))
          (func (export "again") (call $start))
          (start $start))"""
    )
    a = graph.instance(starts, log)
    graph.instance('(module (import "h" "hello" (func $hello)) (start $hello))', hello)
    graph.instance('(module (import "a" "again" (func $again)) (start $again))', a["again"])
    graph.instance(starts, log)
    fused = assert_same(graph)
    run = graph.start(fused)
    assert run.log == [("log", (0,)), ("hello", ()), ("log", (5,)), ("log", (0,))]


@pytest.mark.parametrize("imported", [False, True])
def test_a_single_start_function_is_used_as_it_is(imported: bool) -> None:
    graph = CoreGraph()
    hello = graph.host("hello")
    if imported:
        graph.instance('(module (import "h" "hello" (func $hello)) (start $hello))', hello)
    else:
        graph.instance('(module (import "h" "hello" (func $hello)) (func $s (call $hello)) (start $s))', hello)
    fused = assert_same(graph)
    assert fused.main.start == (0 if imported else 1)
    assert fused.main.code.count == (0 if imported else 1)


def test_an_out_of_bounds_segment_traps_after_the_host_calls_before_it() -> None:
    graph = CoreGraph()
    log = graph.host("log", 1)
    a = graph.instance(MEMORY)
    graph.instance(SEER, a["m"], log)
    graph.instance('(module (import "a" "m" (memory 1)) (data (i32.const 65535) "XY"))', a["m"])
    graph.instance(SEER, a["m"], log)
    graph.export("peek", a["peek"])
    assert_same(graph, ("peek", (0,)))


@pytest.mark.parametrize("data_first", [False, True])
def test_which_out_of_bounds_segment_traps_first_stays(data_first: bool) -> None:
    graph = CoreGraph()
    a = graph.instance(MEMORY)
    data = ('(module (import "a" "m" (memory 1)) (data (i32.const 65535) "XY"))', a["m"])
    elem = ('(module (import "a" "t" (table 8 funcref)) (func $f) (elem (i32.const 8) func $f))', a["t"])
    for wat, item in (data, elem) if data_first else (elem, data):
        graph.instance(wat, item)
    expected = graph.separately().failed
    assert expected is not None
    assert ("memory" in expected) is data_first
    assert graph.merged().failed == graph.merged(analysed=False).failed == expected


@pytest.mark.parametrize("offset", [65536, 65537, -1])
def test_an_empty_segment_is_checked_against_the_bounds(offset: int) -> None:
    graph = CoreGraph()
    graph.instance(f'(module (memory 1) (data (i32.const {offset}) ""))')
    assert_same(graph)


def test_a_segment_in_memory_that_a_start_function_grew_is_applied() -> None:
    graph = CoreGraph()
    a = graph.instance(MEMORY)
    graph.instance(
        '(module (import "a" "m" (memory 1)) (func $s (drop (memory.grow (i32.const 1)))) (start $s))', a["m"]
    )
    graph.instance('(module (import "a" "m" (memory 1)) (data (i32.const 70000) "Z"))', a["m"])
    graph.export("peek", a["peek"])
    assert_same(graph, ("peek", (70000,)))


def test_a_start_function_sees_the_table_as_it_was() -> None:
    graph = CoreGraph()
    log = graph.host("log", 1)
    a = graph.instance(MEMORY)
    caller = """(module (import "a" "t" (table 8 funcref)) (import "h" "log" (func $log (param i32)))
      (func $s (call $log (ref.is_null (table.get (i32.const 3))))) (start $s)
      (func (export "call") (result i32) (call_indirect (result i32) (i32.const 3))))"""
    first = graph.instance(caller, a["t"], log)
    graph.instance(
        '(module (import "a" "t" (table 8 funcref)) (func $f (result i32) i32.const 42) (elem (i32.const 3) func $f))',
        a["t"],
    )
    graph.instance(caller, a["t"], log)
    graph.export("call", first["call"])
    fused = assert_same(graph, ("call", ()))
    assert modes(fused.main.elements) == [SegmentMode.PASSIVE]


def test_elements_come_before_data_and_both_before_the_start_function() -> None:
    graph = CoreGraph()
    log = graph.host("log", 1)
    a = graph.instance(MEMORY)
    graph.instance(SEER, a["m"], log)
    graph.instance(
        """(module (import "a" "m" (memory 1)) (import "a" "t" (table 8 funcref))
          (import "h" "log" (func $log (param i32)))
          (func $f) (elem (i32.const 7) func $f $f) (data (i32.const 0) "Q"))""",
        a["m"],
        a["t"],
        log,
    )
    graph.export("peek", a["peek"])
    assert_same(graph, ("peek", (0,)))


USES_SEGMENTS = """(module
  (memory 1) (table $t 4 funcref)
  (func $one (result i32) (i32.const 1))
  (data $active (i32.const 0) "active") (data $passive "passive") (data $twin "twin")
  (elem $eactive (i32.const 0) func $one) (elem $epassive func $one) (elem $edeclared declare func $one)
  (func (export "active") (param i32) (memory.init $active (i32.const 50) (i32.const 0) (local.get 0)))
  (func (export "passive") (param i32) (memory.init $passive (i32.const 50) (i32.const 0) (local.get 0)))
  (func (export "drop") (data.drop $passive) (data.drop $active))
  (func (export "twin") (memory.init $twin (i32.const 80) (i32.const 0) (i32.const 4)))
  (func (export "eactive") (param i32) (table.init $t $eactive (i32.const 1) (i32.const 0) (local.get 0)))
  (func (export "epassive") (param i32) (table.init $t $epassive (i32.const 1) (i32.const 0) (local.get 0)))
  (func (export "edeclared") (param i32) (table.init $t $edeclared (i32.const 1) (i32.const 0) (local.get 0)))
  (func (export "edrop") (elem.drop $epassive) (elem.drop $eactive))
  (func (export "peek") (param i32) (result i32) (i32.load8_u (local.get 0)))
  (func (export "call") (param i32) (result i32) (call_indirect (result i32) (local.get 0))))"""


def test_instructions_on_segments_work_and_dropping_is_per_instance() -> None:
    graph = CoreGraph()
    module = graph.module(USES_SEGMENTS)
    calls: list[tuple[str, tuple[int, ...]]] = []
    for number in "12":
        instance = graph.instance(module)
        for export in instance.module.exports:
            graph.export(export.name + number, instance[export.name])
    calls += [("active1", (0,)), ("active1", (1,)), ("passive1", (7,)), ("peek1", (50,)), ("peek2", (50,))]
    calls += [("drop1", ()), ("passive1", (1,)), ("passive2", (7,)), ("peek2", (56,)), ("twin1", ()), ("peek1", (80,))]
    calls += [("eactive1", (0,)), ("eactive1", (1,)), ("call1", (1,)), ("epassive1", (1,)), ("call1", (1,))]
    calls += [("edrop1", ()), ("epassive1", (1,)), ("epassive1", (0,)), ("epassive2", (1,)), ("call2", (1,))]
    calls += [("edeclared1", (0,)), ("edeclared1", (1,)), ("call1", (0,)), ("call2", (0,))]
    assert_same(graph, *calls)


def test_many_actions_are_split_into_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("meldpy.merger.start._PART", 3)
    graph = CoreGraph()
    log = graph.host("log", 1)
    a = graph.instance(MEMORY)
    for _ in range(8):
        graph.instance(SEER, a["m"], log)
    graph.export("peek", a["peek"])
    fused = assert_same(graph, ("peek", (100,)))
    assert len(graph.start(fused).log) == 8
    assert fused.main.start == fused.main.code.count  # one import in front of it, so it is the last function


def test_touching_segments_are_joined_near_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("meldpy.merger.segments.SEGMENTS", 6)
    graph = CoreGraph()
    a = graph.instance(
        """(module (memory (export "m") 1) (data (i32.const 0) "ab") (data (i32.const 2) "cd") (data (i32.const 9) "x")
          (data (i32.const 10) "y") (data (i32.const 3) "z")
          (func (export "peek") (param i32) (result i32) (i32.load8_u (local.get 0))))"""
    )
    graph.export("peek", a["peek"])
    fused = assert_same(graph, *(("peek", (i,)) for i in range(12)))
    assert [bytes(segment.data) for segment in fused.main.data] == [b"abcd", b"xy", b"z"]


def test_memory64_and_table64_offsets() -> None:
    graph = CoreGraph()
    log = graph.host("log", 1)
    a = graph.instance(
        """(module (memory (export "m") i64 1) (table (export "t") i64 4 funcref) (data (i64.const 3) "q")
          (func (export "peek") (param i32) (result i32) (i32.load8_u (i64.extend_i32_u (local.get 0))))
          (func (export "call") (param i32) (result i32)
            (call_indirect (result i32) (i64.extend_i32_u (local.get 0)))))"""
    )
    graph.instance(
        '(module (import "h" "log" (func $log (param i32))) (func $s (call $log (i32.const 1))) (start $s))', log
    )
    graph.instance(
        """(module (import "a" "m" (memory i64 1)) (import "a" "t" (table i64 4 funcref))
          (func $f (result i32) i32.const 6)
          (data (i64.const 4) "r") (elem (i64.const 1) func $f))""",
        a["m"],
        a["t"],
    )
    graph.export("peek", a["peek"])
    graph.export("call", a["call"])
    assert_same(graph, ("peek", (3,)), ("peek", (4,)), ("call", (1,)), ("call", (0,)))
