"""Random values through chains, diamonds, twins and nests of guests: composition, fused form and model must agree.

As between two guests, whole memories and traps are compared, here of every guest of the composition; see
tests.support.gen.web.
"""

from __future__ import annotations

import os
from random import Random

import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st

from tests.support.gen.guests import CALLED
from tests.support.gen.run import events
from tests.support.gen.scenario import Tally
from tests.support.gen.web import SHAPES, is_range, random_web
from tests.support.gen.web_run import check_web, expect_run, prepare_run
from tests.support.shards import in_shards

KEEP = os.environ.get("GEN_KEEP", "1") != "0"
DEEP_WEBS = int(os.environ.get("GEN_WEBS", "500"))


@settings(max_examples=15)
@given(st.randoms(use_true_random=False), st.integers(0, 2**32 - 1))
def test_values_cross_every_web_as_the_model_says(rng: Random, seed: int) -> None:
    web = random_web(rng)
    note(str(web))
    found = check_web(web, Random(seed), 2, keep=Random(seed))
    assert not found, "\n".join(found[:5])


@pytest.mark.parametrize("shape", [*SHAPES, "random"])
def test_each_shape_of_composition_is_fused_faithfully(shape: str) -> None:
    rng = Random(shape)
    web = next(web for web in iter(lambda: random_web(rng), None) if web.shape == shape)
    found = check_web(web, rng, 4, keep=Random(shape))
    assert not found, "\n".join(found[:5])


def test_random_webs_are_nested_relayed_and_share_types_and_definitions() -> None:
    webs = [random_web(Random(seed)) for seed in range(300)]
    assert {len(web.nested) for web in webs} == {0, 1, 2}
    assert any(web.relayed for web in webs)
    assert any(web.of(target).uses for web in webs for node in web.nodes for target in node.targets)
    assert any(len(web.definitions) < len(web.nodes) for web in webs)
    echoed = [d.exports[i].params[0] for web in webs for d in web.definitions for i in d.echoes]
    assert any(map(is_range, echoed))
    assert not all(map(is_range, echoed))
    assert {web.shape for web in webs} == {*SHAPES, "random"}


def test_a_guest_that_two_ways_lead_to_is_one_instance() -> None:
    """Both ways of a diamond end in one instance, so its log holds both calls."""
    assert max(map(_calls_of_first, range(40))) >= 2


def _calls_of_first(seed: int) -> int:
    rng = Random(seed)
    web = next(web for web in iter(lambda: random_web(rng), None) if web.shape == "diamond")
    start = prepare_run(rng, web, 0, broken=False)
    sides = None if start is None else expect_run(web, start).sides
    return 0 if sides is None else [kind for kind, *_ in events(bytes(sides[0].data))].count(CALLED)


@pytest.mark.deep
def test_values_cross_webs_in_a_long_run() -> None:
    """Seeds from GEN_SEED on, GEN_WEBS of them; the tally goes to stdout (pytest -s). See tests.support.shards."""
    start = int(os.environ.get("GEN_SEED", "0"))
    tally = in_shards("webs", range(start, start + DEEP_WEBS), check_many)
    print(tally)
    assert set(tally.shapes) == {*SHAPES, "random"}


def check_many(seeds: range) -> Tally:
    tally = Tally()
    for seed in seeds:
        rng = Random(seed)
        found = check_web(random_web(rng), rng, 3, tally, keep=Random(seed) if KEEP else None)
        assert not found, f"seed {seed}: " + "\n".join(found[:5])
    return tally
