"""One case: the files and the command line of one run of the tool, drawn from a corpus and a seed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from random import Random

from meldpy.binary.encode import encode_component
from meldpy.model.component import Component
from tests.support import mutations
from tests.support.hostile.bombs import BOMBS
from tests.support.hostile.cores import change_core
from tests.support.hostile.corpus import Base, Corpus
from tests.support.hostile.models import change_model, rename
from tests.support.hostile.texts import change_text, text_bomb
from tests.support.hostile.tree import change_lebs, change_sections
from tests.support.hostile.typebombs import TYPE_BOMBS
from tests.support.hostile.wraps import wrap


@dataclass(frozen=True, slots=True)
class Case:
    """files: the inputs in order; command: what stands before them on the command line, `-o` left out."""

    mutator: str
    base: str
    command: tuple[str, ...]
    files: tuple[bytes, ...] = field(repr=False)

    @property
    def fuses(self) -> bool:
        return "fuse" in self.command


Mutator = Callable[[Random, Corpus, Base], bytes]


def _encoded(component: Component) -> bytes | None:
    """None where a change made something that cannot even be written, a negative index or a core sort elsewhere."""
    try:
        return encode_component(component)
    except (AssertionError, AttributeError, IndexError, KeyError, OverflowError, TypeError, ValueError):
        return None


def _model(change: Callable[[Random, Component, Corpus], Component]) -> Mutator:
    def mutate(rng: Random, corpus: Corpus, base: Base) -> bytes:
        for _ in range(20):
            try:
                changed = change(rng, base.component, corpus)
            except (AttributeError, TypeError):
                continue  # a value in a place where another change expects a node
            data = _encoded(changed)
            if data is not None:
                return data
        return base.data

    return mutate


def _first(variants: Callable[[bytes, int, int], Iterator[tuple[str, bytes]]]) -> Mutator:
    def mutate(rng: Random, corpus: Corpus, base: Base) -> bytes:
        _, data = next(variants(base.data, 1, rng.getrandbits(32)))
        return data

    return mutate


def _cut(rng: Random, corpus: Corpus, base: Base) -> bytes:
    return base.data[: rng.randrange(len(base.data))]


def _random(rng: Random, corpus: Corpus, base: Base) -> bytes:
    head = rng.choice((b"", b"\0asm", b"\0asm\x0d\0\x01\0", b"\0asm\x01\0\0\0", base.data[: rng.randrange(60)]))
    return head + rng.randbytes(rng.choice((1, 10, 100, 5000)))


def _joined(rng: Random, corpus: Corpus, base: Base) -> bytes:
    other = corpus.pick(rng).data
    return base.data[: rng.randrange(len(base.data))] + other[rng.randrange(len(other)) :]


MUTATORS: dict[str, tuple[int, Mutator]] = {
    "model": (36, _model(lambda rng, component, corpus: change_model(rng, component, corpus.seen))),
    "rename": (7, _model(lambda rng, component, _: rename(rng, component))),
    "wrap": (6, _model(lambda rng, component, _: wrap(rng, component))),
    "wrap and model": (
        7,
        _model(lambda rng, component, corpus: change_model(rng, wrap(rng, component), corpus.seen)),
    ),
    "core": (9, _model(lambda rng, component, _: change_core(rng, component))),
    "core and model": (
        4,
        _model(lambda rng, component, corpus: change_model(rng, change_core(rng, component), corpus.seen)),
    ),
    "sections": (7, lambda rng, corpus, base: change_sections(rng, base.data, corpus.pick(rng).data)),
    "lebs": (5, lambda rng, _, base: change_lebs(rng, base.data)),
    "bits": (4, _first(mutations.bit_flips)),
    "bytes": (3, _first(mutations.splices)),
    "cut": (3, _cut),
    "joined": (2, _joined),
    "random": (1, _random),
    "bomb": (2, lambda rng, *_: rng.choice(BOMBS)(rng)),
    "type bomb": (1, lambda rng, *_: rng.choice(TYPE_BOMBS)(rng)),
    "text": (2, lambda rng, corpus, _: change_text(rng, rng.choice(corpus.texts))),
    "text bomb": (1, lambda rng, *_: text_bomb(rng)),
}
"""How often, of a hundred, and what."""

LARGEST = 3_000_000
"""Bytes of an input: time and memory grow with the size, and hostile is what takes more than its size accounts for."""
_ALONE = ("bomb", "type bomb", "text", "text bomb")
_COMMANDS: tuple[tuple[int, tuple[str, ...]], ...] = (
    (40, ("-q", "fuse")),
    (5, ("-q", "fuse", "--keep", "in0")),
    (3, ("-q", "fuse", "--flat")),
    (6, ("fuse", "-v")),
    (4, ("-q", "fuse", "--no-names")),
    (3, ("-q", "fuse", "--strict")),
    (17, ("-q", "fuse", "--no-validate")),
    (6, ("-q", "fuse", "--core")),
    (4, ("-q", "fuse", "--core", "--memory", "single")),
    (2, ("-q", "fuse", "--core", "--memory", "single", "--features", "wasm1", "--no-validate")),
    (2, ("-q", "fuse", "--core", "--features=-simd,-multi-value", "--no-validate")),
    (4, ("inspect",)),
    (4, ("validate", "-v")),
)


def draw(seed: str, number: int, corpus: Corpus) -> Case:
    """Case `number` of the shard `seed`."""
    rng = Random(f"{seed}/{number}")
    names = list(MUTATORS)
    (name,) = rng.choices(names, [MUTATORS[n][0] for n in names])
    (command,) = rng.choices([c for _, c in _COMMANDS], [w for w, _ in _COMMANDS])
    base = corpus.pick(rng)
    data = MUTATORS[name][1](rng, corpus, base)
    if len(data) > LARGEST:
        data = base.data
    files: tuple[bytes, ...] = (data,)
    if name not in _ALONE and "fuse" in command and rng.randrange(100) < 60:
        files = (*base.companions[: base.at], data, *base.companions[base.at :])
    return Case(name, base.name if name not in _ALONE else "", command, files)
