"""Jobs on a Dask cluster that is there already (extra `dask`). We bring inputs and take results; who works, it decides.

An input travels once, whatever the number of jobs that want it: it is a task of its own, called after its hash, whose
result is its bytes. (Scattered data would be gone with the worker that holds it; a task can be done again.) What a dead
worker had in hand, the scheduler gives to another.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from meldpy.batch.jobs import version
from meldpy.batch.model import Failed, Job, Result
from meldpy.batch.work import work
from meldpy.errors import EngineError, LimitError, MeldError, UsageError, as_meld_error

if TYPE_CHECKING:
    from distributed import Client

_PATIENCE: Final = 15
"""Seconds for a scheduler to answer."""


def run_cluster(jobs: Sequence[Job], blobs: Mapping[str, bytes], address: str) -> Iterator[Result]:
    """Results in the order in which they come. blobs: inputs by hash. Raises UsageError without the extra, EngineError
    if there is no cluster, or one with another version."""
    client = _connected(address)
    try:
        _refuse_others(client, address, any(job.options.optimise for job in jobs))
        yield from _results(client, jobs, blobs)
    finally:
        client.close(timeout=_PATIENCE)


def _connected(address: str) -> Client:
    try:
        from distributed import Client
    except ImportError as error:
        raise UsageError("--scheduler needs Dask", remedy="pip install 'meldpy[dask]'") from error
    try:
        return Client(address, timeout=_PATIENCE, set_as_default=False)
    except (OSError, ValueError) as error:
        raise EngineError(
            f"there is no Dask scheduler at {address}",
            causes=(str(error) or type(error).__name__,),
            remedy="start one with `dask scheduler`, and workers with `dask worker ADDRESS`",
        ) from error


def _refuse_others(client: Client, address: str, optimise: bool) -> None:
    """All workers must make the same bytes of the same inputs."""
    ours = version(optimise)
    try:
        theirs: dict[str, Any] = client.run(version, optimise, on_error="return")
    except ValueError as error:  # there is no worker at all
        raise EngineError(f"the cluster at {address} has no workers", remedy="start `dask worker ADDRESS`") from error
    if not theirs:
        raise EngineError(f"the cluster at {address} has no workers", remedy="start `dask worker ADDRESS`")
    for worker, found in theirs.items():
        if found != ours:
            words = f"cannot run meldpy ({found})" if isinstance(found, Exception) else f"has {found}, not {ours}"
            raise EngineError(f"the worker {worker} {words}", remedy="install the same versions where the workers run")


def _results(client: Client, jobs: Sequence[Job], blobs: Mapping[str, bytes]) -> Iterator[Result]:
    from distributed import as_completed

    held = {sum_: client.submit(_itself, data, key=f"meld-input-{sum_}") for sum_, data in blobs.items()}
    futures = {}
    for job in jobs:
        inputs = [held[source.sha256] for source in job.sources]
        futures[client.submit(work, job, inputs, key=f"meld-{job.key}")] = job
    for future in as_completed(list(futures), loop=client.loop):
        job = futures.pop(future)
        try:
            result: Result = future.result()
        except Exception as error:  # what a worker meets in a job, it gives as a result: this is the cluster's
            result = Failed(job.key, _given_up(error))
        future.release()  # its bytes are here now
        yield result


def _given_up(error: Exception) -> MeldError:
    """Why a job has no result at all. What the cluster does not do to jobs is a defect of ours."""
    from distributed import CancelledError, KilledWorker

    match error:
        case KilledWorker():
            return LimitError(
                "the cluster gave it up: every worker that took it died (they may have run out of memory)",
                causes=(str(error),),
                remedy="give the workers more memory, or build it here, without --scheduler",
            )
        case CancelledError() | OSError():
            return EngineError(
                "the cluster was lost before it was done",
                causes=(str(error),),
                remedy="see that the scheduler runs, and run the batch again: what was done is in the cache",
            )
        case _:
            return as_meld_error(error)


def _itself(data: bytes) -> bytes:
    return data
