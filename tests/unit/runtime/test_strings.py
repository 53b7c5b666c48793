"""The nine pairs of string encodings, run under the engine and compared with the model, step for step.

Compared are the result, the trap, the calls of realloc and every byte of the destination memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from itertools import product
from typing import TypeAlias

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from meldpy.runtime import MemoryShape
from tests.support.string_harness import M32, M64, PAGE, PAIRS_OF_SHAPES, Crossing, Outcome
from tests.support.string_model import (
    ENCODINGS,
    LATIN1_UTF16,
    UTF8,
    UTF16,
    Guest,
    Place,
    Trapped,
    bump,
    in_place_when_shrinking,
    load,
    store,
)

Shapes: TypeAlias = "tuple[MemoryShape, MemoryShape]"
PAIRS = tuple(product(ENCODINGS, ENCODINGS))
pairs = pytest.mark.parametrize(("source", "destination"), PAIRS, ids=[f"{a}-to-{b}" for a, b in PAIRS])
widths = pytest.mark.parametrize("shapes", PAIRS_OF_SHAPES, ids=[f"{a.width}-to-{b.width}" for a, b in PAIRS_OF_SHAPES])
TEXTS = (
    "",
    "a",
    "hello, world: plain ASCII, longer than some words",
    "é",
    "grün wie Öl",
    "ÿ" * 17,
    "€",
    "naïve €",
    "日本語のテキスト",
    "🍰",
    "a🍰",
    "mixed: é€🍰, and é€🍰 again" * 3,
    "\x00\x7f\x80\xff\u0100\u07ff\u0800\ud7ff\ue000\uffff\U00010000\U0010ffff",
    "\ufeffbyte order mark",
)


@pytest.fixture(scope="module", autouse=True)
def _release(flavour: None) -> Iterator[None]:
    """The engine's objects go before the interpreter takes its modules apart."""
    yield
    crossing.cache_clear()
    huge.cache_clear()


@cache
def crossing(source: MemoryShape, destination: MemoryShape) -> Crossing:
    return Crossing(source, destination)


def guest(place: Place = bump, preserves: bool = True) -> Guest:
    """A guest whose memory is full of a byte that nothing writes by accident."""
    return Guest(bytearray(b"\xa5" * PAGE), place, preserves)


def encode(text: str, encoding: str, tag: int, wide: bool = False) -> tuple[bytes, int]:
    """The text as a guest would hold it: bytes and tagged code units. `wide`: utf16 even where latin1 would do."""
    if encoding == UTF8:
        return text.encode(), len(text.encode())
    units = text.encode("utf-16-le")
    if encoding == UTF16:
        return units, len(units) // 2
    if wide or any(ord(c) >= 0x100 for c in text):
        return units, len(units) // 2 | tag
    return text.encode("latin-1"), len(text)


def model(
    guest: Guest, source: str, destination: str, memory: bytes, pointer: int, tagged: int, tags: tuple[int, int]
) -> Outcome:
    result, trap = None, None
    try:
        loaded = load(memory, source, tags[0], pointer, tagged)
        result = store(guest, destination, tags[1], source, loaded)
    except Trapped as trapped:
        trap = str(trapped)
    return Outcome(result, trap, guest.calls, bytes(guest.memory))


def check(
    shapes: Shapes,
    source: str,
    destination: str,
    data: bytes,
    tagged: int,
    *,
    at: int | None = None,
    place: Place = bump,
    preserves: bool = True,
) -> Outcome:
    """Run the crossing and the model; `data` ends where the source memory ends unless `at` says otherwise."""
    at = (PAGE - len(data)) & -2 if at is None else at
    memory = bytearray(PAGE)
    memory[at : at + len(data)] = data
    tags = (shapes[0].utf16_tag, shapes[1].utf16_tag)
    expected = model(guest(place, preserves), source, destination, bytes(memory), at, tagged, tags)
    export = f"{source}-to-{destination}"
    actual = crossing(*shapes).run(export, data, at, at, tagged, guest(place, preserves))
    assert (actual.trap, actual.result, actual.calls) == (expected.trap, expected.result, expected.calls)
    assert actual.memory == expected.memory
    return actual


@widths
@pytest.mark.parametrize("place", [bump, in_place_when_shrinking])
@pairs
def test_texts_arrive_by_the_specs_steps(shapes: Shapes, place: Place, source: str, destination: str) -> None:
    for text, wide in product(TEXTS, (False, True)):
        data, tagged = encode(text, source, shapes[0].utf16_tag, wide)
        outcome = check(shapes, source, destination, data, tagged, place=place)
        assert outcome.trap is None
        assert outcome.result is not None
        assert read(outcome, destination, shapes[1].utf16_tag) == text


def read(outcome: Outcome, encoding: str, tag: int) -> str:
    assert outcome.result is not None
    return load(outcome.memory, encoding, tag, *outcome.result).text


