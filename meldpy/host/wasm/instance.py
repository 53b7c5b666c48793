"""A module that is a WebAssembly component: one guest of the engine, called through `meld:host/module`.

A component without that interface is a module too, with nothing to initialise, no messages and no state: it is called
by its own exports (`call`).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, final

from meldpy.engine.guests.artefacts import Artefact
from meldpy.engine.guests.guest import End, Ended, Guest, GuestLimits
from meldpy.engine.guests.threads import Refused
from meldpy.engine.guests.values import Err
from meldpy.engine.guests.wasi import Wasi
from meldpy.errors import EngineError, UsageError
from meldpy.host.faults import (
    DeadlineExceeded,
    FailureCode,
    HostError,
    Interrupted,
    ModuleDead,
    ModuleFailure,
    ModuleTrapped,
    SchemaRefused,
    StateError,
    Unsupported,
)
from meldpy.host.limits import Grants, Limits
from meldpy.host.module import Capabilities, Envelope, ModuleState, Services
from meldpy.host.wasm.imports import check_imports, interface, world

_MODULE = interface("module")
SCRATCH = "/scratch"
"""Where a module sees the directory for large payloads."""


@final
class WasmInstance:
    """See the module, and `ModuleInstance` for the methods."""

    def __init__(
        self,
        name: str,
        artefact: Artefact,
        services: Services,
        grants: Grants,
        limits: Limits,
        scratch: str | None = None,
    ) -> None:
        """Raises Denied for an import that was not granted, and what the guest's start functions end with."""
        self._name = name
        self._limits = limits
        self._is_module = any(path[0] == _MODULE for path in artefact.exports)
        check_imports(name, artefact, grants)
        given = GuestLimits(limits.memory, limits.table_elements, limits.instances, limits.memories, limits.fuel)
        with self._translated():
            self._guest = Guest(
                artefact, world(services), _wasi(name, grants, scratch), given, deadline=limits.deadline
            )

    @property
    def alive(self) -> bool:
        return self._guest.alive

    @property
    def used_elsewhere(self) -> None:
        return None

    # --- meld:host/module --------------------------------------------------------------------------------------------
    def initialize(self, config: str) -> None:
        if self._is_module:
            self._ask("initialize", config)

    def execute(self, command: str, payload: bytes, *, deadline: float | None = None) -> bytes:
        self._check_size(payload)
        return self._bytes("execute", command, payload, deadline=deadline)

    def capabilities(self) -> Capabilities:
        if not self._is_module:
            return Capabilities()
        with self._translated():
            said = self._guest.call((_MODULE, "get-capabilities"), deadline=self._limits.deadline)
        return Capabilities(tuple(said["commands"]), tuple(said["topics"]), said["state-schema"])

    def handle_message(self, message: Envelope, *, deadline: float | None = None) -> bytes:
        self._check_size(message.payload)
        envelope = {
            "version": message.version,
            "id": message.id,
            "topic": message.topic,
            "sender": message.sender,
            "attempt": message.attempt,
            "wants-reply": message.wants_reply,
            "payload": message.payload,
        }
        return self._bytes("handle-message", envelope, deadline=deadline)

    def get_state(self) -> ModuleState:
        state = self._ask("get-state")
        return ModuleState(state["schema"], state["data"])

    def restore_state(self, state: ModuleState) -> None:
        try:
            self._ask("restore-state", {"schema": state.schema, "data": state.data})
        except ModuleFailure as failure:
            if failure.code is FailureCode.SCHEMA:
                raise SchemaRefused(
                    f"{self._name} cannot take state of schema {state.schema}: {failure.reason}"
                ) from None
            raise

    def shutdown(self) -> None:
        if self._is_module:
            with self._translated():
                self._guest.call((_MODULE, "shutdown"), deadline=self._limits.deadline)

    # --- its own exports ---------------------------------------------------------------------------------------------
    def call(self, path: tuple[str, ...], *arguments: object, deadline: float | None = None) -> Any:
        """Values are as `meldpy.engine.guests.values` has them."""
        try:
            with self._translated():
                return self._guest.call(path, *arguments, deadline=self._seconds(deadline))
        except KeyError:
            raise UsageError(f"{self._name} exports no function {'#'.join(path)}") from None
        except (TypeError, ValueError) as error:
            raise UsageError(f"the arguments do not fit: {error}") from None

    def call_text(self, call: str, *, deadline: float | None = None) -> str | None:
        from meldpy.engine.guests.wave import call_text

        name, parenthesis, rest = call.partition("(")
        path = tuple(name.strip().split("#"))
        try:
            with self._translated():
                return call_text(self._guest, path, path[-1] + parenthesis + rest, self._seconds(deadline))
        except KeyError:
            raise UsageError(f"{self._name} exports no function {'#'.join(path)}") from None

    # --- any thread --------------------------------------------------------------------------------------------------
    def interrupt(self, reason: str) -> None:
        self._guest.interrupt(reason)

    def close(self) -> None:
        self._guest.close()

    # --- calls -------------------------------------------------------------------------------------------------------
    def _bytes(self, function: str, *arguments: object, deadline: float | None = None) -> bytes:
        result = self._ask(function, *arguments, deadline=deadline)
        assert isinstance(result, bytes), "the interface says list<u8>"
        return result

    def _ask(self, function: str, *arguments: object, deadline: float | None = None) -> Any:
        if not self._is_module:
            raise Unsupported(f"{self._name} does not export {_MODULE}")
        try:
            with self._translated():
                result = self._guest.call((_MODULE, function), *arguments, deadline=self._seconds(deadline))
        except UnicodeEncodeError:
            raise ModuleFailure(FailureCode.ARGUMENT, "a text has surrogates in it, which no string has") from None
        if isinstance(result, Err):
            raise ModuleFailure(FailureCode(result.value["code"]), result.value["text"])
        return result.value

    def _seconds(self, deadline: float | None) -> float:
        return self._limits.deadline if deadline is None else deadline

    def _check_size(self, payload: bytes) -> None:
        if len(payload) > self._limits.payload:
            raise ModuleFailure(FailureCode.ARGUMENT, f"the payload is larger than {self._limits.payload} bytes")

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """The engine's words as the host's."""
        try:
            yield
        except Ended as ended:
            raise self._dead(ended) from ended.__cause__
        except Refused as refused:
            raise StateError(f"{self._name}: {refused}") from None
        except EngineError as error:
            raise HostError(f"{self._name}: {error.reason}", remedy=error.remedy, causes=error.causes) from error

    def _dead(self, ended: Ended) -> HostError:
        kinds: dict[End, type[ModuleDead]] = {
            End.DEADLINE: DeadlineExceeded,
            End.INTERRUPTED: Interrupted,
        }
        if isinstance(ended.__cause__, Interrupted):
            return Interrupted(ended.__cause__.reason)
        return kinds.get(ended.end, ModuleTrapped)(f"{self._name}: {ended}", causes=ended.causes)


def _wasi(name: str, grants: Grants, scratch: str | None) -> Wasi:
    directories = [(each.host, each.guest, each.write) for each in grants.directories]
    if grants.scratch and scratch is not None:
        directories.append((scratch, SCRATCH, True))
    variables = tuple((each, os.environ[each]) for each in grants.environment if each in os.environ)
    return Wasi((name,), variables, tuple(directories), grants.network)
