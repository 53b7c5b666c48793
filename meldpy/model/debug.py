"""Debugging information on its way through a fuse: what goes into the DWARF kernel, and what comes out."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from enum import Enum, unique
from typing import Final, final

from meldpy.model.core import Bytes
from meldpy.model.regions import RegionCode
from meldpy.records import dataclass, field


@unique
class NameStyle(Enum):
    """What the `name` section says. FULL: every name behind the component and module that it comes from."""

    FULL = "full"
    SHORT = "short"
    NONE = "none"


SEPARATOR: Final = "::"
"""Between a component and module, and the name that it has there."""
LAST_SECTION: Final = 11
"""The last known section, data: what custom sections follow that are written at a module's end."""
VALUE: Final = "value: "
"""Before the name of a value that functions of ours put into a backtrace (`adapter.told_values`)."""


@final
@dataclass(frozen=True, slots=True)
class MovedStrings:
    """Where the strings of a section went: the one from `old[i]` to `old[i + 1]` lies at `new[i]`.

    `old` has one entry more, the size of the section.
    """

    old: array[int]
    new: array[int]


@final
@dataclass(frozen=True, slots=True)
class DwarfInput:
    """The DWARF of one core module, and where its code, globals and strings went.

    sections: by name, `.debug_…`. positions: as in Positions. lead: bytes in front of the old bodies, from where old
    addresses count. code_base: the new address of the first body. globals: old index → new index, -1 if left out.
    bases: for each section, how many bytes of other modules' lie before this module's. region: where the module's
    memory lies, if it became a part of a larger one.
    """

    sections: Mapping[str, Bytes] = field(repr=False)
    positions: array[int] = field(repr=False)
    lead: int
    code_base: int
    globals: Sequence[int]
    strings: MovedStrings
    line_strings: MovedStrings
    bases: Mapping[str, int]
    region: RegionCode | None = None


@final
@dataclass(frozen=True, slots=True)
class DwarfOutput:
    """The rewritten sections, without those of strings. left_out: sections that cannot follow, and why."""

    sections: Mapping[str, bytes] = field(repr=False)
    left_out: tuple[tuple[str, str], ...] = ()


@final
@dataclass(frozen=True, slots=True)
class UnknownDwarf:
    """Why a module's DWARF cannot be kept. code: the kernel's own number for it."""

    reason: str
    code: int
