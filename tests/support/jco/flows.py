"""Flows of resources (tests.support.flows), fused, as jco and V8 play them.

The events must be those of the model, handles, destructors and the reason of a trap included: the handle tables of the
fused form are its own. JavaScript plays the host, its functions and its resource type. Left out are the topology whose
fused form has only the engine's table, so jco's here, flows whose handles jco's boundary `mixes_up`, and compositions:
there jco has one table for each resource type where the spec has one for each instance, so that indices, and what they
reach, are others.
"""

from __future__ import annotations

from typing import Any, Final

from tests.support.flows.flow import HOSTS_TYPE, Event, Flow, Held, HostCall, Step
from tests.support.flows.run import composed_of, fused_of
from tests.support.flows.topology import TOPOLOGIES, Topology
from tests.support.gen.run import COMPOSED, FUSED
from tests.support.jco.player import Part, Player, kind

PLAYABLE: Final = tuple(topology for topology in TOPOLOGIES if not topology.uses_engines_table)


def mixes_up(flow: Flow) -> bool:
    """Whether the host drops a handle out of a list of several: jco then drops the list's last."""
    steps = [*flow.steps, *(step for function in flow.functions for step in function.steps)]
    calls = [step for step in steps if isinstance(step, HostCall)]
    together = {token for call in calls if len(call.tokens) > 1 for token in call.tokens}
    return any(not isinstance(step, HostCall) and step.held.token in together for step in steps)


def load(player: Player, topology: Topology, form: str = FUSED) -> None:
    binary = {COMPOSED: composed_of, FUSED: fused_of}[form](topology)
    player.load(f"{topology.name}, {form}", [Part(binary)], apart=True)


def play(player: Player, flow: Flow, form: str = FUSED) -> list[Event]:
    """The events as the flow has them; a trap with what jco says of it."""
    found: list[Event] = []
    given = {
        "tape": flow.tape.decode(),
        "steps": list(map(_step, flow.steps)),
        "functions": [{"steps": list(map(_step, each.steps)), "results": each.results} for each in flow.functions],
    }
    for what, *rest in player.flow(f"{flow.topology.name}, {form}", given):
        match what:
            case "log":
                found.append((what, rest[0].encode()))
            case "trap":
                found.append((what, kind(rest[0], rest[1])))
            case _:
                found.append((what, *rest))
    return found


def _step(step: Step) -> dict[str, Any]:
    if not isinstance(step, HostCall):
        return {"drop": step.held.token}
    args = [
        {"shape": slot.shape, "handles": [_handle(slot.own, held) for held in each]}
        for slot, each in zip(step.func.params, step.args, strict=True)
    ]
    result = step.func.result and step.func.result.shape
    return {"node": step.node, "func": step.func.name, "args": args, "result": result, "tokens": step.tokens}


def _handle(own: bool, held: Held) -> dict[str, Any]:
    return {"own": own, "token": None if held.type == HOSTS_TYPE else held.token, "rep": held.rep}
