"""Where a file lies and what it is called changes no byte of the output; what a user calls an input may."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from wasmtime import wat2wasm

import meldpy
from meldpy.cli.main import run

ROOT = Path(__file__).resolve().parents[2]
PAIRS = [("hello/greeter.wasm", "hello/app.wasm"), ("text/words.wasm", "text/report.wasm")]


@pytest.fixture(params=PAIRS, ids=lambda pair: pair[0])
def pair(request: pytest.FixtureRequest) -> tuple[Path, Path]:
    one, other = request.param
    return ROOT / "fixtures" / one, ROOT / "fixtures" / other


def fuse(output: Path, *inputs: object, options: tuple[str, ...] = ()) -> bytes:
    assert run(["-q", "fuse", *options, *map(str, inputs), "-o", str(output)]) == 0
    return output.read_bytes()


def copies(folder: Path, files: tuple[Path, Path], *names: str) -> list[Path]:
    folder.mkdir()
    return [Path(shutil.copy(file, folder / name)) for file, name in zip(files, names, strict=True)]


def test_renamed_and_moved_files_give_the_same_bytes(pair: tuple[Path, Path], tmp_path: Path) -> None:
    expected = fuse(tmp_path / "out.wasm", *pair)
    for folder, names in (
        ("a", ("x.wasm", "y.wasm")),
        ("input1", ("input2.wasm", "input1.wasm")),
        ("c", ("ü", "composition")),
    ):
        moved = copies(tmp_path / folder, pair, *names)
        assert fuse(tmp_path / "other.wasm", *moved) == expected
        assert run(["-q", "fuse", "--check", *map(str, moved), "-o", str(tmp_path / "out.wasm")]) == 0


def test_a_single_input_is_renamed_too(tmp_path: Path) -> None:
    composed = fuse(tmp_path / "composed.wasm", *(ROOT / "fixtures" / name for name in PAIRS[0]))
    (tmp_path / "b.wasm").write_bytes(composed)
    assert fuse(tmp_path / "1.wasm", tmp_path / "composed.wasm") == fuse(tmp_path / "2.wasm", tmp_path / "b.wasm")


def test_text_and_stdin_are_no_other_places(tmp_path: Path) -> None:
    text = '(component $c (core module $m (func $f (export "f"))) (core instance $i (instantiate $m))' \
        ' (func (export "f") (canon lift (core func $i "f"))))'  # fmt: skip
    (tmp_path / "a.wat").write_text(text)
    (tmp_path / "b.wasm").write_bytes(bytes(wat2wasm(text)))
    expected = fuse(tmp_path / "out.wasm", tmp_path / "b.wasm")
    assert fuse(tmp_path / "out.wasm", tmp_path / "a.wat") == expected
    done = subprocess.run(
        [sys.executable, "-m", "meldpy", "fuse", "-"], input=text.encode(), cwd=ROOT, capture_output=True, check=True
    )
    assert done.stdout == expected


def test_names_that_are_given_count_and_files_behind_them_do_not(pair: tuple[Path, Path], tmp_path: Path) -> None:
    one, other = pair
    named = fuse(tmp_path / "out.wasm", f"left={one}", f"right={other}")
    x, y = copies(tmp_path / "moved", pair, "x.wasm", "y.wasm")
    assert fuse(tmp_path / "out.wasm", f"left={x}", f"right={y}") == named
    assert b"left" in named
    assert fuse(tmp_path / "out.wasm", one, other) != named
    stripped = fuse(tmp_path / "out.wasm", f"left={one}", f"right={other}", options=("--no-names",))
    assert stripped == fuse(tmp_path / "out.wasm", one, other, options=("--no-names",))


def test_the_python_api_has_the_same_rule(pair: tuple[Path, Path], tmp_path: Path) -> None:
    one, other = pair
    plain = meldpy.fuse([one, other]).bytes
    assert plain == fuse(tmp_path / "out.wasm", one, other)
    assert plain == meldpy.fuse([one.read_bytes(), other.read_bytes()]).bytes
    named = meldpy.fuse(
        [meldpy.FuseInput("left", "x", one.read_bytes()), meldpy.FuseInput("right", "y", other.read_bytes())]
    )
    assert named.bytes == fuse(tmp_path / "out.wasm", f"left={one}", f"right={other}")


def test_messages_still_name_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    app, lib = ROOT / "fixtures/hello/app.wasm", ROOT / "fixtures/text/words.wasm"
    run(["fuse", "--strict", str(app), str(lib), "-o", str(tmp_path / "out.wasm")])
    err = capsys.readouterr().err
    assert "imported by `app`" in err
    assert "input1" not in err


def test_memories_are_called_as_the_files_on_the_command_line(
    pair: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one, _ = pair
    options = ("--core", "--memory", "single", "--memory-max")
    expected = fuse(tmp_path / "out.wasm", *pair, options=(*options, f"{one.stem}=40"))
    x, y = copies(tmp_path / "moved", pair, "x.wasm", "y.wasm")
    assert fuse(tmp_path / "out.wasm", x, y, options=(*options, "x=40")) == expected
    assert fuse(tmp_path / "out.wasm", x, y, options=(*options, "x=41")) != expected
    assert run(["fuse", *options, "input1=40", str(x), str(y), "-o", str(tmp_path / "out.wasm")]) != 0
    assert "x" in capsys.readouterr().err


def test_a_position_does_not_take_a_name_that_was_given(pair: tuple[Path, Path], tmp_path: Path) -> None:
    one, other = pair
    output = fuse(tmp_path / "out.wasm", one, f"input1={other}")
    assert b"input1'" in output
    assert b"input1" in output.replace(b"input1'", b"")
