"""Offsets and backtraces told as component, function, file and line."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from io import BytesIO, TextIOWrapper
from pathlib import Path

import pytest
from wasmtime import Engine, Store, WasmtimeError
from wasmtime import component as components

import meldpy
from meldpy.cli.main import run
from meldpy.debug.demangle import _library, demangled
from meldpy.debug.dwarf import debug_sections
from meldpy.debug.reader import DwarfReader
from meldpy.debug.traces import rewritten, trace_frames
from meldpy.debugging import symbolizer
from meldpy.model.core import CoreModule
from tests.debug.test_dwarf import SUFFIXES, fused, given
from tests.debug.test_hostile_dwarf import unit
from tests.support.dwarf.frames import frames, instructions
from tests.support.dwarf.mutated import dwarf_inputs, mutated

ROOT = Path(__file__).parents[2]
STRINGS = ROOT / "fixtures" / "strings"
NOTHING = "no dwarf frames found for this address"


def places(text: str) -> list[str]:
    return [] if text == NOTHING else [line.rsplit(" ", 1)[1] for line in text.split("\n")]


def read(module: CoreModule, address: int) -> list[str]:
    found = DwarfReader(debug_sections(module)).frames(address)
    return [f"{f.place.file}:{f.place.line}:{f.place.column}" if f.place else "?" for f in found]


@pytest.mark.parametrize("provider", ["lib", "shapes"])
@pytest.mark.parametrize("suffix", SUFFIXES)
def test_our_reader_says_what_another_says(provider: str, suffix: str) -> None:
    result = fused(f"app-{suffix}", f"{provider}-{suffix}")
    core = result.data[result.main.offset : result.main.offset + result.main.size]
    addresses = instructions(result.main)
    for address, text in zip(addresses, frames(core, addresses), strict=True):
        expected = [place if re.search(r":\d+:\d+$", place) else "?" for place in places(text)]
        assert read(result.main, address) == expected, hex(address)


@pytest.mark.parametrize("provider", ["core-4-2", "core-5-1", "mixed", "old", "older", "types"])
def test_our_reader_says_what_another_says_of_other_units(provider: str) -> None:
    result = fused("app-4-1", provider)
    core = result.data[result.main.offset : result.main.offset + result.main.size]
    addresses = instructions(result.main)[:: 1 if len(core) < 20_000 else 23]
    for address, text in zip(addresses, frames(core, addresses), strict=True):
        expected = [place if re.search(r":\d+:\d+$", place) else "?" for place in places(text)]
        assert read(result.main, address) == expected, hex(address)


@pytest.mark.parametrize(("app", "provider"), [("app-4-2", "mixed"), ("app-5-s", "shapes-5-2")])
def test_our_reader_comes_to_an_end_with_what_is_broken(app: str, provider: str) -> None:
    """It says something or nothing."""
    given_dwarf = dwarf_inputs(fused(app, provider))[1]
    said = silent = 0
    for seed in range(150):
        reader = DwarfReader(mutated(given_dwarf, seed).sections)
        for address in range(0, 400, 37):
            found = reader.frames(address)
            said += bool(found)
            silent += not found
    assert min(said, silent) > 100


def test_our_reader_is_not_kept_busy() -> None:
    empty = b"\x01\x11\x00" + b"\x3f\x19" * 100_000 + b"\0\0\0"
    shared = b"\x01\x11\x01\x11\x01\0\0\x02\x2e\x00\x55\x17\0\0\0"
    ranges = b"\x02\0\0\0\x03\0\0\0" * 20_000 + bytes(8)
    referring = unit(0, b"\x01" + bytes(4) + (b"\x02" + bytes(4)) * 20_000)
    for sections in (
        {".debug_info": unit(0, b"\x01" * 100_000), ".debug_abbrev": empty},
        {".debug_info": referring, ".debug_abbrev": shared, ".debug_ranges": ranges},
    ):
        began = time.perf_counter()
        assert DwarfReader(sections).frames(5) == []
        assert time.perf_counter() - began < 20


def trapping(data: bytes, name: str, *arguments: object) -> str:
    """What the engine says when the export traps."""
    engine = Engine()
    store = Store(engine)
    instance = components.Linker(engine).instantiate(store, components.Component(engine, data))
    func = instance.get_func(store, name)
    assert func is not None
    with pytest.raises(WasmtimeError) as caught:
        func(store, *arguments)
    return str(caught.value)


def test_a_trace_says_component_function_file_and_line() -> None:
    result = fused("app-4-0", "lib-4-0")
    text = trapping(result.data, "main-fail", 20)
    symbols = symbolizer(result.data, "fused")
    innermost, outermost = (frame.frames[0] for frame in (trace_frames(text, symbols)[i] for i in (0, -1)))
    assert (innermost.component, innermost.function) == ("lib", "exported_fail")
    assert (outermost.component, outermost.function) == ("app", "exported_main_fail")
    lines = list(rewritten(text.splitlines(), symbols))
    assert "   0: lib: exported_fail" in lines
    assert "          at guests/lib.c:46:9" in lines
    assert lines[-1].strip() == "wasm trap: wasm `unreachable` instruction executed"
    assert not any("- <unknown>" in line for line in lines)


def test_a_trace_in_a_log_of_another_encoding_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    result = fused("app-4-0", "lib-4-0")
    path = tmp_path / "out.wasm"
    path.write_bytes(result.data)
    log = b"caf\xe9\n" + trapping(result.data, "main-fail", 20).encode()
    monkeypatch.setattr(sys, "stdin", TextIOWrapper(BytesIO(log), encoding="utf-8", errors="strict"))
    assert run(["symbolize", str(path)]) == 0
    assert "lib: exported_fail" in capsys.readouterr().out


def test_what_the_engine_says_of_lines_is_not_said_twice() -> None:
    code = (
        "import sys; from tests.debug.test_symbolize import *;"
        "print(trapping(fused('app-5-2', 'lib-5-2').data, 'main-fail', 20))"
    )
    environment = {"WASMTIME_BACKTRACE_DETAILS": "1", "PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, env=environment, check=True
    )
    assert done.stdout.count("lib.c:46:9") == 1
    symbols = symbolizer(fused("app-5-2", "lib-5-2").data, "fused")
    assert "\n".join(rewritten(done.stdout.splitlines(), symbols)).count("lib.c:46:9") == 1


def test_frames_of_browsers_are_found_by_function_and_offset_in_the_module() -> None:
    result = fused("app-4-0", "lib-4-0")
    symbols = symbolizer(result.data, "fused")
    text = trapping(result.data, "main-fail", 20)
    offset = trace_frames(text, symbols)[0].offset
    (index,) = [
        index
        for index in range(100)
        if symbols.frames_in_module(offset - result.main.offset, index)
    ]  # fmt: skip
    line = f"    at exported_fail (wasm://wasm/abc:wasm-function[{index}]:{hex(offset - result.main.offset)})"
    told = list(rewritten([line, "    at main.js:3:4"], symbols))
    assert told == [line, "        lib: exported_fail at guests/lib.c:46:9", "    at main.js:3:4"]
    wrong = line.replace(f"[{index}]", f"[{index + 1}]")
    assert list(rewritten([wrong], symbols)) == [wrong]


def test_run_tells_the_rule_that_fired(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bad = tmp_path / "bad.wat"
    bad.write_text(BAD_STRING)
    lib = tmp_path / "lib.wat"
    lib.write_text(TAKES_STRING)
    out = tmp_path / "out.wasm"
    assert run(["-q", "fuse", f"app={bad}", f"lib={lib}", "-o", str(out)]) == 0
    assert run(["run", str(out), "--invoke", "go()"]) == 134
    told = capsys.readouterr().err
    assert "the call broke a rule of the Canonical ABI: invalid utf8" in told
    assert "adapter app -> lib" in told


BAD_STRING = """(component
  (import "take" (func $take (param "s" string)))
  (core module $m (memory (export "m") 1) (data (i32.const 8) "\\ff\\fe"))
  (core instance $mem (instantiate $m))
  (core func $lowered (canon lower (func $take) (memory $mem "m")))
  (core module $main (import "" "take" (func $take (param i32 i32)))
    (func $go (export "go") (call $take (i32.const 8) (i32.const 2))))
  (core instance $i (instantiate $main (with "" (instance (export "take" (func $lowered))))))
  (func (export "go") (canon lift (core func $i "go"))))"""
TAKES_STRING = """(component
  (core module $m (memory (export "m") 1)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 64))
    (func (export "take") (param i32 i32)))
  (core instance $i (instantiate $m))
  (func (export "take") (param "s" string)
    (canon lift (core func $i "take") (memory $i "m") (realloc (func $i "realloc")))))"""


def test_the_command_says_where_offsets_lie(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = fused("app-5-2", "shapes-5-2")
    path = tmp_path / "out.wasm"
    path.write_bytes(result.data)
    offset = result.main.code.offset + 5
    assert run(["symbolize", str(path), hex(offset), str(offset)]) == 0
    told = capsys.readouterr().out
    assert told.count(f"{offset:#x}:") == 2
    assert ".c" in told
    assert run(["symbolize", str(path), "0"]) == 1
    assert "0x0: no function lies there" in capsys.readouterr().out
    assert run(["symbolize", str(path), "seven"]) == 2
    core = tmp_path / "core.wasm"
    core.write_bytes(result.data[result.main.offset : result.main.offset + result.main.size])
    assert run(["symbolize", str(core), hex(offset - result.main.offset)]) == 0
    assert capsys.readouterr().out.splitlines()[1:] == told.splitlines()[1 : len(told.splitlines()) // 2]


def test_an_output_without_dwarf_still_says_component_and_function() -> None:
    result = fused("app-4-0", "lib-4-0", meldpy.FuseOptions(dwarf="drop"))
    symbols = symbolizer(result.data, "fused")
    found = [frame.frames[0] for frame in trace_frames(trapping(result.data, "main-fail", 20), symbols)]
    assert [(f.component, f.function, f.place) for f in found if f.component] == [
        ("lib", "exported_fail", None),
        ("app", "exported_main_fail", None),
    ]


def test_rust_names_are_told_without_their_hash() -> None:
    assert demangled("_ZN4core3ptr42drop_in_place$LT$alloc..string..String$GT$17h0123456789abcdefE") == (
        "core::ptr::drop_in_place<alloc::string::String>"
    )
    assert demangled("_RNvCs1234_7mycrate3foo") == "mycrate::foo"
    assert demangled("_RINvNtC3std3mem8align_ofjE") == "std::mem::align_of::<usize>"
    assert demangled("main") is None


def test_names_of_cpp_are_told_with_their_parameters() -> None:
    assert demangled("_ZN6shapes4areaEj") == "shapes::area(unsigned int)"
    assert demangled("_ZNSt6vectorIiSaIiEE9push_backERKi") == (
        "std::vector<int, std::allocator<int>>::push_back(int const&)"
    )


@pytest.mark.parametrize(
    "name",
    [
        *("_Rgarbage", "_R", "_RNvMNtCs_4core3stra", "_Zgarbage", "_ZN", "_ZN9", "_Z" + "N" * 9000, "_ZN²x"),
        *("_ZN" + "9" * 5000, "_ZN" + "9" * 4000, "_ZN99999999999999999999x"),
    ],
)
def test_what_is_no_symbol_is_shown_as_it_is(name: str) -> None:
    assert demangled(name) is None


@pytest.mark.parametrize("name", ["_RNvCs1234_7mycrate3foo", "_Z3fooi"])
def test_names_stay_where_the_libraries_are_missing(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for library in ("rust_demangler", "itanium_demangler"):
        monkeypatch.setitem(sys.modules, library, None)
    _library.cache_clear()
    assert demangled(name) is None
    _library.cache_clear()


def test_a_composition_is_told_too() -> None:
    lib = given("lib-4-2", "lib")
    symbols = symbolizer(lib.data, lib.source)
    found = [f for offset in range(len(lib.data)) for f in symbols.frames(offset)]
    assert {"exported_run", "walk_down", "square_of"} <= {frame.function for frame in found}
