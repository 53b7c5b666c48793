"""What a module does again by itself, after a rest: one timer at a time, however often it is asked for."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import final

from meldpy.host.bus.mailbox import Work
from meldpy.host.faults import HostError

STORE_REST = 1.0
"""Seconds after which a module tries again what the store did not take."""


@final
class Later:
    """Have `run` done by an order. Any thread."""

    def __init__(self, order: Callable[[Work], None], run: Callable[[], None]) -> None:
        self._order, self._run = order, run
        self._lock = threading.Lock()
        self._asked = False

    def after(self, seconds: float) -> None:
        """Unless it is to be done already."""
        with self._lock:
            if self._asked:
                return
            self._asked = True
        timer = threading.Timer(seconds, self._order, (Work(self._now, self._never),))
        timer.daemon = True
        timer.start()

    def _now(self) -> None:
        with self._lock:
            self._asked = False
        self._run()

    def _never(self, _error: HostError) -> None:
        """The module has ended."""
