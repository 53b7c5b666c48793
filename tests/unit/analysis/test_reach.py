"""What nothing reaches is dead; what instantiation or the host can observe is not."""

from __future__ import annotations

import pytest

from meldpy.analysis import analyse
from meldpy.model.facts import Live
from tests.support.core_graph import CoreGraph, Handle, scan_module


def live(graph: CoreGraph) -> Live:
    return analyse(graph.graph(), scan_module).live


def indices(found: Live, instance: Handle) -> set[int]:
    return {func.index for func in found.funcs if func.instance == instance.id}


def test_only_what_exports_call_is_live() -> None:
    graph = CoreGraph()
    a = graph.instance('(module (func $a) (func (export "f") (call $a)) (func $dead (call $dead)))')
    graph.export("f", a["f"])
    assert indices(live(graph), a) == {0, 1}


def test_a_call_makes_another_instances_function_live() -> None:
    graph = CoreGraph()
    a = graph.instance('(module (func (export "x")) (func (export "y")))')
    b = graph.instance(
        '(module (import "" "x" (func $x)) (import "" "y" (func)) (func (export "f") (call $x)))', a["x"], a["y"]
    )
    graph.export("f", b["f"])
    assert indices(live(graph), a) == {0}


def test_two_instances_of_one_module_are_told_apart() -> None:
    graph = CoreGraph()
    module = graph.module('(module (func (export "f")))')
    first, second = graph.instance(module), graph.instance(module)
    graph.export("f", second["f"])
    found = live(graph)
    assert indices(found, first) == set()
    assert indices(found, second) == {0}


def test_start_functions_are_roots_imported_ones_too() -> None:
    graph = CoreGraph()
    a = graph.instance('(module (func (export "x")) (func $s) (start $s))')
    graph.instance('(module (import "" "x" (func $x)) (start $x))', a["x"])
    assert indices(live(graph), a) == {0, 1}


def test_a_lower_is_live_only_if_a_live_body_calls_it() -> None:
    graph = CoreGraph()
    used, unused = graph.host("used"), graph.host("unused")
    a = graph.instance(
        '(module (import "" "a" (func $a)) (import "" "b" (func $b)) (func (export "f") (call $a)) (func (call $b)))',
        used,
        unused,
    )
    graph.export("f", a["f"])
    assert live(graph).lowers == {used.lower}


def test_the_options_of_a_live_lift_are_live() -> None:
    graph = CoreGraph()
    a = graph.instance(
        '(module (memory (export "m") 1) (func (export "f")) (func (export "r")) (func (export "p")) (func))'
    )
    graph.export("f", a["f"], memory=a["m"], realloc=a["r"], post_return=a["p"])
    found = live(graph)
    assert indices(found, a) == {0, 1, 2}
    assert found.memories == {a["m"]}


def test_destructors_are_roots() -> None:
    graph = CoreGraph()
    a = graph.instance('(module (func (export "d") (param i32)) (func))')
    graph.resources.append(a["d"])  # type: ignore[arg-type]  # a function
    assert indices(live(graph), a) == {0}


def test_a_live_table_keeps_what_its_segments_hold_and_a_dead_one_does_not() -> None:
    graph = CoreGraph()
    a = graph.instance(
        """(module (table $t 1 funcref) (table $dead 1 funcref)
          (func $x) (func $y)
          (elem (table $t) (i32.const 0) func $x) (elem (table $dead) (i32.const 0) func $y)
          (func (export "f") (param i32) (call_indirect $t (local.get 0))))"""
    )
    graph.export("f", a["f"])
    found = live(graph)
    assert indices(found, a) == {0, 2}
    assert {table.index for table in found.tables} == {0}
    assert found.elems == {(a.id, 0)}


def test_passive_segments_live_by_the_instructions_that_name_them() -> None:
    graph = CoreGraph()
    a = graph.instance(
        """(module (memory 1) (data $a "used") (data $b "unused")
          (func (export "f") (memory.init $a (i32.const 0) (i32.const 0) (i32.const 1))))"""
    )
    graph.export("f", a["f"])
    assert live(graph).data == {(a.id, 0)}


def test_globals_live_by_code_and_by_each_other() -> None:
    graph = CoreGraph()
    a = graph.instance(
        """(module (func $x) (global $a funcref (ref.func $x)) (global $b funcref (global.get $a))
          (global $c i32 (i32.const 0))
          (func (export "f") (drop (global.get $b))))"""
    )
    graph.export("f", a["f"])
    found = live(graph)
    assert {g.index for g in found.globals} == {0, 1}
    assert indices(found, a) == {0, 1}


def test_tags_live_by_throws_and_catches() -> None:
    graph = CoreGraph()
    a = graph.instance(
        """(module (tag $thrown) (tag $caught) (tag $dead)
          (func (export "f") (block $h (try_table (catch $caught $h) (throw $thrown)))))"""
    )
    graph.export("f", a["f"])
    assert {tag.index for tag in live(graph).tags} == {0, 1}


# --- segments that may trap at instantiation ---------------------------------------------------------------------
@pytest.mark.parametrize(
    ("segment", "kept"),
    [
        ('(data (i32.const 0) "abc")', False),
        ('(data (i32.const 65533) "abc")', False),
        ('(data (i32.const 65536) "")', False),
        ('(data (i32.const 65534) "abc")', True),
        ('(data (i32.const -1) "")', True),
    ],
)
def test_a_dead_memory_stays_if_a_segment_may_trap(segment: str, kept: bool) -> None:
    graph = CoreGraph()
    a = graph.instance(f'(module (memory (export "m") 1) {segment} (func (export "f")))')
    graph.export("f", a["f"])
    found = live(graph)
    assert found.memories == ({a["m"]} if kept else set())
    assert found.data == ({(a.id, 0)} if kept else set())


@pytest.mark.parametrize(("offset", "kept"), [(0, False), (1, False), (2, True)])
def test_a_dead_table_stays_if_a_segment_may_trap(offset: int, kept: bool) -> None:
    graph = CoreGraph()
    a = graph.instance(f'(module (table 3 funcref) (func $x) (elem (i32.const {offset}) $x $x) (func (export "f")))')
    graph.export("f", a["f"])
    found = live(graph)
    assert bool(found.tables) == kept
    assert indices(found, a) == ({0, 1} if kept else {1})


def test_a_segment_of_another_instance_may_trap_too() -> None:
    graph = CoreGraph()
    a = graph.instance('(module (memory (export "m") 1))')
    graph.instance('(module (import "" "m" (memory 1)) (data (i32.const 65536) "x"))', a["m"])
    assert live(graph).memories == {a["m"]}
