"""No component sees the memory of another through values that cross (by any address: test_isolation_addresses.py).

What a guest receives must not depend on the bytes around what was sent. So each call is made again, with the same
values but with another pattern in everything of the sender's memory that is no value (padding, unused payload bytes,
what lies around): nothing may change elsewhere, byte for byte, core values and realloc calls included. The model says
besides that unused core values are zero and padding keeps the receiver's own bytes (`Built.judge`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wasmtime import wat2wasm

import meldpy
from meldpy.pipeline import FuseOptions
from tests.support.gen.calls import prepare
from tests.support.gen.run import SIDES, Runner, Seen
from tests.support.gen.scenario import PATTERNS, Built, Scenario, covering_scenarios, random_scenario
from tests.support.gen.web import Web, random_web
from tests.support.gen.web_run import prepare_run
from tests.support.gen.web_text import web_text

OTHER = 0xC3
"""Another pattern: it is none of those that guests have."""
SEEDS = st.integers(0, 2**32 - 1)


# --- values -----------------------------------------------------------------------------------------------------------
def play(runner: Runner, run: str, images: Mapping[str, bytes], grows: bool) -> Seen:
    """With whole memories: the first byte differs from the last, so that nothing is left to the guest's own filling."""
    whole = {guest: bytes([image[-1] ^ 0xFF]) + image[1:] for guest, image in images.items()}
    return runner.play(run, whole, grows)


def interference(
    runner: Runner, run: str, names: Sequence[str], first: Sequence[bytes], second: Sequence[bytes], grows: bool
) -> list[str]:
    """What changes outside of the one guest whose memory differs between `first` and `second`, and what should not."""
    [changed] = [i for i, (a, b) in enumerate(zip(first, second, strict=True)) if a != b]
    before, after = (play(runner, run, dict(zip(names, images, strict=True)), grows) for images in (first, second))
    if before.trap != after.trap:
        return [f"{before.trap} becomes {after.trap}"]
    found = []
    for i, (a, b) in enumerate(zip(before.memories, after.memories, strict=True)):
        if i != changed and a != b:
            at = next(k for k, (x, y) in enumerate(zip(a, b, strict=True)) if x != y)
            found.append(f"{names[i]} at {at}: {a[at : at + 8].hex(' ')} becomes {b[at : at + 8].hex(' ')}")
    return found


@dataclass(slots=True)
class Count:
    calls: int = 0


def repatterned(scenario: Scenario, changed: int) -> Scenario:
    guests = list(scenario.guests)
    guests[changed] = replace(guests[changed], pattern=OTHER)
    return replace(scenario, guests=(guests[0], guests[1]))


def leaks(scenario: Scenario, built: Built, seed: int, calls: int, count: Count) -> list[str]:
    """Every function `calls` times, each with three patterns."""
    found: list[str] = []
    for number, func in enumerate(scenario.funcs):
        for call in range(calls):
            made = [
                prepare(Random(f"{seed} {number} {call}"), number, func, each.guests, broken=False)
                for each in (scenario, repatterned(scenario, 0), repatterned(scenario, 1))
            ]
            if made[0] is None:
                continue
            found += built.judge(made[0])
            images = [(ready.caller, ready.callee) for ready in made if ready is not None]
            grows = any(script.grows_at for script in made[0].scripts)
            count.calls += 1
            for changed in (0, 1):
                second = (images[1][0], images[0][1]) if changed == 0 else (images[0][0], images[2][1])
                found += interference(built.fused, f"run{number}", SIDES, images[0], second, grows)
    return found


@settings(max_examples=15)
@given(st.randoms(use_true_random=False), SEEDS)
def test_what_arrives_does_not_depend_on_what_lies_around_it(rng: Random, seed: int) -> None:
    scenario = random_scenario(rng, 2)
    found = leaks(scenario, Built.of(scenario), seed, 3, Count())
    assert not found, found[:3]


