"""The fixtures notice a broken fuser: each mutation of adapters, runtime library and merger makes some of them fail.

A mutant must be *silently* wrong to count: what it emits for the fixtures that catch it is valid, and so is most of
what it emits at all. `tests/support/broken/mutations.toml` has the mutants, and who catches which.
"""

from __future__ import annotations

import os
import shutil
import tomllib
from pathlib import Path

import pytest

from meldpy.fixture import Stage
from scripts.explore.adrs import RecordError
from scripts.explore.patches import Patch
from tests.differential.test_core_api import DIRECT
from tests.support.broken import ROOT, Mutation, copy_of_the_fuser, mutations, play, run_python
from tests.support.fixtures import all_fixtures

MUTATIONS = [pytest.param(mutation, id=mutation.name) for mutation in mutations()]
SAMPLE = ("chars", "flags", "hello", "instantiated-twice", "records", "resource-basics", "start-functions")
"""Small fixtures with little in common, to count valid output."""
AT_RUNTIME = [f.name for f in all_fixtures() if f.stage is Stage.RUNTIME and not f.needs_build]


def named(name: str) -> Mutation:
    return next(mutation for mutation in mutations() if mutation.name == name)


def test_every_part_is_mutated() -> None:
    parts = [mutation.patch.file.split("/")[1] for mutation in mutations()]
    assert len({mutation.name for mutation in mutations()}) == len(parts) >= 10
    assert min(parts.count(part) for part in ("adapter", "runtime", "merger", "core_output")) >= 3


def test_an_unbroken_copy_passes(tmp_path: Path) -> None:
    """What the mutants are blamed for is their mutation's fault."""
    copy = copy_of_the_fuser(tmp_path, None)
    scenes = sorted({name for mutation in mutations() for name in mutation.scenes})
    for memory in (None, "separate", "single"):
        some = [mutation.caught_by for mutation in mutations() if mutation.memory == memory]
        names = sorted({*SAMPLE, *(name for caught_by in some for name in caught_by)})
        played = play(copy, names, scenes if memory is None else (), memory)
        assert {name: each.fault for name, each in played.items() if not each.valid or each.fault} == {}


@pytest.mark.parametrize("mutation", MUTATIONS)
def test_fixtures_catch_the_mutant(mutation: Mutation, tmp_path: Path) -> None:
    assert mutation.caught_by or mutation.scenes
    sample = SAMPLE if mutation.caught_by else ()  # what only scenes run is in none of them
    names = [*{*sample, *mutation.caught_by}]
    played = play(copy_of_the_fuser(tmp_path, mutation), names, mutation.scenes, mutation.memory)
    noticed = [*mutation.caught_by, *(f"scene {name}" for name in mutation.scenes)]
    assert [name for name in noticed if not played[name].silently_wrong] == []
    valid = [name for name in sample if played[name].valid]
    assert len(valid) * 2 >= len(sample), "the mutant's output is invalid more often than not: nothing silent"


@pytest.mark.deep
@pytest.mark.parametrize("mutation", MUTATIONS)
def test_all_fixtures_beside_the_mutant(mutation: Mutation, tmp_path: Path) -> None:
    """Every committed fixture at runtime. With MELDPY_MUTANTS=FILE, who catches whom is appended to that file."""
    names = AT_RUNTIME if mutation.memory is None else DIRECT
    played = play(copy_of_the_fuser(tmp_path, mutation), names, memory=mutation.memory)
    caught = [name for name, each in played.items() if each.silently_wrong]
    assert set(mutation.caught_by) <= set(caught)
    assert sum(each.valid for each in played.values()) > len(names) / 2
    if report := os.environ.get("MELDPY_MUTANTS"):
        invalid = sum(not each.valid for each in played.values())
        with Path(report).open("a") as file:
            file.write(f"{mutation.name}: {len(caught)} of {len(names)}, {invalid} invalid: {' '.join(caught)}\n")


def test_a_broken_fuser_demotes_a_fixture(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "fixtures/post-return", tmp_path / "fixtures/post-return")
    broken = copy_of_the_fuser(tmp_path / "broken", named("post-return-skipped"))

    def meld(command: str) -> int:
        folder = tmp_path / "fixtures"
        return run_python(broken, "-m", "meldpy", "fixture", command, "post-return", "--dir", folder).returncode

    assert meld("run") == 1
    assert meld("demote") == 0
    demoted = tomllib.loads((tmp_path / "fixtures/post-return/fixture.toml").read_text())
    assert demoted["stage"] == "fuse-only"
    assert demoted["reason"].startswith("the fused form behaves differently; call 2, freed: outcome differs; composed:")
    assert meld("run") == 0


# --- patches ----------------------------------------------------------------------------------------------------------
def test_a_patch_wants_its_text_once() -> None:
    assert Patch("f", "b", "c").applied_to("abd") == "acd"
    for text in ("ad", "abbd"):
        with pytest.raises(RecordError, match="f: the patched text is there"):
            Patch("f", "b", "c").applied_to(text)
    with pytest.raises(RecordError, match="changes nothing"):
        Patch("f", "b", "b").applied_to("abd")


def test_a_patch_is_taken_back(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("abd")
    patch = Patch("f", "b", "c")
    patch.apply(tmp_path)
    assert (tmp_path / "f").read_text() == "acd"
    patch.undo(tmp_path)
    assert (tmp_path / "f").read_text() == "abd"
