"""Both sides of every limit: just inside it fuses, validates and runs; just outside it is refused, and said why.

The table is tests/support/limits/rows.py. What takes minutes inside (a million of something) runs with `-m deep`.
"""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.support.limits.check import check
from tests.support.limits.rows import NAMES, ROWS, Row

TESTS = Path(__file__).resolve().parents[1]

ELSEWHERE = {
    "handle index": "unit/runtime/test_handles_room.py::test_no_table_has_2_to_the_28_rows",
    "room for handles": "unit/runtime/test_handles_room.py::test_a_table_is_full_when_the_memory_cannot_grow",
    "room for borrows": "unit/runtime/test_handles_room.py::test_scopes_and_lenders_need_room_too",
    "locals of an adapter": "unit/merger/test_customs_and_limits.py::test_bodies_locals_and_names_have_limits",
    "discriminant sizes": "unit/cabi/test_layout.py::test_discriminants_have_the_smallest_size_that_tells_cases_apart",
}
"""Limits that no component of bearable size reaches, and the tests that put the part in question next to them."""

BY_NAME = {row.name: row for row in ROWS}


def test_every_limit_has_its_row() -> None:
    assert [row.name for row in ROWS] == list(NAMES)
    assert len(BY_NAME) == len(NAMES)


@pytest.mark.parametrize("place", ELSEWHERE.values(), ids=ELSEWHERE)
def test_limits_that_are_tested_elsewhere_still_are(place: str) -> None:
    path, _, name = place.partition("::")
    functions = ast.parse((TESTS / path).read_text()).body
    assert name in {node.name for node in functions if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("row", [row for row in ROWS if not row.deep], ids=lambda row: row.name)
def test_inside(row: Row) -> None:
    check(row.inside())


@pytest.mark.deep
@pytest.mark.parametrize("row", [row for row in ROWS if row.deep], ids=lambda row: row.name)
def test_inside_with_very_many(row: Row) -> None:
    check(row.inside())


@pytest.mark.deep
@pytest.mark.parametrize("row", [row for row in ROWS if row.deep_outside], ids=lambda row: row.name)
def test_outside_with_very_many(row: Row) -> None:
    check(row.outside())


@pytest.mark.parametrize("row", [row for row in ROWS if not row.deep_outside], ids=lambda row: row.name)
def test_outside(row: Row) -> None:
    check(row.outside())
