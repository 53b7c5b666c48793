"""An explanation of one fuse, as data: why every import is what it is, and what became of everything.

Its JSON form follows from the fields (`form`), and `schemas/explain-1.json` describes it.
"""

from __future__ import annotations

from enum import Enum, unique
from typing import Final, final

from meldpy.records import dataclass
from meldpy.report.form import form

SCHEMA: Final = "meld-explain-1"


@unique
class AdapterClass(Enum):
    """What a call between two components costs, by the dearest thing in it; the value is what people see."""

    DIRECT = "direct"
    """The caller calls the callee's own function: nothing has to be done, and a proof says so."""
    FLAT = "flat"
    """Values pass as core values, checked on the way; no memory is touched."""
    COPY = "copy"
    """Something is copied from one memory to another."""
    TRANSCODE = "transcode"
    """Strings change their encoding."""
    HANDLES = "handles"
    """Resource handles go from one table to another."""
    ASYNC = "async"
    """The call is a task, or could be."""
    ENGINE = "engine"
    """Not fused: the engine's own adapter does it."""


@final
@dataclass(frozen=True, slots=True)
class Link:
    """One import. why: in words. near: what comes near an import that is left open, in words."""

    importer: str
    name: str
    why: str
    provider: str | None
    export: str | None
    near: tuple[str, ...]


@final
@dataclass(frozen=True, slots=True)
class Group:
    """One fused group: the labels of its instances."""

    instances: tuple[str, ...]


@final
@dataclass(frozen=True, slots=True)
class Kept:
    """An instance that stays a component of its own, and why: each reason with its place and what would help."""

    label: str
    input: str | None
    reasons: tuple[str, ...]


@final
@dataclass(frozen=True, slots=True)
class Proof:
    """A check that the specification has and this call has not, because of a proof."""

    check: str
    why: str


@final
@dataclass(frozen=True, slots=True)
class Site:
    """One call site; ids tell instances with one label apart.

    function: as the caller's component imports it, `interface#function` or a function by itself.
    type: the function's, as WIT. moves: how values get across. checks: the rules that it checks.

    proved: those that it need not. inlined: library functions put in place of calls. group: its number; None for the
    engine's. fixed_bytes: what each call copies; per_item: what each string or list adds.
    """

    caller: str
    caller_id: int
    callee: str
    callee_id: int
    function: str
    type: str
    class_: AdapterClass
    moves: tuple[str, ...]
    checks: tuple[str, ...]
    proved: tuple[Proof, ...]
    inlined: int
    fixed_bytes: int
    per_item: tuple[str, ...]
    group: int | None


@final
@dataclass(frozen=True, slots=True)
class Memory:
    """A memory of a fused group. pages: LEAST..MOST. place: "main" or "carrier"."""

    name: str
    pages: str
    place: str
    group: int


@final
@dataclass(frozen=True, slots=True)
class Removed:
    """What of one core instance nothing reaches: functions with their bytes of code, and bytes of data segments.

    largest: the names of the largest functions left out.
    """

    instance: str
    instance_id: int
    module: str
    functions: int
    functions_removed: int
    code_bytes: int
    code_bytes_removed: int
    data_bytes: int
    data_bytes_removed: int
    largest: tuple[str, ...]


@final
@dataclass(frozen=True, slots=True)
class HostFunction:
    """A host function that fused code calls. caller: who lowers it; needs: memory, realloc, encoding, in words."""

    name: str
    caller: str
    caller_id: int
    type: str
    needs: tuple[str, ...]


@final
@dataclass(frozen=True, slots=True)
class Explanation:
    """inputs: name and bytes. output_bytes: of the output; notes: what `-v` says."""

    inputs: tuple[tuple[str, int], ...]
    output_bytes: int
    links: tuple[Link, ...]
    groups: tuple[Group, ...]
    kept: tuple[Kept, ...]
    sites: tuple[Site, ...]
    memories: tuple[Memory, ...]
    removed: tuple[Removed, ...]
    host: tuple[HostFunction, ...]
    notes: tuple[str, ...]

    def data(self) -> dict[str, object]:
        """For JSON."""
        return form(SCHEMA, self)
