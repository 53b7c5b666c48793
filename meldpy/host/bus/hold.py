"""Guests that want much stand still, for a moment, while something is on its way to one that wants little.

A turn is only a part of the way of a message. Whoever sent it, whoever handles it and whoever waits for the reply need
the interpreter one after the other; so do guests that compute, before and after each of their turns, and whichever of
three or four threads comes first gets it. So between two turns those that want much stand still until the message is
where it should be.

That is bounded in two ways. What takes longer than a moment keeps nobody any more: who wanted little may begin to
compute. And who stood still does not do so again for twice as long, however many messages there are: at most a third
of the time of those that want much is lost.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from time import monotonic
from typing import final

_MOMENT = 0.002
"""Seconds."""
_REST = 2


@final
class Hold:
    """See the module. Any thread. now: the system's clock."""

    def __init__(self, now: Callable[[], float] = monotonic) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._on_their_way = 0
        self._until = self._rests_until = 0.0
        self._standing: list[threading.Lock] = []

    def sent(self) -> Callable[[], None]:
        """Something is on its way; what is returned must be called once, when it is there."""
        with self._lock:
            self._on_their_way += 1
            self._until = self._now() + _MOMENT
        return self._arrived

    def _arrived(self) -> None:
        with self._lock:
            self._on_their_way -= 1
            if self._on_their_way:
                return
            standing, self._standing = self._standing, []
        for each in standing:
            each.release()

    def stand_still(self) -> None:
        """Until nothing is on its way, or it takes too long."""
        if not self._on_their_way:
            return
        with self._lock:
            begin = self._now()
            if not self._on_their_way or begin >= self._until or begin < self._rests_until:
                return
            moment = self._until - begin
            goes_on = threading.Lock()
            goes_on.acquire()
            self._standing.append(goes_on)
        called = goes_on.acquire(timeout=moment)
        with self._lock:
            end = self._now()
            self._rests_until = max(self._rests_until, end + _REST * (end - begin))
            if not called and goes_on in self._standing:
                self._standing.remove(goes_on)
