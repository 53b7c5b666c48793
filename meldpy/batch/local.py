"""Jobs on processes of this machine. A process that dies takes at worst the job with it that killed it.

Whoever ends us ends our workers: they wait for jobs on a pipe that they hold open themselves, so they would never learn
of it; a thread of theirs does.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Generator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import active_children, get_context, parent_process
from multiprocessing.connection import wait as until_ready
from threading import Thread

from meldpy.batch.model import Failed, Job, Result
from meldpy.batch.work import from_files
from meldpy.errors import LimitError

_AHEAD = 2
"""Jobs in hand for each worker: one that runs and one that waits for it."""


def run_local(jobs: Sequence[Job], workers: int) -> Generator[Result, None, None]:
    """Results in the order in which they come."""
    left = list(reversed(jobs))
    while left:
        suspects = yield from _until_one_dies(left, workers)
        for job in suspects:
            yield _alone(job)


def _until_one_dies(left: list[Job], workers: int) -> Generator[Result, None, list[Job]]:
    """Take jobs from the end of `left` until there are none, or a process died; those that were in hand then."""
    in_hand: dict[Future[Result], Job] = {}
    others = set(active_children())
    pool = _pool(min(workers, len(left)))
    try:
        while left or in_hand:
            while left and len(in_hand) < _AHEAD * workers:
                future = pool.submit(from_files, left[-1])  # if the pool is broken, the job is still in `left`
                in_hand[future] = left.pop()
            ready, _ = wait(in_hand, return_when=FIRST_COMPLETED)
            for future in ready:
                result = future.result()
                del in_hand[future]
                yield result
        return []
    except BrokenProcessPool:
        return list(in_hand.values())
    finally:
        if in_hand:  # nobody waits for these any more
            for process in set(active_children()) - others:
                process.terminate()
        pool.shutdown(cancel_futures=True)


def _alone(job: Job) -> Result:
    """One job in a process of its own: if that dies, nothing else can have killed it."""
    with _pool(1) as pool:
        try:
            return pool.submit(from_files, job).result()
        except BrokenProcessPool:
            reason = "the process that fused it died (the system may have run out of memory)"
            return Failed(job.key, LimitError(reason, remedy="fuse it by itself with -v, or with more memory"))


def _pool(workers: int) -> ProcessPoolExecutor:
    # A fork would carry threads of the engine over in the middle of what they do.
    return ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_end_with_parent)


def _end_with_parent() -> None:
    """In a worker. Ctrl-C goes to all processes of a terminal: the parent says so, and we end when it does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    Thread(target=_wait_for_parent, daemon=True).start()


def _wait_for_parent() -> None:
    parent = parent_process()
    assert parent is not None, "a worker has a parent"
    until_ready([parent.sentinel])
    os._exit(1)
