"""wac's language, the part that says how components are put together: `new`, `let`, `export`, access and spread.

The job: read a `.wac` file and translate it into inputs and options of a fuse, with every import decided: linked as the
file says, or left open by `...`. Nothing is left to matching by name, because the language does not do that either.

Not the job: linking and its type checks (`resolver`). What the language has besides (types, interfaces, worlds,
explicit imports, targets, instances exported as one) is refused with line, column and what to write in place of it.

Syntax: LANGUAGE.md in bytecodealliance/wac.
"""

from __future__ import annotations

from meldpy.wac.lower import Composition, compose
from meldpy.wac.model import WacError
from meldpy.wac.packages import Packages, parse_dep, surface

__all__ = ["Composition", "Packages", "WacError", "compose", "parse_dep", "surface"]
