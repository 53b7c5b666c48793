"""Source maps of all inputs in one, for the places where their code went.

A map's columns are byte offsets in the core module's file, so what is written here is right only for a module whose
layout no longer changes. Maps of maps are made flat, because they can only shift columns, not rewrite them. What ends a
module's code ends its mappings, too, so that its last line does not go on into another's code.

Spec: ECMA-426 (source map revision 3); WebAssembly's tool conventions, "Debugging".
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, TypeAlias, final

from meldpy.asm.leb import unsigned
from meldpy.debug.cursor import Cursor, Malformed
from meldpy.model.core import CoreModule, RawCustom
from meldpy.model.fused import MergedUnit
from meldpy.records import dataclass, field

SECTION: Final = "sourceMappingURL"
_INLINE: Final = "data:application/json;base64,"
_DIGITS: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_VALUES: Final = {digit: value for value, digit in enumerate(_DIGITS)}

ReadMap: TypeAlias = "Callable[[str, str], bytes | None]"
"""The bytes of a map, given an input's source and the URL that it names; None if there is nothing to be read."""
Segment: TypeAlias = "tuple[int, ...]"
"""(column) ends a mapping; (column, source, line, source column) and perhaps a name begins one."""


@final
@dataclass(slots=True)
class _Joined:
    """The map under construction."""

    sources: dict[tuple[str, str | None], int] = field(default_factory=dict)
    names: dict[str, int] = field(default_factory=dict)
    ignored: set[int] = field(default_factory=set)
    segments: list[Segment] = field(default_factory=list)

    def text(self) -> bytes:
        result: dict[str, Any] = {
            "version": 3,
            "sources": [source for source, _ in self.sources],
            "names": list(self.names),
            "mappings": _encoded(self.segments),
        }
        if any(content is not None for _, content in self.sources):
            result["sourcesContent"] = [content for _, content in self.sources]
        if self.ignored:
            result["ignoreList"] = sorted(self.ignored)
        return json.dumps(result, ensure_ascii=False, separators=(",", ":")).encode()


def mapping_url(module: CoreModule) -> str | None:
    """The URL in the module's section; None without one. Raises Malformed."""
    found = None
    for custom in module.customs:
        if isinstance(custom.section, RawCustom) and custom.section.name == SECTION:
            found = Cursor(custom.section.data).name()
    return found


def join_maps(units: Iterable[MergedUnit], code_offset: int, read: ReadMap) -> tuple[bytes | None, list[str]]:
    """The joined map, None if no unit has one, and notes about those that cannot be read.

    `code_offset`: of the first body in the file of the merged module.
    """
    joined = _Joined()
    notes: list[str] = []
    for unit in units:
        try:
            url = mapping_url(unit.module)
            if url is None:
                continue
            data = inline_map(url) if url.startswith("data:") else read(unit.source, url)
            if data is None:
                notes.append(f"dropped the source map of {unit.label} in {unit.component}: {url[:80]} was not found")
                continue
            _add(joined, unit, json.loads(data), code_offset)
        except (Malformed, ValueError, RecursionError, KeyError, TypeError, IndexError):
            notes.append(f"dropped the source map of {unit.label} in {unit.component}: it is malformed")
    return (joined.text() if joined.segments else None), notes


def inline_map(url: str) -> bytes:
    """The map that a `data:` URL holds. Raises ValueError."""
    head, comma, body = url.partition(",")
    if not comma or not head.endswith(";base64"):
        raise ValueError(head)
    return base64.b64decode(body, validate=True)


def inline_url(data: bytes) -> str:
    return _INLINE + base64.b64encode(data).decode()


def section_of(url: str) -> bytes:
    """The content of the section that names `url`."""
    name = url.encode()
    return unsigned(len(name)) + name


# --- one input's map --------------------------------------------------------------------------------------------------
@final
@dataclass(frozen=True, slots=True)
class _Flat:
    """A map without parts: segments with absolute numbers, and what those count."""

    sources: list[tuple[str, str | None]]
    names: list[str]
    ignored: list[int]
    segments: list[Segment]


