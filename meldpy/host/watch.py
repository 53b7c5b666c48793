"""Reloads modules when their files change: for those that were loaded from a path."""

from __future__ import annotations

import logging
import threading
from pathlib import Path
from typing import final

from meldpy.errors import MeldError
from meldpy.host.extra import need
from meldpy.host.faults import defect
from meldpy.host.host import Host

logger = logging.getLogger("meldpy.host")


@final
class Watcher:
    """Watches in a thread of its own until `close`. A reload that fails is logged, and the old version goes on."""

    def __init__(self, host: Host) -> None:
        need("watchfiles")
        self._host = host
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="meld-watch", daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        from watchfiles import watch

        while not self._stop.is_set():
            folders = self._there()
            if not folders:
                self._stop.wait(0.5)
                continue
            try:
                for changes in watch(
                    *set(folders.values()), stop_event=self._stop, yield_on_timeout=True, rust_timeout=500
                ):
                    changed = {Path(path) for _, path in changes}
                    for name, folder in folders.items():
                        if any(path.is_relative_to(folder.resolve()) for path in changed):
                            self._reload(name)
                    if self._there() != folders:
                        break
            except OSError as error:  # a folder went in this moment
                logger.warning("watching is interrupted: %s", error, extra={"event": "watch"})
                self._stop.wait(0.5)

    def _there(self) -> dict[str, Path]:
        """What can be watched: a folder may be moved away, and come back."""
        return {name: folder for name, folder in self._host.folders().items() if folder.is_dir()}

    def _reload(self, name: str) -> None:
        try:
            pause = self._host.reload(name)
        except MeldError as error:
            logger.error("not reloaded: %s", error.reason, extra={"module_name": name, "event": "kept"})
        except Exception as error:
            defect(error, name)  # the next change may do
        else:
            logger.info("reloaded in %.1f ms", pause * 1000, extra={"module_name": name, "event": "reloaded"})

    def close(self) -> None:
        self._stop.set()
        self._thread.join(10)
