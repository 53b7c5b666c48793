"""Who is on the bus, by name and by topic. What a topic leads to is looked for once, and kept until something changes:
with many modules the looking would take longer than everything else about a message."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Protocol, final

from meldpy.host.faults import StateError
from meldpy.host.limits import allows
from meldpy.host.module import Envelope

_KEPT = 1000
"""Topics; whoever invents more has them looked for."""
_LONG = 200
"""Characters of a topic that is not kept."""


class Receiver(Protocol):
    """Somebody with a mailbox."""

    @property
    def name(self) -> str:
        """Unique on the bus."""

    @property
    def subscriptions(self) -> tuple[str, ...]:
        """Patterns of topics. Whoever changes them while they are on the bus says so (`Bus.subscriptions_changed`)."""

    def is_durable(self, topic: str) -> bool:
        """Whether messages of this topic are kept before they are delivered."""

    def reserve(self, wait: float) -> None:
        """Hold a place. Busy, StateError."""

    def cancel(self) -> None:
        """Give it back."""

    def awaited(self) -> Callable[[], None]:
        """Somebody will wait for its reply; what is returned must be called once, when nobody does any more."""

    def deliver(self, message: Envelope, reply: Future[bytes] | None, *, durable: bool, reserved: bool) -> None:
        """Fill the place; never waits. StateError if it is closed meanwhile."""


@final
class Routes:
    """See the module. Any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._receivers: dict[str, Receiver] = {}
        self._by_topic: dict[str, tuple[Receiver, ...]] = {}
        self._changes = 0

    def join(self, receiver: Receiver) -> None:
        with self._lock:
            self._receivers[receiver.name] = receiver
            self._changed()

    def leave(self, receiver: Receiver) -> None:
        """If it is there: another one may have its name."""
        with self._lock:
            if self._receivers.get(receiver.name) is receiver:
                del self._receivers[receiver.name]
                self._changed()

    def subscriptions_changed(self) -> None:
        """Of anybody."""
        with self._lock:
            self._changed()

    def named(self, name: str) -> Receiver:
        """StateError."""
        receiver = self._receivers.get(name)
        if receiver is None:
            raise StateError(f"there is no module {name}")
        return receiver

    def subscribed(self, topic: str) -> tuple[Receiver, ...]:
        """To a topic, in the order in which they came."""
        found = self._by_topic.get(topic)
        if found is not None:
            return found
        with self._lock:
            changes, everybody = self._changes, list(self._receivers.values())
        found = tuple(each for each in everybody if allows(each.subscriptions, topic))
        if len(topic) <= _LONG:
            with self._lock:
                if len(self._by_topic) >= _KEPT:
                    self._by_topic.clear()
                if changes == self._changes:
                    self._by_topic[topic] = found
        return found

    def _changed(self) -> None:
        self._changes += 1
        self._by_topic.clear()
