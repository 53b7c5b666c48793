"""DWARF of all inputs in one set of sections: each module's rewritten for its moved code, then joined.

Units lie one behind the other, and what an offset leads to in another section moves by what lies before it there;
abbreviations are copied, strings are shared. One module whose DWARF is not understood loses it, with a note; the others
keep theirs, and code is never touched.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final, TypeAlias, final

from meldpy.debug.strings import StringPool
from meldpy.model.core import Bytes, CoreModule, RawCustom
from meldpy.model.debug import DwarfInput, DwarfOutput, UnknownDwarf
from meldpy.model.fused import MergedUnit
from meldpy.records import dataclass

PREFIX: Final = ".debug_"
_STR: Final = ".debug_str"
_LINE_STR: Final = ".debug_line_str"
_REWRITTEN: Final = (
    ".debug_info",
    ".debug_types",
    ".debug_abbrev",
    ".debug_line",
    ".debug_ranges",
    ".debug_rnglists",
    ".debug_loc",
    ".debug_loclists",
    ".debug_addr",
    ".debug_str_offsets",
    ".debug_aranges",
    ".debug_frame",
    ".debug_names",
    ".debug_pubnames",
    ".debug_pubtypes",
    ".debug_gnu_pubnames",
    ".debug_gnu_pubtypes",
)
SECTIONS: Final = (*_REWRITTEN, _STR, _LINE_STR)
"""The sections that are carried, in the order in which they are written."""

RewriteDwarf: TypeAlias = "Callable[[DwarfInput], DwarfOutput | UnknownDwarf]"


@final
@dataclass(frozen=True, slots=True)
class JoinedDwarf:
    """sections: by name, in the order of SECTIONS. notes: modules whose DWARF was left out, and why."""

    sections: Mapping[str, bytes]
    notes: tuple[str, ...]


def debug_sections(module: CoreModule) -> dict[str, Bytes]:
    """The module's DWARF. Of a section that comes twice the last counts, as readers have it."""
    return {
        custom.section.name: custom.section.data
        for custom in module.customs
        if isinstance(custom.section, RawCustom) and custom.section.name in SECTIONS and custom.section.data
    }


def join_dwarf(units: Iterable[MergedUnit], lead: int, rewrite: RewriteDwarf) -> JoinedDwarf:
    """The DWARF of `units` together; `lead`: bytes of the count in front of the merged bodies."""
    strings, line_strings = StringPool(), StringPool()
    parts: dict[str, list[bytes]] = {name: [] for name in _REWRITTEN}
    sizes = dict.fromkeys(_REWRITTEN, 0)
    notes: list[str] = []
    for unit in units:
        sections = debug_sections(unit.module)
        if not sections or unit.positions is None:
            continue
        given = DwarfInput(
            sections=sections,
            positions=unit.positions.table,
            lead=unit.module.code.lead,
            code_base=lead + unit.base,
            globals=unit.globals,
            strings=strings.add(sections.get(_STR, b"")),
            line_strings=line_strings.add(sections.get(_LINE_STR, b"")),
            bases=sizes,
            region=unit.region,
        )
        written = rewrite(given)
        if isinstance(written, UnknownDwarf):
            strings.take_back()
            line_strings.take_back()
            notes.append(f"dropped the DWARF of {unit.label} in {unit.component} ({unit.source}): {written.reason}")
            continue
        notes += [f"dropped {name} of {unit.label} in {unit.component}: {why}" for name, why in written.left_out]
        for name, data in written.sections.items():
            parts[name].append(data)
            sizes[name] += len(data)
    joined = {name: b"".join(found) for name, found in parts.items()}
    joined |= {_STR: strings.section(), _LINE_STR: line_strings.section()}
    return JoinedDwarf({name: joined[name] for name in SECTIONS if joined[name]}, tuple(notes))
