"""A composition of the two guests with several random functions, and the check of all calls that are made of it.

`random_scenario` and `check` draw everything from one `Random`. A scenario is compared three ways: the composition
under the engine with the model (with the engine's quirks), the fused form with the model, and so both with each other.
Where the engine cannot compile the composition for a reason that divergences.toml lists, the model judges alone. If
asked for, a form in which one of the guests or both are kept is compared with the model too: there the engine makes the
crossing, as in the composition.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from hashlib import sha256
from random import Random

from wasmtime import WasmtimeError, wat2wasm

import meldpy
from meldpy.pipeline import FuseInput, FuseOptions
from tests.support.core_output import beside, component_new
from tests.support.gen.calls import Expected, Ready, expect, prepare
from tests.support.gen.guests import ENCODINGS, Func, Guest, callee_component, caller_component, composition
from tests.support.gen.model import GUEST_TRAP
from tests.support.gen.run import COMPOSED, FUSED, Runner, Seen, differences
from tests.support.gen.types import TupleOf, kinds, random_params, random_type, show, type_of_each_kind
from tests.support.kept import fuse_keeping, with_code
from tests.support.shape import assert_fused_shape

PATTERNS = (0xA5, 0x5A)


@dataclass(frozen=True, slots=True)
class Scenario:
    """separate: whether the two guests are fused as two inputs, not as one composition."""

    funcs: list[Func]
    guests: tuple[Guest, Guest]
    separate: bool = False

    def __str__(self) -> str:
        sides = " and ".join(f"{64 if g.wide else 32}-bit" for g in self.guests)
        return f"{sides}{', two inputs' if self.separate else ''}: " + "; ".join(map(signature, self.funcs))


def signature(func: Func) -> str:
    post_return = ", post-return" if func.post_return else ""
    encodings = " to ".join(func.encodings)
    return f"({', '.join(map(show, func.params))}) -> {show(func.result)} [{encodings}{post_return}]"


def digest(scenario: object) -> str:
    """A short name for all of its structure: types, options, memories and how it is given."""
    return sha256(repr(scenario).encode()).hexdigest()[:16]


@dataclass(slots=True)
class Tally:
    """What was tried. structures: scenarios by what they are, values apart; shapes: of the webs;
    cells: (kind of type, position, encodings, memory widths).
    """

    compositions: int = 0
    calls: int = 0
    unjudged: int = 0
    structures: set[str] = field(default_factory=set)
    shapes: Counter[str] = field(default_factory=Counter)
    traps: Counter[str] = field(default_factory=Counter)
    cells: Counter[tuple[str, str, tuple[str, str], tuple[bool, bool]]] = field(default_factory=Counter)

    def __str__(self) -> str:
        return (
            f"{self.compositions} compositions, {len(self.structures)} of them distinct by structure "
            f"({self.unjudged} that the engine cannot compile), {self.calls} calls, "
            f"{sum(self.traps.values())} traps: {dict(self.traps.most_common())}; {len(self.cells)} cells"
            f"{'; webs: ' * bool(self.shapes)}{dict(self.shapes) if self.shapes else ''}"
        )

    def table(self) -> str:
        """For each kind of type and position: functions in all, and in the least tried encodings and memory widths."""
        rows = []
        for kind, position in sorted({(kind, position) for kind, position, _, _ in self.cells}):
            counts = [n for cell, n in self.cells.items() if cell[:2] == (kind, position)]
            rows.append(f"{kind:8} {position:6} {sum(counts):8} {min(counts):6} of {len(counts)} cells")
        return "\n".join(rows)


def random_scenario(rng: Random, funcs: int) -> Scenario:
    widths = rng.choice(((False, False), (False, False), (False, False), (True, False), (False, True), (True, True)))
    guests = [Guest(wide, rng.choice((1, 1, 1, 2)), pattern) for wide, pattern in zip(widths, PATTERNS, strict=True)]
    # The engine fails at most compositions with both; without fixed-length lists it is an oracle again.
    fixed = not any(widths) or rng.randrange(4) == 0
    chosen: list[Func] = []
    while len(chosen) < funcs:
        func = random_func(rng)
        if fixed or not has_fixed(func):
            chosen.append(func)
    return Scenario(chosen, (guests[0], guests[1]), rng.randrange(4) == 0)


def has_fixed(func: Func) -> bool:
    return any("fixed" in kinds(t) for t in (*func.params, func.result) if t is not None)


def random_func(rng: Random) -> Func:
    result = random_type(rng) if rng.randrange(4) else None
    encodings = (rng.choice(ENCODINGS), rng.choice(ENCODINGS))
    return Func(random_params(rng), result, encodings, post_return=rng.randrange(2) == 0, lean=rng.randrange(2) == 0)


def composed_runner(scenario: Scenario, binary: bytes) -> Runner | None:
    """None where the engine cannot compile the composition: see `fixed-list-in-64-bit-memory`, divergences.toml."""
    try:
        return Runner.of(binary)
    except WasmtimeError as error:
        wide = any(guest.wide for guest in scenario.guests)
        if wide and any(map(has_fixed, scenario.funcs)) and "Invalid input WebAssembly code" in str(error):
            return None
        raise


DRIVEN = ("callee-load", "callee-dump")
"""What a run calls of the callee's own exports, beside those of the caller, which is the root."""


