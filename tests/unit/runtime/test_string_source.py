"""The checks of a source string, against the rules of load_string_from_range and Python's codecs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import cache
from itertools import groupby, product

import pytest
import wasmtime
from hypothesis import given, settings
from hypothesis import strategies as st

from meldpy import runtime
from meldpy.runtime import MemoryShape
from tests.support.string_harness import M32, M64, PAGE, Judge, Source, memory, module, signed
from tests.support.string_model import MAX_BYTE_LENGTH, Trapped

SHAPES = (M32, M64)
shapes = pytest.mark.parametrize("shape", SHAPES, ids=("memory32", "memory64"))


def decodes(data: bytes, codec: str) -> bool:
    try:
        data.decode(codec)
    except UnicodeDecodeError:
        return False
    return True


@pytest.fixture(scope="module", autouse=True)
def _release(flavour: None) -> Iterator[None]:
    """The engine's objects go before the interpreter takes its modules apart."""
    yield
    judge.cache_clear()


@cache
def judge(shape: MemoryShape) -> Judge:
    return Judge(shape)


def judge_all(shape: MemoryShape, export: str, strings: Iterable[bytes]) -> None:
    """The check and Python's codec agree about each string."""
    codec = {"utf8": "utf-8", "utf16": "utf-16-le"}[export]
    for _, group in groupby(sorted(filter(None, strings), key=len), key=len):
        same_length = list(group)
        expected = [decodes(string, codec) for string in same_length]
        actual = judge(shape).accepted(export, same_length)
        assert actual == expected, [s for s, a, e in zip(same_length, actual, expected, strict=True) if a != e][:5]


def trap_of(source: Source, export: str, pointer: int, units: int) -> str | None:
    try:
        func = source.check(export)
        func(source.store, signed(pointer, source.shape), signed(units, source.shape))
    except Trapped as trap:
        return str(trap)
    return None


# --- utf8 ---------------------------------------------------------------------------------------------------
BOUNDARY_BYTES = bytes.fromhex("00 41 7f 80 8f 90 9f a0 bf c0 c1 c2 df e0 e1 ec ed ee ef f0 f1 f3 f4 f5 f7 f8 ff")
paddings = pytest.mark.parametrize("padding", [b"", b"..", b"padding!"], ids=("at the end", "near it", "before a word"))


@shapes
@paddings
def test_utf8_of_up_to_two_bytes_is_judged_as_the_codec_does(shape: MemoryShape, padding: bytes) -> None:
    for length in (1, 2):
        judge_all(shape, "utf8", [bytes(sequence) + padding for sequence in product(range(256), repeat=length)])


@shapes
@paddings
def test_utf8_of_three_bytes_is_judged_as_the_codec_does(shape: MemoryShape, padding: bytes) -> None:
    judge_all(shape, "utf8", [bytes(sequence) + padding for sequence in product(BOUNDARY_BYTES, repeat=3)])


@shapes
@paddings
def test_utf8_of_four_bytes_is_judged_as_the_codec_does(shape: MemoryShape, padding: bytes) -> None:
    leads, others = bytes.fromhex("ef f0 f1 f3 f4 f5 f7 f8 ff"), bytes.fromhex("7f 80 bf c0")
    sequences = product(leads, BOUNDARY_BYTES, others, others)
    judge_all(shape, "utf8", [bytes(sequence) + padding for sequence in sequences])


@shapes
@pytest.mark.parametrize("piece", ["é", "€", "🍰", "\x7f"])
def test_a_sequence_is_found_wherever_it_lies_among_the_words(shape: MemoryShape, piece: str) -> None:
    good = piece.encode()
    strings = []
    for length, middle in product((*range(41), *range(60, 68), 127, 130), (good, good[:-1] + b"\xff", good[:-1])):
        strings += [b"a" * before + middle + b"z" * (length - before) for before in range(length + 1)]
    judge_all(shape, "utf8", strings)


@shapes
def test_bytes_around_a_utf8_string_are_not_part_of_it(shape: MemoryShape) -> None:
    source = Source.make(shape)
    for length in range(41):
        text = (b"abcdefg\xc3\xa9" * 5)[:length]
        text = text[:-1] + b"." if text.endswith(b"\xc3") else text
        source.memory.write(source.store, b"\xff" * 64, 128)
        if text:
            source.memory.write(source.store, text, 128 + 8)
        assert source.accepts("utf8", 128 + 8, length)
        # a sequence cut off by the length is not continued by what lies behind
        source.memory.write(source.store, text + "€".encode(), 128 + 8)
        assert not source.accepts("utf8", 128 + 8, length + 2)
        assert source.accepts("utf8", 128 + 8, length + 3)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.one_of(st.text(max_size=12).map(str.encode), st.binary(max_size=3)), min_size=1, max_size=9))
def test_any_bytes_are_judged_as_the_utf8_codec_does(pieces: list[bytes]) -> None:
    judge_all(M32, "utf8", [b"".join(pieces[i:j]) for i in range(9) for j in range(i + 1, 10)])


# --- utf16 --------------------------------------------------------------------------------------------------
UNIT_CLASSES = (0x41, 0xD7FF, 0xD800, 0xDBFF, 0xDC00, 0xDFFF, 0xE000, 0xFFFF)


def utf16(units: Iterable[int]) -> bytes:
    return b"".join(unit.to_bytes(2, "little") for unit in units)


@shapes
def test_surrogates_are_judged_as_the_codec_does(shape: MemoryShape) -> None:
    for length in range(1, 6):
        judge_all(shape, "utf16", [utf16(units) for units in product(UNIT_CLASSES, repeat=length)])


