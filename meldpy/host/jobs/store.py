"""Jobs as rows. What a module was told is kept is in the file when the call returns."""

from __future__ import annotations

from enum import Enum
from math import isnan
from time import time
from typing import Any, final

from meldpy.host.faults import StateError
from meldpy.host.store.database import Database
from meldpy.records import dataclass


@final
class JobStatus(Enum):
    """Where a job is. `running` in the store of a host that just started: it was when the last one ended."""

    WAITING = "waiting"
    RUNNING = "running"
    PAUSED = "paused"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def over(self) -> bool:
        return self in (JobStatus.DONE, JobStatus.FAILED, JobStatus.CANCELLED)


@final
class JobKind(Enum):
    """What a job calls: `execute` with its command, or an export of its module, where the command is the call in
    WAVE and so is the result."""

    EXECUTE = "execute"
    EXPORT = "export"


@final
@dataclass(frozen=True, slots=True)
class JobRow:
    """total: 0 where nobody knows; exit_code: once it is over: 0 done, 1 failed, 70 the host failed, 130 cancelled,
    134 died; runs: how often it was begun or resumed."""

    id: int
    module: str
    kind: JobKind
    command: str
    status: JobStatus
    done: int
    total: int
    text: str
    error: str | None
    exit_code: int | None
    runs: int
    created: float
    updated: float


_COLUMNS = "id, module, kind, command, status, done, total, text, error, exit_code, runs, created, updated"


@final
class JobStore:
    """See the module. Any thread."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(self, module: str, command: str, payload: bytes, kind: JobKind = JobKind.EXECUTE) -> int:
        now = time()
        with self._database.transaction() as within:
            row = within.execute(
                "INSERT INTO job (module, kind, command, payload, status, done, total, text, runs, created, updated)"
                " VALUES (?, ?, ?, ?, ?, 0, 0, '', 0, ?, ?)",
                (module, kind.value, command, payload, JobStatus.WAITING.value, now, now),
            )
        assert row.lastrowid is not None
        return row.lastrowid

    def find(self, id_: int) -> JobRow:
        for row in self._database.rows(f"SELECT {_COLUMNS} FROM job WHERE id = ?", id_):
            return _row(row)
        raise StateError(f"there is no job {id_}")

    def all(self) -> list[JobRow]:
        """Oldest first."""
        return [_row(row) for row in self._database.rows(f"SELECT {_COLUMNS} FROM job ORDER BY id")]

    def input(self, id_: int) -> tuple[str, bytes, bytes | None]:
        """Command, payload, and the last checkpoint."""
        ((command, payload, checkpoint),) = self._database.rows(
            "SELECT command, payload, checkpoint FROM job WHERE id = ?", id_
        )
        return command, payload, checkpoint

    def result(self, id_: int) -> bytes | None:
        ((result,),) = self._database.rows("SELECT result FROM job WHERE id = ?", id_)
        assert result is None or isinstance(result, bytes)
        return result

    def begun(self, id_: int) -> None:
        self._update(id_, "status = ?, runs = runs + 1", JobStatus.RUNNING.value)

    def progress(self, id_: int, done: int, total: int, text: str) -> None:
        self._update(id_, "done = ?, total = ?, text = ?", done, total, text)

    def checkpoint(self, id_: int, data: bytes, done: int, total: int, text: str) -> None:
        self._update(id_, "checkpoint = ?, done = ?, total = ?, text = ?", data, done, total, text)

    def set_status(self, id_: int, status: JobStatus) -> None:
        self._update(id_, "status = ?", status.value)

    def over(
        self, id_: int, status: JobStatus, code: int, result: bytes | None = None, error: str | None = None
    ) -> None:
        self._update(id_, "status = ?, exit_code = ?, result = ?, error = ?", status.value, code, result, error)

    def add_line(self, id_: int, text: str) -> None:
        with self._database.transaction() as within:
            within.execute("INSERT INTO job_line (job, at, text) VALUES (?, ?, ?)", (id_, time(), text))

    def lines(self, id_: int) -> list[tuple[float, str]]:
        return [(at, text) for at, text in self._database.rows("SELECT at, text FROM job_line WHERE job = ?", id_)]

    def set_metric(self, id_: int, name: str, value: float) -> None:
        kept = "nan" if isnan(value) else value  # SQLite takes a NaN for NULL
        with self._database.transaction() as within:
            within.execute("INSERT OR REPLACE INTO job_metric (job, name, value) VALUES (?, ?, ?)", (id_, name, kept))

    def metrics(self, id_: int) -> dict[str, float]:
        rows = self._database.rows("SELECT name, value FROM job_metric WHERE job = ? ORDER BY name", id_)
        return {name: float(value) for name, value in rows}

    def _update(self, id_: int, what: str, *values: object) -> None:
        with self._database.transaction() as within:
            within.execute(f"UPDATE job SET {what}, updated = ? WHERE id = ?", (*values, time(), id_))


def _row(row: tuple[Any, ...]) -> JobRow:
    id_, module, kind, command, status, *rest = row
    return JobRow(id_, module, JobKind(kind), command, JobStatus(status), *rest)
