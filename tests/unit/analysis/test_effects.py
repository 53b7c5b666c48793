"""Who may throw and who may leave: by direct calls, through tables, through references."""

from __future__ import annotations

import pytest

from meldpy.analysis import analyse
from tests.support.core_graph import CoreGraph, scan_module


def effects_of(*parts: str, outside: bool = False) -> tuple[bool, bool]:
    """(may throw, may leave) of the export `f` of a module that has `parts`; `$out` is a host function if `outside`."""
    graph = CoreGraph()
    imports = '(import "" "out" (func $out))' if outside else ""
    arguments = [graph.host("out")] if outside else []
    a = graph.instance(f"(module (type $v (func)) {imports} (tag $e) {' '.join(parts)})", *arguments)
    graph.export("f", a["f"])
    facts = analyse(graph.graph(), scan_module)
    return a["f"] in facts.may_throw, a["f"] in facts.may_leave


THROWER = "(func $t (throw $e))"
LEAVER = "(func $t (call $out))"
TABLE = "(table $tab 1 funcref) (elem (table $tab) (i32.const 0) func $t)"
CALL_TABLE = '(func (export "f") (call_indirect $tab (type $v) (i32.const 0)))'

COMPUTED = (
    '(func (export "f") (call_indirect $tab (type $v) (global.get $slot))) (global $slot (mut i32) (i32.const 0))'
)

WAYS = {
    "itself": ('(func (export "f") {it})',),
    "a call": ("(func $t {it})", '(func (export "f") (call $t))'),
    "a tail call": ("(func $t {it})", '(func (export "f") (return_call $t))'),
    "two calls": ("(func $t {it})", "(func $m (call $t))", '(func (export "f") (call $m))'),
    "a circle": ("(func $t {it} (call $g))", "(func $g (call $t))", '(func (export "f") (call $g))'),
    "a table": ("(func $t {it})", TABLE, COMPUTED),
    "a jump, being one": ("(func $t {it})", TABLE, CALL_TABLE),
    "a jump, calling one": (
        "(func $t {it})",
        TABLE,
        '(func $j (call_indirect $tab (type $v) (i32.const 0))) (func (export "f") (call $j))',
    ),
    "a tail call through a table": ("(func $t {it})", TABLE, COMPUTED.replace("call_ind", "return_call_ind")),
    "a table with expressions": (
        "(func $t {it})",
        "(table $tab 1 funcref) (elem (table $tab) (i32.const 0) funcref (ref.func $t))",
        COMPUTED,
    ),
    "a table whose item is a global": (
        "(func $t {it}) (global $g funcref (ref.func $t))",
        "(table $tab 1 funcref) (elem (table $tab) (i32.const 0) funcref (global.get $g))",
        COMPUTED,
    ),
    "a table that code writes": (
        "(func $t {it}) (elem declare func $t)",
        '(table $tab 1 funcref) (func (export "f") (table.set $tab (i32.const 0) (ref.func $t))',
        "(call_indirect $tab (type $v) (i32.const 0)))",
    ),
    "a table that is initialised as a whole": (
        "(func $t {it})",
        "(table $tab 1 funcref (ref.func $t))",
        COMPUTED,
    ),
    "a table that is filled from a passive segment": (
        "(func $t {it})",
        '(table $tab 1 funcref) (elem $p func $t) (func (export "f")',
        "(table.init $tab $p (i32.const 0) (i32.const 0) (i32.const 1)) (call_indirect $tab (type $v) (i32.const 0)))",
    ),
    "a reference": ("(func $t {it}) (elem declare func $t)", '(func (export "f") (call_ref $v (ref.func $t)))'),
    "a reference in a global": (
        "(func $t {it}) (global $g (ref $v) (ref.func $t))",
        '(func (export "f") (call_ref $v (global.get $g)))',
    ),
}


@pytest.mark.parametrize("parts", WAYS.values(), ids=WAYS)
def test_throwing_through(parts: tuple[str, ...]) -> None:
    assert effects_of(*(part.replace("{it}", "(throw $e)") for part in parts)) == (True, False)


