"""DWARF of core outputs, memories apart and single: every row and entry, and the frames at every instruction they have.

Not only the inputs' instructions: what a single memory puts before an instruction (its checks and the base) has the
frames of that instruction, since a trap or a breakpoint there is one of the source line; and what is not the guests'
has no line of theirs. `test_one_memory.py` has what expressions come to.
"""

from __future__ import annotations

import pytest

import meldpy
from tests.debug.test_dwarf import PAIRS, fused, given
from tests.support.dwarf.expected import Comparison
from tests.support.dwarf.frames import (
    frames_of_inputs,
    frames_of_main,
    instructions,
    shared_bodies,
    shared_instructions,
)

CORE = meldpy.FuseOptions(core=True)
SINGLE = meldpy.FuseOptions(core=True, memory="single")
QUICK = [("app-4-0", "lib-4-0"), ("app-5-2", "shapes-5-2")]


def followed(app: str, provider: str, options: meldpy.FuseOptions) -> tuple[int, int, int]:
    """How many instructions are the inputs', how many were put into functions of theirs, and how many are ours."""
    result = fused(app, provider, options)
    assert [note for note in result.notes if "entries moved" not in note] == []
    comparison = Comparison(result)
    assert list(comparison.differences()) == []
    assert comparison.rows > 30
    pairs = shared_instructions(result)
    owed = frames_of_inputs(result, [given(app, "app"), given(provider, "lib")], pairs)
    parts = [part for body in shared_bodies(result, pairs) for part in body]
    found = frames_of_main(result, [address for address, _ in parts])
    different = [
        (hex(address), frame)
        for (address, part), frame in zip(parts, found, strict=True)
        if part < 0 or frame != owed[part]
    ]
    assert different == []
    guests = {address for address, _ in parts}
    ours = frames_of_main(result, [address for address in instructions(result.main) if address not in guests])
    assert [frame for frame in ours if "guests/" in frame] == []
    return len(pairs), len(parts) - len(pairs), len(ours)


@pytest.mark.parametrize(("app", "provider"), QUICK)
def test_memories_apart(app: str, provider: str) -> None:
    kept, put_in, _ = followed(app, provider, CORE)
    assert kept > 100
    assert put_in == 0


@pytest.mark.parametrize(("app", "provider"), QUICK)
def test_a_single_memory(app: str, provider: str) -> None:
    kept, put_in, ours = followed(app, provider, SINGLE)
    assert kept > 100
    assert put_in > 20
    assert ours > 0


@pytest.mark.deep
@pytest.mark.parametrize("options", [CORE, SINGLE], ids=["apart", "single"])
@pytest.mark.parametrize(("app", "provider"), [pair for pair in PAIRS if pair not in QUICK])
def test_all_guests(app: str, provider: str, options: meldpy.FuseOptions) -> None:
    kept, put_in, _ = followed(app, provider, options)
    assert kept > 100
    assert (put_in > 20) == (options.memory == "single")
