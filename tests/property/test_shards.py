"""A search in shards finds what one run finds, runs no shard twice, and keeps none that failed."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.support.shards import SHARD, in_shards


@dataclass(slots=True)
class Found:
    count: int = 0
    seeds: set[int] = field(default_factory=set)
    digits: Counter[int] = field(default_factory=Counter)


RUNS: list[int] = []


def run(seeds: range) -> Found:
    RUNS.extend(seeds)
    return Found(len(seeds), set(seeds), Counter(seed % 10 for seed in seeds))


@pytest.fixture(autouse=True)
def _no_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SEARCH_FOLDER", raising=False)
    monkeypatch.delenv("SEARCH_PART", raising=False)
    RUNS.clear()


SEEDS = range(7, 7 + 3 * SHARD + 5)


def test_shards_sum_up_to_the_whole() -> None:
    assert in_shards("n", SEEDS, run) == run(SEEDS)


def test_what_was_found_is_not_searched_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEARCH_FOLDER", str(tmp_path / "new"))
    in_shards("n", SEEDS[: 2 * SHARD], run)
    found = in_shards("n", SEEDS, run)
    assert sorted(RUNS) == list(SEEDS)
    assert found.seeds == set(SEEDS)
    assert in_shards("other", SEEDS[:SHARD], run).count == SHARD
    assert len(RUNS) == len(SEEDS) + SHARD


def test_parts_have_no_seed_in_common(monkeypatch: pytest.MonkeyPatch) -> None:
    parts = []
    for part in ("0/2", "1/2"):
        monkeypatch.setenv("SEARCH_PART", part)
        parts.append(in_shards("n", SEEDS, run).seeds)
    assert parts[0] | parts[1] == set(SEEDS)
    assert not parts[0] & parts[1]


def test_a_shard_that_fails_is_searched_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SEARCH_FOLDER", str(tmp_path))

    def fails(seeds: range) -> Found:
        raise AssertionError("a difference")

    with pytest.raises(AssertionError):
        in_shards("n", SEEDS, fails)
    assert in_shards("n", SEEDS, run).count == len(SEEDS)
