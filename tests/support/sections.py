"""Reading and writing the outermost layer of a component's binary, for test tools that must not rely on the project.

Knows section framing, names, LEB128 and the shape of imports, exports and aliases; nothing of types or code.
See Binary.md, "Component Definitions".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

PREAMBLE = b"\0asm\x0d\0\x01\0"

CUSTOM, CORE_MODULE, COMPONENT, INSTANCE, ALIAS, TYPE, CANON, IMPORT, EXPORT = 0, 1, 4, 5, 6, 7, 8, 10, 11
SORT_CORE, SORT_FUNC, SORT_TYPE, SORT_COMPONENT, SORT_INSTANCE = 0, 1, 3, 4, 5


class NotReadable(Exception):
    """The binary holds something that these small readers do not know."""


@dataclass(slots=True)
class Reader:
    """A position in `data`."""

    data: bytes
    pos: int = 0

    def byte(self) -> int:
        self.pos += 1
        return self.data[self.pos - 1]

    def u32(self) -> int:
        value = shift = 0
        while True:
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    def take(self, size: int) -> bytes:
        if self.pos + size > len(self.data):
            raise NotReadable("a section is cut short")
        self.pos += size
        return self.data[self.pos - size : self.pos]

    def name(self) -> str:
        return self.take(self.u32()).decode()


@dataclass(frozen=True, slots=True)
class Extern:
    """One import or export. raw: its bytes as they stand in the section; index: an export's item in its sort."""

    name: str
    sort: int
    raw: bytes
    index: int | None


def sections(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The (id, body) of each top-level section of a component."""
    if data[:8] != PREAMBLE:
        raise NotReadable("not a component")
    reader = Reader(data, 8)
    while reader.pos < len(data):
        section = reader.byte()
        size = reader.u32()
        yield section, reader.take(size)


def root_imports(data: bytes) -> list[Extern]:
    return [item for section, body in sections(data) if section == IMPORT for item in read_externs(body, exports=False)]


def root_exports(data: bytes) -> list[Extern]:
    return [item for section, body in sections(data) if section == EXPORT for item in read_externs(body, exports=True)]


def read_externs(body: bytes, *, exports: bool) -> list[Extern]:
    """The items of an import or export section, in order."""
    reader = Reader(body)
    items = []
    for _ in range(reader.u32()):
        start = reader.pos
        if reader.byte() not in (0, 1):
            raise NotReadable("a name with options")
        name = reader.name()
        sort = reader.byte()
        index = None
        if exports:
            if sort == SORT_CORE:
                reader.byte()
            index = reader.u32()
            if reader.byte():
                _skip_extern_type(reader, reader.byte())
        else:
            _skip_extern_type(reader, sort)
        items.append(Extern(name, sort, body[start : reader.pos], index))
    return items


def _skip_extern_type(reader: Reader, sort: int) -> None:
    if sort in (SORT_FUNC, SORT_COMPONENT, SORT_INSTANCE):
        reader.u32()
    elif sort == SORT_TYPE:
        if reader.byte() == 0:
            reader.u32()
    else:
        raise NotReadable(f"an import or export of sort {sort}")


def leb(value: int) -> bytes:
    """Unsigned LEB128, minimal."""
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def string(text: str) -> bytes:
    data = text.encode()
    return leb(len(data)) + data


def vec(items: Iterable[bytes]) -> bytes:
    listed = list(items)
    return leb(len(listed)) + b"".join(listed)
