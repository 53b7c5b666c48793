"""A search in shards: each has a corpus of its own, and is not run again where its results lie already."""

from __future__ import annotations

import json
import time
from pathlib import Path

from tests.support.hostile.pool import Pool
from tests.support.hostile.tally import Tally

SHARD = 2_000
"""Inputs of one shard."""
_GENERATED = 24
"""Generated components in the corpus of one shard."""


def search(seed: str, inputs: int, folder: Path, part: tuple[int, int] = (0, 1), *, say: bool = False) -> Tally:
    """Runs `inputs` cases, of which (i, n) takes every n-th shard from the i-th on; the numbers of all.

    `folder` gets a file for each finished shard, and a folder for each violation.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tally = Tally()
    with Pool(folder) as pool:
        for shard in range(part[0], -(-inputs // SHARD), part[1]):
            size = min(SHARD, inputs - shard * SHARD)
            done = folder / f"shard-{seed}-{shard}-{size}.json"
            if not done.exists():
                began = time.monotonic()
                found = Tally()
                for answer in pool.run(f"{seed}-{shard}", _GENERATED, range(size)):
                    found.add(answer)
                done.write_text(json.dumps(found.data()) + "\n")
                if say:
                    rate = size / (time.monotonic() - began)
                    print(f"shard {shard}: {rate:.0f} inputs/s", *found.violations, sep="\n  ", flush=True)
            tally.join(json.loads(done.read_text()))
    return tally
