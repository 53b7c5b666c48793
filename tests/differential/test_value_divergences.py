"""One composition for each entry of divergences.toml that is about values between two guests.

Random tests of values know these by the engine's quirks in their model (tests.support.gen), so they would also
notice if the engine stopped having them.
"""

from __future__ import annotations

import struct

import pytest
from wasmtime import WasmtimeError, wat2wasm

import meldpy
from meldpy.pipeline import FuseOptions
from tests.differential.divergences import Divergences
from tests.support.gen.calls import Ready, by_hand
from tests.support.gen.guests import ARGS, IMAGE, REALLOC, Func, Guest, composition
from tests.support.gen.run import Runner, Seen, events
from tests.support.gen.types import STRING, Fixed, Prim
from tests.support.harness import Difference


def observe(func: Func, guests: tuple[Guest, Guest], call: Ready) -> tuple[Seen, Seen]:
    """(composition, fused form)"""
    composed = bytes(wat2wasm(composition([func], *guests)))
    return Runner.of(composed).run(call), Runner.of(meldpy.fuse([composed]).bytes).run(call)


def test_latin1_text_in_tagged_utf16_is_shrunk_with_alignment_one(divergences: Divergences) -> None:
    func = Func((STRING,), None, ("latin1+utf16", "latin1+utf16"), post_return=False)
    text = "narrow".encode("utf-16-le")
    guests = (Guest(False, 1, 0xA5), Guest(False, 1, 0x5A))
    seen = observe(func, guests, by_hand(0, guests, [IMAGE, len(text) // 2 | 1 << 31], result=False, image=text))
    logs = [[event[1:5] for event in events(one.memories[1]) if event[0] == REALLOC] for one in seen]
    assert logs[1] == [(0, 0, 2, 12), (logs[1][1][0], 12, 1, 6)]
    assert divergences.explains(Difference("call", "realloc calls", *logs))


def test_text_is_checked_before_the_receiver_is_asked_for_room(divergences: Divergences) -> None:
    func = Func((STRING,), None, ("utf8", "utf16"), post_return=False)
    guests = (Guest(False, 1, 0xA5), Guest(False, 1, 0x5A))
    bad = b"x" * 30_000 + b"\xff"
    call = by_hand(0, guests, [IMAGE, len(bad)], result=False, image=bad)
    composed, fused = observe(func, guests, call)
    assert divergences.explains(Difference("call", "outcome", composed.trap, fused.trap))


def test_the_utf16_tag_of_a_64_bit_guest_is_bit_63(divergences: Divergences) -> None:
    func = Func((STRING,), None, ("utf8", "latin1+utf16"), post_return=False)
    text = "\u20ac".encode()
    guests = (Guest(False, 1, 0xA5), Guest(True, 1, 0x5A))
    seen = observe(func, guests, by_hand(0, guests, [IMAGE, len(text)], result=False, image=text))
    lengths = [struct.unpack_from("<Q", one.memories[1], ARGS + 8)[0] for one in seen]
    assert lengths[1] == 1 | 1 << 63
    assert divergences.explains(Difference("call", "tagged length in a 64-bit memory", *lengths))


def test_fixed_length_lists_reach_64_bit_memories(divergences: Divergences) -> None:
    func = Func((Fixed(Prim("char"), 17),), None, ("utf8", "utf8"), post_return=False)
    guests = (Guest(True, 1, 0xA5), Guest(True, 1, 0x5A))
    composed = bytes(wat2wasm(composition([func], *guests)))
    with pytest.raises(WasmtimeError) as failure:
        Runner.of(composed)
    fused = Runner.of(meldpy.fuse([composed], FuseOptions(validate=False)).bytes)
    image = "seventeen letters".encode("utf-32-le")
    seen = fused.run(by_hand(0, guests, [IMAGE], result=False, image=image))
    assert divergences.explains(Difference("(compile)", "outcome", str(failure.value), seen.trap))
    at = struct.unpack_from("<Q", seen.memories[1], ARGS)[0]
    assert seen.memories[1][at : at + len(image)] == image
