"""Lift and lower between simulated memories, from CanonicalABI.md (Loading, Storing, Flat Lifting, Flat Lowering).

A `Side` is one guest: its memory, its string encoding and its realloc, which behaves as the guests of `guests.py` do.
Lifting reads a value or raises `Trapped`; lowering stores it, with every realloc call that the spec prescribes, in
order. `Side.known` marks the bytes whose value the spec leaves no choice in: everything that nobody may touch, padding
and unused payload bytes too, and every byte of the value but NaN bits and what a transcoder leaves behind a string.

Values: bool; int for integers, chars, flags and the bits of floats; `Text`; a list for lists, maps, records and
tuples; (case number, payload or None) for variants, enums, options and results.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from tests.support.gen.guests import EVENT, IMAGE, LOG, PAGE, REALLOC, TOP
from tests.support.gen.layout import (
    MAX_FLAT_PARAMS,
    alignment,
    cases_of,
    discriminant_size,
    element_of,
    fields_of,
    flags_size,
    flatten,
    flatten_all,
    offsets,
    payload_offset,
    pointer_size,
    size,
    spills_params,
    up,
)
from tests.support.gen.types import STRING, Flags, Prim, TupleOf, Type

Value = Any
MAX_BYTE_LENGTH: Final = (1 << 28) - 1
"""Of strings and of lists."""

GUEST_TRAP: Final = "wasm `unreachable` instruction executed"
"""A guest's own doing: its realloc is out of memory, or its log is full."""

NAN_BITS: Final = {"f32": (0x7F80_0000, 0x7FFF_FFFF), "f64": (0x7FF0_0000_0000_0000, 0x7FFF_FFFF_FFFF_FFFF)}


class Trapped(Exception):
    """A trap; `kinds`: every rule that is broken at this place, by the names of our trap functions."""

    def __init__(self, *kinds: str) -> None:
        super().__init__(" or ".join(kinds))
        self.kinds = kinds


class Undetermined(Exception):
    """A pointer leads to bytes that the spec leaves open, such as what a transcoder left behind."""


def trap_if(*rules: tuple[bool, str]) -> None:
    broken = [kind for condition, kind in rules if condition]
    if broken:
        raise Trapped(*broken)


@dataclass(frozen=True, slots=True)
class Text:
    """A lifted string. form: utf8, utf16, latin1, or tagged for utf16 under latin1+utf16; units: its code units."""

    text: str
    form: str
    units: int


@dataclass(frozen=True, slots=True)
class Flat:
    """A core value. nan: None, or the float type whose NaN `bits` stands for: then any NaN is right."""

    bits: int
    nan: str | None = None


@dataclass(frozen=True, slots=True)
class Script:
    """How realloc behaves. fail_at: the call (from 1) that returns `fail_value`; moves: shrinking moves the block.

    grows_at: the call (from 1) that grows the memory by a page and goes on there.
    """

    fail_at: int = 0
    fail_value: int = 0
    moves: bool = False
    grows_at: int = 0


