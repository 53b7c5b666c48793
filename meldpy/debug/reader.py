"""Reading DWARF for one address at a time: which functions it lies in, inlined ones too.

Only what a backtrace needs is decoded, of the unit that covers the address. This is for people who look at a crash; the
rewriting of whole sections is the kernel's. What cannot be read gives no frames.

Spec: DWARF 5 sections 2, 3.3, 6.2 and 7.5; DWARF 4.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, TypeAlias, final

from meldpy.debug.cursor import Malformed
from meldpy.debug.lines import LineTable, Place, line_table
from meldpy.debug.words import Words
from meldpy.model.core import Bytes
from meldpy.records import dataclass, field

_SUBPROGRAM: Final = 0x2E
_INLINED: Final = 0x1D
_NAME, _LOW, _HIGH, _STMT_LIST, _COMP_DIR = 0x03, 0x11, 0x12, 0x10, 0x1B
_ABSTRACT_ORIGIN, _SPECIFICATION, _RANGES, _LINKAGE_NAME = 0x31, 0x47, 0x55, 0x6E
_CALL_COLUMN, _CALL_FILE, _CALL_LINE = 0x57, 0x58, 0x59
_STR_OFFSETS_BASE, _ADDR_BASE, _RNGLISTS_BASE = 0x72, 0x73, 0x74
_WANTED: Final = frozenset(
    {
        *(_NAME, _LOW, _HIGH, _STMT_LIST, _COMP_DIR, _ABSTRACT_ORIGIN, _SPECIFICATION, _RANGES, _LINKAGE_NAME),
        *(_CALL_COLUMN, _CALL_FILE, _CALL_LINE, _STR_OFFSETS_BASE, _ADDR_BASE, _RNGLISTS_BASE),
    }
)
_MOST_ORIGINS: Final = 8
_MORE_HEADER: Final = {2: 12, 4: 8, 5: 8, 6: 12}
"""Bytes of the header of version 5 that only units of these kinds have."""
_TOMBSTONES: Final = (0, 0xFFFFFFFE, 0xFFFFFFFF, 0xFFFFFFFFFFFFFFFE, 0xFFFFFFFFFFFFFFFF)

Value: TypeAlias = "int | bytes | None"
Abbreviations: TypeAlias = "dict[int, tuple[int, bool, tuple[tuple[int, int, int], ...]]]"
"""By code: tag, whether there are children, and the attributes as (attribute, form, constant)."""


@final
@dataclass(frozen=True, slots=True)
class SourceFrame:
    """One function at an address. name, linkage: as its source and as linkers have it. place: None if it is unknown."""

    name: str | None
    linkage: str | None
    place: Place | None
    inlined: bool


@final
@dataclass(frozen=True, slots=True)
class _Entry:
    """One entry: where it lies in .debug_info, its tag, and the attributes that are wanted, as (form, value)."""

    offset: int
    tag: int
    children: bool
    attributes: Mapping[int, tuple[int, Value]]


@final
@dataclass(slots=True)
class _Unit:
    start: int
    end: int
    first: int
    version: int
    address_size: int
    abbreviations: Abbreviations
    str_offsets: int = 8
    addr: int = 8
    rnglists: int = 12
    low: int = 0
    top: _Entry | None = None
    lines: LineTable | None = field(default=None)


@final
class DwarfReader:
    """The DWARF of one core module; addresses count from the content of its code section."""

    def __init__(self, sections: Mapping[str, Bytes]) -> None:
        self.sections = sections
        self._abbreviations: dict[int, Abbreviations] = {}
        self._units: list[_Unit] | None = None

    def frames(self, address: int) -> list[SourceFrame]:
        """The functions that `address` lies in, innermost first; none if nothing is known."""
        try:
            found = [
                (start, number, chain)
                for number, unit in enumerate(self._all_units())
                if unit.top is not None and self._covers(unit, unit.top, address)
                for start, chain in self._chains(unit, address)
            ]
            if found:
                _, number, chain = max(found, key=lambda each: each[0])
                return self._frames_of(self._all_units()[number], chain, address)
        except (Malformed, RecursionError):
            pass
        return []

    # --- sections and units
    def _words(self, name: str, at: int = 0) -> Words:
        return Words(self.sections.get(f".debug_{name}", b""), at)

    def _all_units(self) -> list[_Unit]:
        if self._units is None:
            self._units = []
            size = len(self.sections.get(".debug_info", b""))
            at = 0
            while at < size:
                unit = self._unit(at)
                self._units.append(unit)
                at = unit.end
        return self._units

    def _unit(self, start: int) -> _Unit:
        words = self._words("info", start)
        length = words.u32()
        if length >= 0xFFFFFFF0:
            raise Malformed
        end = words.at + length
        version = words.u16()
        if version == 5:
            kind, address_size, abbreviations = words.u8(), words.u8(), words.u32()
            if kind in _MORE_HEADER:
                words.skip(_MORE_HEADER[kind])
        else:
            abbreviations, address_size = words.u32(), words.u8()
        unit = _Unit(start, end, words.at, version, address_size, self._table(abbreviations))
        unit.top, _ = self._entry(unit, unit.first)
        if unit.top is not None:
            self._take_bases(unit, unit.top)
        return unit

    def _take_bases(self, unit: _Unit, top: _Entry) -> None:
        for attribute, name in ((_STR_OFFSETS_BASE, "str_offsets"), (_ADDR_BASE, "addr"), (_RNGLISTS_BASE, "rnglists")):
            if attribute in top.attributes:
                setattr(unit, name, self._number(top, attribute))
        if _LOW in top.attributes:
            unit.low = self._address(unit, top.attributes[_LOW])

    def _table(self, offset: int) -> Abbreviations:
        if offset not in self._abbreviations:
            words = self._words("abbrev", offset)
            table: Abbreviations = {}
            while code := words.uleb():
                tag, children = words.uleb(), words.u8()
                attributes: list[tuple[int, int, int]] = []
                while True:
                    attribute, form = words.uleb(), words.uleb()
                    constant = words.sleb() if form == 0x21 else 0
                    if not attribute and not form:
                        break
                    attributes.append((attribute, form, constant))
                table[code] = tag, bool(children), tuple(attributes)
            self._abbreviations[offset] = table
        return self._abbreviations[offset]

    # --- entries
    def _entry(self, unit: _Unit, offset: int) -> tuple[_Entry | None, int]:
        """The entry at `offset` of .debug_info (None for one that ends a list of children), and where the next is."""
        words = self._words("info", offset)
        code = words.uleb()
        if not code:
            return None, words.at
        if code not in unit.abbreviations:
            raise Malformed
        tag, children, attributes = unit.abbreviations[code]
        found: dict[int, tuple[int, Value]] = {}
        for attribute, form, constant in attributes:
            while form == 0x16:
                form = words.uleb()
            value = constant if form == 0x21 else words.form(form, unit.address_size, unit.version)
            if attribute in _WANTED:
                found[attribute] = form, value
        return _Entry(offset, tag, children, found), words.at

    def _number(self, entry: _Entry, attribute: int) -> int:
        value = entry.attributes[attribute][1]
        if not isinstance(value, int):
            raise Malformed
        return value

    def _address(self, unit: _Unit, attribute: tuple[int, Value]) -> int:
        form, value = attribute
        if not isinstance(value, int):
            raise Malformed
        if not _is_index(form):
            return value
        return self._words("addr", unit.addr + value * unit.address_size).sized(unit.address_size)

    def _ranges(self, unit: _Unit, entry: _Entry) -> list[tuple[int, int]] | None:
        """The ranges of an entry; None if it says nothing of them."""
        attributes = entry.attributes
        if _RANGES in attributes:
            return list(self._range_list(unit, attributes[_RANGES]))
        if _LOW not in attributes or _HIGH not in attributes:
            return None
        low = self._address(unit, attributes[_LOW])
        form, value = attributes[_HIGH]
        if not isinstance(value, int):
            raise Malformed
        high = value if form == 0x01 else self._address(unit, (form, value)) if _is_index(form) else low + value
        # a constant is no linker's work: its 0 is the start of the code (wasm-tools writes units so)
        plain = attributes[_LOW][0] != 0x01 and not _is_index(attributes[_LOW][0])
        return [] if low in _TOMBSTONES and not (plain and low == 0) else [(low, high)]

    def _range_list(self, unit: _Unit, attribute: tuple[int, Value]) -> Iterator[tuple[int, int]]:
        form, value = attribute
        if not isinstance(value, int):
            raise Malformed
        base, size = unit.low, unit.address_size
        if unit.version < 5:
            words = self._words("ranges", value)
            while True:
                low, high = words.sized(size), words.sized(size)
                if not low and not high:
                    return
                if low == (1 << 8 * size) - 1:
                    base = high
                elif low not in _TOMBSTONES[1:]:
                    yield base + low, base + high
        if form == 0x23:
            value = unit.rnglists + self._words("rnglists", unit.rnglists + 4 * value).u32()
        words = self._words("rnglists", value)

        def indexed() -> int:
            return self._address(unit, (0x1B, words.uleb()))

        while kind := words.u8():
            match kind:
                case 1:
                    base = indexed()
                case 2:
                    yield indexed(), indexed()
                case 3:
                    low = indexed()
                    yield low, low + words.uleb()
                case 4:
                    yield base + words.uleb(), base + words.uleb()
                case 5:
                    base = words.sized(size)
                case 6:
                    yield words.sized(size), words.sized(size)
                case 7:
                    low = words.sized(size)
                    yield low, low + words.uleb()
                case _:
                    raise Malformed

    def _covers(self, unit: _Unit, entry: _Entry, address: int) -> bool:
        """Whether the unit's entry covers the address, or does not say."""
        ranges = self._ranges(unit, entry)
        return ranges is None or any(low <= address < high for low, high in ranges)

    # --- frames
    def _chains(self, unit: _Unit, address: int) -> Iterator[tuple[int, list[_Entry]]]:
        """Each subprogram that covers the address, with its start and the inlined calls in it that do, outermost first.

        There is more than one only where a weak definition that lost still claims the code of others.
        """
        chain: list[_Entry] = []
        open_at: list[int] = []
        start = depth = 0
        at = unit.first
        while at < unit.end:
            entry, at = self._entry(unit, at)
            if entry is None:
                depth -= 1
                while open_at and depth <= open_at[-1]:
                    open_at.pop()
                if chain and not open_at:
                    yield start, chain
                    chain = []
                if depth <= 0:
                    break
                continue
            if entry.tag == (_INLINED if open_at else _SUBPROGRAM):
                lows = [low for low, high in self._ranges(unit, entry) or () if low <= address < high]
                if lows:
                    chain.append(entry)
                    start = start if open_at else max(lows)
                    if entry.children:
                        open_at.append(depth)
                    elif not open_at:
                        yield start, chain
                        chain = []
            depth += entry.children
        if chain:
            yield start, chain

    def _frames_of(self, unit: _Unit, chain: list[_Entry], address: int) -> list[SourceFrame]:
        lines = self._lines(unit)
        place = None if lines is None else lines.find(address)
        frames: list[SourceFrame] = []
        for entry in reversed(chain):
            inlined = entry.tag == _INLINED
            name, linkage = self._name(unit, entry, _NAME), self._name(unit, entry, _LINKAGE_NAME)
            frames.append(SourceFrame(name, linkage, place, inlined))
            if inlined and lines is not None and _CALL_LINE in entry.attributes:
                call_file = self._number(entry, _CALL_FILE) if _CALL_FILE in entry.attributes else 0
                column = self._number(entry, _CALL_COLUMN) if _CALL_COLUMN in entry.attributes else 0
                line = self._number(entry, _CALL_LINE)
                place = Place(lines.file(call_file), line, column) if line else None
        return frames

    def _lines(self, unit: _Unit) -> LineTable | None:
        if unit.lines is None and unit.top is not None and _STMT_LIST in unit.top.attributes:
            directory = self._text(unit, unit.top, _COMP_DIR)
            offset = self._number(unit.top, _STMT_LIST)
            unit.lines = line_table(self.sections, offset, directory, self._string_at)
        return unit.lines

    def _name(self, unit: _Unit, entry: _Entry, attribute: int) -> str | None:
        """A function's name: its own, or that of the definition or declaration it refers to."""
        for _ in range(_MOST_ORIGINS):
            if (name := self._text(unit, entry, attribute)) is not None:
                return name
            origin = next((a for a in (_ABSTRACT_ORIGIN, _SPECIFICATION) if a in entry.attributes), None)
            if origin is None:
                return None
            form, offset = entry.attributes[origin][0], self._number(entry, origin)
            if form == 0x10:
                unit = next((u for u in self._all_units() if u.start <= offset < u.end), unit)
            else:
                offset += unit.start
            referred, _ = self._entry(unit, offset)
            if referred is None:
                return None
            entry = referred
        return None

    # --- strings
    def _text(self, unit: _Unit, entry: _Entry, attribute: int) -> str | None:
        if attribute not in entry.attributes:
            return None
        form, value = entry.attributes[attribute]
        if isinstance(value, bytes):
            return value.decode("utf-8", "replace")
        if not isinstance(value, int):
            raise Malformed
        if form in (0x0E, 0x1F):
            return self._string_at(form, value)
        offset = self._words("str_offsets", unit.str_offsets + 4 * value).u32()
        return self._string_at(0x0E, offset)

    def _string_at(self, form: int, offset: int) -> str:
        words = self._words("line_str" if form == 0x1F else "str", offset)
        return words.text().decode("utf-8", "replace")


def _is_index(form: int) -> bool:
    """Whether a form's value is an index into .debug_addr."""
    return form == 0x1B or 0x29 <= form <= 0x2C
