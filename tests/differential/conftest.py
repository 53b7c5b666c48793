"""What the differential tests share: the table of known divergences, and the check that no entry has gone silent."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.differential.divergences import Divergences, load

_TABLE = pytest.StashKey[Divergences]()
_RAN = pytest.StashKey[set[str]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_TABLE] = load()
    config.stash[_RAN] = set()


@pytest.fixture
def divergences(request: pytest.FixtureRequest) -> Divergences:
    """The table; an entry that explains a difference is marked as fired."""
    table = request.config.stash[_TABLE]
    for name in (request.node.name, request.node.name.partition("[")[0]):
        request.config.stash[_RAN].add(f"{request.path.name}::{name}")
    return table


@pytest.fixture(autouse=True, scope="session")
def no_silent_divergence(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fails the run's last differential test if an entry's own test ran and the entry explained nothing."""
    yield
    silent = request.config.stash[_TABLE].silent(request.config.stash[_RAN])
    assert not silent, f"divergences.toml lists what no longer happens: {silent}"
