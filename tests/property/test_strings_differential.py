"""Ill-formed strings and their well-formed neighbours, at every place that matters to code that goes block by block."""

from __future__ import annotations

import struct
from random import Random

import pytest

from tests.support.gen.calls import Ready, by_hand
from tests.support.gen.encode import BAD_UTF8, BAD_UTF16
from tests.support.gen.guests import ARGS, ENCODINGS, IMAGE, Func, Guest
from tests.support.gen.scenario import PATTERNS, Built, Scenario, Tally
from tests.support.gen.types import STRING

BEFORE = (0, 1, 3, 7, 8, 9, 14, 15, 16, 17, 31, 63, 64, 65)
AFTER = (0, 1, 8, 70)
LATIN1_PIECES = (b"\x7f", b"\x80", b"\xff")


def pieces(encoding: str) -> list[tuple[bytes, bool]]:
    """(bytes, whether they are utf16)"""
    utf16 = [(b"".join(unit.to_bytes(2, "little") for unit in units), True) for units in BAD_UTF16]
    utf16 += [(unit.to_bytes(2, "little"), True) for unit in (0x7F, 0x80, 0xFF, 0x100, 0x7FF, 0x800, 0xFFFF)]
    if encoding == "utf8":
        return [(piece, False) for piece in (*BAD_UTF8, b"\xc2\x80", b"\xc3\xbf", b"\xc4\x80", b"\xdf\xbf")]
    return utf16 if encoding == "utf16" else [*utf16, *((piece, False) for piece in LATIN1_PIECES)]


def string(piece: bytes, wide_units: bool, before: int, after: int) -> bytes:
    filler = b"a\0" if wide_units else b"a"
    return filler * before + piece + filler * after


def call(built: Built, number: int, data: bytes, wide_units: bool, result: bool) -> Ready:
    func, guests = built.scenario.funcs[number], built.scenario.guests
    wide, encoding = guests[result].wide, func.encodings[result]
    length = len(data) // 2 if wide_units else len(data)
    if wide_units and encoding != "utf16":
        length |= 1 << (63 if wide else 31)
    if not result:
        return by_hand(number, guests, [IMAGE, length], result=False, image=data)
    area = struct.pack("<QQ" if wide else "<II", IMAGE + 16, length)
    ready = by_hand(number, guests, [IMAGE], result=True, image=area.ljust(16, b"\0") + data)
    caller = bytearray(ready.caller)
    struct.pack_into("<Q", caller, ARGS, IMAGE)  # where the result goes
    return Ready(number, bytes(caller), ready.callee)


@pytest.mark.parametrize("result", [False, True])
@pytest.mark.parametrize("wide", [False, True])
def test_each_ill_formed_sequence_traps_wherever_it_is(wide: bool, result: bool) -> None:
    guests = (Guest(wide, 1, PATTERNS[0]), Guest(wide, 1, PATTERNS[1]))
    pairs = [(a, b) for a in ENCODINGS for b in ENCODINGS]
    funcs = [Func(() if result else (STRING,), STRING if result else None, pair, post_return=False) for pair in pairs]
    built, tally, found, rng = Built.of(Scenario(funcs, guests)), Tally(), [], Random(wide * 2 + result)
    for number, pair in enumerate(pairs):
        for piece, wide_units in pieces(pair[result]):
            # Each at a few places, and over all pieces and runs at all of them.
            for before in rng.sample(BEFORE, 2):
                data = string(piece, wide_units, before, rng.choice(AFTER))
                found += built.judge(call(built, number, data, wide_units, result), tally)
    assert not found, f"{len(found)} differences:\n" + "\n".join(found[:5])
    assert tally.traps["invalid utf8"] >= 3 * 2 * 15
    assert tally.traps["invalid utf16"] >= 6 * 2 * 6
    assert tally.calls > 1.4 * sum(tally.traps.values()), "the neighbours do not trap"
