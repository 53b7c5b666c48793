"""Guests that want much stand still, for a moment, while something is on its way to one that wants little.

A turn is only a part of the way of a message. Whoever sent it, whoever handles it and whoever waits for the reply need
the interpreter one after the other; so do guests that compute, before and after each of their turns, and whichever of
three or four threads comes first gets it. So between two turns those that want much stand still until the message is
where it should be.

Who waits for something itself, inside its turn, keeps nobody meanwhile: it may wait for one of those that want much.

That is bounded in two ways. What takes longer than a moment keeps nobody any more: who wanted little may begin to
compute. And who stood still does not do so again for twice as long, however many messages there are: at most a third
of the time of those that want much is lost.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from functools import partial
from time import monotonic
from typing import final

from meldpy.host.bus.shares import Share

_MOMENT = 0.002
"""Seconds."""
_REST = 2


@final
class Hold:
    """See the module. Any thread. now: the system's clock."""

    def __init__(self, now: Callable[[], float] = monotonic) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._on_their_way: Counter[Share] = Counter()
        self._aside: set[Share] = set()
        self._until = self._rests_until = 0.0
        self._standing: list[threading.Lock] = []

    def sent(self, to: Share) -> Callable[[], None]:
        """Something is on its way; what is returned must be called once, when it is there."""
        with self._lock:
            self._on_their_way[to] += 1
            self._until = self._now() + _MOMENT
        return partial(self._arrived, to)

    def _arrived(self, to: Share) -> None:
        with self._lock:
            self._on_their_way[to] -= 1
            if not self._on_their_way[to]:
                del self._on_their_way[to]
            self._let_go()

    def begins_to_wait(self, share: Share) -> None:
        """For something, inside its turn."""
        with self._lock:
            self._aside.add(share)
            self._let_go()

    def has_waited(self, share: Share) -> None:
        with self._lock:
            self._aside.discard(share)

    def _let_go(self) -> None:
        if not self._wanted():
            for each in self._standing:
                each.release()
            self._standing.clear()

    def _wanted(self) -> bool:
        return any(each not in self._aside for each in self._on_their_way)

    def stand_still(self) -> None:
        """Until nothing is on its way, or it takes too long."""
        if not self._on_their_way:
            return
        with self._lock:
            begin = self._now()
            if not self._wanted() or begin >= self._until or begin < self._rests_until:
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
