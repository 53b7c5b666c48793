"""Random compositions in another engine: as jco transpiles them, composed and fused, they do what the model says.

See tests.support.jco; here are the runs, and tests of the comparison. The deep run counts compositions that jco can
play as such; another plays every kind of type between every pair of encodings and memory widths, mostly fused.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import count
from random import Random

import pytest

from tests.support.flows.flow import Flow, HostCall
from tests.support.flows.guests import DROP, END, NEW
from tests.support.flows.player import make
from tests.support.gen.calls import Ready
from tests.support.gen.guests import ENCODINGS, Func, Guest
from tests.support.gen.run import COMPOSED, FUSED, Seen
from tests.support.gen.scenario import PATTERNS, Scenario, covering_scenarios
from tests.support.gen.types import STRING, ListOf, MapOf, Prim
from tests.support.jco import flows, linked, oracle, webs
from tests.support.jco.edge import lists_at_the_edge
from tests.support.jco.known import load
from tests.support.jco.linked import LINKED
from tests.support.jco.oracle import TRANSCODED, Checker, random_playable, unlinkable, unplayable
from tests.support.jco.player import Part, Player, PlayError, kind

pytestmark = pytest.mark.toolchain
DEEP_COMPOSITIONS = int(os.environ.get("JCO_COMPOSITIONS", "1000"))
DEEP_WEBS = int(os.environ.get("JCO_WEBS", "200"))
DEEP_FLOWS = int(os.environ.get("JCO_FLOWS", "2000"))
CALLS = 6
"""Of each function."""


@pytest.fixture(scope="module")
def player() -> Iterator[Player]:
    with Player() as started:
        yield started


def run(checker: Checker, seeds: Iterator[int], compositions: int) -> None:
    for seed in seeds:
        rng = Random(seed)
        found = checker.check(random_playable(rng), rng, CALLS)
        assert not found, f"seed {seed}, {len(found)} differences:\n" + "\n".join(found[:5])
        if checker.tally.played[COMPOSED] >= compositions:
            return


def test_random_compositions_do_the_same_in_another_engine(player: Player) -> None:
    checker = Checker(player, load())
    run(checker, count(), 16)
    played = checker.tally.played
    assert played[FUSED] > played[COMPOSED] == 16
    assert played[LINKED] >= 8
    assert checker.tally.traps.total() > 20


@pytest.mark.deep
def test_random_compositions_do_the_same_in_another_engine_for_long(player: Player) -> None:
    """Seeds from JCO_SEED on; the tally goes to stdout (pytest -s)."""
    checker = Checker(player, load())
    run(checker, count(int(os.environ.get("JCO_SEED", "1000"))), DEEP_COMPOSITIONS)
    print(f"\n{checker.tally}; excused: {dict(checker.known.excused)}")
    silent = {entry.id for entry in checker.known.entries} - checker.known.excused.keys()
    assert silent <= {"jco-byte-order-mark-dropped", "jco-string-not-encoded"}, "random texts seldom do it"


def check_webs(player: Player, seeds: range) -> Checker:
    checker = Checker(player, load())
    for seed in seeds:
        rng = Random(seed)
        web = webs.random_playable_web(rng)
        found = webs.check_web(player, checker.known, web, rng, 4, checker.tally)
        assert not found, f"seed {seed}, {web.shape}, {len(found)} differences:\n" + "\n".join(found[:5])
    return checker


def test_random_webs_do_the_same_in_another_engine(player: Player) -> None:
    tally = check_webs(player, range(8)).tally
    assert tally.played[FUSED] == 8
    assert tally.played[COMPOSED] >= 2


@pytest.mark.deep
def test_random_webs_do_the_same_in_another_engine_for_long(player: Player) -> None:
    checker = check_webs(player, range(1000, 1000 + DEEP_WEBS))
    print(f"\nwebs: {checker.tally}; excused: {dict(checker.known.excused)}")


@pytest.mark.deep
@pytest.mark.parametrize("wide_callee", [False, True])
@pytest.mark.parametrize("wide_caller", [False, True])
def test_every_kind_does_the_same_in_another_engine(player: Player, wide_caller: bool, wide_callee: bool) -> None:
    checker, rng = Checker(player, load()), Random(wide_caller * 2 + wide_callee)
    for covering in covering_scenarios(rng, (wide_caller, wide_callee)):
        found = checker.check(covering, rng, 4)
        assert not found, "\n".join(found[:5])
    print(f"\n{checker.tally}; excused: {dict(checker.known.excused)}")


# --- resources --------------------------------------------------------------------------------------------------------
def many_flows(player: Player, seeds: range) -> list[Flow]:
    for topology in flows.PLAYABLE:
        flows.load(player, topology)
    return [make(Random(seed), flows.PLAYABLE[seed % len(flows.PLAYABLE)]) for seed in seeds]


def check_flows(player: Player, seeds: range) -> Counter[str]:
    tally: Counter[str] = Counter()
    for seed, flow in zip(seeds, many_flows(player, seeds), strict=True):
        if flows.mixes_up(flow):
            tally["left out"] += 1
            continue
        seen = flows.play(player, flow)
        assert seen == flow.events, f"seed {seed}, {flow.topology.name}: {seen}, expected {flow.events}"
        tally[f"with {'a' if flow.trap else 'no'} trap"] += 1
    return tally


def test_fused_handle_tables_do_the_same_in_another_engine(player: Player) -> None:
    tally = check_flows(player, range(105))
    assert tally["with a trap"] >= 30
    assert tally["left out"] <= 3


@pytest.mark.deep
def test_fused_handle_tables_do_the_same_in_another_engine_for_long(player: Player) -> None:
    print(f"\nflows: {dict(check_flows(player, range(1000, 1000 + DEEP_FLOWS)))}")


# --- what jco is not asked --------------------------------------------------------------------------------------------
GUESTS = (Guest(False, 1, PATTERNS[0]), Guest(False, 1, PATTERNS[1]))
STRINGS = [pair for pair in ((a, b) for a in ENCODINGS for b in ENCODINGS) if pair not in TRANSCODED]


def scenario(func: Func, guests: tuple[Guest, Guest] = GUESTS) -> Scenario:
    return Scenario([func], guests)


@pytest.mark.parametrize("pair", STRINGS)
def test_jco_refuses_what_is_left_out_of_compositions(pair: tuple[str, str]) -> None:
    """Otherwise it should be played."""
    param = scenario(Func((STRING,), None, pair, post_return=False))
    result = scenario(Func((), STRING, (pair[1], pair[0]), post_return=False))
    assert unplayable(param) == unplayable(result) == f"strings from {pair[0]} to {pair[1]}"
    with Player() as player, pytest.raises(PlayError):
        player.load(COMPOSED, [Part(oracle.composed(param))])


def test_jco_refuses_64_bit_memories(player: Player) -> None:
    refused = scenario(Func((), None, ("utf8", "utf8"), post_return=False), (replace(GUESTS[0], wide=True), GUESTS[1]))
    assert unplayable(refused) == unlinkable(refused) == "64-bit memory"
    with pytest.raises(PlayError, match="64-bit memories"):
        player.load(COMPOSED, [Part(oracle.composed(refused))])
    with pytest.raises(PlayError, match="64-bit memories"):
        player.load(LINKED, linked.parts(refused))


def test_jco_cannot_link_maps(player: Player) -> None:
    maps = (MapOf(STRING, Prim("u8")), MapOf(STRING, Prim("u8")))
    refused = scenario(Func(maps, None, ("utf8", "utf8"), post_return=False))
    assert str(unlinkable(refused)).startswith("maps: ")
    with pytest.raises(PlayError, match="has already been declared"):
        player.load(LINKED, linked.parts(refused))


def test_jco_cannot_link_latin1() -> None:
    refused = scenario(Func((STRING,), None, ("latin1+utf16", "utf8"), post_return=False))
    assert unlinkable(refused) == "strings in latin1+utf16"
    with Player() as player, pytest.raises(PlayError):
        player.load(LINKED, linked.parts(refused))


def test_jco_numbers_the_handles_of_a_composition_by_resource_type(player: Player) -> None:
    """`c` makes a resource of its own and gets one of its provider's."""
    pair = next(topology for topology in flows.PLAYABLE if topology.name == "pair")
    provider, consumer = pair.known["d"], pair.known["c"]
    get, run = provider.funcs[2], consumer.funcs[-1]
    operation = DROP + len(consumer.types) + consumer.imports.index((provider, get))
    tape = bytearray([NEW, 7, operation, NEW, 9, END, 1, END])
    flow = Flow(pair, tape, [HostCall("c", run, ())])
    handles = []
    for form in (COMPOSED, FUSED):
        flows.load(player, pair, form)
        [_, (_, log)] = flows.play(player, flow, form)
        assert isinstance(log, bytes)
        handles.append([log[3], log[-1]])
    assert (get.name, run.name) == ("get0", "run0")
    assert handles == [[1, 1], [1, 2]]


