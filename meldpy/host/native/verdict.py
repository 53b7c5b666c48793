"""What became of a call, in the words of `faults`: a module's own codes, and the ways in which a process ends."""

from __future__ import annotations

import re
from typing import Final

from meldpy.host.faults import FailureCode, HostError, ModuleFailure, ModuleTrapped, SchemaRefused
from meldpy.host.native.process import Exit

_CODES: Final = dict(enumerate(FailureCode, 1))
_LAST: Final = 20
_SANITIZER: Final = re.compile(r"ERROR: (\w+Sanitizer: [\w-]+)|: runtime error: (.*)")


def text_of(data: bytes) -> str:
    """Text from a module, which may not be any."""
    return data.decode(errors="replace")


def failure_of(code: int, text: bytes) -> HostError:
    """What a module says with a code that is not MELD_OK."""
    known = _CODES.get(code)
    if known is None:
        return ModuleFailure(FailureCode.FAILED, f"code {code}, which means nothing: {text_of(text)}")
    if known is FailureCode.SCHEMA:
        return SchemaRefused(text_of(text) or "the module does not know this schema")
    return ModuleFailure(known, text_of(text))


def last_lines(printed: str) -> tuple[str, ...]:
    """The end of what a module printed."""
    return tuple(printed.splitlines()[-_LAST:])


def death(name: str, ended: Exit, printed: str) -> ModuleTrapped:
    """A worker that ended by itself. A sanitizer's finding says more than the way in which it ended the process."""
    found = _SANITIZER.search(printed)
    if found is None:
        return ModuleTrapped(f"the process of {name} ended: {ended}", causes=last_lines(printed))
    report = printed[printed.rfind("\n", 0, found.start()) + 1 :].splitlines()[:_LAST]
    return ModuleTrapped(f"{name}: {found[1] or found[2]} ({ended})", causes=tuple(report))
