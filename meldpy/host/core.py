"""The host's core: modules by name, the bus, jobs and store between them. `Host` is the face that programs see.

Here a module is a plan: where plans come from (files, a registry, what was fused) is not known here.
"""

from __future__ import annotations

import logging
import sys
import threading
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import final

from meldpy.host.bus.bus import Bus
from meldpy.host.bus.turns import Turns
from meldpy.host.faults import HostError, StateError, defect
from meldpy.host.jobs.jobs import Jobs
from meldpy.host.jobs.run import JobRun
from meldpy.host.lifecycle.crew import Crew
from meldpy.host.lifecycle.hosted import Hosted
from meldpy.host.lifecycle.plan import ModulePlan
from meldpy.host.module import Services
from meldpy.host.services import ModuleServices
from meldpy.host.store.database import Database
from meldpy.host.store.messages import Messages
from meldpy.host.store.modules import Modules

logger = logging.getLogger("meldpy.host")

_SWITCH = 0.0005
"""Seconds for which one thread may keep the interpreter from others while modules are hosted: 5 ms is the default, and
a message that comes while others compute would wait as long."""


@final
class Core:
    """folder: for the store; None: in memory. observe: told each step of a reload, with the module's name."""

    def __init__(
        self,
        folder: Path | None,
        *,
        durability: str = "normal",
        cores: int | None = None,
        observe: Callable[[str, str], None] = lambda module, step: None,
    ) -> None:
        self.database = Database(folder, durability)
        self.messages, self.modules = Messages(self.database), Modules(self.database)
        self.bus = Bus(self.database, self.messages)
        self.jobs = Jobs(self.database, self._services)
        self._turns, self._crew = Turns(cores), Crew()
        self._observe = observe
        self._lock = threading.Lock()
        self._hosted: dict[str, Hosted] = {}
        self._switch_interval = sys.getswitchinterval()
        sys.setswitchinterval(min(_SWITCH, self._switch_interval))
        self._closed = False

    # --- modules -----------------------------------------------------------------------------------------------------
    def load(self, plan: ModulePlan, *, start: bool = True) -> Hosted:
        """A new module. It is there entirely, or not at all: what keeps it from starting is raised."""
        with self._lock:
            if self._closed:
                raise StateError("the host is closed")
            if plan.name in self._hosted:
                raise StateError(f"{plan.name} is loaded already", remedy="reload it, or unload it first")
            hosted = self._hosted[plan.name] = Hosted(plan, self.bus, self.database, self._turns, self._crew)
            self.jobs.arrives(plan.name)
        try:
            if start:
                hosted.start().result()
        except BaseException:
            self._remove(hosted)
            raise
        if start:
            self._resume_jobs(plan)
        self.tell("loaded", plan)
        return hosted

    def _resume_jobs(self, plan: ModulePlan) -> None:
        """Those that a host before this left. The module is there, whatever becomes of them."""
        try:
            for row in self.jobs.left(plan.name):
                self.jobs.resume(row.id, plan)
        except (HostError, RuntimeError) as error:  # somebody else resumed it, or there are no more threads
            reason = error.reason if isinstance(error, HostError) else error
            logger.warning("not all jobs go on: %s", reason, extra={"module_name": plan.name, "event": "job-left"})

    def find(self, name: str) -> Hosted:
        with self._lock:
            hosted = self._hosted.get(name)
        if hosted is None:
            raise StateError(f"there is no module {name}")
        return hosted

    def all(self) -> list[Hosted]:
        """By name."""
        with self._lock:
            return [self._hosted[name] for name in sorted(self._hosted)]

    def reload(self, plan: ModulePlan) -> float:
        """Swap a module to `plan`; the seconds without messages. Raises what kept the old one, which goes on."""
        hosted = self.find(plan.name)
        try:
            pause = hosted.reload(plan, lambda step: self._tell_observer(plan.name, step)).result()
        except Exception:
            self.tell("kept", plan)
            raise
        self.tell("reloaded", plan)
        return pause

    def _tell_observer(self, module: str, step: str) -> None:
        """What an observer raises must not be what a swap fails of: after its commit there is no way back."""
        try:
            self._observe(module, step)
        except Exception:
            logger.exception("an observer failed", extra={"module_name": module, "event": "observer"})

    def unload(self, name: str, *, grace: float = 5.0) -> None:
        """Stop a module and free everything of it."""
        hosted = self.find(name)
        self.jobs.leaves(name)
        try:
            self.jobs.pause_all(name, grace)
        except BaseException:  # the store failed: the module stays, and its jobs may go on
            self.jobs.arrives(name)
            raise
        self._remove(hosted)
        self.tell("unloaded", hosted.plan)

    def _remove(self, hosted: Hosted) -> None:
        try:
            hosted.unload()
        finally:
            with self._lock:
                if self._hosted.get(hosted.name) is hosted:  # another may have the name by now
                    del self._hosted[hosted.name]

    def tell(self, event: str, plan: ModulePlan) -> None:
        """Say on the bus what happened to a module."""
        self.bus.announce(f"meld/{event}", f"{plan.name} {plan.version}".encode())

    def _services(self, plan: ModulePlan, run: JobRun) -> Services:
        return ModuleServices(
            plan.name, plan.grants, plan.limits, self.bus, self.database, self.modules, nullcontext, run
        )

    # --- the end -----------------------------------------------------------------------------------------------------
    def close(self, *, grace: float = 5.0) -> None:
        """Unload everything; a call that does not end within `grace` seconds is ended. Any number of times."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            everything = list(self._hosted.values())
            for hosted in everything:
                self.jobs.leaves(hosted.name)

        def end() -> None:
            for each in everything:
                each.interrupt("the host is closed")

        impatient = threading.Timer(grace, end)
        impatient.daemon = True
        impatient.start()
        try:
            self.jobs.pause_all(grace=grace)
            for hosted in everything:
                try:
                    self._remove(hosted)
                except HostError as error:
                    text = "its last state is not kept: %s"
                    logger.warning(text, error.reason, extra={"module_name": hosted.name, "event": "not-kept"})
                except Exception as error:
                    defect(error, hosted.name)
        finally:
            impatient.cancel()
            self._crew.close()
            self.database.close()
            sys.setswitchinterval(self._switch_interval)
