"""What only the engine cannot do, and only with an input by itself, makes no input invalid; the message says what."""

from __future__ import annotations

from pathlib import Path

import pytest

from meldpy.engine.run import Environment, invoke
from tests.cli.test_commands import run

RELAY = """(component
  (import "ns:p/inner" (instance $i
    (export "widget" (type $w (sub resource)))
    (export "[constructor]widget" (func (result (own $w))))
    (export "[method]widget.size" (func (param "self" (borrow $w)) (result u32)))))
  (export "ns:p/outer" (instance $i))
  (export "plain" (instance $i)))"""
MAKER = """(component
  (type $w (resource (rep i32)))
  (core func $new (canon resource.new $w))
  (core module $m (import "" "new" (func $new (param i32) (result i32)))
    (func (export "make") (result i32) (call $new (i32.const 41)))
    (func (export "size") (param i32) (result i32) (i32.add (local.get 0) (i32.const 1))))
  (core instance $c (instantiate $m (with "" (instance (export "new" (func $new))))))
  (func $make (result (own $w)) (canon lift (core func $c "make")))
  (func $size (param "self" (borrow $w)) (result u32) (canon lift (core func $c "size")))
  (component $names
    (import "w" (type $w (sub resource)))
    (import "make" (func $make (result (own $w))))
    (import "size" (func $size (param "self" (borrow $w)) (result u32)))
    (export $x "widget" (type $w))
    (export "[constructor]widget" (func $make) (func (result (own $x))))
    (export "[method]widget.size" (func $size) (func (param "self" (borrow $x)) (result u32))))
  (instance $i (instantiate $names (with "w" (type $w)) (with "make" (func $make)) (with "size" (func $size))))
  (export "ns:p/inner" (instance $i)))"""
USER = """(component
  (import "ns:p/outer" (instance $i
    (export "widget" (type $w (sub resource)))
    (export "[constructor]widget" (func (result (own $w))))
    (export "[method]widget.size" (func (param "self" (borrow $w)) (result u32)))))
  (core func $make (canon lower (func $i "[constructor]widget")))
  (core func $size (canon lower (func $i "[method]widget.size")))
  (core module $m (import "" "make" (func $make (result i32))) (import "" "size" (func $size (param i32) (result i32)))
    (func (export "run") (result i32) (call $size (call $make))))
  (core instance $c (instantiate $m
    (with "" (instance (export "make" (func $make)) (export "size" (func $size))))))
  (func (export "run") (result u32) (canon lift (core func $c "run"))))"""
WORDS = "a reexport of an imported function which is not implemented"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in {"relay": RELAY, "maker": MAKER, "user": USER}.items():
        (tmp_path / f"{name}.wat").write_text(text)
    return tmp_path


def fuse(folder: Path, *names: str) -> int:
    return run(["fuse", *(str(folder / f"{name}.wat") for name in names), "-o", str(folder / "out.wasm")])


def test_the_closed_set_fuses_and_runs(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert fuse(folder, "relay", "maker", "user") == 0
    assert WORDS not in capsys.readouterr().err
    outcome = invoke((folder / "out.wasm").read_bytes(), ("run",), "run()", Environment(("out",)))
    assert outcome.result == "42"


def test_where_it_stays_open_the_output_is_valid_and_runs_with_what_it_imports(folder: Path) -> None:
    assert fuse(folder, "relay", "user") == 0
    (folder / "half.wasm").write_bytes((folder / "out.wasm").read_bytes())
    assert run(["fuse", str(folder / "half.wasm"), str(folder / "maker.wat"), "-o", str(folder / "out.wasm")]) == 0
    outcome = invoke((folder / "out.wasm").read_bytes(), ("run",), "run()", Environment(("out",)))
    assert outcome.result == "42"


def test_an_output_that_the_engine_cannot_run_is_written_and_said(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fuse(folder, "relay") == 0
    assert "output: valid, but the embedded engine cannot run it by itself: component export" in capsys.readouterr().err
    assert run(["validate", str(folder / "out.wasm"), "-v"]) == 0
    assert WORDS in capsys.readouterr().err


def test_validate_says_valid_and_with_v_what_the_engine_cannot_do(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["validate", str(folder / "relay.wat")]) == 0
    assert run(["validate", "-v", str(folder / "relay.wat")]) == 0
    quiet, loud = capsys.readouterr().err.split("valid\n", 1)
    assert WORDS not in quiet
    assert WORDS in loud


def test_what_the_closed_set_refuses_is_refused_as_that(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "outer.wat").write_text('(component (component $c) (export "c" (component $c)))')
    outer, out = str(folder / "outer.wat"), str(folder / "out.wasm")
    assert run(["fuse", "--flat", outer, "-o", out]) == 1
    assert "unsupported exported component" in capsys.readouterr().err
    assert run(["fuse", "-v", outer, "-o", out]) == 0
    assert "kept: `outer`: exported component" in capsys.readouterr().err
