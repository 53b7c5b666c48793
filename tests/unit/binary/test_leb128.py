"""LEB128 at its edges: widths, padding, and what is refused."""

from __future__ import annotations

import pytest

from meldpy.binary.leb128 import LebError, read_signed, read_unsigned, signed, unsigned, unsigned_vec


def _unsigned(text: str, bits: int = 32) -> int:
    data = memoryview(bytes.fromhex(text))
    value, position = read_unsigned(data, 0, len(data), bits)
    assert position == len(data)
    return value


def _signed(text: str, bits: int = 32) -> int:
    data = memoryview(bytes.fromhex(text))
    value, position = read_signed(data, 0, len(data), bits)
    assert position == len(data)
    return value


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "00"),
        (0x7F, "7f"),
        (0x80, "8001"),
        (0x3FFF, "ff7f"),
        (0x4000, "808001"),
        (624485, "e58e26"),
        (2**32 - 1, "ffffffff0f"),
        (2**64 - 1, "ffffffffffffffffff01"),
    ],
)
def test_unsigned_is_minimal(value: int, text: str) -> None:
    assert unsigned(value).hex() == text
    assert _unsigned(text, 64) == value


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "00"),
        (63, "3f"),
        (64, "c000"),
        (-1, "7f"),
        (-64, "40"),
        (-65, "bf7f"),
        (-123456, "c0bb78"),
        (-(2**31), "8080808078"),
        (2**63 - 1, "ffffffffffffffffff00"),
    ],
)
def test_signed_is_minimal(value: int, text: str) -> None:
    assert signed(value).hex() == text
    assert _signed(text, 64) == value


def test_padding_within_the_width_is_read() -> None:
    assert _unsigned("8000") == 0
    assert _unsigned("8580808000") == 5
    assert _signed("ffffffff7f") == -1
    assert _signed("808080807f", 33) == -(2**28)


@pytest.mark.parametrize("text", ["ffffffff1f", "8080808010", "ffffffff7f"])
def test_unsigned_beyond_the_width_is_too_large(text: str) -> None:
    with pytest.raises(LebError, match="too large for u32"):
        _unsigned(text)


@pytest.mark.parametrize("text", ["ffffffff0f", "8080808008", "ffffffff4f"])
def test_signed_with_unused_bits_that_are_not_the_sign_is_too_large(text: str) -> None:
    with pytest.raises(LebError, match="too large for s32"):
        _signed(text)


def test_too_many_bytes_are_too_long_even_for_a_small_number() -> None:
    with pytest.raises(LebError, match="too long for u32"):
        _unsigned("808080808000")
    with pytest.raises(LebError, match="too long for s33"):
        _signed("ffffffffff7f", 33)


def test_an_end_inside_is_truncated() -> None:
    with pytest.raises(LebError, match="unexpected end"):
        _unsigned("80")
    with pytest.raises(LebError, match="unexpected end"):
        read_signed(memoryview(b"\x80\x00"), 0, 1, 32)


def test_vectors_of_small_and_large_integers_agree_with_single_ones() -> None:
    assert unsigned_vec(()) == b"\x00"
    assert unsigned_vec([1, 0x7F]) == b"\x02\x01\x7f"
    assert unsigned_vec([1, 0x80]) == b"\x02\x01\x80\x01"
