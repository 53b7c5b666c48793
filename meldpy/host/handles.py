"""What a program holds of a host: modules, the bus, jobs. Each is a name that is looked up when it is used, so that a
handle stays good when its module is swapped. Methods wait for their result; those whose name ends in `_future` give a
`concurrent.futures.Future` instead, which `asyncio.wrap_future` takes (`meldpy.host.aio` does)."""

from __future__ import annotations

from concurrent.futures import Future
from typing import Any, final

from meldpy.host.bus.subscription import Subscription
from meldpy.host.core import Core
from meldpy.host.jobs.store import JobKind, JobRow
from meldpy.host.lifecycle.hosted import Hosted
from meldpy.host.lifecycle.life import Status
from meldpy.host.module import Capabilities

WAIT = 5.0
"""Seconds that a program waits for a place in a mailbox."""


@final
class Module:
    """A module that is loaded."""

    def __init__(self, core: Core, name: str) -> None:
        self._core, self.name = core, name

    @property
    def _hosted(self) -> Hosted:
        return self._core.find(self.name)

    @property
    def version(self) -> str:
        return self._hosted.plan.version

    @property
    def status(self) -> Status:
        return self._hosted.status

    def capabilities(self) -> Capabilities:
        """What the module says of itself."""
        return self._hosted.ask(lambda instance: instance.capabilities(), WAIT).result()

    def execute_future(self, command: str, payload: bytes = b"", *, deadline: float | None = None) -> Future[bytes]:
        return self._hosted.ask(lambda instance: instance.execute(command, payload, deadline=deadline), WAIT)

    def execute(self, command: str, payload: bytes = b"", *, deadline: float | None = None) -> bytes:
        """What the module says to a command, in turn with its messages. deadline: in place of the module's limit."""
        return self.execute_future(command, payload, deadline=deadline).result()

    def call_future(self, function: str, *arguments: object, deadline: float | None = None) -> Future[Any]:
        path = tuple(function.split("#"))
        return self._hosted.ask(lambda instance: instance.call(path, *arguments, deadline=deadline), WAIT)

    def call(self, function: str, *arguments: object, deadline: float | None = None) -> Any:
        """An export of the component, `name` or `ns:pkg/interface@1.0.0#name`, with values as
        `meldpy.engine.guests.values` has them."""
        return self.call_future(function, *arguments, deadline=deadline).result()

    def call_text(self, call: str, *, deadline: float | None = None) -> str | None:
        """The same in WAVE: `ns:pkg/interface@1.0.0#name(1, "x")`."""
        return self._hosted.ask(lambda instance: instance.call_text(call, deadline=deadline), WAIT).result()

    def send(self, topic: str, payload: bytes) -> None:
        """A message for this module alone."""
        self._core.bus.send("", self.name, topic, payload, WAIT)

    def request(self, topic: str, payload: bytes = b"", *, timeout: float = 5.0) -> bytes:
        """A message, and what its handling returns."""
        return self._core.bus.request("", self.name, topic, payload, timeout)

    def start(self) -> None:
        self._hosted.start().result()

    def stop(self) -> None:
        """Its state is kept, its instance is freed; `start` makes a new one."""
        self._hosted.stop().result()

    def unload(self) -> None:
        self._core.unload(self.name)

    def job(self, command: str, payload: bytes = b"") -> Job:
        """Have a command run as a job, beside the module."""
        return Job(self._core, self._core.jobs.begin(self._hosted.plan, command, payload))

    def call_job(self, call: str) -> Job:
        """The same of an export, in WAVE as `call_text` has it; the job's result is in WAVE too."""
        return Job(self._core, self._core.jobs.begin(self._hosted.plan, call, b"", JobKind.EXPORT))


@final
class Job:
    """A job that was begun, in this host or in one before it."""

    def __init__(self, core: Core, id_: int) -> None:
        self._core, self.id = core, id_

    def row(self) -> JobRow:
        """How it is now."""
        return self._core.jobs.store.find(self.id)

    @property
    def runs_now(self) -> bool:
        """Not so if its row says that it is running, and its beginning or end could not be kept: then it was left, to
        go on when its module is loaded next."""
        return self._core.jobs.is_running(self.id)

    def wait(self, timeout: float | None = None) -> JobRow:
        """Until it does not run any more. TimedOut."""
        return self._core.jobs.wait(self.id, timeout)

    @property
    def result(self) -> bytes | None:
        """None until it is done."""
        return self._core.jobs.store.result(self.id)

    @property
    def metrics(self) -> dict[str, float]:
        return self._core.jobs.store.metrics(self.id)

    @property
    def lines(self) -> list[tuple[float, str]]:
        """The job's own log: seconds since 1970, text."""
        return self._core.jobs.store.lines(self.id)

    def pause(self) -> None:
        """At its next checkpoint; `wait` waits for it."""
        self._core.jobs.pause(self.id)

    def resume(self) -> None:
        """From its last checkpoint, in the version of the module that is loaded now."""
        self._core.jobs.resume(self.id, self._core.find(self.row().module).plan)

    def cancel(self) -> None:
        self._core.jobs.cancel(self.id)


@final
class BusHandle:
    """The bus, as the program around the host sees it: its name there is the empty one."""

    def __init__(self, core: Core) -> None:
        self._core = core

    def publish(self, topic: str, payload: bytes) -> None:
        """To every module that subscribed. Busy if a mailbox stays full."""
        self._core.bus.publish("", topic, payload, WAIT)

    def send(self, to: str, topic: str, payload: bytes) -> None:
        self._core.bus.send("", to, topic, payload, WAIT)

    def request(self, to: str, topic: str, payload: bytes = b"", *, timeout: float = 5.0) -> bytes:
        return self._core.bus.request("", to, topic, payload, timeout)

    def subscribe(self, *patterns: str) -> Subscription:
        """A context manager and iterator of messages. Topics of the host's own begin with `meld/`."""
        return self._core.bus.listen(*patterns)
