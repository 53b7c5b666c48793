"""Compositions of two random guests as jco and V8 play them, next to the engine, the model and the fused form.

A scenario is played in up to three forms, each a set of core modules and JavaScript that jco generates:

    composed    the composition. jco takes its adapters between guests from the other engine's generator, so their
                quirks are shared; not shared are V8, and the transcoders and traps, which are JavaScript. It
                transcodes only between the pairs of `TRANSCODED` and knows no 64-bit memories.
    fused       the fused form. Only lists of bytes cross jco's boundary, so no type is excluded: this shows that the
                output works in an engine without components.
    linked      each guest transpiled apart: jco's own lifts and lowers, value by value; see tests.support.jco.linked.

The first two must do what the model says, byte for byte, and trap for the reason it gives, in the very words of the
other engine: jco says the reason as it does, and V8's backtrace names our trap functions. Linked, the values must be
those of the model and of the other engine. What differs must be explained by an entry of divergences.toml.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from random import Random
from typing import Final

from wasmtime import wat2wasm

import meldpy
from meldpy.pipeline import FuseOptions
from tests.support.gen.calls import Expected, Ready, expect, prepare
from tests.support.gen.guests import Func, callee_component, caller_component, composition
from tests.support.gen.model import GUEST_TRAP
from tests.support.gen.run import COMPOSED, FUSED, SIDES, Seen, differences
from tests.support.gen.scenario import DRIVEN, PATTERNS, Built, Scenario, random_scenario, signature
from tests.support.gen.types import Type, kinds
from tests.support.jco import linked
from tests.support.jco.edge import lists_at_the_edge
from tests.support.jco.known import Disagreement, Known
from tests.support.jco.player import Part, Player

TRANSCODED: Final = (("utf8", "utf8"), ("utf8", "utf16"), ("utf16", "utf8"))
"""The pairs of encodings, from and to, between which jco carries strings."""


@dataclass(slots=True)
class Tally:
    """What was played. played: compositions, by form; left_out: forms that jco cannot play, and why; calls: by form."""

    played: Counter[str] = field(default_factory=Counter)
    left_out: Counter[tuple[str, str]] = field(default_factory=Counter)
    calls: Counter[str] = field(default_factory=Counter)
    traps: Counter[str] = field(default_factory=Counter)
    kinds: set[str] = field(default_factory=set)

    def __str__(self) -> str:
        return (
            f"compositions played by jco: {dict(self.played)}; left out: {dict(self.left_out.most_common())}; calls: "
            f"{dict(self.calls)}; {self.traps.total()} traps: {dict(self.traps.most_common())}"
        )


def unplayable(scenario: Scenario) -> str | None:
    """Why jco cannot play the composition."""
    return unplayable_funcs(scenario.funcs, any(guest.wide for guest in scenario.guests))


def unplayable_funcs(funcs: Iterable[Func], wide: bool) -> str | None:
    """The same of any composition, by the functions between its guests and whether a memory is 64-bit."""
    if wide:
        return "64-bit memory"
    for func in funcs:
        for pair, types in ((func.encodings, func.params), (func.encodings[::-1], (func.result,))):
            if pair not in TRANSCODED and "string" in kinds_of(types):
                return f"strings from {pair[0]} to {pair[1]}"
    return None


def unlinkable(scenario: Scenario) -> str | None:
    """Why jco cannot play the guests apart."""
    if any(guest.wide for guest in scenario.guests):
        return "64-bit memory"
    for func in scenario.funcs:
        found = kinds_of((*func.params, func.result))
        if "mapof" in found:
            return "maps: the generated JavaScript declares a name twice"
        if "string" in found and "latin1+utf16" in func.encodings:
            return "strings in latin1+utf16"
    return None


def kinds_of(types: Iterable[Type | None]) -> frozenset[str]:
    return frozenset().union(*(kinds(t) for t in types if t is not None))


def random_playable(rng: Random) -> Scenario:
    """Three of four are what jco can play as a composition, or nearly; the others come as they are."""
    scenario = random_scenario(rng, rng.choice((1, 2)))
    if rng.randrange(4) == 0:
        return scenario
    caller, callee = (replace(guest, wide=False) for guest in scenario.guests)
    encodings = [*TRANSCODED * 3, ("utf16", "utf16")]
    funcs = [replace(func, encodings=rng.choice(encodings)) for func in scenario.funcs]
    return replace(scenario, guests=(caller, callee), funcs=funcs)


@dataclass(slots=True)
class Checker:
    """Plays scenarios and finds what differs. known: the disagreements that do not count."""

    player: Player
    known: Known
    tally: Tally = field(default_factory=Tally)

    def check(self, scenario: Scenario, rng: Random, calls: int) -> list[str]:
        """`calls` calls of each function, every other one with a broken rule, and as many again without if linked."""
        built = Built.of(scenario)
        forms = self._load(scenario)
        found = []
        for number, func in enumerate(scenario.funcs):
            self.tally.kinds |= kinds_of((*func.params, func.result))
            for call in range(calls):
                ready = prepare(rng, number, func, scenario.guests, broken=call % 2 == 1)
                if ready is not None:
                    found += self._judge(built, forms, ready)
                ready = linked.prepare(rng, number, func, scenario.guests) if linked.LINKED in forms else None
                if ready is not None:
                    found += self._judge_linked(built, ready)
        return found

    def _load(self, scenario: Scenario) -> list[str]:
        """Puts the forms into the player's slots, by their names."""
        self.player.renew()
        self.player.load(FUSED, [Part(fused(scenario))])
        forms = [FUSED]
        for form, reason in ((COMPOSED, unplayable(scenario)), (linked.LINKED, unlinkable(scenario))):
            if reason is None:
                self.player.load(form, [Part(composed(scenario))] if form == COMPOSED else linked.parts(scenario))
                forms.append(form)
            else:
                self.tally.left_out[form, reason] += 1
        self.tally.played.update(forms)
        return forms

    def _judge(self, built: Built, forms: list[str], ready: Ready) -> list[str]:
        func, guests = built.scenario.funcs[ready.func], built.scenario.guests
        expected = expect(ready, func, guests)
        if expected.open:
            return []
        self.tally.traps.update(expected.traps[:1])
        found = unlike(expected, expected, self._play(FUSED, ready), built.fused.run(ready), FUSED)
        if COMPOSED in forms:
            assert built.composed is not None
            quirky = expect(ready, func, guests, quirks=True)
            seen = self._play(COMPOSED, ready)
            differing = unlike(expected, quirky, seen, built.composed.run(ready), COMPOSED)
            if differing and not self.known.explains(Disagreement(COMPOSED, (func,), expected, seen)):
                found += differing
        return [f"{signature(func)}, realloc {ready.scripts}: jco, {text}" for text in found]

    def _judge_linked(self, built: Built, ready: Ready) -> list[str]:
        func = built.scenario.funcs[ready.func]
        expected = expect(ready, func, built.scenario.guests)
        seen = self._play(linked.LINKED, ready)
        assert expected.sides is not None, f"{signature(func)}: the call breaks a rule: {expected.traps}"
        if seen.trap is not None:
            known = self.known.explains(Disagreement(linked.LINKED, (func,), expected, seen))
            return [] if known else [f"{signature(func)}: jco, linked: {seen.message}"]
        values = linked.arrived(func, ready, seen.memories)
        others = [("expected", tuple(bytes(side.data) for side in expected.sides))]
        if built.composed is not None:
            others.append(("and under the engine", built.composed.run(ready).memories))
        told = [(who, linked.arrived(func, ready, memories)) for who, memories in others]
        return [f"{signature(func)}: jco, linked: {values}, {who} {other}" for who, other in told if values != other]

    def _play(self, form: str, ready: Ready) -> Seen:
        self.tally.calls[form] += 1
        return self.player.run(form, ready)


