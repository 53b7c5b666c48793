"""Random values of random types between two guests: composition, fused form and model must agree.

Compared are the values as bytes of both memories and as core values, everything around them, each guest's realloc,
call and post-return events, and the rule that a trap names; see tests.support.gen.
"""

from __future__ import annotations

import os
from functools import partial
from random import Random

import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st

from meldpy.cabi import Abi
from meldpy.model.core import NumType
from tests.support.gen import layout
from tests.support.gen.calls import Expected, expect, prepare
from tests.support.gen.guests import HEAP, LOG, RESULT, Func, Guest
from tests.support.gen.model import Side
from tests.support.gen.resolved import resolved
from tests.support.gen.run import FUSED, Seen, differences
from tests.support.gen.scenario import PATTERNS, Tally, check, covering_scenarios, random_scenario
from tests.support.gen.types import (
    PRIMS,
    STRING,
    ListOf,
    Option,
    Prim,
    TupleOf,
    Type,
    depth,
    kinds,
    random_type,
    type_of_each_kind,
    types,
)
from tests.support.shards import in_shards

RANDOMS = st.randoms(use_true_random=False)
SEEDS = st.integers(0, 2**32 - 1)
DEEP_COMPOSITIONS = int(os.environ.get("GEN_COMPOSITIONS", "2000"))
"""How many the deep test makes; 10,000 take half an hour of a core."""


def report(found: list[str]) -> str:
    return f"{len(found)} differences:\n" + "\n".join(found[:5])


@settings(max_examples=80)
@given(RANDOMS, SEEDS)
def test_values_cross_as_the_model_says(rng: Random, seed: int) -> None:
    chosen = random_scenario(rng, 2)
    note(str(chosen))
    found = check(chosen, Random(seed), 8, keep=Random(seed))
    assert not found, report(found)


@pytest.mark.toolchain
@settings(max_examples=25)
@given(RANDOMS, SEEDS)
def test_values_cross_in_core_outputs(rng: Random, seed: int) -> None:
    chosen = random_scenario(rng, 2)
    note(str(chosen))
    found = check(chosen, Random(seed), 8, core=Random(seed))
    assert not found, report(found)


@pytest.mark.parametrize("wide_callee", [False, True])
@pytest.mark.parametrize("wide_caller", [False, True])
def test_every_kind_crosses_between_every_pair_of_encodings(wide_caller: bool, wide_callee: bool) -> None:
    tally, found, rng = Tally(), [], Random(wide_caller * 2 + wide_callee)
    for covering in covering_scenarios(rng, (wide_caller, wide_callee)):
        found += check(covering, rng, 4, tally)
    assert not found, report(found)
    assert len(tally.cells) == 9 * 2 * len(kinds_of_all())
    assert tally.calls >= 9 * len(kinds_of_all()) // 5 * 4
    assert tally.unjudged <= 9


def kinds_of_all() -> set[str]:
    return {kind for type in type_of_each_kind(Random(0)) for kind in kinds(type)}


@pytest.mark.deep
def test_values_cross_in_a_long_run() -> None:
    """Seeds from GEN_SEED on; the tally goes to stdout (pytest -s). See tests.support.shards."""
    start = int(os.environ.get("GEN_SEED", "0"))
    tally = in_shards("values", range(start, start + DEEP_COMPOSITIONS), check_many)
    print(tally)
    print(tally.table())
    assert len(tally.cells) == 9 * 4 * 2 * len(kinds_of_all()) or tally.compositions < 2000


@pytest.mark.deep
@pytest.mark.toolchain
def test_values_cross_in_core_outputs_in_a_long_run() -> None:
    """The same seeds, as core outputs of random kinds."""
    start = int(os.environ.get("GEN_SEED", "0"))
    print(in_shards("core-values", range(start, start + DEEP_COMPOSITIONS), partial(check_many, core=True)))


