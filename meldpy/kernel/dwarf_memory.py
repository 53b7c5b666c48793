"""DWARF of a module whose memory became a part of a larger one: the step before all others (dwarf_memory.wat).

Expressions get longer, so entries move. What leads to them is written with them; address ranges follow here; indexes of
names are left out, since debuggers make their own.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Mapping
from typing import Final, Protocol

from meldpy.model.core import Bytes
from meldpy.model.regions import RegionCode

_GROWTH: Final = 9
"""The output is at most this much larger: an operation of one byte gets eight in front of it."""
_SPARE: Final = 1 << 10
_INDEXES: Final = (
    ".debug_names",
    ".debug_pubnames",
    ".debug_pubtypes",
    ".debug_gnu_pubnames",
    ".debug_gnu_pubtypes",
)


class Run(Protocol):
    """What of the kernel's run this step uses."""

    def put(self, data: Bytes) -> int: ...
    def blank(self, size: int) -> int: ...
    def room(self, size: int) -> int: ...
    def set(self, name: str, value: int) -> None: ...
    def get(self, name: str) -> int: ...
    def bytes_of(self, start: int, end: int) -> bytes: ...

    @property
    def call(self) -> Callable[..., None]: ...


def widened(
    run: Run, sections: Mapping[str, Bytes], region: RegionCode, globals_: int
) -> tuple[dict[str, Bytes], tuple[str, ...]]:
    """The sections with longer expressions, and the names of those that are left out.

    globals_: how many globals the module has; the next index stands for the one that has the region's base. Sections
    that units lead to must be loaded.
    """
    run.set("widening", 1)
    run.set("region_base", region.base)
    run.set("region_global", -1 if region.base_global is None else globals_)
    run.set("abbrev_base", 0)
    data = {name: sections.get(name, b"") for name in (".debug_info", ".debug_types", ".debug_loc")}
    tables = {name: run.blank(4 * len(each)) for name, each in data.items()}
    run.set("info_moves", tables[".debug_info"])
    run.set("info_size", len(data[".debug_info"]))
    run.set("old_units", run.room(len(data[".debug_info"])))
    run.set("loc_moves", tables[".debug_loc"])
    size = _GROWTH * len(data[".debug_loc"]) + _SPARE
    lists = run.room(size)
    for name, value in (("loc_start", lists), ("loc_writing", lists), ("loc_writing_end", lists + size)):
        run.set(name, value)
    units = {name: run.put(data[name]) for name in (".debug_info", ".debug_types")}
    rooms = {name: run.room(_GROWTH * len(data[name]) + _SPARE) for name in units}
    written: dict[str, Bytes] = {}
    for settled in (0, 1):
        run.set("settled", settled)
        for name, at in units.items():
            room = rooms[name]
            run.set("writing", room)
            run.set("writing_end", room + _GROWTH * len(data[name]) + _SPARE)
            run.set("moves", tables[name])
            run.call("widen", at, len(data[name]), int(name == ".debug_types"))
            written[name] = run.bytes_of(room, run.get("writing"))
    written[".debug_loc"] = run.bytes_of(lists, run.get("loc_writing"))
    table = run.bytes_of(tables[".debug_info"], tables[".debug_info"] + 4 * len(data[".debug_info"]))
    if ".debug_aranges" in sections:
        written[".debug_aranges"] = _ranges_of_moved_units(sections[".debug_aranges"], array("I", table))
    left_out = tuple(name for name in _INDEXES if name in sections)
    return {n: each for n, each in {**sections, **written}.items() if n not in left_out}, left_out


def _ranges_of_moved_units(data: Bytes, moves: array[int]) -> bytes:
    """.debug_aranges with the new offset of each unit (what is wrong there is for the kernel to find)."""
    out = bytearray(data)
    at = 0
    while at + 10 <= len(out):
        unit = int.from_bytes(out[at + 6 : at + 10], "little")
        if unit < len(moves) and moves[unit]:
            out[at + 6 : at + 10] = (moves[unit] - 1).to_bytes(4, "little")
        at += 4 + int.from_bytes(out[at : at + 4], "little")
    return bytes(out)
