"""What a module may ask of the host, checked against its grants; for modules of both kinds.

While a durable message is handled, what the module does to the outside (messages sent, keys set) is collected and
becomes true with the end of the handling (`Effects`); otherwise it is true at once. Requests are answered at once in
either case: the module waits for them.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from time import monotonic_ns, time_ns
from typing import Protocol, final

from meldpy.host.bus.bus import Bus, Outgoing
from meldpy.host.faults import Busy, Denied, StateError
from meldpy.host.limits import Grants, Limits, allows
from meldpy.host.module import Level
from meldpy.host.store.database import Database, Transaction
from meldpy.host.store.modules import Modules

logger = logging.getLogger("meldpy.host")

_LEVELS = {
    Level.TRACE: logging.DEBUG,
    Level.DEBUG: logging.DEBUG,
    Level.INFO: logging.INFO,
    Level.WARN: logging.WARNING,
    Level.ERROR: logging.ERROR,
}


class JobContext(Protocol):
    """The job that an instance runs."""

    def report_progress(self, done: int, total: int, text: str) -> None: ...
    def checkpoint(self, data: bytes) -> None: ...
    def last_checkpoint(self) -> bytes | None: ...
    def is_cancelled(self) -> bool: ...
    def log_line(self, text: str) -> None: ...
    def metric(self, name: str, value: float) -> None: ...


@final
class Effects:
    """What a module did to the outside while it handled one message."""

    def __init__(self, modules: Modules, module: str) -> None:
        self._modules, self._module = modules, module
        self.outbox: list[Outgoing] = []
        self.keys: dict[str, bytes | None] = {}
        self.also: list[Callable[[Transaction], None]] = []

    def apply(self, within: Transaction) -> None:
        for key, value in self.keys.items():
            self._modules.set(within, self._module, key, value)
        for each in self.also:
            each(within)


@final
class ModuleServices:
    """Services of one module. aside: lets other guests run while this one waits."""

    def __init__(
        self,
        name: str,
        grants: Grants,
        limits: Limits,
        bus: Bus,
        database: Database,
        modules: Modules,
        aside: Callable[[], AbstractContextManager[None]],
        job: JobContext | None = None,
    ) -> None:
        self._name, self._grants, self._limits = name, grants, limits
        self._bus, self._database, self._modules = bus, database, modules
        self._aside, self._job = aside, job if grants.jobs else None
        self._is_job = job is not None
        self._lock = threading.Lock()
        self._effects: Effects | None = None

    # --- one message -------------------------------------------------------------------------------------------------
    def begin(self) -> Effects:
        """From here on effects are collected."""
        self._effects = Effects(self._modules, self._name)
        return self._effects

    def end(self) -> None:
        """They are not any more."""
        with self._lock:
            self._effects = None

    # --- log and clock -----------------------------------------------------------------------------------------------
    def log(self, level: Level, text: str) -> None:
        if self._grants.log:
            logger.log(_LEVELS[level], "%s", text, extra={"module_name": self._name, "event": "log"})

    def now(self) -> int:
        self._need(self._grants.clock, "clock")
        return time_ns()

    def monotonic(self) -> int:
        self._need(self._grants.clock, "clock")
        return monotonic_ns()

    # --- bus ---------------------------------------------------------------------------------------------------------
    def publish(self, topic: str, payload: bytes) -> None:
        self._need(allows(self._grants.publish, topic), f"publishing {topic}")
        self._leave(Outgoing(None, topic, payload))

    def send(self, to: str, topic: str, payload: bytes) -> None:
        self._need(allows(self._grants.send, to), f"sending to {to}")
        self._leave(Outgoing(to, topic, payload))

    def request(self, to: str, topic: str, payload: bytes, timeout: float) -> bytes:
        self._need(allows(self._grants.send, to), f"requests to {to}")
        with self._aside():
            seconds = min(timeout, self._limits.request)
            return self._bus.request(self._name, to, topic, payload, seconds, holds=not self._is_job)

    def _leave(self, outgoing: Outgoing) -> None:
        effects = self._effects
        if effects is not None:
            self._bus.check_room(self._name, outgoing)
            with self._lock:
                if self._effects is effects:
                    effects.outbox.append(outgoing)
                    return
        # outside of a message, or from another thread of a native module when its message was done meanwhile
        try:
            self._pass_on(outgoing, 0)
        except Busy:
            with self._aside():
                self._pass_on(outgoing, self._limits.request)

    def _pass_on(self, outgoing: Outgoing, wait: float) -> None:
        if outgoing.to is None:
            self._bus.publish(self._name, outgoing.topic, outgoing.payload, wait)
        else:
            self._bus.send(self._name, outgoing.to, outgoing.topic, outgoing.payload, wait)

    # --- keys --------------------------------------------------------------------------------------------------------
    def kv_get(self, key: str) -> bytes | None:
        self._need(self._grants.kv, "kv")
        effects = self._effects
        if effects is not None and key in effects.keys:
            return effects.keys[key]
        return self._modules.get(self._name, key)

    def kv_set(self, key: str, value: bytes) -> None:
        self._set(key, value)

    def kv_delete(self, key: str) -> None:
        self._set(key, None)

    def kv_keys(self, prefix: str) -> tuple[str, ...]:
        self._need(self._grants.kv, "kv")
        found = set(self._modules.keys(self._name, prefix))
        effects = self._effects
        if effects is not None:
            for key, value in effects.keys.items():
                if key.startswith(prefix):
                    (found.discard if value is None else found.add)(key)
        return tuple(sorted(found))

    def _set(self, key: str, value: bytes | None) -> None:
        self._need(self._grants.kv, "kv")
        with self._lock:
            if self._effects is not None:
                self._effects.keys[key] = value
                return
        with self._database.transaction() as within:
            self._modules.set(within, self._name, key, value)

    # --- jobs --------------------------------------------------------------------------------------------------------
    def report_progress(self, done: int, total: int, text: str) -> None:
        if self._job is not None:
            self._job.report_progress(done, total, text)

    def checkpoint(self, data: bytes) -> None:
        self._need(self._grants.jobs, "jobs")
        if self._job is None:
            raise StateError("this is no job")
        self._job.checkpoint(data)

    def last_checkpoint(self) -> bytes | None:
        return None if self._job is None else self._job.last_checkpoint()

    def is_cancelled(self) -> bool:
        return self._job is not None and self._job.is_cancelled()

    def log_line(self, text: str) -> None:
        if self._job is not None:
            self._job.log_line(text)

    def metric(self, name: str, value: float) -> None:
        if self._job is not None:
            self._job.metric(name, value)

    def _need(self, granted: bool, what: str) -> None:
        if not granted:
            raise Denied(f"{self._name} was not granted {what}")
