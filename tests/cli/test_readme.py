"""Every example of the README and of the pages behind `meld docs` does what it promises: it is run as it stands there.

What is called `app.wasm` and the like in an example is made of the texts in `readme/`. Installing is shown by
`.ci/release`; what waits for changes, or for a cluster, by tests of its own.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import click
import pytest

from meldpy.cli.help import COMMANDS
from meldpy.cli.main import cli, run
from meldpy.engine.text import assemble

ROOT = Path(__file__).resolve().parents[2]
GUESTS = Path(__file__).parent / "readme"
PAGES = [
    ROOT / "README.md",
    *(ROOT / "docs" / f"{name}.md" for name in ("batch", "ci", "compare", "manifest", "provenance")),
]
FILES = {
    "app.wasm": "app", "lib.wasm": "lib", "plugin.wasm": "plugin", "auth.wasm": "middleware", "log.wasm": "middleware",
    "build/a.wasm": "a", "deps/demo/app.wasm": "app",
}  # fmt: skip
TEXTS = {
    "meld.toml": 'inputs = ["app.wasm", "lib.wasm"]\noutput = "made.wasm"\n',
    "fleet/one.toml": 'inputs = ["../app.wasm", "../lib.wasm"]\noutput = "one.wasm"\n',
    "fleet/two.toml": 'inputs = ["../app.wasm"]\noutput = "two.wasm"\n',
    "all.wac": "let log = new demo:log { ... }; let app = new demo:app { ...log }; export app.f;",
    "scenario.toml": "[[call]]\ncall = 'f(1)'\n",
    "trace": "  0: 0x50 - out.wasm!f\n",
}


def examples() -> list[tuple[str, str]]:
    """(page, command) of every line that calls meld in a block of shell text, comments left out."""
    found = []
    for page in PAGES:
        for block in re.findall(r"^```sh\n(.*?)^```", page.read_text(), re.M | re.S):
            lines = [re.sub(r"\s+#.*", "", line) for line in block.splitlines()]
            found += [(page.name, line) for line in lines if line.startswith("meld ")]
    return found + [
        (f"meld {name} --help", line.strip())
        for name in (name for commands in COMMANDS.values() for name in commands)
        for line in (cli.get_command(click.Context(cli), name).epilog or "").splitlines()  # type: ignore[union-attr]
        if line.startswith("  meld ")
    ]


def test_there_are_examples() -> None:
    assert len(examples()) > 30


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the examples find what they name."""
    folder = tmp_path_factory.mktemp("ready")
    for name, text in TEXTS.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    for name, guest in FILES.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(assemble((GUESTS / f"{guest}.wat").read_bytes(), guest))
    for guest in ("shapes", "command"):
        (folder / f"{guest}.wasm").write_bytes(assemble((GUESTS / f"{guest}.wat").read_bytes(), guest))
    hello = [str(ROOT / "fixtures" / "hello" / name) for name in ("greeter.wasm", "app.wasm")]
    pair = [str(folder / name) for name in ("app.wasm", "lib.wasm")]
    keep = ["--keep", "app", "--keep"]
    for arguments in (
        [*pair, "--provenance", "-o", "fused.wasm"], [*pair, *keep, "lib", "-o", "apart.wasm"],
        [*hello, "-o", "greet.wasm"], [*pair, "-o", "made.wasm"],
    ):  # fmt: skip
        assert run(["-q", "fuse", *arguments[:-1], str(folder / arguments[-1])]) == 0
    (folder / "fixtures").symlink_to(ROOT / "fixtures")
    bin_ = folder / "bin"
    bin_.mkdir()
    (bin_ / "meld").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m meldpy "$@"\n')
    (bin_ / "meld").chmod(0o755)
    return folder


def outputs(command: str) -> tuple[str, str]:
    """What `out.wasm` and `composed.wasm` are in this example."""
    if "greet(" in command:
        return "greet.wasm", "greet.wasm"
    if "area(" in command:
        return "shapes.wasm", "shapes.wasm"
    if "arg1" in command:
        return "command.wasm", "command.wasm"
    return "fused.wasm", "apart.wasm"


@pytest.mark.parametrize(("page", "command"), examples(), ids=lambda text: str(text)[:60])
def test_the_example_works(page: str, command: str, ready: Path, tmp_path: Path) -> None:
    folder = tmp_path / "here"
    shutil.copytree(ready, folder, symlinks=True)
    for name, content in zip(("out.wasm", "composed.wasm"), outputs(command), strict=True):
        shutil.copyfile(folder / content, folder / name)
    command = (
        command.replace("…", "app.wasm lib.wasm -o out.wasm").replace("NAME", "hello").replace("[hello...]", "hello")
    )
    command = command.replace("--fuzz 30", "--fuzz 1")
    path = f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"PATH": path, "PYTHONPATH": str(ROOT), "MELDPY_CACHE": str(tmp_path)}
    done = subprocess.run(
        ["bash", "-c", command], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{page}: {command}\n{done.stdout}{done.stderr}"
