"""What `-O` makes of a fused module does what the composition does: fixtures, trap conditions, and core outputs.

Each fixture costs a run of wasm-opt of some seconds, so those of `EVERY_RUN` are played always (strings, lists, every
way of resources, async, exceptions, start functions, a host), and all of them with `-m deep`. Likewise the conditions
of the trap table (tests/differential/traps): those of `CONDITIONS_EVERY_RUN` always.
"""

from __future__ import annotations

import os

import pytest

import meldpy
from meldpy.fixture import Fixture, Form, Stage
from meldpy.fixture.compare import compare
from meldpy.fixture.files import composed, outsiders
from meldpy.fixture.outside import surround
from meldpy.fixture.prove import fuse
from meldpy.fixture.scenario import check_scenario, run_scenario, same
from meldpy.fixture.shape import shape_faults
from meldpy.pipeline import FuseOptions
from tests.differential.divergences import Divergences
from tests.support.binaryen import folder_of_wasm_opt
from tests.support.core_output import core_of
from tests.support.core_scenario import Player
from tests.support.fixtures import all_fixtures, load
from tests.support.trapcases.case import FUSING
from tests.support.trapcases.registry import cases
from tests.support.trapcases.table import read

EVERY_RUN = (
    "async-calls",
    "exceptions",
    "forbidden-moments",
    "geometry",
    "host-functions",
    "resource-misuse",
    "start-functions",
    "strings-utf16",
    "variants",
)
DEEP = [
    fixture.name
    for fixture in all_fixtures()
    if fixture.stage is Stage.RUNTIME and not fixture.needs_build and fixture.name not in EVERY_RUN
]

CONDITIONS_EVERY_RUN = ("boundary-full", "lift-own-lent", "throw-callee")
CONDITIONS = read().positions

pytestmark = pytest.mark.toolchain


@pytest.fixture(autouse=True)
def wasm_opt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{folder_of_wasm_opt()}{os.pathsep}{os.environ['PATH']}")


def optimised(fixture: Fixture, form: Form | None = None) -> bytes:
    return fuse(fixture, form or fixture.forms[0], options=FuseOptions(flat=True, optimise=True)).bytes


@pytest.mark.parametrize("name", [*EVERY_RUN, *(pytest.param(name, marks=pytest.mark.deep) for name in DEEP)])
def test_an_optimised_fixture_does_what_the_composition_does(name: str) -> None:
    """Results, traps with their kinds and places, and calls of the host."""
    fixture = load(name)
    made = optimised(fixture)
    observed = run_scenario(fixture, surround(fixture, made, outsiders(fixture)))
    assert not compare(run_scenario(fixture, composed(fixture)), observed, same)
    check_scenario(fixture, observed)
    assert not shape_faults(made)
    assert len(made) < len(fuse(fixture, fixture.forms[0]).bytes)


@pytest.mark.parametrize(
    "id", [id if id in CONDITIONS_EVERY_RUN else pytest.param(id, marks=pytest.mark.deep) for id in CONDITIONS]
)
def test_an_optimised_composition_traps_by_the_same_rule(
    id: str, divergences: Divergences, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every case of the condition, and its neighbours that must not trap."""
    monkeypatch.setattr(FUSING, "optimise", True)
    found = [f"{case.name}: {text}" for case in cases()[id] for text in case.problems(divergences)]
    assert not found, f"{len(found)} problems:\n" + "\n".join(found[:10])


def test_the_same_inputs_give_the_same_bytes() -> None:
    assert optimised(load("geometry")) == optimised(load("geometry"))


def test_an_optimised_output_is_fused_and_optimised_again() -> None:
    """Trap functions of the first time are guests' functions now, with a longer name, and still told apart."""
    fixture = load("resource-misuse")
    twice = meldpy.fuse([optimised(fixture)], FuseOptions(flat=True, optimise=True)).bytes
    assert not compare(run_scenario(fixture, composed(fixture)), run_scenario(fixture, twice), same)


@pytest.mark.parametrize(("memory", "features"), [("separate", ""), ("single", "wazero")])
def test_an_optimised_core_output_does_what_the_fixture_says(memory: str, features: str) -> None:
    """With a target: nothing beyond it comes in, and what had been said otherwise for it stays so."""
    made = core_of(load("variants"), memory=memory, features=features, optimise=True)
    plain = core_of(load("variants"), memory=memory, features=features)
    assert len(made) < len(plain)
    assert not Player(made, load("variants")).play()
