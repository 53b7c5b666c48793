"""All jobs of a host: those that run, and what can be done with any."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import final

from meldpy.host.faults import StateError, TimedOut
from meldpy.host.jobs.run import GRACE, JobRun
from meldpy.host.jobs.store import JobKind, JobRow, JobStatus, JobStore
from meldpy.host.lifecycle.plan import ModulePlan
from meldpy.host.module import Services
from meldpy.host.store.database import Database


@final
class Jobs:
    """See the module. services: for a run of a plan's module. Any thread."""

    def __init__(self, database: Database, services: Callable[[ModulePlan, JobRun], Services]) -> None:
        self.store = JobStore(database)
        self._services = services
        self._lock = threading.Lock()
        self._running: dict[int, JobRun] = {}
        self._leaving: set[str] = set()

    @property
    def running(self) -> int:
        """How many run now."""
        with self._lock:
            return len(self._running)

    def begin(self, plan: ModulePlan, command: str, payload: bytes, kind: JobKind = JobKind.EXECUTE) -> int:
        """A new job; its id. StateError if its module leaves."""
        with self._lock:
            self._check_stays(plan.name)
            id_ = self.store.create(plan.name, command, payload, kind)
            run = self._running[id_] = JobRun(id_, plan, self.store)
        self._start(run, plan)
        return id_

    def resume(self, id_: int, plan: ModulePlan) -> None:
        """Go on from the last checkpoint. StateError if it runs or is over, or its module leaves."""
        with self._lock:
            self._check_stays(plan.name)
            status = self.store.find(id_).status
            if id_ in self._running or status.over:
                raise StateError(f"job {id_} is {status.value}")
            run = self._running[id_] = JobRun(id_, plan, self.store)
        self._start(run, plan)

    def is_running(self, id_: int) -> bool:
        """In this host, now: one that is running in the store alone was left."""
        with self._lock:
            return id_ in self._running

    def arrives(self, module: str) -> None:
        """Its jobs may begin."""
        with self._lock:
            self._leaving.discard(module)

    def leaves(self, module: str) -> None:
        """None of its jobs begins any more, so that those which `pause_all` finds are all there are."""
        with self._lock:
            self._leaving.add(module)

    def _check_stays(self, module: str) -> None:
        if module in self._leaving:
            raise StateError(f"{module} is unloaded")

    def left(self, module: str) -> list[JobRow]:
        """The module's jobs that ran, or were about to, when a host ended."""
        unfinished = (JobStatus.RUNNING, JobStatus.WAITING)
        with self._lock:
            running = set(self._running)
        return [
            row
            for row in self.store.all()
            if row.module == module and row.status in unfinished and row.id not in running
        ]

    def pause(self, id_: int, grace: float = GRACE) -> None:
        """Ask for it; `wait` says when it is. StateError if the job does not run."""
        self._run_of(id_).stop(JobStatus.PAUSED, grace)

    def cancel(self, id_: int, grace: float = GRACE) -> None:
        """The same, and for good. A job that does not run is cancelled at once."""
        with self._lock:
            run = self._running.get(id_)
            if run is not None:
                run.stop(JobStatus.CANCELLED, grace)
            else:
                self._cancelled(id_)

    def wait(self, id_: int, timeout: float | None = None) -> JobRow:
        """The job when it does not run any more. TimedOut."""
        with self._lock:
            run = self._running.get(id_)
        if run is not None and not run.finished.wait(timeout):
            raise TimedOut(f"job {id_} still runs")
        return self.store.find(id_)

    def pause_all(self, module: str | None = None, grace: float = GRACE) -> None:
        """Pause what runs, of one module or of all, and wait for it; for a host that is closed. They are left as
        running in the store, so that the next host goes on with them; but for those that somebody paused before."""
        with self._lock:
            runs = [run for run in self._running.values() if module in (None, run.module)]
        asked = [(run, run.stop(JobStatus.PAUSED, grace)) for run in runs]
        for run, ours in asked:
            run.finished.wait(grace + 5)
            if ours and self.store.find(run.id).status is JobStatus.PAUSED:
                self.store.set_status(run.id, JobStatus.RUNNING)

    def _start(self, run: JobRun, plan: ModulePlan) -> None:
        try:
            run.start(lambda run: self._services(plan, run), self._over)
        except BaseException:  # the system has no more threads, say: nobody would ever say that it is over
            with self._lock:
                del self._running[run.id]
            raise

    def _over(self, run: JobRun) -> None:
        with self._lock:
            del self._running[run.id]
            if run.is_cancelled():  # asked for when it had just been paused, say
                self._cancelled(run.id)

    def _cancelled(self, id_: int) -> None:
        if not self.store.find(id_).status.over:
            self.store.over(id_, JobStatus.CANCELLED, 130)

    def _run_of(self, id_: int) -> JobRun:
        with self._lock:
            run = self._running.get(id_)
        if run is None:
            raise StateError(f"job {id_} does not run: it is {self.store.find(id_).status.value}")
        return run
