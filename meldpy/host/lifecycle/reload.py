"""The swap: a new instance takes the old one's place and state, or the old one goes on as if nothing had happened.

Until the commit everything happens in memory, beside the old instance. The commit is one transaction: version,
generation and state. A host that dies before it comes back with the old version and the last state that was kept; after
it, with the new one. Messages wait meanwhile in the mailbox, or in the store; those in the store are handled by whoever
lives. Steps are told to an observer, which is how tests end a host at each of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import final

from meldpy.host.lifecycle.birth import bring_up, check_health, put_down
from meldpy.host.lifecycle.handling import Alive
from meldpy.host.lifecycle.plan import ModulePlan
from meldpy.host.module import ModuleInstance, ModuleState
from meldpy.host.services import ModuleServices
from meldpy.host.store.database import Database
from meldpy.host.store.modules import Modules

STEPS = ("quiesced", "intended", "state-taken", "restored", "healthy", "committed", "switched")
"""In order; `committed` is the first after which the new version lives."""


@final
class Swap:
    """One swap, on the module's thread. old: None if the module is dead, and then the state that was kept counts."""

    def __init__(
        self,
        before: ModulePlan,
        old: Alive | None,
        plan: ModulePlan,
        services: ModuleServices,
        database: Database,
        observe: Callable[[str], None],
    ) -> None:
        self._before, self._old, self._plan, self._services = before, old, plan, services
        self._database, self._modules, self._observe = database, Modules(database), observe

    def run(self, kept: ModuleState | None) -> Alive:
        """The new instance. Raises what went wrong; then the old one is untouched, unless it died itself."""
        self._observe("quiesced")
        with self._database.transaction() as within:
            self._modules.intend(within, self._plan.name, self._plan.version)
        self._observe("intended")
        new: ModuleInstance | None = None
        try:
            state = self._state(kept)
            self._observe("state-taken")
            new, capabilities = bring_up(self._plan, self._services, state)
            self._observe("restored")
            check_health(new, capabilities)
            self._observe("healthy")
            with self._database.transaction() as within:
                self._modules.switched(within, self._plan.name, self._plan.version, state)
        except BaseException:
            if new is not None:
                new.close()
            with self._database.transaction() as within:
                self._modules.loaded(within, self._plan.name, self._before.version)
            raise
        self._observe("committed")
        return Alive(self._plan, new, capabilities, self._services)

    def _state(self, kept: ModuleState | None) -> ModuleState | None:
        if self._old is None:
            return kept
        return self._old.instance.get_state() if self._old.capabilities.state_schema is not None else None

    def finish(self) -> None:
        """The old one's end; nothing of it matters any more."""
        self._observe("switched")
        if self._old is not None:
            put_down(self._old.instance)
