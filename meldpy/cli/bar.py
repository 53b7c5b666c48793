"""A bar on stderr for many pieces of work: how many are done, how fast, and how long the rest will take.

Only on a terminal, and only with rich (extra `progress`), which is loaded then.
"""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, final

from meldpy.cli.progress import is_shown
from meldpy.cli.settings import Settings

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


@final
class Bar:
    """Around the work; `step` for each piece of it."""

    def __init__(self, settings: Settings, what: str, total: int) -> None:
        self._progress: Progress | None = None
        self._task: TaskID | None = None
        if not settings.quiet and is_shown() and total > 1:
            self._progress = _progress()
            if self._progress is not None:
                self._task = self._progress.add_task(what, total=total, rate="")

    def __enter__(self) -> Bar:
        if self._progress is not None:
            self._progress.start()
        return self

    def step(self) -> None:
        if self._progress is not None and self._task is not None:
            self._progress.advance(self._task)
            speed = self._progress.tasks[0].speed
            self._progress.update(self._task, rate="" if speed is None else f"{speed:.1f}/s")

    def above(self, write: Callable[[], None]) -> None:
        """Write lines: the bar gives way meanwhile."""
        if self._progress is None:
            write()
            return
        self._progress.stop()
        write()
        self._progress.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if self._progress is not None:
            self._progress.stop()


def _progress() -> Progress | None:
    try:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
    except ImportError:
        return None
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[rate]}"))
    return Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True)
