"""The supported engines, both ends: the oldest wasmtime fuses to the same bytes and passes the unit tests.

A long test (it makes a virtual environment): `python -m pytest -m deep tests/deep`.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import meldpy

ROOT = Path(__file__).parents[2]
OLDEST = "49.0.0"
PAIRS = {
    "hello": ("hello/greeter.wasm", "hello/app.wasm"),
    "text": ("text/words.wasm", "text/report.wasm"),
    "geometry": ("geometry/shapes.wasm", "geometry/survey.wasm"),
    "printer": ("text/words.wasm", "printer/printer.wasm"),
}

pytestmark = pytest.mark.deep


@pytest.fixture(scope="module")
def oldest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of an environment with this project and the oldest supported engine."""
    home = tmp_path_factory.mktemp("oldest") / "venv"
    subprocess.run([sys.executable, "-m", "venv", str(home)], check=True)
    python = home / "bin" / "python"
    pip = [str(python), "-m", "pip", "install", "--quiet"]
    subprocess.run([*pip, "-e", f"{ROOT}[test]", f"wasmtime=={OLDEST}"], check=True)
    return python


@pytest.mark.parametrize("name", PAIRS)
def test_the_oldest_engine_gives_the_same_bytes(name: str, oldest: Path, tmp_path: Path) -> None:
    inputs = [str(ROOT / "fixtures" / part) for part in PAIRS[name]]
    output = tmp_path / "out.wasm"
    subprocess.run([str(oldest), "-m", "meldpy", "-q", "fuse", *inputs, "-o", str(output)], check=True)
    assert output.read_bytes() == meldpy.fuse(inputs).bytes


def test_the_unit_tests_pass_with_the_oldest_engine(oldest: Path) -> None:
    environment = {**os.environ, "CI": "true"}
    command = [str(oldest), "-m", "pytest", "-q", "-n", "2", "tests/unit", "-m", "not deep and not toolchain"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-4000:]
