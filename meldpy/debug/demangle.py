"""Mangled names for readers: Rust's legacy scheme and the nested names that C++ shares with it.

Only for display; bytes keep what linkers have. A name that is none of these, or that says more than a path, gives None,
and the name in the source stands in for it.
"""

from __future__ import annotations

import re
from typing import Final

_HASH: Final = re.compile(r"h[0-9a-f]{16}")
_ESCAPES: Final = {
    "$SP$": "@",
    "$BP$": "*",
    "$RF$": "&",
    "$LT$": "<",
    "$GT$": ">",
    "$LP$": "(",
    "$RP$": ")",
    "$C$": ",",
    "..": "::",
}
_CODE: Final = re.compile(r"\$u([0-9a-f]{1,6})\$")


def demangled(name: str) -> str | None:
    """The path of a legacy Rust symbol without its hash; None for anything else."""
    if not name.startswith("_ZN"):
        return None
    parts: list[str] = []
    at = 3
    while at < len(name) and name[at].isdigit():
        digits = re.match(r"\d+", name[at:])
        assert digits is not None
        at += len(digits[0])
        parts.append(name[at : at + int(digits[0])])
        at += int(digits[0])
    if name[at:] != "E" or len(parts) < 2 or not _HASH.fullmatch(parts[-1]):
        return None
    return "::".join(_plain(part) for part in parts[:-1])


def _plain(part: str) -> str:
    part = part.removeprefix("_") if part.startswith("_$") else part
    for escape, text in _ESCAPES.items():
        part = part.replace(escape, text)
    return _CODE.sub(lambda found: chr(int(found[1], 16)) if int(found[1], 16) < 0x110000 else found[0], part)
