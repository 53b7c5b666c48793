"""Every fixture, fused from separate inputs and from a composed one, behaves as the composition does."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from wasmtime import Config

import meldpy
from tests.differential.divergences import Divergences
from tests.support.fixtures import Fixture, all_fixtures, load
from tests.support.harness import Observed, assert_like, concurrency_off, default, observe, pooling
from tests.support.shape import assert_fused_shape

FIXTURES = [
    pytest.param(fixture, id=fixture.name, marks=[pytest.mark.toolchain] if fixture.needs_build else [])
    for fixture in all_fixtures()
]
SMALL = [param for param in FIXTURES if not param.marks]

MakeConfig = Callable[[], Config]


@cache
def composition(name: str, make_config: MakeConfig) -> Observed:
    """What a fixture's composition does under one configuration of the engine: large ones take long to compile."""
    fixture = load(name)
    return observe(fixture.composed(), fixture.calls(), config=make_config())


def check(fixture: Fixture, fused: bytes, make_config: MakeConfig, divergences: Divergences) -> None:
    assert_fused_shape(fused)
    observed = observe(fused, fixture.calls(), config=make_config())
    assert_like(composition(fixture.name, make_config), observed, divergences)


def fuse_separate(fixture: Fixture, directory: Path, *, backwards: bool = False) -> bytes:
    paths = []
    for name, data in fixture.components().items():
        paths.append(directory / f"{name}.wasm")
        paths[-1].write_bytes(data)
    options = meldpy.FuseOptions(links=fixture.links)
    return meldpy.fuse(paths[::-1] if backwards else paths, options).bytes


@pytest.mark.parametrize("fixture", FIXTURES)
def test_composition_does_what_the_fixture_says(fixture: Fixture) -> None:
    fixture.check_expectations(composition(fixture.name, default))


@pytest.mark.parametrize("fixture", FIXTURES)
def test_composed_input_fuses_to_the_same(fixture: Fixture, divergences: Divergences) -> None:
    check(fixture, meldpy.fuse([fixture.composed()]).bytes, default, divergences)


@pytest.mark.parametrize("fixture", FIXTURES)
def test_separate_inputs_fuse_to_the_same(fixture: Fixture, divergences: Divergences, tmp_path: Path) -> None:
    check(fixture, fuse_separate(fixture, tmp_path), default, divergences)


@pytest.mark.parametrize("make_config", [pooling, concurrency_off])
@pytest.mark.parametrize("fixture", SMALL)
def test_other_engine_configurations_show_the_same(
    fixture: Fixture, make_config: MakeConfig, divergences: Divergences
) -> None:
    check(fixture, meldpy.fuse([fixture.composed()]).bytes, make_config, divergences)


@pytest.mark.parametrize("fixture", SMALL)
def test_order_of_inputs_does_not_matter(fixture: Fixture, tmp_path: Path) -> None:
    forward = observe(fuse_separate(fixture, tmp_path), fixture.calls())
    backward = observe(fuse_separate(fixture, tmp_path, backwards=True), fixture.calls())
    assert forward.world == backward.world
    fixture.check_expectations(forward)
    fixture.check_expectations(backward)


@pytest.mark.parametrize("fixture", SMALL)
def test_fused_output_fuses_again(fixture: Fixture, divergences: Divergences, tmp_path: Path) -> None:
    once = fuse_separate(fixture, tmp_path)
    check(fixture, meldpy.fuse([once]).bytes, default, divergences)


@pytest.mark.parametrize("fixture", SMALL)
def test_same_inputs_same_bytes(fixture: Fixture, tmp_path: Path) -> None:
    assert fuse_separate(fixture, tmp_path) == fuse_separate(fixture, tmp_path)


@pytest.mark.parametrize("fixture", [fixture for fixture in all_fixtures() if fixture.links])
def test_ambiguous_inputs_are_not_guessed(fixture: Fixture) -> None:
    with pytest.raises(meldpy.LinkError):
        meldpy.fuse(list(fixture.components().values()))
