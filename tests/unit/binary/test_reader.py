"""The cursor: whole-file offsets, bounded counts, strict names, nesting."""

from __future__ import annotations

import pytest

from meldpy.binary.reader import Reader
from meldpy.errors import DecodeError


def _reader(data: bytes, base: int = 0) -> Reader:
    return Reader(memoryview(data), "input", base=base)


def _offset(error: DecodeError) -> int | None:
    assert error.location is not None
    assert error.location.source == "input"
    return error.location.offset


def test_offsets_count_from_the_start_of_the_file() -> None:
    r = _reader(b"\x01\x02\x80", base=100)
    part = r.part(3, "section")
    assert part.u32() == 1
    assert part.offset == 101
    part.u32()
    with pytest.raises(DecodeError, match="LEB128") as caught:
        part.u32()
    assert _offset(caught.value) == 102


def test_a_part_ends_where_it_ends() -> None:
    r = _reader(b"\x01\x02\x03")
    part = r.part(2, "section")
    assert r.offset == 2
    part.byte("one")
    with pytest.raises(DecodeError, match="1 bytes too many at the end of it"):
        part.finish("it")
    part.byte("two")
    with pytest.raises(DecodeError, match="three expected") as caught:
        part.byte("three")
    assert _offset(caught.value) == 2


def test_a_part_longer_than_the_rest_is_refused() -> None:
    with pytest.raises(DecodeError, match="section has 4 bytes, 3 remain"):
        _reader(b"\x01\x02\x03").part(4, "section")


def test_a_count_that_cannot_fit_is_refused_before_anything_is_read() -> None:
    with pytest.raises(DecodeError, match="4294967295 items do not fit into the 1 bytes"):
        _reader(b"\xff\xff\xff\xff\x0f\x00").vec("items", 2**32, Reader.u32)
    with pytest.raises(DecodeError, match="3 items, more than 2"):
        _reader(b"\x03\x00\x00\x00").vec("items", 2, Reader.u32)


def test_located_items_carry_their_offsets() -> None:
    items, offsets = _reader(b"\x03\x01\x80\x01\x02", base=10).located_vec("items", 10, Reader.u32)
    assert items == (1, 128, 2)
    assert offsets == (11, 12, 14)


def test_index_vectors_mix_short_and_long_integers() -> None:
    r = _reader(b"\x02\x01\x7f\x02\x01\x80\x01\x09")
    assert r.u32_vec("indices", 10) == (1, 127)
    assert r.u32_vec("indices", 10) == (1, 128)
    assert r.byte("rest") == 9


def test_names_are_strict_utf8() -> None:
    assert _reader(b"\x03\xe2\x82\xac").name("name") == "€"
    with pytest.raises(DecodeError, match="name is not valid UTF-8") as caught:
        _reader(b"\x03ab\xff").name("name")
    assert _offset(caught.value) == 3
    with pytest.raises(DecodeError, match="UTF-8"):
        _reader(b"\x03\xed\xa0\x80").name("surrogate")


def test_names_are_bounded() -> None:
    data = b"\xa1\x8d\x06" + b"a" * 100_001
    with pytest.raises(DecodeError, match="name has 100001 bytes, more than 100000"):
        _reader(data).name("name")
    assert len(_reader(data).name("name", None)) == 100_001


def test_flags_are_zero_or_one() -> None:
    assert _reader(b"\x01").flag("flag")
    with pytest.raises(DecodeError, match="unknown flag 0x02"):
        _reader(b"\x02").flag("flag")


def test_negative_multi_byte_indices_are_refused() -> None:
    assert _reader(b"\xff\xff\xff\xff\x0f").index33("index") == 2**32 - 1
    with pytest.raises(DecodeError, match="unknown index 0xff"):
        _reader(b"\xff\x7f").index33("index")
