"""When a module that died may be started again."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic
from typing import final

from meldpy.host.lifecycle.plan import RestartPolicy


@final
class Breaker:
    """Counts deaths. Broken: `broken` says so until the rest is over; then one start is tried, and a death in it breaks
    it again at once."""

    def __init__(self, policy: RestartPolicy, now: Callable[[], float] = monotonic) -> None:
        self._policy, self._now = policy, now
        self._deaths: list[float] = []
        self._until: float | None = None
        self._trying = False

    def died(self) -> None:
        now = self._now()
        self._deaths = [each for each in self._deaths if each >= now - self._policy.window] + [now]
        if self._trying or not self._policy.restart or len(self._deaths) >= self._policy.deaths:
            self._until = now + self._policy.rest if self._policy.restart else float("inf")
            self._trying = False

    def lived(self) -> None:
        """A call returned after a start that was tried."""
        if self._trying:
            self._trying = False
            self._deaths.clear()

    @property
    def broken(self) -> float | None:
        """Seconds until a start may be tried; None if it may be now."""
        if self._until is None:
            return None
        left = self._until - self._now()
        if left > 0:
            return left
        self._until, self._trying = None, True
        return None

    @property
    def delay(self) -> float:
        """Seconds to wait before the next start."""
        deaths = len(self._deaths)
        return min(self._policy.longest, self._policy.delay * 2 ** (deaths - 1)) if deaths else 0.0
