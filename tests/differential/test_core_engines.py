"""Core outputs with a single memory on engines that know no components, through the drivers of tests.support.engines.

Each engine plays each fixture's scenario, and what it lacks is listed here by fixture: one that runs after all is a
failure too. docs/core.md has the numbers.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from meldpy.engine.coreapi import CoreEngine
from meldpy.errors import EngineError
from meldpy.fixture import Fixture
from tests.differential.test_core_api import DIRECT
from tests.support import engines
from tests.support.core_output import core_of
from tests.support.core_scenario import Player
from tests.support.engines import node, wasmi, wazero
from tests.support.fixtures import ROOT, load

DOCS = Path(__file__).parents[2] / "docs" / "core.md"
GC, NEW_EXCEPTIONS = "core-proposals", "exceptions"
LACKING = {node: {GC, NEW_EXCEPTIONS}, wazero: {GC}, wasmi: {GC, NEW_EXCEPTIONS}}
"""What an engine refuses to compile: GC types, and exceptions with try_table."""
NAMES = {node: "V8 (node 20)", wazero: "wazero 1.12", wasmi: "wasmi 2.0"}
EACH = [
    pytest.param(engine, name, id=f"{engine.__name__}-{name}")
    for engine in LACKING
    for name in DIRECT
    if name not in LACKING[engine]
]


def player(engine: Callable[[], CoreEngine], fixture: Fixture) -> Player:
    return Player(core_of(fixture, memory="single"), fixture, engine(), kinds=False)


@pytest.mark.toolchain
@pytest.mark.parametrize(("engine", "name"), EACH)
def test_fixture_does_what_it_says(engine: Callable[[], CoreEngine], name: str) -> None:
    assert not player(engine, load(name)).play()


def of_that_version() -> list[Callable[[], CoreEngine]]:
    """The engines whose version is known: node is the machine's, and a newer one has more."""
    version = subprocess.run(["node", "--version"], check=True, capture_output=True, text=True).stdout
    return [engine for engine in LACKING if engine is not node or version.startswith("v20.")]


@pytest.mark.toolchain
@pytest.mark.parametrize("engine", of_that_version(), ids=lambda engine: engine.__name__)
def test_what_an_engine_lacks_is_what_it_refuses(engine: Callable[[], CoreEngine]) -> None:
    for name in sorted(LACKING[engine]):
        with pytest.raises(EngineError, match="the driver said error"):
            player(engine, load(name)).play()


def test_docs_say_what_runs_where() -> None:
    rows = [f"| {NAMES[engine]} | {', '.join(sorted(lacking))} |" for engine, lacking in LACKING.items()]
    assert DOCS.read_text(encoding="utf-8").rstrip().splitlines()[-len(rows) :] == rows


@pytest.mark.toolchain
def test_walk_through_in_go_does_what_it_says(tmp_path: Path) -> None:
    text = DOCS.read_text(encoding="utf-8")
    (program,) = re.findall(r"```go\n(.*?)```", text, re.DOTALL)
    (prints,) = re.findall(r"It prints `([^`]*)`", text)
    (tmp_path / "main.go").write_text(program, encoding="utf-8")
    for name in ("go.mod", "go.sum"):
        shutil.copy(engines.HERE / "wazero" / name, tmp_path)
    module = tmp_path / "hello.wasm"
    command = re.findall(r"meld (fuse --core --memory single fixtures/hello.*?) -o hello.wasm", text)[0].split()
    inputs = [str(ROOT.parent / word) if word.startswith("fixtures/") else word for word in command]
    subprocess.run([sys.executable, "-m", "meldpy", *inputs, "-o", str(module)], check=True, capture_output=True)
    built = engines.go_build(tmp_path)
    said = subprocess.run([str(built), str(module), "world"], check=True, capture_output=True, text=True)
    assert said.stdout == prints + "\n"