@pairs
@pytest.mark.parametrize("piece", ["é", "€", "🍰"])
def test_a_wide_code_point_may_lie_anywhere_among_the_words(source: str, destination: str, piece: str) -> None:
    shapes = (M32, M64)
    for length in range(41):
        for before in {0, 1, 3, length // 2, length - 8, length - 1, length}:
            if 0 <= before <= length:
                text = "a" * before + piece + "z" * (length - before)
                data, tagged = encode(text, source, shapes[0].utf16_tag)
                check(shapes, source, destination, data, tagged)


@pairs
def test_nothing_is_stored_behind_the_place_where_latin1_ends(source: str, destination: str) -> None:
    """Blocks are stored whole before it is known what they become; the bytes of a block that is left are compared."""
    for plain, accented, wide in product((0, 1, 5, 8, 13), (0, 1, 2, 3, 4, 7, 8, 12), ("€", "🍰")):
        text = "a" * plain + "ü" * accented + "b" + wide + "c" * 20
        data, tagged = encode(text, source, M32.utf16_tag)
        check((M32, M32), source, destination, data, tagged)


@pairs
def test_every_length_of_latin1_text_is_copied_exactly(source: str, destination: str) -> None:
    for length, wide in product(range(41), (False, True)):
        text = "".join(chr(0xA0 + i) for i in range(length))
        data, tagged = encode(text, source, M64.utf16_tag, wide)
        check((M64, M32), source, destination, data, tagged)


@pairs
def test_every_code_point_of_a_sample_is_transcoded(source: str, destination: str) -> None:
    points = [*range(0x900), *range(0x900, 0xD800, 97), *range(0xE000, 0x110000, 1013), 0xFFFF, 0x10FFFF]
    for start in range(0, len(points), 512):
        text = "".join(map(chr, points[start : start + 512]))
        data, tagged = encode(text, source, M32.utf16_tag)
        check((M32, M32), source, destination, data, tagged, at=2 * start)


@pairs
def test_what_realloc_leaves_of_the_old_block_is_what_counts(source: str, destination: str) -> None:
    """A realloc that forgets the contents: the spec writes nothing twice, and so do we."""
    for text in TEXTS:
        data, tagged = encode(text, source, M32.utf16_tag, wide=True)
        check((M32, M32), source, destination, data, tagged, preserves=False)


text_of_some_kind = st.one_of(
    st.text(max_size=80),
    st.text(st.characters(max_codepoint=0x7F), max_size=80),
    st.text(st.characters(max_codepoint=0xFF), max_size=80),
    st.lists(st.sampled_from(["a", "é", "€", "🍰", "ASCII words ", "ÿÿÿÿÿÿÿÿ", "日本語"]), max_size=20).map("".join),
)


@pairs
@settings(max_examples=60, deadline=None)
@given(text=text_of_some_kind, wide=st.booleans(), shapes=st.sampled_from(PAIRS_OF_SHAPES), at=st.integers(0, 40))
def test_any_text_arrives(source: str, destination: str, text: str, wide: bool, shapes: Shapes, at: int) -> None:
    data, tagged = encode(text, source, shapes[0].utf16_tag, wide)
    outcome = check(shapes, source, destination, data, tagged, at=2 * at)
    assert read(outcome, destination, shapes[1].utf16_tag) == text


# --- traps --------------------------------------------------------------------------------------------------
BAD_UTF8 = (b"\xff", b"abc\xc3", b"12345678\xed\xa0\x80", b"\xc0\x80", b"\xf4\x90\x80\x80 and more behind it")
BAD_UTF16 = (b"\0\xd8", b"\0\xdc", b"a\0\0\xd8", b"\0\xdc\0\xd8", b"a\0" * 9 + b"\0\xd8b\0")


@pairs
@widths
def test_a_bad_string_traps_before_any_realloc(shapes: Shapes, source: str, destination: str) -> None:
    tag = shapes[0].utf16_tag
    bad = [(data, len(data)) for data in BAD_UTF8]
    if source != UTF8:
        bad = [(data, len(data) // 2 | (tag if source == LATIN1_UTF16 else 0)) for data in BAD_UTF16]
    for data, tagged in bad:
        outcome = check(shapes, source, destination, data, tagged)
        assert outcome.trap == ("invalid utf8" if source == UTF8 else "invalid utf16")
        assert outcome.calls == []


@pairs
@widths
def test_limits_alignment_and_bounds_trap_before_any_realloc(shapes: Shapes, source: str, destination: str) -> None:
    tag = shapes[0].utf16_tag
    tags = (0, tag) if source == LATIN1_UTF16 else (0,)
    too_long = [(0, 1 << 28), (0, (1 << 31) - 1)]
    misplaced = [(1, 0), (1, 1), (PAGE, 0), (PAGE, 1), (PAGE - 2, 3), (PAGE + 2, 0), (0, 70000)]
    for (pointer, units), bit in product(too_long + misplaced, tags):
        expected = model(guest(), source, destination, bytes(PAGE), pointer, units | bit, (tag, shapes[1].utf16_tag))
        actual = crossing(*shapes).run(f"{source}-to-{destination}", b"", 0, pointer, units | bit, guest())
        assert actual == expected


def test_each_trap_of_a_source_string_is_reached() -> None:
    """The comparison above would also hold for a model that never traps."""
    assert crossing(M32, M32).run("utf16-to-utf8", b"", 0, 0, 1 << 27, guest()).trap == "string too long"
    assert crossing(M32, M32).run("utf16-to-utf8", b"", 0, 1, 0, guest()).trap == "string pointer misaligned"
    assert crossing(M32, M32).run("utf8-to-utf8", b"", 0, PAGE, 1, guest()).trap == "string out of bounds"
    tagged = (1 << 31) | 1
    assert crossing(M32, M32).run("latin1+utf16-to-utf16", b"\0\xdc", 0, 0, tagged, guest()).trap == "invalid utf16"


# --- the sequences of the spec, spelled out -------------------------------------------------------------------
@pytest.mark.parametrize(
    ("source", "destination", "text", "wide", "calls", "code_units"),
    [
        (UTF8, UTF8, "", False, [(0, 0, 1, 0)], 0),
        (UTF8, UTF8, "é€", False, [(0, 0, 1, 5)], 5),
        (UTF8, UTF16, "ab", False, [(0, 0, 2, 4)], 2),
        (UTF8, UTF16, "é", False, [(0, 0, 2, 4), (1024, 4, 2, 2)], 1),
        (UTF8, LATIN1_UTF16, "ab", False, [(0, 0, 2, 2)], 2),
        (UTF8, LATIN1_UTF16, "é", False, [(0, 0, 2, 2), (1024, 2, 2, 1)], 1),
        (UTF8, LATIN1_UTF16, "a€", False, [(0, 0, 2, 4), (1024, 4, 2, 8), (1028, 8, 2, 4)], (1 << 31) | 2),
        (UTF16, UTF8, "ab", False, [(0, 0, 1, 2)], 2),
        (UTF16, UTF8, "aé", False, [(0, 0, 1, 2), (1024, 2, 1, 6), (1026, 6, 1, 3)], 3),
        (UTF16, UTF8, "€", False, [(0, 0, 1, 1), (1024, 1, 1, 3)], 3),
        (UTF16, UTF16, "", False, [(0, 0, 2, 0)], 0),
        (UTF16, LATIN1_UTF16, "é", False, [(0, 0, 2, 1)], 1),
        (UTF16, LATIN1_UTF16, "é€", False, [(0, 0, 2, 2), (1024, 2, 2, 4)], (1 << 31) | 2),
        (LATIN1_UTF16, UTF8, "aé", False, [(0, 0, 1, 2), (1024, 2, 1, 4), (1026, 4, 1, 3)], 3),
        (LATIN1_UTF16, UTF8, "é", False, [(0, 0, 1, 1), (1024, 1, 1, 2)], 2),
        (LATIN1_UTF16, UTF16, "é", False, [(0, 0, 2, 2)], 1),
        (LATIN1_UTF16, LATIN1_UTF16, "é", False, [(0, 0, 2, 1)], 1),
        (LATIN1_UTF16, LATIN1_UTF16, "é", True, [(0, 0, 2, 2), (1024, 2, 1, 1)], 1),
        (LATIN1_UTF16, LATIN1_UTF16, "", True, [(0, 0, 2, 0), (1024, 0, 1, 0)], 0),
        (LATIN1_UTF16, LATIN1_UTF16, "€", True, [(0, 0, 2, 2)], (1 << 31) | 1),
    ],
)
def test_the_calls_of_realloc(
    source: str, destination: str, text: str, wide: bool, calls: list[tuple[int, int, int, int]], code_units: int
) -> None:
    data, tagged = encode(text, source, M32.utf16_tag, wide)
    outcome = check((M32, M32), source, destination, data, tagged)
    assert outcome.calls == calls
    assert outcome.result is not None
    assert outcome.result[1] == code_units


# --- the end of the address space ---------------------------------------------------------------------------
@pytest.mark.parametrize("text", ["abc", "ASCII long enough for every kind of block, twice. " * 2, "grün €" * 9 + "🍰"])
@pairs
def test_a_memory_of_4_gib_is_used_to_its_last_byte(source: str, destination: str, text: str) -> None:
    """There the end of a string is address 0 again. The pages that nothing touches cost nothing."""
    top = 1 << 32
    site = huge()
    data, tagged = encode(text, source, M32.utf16_tag)
    start = (top - len(data)) & -2
    site.source.memory.write(site.store, data, start)

    def realloc(old: int, old_size: int, align: int, new_size: int) -> int:
        pointer = (top - new_size) & -align
        if kept := min(old_size, new_size):
            site.memory.write(site.store, site.memory.read(site.store, old, old + kept), pointer)
        return pointer

    site.realloc = realloc
    pointer, units = site.call(f"{source}-to-{destination}", start, tagged)
    arrived, expected = encode(text, destination, M32.utf16_tag)
    assert units == expected
    assert top - len(arrived) - pointer in (0, 1)
    assert bytes(site.memory.read(site.store, pointer, pointer + len(arrived))) == arrived


@cache
def huge() -> Crossing:
    return Crossing(M32, M32, pages=1 << 16)