@pytest.mark.parametrize("widths", [(False, False), (True, False), (False, True), (True, True)])
def test_no_kind_of_type_carries_more_than_its_value(widths: tuple[bool, bool]) -> None:
    count, found = Count(), []
    for scenario in covering_scenarios(Random(sum(widths)), widths)[::3]:
        found += leaks(scenario, Built.of(scenario), 7, 1, count)
    assert not found, found[:3]
    assert count.calls > 10


def web_leaks(web: Web, seed: int, runs: int) -> list[str]:
    """Each of a web's definitions in turn gets another pattern: its own instances differ, and nobody else."""
    binary = bytes(wat2wasm(web_text(web)))
    runner = Runner.of(meldpy.fuse([binary], FuseOptions(validate=False)).bytes)
    names, found = [f"n{n}" for n in range(len(web.nodes))], []
    for run in range(len(web.of(web.root).runs)):
        for number in range(runs):
            base = prepare_run(Random(f"{seed} {run} {number}"), web, run, broken=False)
            if base is None:
                continue
            grows = any(script.grows_at for script in base.scripts)
            for node in range(len(names)):
                definitions = list(web.definitions)
                at = web.nodes[node].definition
                definitions[at] = replace(definitions[at], guest=replace(definitions[at].guest, pattern=OTHER))
                other = prepare_run(
                    Random(f"{seed} {run} {number}"), replace(web, definitions=tuple(definitions)), run, broken=False
                )
                assert other is not None
                images = [*base.images]
                images[node] = other.images[node]
                found += [f"{node}: {t}" for t in interference(runner, f"run{run}", names, base.images, images, grows)]
    return found


@settings(max_examples=6)
@given(st.randoms(use_true_random=False), SEEDS)
def test_nor_does_it_among_several_instances(rng: Random, seed: int) -> None:
    found = web_leaks(random_web(rng), seed, 1)
    assert not found, found[:3]


@pytest.mark.deep
def test_nothing_leaks_in_a_long_run() -> None:
    """Seeds from GEN_SEED on, ISOLATION_COMPOSITIONS of them."""
    import os

    start, compositions = int(os.environ.get("GEN_SEED", "0")), int(os.environ.get("ISOLATION_COMPOSITIONS", "500"))
    count = Count()
    for seed in range(start, start + compositions):
        rng = Random(seed)
        scenario = random_scenario(rng, 2)
        found = leaks(scenario, Built.of(scenario), seed, 4, count) + web_leaks(random_web(rng), seed, 1)
        assert not found, f"seed {seed}: {found[:3]}"
    print(f"{compositions} pairs and as many webs, {count.calls} calls with each pattern")


def test_a_leak_would_be_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A fuser that thinks that every value without pointers may be copied as bytes carries padding along."""
    from meldpy.adapter.translate import copying
    from meldpy.model.valtype import RecordType

    real: Any = copying._compute

    def careless(shop: Any, type: Any) -> bool:
        shape = shop.abi.shape(type)
        if isinstance(shape, RecordType):
            return all(copying.is_plain(shop, field.type) for field in shape.fields)
        return bool(real(shop, type))

    monkeypatch.setattr(copying, "_compute", careless)
    found: list[str] = []
    for scenario in covering_scenarios(Random(0), (False, False)):
        built = Built.of(scenario)
        for number, func in enumerate(scenario.funcs):
            made = [
                prepare(Random(number), number, func, each.guests, broken=False)
                for each in (scenario, repatterned(scenario, 0))
            ]
            if made[0] is None or made[1] is None:
                continue
            first, second = (made[0].caller, made[0].callee), (made[1].caller, made[0].callee)
            found += interference(built.fused, f"run{number}", SIDES, first, second, True)
        if found:
            return
    raise AssertionError("nothing was noticed")


def test_patterns_are_distinct() -> None:
    from tests.support.gen.web import PATTERNS as WEB_PATTERNS

    assert OTHER not in {*PATTERNS, *WEB_PATTERNS}
