"""How an instance comes to be: made, initialised, asked what it can do, given its state. All of it or nothing."""

from __future__ import annotations

from meldpy.host.faults import HostError, SchemaRefused
from meldpy.host.lifecycle.plan import ModulePlan
from meldpy.host.module import Capabilities, ModuleInstance, ModuleState, Services

HEALTH = "health"
"""The command that a module has if it can say whether it is well: it fails if not."""


def bring_up(plan: ModulePlan, services: Services, state: ModuleState | None) -> tuple[ModuleInstance, Capabilities]:
    """A new instance of `plan`, ready for its first message. What it raises is closed already."""
    instance = plan.make(services)
    try:
        instance.initialize(plan.config)
        capabilities = instance.capabilities()
        if state is not None:
            if capabilities.state_schema is None:
                raise SchemaRefused(f"{plan.name} {plan.version} keeps no state, and there is one to keep")
            instance.restore_state(state)
    except BaseException:
        instance.close()
        raise
    return instance, capabilities


def check_health(instance: ModuleInstance, capabilities: Capabilities) -> None:
    """Ask the module whether it is well, if it can say so. Raises what it says."""
    if HEALTH in capabilities.commands:
        instance.execute(HEALTH, b"")


def put_down(instance: ModuleInstance) -> HostError | None:
    """End an instance: its own last call if it lives, then everything is freed. What the last call raised."""
    try:
        if instance.alive:
            instance.shutdown()
    except HostError as error:
        return error
    finally:
        instance.close()
    return None
