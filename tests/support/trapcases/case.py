"""What a case is, and how one is played that calls exports of a component.

Both forms, the composition and the fused one, must do what the case says: trap by the very rule (the composition in
the engine's words for it), or return a value. Where the composition is known to do otherwise, the case names the entry
of divergences.toml that must then explain it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

from wasmtime import Engine, Store, WasmtimeError, wat2wasm
from wasmtime import component as wc

import meldpy
from meldpy.engine.calls import call
from meldpy.engine.config import full_engine
from meldpy.pipeline import FuseOptions
from tests.differential.divergences import Divergences
from tests.differential.trap_kinds import same_trap, trap_kind
from tests.support.harness import Difference, Returned, Trap
from tests.support.shape import assert_fused_shape

Outcome = Returned | Trap


@dataclass(frozen=True, slots=True)
class Case:
    """position: one of those that the condition lists. name: what is tried there. trapping, returning: how many calls
    there are of what traps, and of its neighbours. problems: makes them all on both forms; what went otherwise."""

    condition: str
    position: str
    name: str
    trapping: int
    returning: int
    problems: Callable[[Divergences], list[str]]


@dataclass(frozen=True, slots=True)
class Step:
    """A call of an export: what it returns, or the trap that it ends in.

    divergence: the entry that explains the composition, if it does otherwise. by_engine: the fused form leaves the
    check to the engine, whose words it has then.
    """

    export: str
    args: tuple[int | str, ...] = ()
    returns: object = None
    trap: str | None = None
    divergence: str | None = None
    by_engine: bool = False


@dataclass(frozen=True, slots=True)
class Forms:
    """A composition and its fused form, compiled. host: the functions that both import."""

    composed: wc.Component
    fused: wc.Component
    host: tuple[str, ...] = ()

    def outcomes(self, steps: Sequence[Step]) -> tuple[list[Outcome], list[Outcome]]:
        return play(self.composed, self.host, steps), play(self.fused, self.host, steps)


@cache
def engine() -> Engine:
    return full_engine().engine


@dataclass(slots=True)
class Fusing:
    """How all cases are fused at present. optimise: with `-O`."""

    optimise: bool = False


FUSING = Fusing()


def fused_form(binary: bytes) -> bytes:
    """What is made of a composition now."""
    return meldpy.fuse([binary], FuseOptions(optimise=FUSING.optimise)).bytes


def forms(text: str, host: tuple[str, ...] = ()) -> Forms:
    """The forms of a composition in text, which imports the functions of `host`."""
    return _forms(text, host, FUSING.optimise)


@cache
def _forms(text: str, host: tuple[str, ...], optimise: bool) -> Forms:
    assert optimise == FUSING.optimise
    binary = bytes(wat2wasm(text))
    fused = fused_form(binary)
    assert_fused_shape(fused)
    return Forms(wc.Component(engine(), binary), wc.Component(engine(), fused), host)


def play(component: wc.Component, host: tuple[str, ...], steps: Sequence[Step]) -> list[Outcome]:
    """The outcome of each step, in one store; after a trap the others are made nevertheless."""
    store = Store(engine())
    linker = wc.Linker(engine())
    with linker.root() as root:
        for name in host:
            root.add_func(name, lambda *_: None)
    instance = linker.instantiate(store, component)
    outcomes: list[Outcome] = []
    for step in steps:
        func = instance.get_func(store, step.export)
        assert func is not None, step.export
        try:
            outcomes.append(Returned(call(func, store, step.args)))
        except WasmtimeError as error:
            outcomes.append(Trap(trap_kind(str(error)), str(error)))
    return outcomes


def judge(forms: Forms, steps: Sequence[Step], divergences: Divergences) -> list[str]:
    """How the outcomes of the steps differ from what they should be; only the last may trap.

    After a trap, the same call is made once more without it: both forms must refuse any further use.
    """
    composed, fused = forms.outcomes([*steps, *([steps[-1]] if steps[-1].trap else [])])
    found = []
    for step, ours, theirs in zip(steps, fused, composed, strict=False):
        call = f"{step.export}{step.args}"
        known = any(entry.id == step.divergence and entry.applies for entry in divergences.entries)
        if not _fits(step, ours, exact=not step.by_engine):
            found.append(f"{call}: fused: {_show(ours)}, expected {step.trap or step.returns!r}")
        elif _fits(step, theirs, exact=False):
            if known:
                found.append(f"{call}: the composition does as it should: {step.divergence} is needless")
        elif not known:
            found.append(f"{call}: composed: {_show(theirs)}, expected {step.trap or step.returns!r}")
        elif not divergences.explains(Difference(call, "outcome", theirs, ours)):
            found.append(f"{call}: {step.divergence} does not explain: {_show(theirs)}, {_show(ours)}")
    if steps[-1].trap and not found:
        found += [
            f"usable after a trap: {who}"
            for who, seen in (("composed", composed), ("fused", fused))
            if isinstance(seen[-1], Returned) and not (who == "composed" and steps[-1].divergence)
        ]
    return found


def _fits(step: Step, outcome: Outcome, exact: bool) -> bool:
    match outcome:
        case Trap(kind=kind):
            return step.trap is not None and (kind == step.trap if exact else same_trap(kind, step.trap))
        case Returned(value=value):
            return step.trap is None and value == step.returns
    raise AssertionError(outcome)


def _show(outcome: Outcome) -> str:
    return f"trap {outcome.kind!r}" if isinstance(outcome, Trap) else f"returned {outcome.value!r}"


@dataclass(frozen=True, slots=True)
class Played:
    """A composition and runs of it, each in a store of its own: the one that traps, and its neighbours."""

    text: str
    runs: tuple[tuple[Step, ...], ...]
    host: tuple[str, ...] = ()

    def case(self, condition: str, position: str, name: str) -> Case:
        trapping = sum(steps[-1].trap is not None for steps in self.runs)
        return Case(condition, position, name, trapping, len(self.runs) - trapping, self.problems)

    def problems(self, divergences: Divergences) -> list[str]:
        built = forms(self.text, self.host)
        return [text for steps in self.runs for text in judge(built, steps, divergences)]