@dataclass(slots=True)
class Side:
    """One guest.

    heap: where its realloc starts; quirks: lowers as the engine that runs compositions does, see divergences.toml;
    log: every realloc call as (old, old size, align, new size, result); events: how many the guest's own log holds;
    nans: where any NaN of that type is right.
    """

    wide: bool
    encoding: str
    data: bytearray
    heap: int
    script: Script = Script()
    quirks: bool = False
    known: bytearray = field(default_factory=bytearray)
    log: list[tuple[int, ...]] = field(default_factory=list)
    events: int = 0
    nans: dict[int, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.known = bytearray(b"\xff") * len(self.data)

    # --- the guest's realloc --------------------------------------------------------------------------------------
    def realloc(self, old: int, old_size: int, align: int, new_size: int) -> int:
        """The guest's answer, checked as the caller of realloc has to."""
        result = self._answer(old, old_size, align, new_size)
        self.log.append((old, old_size, align, new_size, result))
        self.event(REALLOC, *self.log[-1])
        trap_if(
            (result % align != 0, "realloc returned a misaligned pointer"),
            (result + new_size > len(self.data), "realloc result out of bounds"),
        )
        return result

    def _answer(self, old: int, old_size: int, align: int, new_size: int) -> int:
        if len(self.log) + 1 == self.script.grows_at:
            self.heap = len(self.data)
            self.data += bytes(PAGE)
            self.known += b"\xff" * PAGE
        if len(self.log) + 1 == self.script.fail_at:
            return self.script.fail_value
        if old_size and new_size <= old_size and not self.script.moves:
            return old
        result = up(self.heap, align)
        if result + new_size > len(self.data) - TOP:
            raise Trapped(GUEST_TRAP)
        self.heap = result + new_size
        return result

    def event(self, kind: int, *numbers: int, nan: str | None = None) -> None:
        """An entry of the guest's log, which it writes itself. nan: the type of the second number, if it is a NaN."""
        at = LOG + EVENT * self.events
        if at + EVENT > IMAGE:
            raise Trapped(GUEST_TRAP)
        self.events += 1
        for i, x in enumerate((kind, *numbers, *[0] * (5 - len(numbers)))):
            self.put(at + 8 * i, 8, x, nan if i == 2 else None)

    # --- lifting --------------------------------------------------------------------------------------------------
    def number(self, at: int, count: int) -> int:
        return int.from_bytes(self.data[at : at + count], "little")

    def load(self, type: Type, at: int) -> Value:
        if isinstance(type, Prim) and type != STRING:
            return scalar(type.name, self.number(at, size(type, self.wide)))
        if isinstance(type, Flags):
            return self.number(at, flags_size(type.count)) & ((1 << type.count) - 1)
        fields, cases = fields_of(type), cases_of(type)
        if fields is not None:
            return [self.load(t, at + o) for t, o in zip(fields, offsets(fields, self.wide), strict=True)]
        if cases is not None:
            case = self.number(at, discriminant_size(len(cases)))
            trap_if((case >= len(cases), "invalid variant discriminant"))
            payload = cases[case]
            return case, None if payload is None else self.load(payload, at + payload_offset(cases, self.wide))
        pointer = pointer_size(self.wide)
        return self._load_range(type, self.number(at, pointer), self.number(at + pointer, pointer))

    def _load_range(self, type: Type, at: int, length: int) -> Value:
        element = element_of(type)
        if element is None:
            return self._load_string(at, length)
        stride = size(element, self.wide)
        trap_if(
            (length * stride > MAX_BYTE_LENGTH, "list too long"),
            (at % alignment(element, self.wide) != 0, "list pointer misaligned"),
            (at + length * stride > len(self.data), "list out of bounds"),
        )
        self._must_know(at, length * stride)
        return [self.load(element, at + i * stride) for i in range(length)]

    def _load_string(self, at: int, tagged: int) -> Text:
        tag = self._tag()
        form, units = self.encoding, tagged
        if form == "latin1+utf16":
            form, units = ("tagged", tagged ^ tag) if tagged & tag else ("latin1", tagged)
        count = units * 2 if form in ("utf16", "tagged") else units
        trap_if(
            (count > MAX_BYTE_LENGTH, "string too long"),
            (self.encoding != "utf8" and at % 2 != 0, "string pointer misaligned"),
            (at + count > len(self.data), "string out of bounds"),
        )
        self._must_know(at, count)
        data = bytes(self.data[at : at + count])
        try:
            text = data.decode({"utf8": "utf-8", "latin1": "latin-1"}.get(form, "utf-16-le"))
        except UnicodeError:
            raise Trapped("invalid utf8" if form == "utf8" else "invalid utf16") from None
        return Text(text, form, units)

    def lift(self, type: Type, flat: list[int]) -> Value:
        """Takes its core values off the front of `flat`."""
        if isinstance(type, Prim) and type != STRING:
            return scalar(type.name, flat.pop(0))
        if isinstance(type, Flags):
            return flat.pop(0) & ((1 << type.count) - 1)
        fields, cases = fields_of(type), cases_of(type)
        if fields is not None:
            return [self.lift(t, flat) for t in fields]
        if cases is None:
            return self._load_range(type, flat.pop(0), flat.pop(0))
        case = flat.pop(0)
        trap_if((case >= len(cases), "invalid variant discriminant"))
        slots = [flat.pop(0) for _ in flatten(type, self.wide)[1:]]
        payload = cases[case]
        if payload is None:
            return case, None
        own = flatten(payload, self.wide)
        narrowed = [x & 0xFFFF_FFFF if t in ("i32", "f32") else x for x, t in zip(slots, own, strict=False)]
        return case, self.lift(payload, narrowed)

    def lift_values(self, types: tuple[Type, ...], flat: list[int], most: int) -> list[Value]:
        """As the spec's lift_flat_values; `most`: how many core values may be flat."""
        if len(flatten_all(types, self.wide)) <= most:
            return [self.lift(t, flat) for t in types]
        whole = TupleOf(types)
        name = "parameters" if most == MAX_FLAT_PARAMS else "result"
        at = flat.pop(0)
        self._check_area(whole, at, name)
        self._must_know(at, size(whole, self.wide))
        loaded = self.load(whole, at)
        assert isinstance(loaded, list)
        return loaded

    def _must_know(self, at: int, count: int) -> None:
        if 0 in self.known[at : at + count]:
            raise Undetermined

    def _check_area(self, whole: Type, at: int, name: str) -> None:
        trap_if(
            (at % alignment(whole, self.wide) != 0, f"{name} pointer misaligned"),
            (at + size(whole, self.wide) > len(self.data), f"{name} pointer out of bounds"),
        )

    # --- lowering -------------------------------------------------------------------------------------------------
    def put(self, at: int, count: int, bits: int, nan: str | None = None) -> None:
        self.data[at : at + count] = bits.to_bytes(count, "little")
        self.known[at : at + count] = (b"\0" if nan else b"\xff") * count
        self._overwrite(at, count)
        if nan:
            self.nans[at] = nan

    def _overwrite(self, at: int, count: int) -> None:
        if self.nans:
            for old in range(at, at + count):
                self.nans.pop(old, None)

    def forget(self, at: int, count: int) -> None:
        self._overwrite(at, count)
        self.known[at : at + count] = bytes(count)

    def store(self, type: Type, value: Value, at: int) -> None:
        if isinstance(type, Prim) and type != STRING:
            flat = lowered(type.name, value)
            count = size(type, self.wide)
            self.put(at, count, flat.bits & ((1 << 8 * count) - 1), flat.nan)
            return
        if isinstance(type, Flags):
            self.put(at, flags_size(type.count), value)
            return
        fields, cases = fields_of(type), cases_of(type)
        if fields is not None:
            for t, v, o in zip(fields, value, offsets(fields, self.wide), strict=True):
                self.store(t, v, at + o)
        elif cases is not None:
            case, payload = value
            self.put(at, discriminant_size(len(cases)), case)
            inner = cases[case]
            if inner is not None:
                self.store(inner, payload, at + payload_offset(cases, self.wide))
        else:
            pointer, length = self._store_range(type, value)
            self.put(at, pointer_size(self.wide), pointer)
            self.put(at + pointer_size(self.wide), pointer_size(self.wide), length)

    def _store_range(self, type: Type, value: Value) -> tuple[int, int]:
        element = element_of(type)
        if element is None:
            return self._store_string(value)
        stride = size(element, self.wide)
        at = self.realloc(0, 0, alignment(element, self.wide), len(value) * stride)
        for i, v in enumerate(value):
            self.store(element, v, at + i * stride)
        return at, len(value)

    def _store_string(self, value: Text) -> tuple[int, int]:
        """(pointer, tagged code units); the realloc calls depend on both encodings and, in part, on the text."""
        units, wide_text = value.units, value.form in ("utf16", "tagged")
        match self.encoding:
            case "utf8":
                encoded, length = value.text.encode(), -1
                if value.form == "utf8":
                    at = self._block(0, 0, 1, units)
                else:
                    at = self._block(0, 0, 1, units)
                    if not value.text.isascii():
                        worst = units * (3 if wide_text else 2)
                        at = self._shrunk(self._block(at, units, 1, worst), worst, 1, len(encoded))
            case "utf16":
                encoded, length = value.text.encode("utf-16-le"), -1
                at = self._block(0, 0, 2, 2 * units)
                if value.form == "utf8":
                    at = self._shrunk(at, 2 * units, 2, len(encoded))
                length = len(encoded) // 2
            case _:
                at, encoded, length = self._store_tagged(value)
        self.data[at : at + len(encoded)] = encoded
        self.known[at : at + len(encoded)] = b"\xff" * len(encoded)
        return at, len(encoded) if length < 0 else length

    def _store_tagged(self, value: Text) -> tuple[int, bytes, int]:
        """Into latin1+utf16: (pointer, bytes, tagged code units)."""
        units, tag = value.units, self._tag()
        narrow = all(ord(c) < 256 for c in value.text)
        encoded = value.text.encode("latin-1" if narrow else "utf-16-le")
        length = len(encoded) if narrow else len(encoded) // 2 | tag
        if value.form == "latin1":
            return self._block(0, 0, 2, units), encoded, length
        if value.form == "tagged":
            at = self._block(0, 0, 2, 2 * units)
            if narrow:
                at = self._block(at, 2 * units, 2 if self.quirks else 1, len(encoded))
            return at, encoded, length
        at = self._block(0, 0, 2, units)
        if narrow:
            return self._shrunk(at, units, 2, len(encoded)), encoded, length
        at = self._block(at, units, 2, 2 * units)
        return self._shrunk(at, 2 * units, 2, len(encoded)), encoded, length

    def _tag(self) -> int:
        return 1 << (31 if self.quirks else 8 * pointer_size(self.wide) - 1)

    def _block(self, old: int, old_size: int, align: int, new_size: int) -> int:
        at = self.realloc(old, old_size, align, new_size)
        self.forget(at, new_size)
        return at

    def _shrunk(self, at: int, old_size: int, align: int, new_size: int) -> int:
        return at if new_size == old_size else self._block(at, old_size, align, new_size)

    def lower(self, type: Type, value: Value) -> list[Flat]:
        if isinstance(type, Prim) and type != STRING:
            return [lowered(type.name, value)]
        if isinstance(type, Flags):
            return [Flat(value)]
        fields, cases = fields_of(type), cases_of(type)
        if fields is not None:
            return [x for t, v in zip(fields, value, strict=True) for x in self.lower(t, v)]
        if cases is None:
            return [Flat(x) for x in self._store_range(type, value)]
        case, payload = value
        inner = cases[case]
        lowered_payload = [] if inner is None else self.lower(inner, payload)
        slots = len(flatten(type, self.wide)) - 1
        return [Flat(case), *lowered_payload, *[Flat(0)] * (slots - len(lowered_payload))]

    def lower_params(self, types: tuple[Type, ...], values: list[Value]) -> list[Flat]:
        if not spills_params(types, self.wide):
            return [x for t, v in zip(types, values, strict=True) for x in self.lower(t, v)]
        whole = TupleOf(types)
        at = self.realloc(0, 0, alignment(whole, self.wide), size(whole, self.wide))
        self.store(whole, values, at)
        return [Flat(at)]

    def store_result(self, type: Type, value: Value, at: int) -> None:
        """Into the area that the caller named."""
        self._check_area(type, at, "result")
        self.store(type, value, at)


def is_nan(name: str, bits: int) -> bool:
    infinity, magnitude = NAN_BITS[name]
    return bits & magnitude > infinity


def scalar(name: str, bits: int) -> Value:
    """A primitive value from an integer that may be wider than it."""
    match name:
        case "bool":
            return bool(bits)
        case "char":
            trap_if((bits >= 0x110000 or 0xD800 <= bits <= 0xDFFF, "invalid char"))
            return bits
        case "f32" | "f64":
            return bits
    width = int(name[1:])
    bits &= (1 << width) - 1
    return bits - (1 << width) if name.startswith("s") and bits >> (width - 1) else bits


def lowered(name: str, value: Value) -> Flat:
    if name in NAN_BITS:
        return Flat(value, name if is_nan(name, value) else None)
    return Flat(int(value) & ((1 << (64 if name.endswith("64") else 32)) - 1))
