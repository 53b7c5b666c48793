"""The custom sections that follow the code: one call for each kind, and what is said of the rest."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, final

from meldpy.asm.leb import unsigned
from meldpy.debug.dwarf import PREFIX, SECTIONS, RewriteDwarf, join_dwarf
from meldpy.debug.features import SECTION as FEATURES
from meldpy.debug.features import joined_features
from meldpy.debug.hints import MOVED, join_hints
from meldpy.model.core import CoreModule, MemoryType, PlacedCustom, RawCustom
from meldpy.model.debug import LAST_SECTION
from meldpy.model.fused import FusedModule
from meldpy.records import dataclass

_BEFORE_CODE: Final = 9
"""Elements: code metadata must come before the code section. (A data count that comes after it does no harm.)"""


@final
@dataclass(frozen=True, slots=True)
class Carried:
    """customs: for the main module. dropped: names of sections that are in no output. notes: what was lost, and why."""

    customs: tuple[PlacedCustom, ...]
    dropped: tuple[str, ...]
    notes: tuple[str, ...]


def needs_positions(modules: Iterable[CoreModule], dwarf: bool) -> bool:
    """Whether some module has a section whose offsets follow the code; `dwarf`: debugging information is kept."""
    return any(
        section.name in MOVED or (dwarf and section.name in SECTIONS)
        for module in modules
        for section in (custom.section for custom in module.customs)
        if isinstance(section, RawCustom)
    )


def carry(fused: FusedModule, dwarf: bool, rewrite: RewriteDwarf, say_features: bool = True) -> Carried:
    """What of the inputs' custom sections the main module can have."""
    customs: list[PlacedCustom] = []
    notes: list[str] = []
    done: set[str] = set()

    hints, malformed = join_hints(fused.units)
    notes += malformed
    for name, data in hints.items():
        customs.append(PlacedCustom(_BEFORE_CODE, RawCustom(name, data)))
    done |= set(hints) if not malformed else set()

    if dwarf:
        lead = len(unsigned(fused.main.code.count))
        joined = join_dwarf(fused.units, lead, rewrite)
        customs += [PlacedCustom(LAST_SECTION, RawCustom(name, data)) for name, data in joined.sections.items()]
        notes += joined.notes
        done |= set(SECTIONS)
    else:
        dropped = [name for name in fused.dropped_customs if name.startswith(PREFIX)]
        if dropped:
            done |= set(dropped)
            notes.append("dropped the debugging information, as --dwarf drop or -O asks")

    features = joined_features(fused.units, fused.main, _memories(fused.main)) if say_features else None
    if features is not None:
        customs.append(PlacedCustom(LAST_SECTION, RawCustom(FEATURES, features)))
        done.add(FEATURES)
    return Carried(tuple(customs), tuple(name for name in fused.dropped_customs if name not in done), tuple(notes))


def _memories(main: CoreModule) -> int:
    return len(main.memories) + sum(isinstance(import_.type, MemoryType) for import_ in main.imports)
