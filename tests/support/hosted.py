"""Guests for the host's tests, in text: what a well-behaved module does, and what a hostile one may do."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TypeVar

from meldpy.engine.guests.artefacts import Artefact, load
from meldpy.engine.guests.callbacks import HostWorld
from meldpy.engine.guests.guest import Guest, GuestLimits
from meldpy.engine.guests.threads import start_thread
from meldpy.engine.guests.wasi import Wasi

T = TypeVar("T")
GUESTS = Path(__file__).parent / "hosted"
LIMITS = GuestLimits(memory=16 << 20, table_elements=10_000, instances=100, memories=10)


@cache
def artefact(name: str) -> Artefact:
    """The guest of `hosted/NAME.wat`, compiled."""
    from meldpy.engine.text import assemble

    return load(assemble((GUESTS / f"{name}.wat").read_bytes(), name))


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
