"""A native module as the lifecycle sees it: `ModuleInstance` over a worker process.

Each call is one exchange with the worker. What the module itself says is a ModuleFailure, or finer; that the worker
died, broke the protocol, or was silent until its deadline is fatal: the worker is ended with all that it forked, and
the error says how it ended and what it printed last (which is where sanitizers report). Starting it again is the
lifecycle's.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, final

from meldpy.host.faults import (
    DeadlineExceeded,
    FailureCode,
    Interrupted,
    ModuleFailure,
    ModuleTrapped,
    StateError,
    Unsupported,
)
from meldpy.host.limits import Grants, Limits
from meldpy.host.module import Capabilities, Envelope, Level, ModuleState, Services
from meldpy.host.native.channel import Answer, Channel, Late, Lost
from meldpy.host.native.elf import LibraryRefused, inspect
from meldpy.host.native.process import NativeOptions, WorkerProcess
from meldpy.host.native.verdict import death, failure_of, last_lines, text_of
from meldpy.host.native.worker import abi, wire
from meldpy.records import dataclass

_GRACE: Final = 0.25
"""Seconds in which a worker that closed its socket may end by itself, and say how."""


@final
@dataclass(frozen=True, slots=True)
class Introduction:
    """What the module's table says; built_with: "" if it does not say."""

    name: str
    version: str
    built_with: str
    commands: tuple[str, ...]
    topics: tuple[str, ...]
    minor: int
    state_schema: int | None


@final
@dataclass(frozen=True, slots=True)
class Beat:
    """What a worker answers when it is asked whether it lives. resident: bytes; lost: lines of the log, since its
    start."""

    resident: int
    lost: int