def fused(scenario: Scenario, composed: bytes) -> bytes:
    """The fused form. Not validated here: the runners compile the composition and the output, which is stricter."""
    options = FuseOptions(validate=False)
    if not scenario.separate:
        return meldpy.fuse([composed], options).bytes
    caller, callee = scenario.guests
    texts = (callee_component(scenario.funcs, callee)[0], caller_component(scenario.funcs, caller))
    both = replace(options, exports=DRIVEN)
    return meldpy.fuse([bytes(wat2wasm(text)) for text in texts], both).bytes


@dataclass(slots=True)
class Built:
    """A scenario ready to be called: the composition, if the engine can compile it, the fused form, the one in which a
    guest at least is kept, and the core output."""

    scenario: Scenario
    composed: Runner | None
    fused: Runner
    mixed: Runner | None = None
    core: Runner | None = None

    @classmethod
    def of(cls, scenario: Scenario, keep: Random | None = None, core: Random | None = None) -> Built:
        binary = bytes(wat2wasm(composition(scenario.funcs, *scenario.guests)))
        composed = composed_runner(scenario, binary)
        output = fused(scenario, binary)
        assert_fused_shape(output)
        mixed = None if keep is None or composed is None else mixed_runner(binary, keep)
        return cls(scenario, composed, Runner.of(output), mixed, None if core is None else core_runner(binary, core))

    def judge(self, ready: Ready, tally: Tally | None = None) -> list[str]:
        """Makes one call on both; how they differ from the model."""
        func, guests = self.scenario.funcs[ready.func], self.scenario.guests
        expected = expect(ready, func, guests)
        if tally is not None and not expected.open:
            tally.calls += 1
            tally.traps.update(expected.traps[:1])
        seen = self.fused.run(ready)
        composed = None if self.composed is None else self.composed.run(ready)
        judge = None if tags_differ(func, (guests[0].wide, guests[1].wide)) else composed
        if realloc_trapped_first(expected, seen, judge):
            return []
        texts = differences(expected, seen, PATTERNS, FUSED)
        if self.core is not None:
            texts += [f"core: {text}" for text in differences(expected, self.core.run(ready), PATTERNS, FUSED)]
        if composed is not None and not room_came_first(expected, composed):
            quirky = _quirky(expected, ready, func, guests)
            texts += differences(quirky, composed, PATTERNS, COMPOSED)
            if self.mixed is not None:
                kept = differences(quirky, self.mixed.run(ready), PATTERNS, COMPOSED)
                texts += [f"some kept: {text}" for text in kept]
        return [f"{signature(func)}, realloc {ready.scripts}: {text}" for text in texts]


def mixed_runner(composed: bytes, rng: Random) -> Runner:
    """The fused form with the one guest kept, the other, or both."""
    kept = rng.choice(((0,), (1,), (0, 1)))
    output, cut = fuse_keeping(
        [FuseInput("pair", "pair", composed)],
        FuseOptions(),
        lambda graph: [with_code(graph)[number] for number in kept],
        validate=False,
    )
    assert len(cut.kept) == len(kept)
    return Runner.of(output)


LEANER = ("", "-simd", "-bulk-memory-opt,-sign-extension", "-simd,-multi-value,-bulk-memory-opt")
"""What core outputs do without, by turns; guests have no vectors."""


