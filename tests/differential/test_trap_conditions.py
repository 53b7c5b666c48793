"""Each trap condition of the Canonical ABI, reached through a fused boundary, and its neighbours that must not trap.

The conditions are tests/differential/traps/conditions.toml, their cases are made in tests/support/trapcases.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from meldpy.adapter.traps import Trap
from tests.differential.divergences import Divergences
from tests.support.trapcases import lengths, readme, refused, spec
from tests.support.trapcases.case import Case, Step, forms, judge
from tests.support.trapcases.chained import COMPOSITION
from tests.support.trapcases.handles import RETURNED_BORROW
from tests.support.trapcases.registry import cases
from tests.support.trapcases.table import README, read

TABLE = read()


def problems(chosen: list[Case], divergences: Divergences) -> list[str]:
    return [f"{case.name}: {text}" for case in chosen for text in case.problems(divergences)]


@pytest.mark.parametrize("id", TABLE.positions)
def test_condition(id: str, divergences: Divergences) -> None:
    found = problems(cases()[id], divergences)
    assert not found, f"{len(found)} problems:\n" + "\n".join(found[:10])


def test_a_borrow_that_is_returned_as_own_is_not_owned(divergences: Divergences) -> None:
    chosen = [case for case in cases()["lift-own-borrowed"] if case.position.startswith("result")]
    assert not problems(chosen, divergences)
    assert RETURNED_BORROW in divergences.fired


@pytest.mark.parametrize("what", [row.what for row in TABLE.refused])
def test_what_is_refused(what: str) -> None:
    [row] = [row for row in TABLE.refused if row.what == what]
    assert row.canon or row.forms
    assert not list(refused.problems(row))


@pytest.mark.deep
@pytest.mark.parametrize("export", ["take", "give"])
@pytest.mark.parametrize("shape", lengths.SHAPES)
@pytest.mark.parametrize("value", lengths.VALUES, ids=lambda value: value.name)
def test_the_longest_value_crosses_and_one_more_unit_is_too_long(
    value: lengths.Long, shape: str, export: str, divergences: Divergences
) -> None:
    """Params (take) and results (give)."""
    assert not judge(forms(lengths.composition(value, shape)), lengths.steps(value, export), divergences)


# --- the table --------------------------------------------------------------------------------------------------------
def test_every_position_of_the_table_has_a_case_and_every_case_a_position() -> None:
    made = {id: {case.position for case in found} for id, found in cases().items()}
    assert made == {id: set(positions) for id, positions in TABLE.positions.items()}


def test_every_position_has_a_call_that_traps_and_one_that_returns() -> None:
    neighbours = {row.id for row in TABLE.neighbours}
    for id, positions in TABLE.positions.items():
        for position in positions:
            here = [case for case in cases()[id] if case.position == position]
            assert sum(case.returning for case in here), (id, position)
            assert (sum(case.trapping for case in here) > 0) == (id not in neighbours), (id, position)


def test_the_table_has_every_trap_that_adapters_emit() -> None:
    by_the_engine = {"cannot enter component instance"}  # after a trap
    covered = {row.trap for row in TABLE.conditions}
    no_rule = {Trap.CANCEL_WAITS}  # where one stack is not enough: test_async_cancels.py
    assert covered == {trap.value for trap in Trap if trap not in no_rule} | by_the_engine


def test_values_are_tried_in_params_and_results_at_the_top_and_nested() -> None:
    groups = TABLE.groups
    for name in ("values", "stored", "flat"):
        sides = [position.split(": ") for position in groups[name]]
        assert {"params", "result"} == {side for side, _ in sides}
        assert len({shape for side, shape in sides if side == "params"} - {"top"}) > 3
        assert len({shape for side, shape in sides if side == "result"}) > 1
    for row in TABLE.conditions:
        if row.section in ("Loading", "Storing") and not row.id.startswith("lift-borrow"):
            nested = {position.split(": ")[0].split()[0] for position in row.positions if "top" not in position}
            assert nested == {"params", "result"} or row.id == "lift-own-lent", row.id


def test_tests_elsewhere_exist() -> None:
    for test in [row.test for row in TABLE.elsewhere] + [test for row in TABLE.conditions for test in row.also]:
        file, name = test.split("::")
        assert f"def {name}(" in Path(__file__).with_name(file).read_text(), test


def test_the_readme_is_up_to_date() -> None:
    assert README.read_text() == readme.text(), "run python -m tests.differential.traps --update"


# --- the judgement ----------------------------------------------------------------------------------------------------
def test_what_goes_otherwise_is_noticed(divergences: Divergences) -> None:
    built = forms(COMPOSITION)
    right = Step("one", (2,), trap="uncaught exception")
    assert not judge(built, [right], divergences)
    for wrong in (
        Step("one", (2,), trap="invalid char"),
        Step("one", (2,), returns=1),
        Step("one", (0,), trap="uncaught exception"),
        Step("one", (0,), returns=2),
        Step("one", (2,), trap="uncaught exception", divergence="own-lift-lowered"),
    ):
        assert judge(built, [wrong], divergences), wrong


def test_a_trap_of_the_spec_without_a_row_is_noticed() -> None:
    source = "def f(x):\n  trap_if(x)\n  if x:\n    trap()\ndef g():\n  def h():\n    trap()\n"
    assert list(spec.traps(source)) == ["f 1", "f 2", "g.h 1"]
    found = spec.differences(TABLE, source)
    assert "no row for f 2" in found
    assert "no such trap: convert_i32_to_char 1" in found
