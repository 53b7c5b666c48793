"""Marks: what an emitted function does, said by whoever wrote it, for reports.

Nothing is decided from a mark, and no byte of an output depends on one. They are on the function in which the code was
written; what a whole crossing does is found by following what it calls, and what was put in place of a call.
"""

from __future__ import annotations

from enum import Enum, unique
from typing import TypeAlias, final

from meldpy.model.canon import StringEncoding
from meldpy.model.symbols import FuncSymbol
from meldpy.records import dataclass


@unique
class Means(Enum):
    """How values get from one memory to another; the value is for people."""

    AT_ONCE = "as bytes at once"
    ONE_BY_ONE = "element by element"
    IN_MEMORY = "parameters or a result in memory"


@final
@dataclass(frozen=True, slots=True)
class Moved:
    """Values move from memory to memory. size: bytes of one element, or of the whole for IN_MEMORY, at the source."""

    means: Means
    size: int


@final
@dataclass(frozen=True, slots=True)
class Transcoded:
    """A string crosses; with equal encodings it is checked and copied."""

    source: StringEncoding
    destination: StringEncoding


@unique
class HandleKind(Enum):
    OWN = "own"
    BORROW = "borrow"
    END = "stream or future end"


@final
@dataclass(frozen=True, slots=True)
class Handed:
    """A handle crosses. kept: it stays as it is, because both sides have one table, or reps travel themselves."""

    kind: HandleKind
    resource: str
    kept: bool


@final
@dataclass(frozen=True, slots=True)
class Checked:
    """The function is where one rule of the Canonical ABI fails, or where it is checked. rule: as the trap names it."""

    rule: str


@final
@dataclass(frozen=True, slots=True)
class Proved:
    """A check or barrier that the specification has, and a proof made unnecessary."""

    what: str
    why: str


@final
@dataclass(frozen=True, slots=True)
class Inlined:
    """The body of a function stands here in place of a call."""

    func: FuncSymbol


Mark: TypeAlias = "Moved | Transcoded | Handed | Checked | Proved | Inlined"
