"""What handling a message means, on the module's own thread.

A volatile message is delivered once; if its handling fails, it is a dead letter. A durable one is delivered until its
handling succeeds: then its effects and its removal from the inbox are one transaction, so that a host that dies before
has not handled it and one that dies after has. A message that fails too often is a dead letter as well, in the same
way. Failures of one message never reorder others: it is tried again before the next.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, nullcontext
from typing import Protocol, final

from meldpy.host.bus.bus import Bus
from meldpy.host.faults import HostError, NotKept, StoreFailed, defect
from meldpy.host.lifecycle.plan import ModulePlan, Persist
from meldpy.host.module import Capabilities, Envelope, ModuleInstance
from meldpy.host.services import ModuleServices
from meldpy.host.store.database import Database, Transaction
from meldpy.host.store.messages import Messages
from meldpy.host.store.modules import Modules
from meldpy.records import dataclass, replace

logger = logging.getLogger("meldpy.host")

_AFTER_ALL = 1 << 63
"""An id that no row has."""


@final
@dataclass(slots=True)
class Alive:
    """An instance with what it was made of."""

    plan: ModulePlan
    instance: ModuleInstance
    capabilities: Capabilities
    services: ModuleServices


class Patient(Protocol):
    """Whose messages are handled."""

    def alive(self) -> Alive:
        """The instance, made anew if it died. Raises HostError if it cannot be now."""

    def died(self, error: HostError) -> None:
        """The instance ended in a call."""

    def lived(self) -> None:
        """A call returned."""


@final
class Handler:
    """Handles the messages of one module."""

    def __init__(self, name: str, patient: Patient, bus: Bus, database: Database) -> None:
        self._name, self._patient, self._bus, self._database = name, patient, bus, database
        self._messages, self._modules = Messages(database), Modules(database)
        self._behind = False

    def look_back(self) -> None:
        """The store may have messages that are older than the next one."""
        self._behind = True

    def handle(self, message: Envelope, reply: Future[bytes] | None, *, durable: bool) -> bool:
        """Whether the message is done with: handled, or given up. False if it is still to be handled, later."""
        if durable and not self._catch_up(message.id):
            return False
        while True:
            try:
                alive = self._patient.alive()
            except HostError as error:
                if durable:
                    self._behind = True
                    return False
                self.give_up(message, reply, error, durable=False)
                return True
            if durable:
                attempt = self._messages.attempt(message.id)
                if attempt is None:
                    return True  # it was queued twice
                message = replace(message, attempt=attempt)
            try:
                result = self._once(alive, message, durable=durable)
            except HostError as error:
                if error.fatal:
                    self._patient.died(error)
                if durable and message.attempt < alive.plan.attempts:
                    continue
                self.give_up(message, reply, error, durable=durable)
                return True
            self._patient.lived()
            if reply is not None and reply.set_running_or_notify_cancel():
                reply.set_result(result)
            return True

    def catch_up(self) -> bool:
        """Handle what was left, and say whether nothing is left of it."""
        self._behind = True
        return self._catch_up(_AFTER_ALL)

    def _catch_up(self, id_: int) -> bool:
        """Handle what was left, because the module was broken, before anything that came later."""
        if self._behind:
            self._behind = False
            for earlier in self._messages.waiting(self._name):
                if earlier.id < id_ and not self.handle(earlier, None, durable=True):
                    return False
        return True

    def _once(self, alive: Alive, message: Envelope, *, durable: bool) -> bytes:
        """What the module returns. Raises HostError: what else happens is a defect of ours, which the log has."""
        try:
            return self._durably(alive, message) if durable else alive.instance.handle_message(message)
        except HostError:
            raise
        except Exception as error:
            raise defect(error, self._name) from error

    def _durably(self, alive: Alive, message: Envelope) -> bytes:
        with_state = alive.plan.persist is Persist.MESSAGE and alive.capabilities.state_schema is not None
        effects = alive.services.begin()
        try:
            result = alive.instance.handle_message(message)
            if with_state:
                with self._or_not_kept():
                    effects.also.append(self._keeping(alive))
        finally:
            alive.services.end()
        effects.also.append(lambda within: self._messages.handled(within, message.id))
        with self._or_not_kept() if with_state else nullcontext():
            self._bus.send_with(self._name, effects.outbox, effects)
        return result

    @contextmanager
    def _or_not_kept(self) -> Iterator[None]:
        """Where the state belongs to the message, an instance that knows more than the store would count it twice."""
        try:
            yield
        except Exception as error:
            said = error if isinstance(error, HostError) else defect(error, self._name)
            if said.fatal:
                raise
            raise NotKept(f"{self._name}: {said.reason}", causes=said.causes) from error

    def _keeping(self, alive: Alive) -> Callable[[Transaction], None]:
        state = alive.instance.get_state()
        return lambda within: self._modules.keep_state(within, self._name, state)

    def give_up(self, message: Envelope, reply: Future[bytes] | None, error: HostError, *, durable: bool) -> None:
        """Tell whoever waits; if nobody does, it is a dead letter."""
        if reply is not None:
            # whoever waits is told, and that is all: it decides whether to ask again
            if reply.set_running_or_notify_cancel():
                reply.set_exception(error)
            return
        logger.warning("gave a message up: %s", error.reason, extra={"module_name": self._name, "event": "dead-letter"})
        try:
            with self._database.transaction() as within:
                self._messages.bury(within, self._name, message, error.reason)
                if durable:
                    self._messages.handled(within, message.id)
        except StoreFailed as failed:
            if durable:
                raise  # it is in the store still
            text = "a message is lost, and on no list of dead letters: %s"
            logger.error(text, failed.reason, extra={"module_name": self._name, "event": "not-kept"})
