"""A module's mailbox: work in order of arrival, bounded; and what its owner must do first."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable
from time import monotonic
from typing import final

from meldpy.host.faults import Busy, HostError, StateError, defect
from meldpy.records import dataclass


@final
@dataclass(frozen=True, slots=True)
class Work:
    """run: what the owner does; abandon: called in its place if the mailbox is closed, or the owner has ended."""

    run: Callable[[], None]
    abandon: Callable[[HostError], None]


@final
class Mailbox:
    """Closed at first: `open` lets work in. Orders (`order`) are taken until the owner ends, and before any work.

    wanted: called when there is something to do and nobody who does it; it has somebody `attend`.
    """

    def __init__(self, owner: str, limit: int, wanted: Callable[[], None]) -> None:
        self._owner, self.limit, self._wanted = owner, limit, wanted
        self._work: deque[Work] = deque()
        self._orders: list[Work] = []
        self._reserved = 0
        self._closed: str | None = "it is not running"
        self._ended: str | None = None
        self._attended = False
        self._room = threading.Condition(threading.Lock())

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
        with self._room:
            if reserved:
                self._reserved -= 1
            self._check_open()
            self._work.append(work)
            attended, self._attended = self._attended, True
        if not attended:
            self._wanted()

    def order(self, work: Work) -> None:
        """Something for the owner to do before the next piece of work; abandoned if there will be no next one."""
        with self._room:
            ended = self._ended
            if ended is None:
                self._orders.append(work)
                attended, self._attended = self._attended, True
        if ended is not None:
            work.abandon(StateError(f"{self._owner}: {ended}"))
        elif not attended:
            self._wanted()

    def attend(self, arrived: Callable[[], None]) -> None:
        """Do what there is to do, until there is nothing. arrived: called when the first of it is done."""
        threading.current_thread().name = f"meld-{self._owner}"
        more = self._do_next()
        arrived()
        while more:
            more = self._do_next()

    def _do_next(self) -> bool:
        run = self._take()
        if run is None:
            return False
        try:
            run()
        except BaseException as error:
            defect(error, self._owner)  # one piece of work is lost, but nobody would do the rest
        return True

    def _take(self) -> Callable[[], None] | None:
        """The next thing to do. None: there is nothing, and whoever asked attends no longer."""
        with self._room:
            if self._orders:
                return self._orders.pop(0).run
            if self._work:
                work = self._work.popleft()
                self._room.notify()
                return work.run
            self._attended = False
            return None

    def open(self) -> None:
        with self._room:
            self._closed = None

    def close(self, reason: str) -> None:
        """Let nothing in any more, and abandon what waits."""
        with self._room:
            self._closed = reason
            left, self._work = self._work, deque()
            self._room.notify_all()
        self._abandon(left, reason)

    def end(self, reason: str) -> None:
        """The owner takes nothing any more: orders that are left are abandoned, and those that still come."""
        with self._room:
            self._ended = reason
            left, self._orders = self._orders, []
        self._abandon(left, reason)

    def _abandon(self, left: Iterable[Work], reason: str) -> None:
        for work in left:
            try:
                work.abandon(StateError(f"{self._owner}: {reason}"))
            except Exception as error:
                defect(error, self._owner)  # whoever waits for the others must hear of it

    def _check_open(self) -> None:
        if self._closed is not None:
            raise StateError(f"{self._owner}: {self._closed}")
