"""Who runs when there are more guests than cores.

Threads that all compute share the interpreter badly: a message that takes twenty microseconds waits behind fifty slices
of others. So at most as many guests run as there are cores, and the next to run is the one that used least of late
(`shares`).

One that wants little is ahead of those that want much, and need not wait for turns that are longer than its own: if
its turns take less than two thirds of what that of each that runs does, or has taken by now, it runs besides. As many
may as there are cores. Between their turns, those that want much make way for it (`hold`). Who ends a turn calls the
next to run; nobody has to look.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from heapq import heappop, heappush
from itertools import count
from time import monotonic, thread_time
from typing import final

from meldpy.host.bus.hold import Hold
from meldpy.host.bus.shares import Share

_LONG = 0.1
"""Seconds after which one that may run besides, where there is no place, looks again."""
_SOON = 0.0002
"""Seconds between two looks, at least."""


@final
class _Waiting:
    """A guest in the queue. gone: it waits no more."""

    __slots__ = ("called", "gone", "share")

    def __init__(self, share: Share) -> None:
        self.share, self.gone = share, False
        self.called = threading.Lock()
        self.called.acquire()


@final
class Turns:
    """At most `cores` guests, and as many besides whose turns are short. now, used: clocks, of the system and of the
    thread."""

    def __init__(
        self,
        cores: int | None = None,
        now: Callable[[], float] = monotonic,
        used: Callable[[], float] = thread_time,
    ) -> None:
        self._free = self._besides = max(1, cores if cores is not None else (os.cpu_count() or 1))
        self._now, self._used = now, used
        self._hold = Hold(now)
        self._lock = threading.Lock()
        self._running: set[Share] = set()
        self._queue: list[tuple[float, int, _Waiting]] = []
        self._numbers = count()

    def share(self, elsewhere: Callable[[], float] = lambda: 0.0) -> Share:
        """For a new guest. elsewhere: see `Share`."""
        return Share(self._now(), elsewhere)

    @contextmanager
    def turn(self, share: Share) -> Iterator[None]:
        """Wait for a turn, and have it until the block ends."""
        now = self._now()
        share.rested(now)
        share.catch_up(now)
        self._begin(share)
        self._make_way(share)
        share.catch_up(self._now())
        share.owner = threading.get_ident()
        start = self._used()
        try:
            yield
        finally:
            share.owner = None
            used = self._used() - start
            self._make_way(share)
            self._end(share, used)

    def sent(self, share: Share) -> Callable[[], None]:
        """Something is on its way to a guest; what is returned must be called once, when it is there. Any thread."""
        return self._hold.sent(share) if share.wants_little else _nothing

    def _make_way(self, share: Share) -> None:
        if not share.wants_little:
            self._hold.stand_still()

    @contextmanager
    def aside(self, share: Share) -> Iterator[None]:
        """Let others run while a guest waits for something inside its turn; on its own thread."""
        if share.owner != threading.get_ident():
            yield
            return
        self._hold.begins_to_wait(share)
        self._end(share, None)
        try:
            yield
        finally:
            self._hold.has_waited(share)
            share.rested(self._now())
            self._begin(share)

    def _begin(self, share: Share) -> None:
        with self._lock:
            if self._free:
                self._free -= 1
                self._runs(share, besides=False)
                return
            if self._may_besides(share):
                return
            waiting = _Waiting(share)
            heappush(self._queue, (share.rank, next(self._numbers), waiting))
            pause = self._pause(share)
        while not waiting.called.acquire(timeout=pause):
            with self._lock:
                if not waiting.gone and self._may_besides(share):
                    waiting.gone = True
                    return
                pause = self._pause(share)

    def _may_besides(self, share: Share) -> bool:
        if not self._besides or share.passes_in(self._running, self._now()) > 0:
            return False
        self._besides -= 1
        self._runs(share, besides=True)
        return True

    def _pause(self, share: Share) -> float:
        """The seconds after which one that waits looks whether it may run besides: if those that run run long, nobody
        calls it. -1: it need not look."""
        if not share.wants_little:
            return -1
        if not self._besides:
            return _LONG
        return max(_SOON, min(_LONG, share.passes_in(self._running, self._now())))

    def _end(self, share: Share, seconds: float | None) -> None:
        with self._lock:
            now = self._now()
            if seconds is not None:
                share.add(seconds, now)
            share.rests(now)
            self._running.remove(share)
            if share.besides:
                self._besides += 1
            else:
                first = self._first()
                if first is None:
                    self._free += 1
                    return
                self._runs(first.share, besides=False)
                self._call(first)
            while (first := self._first()) is not None and self._may_besides(first.share):
                self._call(first)

    def _first(self) -> _Waiting | None:
        """Of those that wait."""
        while self._queue and self._queue[0][2].gone:
            heappop(self._queue)
        return self._queue[0][2] if self._queue else None

    def _call(self, first: _Waiting) -> None:
        heappop(self._queue)
        first.gone = True
        first.called.release()

    def _runs(self, share: Share, *, besides: bool) -> None:
        share.since, share.besides = self._now(), besides
        self._running.add(share)


def _nothing() -> None:
    """Nobody makes way for it."""
