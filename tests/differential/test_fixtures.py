"""Every fixture has the stage that it claims, in each input form, and no better one (`meldpy.fixture.prove`).

Beyond its stage, a fixture at runtime that is committed runs the same under other configurations of the engine, from
inputs in another order, and when it is fused a second time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from wasmtime import Config

import meldpy
from meldpy.fixture import Fixture, FixtureError, Form, Stage, table
from meldpy.fixture.compare import compare
from meldpy.fixture.files import components, composed, outsiders
from meldpy.fixture.outside import surround
from meldpy.fixture.prove import fuse, show_stage
from meldpy.fixture.scenario import check_scenario, run_scenario, same
from meldpy.fixture.shape import shape_faults
from meldpy.pipeline import FuseOptions
from tests.support.fixtures import ROOT, all_fixtures, observe_under
from tests.support.harness import concurrency_off, pooling


def items(*, form: Form | None = None, stage: Stage | None = None) -> Iterator[object]:
    """Parameters: each fixture in each of its input forms."""
    for fixture in all_fixtures():
        if stage is not None and fixture.stage is not stage:
            continue
        marks = [pytest.mark.toolchain] if fixture.needs_build else []
        for each in fixture.forms:
            if form is None or each is form:
                yield pytest.param(fixture, each, id=f"{fixture.name}-{fixture.stage.value}-{each.value}", marks=marks)


AT_RUNTIME = [f for f in all_fixtures() if f.stage is Stage.RUNTIME and not f.needs_build]
SMALL = [pytest.param(fixture, id=fixture.name) for fixture in AT_RUNTIME]
REFUSED_BY_ENGINE = {
    ("core-proposals", pooling),  # three memories in one guest module
    ("fixed-length-lists", pooling),  # a feature that has no setter
    ("fixed-length-lists", concurrency_off),
    ("async-unused", concurrency_off),  # the composition; the fused form has nothing async
    ("async-c", concurrency_off),
    ("async-calls", concurrency_off),
    ("async-rust", concurrency_off),
    ("async-rust-chain", concurrency_off),
    ("async-host", concurrency_off),
}
"""What the engine itself refuses."""
SEPARATE = [pytest.param(fixture, id=fixture.name) for fixture in AT_RUNTIME if Form.SEPARATE in fixture.forms]


def outside(fixture: Fixture, fused: bytes) -> bytes:
    """The fused form with the components around it that a fixture keeps out of the fuse."""
    return surround(fixture, fused, outsiders(fixture))


@pytest.mark.parametrize(("fixture", "form"), list(items()))
def test_fixture_has_its_stage(fixture: Fixture, form: Form) -> None:
    show_stage(fixture, form)


@pytest.mark.parametrize(("fixture", "form"), list(items(stage=Stage.REFUSED)))
def test_what_is_refused_flat_runs_beside_a_rest(fixture: Fixture, form: Form) -> None:
    fused = fuse(fixture, form, options=FuseOptions()).bytes
    observed = run_scenario(fixture, surround(fixture, fused, outsiders(fixture)))
    check_scenario(fixture, observed)
    assert not compare(run_scenario(fixture, composed(fixture)), observed, same)


@pytest.mark.parametrize("make_config", [pooling, concurrency_off])
@pytest.mark.parametrize("fixture", SMALL)
def test_other_engine_configurations_show_the_same(fixture: Fixture, make_config: Callable[[], Config]) -> None:
    if (fixture.name, make_config) in REFUSED_BY_ENGINE:
        with pytest.raises(FixtureError, match="cannot be run"):
            observe_under(fixture, composed(fixture), make_config())
        return
    composition = observe_under(fixture, composed(fixture), make_config())
    fused = observe_under(fixture, outside(fixture, fuse(fixture, fixture.forms[0]).bytes), make_config())
    assert not compare(composition, fused, same)
    check_scenario(fixture, fused)


@pytest.mark.parametrize("fixture", SEPARATE)
def test_order_of_inputs_does_not_matter(fixture: Fixture) -> None:
    forward = run_scenario(fixture, fuse(fixture, Form.SEPARATE).bytes)
    backward = run_scenario(fixture, fuse(fixture, Form.SEPARATE, backwards=True).bytes)
    assert forward.world == backward.world
    check_scenario(fixture, backward)


@pytest.mark.parametrize("fixture", SMALL)
def test_fused_output_fuses_again(fixture: Fixture) -> None:
    once = fuse(fixture, fixture.forms[0]).bytes
    twice = meldpy.fuse([once]).bytes
    assert not shape_faults(twice)
    first, second = (run_scenario(fixture, outside(fixture, each)) for each in (once, twice))
    assert not compare(first, second, same)


@pytest.mark.parametrize("fixture", SMALL)
def test_same_inputs_same_bytes(fixture: Fixture) -> None:
    assert fuse(fixture, fixture.forms[0]).bytes == fuse(fixture, fixture.forms[0]).bytes


@pytest.mark.parametrize("fixture", [fixture for fixture in all_fixtures() if fixture.links])
def test_ambiguous_inputs_are_not_guessed(fixture: Fixture) -> None:
    with pytest.raises(meldpy.LinkError):
        meldpy.fuse(list(components(fixture).values()))


def test_the_table_of_fixtures_is_current() -> None:
    readme = (ROOT / "README.md").read_text()
    assert table.with_table(readme, table.markdown(all_fixtures()), "README.md") == readme, (
        "`meld fixture list --update fixtures/README.md` writes it"
    )
