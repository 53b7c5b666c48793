"""The library has two flavours, and both keep the same rules."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.string_harness import FLAVOUR


@pytest.fixture(scope="module", params=[True, False], ids=["vectors", "scalars"])
def flavour(request: pytest.FixtureRequest) -> Iterator[None]:
    """The string modules in one flavour, then in the other."""
    FLAVOUR.vectors = request.param
    yield
    FLAVOUR.vectors = True
