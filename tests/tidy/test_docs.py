"""The documentation says what is so: messages are those of the code, features those that are refused, commands run."""

from __future__ import annotations

import ast
import re
import shlex
import shutil
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest
import yaml

import meldpy
from meldpy.cli.main import run

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.glob("*.md"))
PLACEHOLDER = "…"


def text_of(node: ast.expr | None) -> str | None:
    """A string of the code, with a placeholder for whatever is put into it."""
    match node:
        case ast.Constant(value=str() as text):
            return text
        case ast.JoinedStr(values=values):
            return "".join(str(each.value) if isinstance(each, ast.Constant) else PLACEHOLDER for each in values)
        case _:
            return None


@cache
def raised() -> tuple[tuple[str, str | None, str | None], ...]:
    """Every error that the code makes: its class (or `error`, of a reader), and its first two arguments."""
    found = []
    for path in (ROOT / "meldpy").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
                if name.endswith("Error") or name == "error":
                    first, second = (*map(text_of, node.args[:2]), None, None)[:2]
                    found.append((name, first, second))
    return tuple(found)


def headings(page: str) -> Iterator[str]:
    """The third-level headings that are a message, without their marks."""
    for line in (DOCS / page).read_text().splitlines():
        if line.startswith("### `"):
            yield line.removeprefix("### ").strip("`").strip()


@pytest.mark.parametrize("message", list(headings("troubleshooting.md")))
def test_a_message_that_is_explained_is_one_of_the_code(message: str) -> None:
    messages = {first for _, first, _ in raised()}
    assert message in messages


def test_every_feature_that_can_be_refused_has_its_line() -> None:
    features = {first for name, first, _ in raised() if name == "UnsupportedError" and first is not None}
    known = set(re.findall(r"^\| `([^`]+)` \|", (DOCS / "limits.md").read_text(), re.MULTILINE))
    assert "async" in features
    assert features - known == set()


def test_every_page_of_the_site_exists_and_every_link_leads_somewhere() -> None:
    site = re.findall(r"^ +- ([a-z-]+\.md)$", (ROOT / "mkdocs.yml").read_text(), re.MULTILINE)
    assert sorted(site) == [page.name for page in PAGES]
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text()):
            assert (DOCS / target).exists(), f"{page.name} links to {target}"


def test_the_site_takes_nothing_from_elsewhere() -> None:
    settings = yaml.safe_load((ROOT / "mkdocs.yml").read_text())
    assert settings["theme"]["font"] is False
    assert settings["strict"] is True
    assert not {"extra_javascript", "extra_css"} & set(settings)


HELLO = [ROOT / "fixtures" / "hello" / name for name in ("greeter.wasm", "app.wasm")]
RESOURCES = sorted((ROOT / "fixtures" / "resource-basics").glob("*.wasm"))


@pytest.mark.parametrize(
    ("name", "drawn"),
    [
        ("hello", lambda: meldpy.graph(HELLO)),
        ("kept", lambda: meldpy.graph(HELLO, meldpy.FuseOptions(keeps=("greeter",)), show="after")),
        ("resources", lambda: meldpy.graph(RESOURCES, detail="functions", show="after")),
    ],
    ids=["hello", "kept", "resources"],
)
def test_pictures_are_what_meld_draws(name: str, drawn: Callable[[], str]) -> None:
    assert (DOCS / "pictures" / f"{name}.svg").read_text() == drawn()


def test_the_first_five_minutes_go_as_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(ROOT / "fixtures" / "hello", tmp_path / "fixtures" / "hello")
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"^```sh\n(.*?)^```", (DOCS / "start.md").read_text(), re.MULTILINE | re.DOTALL)
    commands = [line for block in blocks for line in block.splitlines() if line.startswith("meld ")]
    assert len(commands) == 9
    for command in commands:
        assert run(shlex.split(command, comments=True)[1:]) == 0, command
    assert '"Hello, world! (from two components)"' in capsys.readouterr().out
