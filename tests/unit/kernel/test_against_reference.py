"""Kernel and reference decoder give the same answer to whatever bytes they get: bodies, references and failures."""

from __future__ import annotations

from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from meldpy.kernel.reindex import reindex
from tests.support.code_generator import Generator
from tests.support.code_samples import SPACES, index_maps, sample, shift
from tests.support.kernel_oracle import disagreement, kernel_reindex, reference

SIZES = st.fixed_dictionaries({space: st.sampled_from([1, 2, 70, 300, 20_000]) for space in SPACES})
SEEDS = st.integers(0, 2**32 - 1)

relaxed = settings(deadline=None, max_examples=120)


@relaxed
@given(SEEDS, SIZES, st.integers(0, 3), st.integers(0, 30))
def test_random_bodies_with_random_maps(seed: int, sizes: dict[str, int], count: int, length: int) -> None:
    generator = Generator(Random(seed), sizes)
    bodies = b"".join(generator.body(length) for _ in range(count))
    maps = generator.maps()
    assert not isinstance(reference(bodies, count, maps)[0], str)
    assert disagreement(bodies, count, maps) is None


@relaxed
@given(SEEDS, SIZES, st.integers(0, 30))
def test_identity_changes_no_canonical_body(seed: int, sizes: dict[str, int], length: int) -> None:
    generator = Generator(Random(seed), sizes, padded=False)
    maps = {space: list(range(size)) for space, size in sizes.items()}
    bodies = generator.body(length)
    assert reindex(bodies, 1, index_maps(maps)).bodies == bodies


@relaxed
@given(SEEDS, SIZES, st.integers(1, 3))
def test_dropped_items_are_found(seed: int, sizes: dict[str, int], length: int) -> None:
    generator = Generator(Random(seed), sizes)
    bodies = generator.body(length)
    maps = {space: [new if new % 5 else -1 for new in old] for space, old in generator.maps().items()}
    outcome = reference(bodies, 1, maps)
    assert kernel_reindex(bodies, 1, maps) == (outcome if isinstance(outcome[0], str) else outcome[0])


@settings(deadline=None, max_examples=400)
@given(SEEDS)
def test_mutated_bodies(seed: int) -> None:
    random = Random(seed)
    generator = Generator(random, {space: random.choice([1, 3, 200]) for space in SPACES})
    count = random.randint(1, 3)
    bodies = bytearray().join(generator.body(random.randint(0, 12)) for _ in range(count))
    for _ in range(random.randint(1, 3)):
        mutate(random, bodies)
    assert disagreement(bytes(bodies), count, generator.maps()) is None


@settings(deadline=None, max_examples=30)
@given(SEEDS)
def test_mutated_samples(seed: int) -> None:
    random = Random(seed)
    part = sample(0)
    bodies = bytearray(part.bodies)
    mutate(random, bodies)
    assert disagreement(bytes(bodies), part.count, shift(0)) is None


def mutate(random: Random, data: bytearray) -> None:
    """Flips a bit, replaces, removes or inserts a byte, or cuts the end off."""
    if not data:
        return
    position = random.randrange(len(data))
    match random.randrange(8):
        case 0 | 1 | 2:
            data[position] ^= 1 << random.randrange(8)
        case 3 | 4:
            data[position] = random.choice([0x00, 0x0B, 0x40, 0x63, 0x7F, 0x80, 0xFB, 0xFF, random.randrange(256)])
        case 5:
            del data[position]
        case 6:
            data.insert(position, random.randrange(256))
        case _:
            del data[position:]
