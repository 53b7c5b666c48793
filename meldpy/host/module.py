"""The two contracts around a module: what the lifecycle may ask of one, and what one may ask of the host.

A module is WebAssembly in this process (`meldpy.host.wasm`) or native code in a process of its own
(`meldpy.host.native`); the lifecycle, the bus and the jobs know neither, only `ModuleInstance`. Both kinds of instance
are handed `Services`, which checks the module's grants, so that a grant means the same for both.

Words are those of `wit/host.wit`. Calls are synchronous and one at a time: the lifecycle sees to it that an instance is
called by its owner thread only, and never while it is in a call. `close`, `interrupt`, `alive` and `used_elsewhere` are
the exceptions: any thread may call them at any time.
"""

from __future__ import annotations

from enum import Enum
from typing import Any, Protocol, final

from meldpy.records import dataclass

ENVELOPE_VERSION = 1


@final
@dataclass(frozen=True, slots=True)
class Envelope:
    """One message, as its receiver sees it (`envelope` of meld:host/types). sender: "" is the program around the host.

    id: unique among the messages of one host, the same at every delivery; attempt: 1 at the first.
    """

    id: int
    topic: str
    payload: bytes
    sender: str = ""
    attempt: int = 1
    wants_reply: bool = False
    version: int = ENVELOPE_VERSION


@final
@dataclass(frozen=True, slots=True)
class ModuleState:
    """What a module knows, for the version after it; `schema` says how to read `data`."""

    schema: int
    data: bytes


@final
@dataclass(frozen=True, slots=True)
class Capabilities:
    """What a module says of itself. state_schema: None if it has no state to keep."""

    commands: tuple[str, ...] = ()
    topics: tuple[str, ...] = ()
    state_schema: int | None = None


@final
class Level(Enum):
    """`level` of meld:host/log, in its order."""

    TRACE = "trace"
    DEBUG = "debug"
    INFO = "info"
    WARN = "warn"
    ERROR = "error"


class ModuleInstance(Protocol):
    """A living module. Every call may raise a `faults.HostError`; after one that is `fatal` only `close` is allowed.

    deadline: seconds for this call, in place of the module's limit; DeadlineExceeded if they pass.
    """

    def initialize(self, config: str) -> None:
        """The first call; `config` is a JSON object."""

    def execute(self, command: str, payload: bytes, *, deadline: float | None = None) -> bytes:
        """Raises ModuleFailure for what the module itself says."""

    def capabilities(self) -> Capabilities:
        """What the module says of itself."""

    def handle_message(self, message: Envelope, *, deadline: float | None = None) -> bytes:
        """The reply, for whoever waits for one."""

    def get_state(self) -> ModuleState:
        """What the module knows now."""

    def restore_state(self, state: ModuleState) -> None:
        """After `initialize`, before anything else. SchemaRefused if the module cannot take it."""

    def shutdown(self) -> None:
        """The last call of the module's own code."""

    def call(self, path: tuple[str, ...], *arguments: object, deadline: float | None = None) -> Any:
        """A function that it exports itself, by its path, with Python values. Unsupported if it has no exports,
        UsageError if there is no such function or the arguments do not fit."""

    def call_text(self, call: str, *, deadline: float | None = None) -> str | None:
        """The same in WAVE: `ns:pkg/interface@1.0.0#name(1, "x")`; None if the function has no result."""

    def interrupt(self, reason: str) -> None:
        """End the call that runs now, if one does: it raises Interrupted. Any thread."""

    def close(self) -> None:
        """Free everything; waits for a call that runs. Any thread, any number of times."""

    @property
    def alive(self) -> bool:
        """False from the first fatal error on."""

    @property
    def used_elsewhere(self) -> float | None:
        """Seconds of processor time that it used on no thread that called it, in a process of its own say; the last
        number stays when it is dead. None: it has nothing but the threads that call it."""


class Services(Protocol):
    """What a module may ask of the host, each checked against its grants: faults.Denied if it may not. Any thread."""

    def log(self, level: Level, text: str) -> None:
        """One line; never fails."""

    def publish(self, topic: str, payload: bytes) -> None:
        """To every module that subscribed. Busy if a mailbox is full."""

    def send(self, to: str, topic: str, payload: bytes) -> None:
        """To one module."""

    def request(self, to: str, topic: str, payload: bytes, timeout: float) -> bytes:
        """To one module, and wait `timeout` seconds for its reply: TimedOut."""

    def report_progress(self, done: int, total: int, text: str) -> None:
        """total: 0 where nobody knows. Does nothing outside a job."""

    def checkpoint(self, data: bytes) -> None:
        """Kept when it returns. StateError outside a job; Interrupted if the job is paused or cancelled here."""

    def last_checkpoint(self) -> bytes | None:
        """What the job kept last."""

    def is_cancelled(self) -> bool:
        """Whether somebody wants the job to end."""

    def log_line(self, text: str) -> None:
        """A line of the job's own log."""

    def metric(self, name: str, value: float) -> None:
        """A number of the job's, the last one counts."""

    def kv_get(self, key: str) -> bytes | None:
        """Each module has its own keys."""

    def kv_set(self, key: str, value: bytes) -> None:
        """Kept with the message that is being handled, or at once outside of one."""

    def kv_delete(self, key: str) -> None:
        """Nothing happens if there is no such key."""

    def kv_keys(self, prefix: str) -> tuple[str, ...]:
        """In order."""

    def now(self) -> int:
        """Nanoseconds since 1970, UTC."""

    def monotonic(self) -> int:
        """Nanoseconds."""
