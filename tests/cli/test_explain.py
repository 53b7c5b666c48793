"""`meld explain` and `meld fuse --explain`: where it is said, and errors that show both types."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from meldpy.cli.main import run

ROOT = Path(__file__).resolve().parents[2]
GREETER, APP = (str(ROOT / "fixtures" / "hello" / name) for name in ("greeter.wasm", "app.wasm"))
USER = '(component (import "a:b/c@1.0.0" (instance (export "f" (func (param "n" u32))) (export "g" (func)))))'
MAKER = """(component (core module $m (func (export "f") (param i64)) (func (export "g")))
  (core instance $i (instantiate $m))
  (func $f (param "n" u64) (canon lift (core func $i "f"))) (func $g (canon lift (core func $i "g")))
  (instance $j (export "f" (func $f)) (export "g" (func $g)) (export "h" (func $g)))
  (export "a:b/c@1.0.0" (instance $j)))"""


def test_it_is_said_on_stdout_and_nothing_is_written(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["explain", GREETER, APP]) == 0
    out = capsys.readouterr().out
    assert "  app: demo:hello/greeting@1.0.0 <- greeter: demo:hello/greeting@1.0.0 (an export of that name)\n" in out
    assert "  app -> greeter demo:hello/greeting@1.0.0#greet: copy\n    func(name: string) -> string\n" in out


def test_a_fuse_that_writes_to_a_file_explains_itself_on_stdout(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = str(tmp_path / "out.wasm")
    assert run(["fuse", GREETER, APP, "-o", out, "--explain", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["schema"] == "meld-explain-1"
    assert told["output_bytes"] == Path(out).stat().st_size


def test_a_fuse_to_stdout_explains_itself_on_stderr(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert run(["fuse", GREETER, APP, "--explain"]) == 0
    said = capfdbinary.readouterr()
    assert said.out.startswith(b"\0asm")
    assert b"call sites" in said.err


def test_json_without_explain_is_a_usage_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["fuse", GREETER, APP, "-o", "x", "--json"]) == 2
    assert "--explain" in capsys.readouterr().err


def test_types_that_do_not_fit_are_shown_side_by_side(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "user.wat").write_text(USER)
    (tmp_path / "maker.wat").write_text(MAKER)
    assert run(["fuse", str(tmp_path / "user.wat"), str(tmp_path / "maker.wat"), "-o", str(tmp_path / "x")]) == 1
    err = capsys.readouterr().err
    assert "What is imported (-) and what is provided (+):\n    - f: func(n: u32);\n    + f: func(n: u64);\n" in err
    assert "      g: func();\n" in err
    assert "h:" not in err.partition("(+):")[2], "what is provided besides is no fault"


def test_an_import_left_open_is_shown_beside_what_comes_nearest(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "user.wat").write_text(USER.replace("@1.0.0", "@2.0.0"))
    (tmp_path / "maker.wat").write_text(MAKER)
    paths = [str(tmp_path / "user.wat"), str(tmp_path / "maker.wat")]
    assert run(["fuse", "--strict", *paths, "-o", str(tmp_path / "x")]) == 1
    err = capsys.readouterr().err
    assert "`a:b/c@1.0.0` of input `maker` is another, incompatible version" in err
    assert "    - f: func(n: u32);\n    + f: func(n: u64);\n" in err
    assert run(["explain", *paths]) == 0
    assert "    near: `a:b/c@1.0.0` of input `maker` is another, incompatible version\n" in capsys.readouterr().out
