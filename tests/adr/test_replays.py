"""Promotions are replayed: a fixture fails without what made it run, and is promoted with it."""

from __future__ import annotations

import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from scripts.explore import check
from scripts.explore.adrs import ADR_FOLDER, ROOT, RecordError
from scripts.explore.patches import Patch
from scripts.explore.replay import REPLAYS, load_replays, main, play, stale

FIXTURES = [replay.fixture for replay in load_replays()]


def test_there_are_replays_and_they_fit_the_tree() -> None:
    assert len(set(FIXTURES)) == len(FIXTURES) >= 3
    assert list(stale()) == []


def test_the_smallest_is_replayed() -> None:
    done = CliRunner().invoke(main, ["start-functions"])
    assert done.exit_code == 0, done.output
    at = [done.output.index(text) for text in ("runtime → fuse-only", "cannot be promoted", "promote me", "→ runtime")]
    assert at == sorted(at)
    assert done.output.count("run 3 of 3") == 1
    assert done.output.endswith("(meldpy/merger/plan.py)\n")


@pytest.mark.deep
@pytest.mark.parametrize("fixture", FIXTURES)
def test_each_is_replayed(fixture: str) -> None:
    done = CliRunner().invoke(main, [fixture])
    assert done.exit_code == 0, done.output


def test_a_patch_that_takes_nothing_out_proves_nothing() -> None:
    replay = next(replay for replay in load_replays() if replay.fixture == "start-functions")
    harmless = replace(replay, patches=(Patch("meldpy/merger/plan.py", "_PAGE_LOG2 = 16", "_PAGE_LOG2 = 8 + 8"),))
    with pytest.raises(RecordError, match="demote start-functions: exit code 2, wanted 0"):
        play(harmless, ROOT, lambda line: None)


def test_a_fixture_that_fails_for_another_reason_proves_nothing() -> None:
    replay = next(replay for replay in load_replays() if replay.fixture == "start-functions")
    with pytest.raises(RecordError, match="wanted 0 and 'the moon'"):
        play(replace(replay, because="the moon"), ROOT, lambda line: None)


def test_an_unknown_replay_is_refused() -> None:
    done = CliRunner().invoke(main, ["nothing"])
    assert done.exit_code == 1
    assert f"no replay of nothing; there are {', '.join(FIXTURES)}" in done.output


def test_without_names_they_are_listed() -> None:
    assert [line.partition(":")[0] for line in CliRunner().invoke(main, []).output.splitlines()] == FIXTURES


def test_check_finds_what_is_stale(tmp_path: Path) -> None:
    shutil.copytree(ROOT / ADR_FOLDER, tmp_path / ADR_FOLDER)
    for name in FIXTURES[1:]:
        shutil.copytree(ROOT / "fixtures" / name, tmp_path / "fixtures" / name)
    description = tmp_path / "fixtures" / FIXTURES[1] / "fixture.toml"
    description.write_text(re.sub('stage = "runtime"', 'stage = "fuse-only"\nreason = "x"', description.read_text()))
    for replay in load_replays():
        for patch in replay.patches:
            (tmp_path / patch.file).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / patch.file).write_text(patch.old)
    (tmp_path / load_replays()[2].patches[0].file).write_text("changed")
    gone, low, moved = stale(tmp_path)
    assert gone == f"{REPLAYS}: there is no fixture {FIXTURES[0]}"
    assert low == f"{REPLAYS}: {FIXTURES[1]} is not at runtime"
    assert moved.startswith(f"{REPLAYS}: {FIXTURES[2]}: meldpy/merger/plan.py: the patched text is there 0 times")
    done = CliRunner().invoke(check.main, ["--root", str(tmp_path)])
    assert done.exit_code == 1
    assert gone in done.output
