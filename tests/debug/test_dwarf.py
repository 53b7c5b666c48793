"""DWARF through a fuse: whatever it says of an input, it says of the output at the place where the code went.

All checks are complete: every row, entry, attribute and list of every unit (`tests/support/dwarf/expected.py`), and the
frames at every instruction, as another tool reads them. The guests have a weak definition that lost (its addresses
point into other functions), functions that fusing drops, inlined calls, every version and level (`guests/build.py`).
"""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest

import meldpy
from meldpy.debug.dwarf import debug_sections
from meldpy.pipeline import FuseInput
from tests.support.dwarf.expected import Comparison, Moves, sequences
from tests.support.dwarf.frames import frames_of_inputs, frames_of_output, instructions, shared_instructions
from tests.support.dwarf.fused import Fused, fuse
from tests.support.dwarf.reader import dwarf_of

BUILT = Path(__file__).parent / "guests" / "built"
SUFFIXES = [f"{version}-{level}" for version, level in product("45", "012s")]
PAIRS = [
    *((f"app-{suffix}", f"{provider}-{suffix}") for provider in ("lib", "shapes") for suffix in SUFFIXES),
    ("app-4-1", "lib-5-2"),
    ("app-5-s", "shapes-4-0"),
    *(("app-4-2", provider) for provider in ("mixed", "types", "old")),
    ("app-5-0", "older"),
    ("app-5-1", "core-4-2"),
    ("app-4-0", "core-5-1"),
]


def given(name: str, as_name: str) -> FuseInput:
    path = BUILT / f"{name}.wasm"
    return FuseInput(as_name, path.name, path.read_bytes())


def fused(app: str, provider: str, options: meldpy.FuseOptions | None = None) -> Fused:
    return fuse([given(app, "app"), given(provider, "lib")], options)


@pytest.mark.parametrize(("app", "provider"), PAIRS)
def test_every_row_and_entry_is_at_its_new_place(app: str, provider: str) -> None:
    result = fused(app, provider)
    assert result.notes == ()
    comparison = Comparison(result)
    assert list(comparison.differences()) == []
    assert comparison.rows > 30
    assert comparison.attributes > 300
    assert len(result.units) == 2


@pytest.mark.parametrize(("app", "provider"), PAIRS)
def test_frames_are_equal_at_every_instruction(app: str, provider: str) -> None:
    result = fused(app, provider)
    pairs = shared_instructions(result)
    before = frames_of_inputs(result, [given(app, "app"), given(provider, "lib")], pairs)
    after = frames_of_output(result, pairs)
    different = [(pairs[i], b, a) for i, (b, a) in enumerate(zip(before, after, strict=True)) if a != b]
    assert different == []
    assert sum("guests/" in frame for frame in after) > 100


@pytest.mark.parametrize("suffix", ["4-0", "4-2", "5-0", "5-2"])
def test_addresses_of_64_bits_are_followed(suffix: str) -> None:
    """Alone, with a function left out: pyelftools reads lists of addresses of one size only."""
    wide = given(f"wide-{suffix}", "lib")
    result = fuse([wide], meldpy.FuseOptions(hides=("demo:debug/extra@1.0.0",)))
    assert result.notes == ()
    comparison = Comparison(result)
    assert list(comparison.differences()) == []
    assert min(comparison.rows, comparison.attributes) > 100
    pairs = shared_instructions(result)
    assert len(pairs) < len(instructions(result.units[0].module))
    assert frames_of_inputs(result, [wide], pairs) == frames_of_output(result, pairs)


@pytest.mark.parametrize("suffix", ["4-0", "4-2", "5-0", "5-2"])
def test_addresses_of_64_bits_lie_beside_those_of_32(suffix: str) -> None:
    inputs = [given(f"app-{suffix}", "app"), given(f"wide-{suffix}", "lib")]
    result = fuse(inputs)
    assert result.notes == ()
    pairs = shared_instructions(result)
    assert frames_of_inputs(result, inputs, pairs) == frames_of_output(result, pairs)
    assert {result.units[number].component for number, _, _ in pairs} == {"app", "lib"}


def sharing_a_table(origins: bool = False) -> tuple[list[FuseInput], Fused]:
    """Two guests whose tables are parts of one, and the two fused."""
    inputs = [given("shapes-5-2", "a"), given("shapes-4-0", "b")]
    names = {"work": "work-of-a", "extra": "extra-of-a"}
    renames = tuple(f"a:demo:debug/{old}@1.0.0=demo:debug/{new}@1.0.0" for old, new in names.items())
    result = fuse(inputs, meldpy.FuseOptions(renames=renames, origins=origins))
    (table,) = result.main.tables
    assert table.type.limits.min == sum(unit.module.tables[0].type.limits.min for unit in result.units)
    return inputs, result


def test_code_that_calls_through_a_part_of_a_table_is_followed() -> None:
    """What is put before such calls belongs to them, and moves what is behind."""
    inputs, result = sharing_a_table()
    assert list(Comparison(result).differences()) == []
    pairs = shared_instructions(result)
    assert frames_of_inputs(result, inputs, pairs) == frames_of_output(result, pairs)


