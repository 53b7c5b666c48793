"""The engines' limits on one core module, and the check of all sums before anything is emitted.

Numbers: field.md section 6 of the design, which are those of the engines' common validator.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from meldpy.errors import LimitError

ITEMS: Final = 1_000_000
"""Types, functions, globals, imports, exports, tags: each."""
SEGMENTS: Final = 100_000
"""Element segments, data segments: each."""
BODY: Final = 7_654_321
"""Bytes of one function body."""
LOCALS: Final = 50_000
"""Locals of one function, parameters included."""
MEMORIES: Final = 100
TABLES: Final = 100
EXPRESSION: Final = 100_000
"""Instructions of one constant expression: a cap of ours, for initialisers that double with every global."""
NAME: Final = 100_000
"""Bytes of a name."""

_REMEDY: Final = "fuse fewer inputs at once, or instantiate fewer copies of the module"
_LIMITS: Final = {
    "types": ITEMS,
    "functions": ITEMS,
    "globals": ITEMS,
    "imports": ITEMS,
    "exports": ITEMS,
    "tags": ITEMS,
    "element segments": SEGMENTS,
    "data segments": SEGMENTS,
    "memories": MEMORIES,
    "tables": TABLES,
}


def check_sums(where: str, sums: Mapping[str, int]) -> None:
    """Raises LimitError for the first sum of `where` (such as "the merged module") that passes its limit."""
    for what, total in sums.items():
        if total > _LIMITS[what]:
            raise LimitError(
                f"{where} would have {total} {what}, and engines accept {_LIMITS[what]} at most", remedy=_REMEDY
            )


def check_body(name: str, size: int) -> None:
    if size > BODY:
        raise LimitError(
            f"a function body of {name} would have {size} bytes, and engines accept {BODY} at most",
            remedy="split the function; a body grows when it refers to high indices",
        )


def check_locals(name: str, count: int) -> None:
    if count > LOCALS:
        raise LimitError(
            f"the adapter {name} would have {count} locals, and engines accept {LOCALS} at most",
            remedy="make the function's type smaller",
        )


def check_expression(count: int) -> None:
    if count > EXPRESSION:
        raise LimitError(
            f"a table's initialiser would have more than {EXPRESSION} instructions",
            remedy="make the initialiser smaller",
        )


def check_name(text: str) -> None:
    size = len(text.encode())
    if size > NAME:
        raise LimitError(
            f"a name would have {size} bytes, and engines accept {NAME} at most", remedy="shorten the name"
        )


def clip_name(text: str, ending: str = "") -> str:
    """`text` with `ending`, the former cut to what engines accept: for names of ours, which are for readers only."""
    return text.encode()[: NAME - len(ending.encode())].decode(errors="ignore") + ending
