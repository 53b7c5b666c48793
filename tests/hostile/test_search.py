"""Random hostile inputs: each ends in an error or in valid output, quickly, in little memory, and leaves nothing.

The long search, in shards that are not run again where their results lie already (HOSTILE_PART=0/2 and 1/2 share it):

    HOSTILE_INPUTS=200000 HOSTILE_FOLDER=DIR python -m pytest -s -m deep tests/hostile/test_search.py
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.hostile.cases import MUTATORS
from tests.support.hostile.search import search

QUICK = 900
"""Inputs of the quick search: some ten seconds."""


def test_some_hostile_inputs(tmp_path: Path) -> None:
    tally = search("quick", QUICK, tmp_path)
    assert not tally.violations, str(tally)
    assert tally.count == QUICK
    assert tally.decoded > QUICK / 2
    assert {mutator for mutator, _ in tally.stages} == set(MUTATORS)
    reached = {stage for _, stage in tally.stages}
    assert {"decode", "validate", "resolve", "written"} <= reached
    written = set(tally.written)
    assert {True, False} == {"--memory single" in command for command in written if "--core" in command}


@pytest.mark.deep
def test_many_hostile_inputs(tmp_path: Path) -> None:
    inputs = int(os.environ.get("HOSTILE_INPUTS", "20000"))
    folder = Path(os.environ.get("HOSTILE_FOLDER", str(tmp_path)))
    first, _, parts = os.environ.get("HOSTILE_PART", "0/1").partition("/")
    seed = os.environ.get("HOSTILE_SEED", "1")
    tally = search(seed, inputs, folder, (int(first), int(parts)), say=True)
    print(tally)
    assert not tally.violations
    assert tally.decoded * 2 > tally.count
