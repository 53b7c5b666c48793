"""Where the engine writes the events of an async output: a place that the output has anyway."""

from __future__ import annotations

import pytest

import meldpy
from meldpy.binary.decode import decode_component
from meldpy.fixture.files import inside
from meldpy.model.component import CoreModuleSection
from tests.support.fixtures import load


def memories(data: bytes) -> int:
    sections = decode_component(data, "it").sections
    return sum(len(each.module.memories) for each in sections if isinstance(each, CoreModuleSection))


@pytest.mark.parametrize(("fixture", "guests"), [("async-calls", 2), ("async-c", 2)])
def test_an_async_output_with_nothing_to_translate_at_its_edge_has_one_memory_of_ours(
    fixture: str, guests: int
) -> None:
    assert memories(meldpy.fuse([inside(load(fixture))]).bytes) == guests + 1
