"""Who receives what. The bus knows receivers by name and by the topics they subscribed to; what they do is theirs.

`publish` reaches all subscribers or, if one's mailbox stays full, none. A sender that is itself handling a durable
message hands over an outbox: then what it sends leaves with the end of that handling, in the same transaction.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from itertools import count
from time import monotonic, time_ns
from typing import Protocol, final

from meldpy.host.bus.routes import Receiver, Routes
from meldpy.host.bus.subscription import Subscription
from meldpy.host.faults import Busy, StateError, StoreFailed, TimedOut
from meldpy.host.limits import allows
from meldpy.host.module import Envelope
from meldpy.host.store.database import Database, Transaction
from meldpy.host.store.messages import Messages
from meldpy.records import dataclass

logger = logging.getLogger("meldpy.host")

_VOLATILE = 1 << 63
"""Ids of messages that are in no store; those that are have the ids of their rows."""


@final
@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message that leaves when its sender is done. to: a module, or None for everybody who subscribed."""

    to: str | None
    topic: str
    payload: bytes


@final
class Bus:
    """See the module. Any thread may call any method."""

    def __init__(self, database: Database, messages: Messages) -> None:
        self._database, self._messages = database, messages
        self._lock = threading.Lock()
        self._routes = Routes()
        self._listeners: tuple[Subscription, ...] = ()
        self._waits: dict[str, str] = {}
        self._ids = count(_VOLATILE | (time_ns() & (_VOLATILE - 1)))

    # --- who is there ------------------------------------------------------------------------------------------------
    def join(self, receiver: Receiver) -> None:
        self._routes.join(receiver)

    def leave(self, receiver: Receiver) -> None:
        """If it is there: another one may have its name."""
        self._routes.leave(receiver)

    def subscriptions_changed(self) -> None:
        """Of somebody who is here."""
        self._routes.subscriptions_changed()

    def listen(self, *patterns: str, limit: int = 10_000) -> Subscription:
        """For the program around the host."""
        subscription = Subscription(patterns, limit, self._drop)
        with self._lock:
            self._listeners = (*self._listeners, subscription)
        return subscription

    def _drop(self, subscription: Subscription) -> None:
        with self._lock:
            self._listeners = tuple(each for each in self._listeners if each is not subscription)

    # --- sending -----------------------------------------------------------------------------------------------------
    def publish(self, sender: str, topic: str, payload: bytes, wait: float) -> None:
        """To every subscriber but the sender. Busy, and then nobody got it."""
        self._hand_over(sender, topic, payload, self._subscribers(sender, topic), wait, everybody=True)
        self._tell_listeners(sender, topic, payload)

    def announce(self, topic: str, payload: bytes) -> None:
        """What the host itself says. It neither waits nor fails, whatever it is about has happened: what does not fit
        into a mailbox is a dead letter, and what the store does not take is in the log."""
        for receiver in self._subscribers("", topic):
            try:
                self._announce_to(receiver, topic, payload)
            except StoreFailed as failed:
                text = "%s is not told of %s: %s"
                extra = {"module_name": receiver.name, "event": "not-told"}
                logger.error(text, receiver.name, topic, failed.reason, extra=extra)
        self._tell_listeners("", topic, payload)

    def _announce_to(self, receiver: Receiver, topic: str, payload: bytes) -> None:
        try:
            self._hand_over("", topic, payload, [receiver], 0, everybody=True)
        except Busy as busy:
            with self._database.transaction() as within:
                message = Envelope(next(self._ids), topic, payload)
                self._messages.bury(within, receiver.name, message, busy.reason)

    def send(self, sender: str, to: str, topic: str, payload: bytes, wait: float) -> None:
        """To one module. Busy; StateError if it does not run."""
        self._hand_over(sender, topic, payload, [self._routes.named(to)], wait, everybody=False)

    def request(self, sender: str, to: str, topic: str, payload: bytes, timeout: float, *, holds: bool = True) -> bytes:
        """To one module, and its reply. TimedOut; what its handling raised; StateError if it waits for the sender.

        holds: whether the sender handles nothing meanwhile; a job waits beside its module, which goes on.
        """
        receiver = self._routes.named(to)
        end = monotonic() + timeout
        holds = holds and bool(sender)
        if holds:
            with self._lock:
                self._check_circle(sender, to)
                self._waits[sender] = to
        reply: Future[bytes] = Future()
        over = receiver.awaited()
        try:
            receiver.reserve(timeout)
            message = Envelope(next(self._ids), topic, payload, sender, wants_reply=True)
            receiver.deliver(message, reply, durable=False, reserved=True)
            return reply.result(max(0.0, end - monotonic()))
        except FutureTimeout:
            reply.cancel()
            raise TimedOut(f"{to} did not reply within {timeout:g} s") from None
        finally:
            over()
            if holds:
                with self._lock:
                    self._waits.pop(sender, None)

    def check_room(self, sender: str, outgoing: Outgoing) -> None:
        """Raises what sending would raise now: for an outbox, whose sender must hear of it while it can."""
        for receiver in self._addressed(sender, outgoing):
            try:
                receiver.reserve(0)
                receiver.cancel()
            except StateError:
                if outgoing.to is not None and not receiver.is_durable(outgoing.topic):
                    raise

    def send_with(self, sender: str, outbox: Sequence[Outgoing], and_also: Effects) -> None:
        """What a handling had as effects, in one transaction; then the messages are delivered."""
        accepted: list[tuple[Receiver, Envelope, bool]] = []
        with self._database.transaction() as within:
            for each in outbox:
                try:
                    receivers = self._addressed(sender, each)
                except StateError as error:  # there was one when the sender was told that it had sent
                    assert each.to is not None, "subscribers are only those that are there"
                    message = Envelope(next(self._ids), each.topic, each.payload, sender)
                    self._messages.bury(within, each.to, message, error.reason)
                    continue
                for receiver in receivers:
                    durable = receiver.is_durable(each.topic)
                    if durable:
                        message = self._messages.accept(within, receiver.name, each.topic, sender, each.payload)
                    else:
                        message = Envelope(next(self._ids), each.topic, each.payload, sender)
                    accepted.append((receiver, message, durable))
            and_also.apply(within)
        for receiver, message, durable in accepted:
            self._deliver_accepted(receiver, message, durable)
        for each in outbox:
            if each.to is None:
                self._tell_listeners(sender, each.topic, each.payload)

    def _addressed(self, sender: str, outgoing: Outgoing) -> list[Receiver]:
        if outgoing.to is not None:
            return [self._routes.named(outgoing.to)]
        return self._subscribers(sender, outgoing.topic)

    def _hand_over(
        self, sender: str, topic: str, payload: bytes, receivers: list[Receiver], wait: float, *, everybody: bool
    ) -> None:
        """A receiver that does not run gets what is kept for it; of `everybody`, others are left out."""
        durable = {receiver.name for receiver in receivers if receiver.is_durable(topic)}
        held: list[Receiver] = []
        absent: list[Receiver] = []
        kept: dict[str, Envelope] = {}
        try:
            for receiver in receivers:
                try:
                    receiver.reserve(wait)
                    held.append(receiver)
                except StateError:
                    if receiver.name not in durable and not everybody:
                        raise
                    absent.append(receiver)
            if durable:
                with self._database.transaction() as within:
                    for name in sorted(durable):
                        kept[name] = self._messages.accept(within, name, topic, sender, payload)
        except BaseException:
            for receiver in held:
                receiver.cancel()
            raise
        for receiver in held:
            message = kept.get(receiver.name)
            try:
                receiver.deliver(
                    Envelope(next(self._ids), topic, payload, sender) if message is None else message,
                    None,
                    durable=message is not None,
                    reserved=True,
                )
            except StateError:
                if message is None and not everybody:
                    raise  # closed in this moment
        for receiver in absent:
            if receiver.name in kept:
                # it may have started, and looked into the store, before the message was in it
                self._deliver_accepted(receiver, kept[receiver.name], durable=True)

    def _deliver_accepted(self, receiver: Receiver, message: Envelope, durable: bool) -> None:
        try:
            receiver.deliver(message, None, durable=durable, reserved=False)
        except StateError as error:
            if not durable:
                with self._database.transaction() as within:
                    self._messages.bury(within, receiver.name, message, error.reason)

    # --- finding -----------------------------------------------------------------------------------------------------
    def _subscribers(self, sender: str, topic: str) -> list[Receiver]:
        return [each for each in self._routes.subscribed(topic) if each.name != sender]

    def _tell_listeners(self, sender: str, topic: str, payload: bytes) -> None:
        for listener in self._listeners:
            if allows(listener.patterns, topic):
                listener.offer(Envelope(next(self._ids), topic, payload, sender))

    def _check_circle(self, sender: str, to: str) -> None:
        """A waits for B, which waits for A: neither would ever handle the other's request."""
        at: str | None = to
        while at is not None:
            if at == sender:
                raise StateError(f"{sender} would wait for itself: {to} waits for it already")
            at = self._waits.get(at)


class Effects(Protocol):
    """What else belongs to a transaction."""

    def apply(self, within: Transaction) -> None:
        """Write it."""
