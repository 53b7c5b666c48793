"""DWARF where code moves once more: into a single memory, or where instructions that a target lacks are replaced.

Rows, entries and lists are compared as for other outputs. Expressions are compared by what they come to: the memory
that they read is a part of a larger one, so they say more than those of the inputs (ADR-0096).
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from itertools import zip_longest
from typing import Any

import pytest
from elftools.dwarf.dwarf_expr import DWARFExprOp, DWARFExprParser
from elftools.dwarf.structs import DWARFStructs

import meldpy
from meldpy.kernel.dwarf import rewrite_dwarf
from meldpy.model.debug import DwarfOutput
from meldpy.model.regions import RegionCode
from tests.debug.test_dwarf import fused, given
from tests.support.dwarf.evaluate import OBJECT, Machine, pieces
from tests.support.dwarf.expected import DEAD, Comparison, Moves, _expression
from tests.support.dwarf.frames import frames_of_inputs, frames_of_output, shared_instructions
from tests.support.dwarf.fused import fuse
from tests.support.dwarf.mutated import dwarf_inputs, with_sections
from tests.support.dwarf.reader import dwarf_of, reader

SINGLE = meldpy.FuseOptions(core=True, memory="single")
OLD = meldpy.FuseOptions(core=True, memory="single", features="wasm1")
PAIRS = [
    *(
        (f"app-{suffix}", f"{provider}-{suffix}")
        for provider in ("lib", "shapes")
        for suffix in ("4-0", "5-0", "4-2", "5-2")
    ),
    *(("app-4-2", provider) for provider in ("mixed", "types", "old")),
    ("app-5-0", "older"),
    ("app-5-1", "core-4-2"),
    ("app-4-0", "core-5-1"),
]


@pytest.mark.parametrize("options", [SINGLE, OLD], ids=["single", "wasm1"])
@pytest.mark.parametrize(("app", "provider"), PAIRS)
def test_every_row_entry_and_frame_is_at_its_new_place(app: str, provider: str, options: meldpy.FuseOptions) -> None:
    result = fused(app, provider, options)
    comparison = Comparison(result)
    assert list(comparison.differences()) == []
    assert comparison.rows > 30
    assert comparison.moved_expressions > 5
    pairs = shared_instructions(result)
    before = frames_of_inputs(result, [given(app, "app"), given(provider, "lib")], pairs)
    after = frames_of_output(result, pairs)
    assert [(p, b, a) for p, b, a in zip(pairs, before, after, strict=True) if a != b] == []
    assert sum("guests/" in frame for frame in after) > 100


def test_a_region_that_can_move_is_found_by_its_global() -> None:
    """What a memory before it grows without a bound: its base is in a global, and expressions read that."""
    inputs = [given("core-4-2", "a"), given("core-5-1", "b")]
    names = {"work": "work-of-a", "extra": "extra-of-a"}
    renames = tuple(f"a:demo:debug/{old}@1.0.0=demo:debug/{new}@1.0.0" for old, new in names.items())
    for region in (None, RegionCode(False, 16, 0, 3, None, 4, 65536, None, None, None)):
        result = fuse(inputs, replace(SINGLE, renames=renames))
        given_dwarf = dwarf_inputs(result)[1]
        if region is None:
            assert given_dwarf.region is not None
            continue
        _evaluated_alike(replace(given_dwarf, region=region), region)


def _evaluated_alike(given_dwarf: Any, region: RegionCode) -> None:
    written = rewrite_dwarf(given_dwarf)
    assert isinstance(written, DwarfOutput)
    old, new = reader(given_dwarf.sections), reader({**given_dwarf.sections, **written.sections})
    compared = 0
    for (old_cu, before), (new_cu, after) in zip(_locations(old), _locations(new), strict=True):
        machine = Machine(0, lambda index, cu=old_cu: old.get_addr(cu, index), None, given_dwarf.globals)
        moved = Machine(0x70000, lambda index, cu=new_cu: new.get_addr(cu, index), region.base_global)
        assert pieces(after, moved) == pieces(before, machine)
        compared += 1
    assert compared > 10


def _locations(dwarf: Any) -> Iterator[tuple[Any, list[Any]]]:
    for cu in dwarf.iter_CUs():
        for die in cu.iter_DIEs():
            attribute = die.attributes.get("DW_AT_location")
            if attribute is not None and attribute.form == "DW_FORM_exprloc":
                yield cu, DWARFExprParser(cu.structs).parse_expr(list(attribute.value))


# --- expressions nobody has compiled ----------------------------------------------------------------------------------
_STRUCTS = DWARFStructs(little_endian=True, dwarf_format=32, address_size=4)
_ABBREVIATIONS = b"\x01\x11\x01\0\0\x02\x34\0\x02\x18\x38\x18\x4d\x18\0\0\0"
"""A unit, and a variable with a place, a place from that of an object, and a value."""


def uleb(value: int) -> bytes:
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*out, value))


def _random_expression(chance: random.Random) -> bytes:
    depth = 0
    out = b""
    for _ in range(chance.randrange(1, 9)):
        push = [
            b"\x91" + uleb(chance.randrange(64)),
            b"\xed\x00" + uleb(chance.randrange(300)),
            b"\x35",
            b"\x10\x90\x03",
        ]
        push += [b"\x03" + chance.randrange(1024, 1 << 20).to_bytes(4, "little"), b"\x97"]
        one = [b"\x06", b"\x94\x04", b"\x23\x08", b"\x12", b"\x1f", b"\x20", b"\x06"]
        two = [b"\x22", b"\x1c", b"\x1a", b"\x14", b"\x16", b"\x1e", b"\x22", b"\x13"]
        choices = push + (one if depth else []) + (two if depth > 1 else []) + ([b"\x17"] if depth > 2 else [])
        step = chance.choice(choices)
        out += step
        depth += (step in push) + (step in (b"\x12", b"\x14")) - (step in two and step not in (b"\x14", b"\x16"))
    if depth and chance.random() < 0.3:
        out += b"\x9f"
    return out + (b"\x93\x04" if depth and chance.random() < 0.2 else b"")


def test_expressions_at_random_come_to_the_same_or_to_nothing() -> None:
    """2,000 of them, each as a place, as one from that of an object, and as a value."""
    chance = random.Random(96)
    base = next(iter(dwarf_inputs(fused("app-4-2", "lib-4-2"))))
    found = [_random_expression(chance) for _ in range(2_000)]
    entries = b"".join(b"\x02" + (uleb(len(each)) + each) * 3 for each in found)
    info = b"\x04\0" + bytes(4) + b"\x04" + b"\x01" + entries + b"\0"
    sections = {".debug_info": len(info).to_bytes(4, "little") + info, ".debug_abbrev": _ABBREVIATIONS}
    region = RegionCode(False, 16, 0x30000, None, 65536, None, 65536, None, None, None)
    written = rewrite_dwarf(replace(with_sections(base, sections), region=region))
    assert isinstance(written, DwarfOutput), written
    (cu,) = reader(written.sections).iter_CUs()
    dies = [die for die in cu.iter_DIEs() if die.tag == "DW_TAG_variable"]
    parser = DWARFExprParser(_STRUCTS)
    kept = 0
    for expression, die in zip_longest(found, dies):
        before = parser.parse_expr(list(expression))
        for name in ("location", "data_member_location", "vtable_elem_location"):
            data = bytes(die.attributes[f"DW_AT_{name}"].value)
            if not data or (name == "vtable_elem_location" and any(op.op in (0x93, 0x97) for op in before)):
                # an address that the debugger puts there is no value of the code's, and values have no pieces
                continue
            kept += 1
            old, new = _ends(before, name, 0), _ends(parser.parse_expr(list(data)), name, region.base)
            assert new == old, (name, expression.hex(), data.hex())
    assert kept > 3_000


def _ends(operations: list[Any], name: str, base: int) -> object:
    if name == "vtable_elem_location":
        operations = [*operations, DWARFExprOp(0x9F, "DW_OP_stack_value", [], 0)]
    return pieces(operations, Machine(base, lambda index: index), base + OBJECT if "member" in name else None)


def test_indexes_of_names_are_left_out_with_a_note() -> None:
    result = fused("app-4-2", "mixed", SINGLE)
    spoken = [note for note in result.notes if "entries moved" in note]
    assert all(".debug_names" in note for note in spoken)
    assert dwarf_of(result.main).get_aranges() is not None
    names = {cu.get_top_DIE().attributes["DW_AT_name"].value for cu in dwarf_of(result.main).iter_CUs()}
    assert names == {b"app.c", b"lib.c", b"weak.c", b"other.c"}


def test_a_memory_that_stays_where_it_was_has_its_expressions_unchanged() -> None:
    result = fused("app-4-0", "lib-4-0", SINGLE)
    stays = [unit for unit in result.units if unit.region is not None and not unit.region.base]
    assert len(stays) == 1
    (old_cu, *_), (moves) = list(dwarf_of(stays[0].module).iter_CUs()), Moves(stays[0], result.lead)
    for die in old_cu.iter_DIEs():
        if "DW_AT_frame_base" in die.attributes:
            assert _expression(old_cu, die.attributes["DW_AT_frame_base"].value, moves) != DEAD
    assert not [note for note in result.notes if "entries moved" in note]


def test_a_lone_component_in_one_memory_keeps_its_dwarf() -> None:
    result = fuse([given("lib-5-2", "lib")], SINGLE)
    assert list(Comparison(result).differences()) == []
