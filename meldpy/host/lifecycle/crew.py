"""Threads for modules: lent for as long as a module has something to do.

A thread that waits costs 24 kB, more than most modules' own data, and most modules wait most of the time. So a module
has a thread while there is work for it, never two, and there are as many threads as modules had work at once. They stay
until the host is closed: the system ends a native module's process with the thread that started it.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from typing import final

from meldpy.engine.guests.threads import start_thread

logger = logging.getLogger("meldpy.host")


@final
class Crew:
    """See the module. Any thread."""

    def __init__(self) -> None:
        self._some = threading.Condition()
        self._waiting: deque[Callable[[], None]] = deque()
        self._threads = self._idle = 0
        self._closed = False
        with self._some:
            self._another()

    @property
    def threads(self) -> int:
        return self._threads

    def run(self, work: Callable[[], None]) -> None:
        """On a thread of its own until it returns; it must not raise. If the system has no more threads it waits for
        one of ours."""
        with self._some:
            self._waiting.append(work)
            if len(self._waiting) <= self._idle:
                self._some.notify()
                return
            try:
                self._another()
            except RuntimeError as error:
                text = "a module waits for a thread: %s"
                logger.warning(text, error, extra={"module_name": "", "event": "no-thread"})

    def close(self) -> None:
        """Let the threads go when they have nothing to do."""
        with self._some:
            self._closed = True
            self._some.notify_all()

    def _another(self) -> None:
        start_thread(threading.Thread(target=self._live, name=f"meld-crew-{self._threads}", daemon=True))
        self._threads += 1
        self._idle += 1

    def _live(self) -> None:
        while True:
            with self._some:
                while not self._waiting and not self._closed:
                    self._some.wait()
                self._idle -= 1
                if not self._waiting:
                    self._threads -= 1
                    return
                work = self._waiting.popleft()
            work()
            del work  # who waits next must not hold what was done last
            with self._some:
                self._idle += 1