def unlike(
    expected: Expected,
    quirky: Expected,
    seen: Seen,
    other: Seen,
    form: str,
    patterns: Sequence[int] = PATTERNS,
    guests: Sequence[str] = SIDES,
) -> list[str]:
    """How a form under jco differs from the model, and from the same form under the engine (`other`).

    quirky: what the model says with the quirks of the form's adapters.
    """
    if quirky.traps:  # the quirk's trap and one that is due may come in either order
        quirky = Expected(traps=(*quirky.traps, *expected.traps))
    # A guest that is out of memory for a value may trap before a later value turns out to be bad.
    early = bool(expected.traps) and seen.trap == other.trap == GUEST_TRAP
    found = [] if early else differences(quirky, seen, patterns, form, guests)
    if not found and seen.trap != other.trap:
        found = [f"{form}: {seen.trap!r}, and {other.trap!r} under the engine"]
    return found


def composed(scenario: Scenario) -> bytes:
    return bytes(wat2wasm(lists_at_the_edge(composition(scenario.funcs, *scenario.guests))))


def fused(scenario: Scenario) -> bytes:
    """Not validated: V8 compiles it."""
    inputs = [composed(scenario)]
    if scenario.separate:
        caller, callee = scenario.guests
        texts = (callee_component(scenario.funcs, callee)[0], caller_component(scenario.funcs, caller))
        inputs = [bytes(wat2wasm(lists_at_the_edge(text))) for text in texts]
    exports = DRIVEN if scenario.separate else ()
    return meldpy.fuse(inputs, FuseOptions(validate=False, exports=exports)).bytes
