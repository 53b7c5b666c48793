"""What a module may use, and what it may reach. Everything is bounded; nothing is reachable that was not granted."""

from __future__ import annotations

from typing import final

from meldpy.records import dataclass

MIB = 1 << 20


@final
@dataclass(frozen=True, slots=True)
class Limits:
    """memory: bytes of each linear memory (of address space, for a native module); memories: how many of them.

    table_elements: of each table; instances: core instances; deadline: seconds that one call may take; request: seconds
    that a call of the host from inside the module may wait; fuel: instructions per call, or None; mailbox: messages
    that may wait; payload: bytes of one.
    """

    memory: int = 256 * MIB
    table_elements: int = 100_000
    instances: int = 100
    memories: int = 100
    deadline: float = 10.0
    request: float = 5.0
    fuel: int | None = None
    mailbox: int = 1_000
    payload: int = 16 * MIB


@final
@dataclass(frozen=True, slots=True)
class Directory:
    """A directory that a module sees, under the path `guest`."""

    host: str
    guest: str
    write: bool = False


@final
@dataclass(frozen=True, slots=True)
class Grants:
    """What a module may reach; by default nothing.

    publish, subscribe: patterns of topics; send: patterns of module names, for `send` and `request`. `*` in a pattern
    stands for any characters, slashes and none at all too. environment: names of variables. network: wasi:http, and
    looking names up; the engine's C interface has no way to allow TCP and UDP, which stay refused. scratch: a directory
    of its own for large payloads, which the module sees as /scratch.
    """

    log: bool = False
    kv: bool = False
    clock: bool = False
    jobs: bool = False
    publish: tuple[str, ...] = ()
    subscribe: tuple[str, ...] = ()
    send: tuple[str, ...] = ()
    directories: tuple[Directory, ...] = ()
    environment: tuple[str, ...] = ()
    network: bool = False
    scratch: bool = False

    @property
    def bus(self) -> bool:
        """Whether anything of the bus may be called."""
        return bool(self.publish or self.send)

    def within(self, allowed: Grants) -> Grants:
        """What is both asked for here and allowed there."""
        return Grants(
            log=self.log and allowed.log,
            kv=self.kv and allowed.kv,
            clock=self.clock and allowed.clock,
            jobs=self.jobs and allowed.jobs,
            publish=_patterns(self.publish, allowed.publish),
            subscribe=_patterns(self.subscribe, allowed.subscribe),
            send=_patterns(self.send, allowed.send),
            directories=tuple(each for each in self.directories if _inside(each, allowed.directories)),
            environment=tuple(each for each in self.environment if _matches(each, allowed.environment)),
            network=self.network and allowed.network,
            scratch=self.scratch and allowed.scratch,
        )


RESERVED = "meld/"
"""Topics of the host's own: a pattern reaches them only if it is written out with this in front."""


def allows(patterns: tuple[str, ...], name: str) -> bool:
    """Whether a topic or module name matches one of the patterns. No wildcard reaches a reserved topic."""
    if name.startswith(RESERVED):
        patterns = tuple(pattern for pattern in patterns if pattern.startswith(RESERVED))
    return _matches(name, patterns)


def _matches(name: str, patterns: tuple[str, ...]) -> bool:
    return any(_fits(pattern, name) for pattern in patterns)


def _fits(pattern: str, name: str) -> bool:
    """`*` is the only character that stands for others: so if the text of one pattern fits another, whatever the first
    reaches the other reaches too."""
    first, *rest = pattern.split("*")
    if not rest:
        return name == first
    *middle, last = rest
    if not name.startswith(first) or not name.endswith(last) or len(name) < len(first) + len(last):
        return False
    at, end = len(first), len(name) - len(last)
    for part in middle:
        found = name.find(part, at, end)
        if found < 0:
            return False
        at = found + len(part)
    return True


def _patterns(asked: tuple[str, ...], allowed: tuple[str, ...]) -> tuple[str, ...]:
    """The patterns that lie inside an allowed one; of a wider one, the allowed ones that lie inside it."""
    kept = [each for each in asked if allows(allowed, each)]
    kept += [each for each in allowed if each not in kept and allows(asked, each)]
    return tuple(kept)


def _inside(asked: Directory, allowed: tuple[Directory, ...]) -> bool:
    """By the real path, so that no link leads out of what is allowed."""
    from pathlib import Path

    real = Path(asked.host).resolve()
    return any(real.is_relative_to(Path(each.host).resolve()) and (each.write or not asked.write) for each in allowed)
