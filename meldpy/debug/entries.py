"""Units and entries of DWARF, decoded where they are asked for: what `reader` finds functions with.

Of an entry only the attributes that a backtrace needs are kept. Whatever does not follow the format is Malformed, and
so is what keeps its reader busy: attributes without bytes, and lists that everything refers to.

Spec: DWARF 5 sections 2 and 7.5; DWARF 4.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from enum import IntEnum, unique
from typing import Final, TypeAlias, final

from meldpy.debug.cursor import Malformed
from meldpy.debug.words import Words
from meldpy.model.core import Bytes
from meldpy.records import dataclass


@unique
class Attribute(IntEnum):
    """Those that are kept."""

    NAME = 0x03
    STMT_LIST = 0x10
    LOW_PC = 0x11
    HIGH_PC = 0x12
    COMP_DIR = 0x1B
    ABSTRACT_ORIGIN = 0x31
    SPECIFICATION = 0x47
    RANGES = 0x55
    CALL_COLUMN = 0x57
    CALL_FILE = 0x58
    CALL_LINE = 0x59
    LINKAGE_NAME = 0x6E
    STR_OFFSETS_BASE = 0x72
    ADDR_BASE = 0x73
    RNGLISTS_BASE = 0x74


_WANTED: Final = frozenset(Attribute)
_ORIGINS: Final = (Attribute.ABSTRACT_ORIGIN, Attribute.SPECIFICATION)
_MOST_ORIGINS: Final = 8
_EFFORT: Final = 4
"""Steps that one question may take for each byte; what compilers write takes two at most."""
_LEAST_EFFORT: Final = 1 << 20
_MORE_HEADER: Final = {2: 12, 4: 8, 5: 8, 6: 12}
"""Bytes of the header of version 5 that only units of these kinds have."""

Value: TypeAlias = "int | bytes | None"
Abbreviations: TypeAlias = "dict[int, tuple[int, bool, tuple[tuple[int, int, int], ...]]]"
"""By code: tag, whether there are children, and the attributes as (attribute, form, constant)."""


@final
@dataclass(frozen=True, slots=True)
class Entry:
    """One entry: where it lies in .debug_info, its tag, and the attributes that are wanted, as (form, value)."""

    offset: int
    tag: int
    children: bool
    attributes: Mapping[int, tuple[int, Value]]


@final
@dataclass(slots=True)
class Unit:
    """One unit: where it lies in .debug_info (its entries begin at `first`), and the bases that its indices count from.

    low: what its lists of ranges count from. top: its first entry, if it has any.
    """

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
    top: Entry | None = None


@final
class Units:
    """The units of one core module's DWARF, and what their entries say."""

    def __init__(self, sections: Mapping[str, Bytes]) -> None:
        self._sections = sections
        self._abbreviations: dict[int, Abbreviations] = {}
        self._units: list[Unit] | None = None
        self._left = 0

    def ask(self) -> None:
        """A new question begins."""
        self._left = _LEAST_EFFORT + _EFFORT * sum(map(len, self._sections.values()))

    def spend(self, steps: int) -> None:
        """Raises Malformed if the question has taken too long."""
        self._left -= steps
        if self._left < 0:
            raise Malformed

    def words(self, name: str, at: int = 0) -> Words:
        """At an offset in a section."""
        return Words(self._sections.get(f".debug_{name}", b""), at)

    def all(self) -> list[Unit]:
        """In the order of .debug_info. Behind one that is malformed nothing is found."""
        if self._units is None:
            self._units = []
            size = len(self._sections.get(".debug_info", b""))
            at = 0
            with suppress(Malformed):
                while at < size:
                    unit = self._unit(at)
                    self._units.append(unit)
                    at = unit.end
        return self._units

    def _unit(self, start: int) -> Unit:
        words = self.words("info", start)
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
        unit = Unit(start, end, words.at, version, address_size, self._table(abbreviations))
        unit.top, _ = self.entry(unit, unit.first)
        if unit.top is not None:
            self._take_bases(unit, unit.top)
        return unit

    def _take_bases(self, unit: Unit, top: Entry) -> None:
        for attribute, name in (
            (Attribute.STR_OFFSETS_BASE, "str_offsets"),
            (Attribute.ADDR_BASE, "addr"),
            (Attribute.RNGLISTS_BASE, "rnglists"),
        ):
            if attribute in top.attributes:
                setattr(unit, name, self.number(top, attribute))
        if Attribute.LOW_PC in top.attributes:
            unit.low = self.address(unit, top.attributes[Attribute.LOW_PC])

    def _table(self, offset: int) -> Abbreviations:
        if offset not in self._abbreviations:
            words = self.words("abbrev", offset)
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
                self.spend(1 + len(attributes))
                table[code] = tag, bool(children), tuple(attributes)
            self._abbreviations[offset] = table
        return self._abbreviations[offset]

    # --- entries
    def entry(self, unit: Unit, offset: int) -> tuple[Entry | None, int]:
        """The entry at `offset` of .debug_info (None for one that ends a list of children), and where the next is."""
        words = self.words("info", offset)
        code = words.uleb()
        if not code:
            return None, words.at
        if code not in unit.abbreviations:
            raise Malformed
        tag, children, attributes = unit.abbreviations[code]
        self.spend(1 + len(attributes))
        found: dict[int, tuple[int, Value]] = {}
        for attribute, form, constant in attributes:
            while form == 0x16:
                form = words.uleb()
            value = constant if form == 0x21 else words.form(form, unit.address_size, unit.version)
            if attribute in _WANTED:
                found[attribute] = form, value
        return Entry(offset, tag, children, found), words.at

    def number(self, entry: Entry, attribute: int) -> int:
        value = entry.attributes[attribute][1]
        if not isinstance(value, int):
            raise Malformed
        return value

    def address(self, unit: Unit, attribute: tuple[int, Value]) -> int:
        form, value = attribute
        if not isinstance(value, int):
            raise Malformed
        if not is_index(form):
            return value
        return self.words("addr", unit.addr + value * unit.address_size).sized(unit.address_size)

    def name(self, unit: Unit, entry: Entry, attribute: int) -> str | None:
        """A function's name: its own, or that of the definition or declaration it refers to."""
        for _ in range(_MOST_ORIGINS):
            if (name := self.text(unit, entry, attribute)) is not None:
                return name
            origin = next((each for each in _ORIGINS if each in entry.attributes), None)
            if origin is None:
                return None
            form, offset = entry.attributes[origin][0], self.number(entry, origin)
            if form == 0x10:
                unit = next((u for u in self.all() if u.start <= offset < u.end), unit)
            else:
                offset += unit.start
            referred, _ = self.entry(unit, offset)
            if referred is None:
                return None
            entry = referred
        return None

    # --- strings
    def text(self, unit: Unit, entry: Entry, attribute: int) -> str | None:
        if attribute not in entry.attributes:
            return None
        form, value = entry.attributes[attribute]
        if isinstance(value, bytes):
            return value.decode("utf-8", "replace")
        if not isinstance(value, int):
            raise Malformed
        if form in (0x0E, 0x1F):
            return self.string_at(form, value)
        offset = self.words("str_offsets", unit.str_offsets + 4 * value).u32()
        return self.string_at(0x0E, offset)

    def string_at(self, form: int, offset: int) -> str:
        words = self.words("line_str" if form == 0x1F else "str", offset)
        return words.text().decode("utf-8", "replace")


def is_index(form: int) -> bool:
    """Whether a form's value is an index into .debug_addr."""
    return form == 0x1B or 0x29 <= form <= 0x2C
