"""Rules about the code itself that no linter knows (house style)."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "meldpy").rglob("*.py"))


def identify(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", SOURCES, ids=identify)
def test_every_module_opens_with_its_job(path: Path) -> None:
    tree = ast.parse(path.read_text())
    assert ast.get_docstring(tree), "a module says what its job is"


@pytest.mark.parametrize("path", SOURCES, ids=identify)
def test_no_decision_is_taken_from_an_annotated_name(path: Path) -> None:
    """`[method]`, `[resource-drop]` and their like are for people; identities decide."""
    found = re.findall(r'startswith\(\(?\s*f?["\']\[.*', path.read_text())
    assert not found


@pytest.mark.parametrize("path", SOURCES, ids=identify)
def test_absence_is_explicit(path: Path) -> None:
    """No default index: `.get(key, 0)` turns a missing thing into the first one."""
    assert not re.findall(r"\.get\([^()]*,\s*-?\d+\)", path.read_text())


@pytest.mark.parametrize("path", SOURCES, ids=identify)
def test_nothing_is_left_for_later(path: Path) -> None:
    assert not re.findall(r"\b(TODO|FIXME|XXX|HACK)\b|NotImplementedError", path.read_text())


def test_layers_are_documented_where_they_are_enforced() -> None:
    """Every package of the pipeline says what it does."""
    packages = [path for path in (ROOT / "meldpy").iterdir() if path.is_dir() and (path / "__init__.py").exists()]
    for package in packages:
        assert ast.get_docstring(ast.parse((package / "__init__.py").read_text())), package.name


MAY = {"click": {"cli"}, "networkx": {"resolver"}, "wasmtime": {"kernel", "engine"}}
"""Which parts may import what; `__main__` only starts the command line."""


def test_what_a_part_may_not_import_is_forbidden_to_every_other() -> None:
    told = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    found = {
        contract["forbidden_modules"][0]: set(contract["source_modules"])
        for contract in told
        if contract["type"] == "forbidden"
    }
    parts = {
        path.stem for path in (ROOT / "meldpy").iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()
    }
    parts -= {"__init__", "__main__"}
    assert found == {module: {f"meldpy.{part}" for part in parts - may} for module, may in MAY.items()}


BELOW = ("batch", "comparison", "core", "core_output", "engine", "provenance", "wac")
"""Parts whose callers need not be commands: what a command's `--help` says helps nobody there."""


@pytest.mark.parametrize("path", [p for p in SOURCES if p.relative_to(ROOT).parts[1] in BELOW], ids=identify)
def test_a_wrong_use_says_what_would_be_right_where_no_command_does(path: Path) -> None:
    calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    raised = [call for call in calls if isinstance(call.func, ast.Name) and call.func.id == "UsageError"]
    assert not [ast.unparse(call) for call in raised if "remedy" not in {word.arg for word in call.keywords}]
