"""`meld inspect` on a terminal and elsewhere: bars, percentages, WIT, core modules. (More of it in test_commands.)"""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from meldpy.cli.main import run

ROOT = Path(__file__).resolve().parents[2]
APP = str(ROOT / "fixtures" / "hello" / "app.wasm")


def on_a_terminal(*arguments: str) -> list[str]:
    master, slave = pty.openpty()
    process = subprocess.Popen([sys.executable, "-m", "meldpy", *arguments], cwd=ROOT, stdout=slave)
    os.close(slave)
    text = b""
    while True:
        try:
            part = os.read(master, 65536)
        except OSError:
            break  # the other side is closed
        if not part:
            break
        text += part
    os.close(master)
    assert process.wait() == 0
    return text.decode().splitlines()


def test_on_a_terminal_what_takes_bytes_has_a_bar() -> None:
    lines = on_a_terminal("inspect", APP)
    assert lines[0].startswith("█" * 10 + " component ")
    (module,) = [line for line in lines if "core module 0 (" in line]
    assert module.startswith("████▊ ")
    assert all(line[:11].isspace() for line in lines if line.lstrip().startswith(("import", "export", "memory")))


def test_elsewhere_there_are_no_bars_but_percentages(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["inspect", APP]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("component ")
    assert any(line.startswith("  core module 0 (app.wasm): 978 bytes (47.3 %), 4 functions") for line in lines)


def test_wit_alone_is_a_document(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["inspect", "--wit", APP]) == 0
    out = capsys.readouterr().out
    assert out.startswith("package root:component;\n\nworld root {\n  import demo:hello/greeting@1.0.0;\n")


def test_a_core_module_is_shown_but_has_no_wit(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "m.wat").write_text('(module $mine (memory 2) (func (export "f")))')
    assert run(["inspect", str(tmp_path / "m.wat")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(f"core module {tmp_path / 'm.wat'}: ")
    assert "  memory 0: 2.. pages, 131072 bytes" in lines
    assert run(["inspect", "--wit", str(tmp_path / "m.wat")]) == 2
    assert "has no world" in capsys.readouterr().err


def test_json_and_wit_at_once_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["inspect", "--wit", "--json", APP]) == 2
    assert "--json has the WIT in it" in capsys.readouterr().err
