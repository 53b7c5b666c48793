"""Core outputs with a single memory on engines that know no components, through the drivers of tests.support.engines.

Each engine plays each fixture's scenario, and what it lacks is listed here by fixture: one that runs after all is a
failure too. docs/core.md has the table; `BLESS=1` writes it anew.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from meldpy.engine.coreapi import CoreEngine
from meldpy.errors import EngineError, UnsupportedError
from tests.differential.test_core_api import DIRECT
from tests.support import engines
from tests.support.core_output import core_of
from tests.support.core_scenario import Player
from tests.support.fixtures import ROOT, load

DOCS = Path(__file__).parents[2] / "docs" / "core.md"
GC, NEW_EXCEPTIONS = frozenset({"core-proposals"}), frozenset({"exceptions"})
VECTORS = frozenset({"geometry"})
PASSIVE_SEGMENTS = frozenset({"start-functions", "instantiated-twice"})
OF_VERSION_1 = GC | NEW_EXCEPTIONS | VECTORS | PASSIVE_SEGMENTS


@dataclass(frozen=True)
class Engine:
    """features: what it is fused for; nothing: for anything, and the engine itself refuses what is `lacking`."""

    name: str
    start: Callable[[], CoreEngine]
    features: str
    lacking: frozenset[str]

    @property
    def label(self) -> str:
        return self.start.__name__


ENGINES = (
    Engine("V8 (node 20)", engines.node, "", GC | NEW_EXCEPTIONS),
    Engine(f"V8 (node {engines.NEWEST_NODE})", engines.newest_node, "", frozenset()),
    Engine("wazero 1.12", engines.wazero, "", GC),
    Engine("wazero 1.12, as it comes (`--features wazero`)", engines.wazero_plain, "wazero", GC | NEW_EXCEPTIONS),
    Engine("wasmi 2.0", engines.wasmi, "", GC | NEW_EXCEPTIONS),
    Engine("Chicory 1.7 (`--features=-simd`)", engines.chicory, "-simd", GC | VECTORS),
    Engine("wasm3 0.5 (`--features wasm3`)", engines.wasm3, "wasm3", OF_VERSION_1),
)
EACH = [
    pytest.param(engine, name, id=f"{engine.label}-{name}")
    for engine in ENGINES
    for name in DIRECT
    if name not in engine.lacking
]


@cache
def fused(name: str, features: str) -> bytes:
    return core_of(load(name), memory="single", features=features)


def player(engine: Engine, name: str) -> Player:
    return Player(fused(name, engine.features), load(name), engine.start(), kinds=False)


@pytest.mark.toolchain
@pytest.mark.parametrize(("engine", "name"), EACH)
def test_fixture_does_what_it_says(engine: Engine, name: str) -> None:
    assert not player(engine, name).play()


@pytest.mark.parametrize("name", [name for name in DIRECT if name not in OF_VERSION_1])
def test_fixture_without_anything_beyond_version_1_does_the_same(name: str) -> None:
    assert not Player(fused(name, "wasm1"), load(name)).play()


def of_that_version() -> list[Engine]:
    """The engines whose version is known: node is the machine's, and a newer one has more."""
    version = subprocess.run(["node", "--version"], check=True, capture_output=True, text=True).stdout
    return [engine for engine in ENGINES if engine.start is not engines.node or version.startswith("v20.")]


@pytest.mark.toolchain
@pytest.mark.parametrize("engine", of_that_version(), ids=lambda engine: engine.label)
def test_what_an_engine_lacks_is_what_is_refused(engine: Engine) -> None:
    for name in sorted(engine.lacking):
        if engine.features:
            with pytest.raises(UnsupportedError, match="by the target"):
                fused(name, engine.features)
        else:
            with pytest.raises(EngineError, match="the driver said error"):
                player(engine, name).play()


def test_what_version_1_lacks_is_refused() -> None:
    for name in sorted(OF_VERSION_1):
        with pytest.raises(UnsupportedError, match="by the target"):
            fused(name, "wasm1")


def test_docs_say_what_runs_where() -> None:
    rows = [
        f"| {engine.name} | {len(DIRECT) - len(engine.lacking)} | {', '.join(sorted(engine.lacking))} |"
        for engine in ENGINES
    ]
    text = DOCS.read_text(encoding="utf-8")
    before, header, _ = re.split(r"(\| engine \|.*\n\|.*\|\n)", text)
    if os.environ.get("BLESS"):
        DOCS.write_text(before + header + "\n".join(rows) + "\n", encoding="utf-8")
    assert DOCS.read_text(encoding="utf-8").rstrip().splitlines()[-len(rows) :] == rows
    assert f"All {len(DIRECT)} fixtures" in before


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
