"""Who runs when there are more guests than cores.

Threads that all compute share the interpreter badly: a message that takes twenty microseconds waits behind fifty slices
of others. So at most as many guests run as there are cores, and the next to run is the one that used least of late:
processor time, since whoever waits for a core has not used it, halved every half second. Time that it used in a process
of its own counts as well, also what it used there between its turns.

How much one wants is another thing than how much it used: fifty that never stop use a twenty-fifth of a core each, as
does one that answers now and then. So what a guest wants is what it used of the time that it did not wait for a core.
One that wants little is ahead of those that want much, and need not wait for turns that are longer than its own: if
its turns take less than two thirds of what that of each that runs does, or has taken by now, it runs besides. As many
may as there are cores. Who ends a turn calls the next to run; nobody has to look.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from heapq import heappop, heappush
from itertools import count
from math import inf, log, log2
from time import monotonic, thread_time
from typing import final

_HALF_LIFE = 0.5
"""Seconds after which half of what a guest used is forgotten."""
_SHORT_LIFE = 0.1
"""Seconds after which half is of what tells how much it wants: one that never stops is known after a fiftieth."""
_LITTLE = 0.1
"""Of a core."""
_AHEAD = 4.0
"""Of those that wait, one that wants little is ranked as if it had used a sixteenth: first of all, and yet many of them
cannot keep the others from running."""
_SHORTER = 2 / 3
_RECENT = 1 / 8
"""The weight of the last turn in what is expected of the next."""
_LONG = 0.1
"""Seconds after which one that may run besides, where there is no place, looks again."""
_SOON = 0.001
"""Seconds between two looks, at least."""
_NEW = 1e-6
"""Seconds that a guest is taken to have used before it ever ran."""


@final
class _Recent:
    """Seconds used of late, by some clock."""

    __slots__ = ("_at", "_half_life", "_seconds", "_steady")

    def __init__(self, half_life: float, at: float) -> None:
        self._half_life, self._steady = half_life, half_life / log(2)
        self._at, self._seconds = at, _NEW

    def read(self, at: float) -> float:
        return max(_NEW, self._seconds * float(0.5 ** ((at - self._at) / self._half_life)))

    def of_a_core(self, at: float) -> float:
        """One is all of it, all the time."""
        return self.read(at) / self._steady

    def add(self, seconds: float, at: float) -> None:
        self._seconds, self._at = self.read(at) + seconds, at

    def spread(self, seconds: float, at: float) -> None:
        """As if they had been used evenly since something was added last."""
        lasted = at - self._at
        if lasted > 0:
            seconds *= self._steady / lasted * (1 - 0.5 ** (lasted / self._half_life))
        self.add(seconds, at)

    @property
    def rank(self) -> float:
        """The logarithm, less what all lost since the clock's zero. So only use changes it."""
        return log2(self._seconds) + self._at / self._half_life


@final
class Share:
    """How much of a core one guest used of late and how much it wants, and how long its turns are. owner: the thread
    that has its turn.

    elsewhere: seconds of processor time that the guest used on no thread that had its turn; it never falls. Its own
    clock, by which it is told what it wants, stands still while it waits for a core.
    """

    __slots__ = (
        "_clock",
        "_elsewhere",
        "_here",
        "_idle_since",
        "_noted",
        "_used",
        "_wants",
        "besides",
        "length",
        "owner",
        "since",
    )

    def __init__(self, now: float, elsewhere: Callable[[], float]) -> None:
        self._used, self._wants = _Recent(_HALF_LIFE, now), _Recent(_SHORT_LIFE, 0.0)
        self._clock, self._idle_since = 0.0, now
        self._elsewhere, self._noted, self._here = elsewhere, elsewhere(), 0.0
        self.length = 0.0
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
        self._clock += seconds
        self._used.add(seconds, now)
        self._wants.add(seconds, self._clock)
        self.length = seconds if not self.length else self.length + (seconds - self.length) * _RECENT

    def rests(self, now: float) -> None:
        """From now on it wants nothing."""
        self._idle_since = now

    def rested(self, now: float) -> None:
        """It wants a core again."""
        self._clock += max(0.0, now - self._idle_since)
        self._idle_since = now

    def catch_up(self, now: float) -> None:
        """With what the guest used elsewhere while it had no turn: as if it had used it evenly all the time."""
        more = self._more()
        if more:
            self._used.spread(more, now)
            self._wants.spread(more, self._clock)

    def _more(self) -> float:
        """What the guest used elsewhere since this was asked last."""
        before, self._noted = self._noted, self._elsewhere()
        return self._noted - before

    @property
    def wants_little(self) -> bool:
        return self._wants.of_a_core(self._clock) < _LITTLE

    @property
    def rank(self) -> float:
        """The less, the sooner it runs. It does not change while it waits, so those that do stay in order."""
        return self._used.rank - (_AHEAD if self.wants_little else 0.0)

    def passes_in(self, others: Iterable[Share], now: float) -> float:
        """Seconds until it need not wait for `others`, which run, if they go on: none when all of their turns are
        longer than its own; without end if it wants much."""
        if not self.wants_little:
            return inf
        longer = self.length / _SHORTER
        return max((each.since + longer - now for each in others if each.length < longer), default=0.0)


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
        now = self._now()
        share.rested(now)
        share.catch_up(now)
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
