"""`docs/debugging.md`: its commands run, and the backtrace that it shows is the one that comes out."""

from __future__ import annotations

import re
import shlex
import sys
from io import BytesIO, TextIOWrapper
from pathlib import Path

import pytest

from meldpy.cli.main import run
from tests.debug.test_core_dumps import dump, frame
from tests.debug.test_dwarf import BUILT
from tests.debug.test_symbolize import trapping

PAGE = (Path(__file__).parents[2] / "docs" / "debugging.md").read_text()
COMMANDS, TELLING = re.findall(r"^```sh\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
(SHOWN,) = re.findall(r"^```text\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def test_the_page_shows_what_comes_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("app", "lib"):
        (tmp_path / f"{name}.wasm").write_bytes((BUILT / f"{name}-4-2.wasm").read_bytes())
    monkeypatch.chdir(tmp_path)
    fuse, invoke = COMMANDS.splitlines()
    assert run(shlex.split(fuse)[1:]) == 0
    capsys.readouterr()
    assert run(shlex.split(invoke)[1:]) == 134
    assert capsys.readouterr().err.removeprefix("error: the guest trapped\n") == SHOWN

    trace = trapping(Path("out.wasm").read_bytes(), "main-fail", 20)
    first = re.search(r"0: +(0x[0-9a-f]+) - ", trace)
    assert first is not None
    Path("core").write_bytes(dump([frame(0, 0, 1)]))
    told = {}
    for line in TELLING.splitlines():
        monkeypatch.setattr(sys, "stdin", TextIOWrapper(BytesIO(trace.encode())))
        command = shlex.split(line.replace("0x2a1", first[1]), comments=True)
        command = command[: command.index("<")] if "<" in command else command
        assert run(command[1:]) == 0, line
        told[line] = capsys.readouterr().out
    from_stdin, by_offset, with_origin, of_dump = told.values()
    assert "1: app: exported_main_fail" in from_stdin
    assert "0: lib: exported_fail" in by_offset
    assert "from lib at 0x" in with_origin
    assert "thread main:" in of_dump
