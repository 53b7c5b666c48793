"""Signs of life on stderr for work that takes over a second: only on a terminal, and gone when the work is done.

rich draws them, and is loaded when the second is over. Without it, or where stderr is no terminal, nothing is said.
"""

from __future__ import annotations

import os
import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Final, final

from meldpy.cli.settings import Settings
from meldpy.errors import escape, shorten

if TYPE_CHECKING:
    from rich.status import Status

_PATIENCE: Final = 1.0
"""Seconds after which somebody wants to know that something happens."""


@final
class Progress:
    """Around a piece of work, which says now and then how far it is."""

    def __init__(self, settings: Settings, what: str) -> None:
        self._what = what
        self._began = time.monotonic()
        self._status: Status | None = None
        self._shown = not settings.quiet and is_shown()

    def __enter__(self) -> Progress:
        return self

    def say(self, how_far: str) -> None:
        if not self._shown or time.monotonic() - self._began < _PATIENCE:
            return
        text = f"{self._what}: {escape(shorten(how_far))}"
        if self._status is None:
            self._status = _status(text)
            if self._status is None:
                self._shown = False
                return
            self._status.start()
        self._status.update(text)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if self._status is not None:
            self._status.stop()


def is_shown() -> bool:
    """Whether anybody would see it: stderr is a terminal that can be drawn on."""
    return sys.stderr is not None and sys.stderr.isatty() and os.environ.get("TERM", "") not in ("", "dumb")


def _status(text: str) -> Status | None:
    try:
        from rich.console import Console
    except ImportError:
        return None
    return Console(stderr=True, markup=False).status(text)