def _add(joined: _Joined, unit: MergedUnit, given: Any, code_offset: int) -> None:
    flat = _flat(given)
    if unit.positions is None:
        return
    sources = [joined.sources.setdefault(source, len(joined.sources)) for source in flat.sources]
    names = [joined.names.setdefault(name, len(joined.names)) for name in flat.names]
    joined.ignored.update(sources[index] for index in flat.ignored)
    first = unit.module.code.offset - unit.module.offset
    new_first = code_offset + unit.base
    added: list[Segment] = []
    for column, *rest in sorted(flat.segments):
        old = column - first
        if not 0 <= old < len(unit.positions.table) - 1 or not unit.positions.kept(old):
            continue
        moved = new_first + unit.positions.new(old)
        if rest:
            moved_rest = (sources[rest[0]], rest[1], rest[2], *(names[name] for name in rest[3:]))
            added.append((moved, *moved_rest))
        else:
            added.append((moved,))
    if added:
        joined.segments += [*added, (new_first + unit.positions.new(len(unit.positions.table) - 1),)]


def _flat(given: Any) -> _Flat:
    if not isinstance(given, dict) or given.get("version") != 3:
        raise Malformed
    if "sections" in given:
        return _flattened(given["sections"])
    root = given.get("sourceRoot") or ""
    contents = given.get("sourcesContent") or []
    sources: list[tuple[str, str | None]] = []
    for index, source in enumerate(given["sources"]):
        content = contents[index] if index < len(contents) else None
        if not isinstance(source, str | None) or not isinstance(content, str | None):
            raise Malformed
        sources.append((_rooted(root, source or ""), content))
    names = [str(name) for name in given.get("names") or []]
    ignored = [int(index) for index in given.get("ignoreList") or given.get("x_google_ignoreList") or []]
    segments = list(_decoded(given["mappings"], len(sources), len(names)))
    if any(not 0 <= index < len(sources) for index in ignored):
        raise Malformed
    return _Flat(sources, names, ignored, segments)


def _rooted(root: str, source: str) -> str:
    if not root or "://" in source or source.startswith("/"):
        return source
    return root + source if root.endswith("/") else f"{root}/{source}"


def _flattened(parts: Any) -> _Flat:
    whole = _Flat([], [], [], [])
    for part in parts:
        offset = part["offset"]
        if offset["line"] != 0:
            raise Malformed
        flat = _flat(part["map"])
        sources, names = len(whole.sources), len(whole.names)
        for column, *rest in flat.segments:
            moved = (rest[0] + sources, *rest[1:3], *(name + names for name in rest[3:])) if rest else ()
            whole.segments.append((column + int(offset["column"]), *moved))
        whole.sources.extend(flat.sources)
        whole.names.extend(flat.names)
        whole.ignored.extend(index + sources for index in flat.ignored)
    return whole


# --- mappings ---------------------------------------------------------------------------------------------------------
def _decoded(mappings: str, sources: int, names: int) -> Iterator[Segment]:
    """The segments of the one line there is, with absolute numbers."""
    if ";" in mappings.rstrip(";"):
        raise Malformed
    column = source = line = at = name = 0
    for segment in mappings.rstrip(";").split(","):
        if not segment:
            continue
        numbers = _numbers(segment)
        column += numbers[0]
        if column < 0:
            raise Malformed
        if len(numbers) == 1:
            yield (column,)
            continue
        if len(numbers) not in (4, 5):
            raise Malformed
        source += numbers[1]
        line += numbers[2]
        at += numbers[3]
        if not 0 <= source < sources or line < 0 or at < 0:
            raise Malformed
        if len(numbers) == 4:
            yield column, source, line, at
            continue
        name += numbers[4]
        if not 0 <= name < names:
            raise Malformed
        yield column, source, line, at, name


def _numbers(segment: str) -> list[int]:
    numbers: list[int] = []
    value = shift = 0
    for digit in segment:
        bits = _VALUES[digit]
        value |= (bits & 31) << shift
        if bits & 32:
            shift += 5
            continue
        numbers.append(-(value >> 1) if value & 1 else value >> 1)
        value = shift = 0
    if shift:
        raise Malformed
    return numbers


def _encoded(segments: list[Segment]) -> str:
    parts: list[str] = []
    before = [0, 0, 0, 0, 0]
    for segment in segments:
        digits: list[str] = []
        for place, number in enumerate(segment):
            digits.append(_digits(number - before[place]))
            before[place] = number
        parts.append("".join(digits))
    return ",".join(parts)


def _digits(number: int) -> str:
    value = -number * 2 + 1 if number < 0 else number * 2
    digits = ""
    while True:
        value, bits = value >> 5, value & 31
        digits += _DIGITS[bits | 32 if value else bits]
        if not value:
            return digits
