"""Patches that take something out of the program, or break it: a text of one file, and what stands there instead.

They are data in TOML files. `old` must be found exactly once, so a patch cannot go stale without being noticed; a
change of the lines around it does not matter, as it would for a diff.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import final

from scripts.explore.adrs import RecordError


@final
@dataclass(frozen=True, slots=True)
class Patch:
    """`file`, relative to a checkout, has `old` once; `new` replaces it."""

    file: str
    old: str
    new: str

    def applied_to(self, text: str) -> str:
        """The file's text after the patch. RecordError unless `old` is there once, and `new` is something else."""
        found = text.count(self.old)
        if found != 1:
            raise RecordError(f"{self.file}: the patched text is there {found} times, not once: {self.old!r}")
        if self.new == self.old:
            raise RecordError(f"{self.file}: the patch changes nothing")
        return text.replace(self.old, self.new)

    def apply(self, root: Path) -> None:
        """Patch the file in the checkout at `root`."""
        file = root / self.file
        file.write_text(self.applied_to(file.read_text(encoding="utf-8")), encoding="utf-8")

    def undo(self, root: Path) -> None:
        """Take the patch back."""
        Patch(self.file, self.new, self.old).apply(root)
