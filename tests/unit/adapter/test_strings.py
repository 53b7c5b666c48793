"""Strings through an adapter: the right functions of the runtime library, bound to the right memories and reallocs."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

from meldpy.model.canon import StringEncoding
from meldpy.model.core import CoreFuncType
from meldpy.model.valtype import DefinedType, ListType, PrimValType
from tests.support.crossing import CALLEE, I32, I64, Crossing, F, GuestSide, func_of, limits
from tests.support.link_emitted import Guest, Trapped
from tests.support.string_model import LATIN1_UTF16, UTF8, UTF16, Place, bump, load, store
from tests.support.string_model import Guest as ModelGuest

NAMES = {StringEncoding.UTF8: UTF8, StringEncoding.UTF16: UTF16, StringEncoding.LATIN1_UTF16: LATIN1_UTF16}
PAGE = 65536
STRING = PrimValType.STRING
TEXTS = ("", "plain", "grün", "naïve €", "日本 🍰", "ASCII first, then a wide one: €, and latin1: ÿ")

encodings = pytest.mark.parametrize(
    ("source", "destination"),
    list(product(StringEncoding, StringEncoding)),
    ids=[f"{NAMES[a]}-to-{NAMES[b]}" for a, b in product(StringEncoding, StringEncoding)],
)
widths = pytest.mark.parametrize(("wide_source", "wide_destination"), list(product((False, True), repeat=2)))


def tag(wide: bool) -> int:
    return 1 << (63 if wide else 31)


def encode(text: str, encoding: StringEncoding, wide: bool) -> tuple[bytes, int]:
    if encoding is StringEncoding.UTF8:
        return text.encode(), len(text.encode())
    if encoding is StringEncoding.LATIN1_UTF16 and all(ord(c) < 0x100 for c in text):
        return text.encode("latin-1"), len(text)
    data = text.encode("utf-16-le")
    return data, len(data) // 2 | (tag(wide) if encoding is StringEncoding.LATIN1_UTF16 else 0)


class OneString:
    """A call site whose callee takes one string; its realloc is the model's, and it keeps what it was called with."""

    def __init__(
        self,
        source: StringEncoding,
        destination: StringEncoding,
        wide_source: bool = False,
        wide_destination: bool = False,
        place: Place = bump,
    ) -> None:
        caller = GuestSide(limits(wide_source), source)
        callee = GuestSide(limits(wide_destination), destination)
        self.crossing = Crossing([STRING], caller=caller, callee=callee)
        pointer = I64 if wide_destination else I32
        self.crossing.guests[func_of(CALLEE, F)] = Guest(CoreFuncType((pointer, pointer), ()), self.called)
        callee.realloc_result = self.realloc
        self.guest = ModelGuest(bytearray(PAGE), place)
        self.received: list[tuple[int, int]] = []
        self.crossing.build()

    def called(self, pointer: int, units: int) -> None:
        self.received.append((pointer, units))

    def realloc(self, *args: int) -> int:
        memory = self.crossing.callee.memory
        assert memory is not None
        self.guest.memory[:] = memory.read(self.crossing.store)
        pointer = self.guest.realloc(*args)
        memory.write(self.crossing.store, self.guest.memory)
        return pointer

    def send(self, data: bytes, pointer: int, units: int) -> bytes:
        """Call with `data` at `pointer`; the callee's memory behind the call."""
        caller, callee = self.crossing.caller.memory, self.crossing.callee.memory
        assert caller is not None
        assert callee is not None
        if data:
            caller.write(self.crossing.store, data, pointer)
        self.crossing.call_raw(pointer, units)
        return bytes(callee.read(self.crossing.store))

    def trap(self, data: bytes, pointer: int, units: int) -> str:
        with pytest.raises(Trapped) as trapped:
            self.send(data, pointer, units)
        return str(trapped.value)


@encodings
@widths
def test_a_string_argument_arrives_by_the_specs_steps(
    source: StringEncoding, destination: StringEncoding, wide_source: bool, wide_destination: bool
) -> None:
    site = OneString(source, destination, wide_source, wide_destination)
    expected = ModelGuest(bytearray(PAGE), bump)
    for text in TEXTS:
        data, units = encode(text, source, wide_source)
        memory = site.send(data, 512, units)
        loaded = load(bytes(512) + data, NAMES[source], tag(wide_source), 512, units)
        result = store(expected, NAMES[destination], tag(wide_destination), NAMES[source], loaded)
        assert site.received.pop() == result
        assert site.guest.calls == expected.calls
        assert memory == bytes(expected.memory)


