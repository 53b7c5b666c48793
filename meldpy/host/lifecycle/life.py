"""A module's instance as it dies and is made again: by its restart policy, and with what was kept of its state."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from enum import Enum
from typing import final

from meldpy.host.bus.bus import Bus
from meldpy.host.faults import HostError, ModuleTrapped, StateError
from meldpy.host.lifecycle.birth import bring_up
from meldpy.host.lifecycle.breaker import Breaker
from meldpy.host.lifecycle.handling import Alive
from meldpy.host.lifecycle.meter import Meter
from meldpy.host.lifecycle.plan import ModulePlan, Persist
from meldpy.host.module import ModuleState
from meldpy.host.services import ModuleServices
from meldpy.host.store.database import Database
from meldpy.host.store.modules import Modules

logger = logging.getLogger("meldpy.host")


@final
class Status(Enum):
    """Where in its life a module is."""

    STOPPED = "stopped"
    RUNNING = "running"
    BROKEN = "broken"
    UNLOADED = "unloaded"


@final
class Life:
    """See the module; on the module's thread, but for `leaving`. It is a `handling.Patient`.

    aside: lets other guests run while this one waits; healed: told that a module that was broken runs again; again: has
    `try_again` run on the module's thread in so many seconds; meter: watches every instance that lives. now: the
    instance, if there is one.
    """

    def __init__(
        self,
        plan: ModulePlan,
        bus: Bus,
        database: Database,
        aside: Callable[[], AbstractContextManager[None]],
        healed: Callable[[], None],
        again: Callable[[float], None],
        meter: Meter,
    ) -> None:
        self.plan = plan
        self.status = Status.STOPPED
        self.deaths = 0
        self.now: Alive | None = None
        self.topics: tuple[str, ...] = ()
        self.leaving = threading.Event()
        self._bus, self._database, self._modules = bus, database, Modules(database)
        self._aside, self._healed, self._again, self._meter = aside, healed, again, meter
        self._breaker = Breaker(plan.policy)

    # --- handling.Patient --------------------------------------------------------------------------------------------
    def alive(self) -> Alive:
        """Waits for the delay that the policy asks for."""
        while self.now is None or not self.now.instance.alive:
            if self.now is not None:
                self.died(ModuleTrapped(f"{self.plan.name} died while nobody called it"))
            rest = self._breaker.broken
            if rest is not None:
                self._break(rest)
                raise StateError(f"{self.plan.name} died too often, and rests for {rest:.0f} s")
            with self._aside():
                if self.leaving.wait(self._breaker.delay):
                    raise StateError(f"{self.plan.name} is unloaded")
            try:
                self.now = self.born()
            except HostError as error:
                self.died(error)
        self._heal()
        return self.now

    def died(self, error: HostError) -> None:
        self.deaths += 1
        alive, self.now = self.now, None
        if alive is not None:
            alive.instance.close()
        self._breaker.died()
        logger.error("%s", error.reason, extra={"module_name": self.plan.name, "event": "died"})
        self._bus.announce("meld/died", f"{self.plan.name}: {error.reason}".encode())

    def lived(self) -> None:
        self._breaker.lived()

    # --- an instance -------------------------------------------------------------------------------------------------
    def born(self) -> Alive:
        """A new one, with the state that was kept."""
        services = self.services_for(self.plan)
        instance, capabilities = bring_up(self.plan, services, self.kept_state())
        self._meter.watch(instance)
        self.topics = capabilities.topics
        self._bus.subscriptions_changed()
        return Alive(self.plan, instance, capabilities, services)

    def swapped(self, alive: Alive) -> None:
        """It takes the place of the one there was."""
        self._meter.watch(alive.instance)
        self.now, self.topics = alive, alive.capabilities.topics
        self.adopt(alive.plan)
        self._heal()

    def adopt(self, plan: ModulePlan) -> None:
        """What is born from now on."""
        self.plan = plan
        self._bus.subscriptions_changed()
        self._breaker = Breaker(plan.policy)

    def services_for(self, plan: ModulePlan) -> ModuleServices:
        return ModuleServices(
            plan.name, plan.grants, plan.limits, self._bus, self._database, self._modules, self._aside
        )

    def kept_state(self) -> ModuleState | None:
        kept = self._modules.find(self.plan.name)
        return None if kept is None or self.plan.persist is Persist.NEVER else kept.state

    # --- broken, and healed ------------------------------------------------------------------------------------------
    def _break(self, rest: float) -> None:
        """Refuse what comes, and try again by itself when the rest is over."""
        if self.status is Status.BROKEN:
            return
        self.status = Status.BROKEN
        if rest != float("inf"):
            self._again(rest + 0.01)

    def try_again(self) -> None:
        """The rest is over."""
        if self.status is Status.BROKEN:
            self.status = Status.RUNNING
            try:
                self.alive()
            except HostError:
                return
            self._healed()

    def _heal(self) -> None:
        if self.status is Status.BROKEN:
            self.status = Status.RUNNING
            self._healed()
