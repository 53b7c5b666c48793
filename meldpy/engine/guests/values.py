"""Component values as Python has them, for guests of a host: one form for each type, and no guessing.

bool, int, float; str for char, string and enum; bytes for `list<u8>`, list for every other list; tuple; dict for a
record; frozenset for flags; None or the payload for an option; and these.
"""

from __future__ import annotations

from typing import Any, final

from meldpy.records import dataclass


@final
@dataclass(frozen=True, slots=True)
class Ok:
    """`ok` of a result."""

    value: Any = None


@final
@dataclass(frozen=True, slots=True)
class Err:
    """`err` of a result."""

    value: Any = None


@final
@dataclass(frozen=True, slots=True)
class Case:
    """A case of a variant."""

    name: str
    payload: Any = None


@final
@dataclass(frozen=True, slots=True)
class Some:
    """`some` of an option whose payload is an option: None alone would not say which of them is none."""

    value: Any
