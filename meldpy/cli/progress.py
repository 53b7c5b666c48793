"""Signs of life on stderr for work that takes over a second: only on a terminal, and gone when the work is done.

rich draws them (extra `progress`), and is loaded when the second is over. Without it, or where stderr is no terminal,
nothing is said.
"""

from __future__ import annotations

import os
import sys
import threading
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
        self._text = what
        self._status: Status | None = None
        self._lock = threading.Lock()
        self._timer = threading.Timer(_PATIENCE, self._show) if not settings.quiet and is_shown() else None

    def __enter__(self) -> Progress:
        if self._timer is not None:
            self._timer.daemon = True
            self._timer.start()
        return self

    def say(self, how_far: str) -> None:
        if self._timer is None:
            return
        with self._lock:
            self._text = f"{self._what}: {escape(shorten(how_far))}"
            if self._status is not None:
                self._status.update(self._text)

    def _show(self) -> None:
        try:
            from rich.console import Console
        except ImportError:
            return
        with self._lock:
            if self._timer is not None:
                self._status = Console(stderr=True, markup=False).status(self._text)
                self._status.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if self._timer is None:
            return
        self._timer.cancel()
        with self._lock:
            self._timer = None
            if self._status is not None:
                self._status.stop()


def is_shown() -> bool:
    """Whether anybody would see it: stderr is a terminal that can be drawn on."""
    return sys.stderr is not None and sys.stderr.isatty() and os.environ.get("TERM", "") not in ("", "dumb")
