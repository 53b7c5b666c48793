"""DWARF that is broken, cut off, or made to keep its reader busy: it is left out with a note, and the code is right."""

from __future__ import annotations

import ast
import os
import time
from dataclasses import replace
from pathlib import Path

import pytest
import wasmtime

import meldpy
from meldpy.kernel.dwarf import rewrite_dwarf
from meldpy.model.core import PlacedCustom, RawCustom
from meldpy.model.debug import DwarfOutput, UnknownDwarf
from meldpy.model.regions import RegionCode
from tests.debug.test_dwarf import fused, given
from tests.support.dwarf.fused import fuse
from tests.support.dwarf.mutated import dwarf_inputs, mutated, with_sections

BASES = (
    ("app-4-2", "lib-4-2"),
    ("app-5-2", "lib-5-0"),
    ("app-5-s", "shapes-5-2"),
    ("app-4-2", "mixed"),
    ("app-4-0", "types"),
    ("app-5-2", "wide-5-0"),
)


REGIONS = (
    None,
    RegionCode(False, 16, 0x30000, None, 65536, None, 65536, None, None, None),
    RegionCode(False, 16, 0, 3, None, 4, 65536, None, None, None),
)
"""A memory of its own; a part of a larger one, at a fixed place; one that can move."""


def survives(app: str, provider: str, seeds: range) -> tuple[int, int]:
    """How many mutants were taken and how many refused; none may end in a trap that is not a refusal."""
    taken = refused = 0
    for number, base in enumerate(dwarf_inputs(fused(app, provider))):
        for seed in seeds:
            began = time.perf_counter()
            spoilt = mutated(base, seed * 2 + number)
            result = rewrite_dwarf(replace(spoilt, region=REGIONS[seed % len(REGIONS)]))
            assert time.perf_counter() - began < 20
            if isinstance(result, UnknownDwarf):
                assert result.code != 0, (app, provider, number, seed)
                refused += 1
            else:
                taken += 1
    return taken, refused


@pytest.mark.parametrize(("app", "provider"), BASES)
def test_mutants_are_taken_or_refused(app: str, provider: str) -> None:
    taken, refused = survives(app, provider, range(150))
    assert taken > 20
    assert refused > 20


@pytest.mark.deep
@pytest.mark.parametrize(("app", "provider"), BASES)
def test_many_mutants_are_taken_or_refused(app: str, provider: str) -> None:
    count = int(os.environ.get("DWARF_MUTANTS", "20000"))
    taken, refused = survives(app, provider, range(1000, 1000 + count))
    print(f"{app} with {provider}: {taken} taken, {refused} refused")
    assert min(taken, refused) > count // 10


def test_no_engine_of_ours_translates_dwarf() -> None:
    """What the engine does with it for native debuggers ends the process where the DWARF is broken."""
    assert "debug_info" in vars(wasmtime.Config)
    sources = [path for path in Path(meldpy.__file__).parent.rglob("*.py") if "debug_info" in path.read_text()]
    tree = [node for path in sources for node in ast.walk(ast.parse(path.read_text()))]
    assert sources
    assert not [node for node in tree if isinstance(node, ast.Attribute) and node.attr == "debug_info"]
    assert not [node for node in tree if isinstance(node, ast.Constant) and node.value == "debug_info"]


def uleb(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*out, value))


def unit(abbreviation: int, entries: bytes, version: int = 4) -> bytes:
    head = version.to_bytes(2, "little") + abbreviation.to_bytes(4, "little") + b"\x04"
    return (len(head) + len(entries)).to_bytes(4, "little") + head + entries


def refused_quickly(sections: dict[str, bytes]) -> str:
    base = dwarf_inputs(fused("app-4-2", "lib-4-2"))[0]
    began = time.perf_counter()
    result = rewrite_dwarf(with_sections(base, sections))
    assert time.perf_counter() - began < 30
    assert isinstance(result, UnknownDwarf), result
    assert result.code != 0
    return result.reason


def test_an_abbreviation_of_empty_attributes_does_not_keep_it_busy() -> None:
    # each entry is one byte, and has 300,000 attributes without a byte of their own
    abbreviations = b"\x01\x11\x00" + b"\x3f\x19" * 300_000 + b"\0\0\0"
    info = unit(0, b"\x01" * 1_000_000)
    assert refused_quickly({".debug_info": info, ".debug_abbrev": abbreviations}) == "reading it takes too long"


