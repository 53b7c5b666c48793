"""Guests for the host's tests, in text: what a well-behaved module does, and what a hostile one may do."""

from __future__ import annotations

import json
import os
import tempfile
import threading
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from meldpy.engine.guests.artefacts import Artefact, load
from meldpy.engine.guests.callbacks import HostWorld
from meldpy.engine.guests.guest import Guest, GuestLimits
from meldpy.engine.guests.threads import start_thread
from meldpy.engine.guests.wasi import Wasi

if TYPE_CHECKING:
    from meldpy.host.lifecycle.hosted import Hosted
    from meldpy.host.lifecycle.plan import ModulePlan
    from meldpy.host.module import Capabilities, Envelope, ModuleState, Services

T = TypeVar("T")
CACHE = Path(tempfile.gettempdir()) / f"meld-test-cache-{os.getuid()}"
"""Where the probe's machine code is kept between tests and processes."""
GUESTS = Path(__file__).parent / "hosted"
LIMITS = GuestLimits(memory=16 << 20, table_elements=10_000, instances=100, memories=10)


@cache
def artefact(name: str) -> Artefact:
    """The guest of `hosted/NAME.wat`, or `.wasm`, compiled."""
    from meldpy.engine.text import assemble

    text = GUESTS / f"{name}.wat"
    if not text.exists():
        return load((GUESTS / f"{name}.wasm").read_bytes(), cache_folder=CACHE)
    return load(assemble(text.read_bytes(), name))


def guest(name: str, world: HostWorld | None = None, limits: GuestLimits = LIMITS, deadline: float = 5.0) -> Guest:
    """An instance of it."""
    return Guest(artefact(name), {} if world is None else world, Wasi(), limits, deadline=deadline)


def on_guest_thread(run: Callable[[], T]) -> T:
    """What `run` returns or raises, on a thread with a stack for guests."""
    outcome: list[T] = []
    raised: list[BaseException] = []

    def body() -> None:
        try:
            outcome.append(run())
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=body)
    start_thread(thread)
    thread.join()
    if raised:
        raise raised[0]
    return outcome[0]


def probe(name: str, *words: str, **rules: Any) -> ModulePlan:
    """A plan of the module `hosted/probe.rs`. words: what its configuration says; rules: fields of the plan.

    It is granted the log, keys, jobs, the clock and the whole bus, unless `rules` say otherwise.
    """
    from meldpy.host.lifecycle.plan import ModulePlan
    from meldpy.host.limits import Grants
    from meldpy.host.wasm.instance import WasmInstance

    everything = Grants(True, True, True, True, ("*",), ("*",), ("*",))
    given = {"version": "1.0.0", "grants": everything, "config": json.dumps(list(words)), **rules}
    scratch = given.pop("scratch", None)
    guest = given.pop("guest", "probe")

    def make(services: Any) -> WasmInstance:
        return WasmInstance(name, artefact(guest), services, plan.grants, plan.limits, scratch)

    plan = ModulePlan(name, make=make, **given)
    return plan


class Scripted:
    """A module in Python: `handle` is its `handle-message`, given the services and the state too, a list of bytes."""

    def __init__(
        self, services: Services, handle: Callable[[Services, Envelope, list[bytes]], object], said: Capabilities
    ) -> None:
        self._services, self._handle, self._said = services, handle, said
        self.state: list[bytes] = []
        self.alive = True
        self.used_elsewhere: float | None = None

    def initialize(self, config: str) -> None: ...

    def execute(self, command: str, payload: bytes, *, deadline: float | None = None) -> bytes:
        return b",".join(self.state)

    def capabilities(self) -> Capabilities:
        return self._said

    def handle_message(self, message: Envelope, *, deadline: float | None = None) -> bytes:
        self._handle(self._services, message, self.state)
        return b""

    def get_state(self) -> ModuleState:
        from meldpy.host.module import ModuleState

        return ModuleState(1, b",".join(self.state))

    def restore_state(self, state: ModuleState) -> None:
        self.state = state.data.split(b",") if state.data else []

    def shutdown(self) -> None: ...

    def call(self, path: tuple[str, ...], *arguments: object, deadline: float | None = None) -> None: ...

    def call_text(self, call: str, *, deadline: float | None = None) -> None: ...

    def interrupt(self, reason: str) -> None: ...

    def close(self) -> None:
        self.alive = False


def scripted(
    name: str,
    handle: Callable[[Services, Envelope, list[bytes]], object],
    topics: tuple[str, ...] = (),
    **rules: Any,
) -> ModulePlan:
    """A plan of a module in Python, granted what `probe` is."""
    from meldpy.host.lifecycle.plan import ModulePlan
    from meldpy.host.limits import Grants
    from meldpy.host.module import Capabilities

    everything = Grants(True, True, True, True, ("*",), ("*", "meld/*"), ("*",))
    said = Capabilities(topics=topics, state_schema=1)
    given = {"version": "1.0.0", "grants": everything, **rules}
    return ModulePlan(name, make=lambda services: Scripted(services, handle, said), **given)


def execute(hosted: Hosted, command: str, payload: bytes = b"") -> bytes:
    """What a module says to a command, in turn with its messages."""
    return hosted.ask(lambda instance: instance.execute(command, payload), wait=30).result(60)


def seen(hosted: Hosted) -> dict[str, list[int]]:
    """What a probe counted, by sender: last number, count, gaps, repetitions."""
    rows = execute(hosted, "seen").decode().splitlines()
    return {name[1:-1]: list(map(int, numbers)) for name, *numbers in map(str.split, rows)}
