"""The same inputs and options give the same bytes, whatever the process's hash seed, directory and time."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAIRS = [
    ("hello/greeter.wasm", "hello/app.wasm"),
    ("text/words.wasm", "text/report.wasm"),
    ("geometry/shapes.wasm", "geometry/survey.wasm"),
]


def fuse(inputs: tuple[str, ...], seed: str, directory: Path) -> bytes:
    environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "meldpy", "fuse", *(str(ROOT / "fixtures" / name) for name in inputs)]
    return subprocess.run(command, env=environment, cwd=directory, capture_output=True, check=True).stdout


@pytest.mark.parametrize("inputs", PAIRS, ids=lambda pair: pair[0])
def test_two_processes_write_the_same_bytes(inputs: tuple[str, ...], tmp_path: Path) -> None:
    first = fuse(inputs, "1", ROOT)
    assert first == fuse(inputs, "4242", tmp_path)
    assert str(ROOT).encode() not in first
