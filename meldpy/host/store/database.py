"""The SQLite file: tables, transactions, and who may open it.

Journal in WAL mode. "normal" durability survives the death of the process at any moment (a test kills it); the loss of
power may cost the last transactions. "full" survives that too, and a transaction takes milliseconds where discs do.
Ids are AUTOINCREMENT: without it SQLite gives the id of a removed row again, and a message would be taken for another.
A folder belongs to one host at a time, by a lock that ends with its process.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias, final

from meldpy.host.faults import HostError, StateError, StoreFailed

Transaction: TypeAlias = sqlite3.Connection
"""An open transaction; it is over when the `with` that gave it is."""

_VERSION = 2
_TABLES = """
CREATE TABLE inbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT, receiver TEXT NOT NULL, topic TEXT NOT NULL, sender TEXT NOT NULL,
    payload BLOB NOT NULL, attempt INTEGER NOT NULL);
CREATE INDEX inbox_receiver ON inbox (receiver, id);
CREATE TABLE dead (
    id INTEGER PRIMARY KEY AUTOINCREMENT, message INTEGER NOT NULL, receiver TEXT NOT NULL, topic TEXT NOT NULL,
    sender TEXT NOT NULL, payload BLOB NOT NULL, attempts INTEGER NOT NULL, reason TEXT NOT NULL, at REAL NOT NULL);
CREATE TABLE module (
    name TEXT PRIMARY KEY, version TEXT NOT NULL, generation INTEGER NOT NULL, intent TEXT,
    schema INTEGER, state BLOB);
CREATE TABLE kv (module TEXT NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL, PRIMARY KEY (module, key));
CREATE TABLE job (
    id INTEGER PRIMARY KEY AUTOINCREMENT, module TEXT NOT NULL, kind TEXT NOT NULL, command TEXT NOT NULL,
    payload BLOB NOT NULL, status TEXT NOT NULL, done INTEGER NOT NULL, total INTEGER NOT NULL, text TEXT NOT NULL,
    checkpoint BLOB, result BLOB, error TEXT, exit_code INTEGER, runs INTEGER NOT NULL, created REAL NOT NULL,
    updated REAL NOT NULL);
CREATE TABLE job_line (job INTEGER NOT NULL, at REAL NOT NULL, text TEXT NOT NULL);
CREATE TABLE job_metric (job INTEGER NOT NULL, name TEXT NOT NULL, value REAL NOT NULL, PRIMARY KEY (job, name));
"""


@final
class Database:
    """folder: where the file lies; None for a store in memory, which ends with the host. durability: see the module."""

    def __init__(self, folder: Path | None, durability: str = "normal") -> None:
        self._held = None if folder is None else _hold(folder)
        path = ":memory:" if folder is None else str(folder / "host.sqlite")
        self._lock = threading.RLock()
        self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        run = self._connection.execute
        run("PRAGMA journal_mode = WAL")
        run(f"PRAGMA synchronous = {'FULL' if durability == 'full' else 'NORMAL'}")
        (version,) = run("PRAGMA user_version").fetchone()
        if version == 0:
            self._connection.executescript(f"BEGIN; {_TABLES} PRAGMA user_version = {_VERSION}; COMMIT;")
        elif version != _VERSION:
            self.close()
            raise HostError(
                f"the store has version {version}, this meldpy knows {_VERSION}", remedy="use the meldpy that wrote it"
            )

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """All of it is kept when the block ends, nothing if it raises. One at a time, by any thread. StoreFailed."""
        with self._lock:
            if self._connection.in_transaction:
                raise AssertionError("a transaction is taken along, not opened within another")
            with _said():
                self._connection.execute("BEGIN IMMEDIATE")
                try:
                    yield self._connection
                    self._connection.execute("COMMIT")
                except BaseException:
                    self._undo()
                    raise

    def _undo(self) -> None:
        if self._connection.in_transaction:  # some errors have ended it already
            self._connection.execute("ROLLBACK")

    def rows(self, query: str, *values: object) -> list[tuple[Any, ...]]:
        """What a query finds. StoreFailed."""
        with self._lock, _said():
            return self._connection.execute(query, values).fetchall()

    def close(self) -> None:
        with self._lock:
            self._connection.close()
        if self._held is not None:
            os.close(self._held)
            self._held = None


@contextmanager
def _said() -> Iterator[None]:
    """What happens to the file, in the host's words. Errors of ours (a broken constraint, a wrong type) stay as they
    are."""
    try:
        yield
    except (sqlite3.IntegrityError, sqlite3.ProgrammingError, sqlite3.InterfaceError):
        raise
    except sqlite3.DatabaseError as error:
        raise StoreFailed(f"the store failed: {error}") from error


def _hold(folder: Path) -> int:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(folder / "host.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise StateError(
            f"another host runs with the store in {folder}", remedy="end it, or use another folder"
        ) from None
    return descriptor