@final
class NativeInstance:
    """One life of a native module. Threads: as `ModuleInstance` says."""

    def __init__(
        self,
        library: Path,
        services: Services,
        limits: Limits = Limits(),  # noqa: B008
        grants: Grants = Grants(),  # noqa: B008
        options: NativeOptions = NativeOptions(),  # noqa: B008
    ) -> None:
        """Starts the worker and hears the module's introduction. Raises LibraryRefused, ModuleDead."""
        found = inspect(library)
        if found.sanitized and options.sanitizer is None:
            raise LibraryRefused(
                f"{library.name} was built with AddressSanitizer, whose runtime has to be there first",
                remedy="give the runtime's path in NativeOptions.sanitizer "
                "(clang -print-file-name=libclang_rt.asan-x86_64.so, gcc -print-file-name=libasan.so)",
            )
        self._name = library.stem
        self._services = services
        self._limits = limits
        self._in_call = threading.Lock()
        self._turn = threading.Lock()
        self._caller: int | None = None
        self._interrupted: str | None = None
        self._ended: str | None = None
        self._closed = False
        self._created = False
        self._process = WorkerProcess(library.resolve(), grants, limits, options)
        self._channel = Channel(self._process, services, limits.payload)
        try:
            self.introduction = self._introduce(library, options.start)
        except BaseException:
            self.close()
            raise

    def _introduce(self, library: Path, deadline: float) -> Introduction:
        with self._in_call:
            answer = self._guarded(lambda: self._channel.receive(deadline), deadline)
        if answer.kind == wire.REFUSED:
            raise LibraryRefused(f"{library.name} was refused: {text_of(answer.parts[0])}")
        if answer.kind != wire.READY:
            raise self._broke(f"an introduction of kind {answer.kind}")
        name, version, built_with, commands, topics = answer.parts
        try:
            lists = [tuple(text_of(each) for each in wire.unpack_texts(part)) for part in (commands, topics)]
        except wire.Malformed as malformed:
            raise self._broke(str(malformed)) from None
        keeps = answer.a & abi.MODULE_KEEPS_STATE
        return Introduction(
            text_of(name), text_of(version), text_of(built_with), lists[0], lists[1], answer.code,
            answer.b if keeps else None,
        )  # fmt: skip

    # --- the calls of a module ---
    def initialize(self, config: str) -> None:
        if self._created:
            raise StateError(f"{self._name} is initialized already")
        self._result(wire.CREATE, [config.encode()])
        self._created = True

    def execute(self, command: str, payload: bytes, *, deadline: float | None = None) -> bytes:
        return self._result(wire.EXECUTE, [command.encode(), payload], deadline)

    def capabilities(self) -> Capabilities:
        said = self.introduction
        return Capabilities(said.commands, said.topics, said.state_schema)

    def handle_message(self, message: Envelope, *, deadline: float | None = None) -> bytes:
        parts = [message.topic.encode(), message.sender.encode(), message.payload]
        flags = abi.MESSAGE_WANTS_REPLY if message.wants_reply else 0
        b = message.attempt << 32 | flags
        return self._result(wire.HANDLE, parts, deadline, message.version, message.id, b)

    def get_state(self) -> ModuleState:
        schema = self.introduction.state_schema
        if schema is None:
            raise Unsupported(f"{self._name} keeps no state")
        return ModuleState(schema, self._result(wire.GET_STATE, []))

    def restore_state(self, state: ModuleState) -> None:
        if self.introduction.state_schema is None:
            raise Unsupported(f"{self._name} keeps no state")
        self._result(wire.RESTORE, [state.data], None, 0, state.schema)

    def shutdown(self) -> None:
        self._result(wire.DESTROY, [])
        self._created = False

    def beat(self, deadline: float) -> Beat | None:
        """Ask a worker that is not in a call whether it lives; None if it is in one. Raises ModuleDead."""
        if not self._in_call.acquire(blocking=False):
            return None
        try:
            self._check_alive()
            answer = self._guarded(lambda: self._channel.call(wire.PING, [], deadline), deadline)
        finally:
            self._in_call.release()
        if answer.kind != wire.PONG:
            raise self._broke(f"an answer of kind {answer.kind} to a ping")
        return Beat(answer.a, answer.b)

    def call(self, path: tuple[str, ...], *arguments: object, deadline: float | None = None) -> Any:
        raise self._without_exports()

    def call_text(self, call: str, *, deadline: float | None = None) -> str | None:
        raise self._without_exports()

    def _without_exports(self) -> Unsupported:
        return Unsupported(
            f"{self._name} is a native module: it has commands, and no exports of its own", remedy="name a command"
        )

    # --- its end ---
    def interrupt(self, reason: str) -> None:
        with self._turn:
            if self._caller is not None and self._ended is None:
                self._ended = self._interrupted = f"interrupted: {reason}"
                self._process.kill()

    def close(self) -> None:
        if self._caller == threading.get_ident():
            # from within its own call: the call ends, and whoever made it closes
            self.interrupt("closed from within")
            return
        with self._in_call:
            if not self._closed:
                self._closed = True
                self._ended = self._ended or "closed"
                self._channel.release()
                self._process.free()

    @property
    def alive(self) -> bool:
        return self._ended is None and not self._process.dead()

    @property
    def used_elsewhere(self) -> float:
        return self._process.used()

    @property
    def process_id(self) -> int:
        """The worker's, for people and tools; it may be another's once the instance is closed."""
        return self._process.pid

    # --- a call ---
    def _result(
        self, kind: int, parts: list[bytes], deadline: float | None = None, code: int = 0, a: int = 0, b: int = 0
    ) -> bytes:
        longest = max((len(part) for part in parts), default=0)
        if longest > self._limits.payload:
            raise ModuleFailure(
                FailureCode.ARGUMENT, f"{longest} bytes for {self._name}; the limit is {self._limits.payload}"
            )
        seconds = self._limits.deadline if deadline is None else deadline
        if not self._in_call.acquire(blocking=False):
            raise StateError(f"{self._name} is in a call")
        try:
            self._check_alive()
            self._caller = threading.get_ident()
            if not self._created and kind != wire.CREATE:
                raise StateError(f"{self._name} is not initialized")
            answer = self._guarded(lambda: self._channel.call(kind, parts, seconds, code, a, b), seconds)
            if printed := self._process.printed():
                self._services.log(Level.INFO, printed.rstrip("\n"))
        finally:
            with self._turn:
                self._caller = None
            self._in_call.release()
        if self._interrupted is not None:
            raise Interrupted(f"{self._name} was {self._interrupted}")
        if answer.kind != wire.RESULT:
            raise self._broke(f"an answer of kind {answer.kind} to a call")
        if answer.code == abi.E_PANIC:
            self._end("panicked")
            raise ModuleTrapped(f"{self._name} panicked: {text_of(answer.parts[0])}")
        if answer.code != abi.OK:
            raise failure_of(answer.code, answer.parts[0])
        return answer.parts[0]

    def _guarded(self, conversation: Callable[[], Answer], deadline: float) -> Answer:
        """A conversation with the worker; whatever ends it but an answer ends the worker."""
        try:
            return conversation()
        except Late:
            self._end("too late")
            raise DeadlineExceeded(
                f"{self._name} did not answer within {deadline:g} s", causes=last_lines(self._process.printed())
            ) from None
        except Lost as lost:
            if lost.broken is not None:
                raise self._broke(lost.broken) from None
            ended = self._process.end(_GRACE)
            self._ended = self._ended or str(ended)
            if self._interrupted is not None:
                raise Interrupted(f"{self._name} was {self._interrupted}") from None
            raise death(self._name, ended, self._process.printed()) from None
        except BaseException:
            self._end("the host ended its call")
            raise

    def _broke(self, how: str) -> ModuleTrapped:
        self._end("broke the protocol")
        return ModuleTrapped(f"{self._name} broke the protocol: {how}", causes=last_lines(self._process.printed()))

    def _end(self, why: str) -> None:
        self._ended = self._ended or why
        self._process.end(0)

    def _check_alive(self) -> None:
        if self._ended is not None:
            raise StateError(f"{self._name} is not alive: {self._ended}")
