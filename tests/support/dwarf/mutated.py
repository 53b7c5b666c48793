"""DWARF made to break its rewriter: bytes flipped, cut, moved and blown up, in one section or several."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import replace

from meldpy.debug.dwarf import join_dwarf
from meldpy.model.debug import DwarfInput, DwarfOutput
from tests.support.dwarf.fused import Fused

_NASTY = (
    b"\xff" * 4,
    b"\xf0\xff\xff\xff",
    b"\x00" * 4,
    b"\xff" * 10 + b"\x01",
    b"\x80" * 12,
    b"\x7f",
    b"\x01\x00\x00\x00",
)


def dwarf_inputs(fused: Fused) -> list[DwarfInput]:
    """What the kernel is given for each unit."""
    seen: list[DwarfInput] = []

    def record(given: DwarfInput) -> DwarfOutput:
        seen.append(given)
        return DwarfOutput({})

    join_dwarf(fused.units, fused.lead, record)
    return seen


def mutated(given: DwarfInput, seed: int) -> DwarfInput:
    chance = random.Random(seed)
    sections = {name: bytearray(data) for name, data in given.sections.items()}
    for _ in range(chance.choice((1, 1, 2, 5))):
        name = chance.choice([name for name, data in sections.items() if data])
        _spoil(sections[name], chance)
        if not any(sections.values()):
            break
    return with_sections(given, sections)


def with_sections(given: DwarfInput, sections: Mapping[str, bytes | bytearray]) -> DwarfInput:
    return replace(given, sections={name: bytes(data) for name, data in sections.items()})


def _spoil(data: bytearray, chance: random.Random) -> None:
    at = chance.randrange(len(data))
    match chance.randrange(6):
        case 0:
            data[at] ^= 1 << chance.randrange(8)
        case 1:
            data[at] = chance.choice((0, 1, 0x7F, 0x80, 0xFF))
        case 2:
            del data[at:]
        case 3:
            nasty = chance.choice(_NASTY)
            data[at : at + len(nasty)] = nasty
        case 4:
            size = chance.randrange(1, 40)
            data[at:at] = data[chance.randrange(len(data)) :][:size]
        case _:
            del data[at : at + chance.randrange(1, 9)]
