"""`.debug_frame`, which no compiler here writes: made for the functions of the guests, and followed through a fuse."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest

from meldpy.asm.leb import unsigned
from meldpy.kernel.dwarf import rewrite_dwarf
from meldpy.model.debug import DwarfInput, DwarfOutput
from meldpy.model.regions import RegionCode
from tests.debug.test_dwarf import fused
from tests.support.dwarf.expected import Moves
from tests.support.dwarf.frames import instructions
from tests.support.dwarf.fused import Fused
from tests.support.dwarf.mutated import dwarf_inputs, with_sections
from tests.support.dwarf.reader import dwarf_of, reader

CIE = b"\xff\xff\xff\xff" + b"\x04\0\x04\0\x01\x7c\x00" + b"\x0c\x00\x08" + b"\0\0"


def entry(content: bytes) -> bytes:
    content += bytes(-(len(content) + 4) % 4)
    return len(content).to_bytes(4, "little") + content


def advance(distance: int, chance: random.Random) -> bytes:
    forms = [b"\x04" + distance.to_bytes(4, "little"), b"\x03" + distance.to_bytes(2, "little")]
    if distance < 0x40:
        forms.append(bytes((0x40 | distance,)))
    if distance < 0x100:
        forms.append(bytes((0x02, distance)))
    return chance.choice(forms)


def made(result: Fused, seed: int = 1) -> tuple[DwarfInput, Moves, list[tuple[int, int, list[int]]]]:
    """The lib's DWARF with a frame for each function, and (low, high, where its rules change) of each."""
    chance = random.Random(seed)
    number, unit = max(enumerate(result.units), key=lambda each: each[1].module.code.count)
    starts = set(instructions(unit.module))
    functions: list[tuple[int, int, list[int]]] = []
    section = bytearray(entry(CIE))
    for cu in dwarf_of(unit.module).iter_CUs():
        for die in cu.iter_DIEs():
            low, high = (die.attributes.get(f"DW_AT_{end}_pc") for end in ("low", "high"))
            if die.tag != "DW_TAG_subprogram" or low is None or high is None or low.value in (0, 0xFFFFFFFF):
                continue
            inside = sorted(address for address in starts if low.value < address < low.value + high.value)
            changes = sorted(chance.sample(inside, min(4, len(inside))))
            program, at = b"", low.value
            for row, address in enumerate(changes):
                program += advance(address - at, chance) + b"\x0e" + unsigned(16 * (row + 2)) + b"\x83\x01"
                at = address
            section += entry(bytes(4) + low.value.to_bytes(4, "little") + high.value.to_bytes(4, "little") + program)
            functions.append((low.value, low.value + high.value, changes))
    given = dwarf_inputs(result)[number]
    return with_sections(given, {**given.sections, ".debug_frame": bytes(section)}), Moves(unit, result.lead), functions


def rows_of(sections: dict[str, bytes]) -> list[tuple[int, int, list[tuple[int, int]]]]:
    """(low, high, [(address, offset of the frame from there)]) of each function."""
    found: list[tuple[int, int, list[tuple[int, int]]]] = []
    for each in reader(sections).CFI_entries():
        header: Any = each.header
        if "initial_location" in header:
            rows = [(line["pc"], line["cfa"].offset) for line in each.get_decoded().table]
            found.append((header["initial_location"], header["initial_location"] + header["address_range"], rows))
    return found


@pytest.mark.parametrize("suffix", ["4-0", "4-2", "5-1"])
def test_rules_change_where_they_did(suffix: str) -> None:
    given, moves, functions = made(fused(f"app-{suffix}", f"lib-{suffix}"))
    given = replace(given, bases={**given.bases, ".debug_frame": 0})
    written = rewrite_dwarf(given)
    assert isinstance(written, DwarfOutput)
    assert written.left_out == ()
    found = rows_of(dict(written.sections))
    expected = []
    for low, high, changes in functions:
        if moves.span(low, high) is not None and moves.kept(low):
            changed = [(moves.place(address), 16 * (row + 2)) for row, address in enumerate(changes)]
            expected.append((moves.place(low), moves.place(high), [(moves.place(low), 8), *changed]))
    assert found == expected
    assert 3 < len(found) < len(functions)


def test_entries_of_the_second_module_lead_to_its_own() -> None:
    given, *_ = made(fused("app-4-0", "lib-4-0"))
    first, second = (rewrite_dwarf(replace(given, bases={**given.bases, ".debug_frame": base})) for base in (0, 48))
    assert isinstance(first, DwarfOutput)
    assert isinstance(second, DwarfOutput)
    shifted = bytearray(second.sections[".debug_frame"])
    at = 0
    while at < len(shifted):
        if (pointer := int.from_bytes(shifted[at + 4 : at + 8], "little")) != 0xFFFFFFFF:
            shifted[at + 4 : at + 8] = (pointer - 48).to_bytes(4, "little")
        at += 4 + int.from_bytes(shifted[at : at + 4], "little")
    assert bytes(shifted) == first.sections[".debug_frame"]


def test_what_is_not_understood_is_left_out_alone() -> None:
    given, *_ = made(fused("app-4-0", "lib-4-0"))
    whole = bytes(given.sections[".debug_frame"])
    plain = rewrite_dwarf(with_sections(given, {**given.sections, ".debug_frame": b""}))
    assert isinstance(plain, DwarfOutput)
    expression = entry(bytes(4) + b"\x10\0\0\0\x20\0\0\0" + b"\x0f\x02\x03\x00")
    cases = [whole + expression, whole[:-3], whole + entry(b"\x99\0\0\0" + bytes(8)), b"\xff\xff\xff\xff" + bytes(12)]
    cases += [whole + entry(bytes(4) + b"\x10\0\0\0\x20\0\0\0\x1f"), entry(CIE[:5] + b"zR\0" + CIE[6:])]
    for case in cases:
        written = rewrite_dwarf(with_sections(given, {**given.sections, ".debug_frame": case}))
        assert isinstance(written, DwarfOutput)
        assert [name for name, _ in written.left_out] == [".debug_frame"]
        assert written.sections == plain.sections
    region = RegionCode(False, 16, 0x10000, None, 65536, None, 65536, None, None, None)
    moved = rewrite_dwarf(replace(given, region=region))
    assert isinstance(moved, DwarfOutput)
    assert ".debug_frame" not in moved.sections


def test_broken_frames_never_end_in_anything_else() -> None:
    """2,000 mutants of the section."""
    given, *_ = made(fused("app-4-0", "lib-4-0"))
    whole = bytes(given.sections[".debug_frame"])
    alone = with_sections(given, {".debug_frame": whole})
    kept = left_out = 0
    for seed in range(2_000):
        chance = random.Random(seed)
        data = bytearray(whole)
        for _ in range(chance.choice((1, 1, 3))):
            at = chance.randrange(len(data))
            put = bytes(chance.choice((0, 1, 0x7F, 0x80, 0xFF)) for _ in range(chance.randrange(3)))
            data[at : at + chance.randrange(3)] = put
        written = rewrite_dwarf(with_sections(alone, {".debug_frame": bytes(data)}))
        assert isinstance(written, DwarfOutput)
        kept += not written.left_out
        left_out += bool(written.left_out)
    assert min(kept, left_out) > 200
