"""What is run as a module, and under which rules: all that a new instance needs to be told."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import TypeAlias, final

from meldpy.host.limits import Grants, Limits
from meldpy.host.module import ModuleInstance, Services
from meldpy.records import dataclass, field

Make: TypeAlias = "Callable[[Services], ModuleInstance]"


@final
class Persist(Enum):
    """When a module's state is kept: never, when it stops or is swapped, or with each durable message it handled."""

    NEVER = "never"
    STOP = "stop"
    MESSAGE = "message"


@final
@dataclass(frozen=True, slots=True)
class RestartPolicy:
    """What happens after an instance died. restart: a new one is made, `delay` seconds later, twice that after the next
    death and so on up to `longest`. After `deaths` within `window` seconds the module is broken: it refuses everything
    for `rest` seconds, then one more start is tried."""

    restart: bool = True
    delay: float = 0.1
    longest: float = 5.0
    deaths: int = 5
    window: float = 60.0
    rest: float = 30.0


@final
@dataclass(frozen=True, slots=True)
class ModulePlan:
    """make: a new instance; config: JSON; durable: patterns of topics whose messages are kept before they are
    delivered; attempts: how often a durable message is delivered before it is given up; parts: what was fused into the
    artefact, for people; digest: of what runs."""

    name: str
    version: str
    make: Make
    grants: Grants = field(default_factory=Grants)
    limits: Limits = field(default_factory=Limits)
    policy: RestartPolicy = field(default_factory=RestartPolicy)
    config: str = "{}"
    durable: tuple[str, ...] = ()
    attempts: int = 3
    persist: Persist = Persist.STOP
    digest: str = ""
    parts: tuple[str, ...] = ()
