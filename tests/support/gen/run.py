"""Runs calls on a composition and on its fused form, and compares both with the model and with each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import zip_longest

from wasmtime import Engine, Store, WasmtimeError
from wasmtime import component as wc

from meldpy.engine.config import full_engine
from tests.differential.trap_kinds import ENGINE_TEXTS, trap_kind
from tests.support.gen.calls import Expected, Ready
from tests.support.gen.guests import EVENT, IMAGE, LOG, REALLOC
from tests.support.gen.model import Side, is_nan

SIDES = ("caller", "callee")
COMPOSED, FUSED = "composed", "fused"


@cache
def engine() -> Engine:
    return full_engine().engine


@dataclass(frozen=True, slots=True)
class Seen:
    """What a run showed: the trap, or all memories."""

    trap: str | None = None
    message: str = ""
    memories: tuple[bytes, ...] = ()


@dataclass(slots=True)
class Runner:
    """One component, instantiated anew after each trap."""

    component: wc.Component
    store: Store | None = None
    instance: wc.Instance | None = None
    funcs: dict[str, wc.Func] = field(default_factory=dict)

    @classmethod
    def of(cls, binary: bytes) -> Runner:
        return cls(wc.Component(engine(), binary))

    def run(self, ready: Ready) -> Seen:
        images = dict(zip(SIDES, (ready.caller, ready.callee), strict=True))
        return self.play(f"run{ready.func}", images, grows=any(script.grows_at for script in ready.scripts))

    def play(self, run: str, images: Mapping[str, bytes], grows: bool) -> Seen:
        """Calls the export `run` with the guests' memories as given. grows: memories may, and they do not shrink."""
        if self.store is None:
            self.store = Store(engine())
            self.instance = wc.Linker(engine()).instantiate(self.store, self.component)
            self.funcs = {}
        for guest, image in images.items():
            self._call(f"{guest}-load", image.rstrip(image[:1]).decode("latin-1"))
        try:
            self._call(run)
        except WasmtimeError as error:
            self.store = self.instance = None
            return Seen(trap=trap_kind(str(error)), message=str(error))
        dumps = tuple(self._call(f"{guest}-dump").encode("latin-1") for guest in images)
        if grows:
            self.store = self.instance = None
        return Seen(memories=dumps)

    def _call(self, name: str, *args: str) -> str:
        assert self.store is not None
        assert self.instance is not None
        if name not in self.funcs:
            found = self.instance.get_func(self.store, name)
            assert found is not None
            self.funcs[name] = found
        result = self.funcs[name](self.store, *args)
        return result if isinstance(result, str) else ""


def differences(
    expected: Expected, seen: Seen, patterns: Sequence[int], who: str, guests: Sequence[str] = SIDES
) -> list[str]:
    """How a run differs from the model; empty if it does not. The fused form must name the very rule that is broken."""
    if expected.open:
        return []
    if expected.sides is None:
        if seen.trap is None:
            return [f"{who}: returned, expected a trap: {expected.traps}"]
        fits = seen.trap in expected.traps or (who == COMPOSED and _in_engine_words(expected.traps, seen.trap))
        return [] if fits else [f"{who}: {seen.trap!r}, expected {expected.traps}"]
    if seen.trap is not None:
        return [f"{who}: trapped with {seen.trap!r}, expected to return"]
    found = []
    for guest, side, memory, pattern in zip(guests, expected.sides, seen.memories, patterns, strict=True):
        foreign = bytes(set(patterns) - {pattern})
        found += [f"{who}: {guest} {text}" for text in _compare(side, memory, foreign)]
    return found


def _in_engine_words(kinds: tuple[str, ...], seen: str) -> bool:
    return any(kind in ENGINE_TEXTS and seen in ENGINE_TEXTS[kind] for kind in kinds)


def _compare(side: Side, memory: bytes, foreign: bytes) -> list[str]:
    """Byte for byte where the model knows the byte; elsewhere NaNs must be NaNs and nothing foreign may show up."""
    if len(memory) != len(side.data):
        return [f"has {len(memory)} bytes, expected {len(side.data)}"]
    want, got, known = (int.from_bytes(x, "little") for x in (side.data, memory, side.known))
    wrong = (want ^ got) & known
    if wrong:
        at = ((wrong & -wrong).bit_length() - 1) // 8
        around = slice(at // 8 * 8, at // 8 * 8 + 16)
        text = f"at {at}: {memory[around].hex(' ')}, expected {bytes(side.data[around]).hex(' ')}"
        got_events, want_events = events(memory), events(bytes(side.data))
        pairs = zip_longest(got_events, want_events)
        odd = [f"event {i}: {a}, expected {b}" for i, (a, b) in enumerate(pairs) if a != b]
        return ["; ".join([text, *odd[:2]])]
    for at, name in side.nans.items():
        bits = int.from_bytes(memory[at : at + (4 if name == "f32" else 8)], "little")
        if not is_nan(name, bits):
            return [f"at {at}: {bits:#x} is no NaN"]
    # A byte that is among the strings and scalars of the image proves nothing.
    foreign = bytes(b for b in foreign if b not in side.data)
    marked = memory.translate(bytes(b in foreign for b in range(256)))
    leaked = int.from_bytes(marked, "little") & ~known
    if leaked:
        at = ((leaked & -leaked).bit_length() - 1) // 8
        return [f"at {at}: a byte of the other memory's pattern, {memory[at - 8 : at + 8].hex(' ')}"]
    return []


def events(memory: bytes) -> list[tuple[int, ...]]:
    """The log of a memory: as long as its entries look like events."""
    found = []
    for at in range(LOG, IMAGE - EVENT, EVENT):
        entry = tuple(int.from_bytes(memory[at + i : at + i + 8], "little") for i in range(0, EVENT, 8))
        if not REALLOC <= entry[0] <= 3:
            break
        found.append(entry)
    return found
