"""Core dumps told as component, function, file and line: `meld symbolize FUSED --core-dump DUMP`."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

import meldpy
from meldpy.asm.leb import unsigned
from meldpy.cli.main import run
from meldpy.debug.coredump import threads_of
from meldpy.debug.cursor import Malformed
from meldpy.debug.traces import trace_frames
from meldpy.debugging import modules_in, symbolizer
from meldpy.model.core import CoreModule
from tests.debug.test_dwarf import fused, given
from tests.debug.test_symbolize import trapping
from tests.support.dwarf.fused import Fused

VALUES = b"\x04" + b"\x7f\x85\x80\x80\x80\x70" + b"\x7e\x7f" + b"\x7d\0\0\x80\x3f" + b"\x01"
"""What a frame's locals may be: an i32, an i64, an f32, and one that is missing."""


def name(text: str) -> bytes:
    return unsigned(len(text)) + text.encode()


def custom(section: str, content: bytes) -> bytes:
    body = name(section) + content
    return b"\0" + unsigned(len(body)) + body


def frame(instance: int, function: int, offset: int, values: bytes = b"\0") -> bytes:
    return b"\0" + unsigned(instance) + unsigned(function) + unsigned(offset) + values + b"\0"


def dump(frames: Sequence[bytes], modules: Sequence[str] = ("main",), thread: str = "main") -> bytes:
    """As the conventions have it: the program, its modules, an instance of each, and the stack of one thread."""
    told = unsigned(len(modules)) + b"".join(b"\0" + name(module) for module in modules)
    instances = unsigned(len(modules)) + b"".join(b"\0" + unsigned(i) + b"\x01\0\0" for i in range(len(modules)))
    stack = b"\0" + name(thread) + unsigned(len(frames)) + b"".join(frames)
    sections = (("core", b"\0" + name("out.wasm")), ("coremodules", told), ("coreinstances", instances))
    return b"\0asm\1\0\0\0" + b"".join(custom(*each) for each in sections) + custom("corestack", stack)


def trap_of(result: Fused) -> list[tuple[int, int, int]]:
    return stack_of(result.data, result.main.offset, trapping(result.data, "main-fail", 20))


def stack_of(data: bytes, main: int, trap: str) -> list[tuple[int, int, int]]:
    """(function, offset in its body, offset in the file) of each frame of a trap in the module at `main`."""
    symbols = symbolizer(data, "fused")
    found: list[tuple[int, int, int]] = []
    (module,) = [each for each in symbols._modules if each.module.offset == main]
    for each in trace_frames(trap, symbols):
        index = module.function(each.offset)
        if index is not None:
            found.append((index, each.offset - module.starts[index - module.imported], each.offset))
    return found


def test_the_stack_of_a_dump_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = fused("app-4-0", "lib-4-0", meldpy.FuseOptions(origins=True))
    out, core = tmp_path / "out.wasm", tmp_path / "core"
    out.write_bytes(result.data)
    stack = trap_of(result)
    core.write_bytes(dump([frame(0, function, offset, VALUES) for function, offset, _ in stack]))
    subprocess.run(["wasm-tools", "validate", str(core)], check=True)
    assert run(["symbolize", str(out), "--core-dump", str(core)]) == 0
    told = capsys.readouterr().out.splitlines()
    assert told[:3] == ["thread main:", "   0: lib: exported_fail", "          at guests/lib.c:46:9"]
    assert any("app: exported_main_fail" in line for line in told)
    # the same as for the offsets of the backtrace
    assert run(["symbolize", str(out), *(hex(offset) for *_, offset in stack)]) == 0
    by_offset = [line for line in capsys.readouterr().out.splitlines() if not line.startswith("0x")]
    assert told[1:] == by_offset
    assert run(["symbolize", str(out), "--core-dump", str(core), "--original"]) == 0
    assert "from lib at 0x" in capsys.readouterr().out


def test_frames_of_unknown_modules_are_told_as_such(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    result = fused("app-4-0", "lib-4-0")
    out, core = tmp_path / "out.wasm", tmp_path / "core"
    out.write_bytes(result.data)
    core.write_bytes(dump([frame(9, 100_000, 5)], thread="worker 3"))
    assert run(["symbolize", str(out), "--core-dump", str(core)]) == 1
    assert capsys.readouterr().out.splitlines() == ["thread worker 3:", "   0: in a module that is not here"]


def test_a_function_in_two_modules_is_told_by_the_module_s_name() -> None:
    """A composition has two modules that both have a function 3."""
    parts = [given("app-4-0", "app"), given("lib-4-0", "lib")]
    symbols = [symbolizer(part.data, part.name) for part in parts]
    both = symbolizer(parts[0].data, "both")
    both._modules += symbols[1]._modules
    assert both.frames_in_function(3, 4) is None
    names = [each.name for each in both._modules if each.has(3, 4)]
    assert len(set(names)) == len(names) > 1
    for module in names:
        found = both.frames_in_function(3, 4, module)
        assert found is not None
        assert {frame.place.file for frame in found[1] if frame.place} <= {"guests/app.c", "guests/lib.c"}


def test_what_is_no_dump_or_a_broken_one_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, core = tmp_path / "out.wasm", tmp_path / "core"
    out.write_bytes(fused("app-4-0", "lib-4-0").data)
    whole = dump([frame(0, 3, 5, VALUES)])
    core.write_bytes(b"\0asm\1\0\0\0")
    assert run(["symbolize", str(out), "--core-dump", str(core)]) == 2
    assert "is no core dump" in capsys.readouterr().err
    assert run(["symbolize", str(out), "7", "--core-dump", str(core)]) == 2
    content = whole[whole.index(b"corestack") + len(b"corestack") :]
    for size in range(len(content)):
        broken = b"\0asm\1\0\0\0" + custom("corestack", content[:size])
        with pytest.raises(Malformed):
            threads_of(module_of(broken))
    core.write_bytes(b"\0asm\1\0\0\0" + custom("corestack", content[:-3]))
    assert run(["symbolize", str(out), "--core-dump", str(core)]) == 2
    assert "malformed core dump" in capsys.readouterr().err


def module_of(data: bytes) -> CoreModule:
    (module,) = modules_in(data, "dump")
    return module