@widths
def test_a_string_result_is_allocated_by_the_caller(wide_source: bool, wide_destination: bool) -> None:
    caller, callee = GuestSide(limits(wide_source)), GuestSide(limits(wide_destination))
    crossing = Crossing([], STRING, "grün 🍰", caller=caller, callee=callee).build()
    assert crossing.call() == "grün 🍰"
    assert caller.log == [("realloc", 0, 0, 1, 10)]
    assert callee.log == [("call",)]


def test_strings_in_a_list_share_one_instance_of_the_library() -> None:
    type = DefinedType(ListType(STRING))
    crossing = Crossing([type, STRING, type], type, ["a", "ß", ""]).build()
    sent: list[Any] = [["x", "", "ÿ"], "€", []]
    assert crossing.call(*sent) == ["a", "ß", ""]
    assert crossing.received == sent
    # for each direction the checks of its source memory, and the copying
    assert len(crossing.linked.adapted.runtime) == 4


# --- traps --------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("source", "data", "pointer", "units", "trap"),
    [
        (StringEncoding.UTF8, b"", 0, 1 << 28, "string too long"),
        (StringEncoding.UTF16, b"", 0, 1 << 27, "string too long"),
        (StringEncoding.LATIN1_UTF16, b"", 0, 1 << 31 | 1 << 27, "string too long"),
        (StringEncoding.UTF16, b"", 7, 0, "string pointer misaligned"),
        (StringEncoding.LATIN1_UTF16, b"", 7, 0, "string pointer misaligned"),
        (StringEncoding.UTF8, b"", PAGE, 1, "string out of bounds"),
        (StringEncoding.UTF8, b"", PAGE - 7, 8, "string out of bounds"),
        (StringEncoding.UTF8, b"", 0xFFFF_FFFF, 8, "string out of bounds"),
        (StringEncoding.UTF16, b"", PAGE - 2, 2, "string out of bounds"),
        (StringEncoding.LATIN1_UTF16, b"", PAGE - 2, 3, "string out of bounds"),
        (StringEncoding.UTF8, b"a\xff", PAGE - 2, 2, "invalid utf8"),
        (StringEncoding.UTF16, b"a\0\0\xd8", PAGE - 4, 2, "invalid utf16"),
        (StringEncoding.LATIN1_UTF16, b"\0\xdc", PAGE - 2, 1 << 31 | 1, "invalid utf16"),
    ],
)
@pytest.mark.parametrize("destination", list(StringEncoding))
def test_a_bad_string_traps_by_name_and_nothing_of_the_callee_runs(
    source: StringEncoding, data: bytes, pointer: int, units: int, trap: str, destination: StringEncoding
) -> None:
    site = OneString(source, destination)
    assert site.trap(data, pointer, units) == trap
    assert site.guest.calls == []
    assert site.received == []


def misplacing(call: int, pointer: int) -> Place:
    """Realloc number `call` answers `pointer`, whatever it was asked."""

    def place(guest: ModelGuest, old: int, old_size: int, align: int, new_size: int) -> int:
        if len(guest.calls) - 1 == call:
            guest.preserves = False
            return pointer
        return bump(guest, old, old_size, align, new_size)

    return place


# Texts that make each pair call realloc as often as it can.
MOST_CALLS = {
    (UTF8, UTF8): ("é", 1),
    (UTF8, UTF16): ("é", 2),
    (UTF8, LATIN1_UTF16): ("é€", 3),
    (UTF16, UTF8): ("é", 3),
    (UTF16, UTF16): ("é", 1),
    (UTF16, LATIN1_UTF16): ("é€", 2),
    (LATIN1_UTF16, UTF8): ("aé", 3),
    (LATIN1_UTF16, UTF16): ("é", 1),
    (LATIN1_UTF16, LATIN1_UTF16): ("é", 1),
}


@encodings
def test_every_result_of_realloc_is_checked(source: StringEncoding, destination: StringEncoding) -> None:
    text, calls = MOST_CALLS[NAMES[source], NAMES[destination]]
    data, units = encode(text, source, False)
    usual = OneString(source, destination)
    usual.send(data, 64, units)
    assert len(usual.guest.calls) == calls
    for call, (_, _, align, new_size) in enumerate(usual.guest.calls):
        far = (PAGE - new_size + align) & -align
        site = OneString(source, destination, place=misplacing(call, far))
        assert site.trap(data, 64, units) == "realloc result out of bounds"
        assert len(site.guest.calls) == call + 1
        if align == 2:
            site = OneString(source, destination, place=misplacing(call, 513))
            assert site.trap(data, 64, units) == "realloc returned a misaligned pointer"
            assert len(site.guest.calls) == call + 1


def test_a_block_may_end_where_the_memory_ends() -> None:
    site = OneString(StringEncoding.UTF8, StringEncoding.UTF8, place=lambda *args: PAGE - 3)
    memory = site.send(b"abc", 0, 3)
    assert memory[-3:] == b"abc"
