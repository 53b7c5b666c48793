"""DWARF of a core module for pyelftools, an independent reader."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from io import BytesIO
from typing import Any

from elftools.dwarf.dwarfinfo import DebugSectionDescriptor, DwarfConfig, DWARFInfo

from meldpy.binary.decode import decode_component
from meldpy.debug.dwarf import debug_sections
from meldpy.model.core import CoreModule


def core_modules(data: bytes) -> list[CoreModule]:
    return list(_modules(decode_component(data, "test")))


def _modules(item: object) -> Iterator[CoreModule]:
    if isinstance(item, CoreModule):
        yield item
    elif isinstance(item, tuple):
        for each in item:
            yield from _modules(each)
    elif dataclasses.is_dataclass(item):
        for field in dataclasses.fields(item):
            yield from _modules(getattr(item, field.name))


def dwarf_of(module: CoreModule) -> Any:
    """The module's DWARF, or None."""
    sections = {name: bytes(data) for name, data in debug_sections(module).items()}
    return reader(sections) if ".debug_info" in sections else None


def reader(sections: Mapping[str, bytes]) -> Any:
    def section(name: str) -> Any:
        data = sections.get(f".debug_{name}")
        return None if data is None else DebugSectionDescriptor(BytesIO(data), name, 0, len(data), 0)

    info = sections.get(".debug_info", b"")
    # of the first unit; pyelftools reads all lists of ranges and locations with one size
    size = info[7 if info[4:6] == b"\5\0" else 10] if len(info) > 10 else 4
    return DWARFInfo(
        config=DwarfConfig(little_endian=True, machine_arch="WebAssembly", default_address_size=size),
        debug_info_sec=section("info"),
        debug_aranges_sec=section("aranges"),
        debug_abbrev_sec=section("abbrev"),
        debug_frame_sec=section("frame"),
        eh_frame_sec=None,
        debug_str_sec=section("str"),
        debug_loc_sec=section("loc"),
        debug_ranges_sec=section("ranges"),
        debug_line_sec=section("line"),
        debug_pubtypes_sec=section("pubtypes"),
        debug_pubnames_sec=section("pubnames"),
        debug_addr_sec=section("addr"),
        debug_str_offsets_sec=section("str_offsets"),
        debug_line_str_sec=section("line_str"),
        debug_loclists_sec=section("loclists"),
        debug_rnglists_sec=section("rnglists"),
        debug_sup_sec=None,
        gnu_debugaltlink_sec=None,
        debug_types_sec=section("types"),
    )
