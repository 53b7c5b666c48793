"""What can be linked: meldpy's verdict on random sets of components, beside the validator's on a composition by hand.

See tests.support.matrix. LINK_SETS and LINK_SEED say how many sets the long run makes, and from which seed.
"""

from __future__ import annotations

import os

import pytest

from meldpy.resolver import exports, match, openimports, worldunion
from tests.support.matrix.judge import Tally, compare

QUICK = 120
DEEP = int(os.environ.get("LINK_SETS", "2500"))


def judged(seeds: range) -> Tally:
    tally = compare(seeds)
    assert not tally.disagreements, str(tally)
    assert 0.3 < tally.links / tally.sets < 0.7, tally
    assert min(tally.traits.values()) * 50 > tally.sets, tally
    assert len(tally.traits) == 9, tally
    return tally


@pytest.mark.toolchain
def test_the_verdict_is_that_of_the_composition_by_hand() -> None:
    judged(range(QUICK))


@pytest.mark.deep
def test_the_verdict_is_that_of_the_composition_by_hand_in_a_long_run() -> None:
    """The tally goes to stdout (pytest -s)."""
    start = int(os.environ.get("LINK_SEED", "1000000"))
    print(judged(range(start, start + DEEP)))


# --- the comparison itself -------------------------------------------------------------------------------------------
@pytest.mark.toolchain
@pytest.mark.parametrize(
    ("module", "name", "wrong"),
    [
        (exports, "clash", lambda named: None),
        (worldunion, "clash", lambda named: None),
        (match, "contradiction", lambda a, b: None),
        (openimports, "is_demand", lambda type_: True),
        (match, "follow", lambda surfaces, matches, *more: {}),
        (match, "versioned", lambda name: None),
    ],
    ids=lambda value: getattr(value, "__name__", value) if not callable(value) else "",
)
def test_a_linker_that_gets_one_thing_wrong_disagrees(
    module: object, name: str, wrong: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, name, wrong)
    for start in range(0, 600, 40):
        try:
            if compare(range(start, start + 40)).disagreements:
                return
        except Exception:
            return  # an error that is no link error
    pytest.fail("nothing was noticed")
