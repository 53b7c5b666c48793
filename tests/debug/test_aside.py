"""What lies beside an output: DWARF in a file of its own, a source map; and where its code came from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import meldpy
from meldpy.cli.main import run
from meldpy.debug.dwarf import debug_sections
from meldpy.debug.origins import Origins
from meldpy.debugging import symbolizer
from meldpy.errors import UsageError
from meldpy.model.core import CoreModule, RawCustom
from tests.debug.test_dwarf import BUILT, fused, given, sharing_a_table
from tests.debug.test_symbolize import trapping
from tests.support.dwarf.frames import instructions, shared_instructions
from tests.support.dwarf.fused import fuse
from tests.support.dwarf.reader import core_modules
from tests.support.reference_decoder import Body

CALL_INDIRECT = 0x11


def raw(module: CoreModule, name: str) -> bytes:
    (found,) = [c.section.data for c in module.customs if isinstance(c.section, RawCustom) and c.section.name == name]
    return bytes(found)


def test_split_dwarf_is_found_by_name_and_build_id(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out.wasm"
    arguments = [f"app={BUILT / 'app-5-2.wasm'}", f"lib={BUILT / 'lib-5-2.wasm'}"]
    assert run(["-q", "fuse", *arguments, "-o", str(out), "--dwarf", "split"]) == 0
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.wasm", "out.wasm.debug.wasm"]
    main = max(core_modules(out.read_bytes()), key=lambda module: module.size)
    assert debug_sections(main) == {}
    assert raw(main, "external_debug_info") == b"\x13out.wasm.debug.wasm"
    assert len(raw(main, "build_id")) == 17
    text = trapping(out.read_bytes(), "main-fail", 20)
    assert "lib.c" not in text
    assert run(["run", str(out), "--invoke", "main-fail(20)"]) == 134
    assert "at guests/lib.c:46:9" in capsys.readouterr().err
    assert run(["fuse", *arguments, "-o", str(out), "--dwarf", "split", "--check"]) == 0
    # another build's file is not believed
    aside = tmp_path / "out.wasm.debug.wasm"
    identity = raw(main, "build_id")
    aside.write_bytes(aside.read_bytes().replace(identity, identity[:-1] + bytes([identity[-1] ^ 1])))
    capsys.readouterr()
    assert run(["run", str(out), "--invoke", "main-fail(20)"]) == 134
    told = capsys.readouterr().err
    assert "lib: exported_fail" in told
    assert "lib.c" not in told
    assert run(["fuse", *arguments, "-o", str(out), "--dwarf", "split", "--check"]) == 1


def test_a_split_output_is_the_whole_one_without_dwarf() -> None:
    split = meldpy.fuse(
        [given("app-4-0", "app"), given("lib-4-0", "lib")], meldpy.FuseOptions(dwarf="split", file="x.wasm")
    )
    whole = fused("app-4-0", "lib-4-0")
    (name,) = split.beside
    assert name == "x.wasm.debug.wasm"
    (aside,) = core_modules_of(split.beside[name])
    assert debug_sections(aside) == {name: bytes(data) for name, data in debug_sections(whole.main).items()}
    assert bytes(aside.code.bodies) == bytes(whole.main.code.bodies)


@pytest.mark.parametrize(
    "moving", [{"memory": "single"}, {"memory": "single", "features": "wasm1"}, {"features": "-bulk-memory-opt"}]
)
def test_code_that_moves_once_more_has_its_files_and_origins(moving: dict[str, Any]) -> None:
    """The origin of every byte that is still there is that byte."""
    inputs = {name: given(f"{name}-4-0", name) for name in ("app", "lib")}
    options = meldpy.FuseOptions(core=True, file="x.wasm", dwarf="split", origins=True, memory_max=(), **moving)
    result = fuse(list(inputs.values()), options)
    assert debug_sections(result.main) == {}
    found = symbolizer(result.data, "x.wasm", where_from=True)
    pairs = shared_instructions(result)
    assert len(pairs) > 300
    for number, old, new in pairs:
        unit = result.units[number]
        offset = new - result.lead + result.main.code.offset
        origin = found.frames(offset)[-1].origin
        assert origin is not None
        assert (origin.input, origin.offset) == (unit.component, old - unit.module.code.lead + unit.module.code.offset)


def test_files_beside_are_those_of_the_groups_that_were_taken() -> None:
    """The flat try and its file are given up; the kept instance has its own DWARF inside it."""
    options = meldpy.FuseOptions(dwarf="split", file="x.wasm", keeps=("app",))
    result = meldpy.fuse([given("app-4-0", "app"), given("lib-4-0", "lib")], options)
    assert list(result.beside) == ["x.wasm.debug.wasm"]
    assert result.report.groups == 1


def core_modules_of(data: bytes) -> list[CoreModule]:
    from meldpy.debugging import modules_in

    return list(modules_in(data, "test"))


def test_a_file_beside_stdout_is_refused() -> None:
    for options in (meldpy.FuseOptions(dwarf="split"), meldpy.FuseOptions(source_map="file")):
        with pytest.raises(UsageError, match="needs its name"):
            meldpy.fuse([given("app-4-0", "app")], options)
    with pytest.raises(UsageError, match="cannot be"):
        meldpy.fuse([given("app-4-0", "app")], meldpy.FuseOptions(dwarf="maybe"))


@pytest.mark.parametrize(
    ("app", "provider"), [("app-4-0", "lib-4-0"), ("app-5-2", "shapes-4-s"), ("app-4-1", "core-5-1")]
)
def test_every_instruction_says_where_it_came_from(app: str, provider: str) -> None:
    result = fused(app, provider, meldpy.FuseOptions(origins=True))
    origins = Origins(raw(result.main, "meld.origins"))
    inputs = {item.name: item.data for item in (given(app, "app"), given(provider, "lib"))}
    bodies = bytes(result.main.code.bodies)
    checked = 0
    limits = [(unit.base, unit.base + unit.positions.new(1 << 30)) for unit in result.units if unit.positions]
    step = 1 if len(bodies) < 10_000 else 37
    for address in instructions(result.main)[::step]:
        place = address - result.main.code.lead
        origin = origins.find(place)
        if not any(low <= place < high for low, high in limits):
            assert origin is None
            continue
        assert origin is not None
        # the same opcode stands there
        assert inputs[origin.input][origin.offset] == bodies[place]
        checked += 1
    assert checked > 100


def test_a_call_through_a_part_of_a_table_and_what_is_before_it_come_from_the_call() -> None:
    """Whichever of them trapped."""
    inputs, result = sharing_a_table(origins=True)
    origins = Origins(raw(result.main, "meld.origins"))
    data = {item.name: item.data for item in inputs}
    bodies = bytes(result.main.code.bodies)
    calls = before = 0
    for address in instructions(result.main):
        place = address - result.main.code.lead
        if (origin := origins.find(place)) is not None:
            came_from = data[origin.input][origin.offset]
            if bodies[place] == CALL_INDIRECT:
                calls += 1
                assert came_from == CALL_INDIRECT
            elif came_from == CALL_INDIRECT:
                before += 1
            else:
                assert came_from == bodies[place]
    assert calls >= 4
    assert before in range(8 * calls, 10 * calls + 1)


def test_the_command_says_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out.wasm"
    result = fused("app-4-0", "lib-4-0", meldpy.FuseOptions(origins=True))
    out.write_bytes(result.data)
    text = trapping(result.data, "main-fail", 20)
    frame = next(line for line in text.splitlines() if line.strip().startswith("0:"))
    offset = frame.split()[1]
    assert run(["symbolize", str(out), offset, "--original"]) == 0
    told = capsys.readouterr().out
    origin = next(line for line in told.splitlines() if "from lib at 0x" in line)
    input_offset = int(origin.rsplit(" ", 1)[1], 16)
    lib = given("lib-4-0", "lib")
    assert lib.data[input_offset] == result.data[int(offset, 16)]
    found = symbolizer(lib.data, lib.source).frames(input_offset)
    assert found[0].function == "exported_fail"
    assert str(found[0].place) == "guests/lib.c:46:9"
    plain = tmp_path / "plain.wasm"
    plain.write_bytes(fused("app-4-0", "lib-4-0").data)
    assert run(["symbolize", str(plain), offset, "--original"]) == 2
    assert "--origins" in capsys.readouterr().err


def test_origins_are_made_without_moving_anything() -> None:
    plain, said = fused("app-4-0", "lib-4-0"), fused("app-4-0", "lib-4-0", meldpy.FuseOptions(origins=True))
    assert bytes(plain.main.code.bodies) == bytes(said.main.code.bodies)
    section = raw(said.main, "meld.origins")
    size = section[0] & 0x7F | (section[1] & 0x7F) << 7
    described = json.loads(section[2 : 2 + size])
    assert [unit["component"] for unit in described["units"]] == [unit.component for unit in said.units]
    assert Body.__name__ == "Body"
