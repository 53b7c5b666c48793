"""What a program around the host hears of the bus."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from queue import Empty, Full, Queue
from typing import final

from meldpy.host.faults import StateError, TimedOut
from meldpy.host.module import Envelope


@final
class Subscription:
    """What a program around the host receives. It reads with `get`, or by iteration until `close`; what does not fit
    into its queue is dropped and counted: a program that does not read must not stop modules."""

    def __init__(self, patterns: tuple[str, ...], limit: int, leave: Callable[[Subscription], None]) -> None:
        """leave: told when nothing is wanted any more."""
        self.patterns, self.dropped = patterns, 0
        self._leave = leave
        self._queue: Queue[Envelope | None] = Queue(limit)

    def offer(self, message: Envelope) -> None:
        try:
            self._queue.put_nowait(message)
        except Full:
            self.dropped += 1

    def get(self, timeout: float | None = None) -> Envelope:
        """The next message. TimedOut; StateError when it is closed."""
        try:
            message = self._queue.get(timeout=timeout)
        except Empty:
            raise TimedOut("no message in time") from None
        if message is None:
            raise StateError("the subscription is closed")
        return message

    def __iter__(self) -> Subscription:
        return self

    def __next__(self) -> Envelope:
        try:
            return self.get()
        except StateError:
            raise StopIteration from None

    def close(self) -> None:
        self._leave(self)
        while True:
            try:
                return self._queue.put_nowait(None)
            except Full:
                with suppress(Empty):  # somebody reads, and somebody may still be offering
                    self._queue.get_nowait()

    def __enter__(self) -> Subscription:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
