"""What `definitions.py` uses of `threading` and `random`, with threads that can be given up, and with a plan.

A thread there is a real one that hands control on by locks, so that one runs at a time. Once something failed, whoever
waits for a lock gets `GivenUp` instead, one after the other.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, final


@final
class GivenUp(BaseException):
    """The run is over; see `Threads.failure`."""


@final
class Threads:
    """Stands for `threading` in one run. failure: why the run is over."""

    def __init__(self) -> None:
        self.failure: BaseException | None = None
        self.waiting: list[tuple[_Lock, threading.Thread]] = []
        self.main = threading.current_thread()

    def Lock(self) -> _Lock:
        return _Lock(self)

    def Thread(self, target: Callable[[], None]) -> threading.Thread:
        def run() -> None:
            try:
                target()
            except GivenUp:
                pass
            except BaseException as error:
                self.fail(error)

        return threading.Thread(target=run, daemon=True)

    def fail(self, error: BaseException) -> None:
        """Called where it failed: the main thread hears of it."""
        self.failure = self.failure or error
        for lock, thread in self.waiting:
            if thread is self.main:
                lock.release()

    def close(self) -> None:
        """Called by the main thread: ends all others, the last to wait first."""
        self.failure = self.failure or GivenUp()
        while self.waiting:
            lock, thread = self.waiting[-1]
            lock.release()
            thread.join(5)
            assert not thread.is_alive(), "a thread of a run that is over goes on"


@final
class _Lock:
    def __init__(self, owner: Threads) -> None:
        self._owner = owner
        self._free = threading.Semaphore(1)

    def acquire(self) -> None:
        entry = (self, threading.current_thread())
        self._owner.waiting.append(entry)
        self._free.acquire()
        self._owner.waiting.remove(entry)
        if self._owner.failure is not None:
            raise GivenUp

    def release(self) -> None:
        self._free.release()


@final
class Choices:
    """Stands for `random` in one run. plan: what to choose each time, 0 behind its end; taken: choices, of how many."""

    def __init__(self, plan: tuple[int, ...]) -> None:
        self.plan = plan
        self.taken: list[tuple[int, int]] = []
        self.order: Callable[[Any], Any] = id
        """In which order the things are that can be chosen."""

    def pick(self, count: int) -> int:
        chosen = self.plan[len(self.taken)] if len(self.taken) < len(self.plan) else 0
        if count > 1:
            self.taken.append((chosen, count))
            return chosen
        return 0

    def randint(self, low: int, high: int) -> int:
        # wait_until asks so whether to block where it need not; first it does not
        return high - self.pick(high - low + 1)

    def choice(self, things: list[Any]) -> Any:
        return sorted(things, key=self.order)[self.pick(len(things))]

    def shuffle(self, waitables: list[Any]) -> None:
        """WaitableSet.get_pending_event takes the first that has an event."""
        ready = [each for each in waitables if each.has_pending_event()]
        first = ready[self.pick(len(ready))]
        waitables.remove(first)
        waitables.insert(0, first)
