"""Mangled names for readers: Rust's legacy scheme here, its v0 scheme and C++ by libraries.

Only for display; bytes keep what linkers have. A name that is none of these gives None, and the name in the source
stands in for it; so it does where the extra `demangle` is not installed.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from typing import Final

_LENGTH: Final = re.compile(r"[0-9]{1,4}")
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


_LONGEST: Final = 4096
"""Longer names stay as they are: demangling takes its time, and nobody reads them."""


def demangled(name: str) -> str | None:
    """What a symbol of Rust (without its hash) or of C++ (with its parameters) stands for; None for anything else."""
    if len(name) > _LONGEST:
        return None
    if name.startswith("_R"):
        return _by("v0", name)
    return _legacy(name) or (_by("itanium", name) if name.startswith("_Z") else None)


def _by(scheme: str, name: str) -> str | None:
    # whatever a library makes of a name that is no symbol: it is shown as it is
    with suppress(Exception):
        return _library(scheme)(name)
    return None


@cache
def _library(scheme: str) -> Callable[[str], str | None]:
    """Says nothing of any name if the library is missing."""
    try:
        if scheme == "v0":
            from rust_demangler import demangle

            return lambda name: str(demangle(name))
        from itanium_demangler import parse
    except ImportError:
        return lambda name: None

    def text(name: str) -> str | None:
        tree = parse(name)
        return None if tree is None else str(tree)

    return text


def _legacy(name: str) -> str | None:
    if not name.startswith("_ZN"):
        return None
    parts: list[str] = []
    at = 3
    while (digits := _LENGTH.match(name, at)) is not None:
        end = digits.end() + int(digits[0])
        parts.append(name[digits.end() : end])
        at = end
    if name[at:] != "E" or len(parts) < 2 or not _HASH.fullmatch(parts[-1]):
        return None
    return "::".join(_plain(part) for part in parts[:-1])


def _plain(part: str) -> str:
    part = part.removeprefix("_") if part.startswith("_$") else part
    for escape, text in _ESCAPES.items():
        part = part.replace(escape, text)
    return _CODE.sub(lambda found: chr(int(found[1], 16)) if int(found[1], 16) < 0x110000 else found[0], part)
