"""One composition for each `[[jco]]` entry of divergences.toml: what jco does with it, and what the fused form does."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.gen.calls import Ready, by_hand, expect
from tests.support.gen.guests import IMAGE, Func, Guest
from tests.support.gen.run import COMPOSED, FUSED, Seen
from tests.support.gen.scenario import PATTERNS, Scenario
from tests.support.gen.types import STRING, Prim
from tests.support.jco import linked, oracle
from tests.support.jco.known import Disagreement, load
from tests.support.jco.linked import LINKED
from tests.support.jco.player import Part, Player

pytestmark = pytest.mark.toolchain
GUESTS = (Guest(False, 1, PATTERNS[0]), Guest(False, 1, PATTERNS[1]))
LONE_SURROGATE = b"a\0\0\xd8b\0"


@pytest.fixture(scope="module")
def player() -> Iterator[Player]:
    with Player() as started:
        yield started


def played(player: Player, encodings: tuple[str, str], text: bytes) -> tuple[Disagreement, Seen]:
    """A string of these bytes as a parameter, composed (with what the model expects) and fused."""
    func = Func((STRING,), None, encodings, post_return=False)
    length = len(text) // (2 if encodings[0] == "utf16" else 1)
    call: Ready = by_hand(0, GUESTS, [IMAGE, length], result=False, image=text)
    scenario = Scenario([func], GUESTS)
    player.load(COMPOSED, [Part(oracle.composed(scenario))])
    player.load(FUSED, [Part(oracle.fused(scenario))])
    return Disagreement(COMPOSED, (func,), expect(call, func, GUESTS), player.run(COMPOSED, call)), player.run(
        FUSED, call
    )


def assert_explained(disagreement: Disagreement, id: str, arrived: bytes) -> None:
    known = load()
    assert arrived in disagreement.seen.memories[1]
    assert known.explains(disagreement)
    assert known.excused == {id: 1}


def test_ill_formed_utf8_is_copied_between_utf8_guests(player: Player) -> None:
    disagreement, fused = played(player, ("utf8", "utf8"), b"<\xc0\xff>")
    assert fused.trap == "invalid utf8"
    assert_explained(disagreement, "jco-utf8-copied-unchecked", b"<\xc0\xff>")


def test_ill_formed_utf8_becomes_replacement_characters_in_utf16(player: Player) -> None:
    disagreement, fused = played(player, ("utf8", "utf16"), b"<\xc0\xff>")
    assert fused.trap == "invalid utf8"
    assert_explained(disagreement, "jco-utf8-replaced", "<\ufffd\ufffd>".encode("utf-16-le"))


def test_a_lone_surrogate_becomes_a_replacement_character_in_utf8(player: Player) -> None:
    disagreement, fused = played(player, ("utf16", "utf8"), LONE_SURROGATE)
    assert fused.trap == "invalid utf16"
    assert_explained(disagreement, "jco-utf16-replaced", "a\ufffdb".encode())


def test_a_byte_order_mark_is_lost_from_utf8_to_utf16(player: Player) -> None:
    disagreement, fused = played(player, ("utf8", "utf16"), "\ufeffa\ufeff".encode())
    [marked, bare] = (text.encode("utf-16-le") for text in ("\ufeffa\ufeff", "a\ufeff"))
    assert marked in fused.memories[1]
    assert marked not in disagreement.seen.memories[1]
    assert_explained(disagreement, "jco-byte-order-mark-dropped", bare)


@pytest.mark.parametrize("bits", [8, 16])
def test_a_negative_integer_that_is_not_sign_extended_is_refused(player: Player, bits: int) -> None:
    func = Func((Prim(f"s{bits}"),), None, ("utf8", "utf8"), post_return=False)
    scenario = Scenario([func], GUESTS)
    player.load(LINKED, linked.parts(scenario))
    extended, plain = (by_hand(0, GUESTS, [core], result=False, image=b"") for core in (0xFFFF_FFFF, (1 << bits) - 1))
    assert linked.arrived(func, extended, player.run(LINKED, extended).memories)[0] == -1
    expected = expect(plain, func, GUESTS)
    assert expected.sides is not None
    assert linked.arrived(func, plain, tuple(bytes(side.data) for side in expected.sides))[0] == -1
    known = load()
    assert known.explains(Disagreement(LINKED, (func,), expected, player.run(LINKED, plain)))
    assert known.excused == {"jco-negative-integer-refused": 1}


def test_a_string_that_node_does_not_encode_is_refused(player: Player) -> None:
    func = Func((STRING,), None, ("utf8", "utf8"), post_return=False)
    alphabet = "abcdefghijklmnopqrstuvwxyz"
    text = f"abcdefghijklmno\U00010000qrstuvwxyz{alphabet * 3}abcd\u07ff".encode()
    call = by_hand(0, GUESTS, [IMAGE, len(text)], result=False, image=text)
    player.load(LINKED, linked.parts(Scenario([func], GUESTS)))
    known = load()
    assert known.explains(Disagreement(LINKED, (func,), expect(call, func, GUESTS), player.run(LINKED, call)))
    assert known.excused == {"jco-string-not-encoded": 1}


@pytest.mark.parametrize("encodings", [("utf8", "utf8"), ("utf8", "utf16"), ("utf16", "utf8")])
def test_a_good_string_is_not_explained(player: Player, encodings: tuple[str, str]) -> None:
    text = "a\ufffdb".encode("utf-16-le" if encodings[0] == "utf16" else "utf-8")
    disagreement, fused = played(player, encodings, text)
    assert disagreement.seen.trap is None
    assert fused.trap is None
    assert not load().explains(disagreement)


def test_each_entry_names_a_test_of_this_file() -> None:
    entries = load().entries
    assert entries
    for entry in entries:
        file, name = entry.test.split("::")
        assert file == "test_jco_divergences.py"
        assert name in globals()