def core_runner(composed: bytes, rng: Random) -> Runner:
    """The core output, with its memories apart or in one, maybe with async beside, made a component again."""
    options = FuseOptions(
        core=True, memory=rng.choice(("separate", "single")), features=rng.choice(LEANER), validate=False
    )
    inputs = [composed, beside()] if rng.random() < 0.4 else [composed]
    return Runner.of(component_new(meldpy.fuse(inputs, options).bytes))


def check(
    scenario: Scenario,
    rng: Random,
    calls: int,
    tally: Tally | None = None,
    *,
    keep: Random | None = None,
    core: Random | None = None,
) -> list[str]:
    """Makes `calls` calls of each function, every other one with a broken rule; the differences.

    keep: also in a form in which a random choice of the guests is kept. core: also as a core output of a random kind.
    """
    tally = Tally() if tally is None else tally
    built = Built.of(scenario, keep, core)
    tally.compositions += 1
    tally.structures.add(digest(scenario))
    tally.unjudged += built.composed is None
    found = []
    for number, func in enumerate(scenario.funcs):
        count_cells(tally, func, (scenario.guests[0].wide, scenario.guests[1].wide))
        for call in range(calls):
            ready = prepare(rng, number, func, scenario.guests, broken=call % 2 == 1)
            if ready is not None:
                found += built.judge(ready, tally)
    return found


def realloc_trapped_first(expected: Expected, seen: Seen, composed: Seen | None) -> bool:
    """The spec lifts everything before it lowers anything; the engine and we take turns.

    So a guest that runs out of memory for a value may trap before a later value turns out to be bad.
    """
    return bool(expected.traps) and {seen.trap, GUEST_TRAP if composed is None else composed.trap} == {GUEST_TRAP}


def room_came_first(expected: Expected, composed: Seen) -> bool:
    """Whether the engine asked a guest without room for the room of a text that is bad (`room-before-text`)."""
    return expected.traps[:1] in (("invalid utf8",), ("invalid utf16",)) and composed.trap == GUEST_TRAP


def tags_differ(func: Func, widths: tuple[bool, bool]) -> bool:
    """Whether the engine may misread a string (`utf16-tag-of-64-bit-memory`, divergences.toml), and trap elsewhere."""
    return any(wide and encoding == "latin1+utf16" for wide, encoding in zip(widths, func.encodings, strict=True))


def _quirky(expected: Expected, ready: Ready, func: Func, guests: tuple[Guest, Guest]) -> Expected:
    """What the engine does with the composition. A quirk's trap and one that is due may come in either order."""
    if "latin1+utf16" not in func.encodings:
        return expected  # the engine's quirks are all in tagged strings
    quirky = expect(ready, func, guests, quirks=True)
    return quirky if not quirky.traps else Expected(traps=(*quirky.traps, *expected.traps))


def count_cells(tally: Tally, func: Func, widths: tuple[bool, bool]) -> None:
    for position, types in (("params", func.params), ("result", () if func.result is None else (func.result,))):
        for kind in frozenset().union(*map(kinds, types)):
            tally.cells[kind, position, func.encodings, widths] += 1


def covering_scenarios(rng: Random, widths: tuple[bool, bool]) -> list[Scenario]:
    """Every kind of type in params and in results, for each pair of encodings.

    With a 64-bit memory, fixed-length lists have compositions of their own, for the engine's sake.
    """
    caller, callee = (Guest(wide, 1, pattern) for wide, pattern in zip(widths, PATTERNS, strict=True))
    found = []
    for encodings in ((a, b) for a in ENCODINGS for b in ENCODINGS):
        types = type_of_each_kind(rng)
        apart = [t for t in types if any(widths) and "fixed" in kinds(t)]
        for some in ([t for t in types if t not in apart], apart):
            # In groups, so that params are flat in some functions and spilled in others; results are others' params.
            groups = [tuple(some[i : i + 5]) for i in range(0, len(some), 5)]
            funcs = [
                Func(group, TupleOf(groups[i - 1]), encodings, post_return=i % 2 == 0) for i, group in enumerate(groups)
            ]
            found += [Scenario(funcs, (caller, callee))] if funcs else []
    return found
