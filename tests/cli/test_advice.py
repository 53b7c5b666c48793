"""What `meld fuse` says on stderr about the linking, and that `-q` silences it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from meldpy.cli.main import run
from tests.unit.resolver.test_exports import TYPES, USER, guest

Fuse = Callable[..., tuple[int, str]]


@pytest.fixture
def fuse(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Fuse:
    """Fuses components given as text, NAME=TEXT; returns the exit code and stderr."""
    monkeypatch.chdir(tmp_path)

    def call(*options: str, **components: str) -> tuple[int, str]:
        for name, text in components.items():
            (tmp_path / f"{name}.wat").write_text(text)
        code = run(["fuse", *options, "-o", "out.wasm", *(f"{name}.wat" for name in components)])
        return code, capsys.readouterr().err

    return call


APP, LIB = guest(("api",), ("init", "run")), guest((), ("api", "init", "exports"))


def test_one_line_says_what_stayed_inside_and_how_to_keep_it(fuse: Fuse) -> None:
    code, err = fuse(app=APP, lib=LIB)
    assert code == 0
    lines = [line for line in err.splitlines() if "lib:init" in line]
    assert len(lines) == 1
    for words in ("lib:init, lib:exports;", "--export NAME", "--root INPUT", "--root all", "--hide NAME"):
        assert words in lines[0]


@pytest.mark.parametrize(
    "options", [("-q",), ("--root", "app"), ("--hide", "lib:init", "--hide", "exports", "--export", "app:init")]
)
def test_who_knows_is_not_told(options: tuple[str, ...], fuse: Fuse) -> None:
    code, err = fuse(*options, app=APP, lib=LIB)
    assert code == 0
    assert "left inside" not in err


def test_long_lists_are_cut(fuse: Fuse) -> None:
    lib = guest((), ("api", *(f"f{i}" for i in range(20))))
    code, err = fuse(app=guest(("api",), ("run",)), lib=lib)
    assert code == 0
    assert "lib:f7 and 12 more; to export them" in err


def test_root_says_that_it_exports_interfaces_for_their_types(fuse: Fuse) -> None:
    _, err = fuse(user=USER, maker=TYPES)
    assert "mention their types" not in err, "no surprise: nobody said exactly what to export"
    _, err = fuse("-v", user=USER, maker=TYPES)
    assert "note: exported too, because other exports mention their types: maker:a:b/types" in err
    _, err = fuse("--root", "user", user=USER, maker=TYPES)
    assert "\nexported too, because other exports mention their types: maker:a:b/types" in "\n" + err
