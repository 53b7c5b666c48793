"""A host's core for each test, closed at its end."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from meldpy.host.core import Core


@pytest.fixture
def core() -> Iterator[Core]:
    made = Core(None)
    yield made
    made.close(grace=1)


@pytest.fixture
def kept_core(tmp_path: Path) -> Iterator[Core]:
    made = Core(tmp_path / "store")
    yield made
    made.close(grace=1)
