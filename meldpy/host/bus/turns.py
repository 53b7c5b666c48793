"""Who runs when there are more guests than cores.

Threads that all compute share the interpreter badly: a message that takes twenty microseconds waits behind fifty slices
of others. So at most as many guests run as there are cores, and those that used little of late have a lane of their
own: they need not wait for those that used much. What counts is the share of a core that a guest used, halved every
half second.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic
from typing import final

_HALF_LIFE = 0.5
_LITTLE = 0.05
"""The share of a core below which a guest takes the quick lane."""


@final
class Share:
    """How much of a core one guest used of late. Only its own thread changes it."""

    __slots__ = ("_at", "_used", "lane")

    def __init__(self) -> None:
        self._at, self._used = monotonic(), 0.0
        self.lane: threading.Semaphore | None = None

    def is_little(self) -> bool:
        return self._decayed(monotonic()) < _LITTLE * _HALF_LIFE * 1.4427

    def add(self, seconds: float) -> None:
        now = monotonic()
        self._used = self._decayed(now) + seconds
        self._at = now

    def _decayed(self, now: float) -> float:
        return self._used * float(0.5 ** ((now - self._at) / _HALF_LIFE))


@final
class Turns:
    """At most `cores` guests in each lane."""

    def __init__(self, cores: int | None = None) -> None:
        count = max(1, cores if cores is not None else (os.cpu_count() or 1))
        self._common = threading.Semaphore(count)
        self._quick = threading.Semaphore(count)

    @contextmanager
    def turn(self, share: Share) -> Iterator[None]:
        """Wait for a turn, and have it until the block ends."""
        lane = self._quick if share.is_little() else self._common
        lane.acquire()
        share.lane = lane
        start = monotonic()
        try:
            yield
        finally:
            share.add(monotonic() - start)
            share.lane = None
            lane.release()

    @contextmanager
    def aside(self, share: Share) -> Iterator[None]:
        """Let others run while a guest waits for something inside its turn."""
        lane = share.lane
        if lane is None:
            yield
            return
        lane.release()
        try:
            yield
        finally:
            lane.acquire()
