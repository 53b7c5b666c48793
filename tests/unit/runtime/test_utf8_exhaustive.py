"""The check of utf8 beside Python's codec: all short sequences, and edges of long ones at every place of a string."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from itertools import islice, product
from random import Random

import pytest

from meldpy.runtime import MemoryShape
from tests.support.string_harness import M32, M64, Judge

pytestmark = pytest.mark.usefixtures("flavour")

RECORDS = 1 << 20
"""How many bytes of strings go to the judge at a time."""

LONGEST = 200

shapes = pytest.mark.parametrize("shape", [M32, M64], ids=("memory32", "memory64"))


def decodes(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def assert_judged(judge: Judge, strings: Iterable[bytes], size: int) -> None:
    """Strings of one size, each judged as the codec does."""
    rest = iter(strings)
    while batch := list(islice(rest, RECORDS // (size + 1))):
        verdicts = judge.accepted("utf8", batch)
        expected = [decodes(string) for string in batch]
        assert verdicts == expected, [s for s, a, b in zip(batch, verdicts, expected, strict=True) if a != b][:5]


@shapes
@pytest.mark.parametrize("size", [1, 2])
def test_all_sequences_of_one_and_two_bytes(shape: MemoryShape, size: int) -> None:
    assert_judged(Judge(shape), map(bytes, product(range(256), repeat=size)), size)


def encoded(first: int, last: int) -> list[bytes]:
    return [chr(c).encode() for c in range(first, last + 1) if not 0xD800 <= c <= 0xDFFF]


def well_formed_of_three_bytes() -> Iterator[bytes]:
    """Every one of them, from the encoder's side."""
    one, two = encoded(0, 0x7F), encoded(0x80, 0x7FF)
    yield from encoded(0x800, 0xFFFF)
    yield from map(b"".join, product(one, two))
    yield from map(b"".join, product(two, one))
    yield from map(b"".join, product(one, one, one))


@pytest.mark.deep
def test_all_sequences_of_three_bytes() -> None:
    good = bytearray(1 << 24)
    for string in well_formed_of_three_bytes():
        good[int.from_bytes(string, "big")] = 1
    judge = Judge(M32)
    rests = [bytes(rest) for rest in product(range(256), repeat=2)]
    for first in range(256):
        lead = bytes((first,))
        verdicts = judge.accepted("utf8", [lead + rest for rest in rests])
        assert bytes(verdicts) == good[first << 16 : (first + 1) << 16], f"{first:#x} and two more bytes"


def edges() -> list[bytes]:
    """Four bytes at the limits of every class of lead and of what may follow it."""
    leads = bytes.fromhex("7f 80 bf c0 c1 c2 df e0 e1 ec ed ee ef f0 f1 f3 f4 f5 ff")
    seconds = bytes.fromhex("41 7f 80 8f 90 9f a0 bf c0 f0")
    pieces = {bytes(four) for four in product(leads, seconds, (0x7F, 0x80, 0xBF, 0xC2), (0x7F, 0x80, 0xBF, 0xE0))}
    return sorted(pieces, key=lambda piece: (not decodes(piece), piece))


FILLERS = {
    "ASCII": "a",
    "two bytes": "é",
    "three": "€",
    "four": "🍰",
    "mixed": "aé€🍰 and plain text that is long enough ",
}


@pytest.mark.parametrize("filler", FILLERS.values(), ids=FILLERS)
def test_edges_of_four_bytes_at_every_place_of_every_length(filler: str) -> None:
    """Every place of every length once, with pieces in turn; which are good and which bad is the codec's to say."""
    judge, rng = Judge(M32), Random(1)
    pieces = edges()
    good = [piece for piece in pieces if decodes(piece)]
    assert len(good) > 50
    for size in range(4, LONGEST + 1):
        strings = []
        for before in range(size - 3):
            for piece in (rng.choice(good), rng.choice(pieces), rng.choice(pieces)):
                strings.append(fill(filler, before) + piece + fill(filler, size - 4 - before))
        assert_judged(judge, strings, size)


def fill(filler: str, size: int) -> bytes:
    """Well-formed text of so many bytes."""
    text = (filler * (size // len(filler.encode()) + 1)).encode()[:size]
    whole = text.decode(errors="ignore").encode()
    return whole + b"." * (size - len(whole))


@shapes
def test_a_string_cut_anywhere_is_ill_formed_unless_the_cut_is_between_sequences(shape: MemoryShape) -> None:
    judge = Judge(shape)
    text = ("plain ascii text, then " + "aé€🍰" * 30 + "and plain ascii text again" * 6).encode()
    for size in range(1, LONGEST + 1):
        assert_judged(judge, (text[at : at + size] for at in range(60)), size)


@pytest.mark.deep
def test_every_edge_at_every_place_of_every_length() -> None:
    judge = Judge(M32)
    for filler in FILLERS.values():
        for size in range(4, LONGEST + 1):
            strings = (
                fill(filler, before) + piece + fill(filler, size - 4 - before)
                for before in range(size - 3)
                for piece in edges()
            )
            assert_judged(judge, strings, size)


@pytest.mark.deep
def test_random_strings() -> None:
    amount, rng = int(os.environ.get("UTF8_STRINGS", "200000")), Random(int(os.environ.get("UTF8_SEED", "0")))
    judge = Judge(M32)
    characters = [*encoded(0, 0x7F)] * 4 + encoded(0x80, 0x8FF) + encoded(0xD700, 0xE0FF) + encoded(0xFF00, 0x100FF)
    for _ in range(amount // 1000):
        size = rng.randrange(1, 400)
        strings = []
        for _ in range(1000):
            data = bytearray(b"".join(rng.choices(characters, k=size))[:size])
            for _ in range(rng.randrange(3)):
                data[rng.randrange(size)] = rng.randrange(256)
            strings.append(bytes(data))
        assert_judged(judge, strings, size)
