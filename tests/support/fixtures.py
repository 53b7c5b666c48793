"""The repository's own fixtures, for tests; reading and running them is meldpy's (meldpy/fixture)."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from wasmtime import Config, Engine

from meldpy.engine.observe import Observed
from meldpy.fixture import Fixture, load_all
from meldpy.fixture import load as load_directory
from meldpy.fixture.scenario import run_scenario

ROOT = Path(__file__).resolve().parents[2] / "fixtures"


@cache
def load(name: str) -> Fixture:
    return load_directory(ROOT / name)


@cache
def all_fixtures() -> tuple[Fixture, ...]:
    return tuple(load_all(ROOT))


def observe_under(fixture: Fixture, binary: bytes, config: Config) -> Observed:
    """The fixture's scenario, played on `binary` by an engine of this configuration."""
    return run_scenario(fixture, binary, Engine(config))
