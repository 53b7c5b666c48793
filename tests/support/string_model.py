"""A model of how strings cross: what the spec's load and store functions do, step by step, on Python bytes.

Written from the Canonical ABI's text to predict everything that guests can see: the trap, the calls of realloc in
order, the bytes left in the destination memory (those of abandoned blocks too) and the resulting pair.
Spec: load_string_from_range, store_string_into_range.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

UTF8, UTF16, LATIN1_UTF16 = "utf8", "utf16", "latin1+utf16"
ENCODINGS = (UTF8, UTF16, LATIN1_UTF16)
MAX_BYTE_LENGTH = (1 << 28) - 1


class Trapped(Exception):
    """A trap, by its name."""


Place: TypeAlias = "Callable[[Guest, int, int, int, int], int]"


@dataclass
class Guest:
    """The destination: a memory and a realloc whose calls are logged. `place` decides where a block goes.

    place(guest, old pointer, old size, alignment, new size) -> pointer. `preserves`: contents move with the block.
    """

    memory: bytearray
    place: Place
    preserves: bool = True
    next: int = 1024
    calls: list[tuple[int, int, int, int]] = field(default_factory=list)

    def realloc(self, old: int, old_size: int, align: int, new_size: int) -> int:
        self.calls.append((old, old_size, align, new_size))
        pointer = self.place(self, old, old_size, align, new_size)
        if self.preserves and pointer != old:
            kept = min(old_size, new_size)
            self.memory[pointer : pointer + kept] = self.memory[old : old + kept]
        return pointer


def bump(guest: Guest, old: int, old_size: int, align: int, new_size: int) -> int:
    """Every block is new, as tight as its alignment allows, so that no access may pass its end."""
    pointer = guest.next + -guest.next % align
    guest.next = pointer + new_size
    return pointer


def in_place_when_shrinking(guest: Guest, old: int, old_size: int, align: int, new_size: int) -> int:
    if old and new_size <= old_size:
        return old
    return bump(guest, old, old_size, align, new_size)


@dataclass(frozen=True)
class Loaded:
    text: str
    simple_encoding: str
    code_units: int


def load(memory: bytes, encoding: str, tag: int, pointer: int, tagged: int) -> Loaded:
    """The checks of the source side, in the spec's order."""
    simple, units, alignment = encoding, tagged, 1 if encoding == UTF8 else 2
    if encoding == LATIN1_UTF16:
        simple, units = (UTF16, tagged ^ tag) if tagged & tag else ("latin1", tagged)
    size = units * 2 if simple == UTF16 else units
    if size > MAX_BYTE_LENGTH:
        raise Trapped("string too long")
    if pointer % alignment:
        raise Trapped("string pointer misaligned")
    if pointer + size > len(memory):
        raise Trapped("string out of bounds")
    codec = {UTF8: "utf-8", UTF16: "utf-16-le", "latin1": "latin-1"}[simple]
    try:
        return Loaded(memory[pointer : pointer + size].decode(codec), simple, units)
    except UnicodeDecodeError:
        raise Trapped(f"invalid {simple}") from None


def store(guest: Guest, encoding: str, tag: int, source_encoding: str, loaded: Loaded) -> tuple[int, int]:
    """Allocate and write as the spec does for this pair of encodings; the pointer and the tagged code units."""
    text, units = loaded.text, loaded.code_units
    match encoding, source_encoding, loaded.simple_encoding:
        case ("utf8", _, "utf8"):
            return _copy(guest, text.encode(), 1), units
        case ("utf8", _, simple):
            return _to_utf8(guest, text, units, units * (3 if simple == UTF16 else 2))
        case ("utf16", _, "utf8"):
            return _utf8_to_utf16(guest, text, units)
        case ("utf16", _, _):
            return _copy(guest, _utf16(text), 2), units
        case (_, "latin1+utf16", "latin1"):
            return _copy(guest, text.encode("latin-1"), 2), units
        case (_, "latin1+utf16", _):
            return _probably_utf16(guest, text, units, tag)
        case _:
            return _latin1_first(guest, text, units, tag)


def _utf16(text: str) -> bytes:
    return text.encode("utf-16-le")


def _copy(guest: Guest, data: bytes, align: int) -> int:
    pointer = guest.realloc(0, 0, align, len(data))
    guest.memory[pointer : pointer + len(data)] = data
    return pointer


def _shrink(guest: Guest, pointer: int, size: int, align: int, exact: int) -> int:
    return guest.realloc(pointer, size, align, exact) if exact < size else pointer


def _to_utf8(guest: Guest, text: str, units: int, worst: int) -> tuple[int, int]:
    data = text.encode()
    ascii = next((i for i, c in enumerate(text) if ord(c) >= 0x80), len(text))
    pointer = guest.realloc(0, 0, 1, units)
    guest.memory[pointer : pointer + ascii] = data[:ascii]
    if ascii == len(text):
        return pointer, units
    pointer = guest.realloc(pointer, units, 1, worst)
    guest.memory[pointer + ascii : pointer + len(data)] = data[ascii:]
    return _shrink(guest, pointer, worst, 1, len(data)), len(data)


def _utf8_to_utf16(guest: Guest, text: str, units: int) -> tuple[int, int]:
    data = _utf16(text)
    pointer = guest.realloc(0, 0, 2, 2 * units)
    guest.memory[pointer : pointer + len(data)] = data
    return _shrink(guest, pointer, 2 * units, 2, len(data)), len(data) // 2


def _latin1_first(guest: Guest, text: str, units: int, tag: int) -> tuple[int, int]:
    narrow = next((i for i, c in enumerate(text) if ord(c) >= 0x100), len(text))
    pointer = guest.realloc(0, 0, 2, units)
    guest.memory[pointer : pointer + narrow] = text[:narrow].encode("latin-1")
    if narrow == len(text):
        return _shrink(guest, pointer, units, 2, narrow), narrow
    pointer = guest.realloc(pointer, units, 2, 2 * units)
    # widened from what realloc has left there, not from the text
    widened = b"".join(bytes((byte, 0)) for byte in guest.memory[pointer : pointer + narrow])
    guest.memory[pointer : pointer + 2 * narrow] = widened
    data = _utf16(text)
    guest.memory[pointer + 2 * narrow : pointer + len(data)] = data[2 * narrow :]
    return _shrink(guest, pointer, 2 * units, 2, len(data)), len(data) // 2 | tag


def _probably_utf16(guest: Guest, text: str, units: int, tag: int) -> tuple[int, int]:
    pointer = _copy(guest, _utf16(text), 2)
    if any(ord(c) >= 0x100 for c in text):
        return pointer, units | tag
    guest.memory[pointer : pointer + units] = text.encode("latin-1")
    return guest.realloc(pointer, 2 * units, 1, units), units
