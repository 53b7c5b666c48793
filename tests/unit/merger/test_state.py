"""Shared and separate state: memories, tables, globals and tags by identity, however many instances there are."""

from __future__ import annotations

from meldpy.model.core import FuncImportType
from tests.support.core_graph import CoreGraph, assert_same

COUNTER = """(module
  (memory (export "m") 1)
  (global $n (export "n") (mut i32) (i32.const 10))
  (table $t (export "t") 4 funcref)
  (tag $oops (export "oops") (param i32))
  (data (i32.const 0) "\\01\\02\\03\\04")
  (elem (i32.const 0) func $peek)
  (func $peek (export "peek") (param i32) (result i32) (i32.load8_u (local.get 0)))
  (func (export "poke") (param i32 i32) (i32.store8 (local.get 0) (local.get 1)))
  (func (export "next") (result i32)
    (global.set $n (i32.add (global.get $n) (i32.const 1)))
    (global.get $n))
  (func (export "throw") (param i32) (throw $oops (local.get 0)))
  (func (export "through") (param i32 i32) (result i32)
    (call_indirect (param i32) (result i32) (local.get 0) (local.get 1))))"""

USER = """(module
  (import "a" "m" (memory 1))
  (import "a" "n" (global $n (mut i32)))
  (import "a" "t" (table $t 4 funcref))
  (import "a" "oops" (tag $oops (param i32)))
  (import "a" "throw" (func $throw (param i32)))
  (import "a" "poke" (func $poke (param i32 i32)))
  (func $twice (param i32) (result i32) (i32.mul (local.get 0) (i32.const 2)))
  (elem (table $t) (i32.const 2) func $twice)
  (func (export "peek") (param i32) (result i32)
    (call $poke (i32.const 3) (i32.const 77))
    (i32.load8_u (local.get 0)))
  (func (export "add") (param i32) (result i32)
    (global.set $n (i32.add (global.get $n) (local.get 0)))
    (global.get $n))
  (func (export "catch") (param i32) (result i32)
    (block $caught (result i32)
      (try_table (catch $oops $caught) (call $throw (local.get 0)))
      (i32.const -1))))"""


def test_memory_table_and_global_are_shared_with_an_importer() -> None:
    graph = CoreGraph()
    a = graph.instance(COUNTER)
    b = graph.instance(USER, a["m"], a["n"], a["t"], a["oops"], a["throw"], a["poke"])
    graph.export("peek", b["peek"])
    graph.export("add", b["add"])
    graph.export("next", a["next"])
    graph.export("through", a["through"])
    fused = assert_same(
        graph,
        ("peek", (3,)),
        ("next", ()),
        ("add", (5,)),
        ("next", ()),
        ("through", (21, 2)),
        ("through", (2, 0)),
        ("through", (0, 1)),
        ("through", (0, 9)),
    )
    assert fused.carriers == ()
    assert fused.main.start is None
    assert len(fused.main.memories) == len(fused.main.tables) == 1


def test_two_instances_of_one_module_have_separate_state() -> None:
    graph = CoreGraph()
    counter = graph.module(COUNTER)
    first, second = graph.instance(counter), graph.instance(counter)
    for name, instance in (("1", first), ("2", second)):
        graph.export(f"next{name}", instance["next"])
        graph.export(f"poke{name}", instance["poke"])
        graph.export(f"peek{name}", instance["peek"])
        graph.export(f"through{name}", instance["through"])
    fused = assert_same(
        graph,
        ("next1", ()),
        ("next1", ()),
        ("next2", ()),
        ("poke1", (0, 50)),
        ("peek1", (0,)),
        ("peek2", (0,)),
        ("through1", (0, 0)),
        ("through2", (0, 0)),
    )
    # One table for both stays; the memories are in carriers: no module defines two of a kind.
    assert (len(fused.main.memories), len(fused.main.tables)) == (0, 1)
    assert [(len(c.memories), len(c.tables)) for c in fused.carriers] == [(1, 0), (1, 0)]


def test_tags_are_told_apart_by_instance() -> None:
    graph = CoreGraph()
    counter, user = graph.module(COUNTER), graph.module(USER)
    a, other = graph.instance(counter), graph.instance(counter)
    own = graph.instance(user, a["m"], a["n"], a["t"], a["oops"], a["throw"], a["poke"])
    foreign = graph.instance(user, a["m"], a["n"], a["t"], a["oops"], other["throw"], a["poke"])
    graph.export("own", own["catch"])
    graph.export("foreign", foreign["catch"])
    expected, merged = graph.separately(), graph.merged()
    assert merged.call("own", 41) == expected.call("own", 41) == 41
    # The exception with the other instance's tag is not caught.
    for run in (expected, merged):
        assert "uncaught" in str(run.call("foreign", 41)) or "thrown" in str(run.call("foreign", 41))


def test_an_export_of_an_import_is_the_imported_item() -> None:
    graph = CoreGraph()
    a = graph.instance(COUNTER)
    middle = graph.instance(
        """(module
          (import "a" "next" (func $f (result i32))) (import "a" "m" (memory $m 1))
          (import "a" "n" (global $g (mut i32)))
          (export "f" (func $f)) (export "m" (memory $m)) (export "g" (global $g)))""",
        a["next"],
        a["m"],
        a["n"],
    )
    end = graph.instance(
        """(module
          (import "b" "f" (func $f (result i32))) (import "b" "m" (memory 1)) (import "b" "g" (global $g (mut i32)))
          (func (export "all") (result i32)
            (drop (call $f))
            (i32.store (i32.const 0) (global.get $g))
            (i32.load (i32.const 0))))""",
        middle["f"],
        middle["m"],
        middle["g"],
    )
    graph.export("all", end["all"])
    fused = assert_same(graph, ("all", ()), ("all", ()))
    assert fused.main.imports == ()


def test_same_host_function_with_same_options_is_imported_once() -> None:
    graph = CoreGraph()
    log = graph.host("log", 1, 1)
    module = graph.module(
        """(module (import "h" "log" (func $log (param i32) (result i32)))
          (func (export "f") (param i32) (result i32) (call $log (local.get 0))))"""
    )
    first, second = graph.instance(module, log), graph.instance(module, log)
    graph.export("f1", first["f"])
    graph.export("f2", second["f"])
    fused = assert_same(graph, ("f1", (1,)), ("f2", (2,)), implement={"log": lambda x: x + 1})
    assert [type(import_.type) for import_ in fused.main.imports] == [FuncImportType]


def test_same_graph_gives_same_module() -> None:
    def fused() -> object:
        graph = CoreGraph()
        counter = graph.module(COUNTER)
        a, b = graph.instance(counter), graph.instance(counter)
        user = graph.instance(USER, a["m"], b["n"], a["t"], b["oops"], a["throw"], b["poke"])
        graph.export("add", user["add"])
        graph.export("peek", user["peek"])
        return graph.merge()

    assert fused() == fused()