def test_jco_mixes_up_the_handles_of_a_list(player: Player) -> None:
    left_out = [flow for flow in many_flows(player, range(1150, 1250)) if flows.mixes_up(flow)]
    assert any(flows.play(player, flow) != flow.events for flow in left_out)


# --- the comparison itself --------------------------------------------------------------------------------------------
STEADY = scenario(Func((Prim("u32"), ListOf(Prim("char"))), ListOf(Prim("u16")), ("utf8", "utf8"), post_return=True))


@dataclass(slots=True)
class Liar(Player):
    """Tells something else of one form."""

    form: str = ""
    trap: str | None = None

    def run(self, slot: str, ready: Ready) -> Seen:
        seen = Player.run(self, slot, ready)
        if slot != self.form:
            return seen
        if self.trap is not None or seen.trap is not None:
            return Seen(trap=self.trap, memories=(ready.caller, ready.callee))
        caller, callee = (bytearray(memory) for memory in seen.memories)
        callee[64] ^= 1
        return Seen(memories=(bytes(caller), bytes(callee)))


@pytest.fixture(scope="module")
def liar() -> Iterator[Liar]:
    with Liar() as started:
        yield started


@pytest.mark.parametrize("trap", [None, "another reason"])
@pytest.mark.parametrize("form", [COMPOSED, FUSED, LINKED])
def test_what_one_form_does_otherwise_is_noticed(liar: Liar, form: str, trap: str | None) -> None:
    liar.form, liar.trap = form, trap
    found = Checker(liar, load()).check(STEADY, Random(1), 6)
    assert len(found) >= 6
    assert all(form in text for text in found)


def test_nothing_is_noticed_where_nobody_lies(liar: Liar) -> None:
    liar.form = ""
    assert not Checker(liar, load()).check(STEADY, Random(1), 6)


def test_the_innermost_frame_tells_the_trap() -> None:
    ours, guests = "    at trap: invalid char (wasm://wasm/1:wasm-function[1]:0x1)", "    at m.f (wasm://wasm/1)"
    error = "RuntimeError: wasm trap: wasm `unreachable` instruction executed"
    assert kind(error, "\n".join((error, ours, guests))) == "invalid char"
    assert kind(error, "\n".join((error, guests, ours))) == "wasm `unreachable` instruction executed"
    assert kind("RuntimeError: unreachable", "\n".join(("RuntimeError: unreachable", ours))) == "invalid char"
    assert kind("RuntimeError: wasm trap: unaligned pointer", ours) == "unaligned pointer"
    assert kind("TypeError: no trap", ours) == "TypeError: no trap"


def test_a_changed_edge_is_noticed() -> None:
    with pytest.raises(AssertionError, match="host functions have changed"):
        lists_at_the_edge("(component)")
