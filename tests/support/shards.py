"""Long searches by seed, in shards: what a finished shard found is kept, and it is not run again.

SEARCH_FOLDER is where results lie, so that a search that was ended goes on where it was; without it nothing is kept.
SEARCH_PART=0/2 and 1/2 share one search between two processes. Each prints the sum of its own shards.
"""

from __future__ import annotations

import os
import pickle
import time
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

SHARD = 100
"""Seeds of one shard."""

T = TypeVar("T")


def in_shards(name: str, seeds: range, run: Callable[[range], T]) -> T:
    """The sum of what `run` says of the shards of `seeds`, which is a dataclass of numbers, sets and counters.

    A shard for which `run` raises is not kept. name: of the search, for its files.
    """
    first, _, parts = os.environ.get("SEARCH_PART", "0/1").partition("/")
    folder = os.environ.get("SEARCH_FOLDER")
    shards = [seeds[at : at + SHARD] for at in range(0, len(seeds), SHARD)][int(first) :: int(parts)]
    total = None
    for shard in shards:
        file = None if folder is None else Path(folder) / f"{name}-{shard.start}-{len(shard)}.pickle"
        found = _found(file, shard, run)
        total = found if total is None else joined(total, found)
    assert total is not None, "no shard falls to this part"
    return total


def joined(one: T, other: T) -> T:
    """The sum of two tallies, field by field."""
    summed: dict[str, Any] = {}
    for each in fields(one):  # type: ignore[arg-type]
        a, b = getattr(one, each.name), getattr(other, each.name)
        summed[each.name] = a | b if isinstance(a, set) else a + b
    return type(one)(**summed)


def _found(file: Path | None, shard: range, run: Callable[[range], T]) -> T:
    if file is None:
        return run(shard)
    if not file.exists():
        began = time.monotonic()
        found = run(shard)
        file.parent.mkdir(parents=True, exist_ok=True)
        unfinished = file.with_suffix(f".{os.getpid()}")
        unfinished.write_bytes(pickle.dumps(found))
        unfinished.rename(file)
        print(f"{file.stem}: {(time.monotonic() - began) / len(shard):.2f} s each", flush=True)
    kept: T = pickle.loads(file.read_bytes())
    return kept