@shapes
def test_every_single_unit_is_judged_as_the_codec_does(shape: MemoryShape) -> None:
    judge_all(shape, "utf16", [utf16((unit,)) for unit in range(0x10000)])
    judge_all(shape, "utf16", [utf16((0x41, unit, 0x20AC, 0)) for unit in range(0x10000)])


@shapes
def test_a_surrogate_is_found_wherever_it_lies_among_the_words(shape: MemoryShape) -> None:
    pair = "🍰".encode("utf-16-le")
    strings = []
    for length, middle in product(range(21), (pair, pair[:2], pair[2:], pair[2:] + pair[:2])):
        filler = "é".encode("utf-16-le")
        strings += [filler * before + middle + b"z\0" * (length - before) for before in range(length + 1)]
    judge_all(shape, "utf16", strings)


@shapes
def test_a_pair_cut_off_by_the_length_is_not_completed_by_what_lies_behind(shape: MemoryShape) -> None:
    source = Source.make(shape)
    for before in range(10):
        source.memory.write(source.store, b"a\0" * before + "🍰🍰🍰".encode("utf-16-le"), 64)
        assert not source.accepts("utf16", 64, before + 1)
        assert source.accepts("utf16", 64, before + 2)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.one_of(st.sampled_from(UNIT_CLASSES), st.integers(0, 0xFFFF)), min_size=1, max_size=20))
def test_any_units_are_judged_as_the_utf16_codec_does(units: list[int]) -> None:
    judge_all(M64, "utf16", [utf16(units[i:]) for i in range(len(units))])


# --- length, alignment, bounds ------------------------------------------------------------------------------
EXPORTS = (("utf8", 1, 1), ("utf16", 2, 2), ("latin1", 1, 2))
exports = pytest.mark.parametrize(("export", "unit_size", "alignment"), EXPORTS)


@shapes
@exports
def test_a_string_may_end_where_the_memory_ends_and_no_later(
    shape: MemoryShape, export: str, unit_size: int, alignment: int
) -> None:
    source = Source.make(shape)
    for units in (0, 1, 2, 7, 8, 9, 100):
        start = PAGE - units * unit_size
        start -= start % alignment
        assert trap_of(source, export, start, units) is None
        assert trap_of(source, export, start + alignment, units + 1) == "string out of bounds"
        assert trap_of(source, export, start, units + alignment) == "string out of bounds"
    assert trap_of(source, export, PAGE, 0) is None
    assert trap_of(source, export, PAGE + alignment, 0) == "string out of bounds"


@shapes
@exports
def test_no_sum_of_pointer_and_length_wraps_around(
    shape: MemoryShape, export: str, unit_size: int, alignment: int
) -> None:
    source = Source.make(shape)
    top = 1 << shape.width
    for pointer, units in product((top - 2, top - 16, top // 2, top // 2 - 2), (0, 1, 2, 8, 64, 1000)):
        assert trap_of(source, export, pointer, units) == "string out of bounds"


@shapes
@exports
def test_the_longest_string_has_2_to_the_28_less_one_bytes(
    shape: MemoryShape, export: str, unit_size: int, alignment: int
) -> None:
    source = Source.make(shape)
    longest = MAX_BYTE_LENGTH // unit_size
    assert trap_of(source, export, 0, longest) == "string out of bounds"
    for units in (longest + 1, 1 << 28, 1 << 30, 1 << 31, (1 << 31) + 1, (1 << 32) - 1, 1 << 63, (1 << 64) - 1):
        if units < 1 << shape.width:
            assert trap_of(source, export, 0, units) == "string too long"


@shapes
def test_length_is_checked_before_alignment_and_alignment_before_bounds(shape: MemoryShape) -> None:
    source = Source.make(shape)
    far = (1 << shape.width) - 1
    for export in ("utf16", "latin1"):
        assert trap_of(source, export, far, 1 << 28) == "string too long"
        assert trap_of(source, export, far, 1) == "string pointer misaligned"
        assert trap_of(source, export, 1, 0) == "string pointer misaligned"
    assert trap_of(source, "utf8", far, 1 << 28) == "string too long"
    assert trap_of(source, "utf8", 1, 0) is None


@shapes
def test_the_longest_string_is_accepted_in_a_memory_that_holds_it(shape: MemoryShape) -> None:
    source = Source.make(shape)
    # 256 MiB that nothing writes, so the engine need not back them; the check of latin1 does not even read them.
    big = memory(source.store, shape, pages=4096)
    traps = [wasmtime.Func(source.store, wasmtime.FuncType([], []), _unexpected) for _ in range(5)]
    instance = wasmtime.Instance(source.store, module(runtime.string_source(shape)), [big, *traps])
    check = instance.exports(source.store)["latin1"]
    assert isinstance(check, wasmtime.Func)
    check(source.store, 0, MAX_BYTE_LENGTH)


def _unexpected() -> None:
    raise AssertionError("no trap is due")


def test_pages_of_one_byte_count_as_such() -> None:
    """The import's declared type does not matter, the size in pages does: one page is one byte there."""
    source = Source.make(M32)
    tiny = runtime.string_source(MemoryShape(memory64=False, page_size_log2=0))
    names = ("length", "alignment", "bounds", "utf8", "utf16")
    traps = [wasmtime.Func(source.store, wasmtime.FuncType([], []), _raise(name)) for name in names]
    instance = wasmtime.Instance(source.store, module(tiny), [source.memory, *traps])
    check = instance.exports(source.store)["latin1"]
    assert isinstance(check, wasmtime.Func)
    check(source.store, 0, 1)
    with pytest.raises(Trapped, match="bounds"):
        check(source.store, 0, 2)


def _raise(name: str) -> Callable[[], None]:
    def fail() -> None:
        raise Trapped(name)

    return fail
