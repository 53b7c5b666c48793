"""Code that a linker left out, however it says so: no arithmetic is done on it, and it lies upon nothing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from meldpy.kernel.dwarf import rewrite_dwarf
from meldpy.model.debug import DwarfInput, DwarfOutput
from tests.debug.test_dwarf import fused
from tests.support.dwarf.expected import sequences
from tests.support.dwarf.mutated import dwarf_inputs, with_sections
from tests.support.dwarf.reader import reader

VICTIM = b"exported_run"
MINUS_ONE = 0xFFFFFFFF


def lib_input(suffix: str) -> DwarfInput:
    return max(
        dwarf_inputs(fused(f"app-{suffix}", f"lib-{suffix}")), key=lambda given: len(given.sections[".debug_info"])
    )


def subprogram(dwarf: Any, name: bytes) -> tuple[Any, Any]:
    for cu in dwarf.iter_CUs():
        for die in cu.iter_DIEs():
            attributes = die.attributes
            if (
                die.tag == "DW_TAG_subprogram"
                and attributes.get("DW_AT_name")
                and attributes["DW_AT_name"].value == name
            ):
                return cu, die
    raise AssertionError(name)


def with_tombstone(given: DwarfInput, value: int) -> tuple[DwarfInput, int]:
    """As if the linker had dropped one function and left `value` for its address; and the address."""
    _, die = subprogram(reader(given.sections), VICTIM)
    low = die.attributes["DW_AT_low_pc"]
    old = low.value.to_bytes(4, "little")
    new = value.to_bytes(4, "little")
    sections = {name: bytearray(data) for name, data in given.sections.items()}
    if low.form == "DW_FORM_addr":
        sections[".debug_info"][low.offset : low.offset + 4] = new
    else:
        at = bytes(sections[".debug_addr"]).index(old)
        sections[".debug_addr"][at : at + 4] = new
    at = bytes(sections[".debug_line"]).index(b"\0\5\2" + old)
    sections[".debug_line"][at + 3 : at + 7] = new
    return with_sections(given, sections), low.value


def read(written: DwarfOutput, given: DwarfInput) -> Any:
    strings = {name: given.sections[name] for name in (".debug_str", ".debug_line_str") if name in given.sections}
    return reader({**written.sections, **strings})


@pytest.mark.parametrize("value", [0, MINUS_ONE, MINUS_ONE - 1])
@pytest.mark.parametrize("suffix", ["4-0", "4-2", "5-0", "5-2"])
def test_dead_code_stays_dead(suffix: str, value: int) -> None:
    given = lib_input(suffix)
    # strings stay where they are, so that the input's own can be read
    identity = {
        field: replace(getattr(given, field), new=getattr(given, field).old[:-1])
        for field in ("strings", "line_strings")
    }
    given = replace(given, **identity)
    before = rewrite_dwarf(given)
    assert isinstance(before, DwarfOutput)
    _, die = subprogram(read(before, given), VICTIM)
    alive = die.attributes["DW_AT_low_pc"].value
    length = die.attributes["DW_AT_high_pc"].value
    spoiled, _ = with_tombstone(given, value)
    after = rewrite_dwarf(spoiled)
    assert isinstance(after, DwarfOutput)
    dwarf = read(after, given)
    cu, die = subprogram(dwarf, VICTIM)
    assert die.attributes["DW_AT_low_pc"].value == (value or MINUS_ONE)
    # rows of the dead function are gone, and none lies upon the code that is there
    addresses = [address for sequence in sequences(dwarf.line_program_for_CU(cu)) for address, _ in sequence]
    assert not any(alive <= address < alive + length for address in addresses)
    assert all(address >= given.code_base for address in addresses)
    # nothing else changed
    others = (b"walk_down", b"exported_fail")
    old = read(before, given)
    for name in others:
        assert [
            subprogram(which, name)[1].attributes[f"DW_AT_{end}_pc"].value
            for which in (old, dwarf)
            for end in ("low", "high")
        ] == 2 * [subprogram(old, name)[1].attributes[f"DW_AT_{end}_pc"].value for end in ("low", "high")]


def test_lists_of_dead_functions_say_nothing() -> None:
    given = lib_input("4-2")
    spoiled, _ = with_tombstone(given, 0)
    before, after = rewrite_dwarf(given), rewrite_dwarf(spoiled)
    assert isinstance(before, DwarfOutput)
    assert isinstance(after, DwarfOutput)
    dead = b"\xfe\xff\xff\xff" * 2
    assert after.sections[".debug_loc"].count(dead) > before.sections[".debug_loc"].count(dead)