def check_many(seeds: range, *, core: bool = False) -> Tally:
    tally = Tally()
    for seed in seeds:
        rng = Random(seed)
        other = {"core" if core else "keep": Random(seed)}
        found = check(random_scenario(rng, rng.choice((1, 1, 2))), rng, 6, tally, **other)
        assert not found, f"seed {seed}: {report(found)}"
    return tally


@settings(max_examples=150)
@given(types())
def test_layout_is_as_the_model_computes_it(type: Type) -> None:
    abi, node = Abi(), resolved(type)
    for wide in (False, True):
        layouts, flattener = abi.layouts(wide), abi.flattener(wide)
        assert layouts.elem_size(node) == layout.size(type, wide)
        assert layouts.alignment(node) == layout.alignment(type, wide)
        flat = layout.flatten(type, wide)
        short = len(flat) <= layout.MAX_FLAT_PARAMS
        assert flattener.flat(node) == (tuple(NumType[core.upper()] for core in flat) if short else None)


# --- the comparison itself --------------------------------------------------------------------------------------------
PAIR = (Guest(False, 1, PATTERNS[0]), Guest(True, 1, PATTERNS[1]))
FUNC = Func((ListOf(STRING), Prim("f32")), TupleOf((Prim("u8"), Prim("u64"), STRING)), ("utf16", "utf8"), True)


def observed() -> tuple[Side, Side]:
    """What the model expects of a call that returns; good for playing an observation."""
    rng = Random(1)
    while True:
        ready = prepare(rng, 0, FUNC, PAIR, broken=False)
        assert ready is not None
        sides = expect(ready, FUNC, PAIR).sides
        if sides is not None and all(side.log for side in sides):
            return sides


@pytest.mark.parametrize("side", [0, 1])
def test_each_byte_that_the_model_knows_is_compared(side: int) -> None:
    sides = observed()
    expected = Expected(sides=sides)
    memories = [bytes(s.data) for s in sides]
    assert not differences(expected, Seen(memories=(memories[0], memories[1])), PATTERNS, FUSED)
    data, known = sides[side].data, sides[side].known
    received = next(at for at in range(HEAP, len(data)) if known[at] and data[at] != PATTERNS[side])
    for at in (0, LOG, RESULT, received, len(data) - 1):
        assert known[at]
        changed = bytearray(memories[side])
        changed[at] ^= 1
        both = [bytes(changed) if i == side else memories[i] for i in (0, 1)]
        assert differences(expected, Seen(memories=(both[0], both[1])), PATTERNS, FUSED)


def test_a_byte_of_the_other_memory_is_noticed() -> None:
    caller, callee = observed()
    callee.data[:] = callee.data.replace(bytes([PATTERNS[0]]), b"x")
    memory = bytearray(callee.data)
    callee.known[40:48] = bytes(8)  # as behind a string, where a transcoder may leave what it likes
    memory[40:48] = b"whatever"
    seen = Seen(memories=(bytes(caller.data), bytes(memory)))
    assert not differences(Expected(sides=(caller, callee)), seen, PATTERNS, FUSED)
    memory[44] = PATTERNS[0]
    seen = Seen(memories=(bytes(caller.data), bytes(memory)))
    [text] = differences(Expected(sides=(caller, callee)), seen, PATTERNS, FUSED)
    assert "pattern" in text


def test_another_trap_is_noticed() -> None:
    expected = Expected(traps=("invalid char",))
    assert not differences(expected, Seen(trap="invalid char"), PATTERNS, FUSED)
    assert differences(expected, Seen(trap="invalid utf8"), PATTERNS, FUSED)
    assert differences(expected, Seen(memories=(b"", b"")), PATTERNS, FUSED)
    assert differences(Expected(sides=observed()), Seen(trap="invalid char"), PATTERNS, FUSED)


def test_generated_types_reach_every_kind_and_depth_twelve() -> None:
    found: set[str] = set()
    deepest = 0
    for seed in range(600):
        type = random_type(Random(seed))
        found |= kinds(type)
        deepest = max(deepest, depth(type))
    assert found == kinds_of_all()
    assert {prim.name for prim in PRIMS} < found
    assert deepest == 12
    assert depth(Option(Option(STRING))) == 3
