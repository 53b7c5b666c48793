"""What travels between the one who asks and those who work: jobs, and what came of them. All of it can be pickled."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias, final

from meldpy.errors import MeldError
from meldpy.options import FuseOptions
from meldpy.records import dataclass, field


@final
@dataclass(frozen=True, slots=True)
class Source:
    """One input: its name, where it came from, whether the name was given, and the SHA-256 of its bytes."""

    name: str
    path: str
    given: bool
    sha256: str


@final
@dataclass(frozen=True, slots=True)
class Job:
    """key: SHA-256 of all that the output follows from. scenario: the name and text of a self-check."""

    key: str
    sources: tuple[Source, ...]
    options: FuseOptions
    scenario: tuple[str, str] | None = None


@final
@dataclass(frozen=True, slots=True)
class Done:
    """beside: files that belong beside the output, by name."""

    key: str
    data: bytes = field(repr=False)
    beside: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    call_sites: int = 0
    kept: int = 0
    seconds: float = 0.0


@final
@dataclass(frozen=True, slots=True)
class Failed:
    """error: what is wrong, as data; it travels as it is."""

    key: str
    error: MeldError
    seconds: float = 0.0


Result: TypeAlias = "Done | Failed"
