"""`docs/native-modules.md`: its files are built by its commands, and its program prints what a reader expects."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.native import SDK, folder

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "docs" / "native-modules.md").read_text()
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)


def block(title: str) -> str:
    """The block whose first line is a comment that names a file."""
    (found,) = [body for _, body in BLOCKS if body.split("\n")[0].strip("/*# ") == title]
    return found


def run(command: str, where: Path) -> str:
    environment = {**os.environ, "SDK": str(SDK), "CARGO_TARGET_DIR": str(where / "target"), "PYTHONPATH": str(ROOT)}
    done = subprocess.run(["bash", "-euc", command], cwd=where, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def commands(of: str) -> list[str]:
    """The lines of shell blocks that begin so."""
    return [line for kind, body in BLOCKS if kind == "sh" for line in body.splitlines() if line.startswith(of)]


def greeted(where: Path, library: Path) -> str:
    module = where / "greeter-module"
    module.mkdir()
    (module / "module.toml").write_text(block("module.toml"))
    shutil.copy(library, module / "greeter.so")
    (where / "run.py").write_text(block("run.py"))
    return run(f"{sys.executable} run.py", where)


def test_the_module_in_c(tmp_path: Path) -> None:
    (tmp_path / "greeter.c").write_text(block("greeter.c"))
    for command in commands("cc "):
        run(command, tmp_path)
    (checked,) = commands("./check")
    assert "greet: 12 bytes: hello, world" in run(checked, tmp_path)
    assert greeted(tmp_path, tmp_path / "greeter.so") == "hello, world\n"


def test_the_module_in_rust(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "lib.rs").write_text(block("src/lib.rs"))
    (tmp_path / "Cargo.toml").write_text(block("Cargo.toml").replace("SDK/rust", str(SDK / "rust")))
    (build,) = commands("cargo ")
    run(build, tmp_path)
    assert greeted(tmp_path, tmp_path / "target" / "release" / "libgreeter.so") == "hello, world\n"


@pytest.mark.parametrize("language", ["c", "rust"])
def test_the_sdks_are_where_it_says(language: str) -> None:
    assert Path(run(f"{sys.executable} -m meldpy.host.sdk {language}", Path(folder().name)).strip()) == SDK / language
