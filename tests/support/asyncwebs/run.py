"""A web, played: as a composition, fused, and cut in two parts, of which one is fused and the other is its host."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import Final, final

from wasmtime import wat2wasm

from meldpy.binary.decode import decode_component
from meldpy.engine.traps import same_trap
from meldpy.fixture.sections import root_imports
from meldpy.model.linked import LinkedGraph
from meldpy.resolver import ResolveOptions, ResolverInput, resolve
from tests.differential.divergences import Divergences
from tests.support.asyncwebs.program import Web
from tests.support.asyncwebs.text import group
from tests.support.compose import Export, Wire, compose
from tests.support.harness import Call, Difference, Observed, Returned, Step, Trap, observe

CALLS: Final = (Call("run", [3]), Call("poke"), Call("run", [4]))
"""What the host does. What one call leaves to do is there in the next."""


@final
class Likeness(Enum):
    SAME = "same"
    LEFT = "same, but work that was left behind was done sooner or later"
    KNOWN = "a known divergence"


def composition(web: Web) -> bytes:
    return bytes(wat2wasm(group(web, range(len(web.instances)))))


def graph_of(binary: bytes) -> LinkedGraph:
    """Evaluated, as `support/definitions` plays it."""
    return resolve([ResolverInput("web", "web", len(binary), decode_component(binary, "web"))], ResolveOptions())


def halves(web: Web, at: int) -> tuple[bytes, bytes]:
    """The instances before `at`, and those that they call."""
    count = len(web.instances)
    front, back = group(web, range(at)), group(web, range(at, count))
    return bytes(wat2wasm(front)), bytes(wat2wasm(back))


def together(front: bytes, back: bytes) -> bytes:
    """Both halves, whichever form they have."""
    wires = [Wire("front", item.name, "back", item.name) for item in root_imports(front) if item.name != "log"]
    return compose({"front": front, "back": back}, wires, [Export("front", "run"), Export("front", "poke")])


def play(binary: bytes) -> list[Step]:
    """The calls, up to the first that does not return."""
    seen: Observed = observe(binary, CALLS, host={"log": lambda guest, args: None})
    steps = [step for step in seen.steps if step.label != "(instantiate)"]
    returned = next((i for i, step in enumerate(steps) if not isinstance(step.outcome, Returned)), len(steps))
    return steps[: returned + 1]


def likeness(composed: Sequence[Step], fused: Sequence[Step], divergences: Divergences) -> Likeness:
    """Raises AssertionError for a difference that is neither left work nor known."""
    for one, other in zip(composed, fused, strict=False):
        expected, got = one.outcome, other.outcome
        same = expected == got
        if isinstance(expected, Trap) and isinstance(got, Trap):
            same = same_trap(expected.kind, got.kind)
        if same and one.host_calls == other.host_calls:
            continue
        shorter, longer = sorted((one.host_calls, other.host_calls), key=len)
        assert longer[: len(shorter)] == shorter, f"{one.label}: {_parting(one, other)}"
        if same and isinstance(expected, Returned):
            aspect = "host calls of one that leaves work"
            assert divergences.explains(Difference(one.label, aspect, one.host_calls, other.host_calls))
            return Likeness.LEFT
        known = not same and divergences.explains(Difference(one.label, "outcome", expected, got))
        assert known, f"{one.label}: {_parting(one, other)}"
        return Likeness.KNOWN
    assert len(composed) == len(fused)
    return Likeness.SAME


def _parting(one: Step, other: Step) -> str:
    """Where two logs part, and how it ended."""
    logs = [[args[0] for _, args in each.host_calls] for each in (one, other)]
    at = next((i for i, (a, b) in enumerate(zip(*logs, strict=False)) if a != b), min(map(len, logs)))
    seen = [f"{log[max(at - 6, 0) : at + 6]} … {each.outcome}" for log, each in zip(logs, (one, other), strict=True)]
    return f"after {at}:\n  {seen[0]}\n  {seen[1]}"
