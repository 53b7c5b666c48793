"""What the parts of the driver share: a mutant, and what became of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import final

ROOT = Path(__file__).parents[2]
PACKAGES = ("adapter", "merger", "resolver", "wrapper", "core_output", "core", "kernel", "runtime")
ELSEWHERE = "meldpy/kernel/dwarf"
"""How names of files begin that are not mutated: what judges DWARF (tests/debug) is too slow to run for each mutant."""


@final
@dataclass(frozen=True, slots=True)
class Mutant:
    """One small change of one file: the characters [start, end) of its text become `new`.

    file: relative to the repository; function: qualified name of the outermost function around the change, "" at
    module or class level; line: where it starts, from 1; last_line: where what it replaces ends; ordinal: which one
    of the mutants of this function that have the same old and new text.
    """

    file: str
    function: str
    line: int
    last_line: int
    start: int
    end: int
    operator: str
    old: str
    new: str
    ordinal: int = 0

    @property
    def id(self) -> str:
        """Names the mutant as long as its function is not rewritten; lines may move."""
        old, new = " ".join(self.old.split()), " ".join(self.new.replace("\x00", "").split())
        repeat = f" #{self.ordinal}" if self.ordinal else ""
        return f"{self.file}:{self.function or '<module>'}: {old} => {new}{repeat}"

    @property
    def is_wat(self) -> bool:
        return self.file.endswith(".wat")

    @property
    def in_kernel(self) -> bool:
        return self.file.startswith("meldpy/kernel/")

    def applied(self, text: str) -> str:
        """`text` (that of the file) with the change, and as many lines as before."""
        missing = self.old.count("\n") - self.new.count("\n")
        return text[: self.start] + self.new.replace("\x00", "\n" * missing) + text[self.end :]


@final
class Verdict(Enum):
    KILLED = "killed"  # a test failed
    CRASHED = "crashed"  # the test process died
    TIMED_OUT = "timed out"  # a test took far longer than it does without the change
    SURVIVED = "survived"
    STILLBORN = "stillborn"  # not a program; counts as no mutant at all

    @property
    def is_kill(self) -> bool:
        return self in (Verdict.KILLED, Verdict.CRASHED, Verdict.TIMED_OUT)


@final
@dataclass(frozen=True, slots=True)
class Outcome:
    """by: the test that noticed; ran: how many tests were at it; seconds: of wall clock."""

    mutant: Mutant
    verdict: Verdict
    by: str
    ran: int
    seconds: float
