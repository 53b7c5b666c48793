"""A batch: what is in the cache at once, the rest by whoever works, each result kept as it comes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import final

from meldpy.batch.cache import Cache
from meldpy.batch.local import run_local
from meldpy.batch.model import Done, Job, Result
from meldpy.records import dataclass


@final
@dataclass(frozen=True, slots=True)
class Finished:
    """cached: it was done before."""

    result: Result
    cached: bool


def run(
    jobs: Sequence[Job],
    cache: Cache | None,
    *,
    workers: int = 1,
    scheduler: str | None = None,
    blobs: Mapping[str, bytes] | None = None,
) -> Iterator[Finished]:
    """Each key once, as it is done. blobs: inputs by hash, which a `scheduler` wants."""
    once = {job.key: job for job in jobs}
    left = []
    for key, job in once.items():
        known = None if cache is None else cache.get(key)
        if known is not None:
            yield Finished(known, True)
        else:
            left.append(job)
    if not left:
        return
    results: Iterator[Result]
    if scheduler is None:
        results = run_local(left, workers)
    else:
        from meldpy.batch.cluster import run_cluster

        assert blobs is not None
        wanted = {source.sha256 for job in left for source in job.sources}
        results = run_cluster(left, {sum_: data for sum_, data in blobs.items() if sum_ in wanted}, scheduler)
    for result in results:
        if cache is not None and isinstance(result, Done):
            cache.put(result)
        yield Finished(result, False)
