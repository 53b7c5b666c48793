"""Who runs when there are more guests than cores.

Threads that all compute share the interpreter badly: a message that takes twenty microseconds waits behind fifty slices
of others. So at most as many guests run as there are cores, and the next to run is the one that used least of late:
processor time, since whoever waits for a core has not used it, halved every half second. Time that it used in a process
of its own counts as well, also what it used there between its turns.

One whose turns are short need not wait for longer ones: if it uses little, and its turns take less than two thirds of
what those of each that runs do, it runs besides. As many may as there are cores.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from heapq import heappop, heappush
from itertools import count
from math import log, log2
from time import monotonic, thread_time
from typing import final

_HALF_LIFE = 0.5
_STEADY = _HALF_LIFE / log(2)
"""Seconds that a guest used of late which never stops to use a core."""
_LITTLE = 0.1 * _STEADY
"""Seconds, of a tenth of a core."""
_SHORTER = 2 / 3
_RECENT = 1 / 8
"""The weight of the last turn in what is expected of the next."""
_LONG = 0.1
"""Seconds after which a turn is taken to be as long as it has been, and one that waits looks again whether those that
run are longer."""
_NEW = 1e-6
"""Seconds that a guest is taken to have used before it ever ran."""


@final
class Share:
    """How much of a core one guest used of late, and how long its turns are. owner: the thread that has its turn.

    elsewhere: seconds of processor time that the guest used on no thread that had its turn; it never falls.
    """

    __slots__ = ("_at", "_elsewhere", "_here", "_length", "_noted", "_used", "besides", "owner", "since")

    def __init__(self, now: float, elsewhere: Callable[[], float]) -> None:
        self._at, self._used = now, _NEW
        self._elsewhere, self._noted, self._here = elsewhere, elsewhere(), 0.0
        self._length = 0.0
        self.since = now
        self.owner: int | None = None
        self.besides = False

    @property
    def seconds(self) -> float:
        """All that the guest ever used, in its turns and elsewhere. Any thread."""
        return self._here + self._elsewhere()

    def add(self, seconds: float, now: float) -> None:
        """A turn has ended, whose thread used so much."""
        self._here += seconds
        seconds += self._more()
        self._used = self._decayed(now) + seconds
        self._at = now
        self._length = seconds if not self._length else self._length + (seconds - self._length) * _RECENT

    def catch_up(self, now: float) -> None:
        """With what the guest used elsewhere while it had no turn: as if it had used it evenly all the time."""
        more, lasted = self._more(), now - self._at
        if more and lasted > 0:
            more *= _STEADY / lasted * (1 - 0.5 ** (lasted / _HALF_LIFE))
        if more:
            self._used, self._at = self._decayed(now) + more, now

    def _more(self) -> float:
        """What the guest used elsewhere since this was asked last."""
        before, self._noted = self._noted, self._elsewhere()
        return self._noted - before

    @property
    def rank(self) -> float:
        """The less, the sooner it runs: the logarithm of what it used, less what all lost since the clock's zero. So
        only use changes it, and those that wait stay in order."""
        return log2(self._used) + self._at / _HALF_LIFE

    def may_pass(self, others: Iterable[Share], now: float) -> bool:
        """Whether it need not wait for `others`, which run."""
        return self._decayed(now) < _LITTLE and all(self._length <= _SHORTER * each.length(now) for each in others)

    def length(self, now: float) -> float:
        """Of the turn that it has."""
        lasted = now - self.since
        return lasted if lasted > _LONG else self._length

    def _decayed(self, now: float) -> float:
        return max(_NEW, self._used * float(0.5 ** ((now - self._at) / _HALF_LIFE)))


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
        share.catch_up(self._now())
        self._begin(share)
        share.catch_up(self._now())
        share.owner = threading.get_ident()
        start = self._used()
        try:
            yield
        finally:
            share.owner = None
            self._end(share, self._used() - start)

    @contextmanager
    def aside(self, share: Share) -> Iterator[None]:
        """Let others run while a guest waits for something inside its turn; on its own thread."""
        if share.owner != threading.get_ident():
            yield
            return
        self._end(share, None)
        try:
            yield
        finally:
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
        while not waiting.called.acquire(timeout=_LONG):
            with self._lock:
                if not waiting.gone and self._may_besides(share):
                    waiting.gone = True
                    return

    def _may_besides(self, share: Share) -> bool:
        if not self._besides or not share.may_pass(self._running, self._now()):
            return False
        self._besides -= 1
        self._runs(share, besides=True)
        return True

    def _end(self, share: Share, seconds: float | None) -> None:
        with self._lock:
            if seconds is not None:
                share.add(seconds, self._now())
            self._running.remove(share)
            if share.besides:
                self._besides += 1
                return
            while self._queue:
                _, _, first = heappop(self._queue)
                if not first.gone:
                    first.gone = True
                    self._runs(first.share, besides=False)
                    first.called.release()
                    return
            self._free += 1

    def _runs(self, share: Share, *, besides: bool) -> None:
        share.since, share.besides = self._now(), besides
        self._running.add(share)
