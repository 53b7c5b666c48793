"""A module's mailbox: work in order of arrival, bounded; and what its owner must do first."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from time import monotonic
from typing import final

from meldpy.host.faults import Busy, HostError, StateError
from meldpy.records import dataclass


@final
@dataclass(frozen=True, slots=True)
class Work:
    """run: never raises; abandon: called in its place if the mailbox is closed."""

    run: Callable[[], None]
    abandon: Callable[[HostError], None]


@final
class Mailbox:
    """Closed at first: `open` lets work in. Orders (`order`) are always taken, and before any work."""

    def __init__(self, owner: str, limit: int) -> None:
        self._owner, self.limit = owner, limit
        self._work: deque[Work] = deque()
        self._orders: deque[Callable[[], None]] = deque()
        self._reserved = 0
        self._closed: str | None = "it is not running"
        lock = threading.Lock()
        self._arrived = threading.Condition(lock)
        self._room = threading.Condition(lock)

    def __len__(self) -> int:
        return len(self._work)

    def reserve(self, wait: float) -> None:
        """Hold a place, which `put` fills or `cancel` gives back. Busy after `wait` seconds without one."""
        with self._room:
            end = monotonic() + wait
            while self._closed is None and len(self._work) + self._reserved >= self.limit:
                left = end - monotonic()
                if left <= 0 or not self._room.wait(left):
                    raise Busy(f"the mailbox of {self._owner} is full ({self.limit} messages)")
            self._check_open()
            self._reserved += 1

    def cancel(self) -> None:
        """Give a reserved place back."""
        with self._room:
            self._reserved -= 1
            self._room.notify()

    def put(self, work: Work, *, reserved: bool) -> None:
        """Without a reserved place it is work that was accepted already, and has no bound. StateError if closed."""
        with self._arrived:
            if reserved:
                self._reserved -= 1
            self._check_open()
            self._work.append(work)
            self._arrived.notify()

    def order(self, run: Callable[[], None]) -> None:
        """Something for the owner to do before the next piece of work."""
        with self._arrived:
            self._orders.append(run)
            self._arrived.notify()

    def take(self) -> Callable[[], None]:
        """The next thing to do; waits for it. For the owner's thread."""
        with self._arrived:
            while True:
                if self._orders:
                    return self._orders.popleft()
                if self._work:
                    work = self._work.popleft()
                    self._room.notify()
                    return work.run
                self._arrived.wait()

    def open(self) -> None:
        with self._arrived:
            self._closed = None

    def close(self, reason: str) -> None:
        """Let nothing in any more, and abandon what waits."""
        with self._room:
            self._closed = reason
            left, self._work = self._work, deque()
            self._room.notify_all()
        for work in left:
            work.abandon(StateError(f"{self._owner}: {reason}"))

    def _check_open(self) -> None:
        if self._closed is not None:
            raise StateError(f"{self._owner}: {self._closed}")
