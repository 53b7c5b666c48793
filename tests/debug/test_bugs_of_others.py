"""What tools that rewrite WebAssembly got wrong about debugging information, and the test that shows it right here.

Reports are named by project and number. Most have their test elsewhere:

* addresses in memory taken for code (meld 0.52), `.debug_addr` left as it was (binaryen 3460, emscripten 13099):
  `test_dwarf.test_addresses_in_memory_do_not_go_through_the_map_of_code`;
* ends, ranges and lists of before (meld 319, binaryen 2862), one form read as another (walrus 323), expressions inside
  lists passed over (BOLT 210990): `test_dwarf.test_every_row_and_entry_is_at_its_new_place`;
* rows beyond the code (meld 331), rows of nothing in a sequence, and addresses that go back (walrus 247, 253):
  `test_dwarf.test_rows_lie_inside_the_code_that_is_there`;
* arithmetic on tombstones (binaryen 4155, 8964), -1 in a list (walrus 322), a dead function's list (wasmtime 3403):
  `test_tombstones`; debuggers that meet them (lldb 205691): `test_debuggers`;
* crashes on what is broken (binaryen 6879): `test_hostile_dwarf`;
* a companion file named from elsewhere, or without the sections that its reader wants (emscripten 12526, 16244):
  `test_aside`.

The others are here.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

import meldpy
from meldpy.debug.reader import DwarfReader
from meldpy.debugging import modules_in, symbolizer
from meldpy.kernel.dwarf import rewrite_dwarf
from meldpy.model.debug import DwarfInput, DwarfOutput
from tests.debug.test_tombstones import VICTIM, lib_input, subprogram, with_tombstone
from tests.support.dwarf.mutated import with_sections
from tests.support.dwarf.reader import reader


def sections_of(given: DwarfInput) -> dict[str, bytes]:
    return {name: bytes(data) for name, data in given.sections.items()}


def spoiled(given: DwarfInput, attribute: str, value: int) -> DwarfInput:
    """With another value of one attribute of one function, in as many bytes."""
    _, die = subprogram(reader(given.sections), VICTIM)
    found = die.attributes[attribute]
    width = {"DW_FORM_data1": 1, "DW_FORM_data2": 2, "DW_FORM_data4": 4}[found.form]
    info = bytearray(given.sections[".debug_info"])
    info[found.offset : found.offset + width] = value.to_bytes(width, "little")
    return with_sections(given, {**sections_of(given), ".debug_info": info})


def written(given: DwarfInput) -> dict[str, bytes]:
    found = rewrite_dwarf(given)
    assert isinstance(found, DwarfOutput)
    return {name: bytes(data) for name, data in found.sections.items()}


@pytest.mark.parametrize("name", [".debug_loc", ".debug_aranges", ".debug_types", ".debug_rnglists"])
def test_a_section_without_bytes_is_as_good_as_none(name: str) -> None:
    """binaryen 6391."""
    given = lib_input("4-0")
    without = {each: data for each, data in sections_of(given).items() if each != name}
    assert written(with_sections(given, without | {name: b""})) == written(with_sections(given, without))


def test_a_file_that_is_not_in_the_list_is_told_as_it_was() -> None:
    """wasmtime 8913: its reader panics on it."""
    given = lib_input("4-0")
    plain, odd = written(given)[".debug_info"], written(spoiled(given, "DW_AT_decl_file", 0xEE))[".debug_info"]
    assert [(a, b) for a, b in zip(plain, odd, strict=True) if a != b] == [(1, 0xEE)]


def test_a_function_without_code_stays_so() -> None:
    """wasmtime 4669: an empty range ends its compiler."""
    given = lib_input("4-0")
    _, die = subprogram(reader(given.sections), VICTIM)
    length = die.attributes["DW_AT_high_pc"].value
    plain, empty = written(given)[".debug_info"], written(spoiled(given, "DW_AT_high_pc", 0))[".debug_info"]
    assert {b for a, b in zip(plain, empty, strict=True) if a != b} == {0}
    assert length != 0


@pytest.mark.parametrize("value", [0xFFFFFFFE, 0xFFFFFFFF])
def test_a_dead_function_is_at_no_address(value: int) -> None:
    """gimli 629: its range, added up, goes round to the first bytes of the code."""
    given = lib_input("4-0")
    dead, old = with_tombstone(given, value)
    before, after = DwarfReader(given.sections), DwarfReader(dead.sections)
    assert [frame.name for frame in before.frames(old + 1)] == [VICTIM.decode()]
    assert not any(VICTIM.decode() in str(frame.name) for at in range(200) for frame in after.frames(at))
    assert not after.frames(old + 1)


def test_code_that_catches_keeps_its_lines(tmp_path: Path) -> None:
    """binaryen 8940: a `try` ends it. (And the unit's address is a constant, as this assembler writes it.)"""
    text = tmp_path / "catches.wat"
    text.write_text(
        """(component
  (core module $M
    (tag $t (param i32))
    (func (export "f") (param i32) (result i32)
      (block $h (result i32)
        (try_table (catch $t $h)
          (throw $t
            (local.get 0)))
        unreachable)))
  (core instance $m (instantiate $M))
  (func (export "f") (param "x" u32) (result u32)
    (canon lift (core func $m "f"))))"""
    )
    binary = tmp_path / "catches.wasm"
    subprocess.run(["wasm-tools", "parse", "-g", str(text), "-o", str(binary)], check=True)
    fused = meldpy.fuse([binary]).bytes
    told = symbolizer(fused, "fused")
    places = [frame.place for offset in range(len(fused)) for frame in told.frames(offset)]
    assert {6, 7, 8} <= {place.line for place in places if place is not None}
    assert {place.line for place in places if place is not None} == {
        frame.place.line
        for offset in range(binary.stat().st_size)
        for frame in symbolizer(binary.read_bytes(), "input").frames(offset)
        if frame.place is not None
    }


def test_a_component_without_a_core_module_has_nothing_to_tell() -> None:
    """wasmtime 14100: with debugging information wanted, it panics."""
    component = b'(component (type $t (record (field "x" u32))) (export "t" (type $t)))'
    fused = meldpy.fuse([component]).bytes
    assert [module.code.count for module in modules_in(fused, "fused")] == [0]
    assert not any(symbolizer(fused, "fused").frames(offset) for offset in range(len(fused)))
