"""Jobs on processes of this machine. A process that dies takes at worst the job with it that killed it."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context

from meldpy.batch.model import Failed, Job, Result
from meldpy.batch.work import from_files

_AHEAD = 2
"""Jobs in hand for each worker: one that runs and one that waits for it."""


def run_local(jobs: Sequence[Job], workers: int) -> Iterator[Result]:
    """Results in the order in which they come."""
    left = list(reversed(jobs))
    while left:
        suspects = yield from _until_one_dies(left, workers)
        for job in suspects:
            yield _alone(job)


def _until_one_dies(left: list[Job], workers: int) -> Generator[Result, None, list[Job]]:
    """Take jobs from the end of `left` until there are none, or a process died; those that were in hand then."""
    in_hand: dict[Future[Result], Job] = {}
    pool = _pool(min(workers, len(left)))
    try:
        while left or in_hand:
            while left and len(in_hand) < _AHEAD * workers:
                job = left.pop()
                in_hand[pool.submit(from_files, job)] = job
            ready, _ = wait(in_hand, return_when=FIRST_COMPLETED)
            for future in ready:
                result = future.result()
                del in_hand[future]
                yield result
        return []
    except BrokenProcessPool:
        return list(in_hand.values())
    finally:
        pool.shutdown(wait=not in_hand, cancel_futures=True)


def _alone(job: Job) -> Result:
    """One job in a process of its own: if that dies, nothing else can have killed it."""
    with _pool(1) as pool:
        try:
            return pool.submit(from_files, job).result()
        except BrokenProcessPool:
            message = "the process that fused it died (the system may have run out of memory)"
            return Failed(job.key, "LimitError", f"{message}\n  help: fuse it by itself with -v, or with more memory")


def _pool(workers: int) -> ProcessPoolExecutor:
    # A fork would carry threads of the engine over in the middle of what they do.
    return ProcessPoolExecutor(workers, mp_context=get_context("spawn"))
