"""Reading DWARF for one address at a time: which functions it lies in, inlined ones too.

Only what a backtrace needs is decoded, of the unit that covers the address. This is for people who look at a crash; the
rewriting of whole sections is the kernel's. What cannot be read gives no frames.

Spec: DWARF 5 sections 2.17, 3.3, 6.2 and 7.25; DWARF 4.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Final, final

from meldpy.debug.cursor import Malformed
from meldpy.debug.entries import Attribute, Entry, Unit, Units, Value, is_index
from meldpy.debug.lines import LineTable, Place, line_table
from meldpy.model.core import Bytes
from meldpy.records import dataclass

_SUBPROGRAM: Final = 0x2E
_INLINED: Final = 0x1D
_CALL: Final = (Attribute.CALL_FILE, Attribute.CALL_LINE, Attribute.CALL_COLUMN)
_TOMBSTONES: Final = (0, 0xFFFFFFFE, 0xFFFFFFFF, 0xFFFFFFFFFFFFFFFE, 0xFFFFFFFFFFFFFFFF)


@final
@dataclass(frozen=True, slots=True)
class SourceFrame:
    """One function at an address. name, linkage: as its source and as linkers have it. place: None if it is unknown."""

    name: str | None
    linkage: str | None
    place: Place | None
    inlined: bool


@final
class DwarfReader:
    """The DWARF of one core module; addresses count from the content of its code section."""

    def __init__(self, sections: Mapping[str, Bytes]) -> None:
        self._sections = sections
        self._units = Units(sections)
        self._line_tables: dict[int, LineTable | None] = {}

    def frames(self, address: int) -> list[SourceFrame]:
        """The functions that `address` lies in, innermost first; none if nothing is known."""
        self._units.ask()
        try:
            found = [
                (start, number, chain)
                for number, unit in enumerate(self._units.all())
                if unit.top is not None and self._covers(unit, unit.top, address)
                for start, chain in self._chains(unit, address)
            ]
            if found:
                _, number, chain = max(found, key=lambda each: each[0])
                return self._frames_of(self._units.all()[number], chain, address)
        except (Malformed, RecursionError):
            pass
        return []

    # --- ranges
    def _ranges(self, unit: Unit, entry: Entry) -> list[tuple[int, int]] | None:
        """The ranges of an entry; None if it says nothing of them."""
        attributes = entry.attributes
        if Attribute.RANGES in attributes:
            ranges = list(self._range_list(unit, attributes[Attribute.RANGES]))
            self._units.spend(len(ranges))
            return ranges
        if Attribute.LOW_PC not in attributes or Attribute.HIGH_PC not in attributes:
            return None
        low = self._units.address(unit, attributes[Attribute.LOW_PC])
        form, value = attributes[Attribute.HIGH_PC]
        if not isinstance(value, int):
            raise Malformed
        high = value if form == 0x01 else self._units.address(unit, (form, value)) if is_index(form) else low + value
        # a constant is no linker's work: its 0 is the start of the code (wasm-tools writes units so)
        plain = attributes[Attribute.LOW_PC][0] != 0x01 and not is_index(attributes[Attribute.LOW_PC][0])
        return [] if low in _TOMBSTONES and not (plain and low == 0) else [(low, high)]

    def _range_list(self, unit: Unit, attribute: tuple[int, Value]) -> Iterator[tuple[int, int]]:
        form, value = attribute
        if not isinstance(value, int):
            raise Malformed
        base, size = unit.low, unit.address_size
        if unit.version < 5:
            words = self._units.words("ranges", value)
            while True:
                low, high = words.sized(size), words.sized(size)
                if not low and not high:
                    return
                if low == (1 << 8 * size) - 1:
                    base = high
                elif low not in _TOMBSTONES[1:]:
                    yield base + low, base + high
        if form == 0x23:
            value = unit.rnglists + self._units.words("rnglists", unit.rnglists + 4 * value).u32()
        words = self._units.words("rnglists", value)

        def indexed() -> int:
            return self._units.address(unit, (0x1B, words.uleb()))

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

    def _covers(self, unit: Unit, entry: Entry, address: int) -> bool:
        """Whether the unit's entry covers the address, or does not say."""
        ranges = self._ranges(unit, entry)
        return ranges is None or any(low <= address < high for low, high in ranges)

    # --- frames
    def _chains(self, unit: Unit, address: int) -> Iterator[tuple[int, list[Entry]]]:
        """Each subprogram that covers the address, with its start and the inlined calls in it that do, outermost first.

        There is more than one only where a weak definition that lost still claims the code of others.
        """
        chain: list[Entry] = []
        open_at: list[int] = []
        start = depth = 0
        at = unit.first
        while at < unit.end:
            entry, at = self._units.entry(unit, at)
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

    def _frames_of(self, unit: Unit, chain: list[Entry], address: int) -> list[SourceFrame]:
        lines = self._lines(unit)
        place = None if lines is None else lines.find(address)
        frames: list[SourceFrame] = []
        for entry in reversed(chain):
            inlined = entry.tag == _INLINED
            name, linkage = (self._units.name(unit, entry, each) for each in (Attribute.NAME, Attribute.LINKAGE_NAME))
            frames.append(SourceFrame(name, linkage, place, inlined))
            if inlined and lines is not None and Attribute.CALL_LINE in entry.attributes:
                file, line, column = (
                    self._units.number(entry, each) if each in entry.attributes else 0 for each in _CALL
                )
                place = Place(lines.file(file), line, column) if line else None
        return frames

    def _lines(self, unit: Unit) -> LineTable | None:
        """The unit's line table; None if it has none, or one that cannot be read."""
        if unit.start not in self._line_tables:
            self._line_tables[unit.start] = None
            if unit.top is not None and Attribute.STMT_LIST in unit.top.attributes:
                directory = self._units.text(unit, unit.top, Attribute.COMP_DIR)
                offset = self._units.number(unit.top, Attribute.STMT_LIST)
                with suppress(Malformed):
                    table = line_table(self._sections, offset, directory, self._units.string_at)
                    self._line_tables[unit.start] = table
        return self._line_tables[unit.start]