def test_units_that_take_turns_with_abbreviations_do_not_keep_it_busy() -> None:
    one = b"".join(uleb(code) + b"\x11\x00\0\0" for code in range(1, 30_000)) + b"\0"
    info = (unit(0, b"\x01") + unit(len(one), b"\x01")) * 20_000
    sections = {".debug_info": info, ".debug_abbrev": one + one}
    assert refused_quickly(sections) == "reading it takes too long"


def test_a_list_that_everything_refers_to_does_not_keep_it_busy() -> None:
    abbreviations = b"\x01\x11\x01\x11\x01\0\0\x02\x2e\x00\x55\x17\0\0\0"
    info = unit(0, b"\x01" + b"\0\0\0\0" + (b"\x02" + bytes(4)) * 100_000)
    ranges = b"\x02\0\0\0\x03\0\0\0" * 100_000 + bytes(8)
    sections = {".debug_info": info, ".debug_abbrev": abbreviations, ".debug_ranges": ranges}
    assert refused_quickly(sections) == "reading it takes too long"


def test_names_of_lines_without_bytes_do_not_keep_it_busy() -> None:
    header = b"\x01\x01\x01\xfb\x0e\x0d" + bytes(12) + b"\x01\x01\x19" + uleb(1 << 60)
    body = b"\x05\x00\x04\x00" + len(header).to_bytes(4, "little") + header
    line = len(body).to_bytes(4, "little") + body
    assert refused_quickly({".debug_line": line}) == "reading it takes too long"


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        (b"\x01\x01\x01\xfb\x00\x0d" + bytes(14), "a line program with an unusual header"),  # line_range 0
        (b"\x01\x01\x01\xfb\x0e\x00" + bytes(14), "a line program with an unusual header"),  # opcode_base 0
        (b"\x04\x01\x01\xfb\x0e\x0d" + bytes(14), "a line program with an unusual header"),  # four-byte instructions
        (b"\x01\x01\x01\xfb\x0e\xff", "it ends inside of something"),
    ],
)
def test_line_headers_that_nobody_writes_are_refused(header: bytes, reason: str) -> None:
    body = b"\x04\x00" + len(header).to_bytes(4, "little") + header
    assert refused_quickly({".debug_line": len(body).to_bytes(4, "little") + body}) == reason


def test_split_units_are_refused_with_words() -> None:
    skeleton = b"\x01\x11\x00\xb0\x42\x0e\0\0\0"  # DW_AT_GNU_dwo_name
    sections = {".debug_info": unit(0, b"\x01\0\0\0\0"), ".debug_abbrev": skeleton, ".debug_str": b"a.dwo\0"}
    assert ".dwo" in refused_quickly(sections)


def test_one_module_that_is_broken_loses_its_dwarf_alone() -> None:
    app, lib = given("app-4-2", "app"), given("lib-4-2", "lib")
    at = lib.data.index(b".debug_abbrev") + len(b".debug_abbrev")
    broken = replace(lib, data=lib.data[:at] + b"\xff" * 40 + lib.data[at + 40 :])
    result = fuse([app, broken])
    (note,) = result.notes
    assert "dropped the DWARF of" in note
    assert "lib-4-2.wasm" in note
    whole = fuse([app, lib])
    assert bytes(result.main.code.bodies) == bytes(whole.main.code.bodies)
    names = [cu.get_top_DIE().attributes["DW_AT_name"].value for cu in _units(result)]
    assert names == [b"app.c"]
    dropped = fuse([app, lib], meldpy.FuseOptions(dwarf="drop"))
    assert bytes(dropped.main.code.bodies) == bytes(whole.main.code.bodies)


def _units(result: object) -> list[object]:
    from tests.support.dwarf.reader import dwarf_of

    return list(dwarf_of(result.main).iter_CUs())  # type: ignore[attr-defined]


def test_a_refusal_leaves_nothing_behind_in_the_kernel() -> None:
    (base, *_) = dwarf_inputs(fused("app-5-2", "lib-5-2"))
    before = rewrite_dwarf(base)
    assert isinstance(before, DwarfOutput)
    for seed in range(60):
        rewrite_dwarf(replace(mutated(base, seed), region=REGIONS[seed % len(REGIONS)]))
    after = rewrite_dwarf(base)
    assert isinstance(after, DwarfOutput)
    assert after.sections == before.sections


def test_empty_sections_are_nothing() -> None:
    app = given("app-4-2", "app")
    result = fuse([app, given("lib-4-2", "lib")])
    assert not [c for c in result.main.customs if isinstance(c.section, RawCustom) and not c.section.data]
    assert all(isinstance(custom, PlacedCustom) for custom in result.main.customs)
    assert Path(app.source).name == "app-4-2.wasm"
