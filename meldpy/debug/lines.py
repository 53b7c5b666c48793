"""Line programs, run for one address. Spec: DWARF 5 section 6.2."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final, TypeAlias, final

from meldpy.debug.cursor import Malformed
from meldpy.debug.words import Words
from meldpy.model.core import Bytes
from meldpy.records import dataclass

_TOMBSTONES: Final = (0, 0xFFFFFFFE, 0xFFFFFFFF)
_PATH, _DIRECTORY = 1, 2
_MOST_FILES: Final = 1 << 20
"""With what is said of each: a version 5 table may say it in no bytes at all."""


@final
@dataclass(frozen=True, slots=True)
class Place:
    """column: 0 if it is not known, as in DWARF."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.column else f"{self.file}:{self.line}"


_Row: TypeAlias = "tuple[int, int, int, int]"
"""(address, file, line, column)"""


@final
class LineTable:
    """The rows of one unit, by sequence."""

    def __init__(self, files: Mapping[int, str], sequences: list[tuple[int, int, list[_Row]]]) -> None:
        self.files = files
        self.sequences = sequences

    def file(self, index: int) -> str:
        return self.files.get(index, "?")

    def find(self, address: int) -> Place | None:
        """The place of the last row at or before the address, in the sequence that covers it."""
        covering = [(low, rows) for low, high, rows in self.sequences if low <= address < high]
        if not covering:
            return None
        _, rows = max(covering, key=lambda each: each[0])
        _, file, line, column = max((row for row in rows if row[0] <= address), key=lambda row: row[0])
        return Place(self.file(file), line, column) if line else None


def line_table(
    sections: Mapping[str, Bytes], offset: int, directory: str | None, string_at: Callable[[int, int], str]
) -> LineTable:
    """The table at `offset` of .debug_line. `directory`: where the compiler ran; `string_at`: by form and offset."""
    words = Words(sections.get(".debug_line", b""), offset)
    length = words.u32()
    if length >= 0xFFFFFFF0:
        raise Malformed
    end = words.at + length
    version = words.u16()
    address_size = words.u8() if version == 5 else 4
    if version == 5:
        words.u8()
    program = words.u32()
    program += words.at
    words.u8()
    if version >= 4:
        words.u8()
    words.u8()
    line_base = int.from_bytes(words.skip(1), "little", signed=True)
    line_range, opcode_base = words.u8(), words.u8()
    lengths = words.skip(max(opcode_base - 1, 0))
    if not line_range or not opcode_base:
        raise Malformed
    files = _names_5(words, address_size, directory, string_at) if version == 5 else _names_4(words, directory)
    machine = _Machine(Words(sections[".debug_line"], program), min(end, len(sections[".debug_line"])), line_base)
    return LineTable(files, list(machine.run(line_range, opcode_base, lengths)))


def _joined(*parts: str | None) -> str:
    """A path from its parts: an absolute one forgets those before it."""
    path = ""
    for part in parts:
        if part:
            path = part if part.startswith("/") or not path else f"{path}/{part}"
    return path


def _names_4(words: Words, directory: str | None) -> dict[int, str]:
    directories: list[str | None] = [directory]
    while name := words.text():
        directories.append(_joined(directory, name.decode("utf-8", "replace")))
    files: dict[int, str] = {}
    while name := words.text():
        index = words.uleb()
        words.uleb()
        words.uleb()
        base = directories[index] if index < len(directories) else None
        files[len(files) + 1] = _joined(base, name.decode("utf-8", "replace"))
    return files


def _names_5(
    words: Words, address_size: int, directory: str | None, string_at: Callable[[int, int], str]
) -> dict[int, str]:
    def entries() -> Iterator[dict[int, int | str]]:
        formats = [(words.uleb(), words.uleb()) for _ in range(words.u8())]
        count = words.uleb()
        if count * (len(formats) + 1) > _MOST_FILES:
            raise Malformed
        for _ in range(count):
            entry: dict[int, int | str] = {}
            for content, form in formats:
                value = words.form(form, address_size, 5)
                if form in (0x0E, 0x1F) and isinstance(value, int):
                    entry[content] = string_at(form, value)
                elif isinstance(value, bytes):
                    entry[content] = value.decode("utf-8", "replace")
                elif value is not None:
                    entry[content] = value
            yield entry

    directories = [str(entry[_PATH]) if _PATH in entry else "" for entry in entries()]
    # the first directory is the one where the compiler ran
    first = directories[0] if directories and directories[0] else directory
    files: dict[int, str] = {}
    for index, entry in enumerate(entries()):
        at = entry.get(_DIRECTORY)
        base = directories[at] if isinstance(at, int) and 0 < at < len(directories) else None
        files[index] = _joined(first, base, str(entry[_PATH]) if _PATH in entry else "?")
    return files


@final
class _Machine:
    def __init__(self, words: Words, end: int, line_base: int) -> None:
        self.words = words
        self.end = end
        self.line_base = line_base
        self.rows: list[_Row] = []
        self._reset()

    def _reset(self) -> None:
        self.rows = []
        self.address, self.file, self.line, self.column = 0, 1, 1, 0

    def _row(self) -> None:
        self.rows.append((self.address, self.file, self.line, self.column))

    def run(self, line_range: int, opcode_base: int, lengths: bytes) -> Iterator[tuple[int, int, list[_Row]]]:
        words = self.words
        while words.at < self.end:
            op = words.u8()
            if op >= opcode_base:
                adjusted = op - opcode_base
                self.address += adjusted // line_range
                self.line += self.line_base + adjusted % line_range
                self._row()
                continue
            match op:
                case 0:
                    size = words.uleb()
                    after = words.at + size
                    code = words.u8()
                    if code == 1:
                        if self.rows and self.rows[0][0] not in _TOMBSTONES:
                            yield self.rows[0][0], self.address, self.rows
                        self._reset()
                    elif code == 2:
                        self.address = words.sized(size - 1)
                    words.at = after
                case 1:
                    self._row()
                case 2:
                    self.address += words.uleb()
                case 3:
                    self.line += words.sleb()
                case 4:
                    self.file = words.uleb()
                case 5:
                    self.column = words.uleb()
                case 8:
                    self.address += (255 - opcode_base) // line_range
                case 9:
                    self.address += words.u16()
                case 6 | 7 | 10 | 11:
                    pass
                case _:
                    for _ in range(lengths[op - 1]):
                        words.uleb()
