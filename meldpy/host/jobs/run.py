"""One run of a job: an instance and a thread of its own, from the last checkpoint to the end or the next stop.

Pausing and cancelling are asked for and happen at the next checkpoint, which keeps what it is given and ends the call.
A module that never comes to one is ended after a grace: a cancelled job loses nothing that anybody wants, and a paused
one goes on from its last checkpoint.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import final

from meldpy.engine.guests.threads import start_thread
from meldpy.errors import UsageError
from meldpy.host.faults import FailureCode, HostError, Interrupted, ModuleFailure, StoreFailed, defect
from meldpy.host.jobs.store import JobKind, JobStatus, JobStore
from meldpy.host.lifecycle.birth import bring_up, put_down
from meldpy.host.lifecycle.plan import ModulePlan
from meldpy.host.module import ModuleInstance, Services

logger = logging.getLogger("meldpy.host")

GRACE = 5.0
"""Seconds from a wish to stop until the module is ended."""
_WRITE_EVERY = 0.1
"""Seconds between two writes of progress: it is news, not state."""
_NO_DEADLINE = 10.0 * 365 * 24 * 3600


@final
class JobRun:
    """See the module. It is a `services.JobContext`."""

    def __init__(self, id_: int, plan: ModulePlan, store: JobStore) -> None:
        self.id = id_
        self.module = plan.name
        self._plan, self._store = plan, store
        self._lock = threading.Lock()
        self._wish: JobStatus | None = None
        self._instance: ModuleInstance | None = None
        self._impatient: list[threading.Timer] = []
        self._done, self._total, self._text, self._written = 0, 0, "", 0.0
        self.finished = threading.Event()

    def start(self, services: Callable[[JobRun], Services], over: Callable[[JobRun], None]) -> None:
        """Begin, on a thread of its own. over: told when it ended, in whichever way."""

        def run() -> None:
            try:
                with self._left_if_not_kept():
                    self._run(services(self))
                with self._left_if_not_kept():
                    over(self)
            finally:
                with self._lock:
                    self.finished.set()
                for each in self._impatient:
                    each.cancel()

        start_thread(threading.Thread(target=run, name=f"meld-job-{self.id}", daemon=True))

    def stop(self, wish: JobStatus, grace: float = GRACE) -> bool:
        """Ask for PAUSED or CANCELLED. False if that, or CANCELLED, was asked for before: a cancel is for good."""
        with self._lock:
            if self._wish in (wish, JobStatus.CANCELLED):
                return False
            self._wish = wish
            if not self.finished.is_set():
                timer = threading.Timer(grace, self._end)
                timer.daemon = True
                timer.start()
                self._impatient.append(timer)
        return True

    def _end(self) -> None:
        instance = self._instance
        if instance is not None and not self.finished.is_set():
            instance.interrupt(f"the job is {'paused' if self._wish is JobStatus.PAUSED else 'cancelled'}")

    @contextmanager
    def _left_if_not_kept(self) -> Iterator[None]:
        """A job whose beginning or end the store does not take is not over: as it was kept last it can be resumed, and
        is, when its module is loaded next."""
        try:
            yield
        except StoreFailed as error:
            text = "job %d is left as it was kept last: %s"
            logger.error(text, self.id, error.reason, extra={"module_name": self.module, "event": "job-left"})
        except Exception as error:
            defect(error, self.module)

    def _run(self, services: Services) -> None:
        command, payload, _ = self._store.input(self.id)
        self._store.begun(self.id)
        try:
            self._instance, _ = bring_up(self._plan, services, None)
            try:
                self._heed()  # what was asked for while there was nothing to end
                result = self._result(self._instance, command, payload)
            finally:
                put_down(self._instance)
        except HostError as error:
            self._failed(error)
        except Exception as error:
            said = defect(error, self.module)
            self._store.over(self.id, JobStatus.FAILED, said.exit_code, error="; ".join((said.reason, *said.causes)))
        else:
            self._write_progress()
            self._store.over(self.id, JobStatus.DONE, 0, result)

    def _result(self, instance: ModuleInstance, command: str, payload: bytes) -> bytes:
        if self._store.find(self.id).kind is JobKind.EXECUTE:
            return instance.execute(command, payload, deadline=_NO_DEADLINE)
        try:
            said = instance.call_text(command, deadline=_NO_DEADLINE)
        except UsageError as error:
            raise ModuleFailure(FailureCode.ARGUMENT, error.reason) from error
        return b"" if said is None else said.encode()

    def _failed(self, error: HostError) -> None:
        self._write_progress()
        if self._wish is JobStatus.PAUSED and isinstance(error, Interrupted):
            self._store.set_status(self.id, JobStatus.PAUSED)
        elif self._wish is JobStatus.CANCELLED or error.code is FailureCode.CANCELLED:
            self._store.over(self.id, JobStatus.CANCELLED, 130, error=error.reason)
        else:
            self._store.over(self.id, JobStatus.FAILED, 134 if error.fatal else 1, error=error.reason)

    # --- what the module asks ----------------------------------------------------------------------------------------
    def report_progress(self, done: int, total: int, text: str) -> None:
        self._done, self._total, self._text = min(done, 2**63 - 1), min(total, 2**63 - 1), text
        if monotonic() - self._written > _WRITE_EVERY:
            self._write_progress()

    def checkpoint(self, data: bytes) -> None:
        self._store.checkpoint(self.id, data, self._done, self._total, self._text)
        self._heed()

    def _heed(self) -> None:
        if self._wish is not None:
            raise Interrupted(f"the job is {self._wish.value}")

    def last_checkpoint(self) -> bytes | None:
        return self._store.input(self.id)[2]

    def is_cancelled(self) -> bool:
        return self._wish is JobStatus.CANCELLED

    def log_line(self, text: str) -> None:
        self._store.add_line(self.id, text)

    def metric(self, name: str, value: float) -> None:
        self._store.set_metric(self.id, name, value)

    def _write_progress(self) -> None:
        self._written = monotonic()
        self._store.progress(self.id, self._done, self._total, self._text)
