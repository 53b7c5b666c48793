"""How long each stage takes, for whoever asks: `-v`, and the line that says what is going on.

A stage says its name where it begins, in the pipeline; nobody passes a clock around. Without a listener that costs a
look at one variable.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from time import perf_counter
from typing import TypeAlias, final

from meldpy.records import dataclass, field

Listener: TypeAlias = "Callable[[str], None]"


@final
@dataclass(slots=True)
class Times:
    """seconds by stage, in the order in which they began first; a stage that happens twice is added up. Stages inside
    another are counted for themselves, and not for it."""

    begins: Listener | None = None
    seconds: dict[str, float] = field(default_factory=dict)
    inside: list[float] = field(default_factory=list)


_now: ContextVar[Times | None] = ContextVar("times", default=None)


@contextmanager
def measured(begins: Listener | None = None) -> Iterator[Times]:
    """Stages are counted meanwhile; `begins` is told the name of each."""
    times = Times(begins)
    token = _now.set(times)
    try:
        yield times
    finally:
        _now.reset(token)


@contextmanager
def stage(name: str) -> Iterator[None]:
    """The stage `name`, if anybody wants to know."""
    times = _now.get()
    if times is None:
        yield
        return
    if times.begins is not None:
        times.begins(name)
    times.seconds.setdefault(name, 0.0)
    times.inside.append(0.0)
    began = perf_counter()
    try:
        yield
    finally:
        took = perf_counter() - began
        times.seconds[name] += took - times.inside.pop()
        if times.inside:
            times.inside[-1] += took
