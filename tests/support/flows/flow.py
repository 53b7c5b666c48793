"""One flow: a tape, what the host does, and the events that the model of handle tables makes of it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Final, TypeAlias, final

from tests.support.flows.topology import Func, Topology

HOSTS_TYPE: Final = 1
OPERATIONS: Final = {
    "new": "create",
    "get": "return",
    "mix": "lend and give",
    "both": "lend several",
    "lends": "lend several",
    "pile": "lend and give",
    "swap": "give and return inside values",
    "maybe": "give and return inside values",
    "run": "call without handles",
}
"""What the kinds of functions are in a tally, if not themselves."""

Event: TypeAlias = tuple[object, ...]
"""("log", bytes), ("host", function, reps), ("host's destructor", rep), ("returned", what), ("trap", kind)."""


@final
@dataclass(frozen=True, slots=True)
class Held:
    """What the host holds. token: which handle of an exported resource type, if it is one; rep: of the resource."""

    type: int
    rep: int
    token: int


@final
@dataclass(frozen=True, slots=True)
class HostCall:
    """The host calls an export; each argument is a list of what the host holds. tokens: for the handles it gets."""

    node: str
    func: Func
    args: tuple[tuple[Held, ...], ...]
    tokens: list[int] = field(default_factory=list)


@final
@dataclass(frozen=True, slots=True)
class HostDrop:
    held: Held


Step: TypeAlias = "HostCall | HostDrop"


@final
@dataclass(frozen=True, slots=True)
class HostFunction:
    """What a host function does when it is called: steps, and then it returns resources of these reps."""

    steps: list[Step] = field(default_factory=list)
    results: list[int] = field(default_factory=list)


@final
@dataclass(slots=True)
class Flow:
    """functions: one for each call of a host function, in order. operations: what was done before a trap, by kind;
    crossings: the same, by the boundary that handles cross."""

    topology: Topology
    tape: bytearray = field(default_factory=bytearray)
    steps: list[Step] = field(default_factory=list)
    functions: list[HostFunction] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    operations: Counter[str] = field(default_factory=Counter)
    crossings: Counter[str] = field(default_factory=Counter)
    trap: str | None = None
