"""What mutations start from: committed fixtures, small components in text, generated compositions, and async scenes.

A corpus depends on its seed alone. Broken bases would make a search worthless, so each must be fused whole first.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from wasmtime import wat2wasm

from meldpy.binary.decode import decode_component
from meldpy.model.component import Component
from tests.support import asyncwebs
from tests.support.asyncwebs.scenes import SCENES
from tests.support.fixtures import ROOT as FIXTURES
from tests.support.fixtures import all_fixtures
from tests.support.flows.run import composed_of
from tests.support.flows.topology import TOPOLOGIES
from tests.support.gen.guests import callee_component, caller_component, composition
from tests.support.gen.scenario import random_scenario
from tests.support.hostile.models import Seen

COMPONENTS = Path(__file__).resolve().parents[2] / "hostile" / "components"
ASYNC = ("calls", "cancels", "lends", "gates", "reads", "futures")
"""Scenes with much of what async has."""
SMALL, LARGE = 11_000, 200_000
"""Bytes up to which an input is a usual one, or one at all."""


@dataclass(frozen=True, slots=True)
class Base:
    """component: decoded; companions: the other inputs it is linked with, in order, `at`: its own place among them."""

    name: str
    data: bytes = field(repr=False)
    component: Component = field(repr=False)
    companions: tuple[bytes, ...] = field(default=(), repr=False)
    at: int = 0


@dataclass(frozen=True, slots=True)
class Corpus:
    small: list[Base]
    large: list[Base]
    texts: list[str]
    seen: Seen

    def pick(self, rng: Random) -> Base:
        """Large ones rarely: they cost as much as fifty small ones."""
        if self.large and rng.randrange(400) == 0:
            return rng.choice(self.large)
        return rng.choice(self.small)


def _base(name: str, data: bytes, others: tuple[bytes, ...] = (), at: int = 0) -> Base:
    return Base(name, data, decode_component(data, name), others, at)


def _fixtures() -> list[Base]:
    found = []
    for fixture in all_fixtures():
        paths = [FIXTURES / fixture.name / wasm.path for wasm in fixture.wasm if wasm.path and not wasm.composition]
        if len(paths) != sum(not wasm.composition for wasm in fixture.wasm):
            continue  # built when it is needed, and not here
        parts = [path.read_bytes() for path in paths]
        if sum(map(len, parts)) > LARGE:
            continue
        for at, (path, data) in enumerate(zip(paths, parts, strict=True)):
            others = tuple(parts[:at] + parts[at + 1 :])
            found.append(_base(f"{fixture.name}/{path.name}", data, others, at))
    return found


def _generated(rng: Random, count: int) -> list[Base]:
    found = [_base(f"flow {topology.name}", composed_of(topology)) for topology in TOPOLOGIES]
    while len(found) < count:
        scenario = random_scenario(rng, rng.choice((1, 1, 2)))
        caller, callee = scenario.guests
        name = f"generated {len(found)}"
        if scenario.separate:
            parts = [
                bytes(wat2wasm(text))
                for text in (callee_component(scenario.funcs, callee)[0], caller_component(scenario.funcs, caller))
            ]
            found += [_base(name, data, (parts[1 - at],), at) for at, data in enumerate(parts)]
        else:
            found.append(_base(name, bytes(wat2wasm(composition(scenario.funcs, caller, callee)))))
    return found


def load(seed: str, generated: int) -> Corpus:
    """The corpus of one shard; `generated`: how many generated components are in it."""
    rng = Random(f"corpus {seed}")
    texts = [path.read_text() for path in sorted(COMPONENTS.glob("*.wat"))]
    assert texts
    bases = [_base(f"text {i}", bytes(wat2wasm(text))) for i, text in enumerate(texts)] * 4
    bases += _fixtures() + _generated(rng, generated)
    bases += [_base(f"scene {name}", asyncwebs.composition(SCENES[name])) for name in ASYNC]
    seen = Seen()
    small = [base for base in bases if len(base.data) + sum(map(len, base.companions)) <= SMALL]
    for base in small:
        seen.learn(base.component, rng)
    return Corpus(small, [base for base in bases if base not in small], texts, seen)