def test_rows_lie_inside_the_code_that_is_there() -> None:
    for suffix in SUFFIXES:
        result = fused(f"app-{suffix}", f"lib-{suffix}")
        dwarf = dwarf_of(result.main)
        end = result.main.code.lead + len(result.main.code.bodies)
        for cu in dwarf.iter_CUs():
            for sequence in sequences(dwarf.line_program_for_CU(cu)):
                addresses = [address for address, _ in sequence]
                assert addresses == sorted(addresses)
                assert addresses[0] > 0
                assert addresses[-1] <= end


def test_addresses_in_memory_do_not_go_through_the_map_of_code() -> None:
    # version 4 writes them into expressions, version 5 into the table that code's addresses are in, too
    for suffix in ("4-0", "5-0"):
        result = fused(f"app-{suffix}", f"lib-{suffix}")
        comparison = Comparison(result)
        assert list(comparison.differences()) == []
        lib = next(unit for unit in result.units if unit.component == "lib")
        found = [_address_of(dwarf_of(module), b"table_of_squares") for module in (lib.module, result.main)]
        assert found[0] == found[1] >= 1024


def _address_of(dwarf: object, name: bytes) -> int:
    for cu in dwarf.iter_CUs():  # type: ignore[attr-defined]
        for die in cu.iter_DIEs():
            attributes = die.attributes
            if die.tag == "DW_TAG_variable" and attributes["DW_AT_name"].value == name:
                operation, *operand = attributes["DW_AT_location"].value
                if operation == 0x03:
                    return int.from_bytes(bytes(operand), "little")
                assert operation == 0xA1
                return int(dwarf.get_addr(cu, operand[0]))  # type: ignore[attr-defined]
    raise AssertionError(name)


def test_a_weak_definition_that_lost_points_outside_and_is_clamped() -> None:
    result = fused("app-4-2", "lib-4-2")
    lib = next(unit for unit in result.units if unit.component == "lib")
    moves = Moves(lib, result.lead)
    rows = [
        address
        for cu in dwarf_of(lib.module).iter_CUs()
        for sequence in sequences(dwarf_of(lib.module).line_program_for_CU(cu))
        for address, row in sequence
        if row is not None
    ]
    end = lib.module.code.lead + len(lib.module.code.bodies)
    inside = {old for number, old, _ in shared_instructions(result) if result.units[number] is lib}
    # they fall inside of instructions, or beyond the code
    assert any(moves.kept(address) and address not in inside for address in rows) or max(rows) >= end
    assert list(Comparison(result).differences()) == []


def test_address_ranges_and_names_follow_their_units() -> None:
    result = fused("app-4-2", "mixed")
    sections = debug_sections(result.main)
    assert {".debug_aranges", ".debug_names", ".debug_pubnames"} <= set(sections)
    dwarf = dwarf_of(result.main)
    units = {cu.cu_offset: cu for cu in dwarf.iter_CUs()}
    names = dict(dwarf.get_pubnames().items())
    assert names
    for name, entry in names.items():
        die = units[entry.cu_ofs].get_DIE_from_refaddr(entry.die_ofs)
        assert die.attributes["DW_AT_name"].value.decode() == name
    starts = {
        die.attributes["DW_AT_low_pc"].value
        for cu in units.values()
        for die in cu.iter_DIEs()
        if die.tag == "DW_TAG_subprogram" and "DW_AT_low_pc" in die.attributes
    }
    entries = [entry for entry in dwarf.get_aranges().entries if entry.length]
    assert entries
    for entry in entries:
        assert entry.begin_addr in starts
        assert entry.info_offset in units


def test_strings_are_written_once() -> None:
    result = fused("app-4-2", "lib-4-2")
    strings = bytes(debug_sections(result.main)[".debug_str"]).split(b"\0")
    assert len(strings) == len(set(strings[:-1])) + 1
    both = [bytes(debug_sections(unit.module)[".debug_str"]) for unit in result.units]
    assert len(b"\0".join(strings)) < sum(map(len, both))


def test_one_definition_twice_has_its_dwarf_twice() -> None:
    provider = given("lib-5-2", "lib")
    twice = fuse([provider, FuseInput("other", "other.wasm", provider.data)], meldpy.FuseOptions(roots=("lib",)))
    assert list(Comparison(twice).differences()) == []


def test_dwarf_can_be_dropped() -> None:
    result = fused("app-4-2", "lib-4-2", meldpy.FuseOptions(dwarf="drop"))
    assert debug_sections(result.main) == {}
    assert any("--dwarf drop" in note for note in result.notes)
    kept = fused("app-4-2", "lib-4-2")
    assert bytes(kept.main.code.bodies) == bytes(result.main.code.bodies)


def test_a_fused_output_keeps_its_dwarf_when_it_is_fused_again() -> None:
    once = fused("app-5-2", "lib-5-2")
    again = fuse([FuseInput("whole", "whole.wasm", once.data)])
    comparison = Comparison(again)
    assert list(comparison.differences()) == []
    assert comparison.rows > 100