@pytest.mark.parametrize("parts", WAYS.values(), ids=WAYS)
def test_leaving_through(parts: tuple[str, ...]) -> None:
    assert effects_of(*(part.replace("{it}", "(call $out)") for part in parts), outside=True) == (False, True)


@pytest.mark.parametrize("parts", WAYS.values(), ids=WAYS)
def test_neither(parts: tuple[str, ...]) -> None:
    """The proof exists: what reaches nothing is said to reach nothing."""
    assert effects_of(*(part.replace("{it}", "nop") for part in parts)) == (False, False)


def test_throw_ref_throws() -> None:
    assert effects_of('(func (export "f") (throw_ref (ref.null exn)))') == (True, False)


def test_a_catch_is_not_believed() -> None:
    """Whether it catches everything is not looked at: the safe side."""
    body = '(func (export "f") (block $h (try_table (catch_all $h) (throw $e))))'
    assert effects_of(body) == (True, False)


def test_calling_out_does_not_throw() -> None:
    """An exception becomes a trap at the boundary."""
    assert effects_of('(func (export "f") (call $out))', outside=True) == (False, True)


def test_a_lower_in_a_table_leaves() -> None:
    body = "(table $tab 1 funcref) (elem (table $tab) (i32.const 0) func $out)"
    assert effects_of(body, COMPUTED, outside=True) == (False, True)


def test_another_instance_fills_the_table() -> None:
    graph = CoreGraph()
    a = graph.instance(
        """(module (type $v (func)) (table (export "t") 1 funcref)
          (func (export "f") (param i32) (call_indirect (type $v) (local.get 0))))"""
    )
    graph.instance(
        '(module (tag $e) (import "" "t" (table 1 funcref)) (func $x (throw $e)) (elem (i32.const 0) $x))', a["t"]
    )
    graph.export("f", a["f"])
    assert a["f"] in analyse(graph.graph(), scan_module).may_throw


def test_a_function_in_another_table_is_not_called_through_this_one() -> None:
    others = "(table $other 1 funcref) (elem (table $other) (i32.const 0) func $t)"
    use = '(func (export "g") (call_indirect $other (type $v) (i32.const 0)))'
    mine = "(table $tab 1 funcref) (func $ok) (elem (table $tab) (i32.const 0) func $ok)"
    assert effects_of(THROWER, others, use, mine, COMPUTED) == (False, False)


def test_two_instances_of_one_module_have_effects_of_their_own() -> None:
    graph = CoreGraph()
    module = graph.module('(module (import "" "x" (func $x)) (func (export "f") (call $x)))')
    thrower = graph.instance('(module (tag $e) (func (export "x") (throw $e)))')
    quiet = graph.instance('(module (func (export "x")))')
    first, second = graph.instance(module, thrower["x"]), graph.instance(module, quiet["x"])
    graph.export("a", first["f"])
    graph.export("b", second["f"])
    facts = analyse(graph.graph(), scan_module)
    assert first["f"] in facts.may_throw
    assert second["f"] not in facts.may_throw


def test_a_jump_that_is_looked_through_still_leaves() -> None:
    graph = CoreGraph()
    out = graph.host("out")
    shim = graph.instance(
        '(module (type $v (func)) (table (export "t") 1 1 funcref) '
        '(func (export "0") (call_indirect (type $v) (i32.const 0))))'
    )
    user = graph.instance('(module (import "" "0" (func $z)) (func (export "f") (call $z)))', shim["0"])
    graph.instance(
        '(module (import "" "f" (func $f)) (import "" "t" (table 1 1 funcref)) (elem (i32.const 0) $f))', out, shim["t"]
    )
    graph.export("f", user["f"])
    facts = analyse(graph.graph(), scan_module)
    assert shim["0"] in facts.forwards
    assert user["f"] in facts.may_leave
    assert user["f"] not in facts.may_throw
