"""Constant expressions over globals of any instance."""

from __future__ import annotations

import pytest

from meldpy.analysis.constants import Constants
from meldpy.analysis.spaces import spaces_of
from meldpy.model.ids import GlobalId
from tests.support.core_graph import CoreGraph


def value_of(graph: CoreGraph, global_: object) -> int | None:
    linked = graph.graph()
    all_spaces = [spaces_of(linked, instance) for instance in linked.core_instances]
    assert isinstance(global_, GlobalId)
    spaces = all_spaces[global_.instance]
    definition = spaces.module.globals[global_.index - len(spaces.imported_globals)]
    return Constants(all_spaces).value(spaces, definition.init)


@pytest.mark.parametrize(
    ("type_", "expression", "value"),
    [
        ("i32", "(i32.const -1)", (1 << 32) - 1),
        ("i64", "(i64.const -1)", (1 << 64) - 1),
        ("i32", "(i32.add (i32.const -1) (i32.const 3))", 2),
        ("i32", "(i32.sub (i32.const 1) (i32.const 2))", (1 << 32) - 1),
        ("i64", "(i64.mul (i64.const 4294967296) (i64.const 4294967297))", 4294967296),
        ("f64", "(f64.const 1)", None),
        ("funcref", "(ref.null func)", None),
        ("v128", "(v128.const i64x2 1 2)", None),
    ],
)
def test_expressions(type_: str, expression: str, value: int | None) -> None:
    graph = CoreGraph()
    instance = graph.instance(f'(module (global (export "g") {type_} {expression}))')
    assert value_of(graph, instance["g"]) == value


def test_an_imported_global_has_its_definitions_value() -> None:
    graph = CoreGraph()
    first = graph.instance('(module (global (export "g") i32 (i32.const 40)))')
    second = graph.instance(
        '(module (import "" "g" (global $g i32)) (global (export "h") i32 (i32.add (global.get $g) (i32.const 2))))',
        first["g"],
    )
    assert value_of(graph, second["h"]) == 42


def test_a_reference_global_spoils_what_is_made_of_it() -> None:
    graph = CoreGraph()
    instance = graph.instance(
        '(module (global $r externref (ref.null extern)) (global (export "g") externref (global.get $r)))'
    )
    assert value_of(graph, instance["g"]) is None


def test_doubling_chains_cost_one_step_per_global() -> None:
    """2^5000 additions, if each use were evaluated anew; and no deep recursion."""
    graph = CoreGraph()
    chain = "".join(
        f"(global $g{i} i32 (i32.add (global.get $g{i - 1}) (global.get $g{i - 1})))" for i in range(1, 5000)
    )
    instance = graph.instance(f'(module (global $g0 i32 (i32.const 1)) {chain} (export "last" (global $g4999)))')
    assert value_of(graph, instance["last"]) == 0
