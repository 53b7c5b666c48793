"""Processor time of a module's instances that is on no thread of this process: in processes of their own.

It is added up over all instances that a module ever had, so that it never falls; one that is dead is asked for the last
time and then forgotten. What a module's own threads here use is counted by who runs them (`meldpy.host.bus.turns`).
"""

from __future__ import annotations

import threading
from typing import final

from meldpy.host.module import ModuleInstance


@final
class Meter:
    """See the module. Any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._living: list[ModuleInstance] = []
        self._past = 0.0

    def watch(self, instance: ModuleInstance) -> None:
        """From its beginning to its end."""
        if instance.used_elsewhere is not None:
            with self._lock:
                self._living.append(instance)

    @property
    def seconds(self) -> float:
        """Of all there were."""
        if not self._living and not self._past:
            return 0.0  # no lock for those that never have any
        with self._lock:
            living, seconds = [], 0.0
            for each in self._living:
                alive = each.alive  # before its time is read: what is dead, or is being killed, uses no more
                used = each.used_elsewhere or 0.0
                if alive:
                    living.append(each)
                    seconds += used
                else:
                    self._past += used
            self._living = living
            return self._past + seconds
