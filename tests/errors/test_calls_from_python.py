"""What a caller of the Python API can get wrong, and components that an engine cannot run: what each error says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from wasmtime import wat2wasm

import meldpy
from meldpy.engine.prepare import prepare
from meldpy.engine.validate import validate_module
from meldpy.engine.wavecodec import WaveCodec, parse_value
from meldpy.errors import MeldError
from meldpy.pipeline import FuseOptions

ROOT = Path(__file__).resolve().parents[2]
APP = ROOT / "fixtures" / "hello" / "app.wasm"


def component(params: str, result: str = "", *, types: str = "", body: str = "", lift: str = "") -> bytes:
    """A component that exports `f`. body: of the core function, whose export is `f` too."""
    return bytes(
        wat2wasm(f"""(component {types}
          (core module $m {body or '(func (export "f"))'})
          (core instance $i (instantiate $m {lift}))
          (func (export "f") {params} {result} (canon lift (core func $i "f"))))""")
    )


FLAGS = component(
    '(param "x" $f)',
    types='(type $anonymous (flags "a" "b")) (export $f "fl" (type $anonymous))',
    body='(func (export "f") (param i32))',
)
HANDLE_INSIDE = component(
    "(result $rec)",
    types="""(type $mine (resource (rep i32))) (export $r "r" (type $mine))
      (type $anonymous (record (field "h" (own $r)))) (export $rec "rec" (type $anonymous))
      (core func $new (canon resource.new $mine))""",
    body="""(import "" "new" (func $new (param i32) (result i32)))
      (func (export "f") (result i32) (call $new (i32.const 7)))""",
    lift='(with "" (instance (export "new" (func $new))))',
)
TOO_LARGE = component("", body='(func (export "f")) (table 4000000000 funcref)')
PLAIN = component("")


def compared(data: bytes, *calls: str) -> object:
    return meldpy.compare(data, data, list(calls))


def ran(data: bytes, call: str, tmp_path: Path) -> object:
    from meldpy.cli.main import run

    (tmp_path / "a.wasm").write_bytes(data)
    return run(["run", str(tmp_path / "a.wasm"), "--invoke", call])


CASES: dict[str, Callable[[], object]] = {
    "there is nothing to fuse": lambda: meldpy.fuse([]),
    "cannot read gone.wasm": lambda: meldpy.fuse(["gone.wasm"]),
    "memories can be separate or single, not 'both'": lambda: meldpy.fuse([APP], FuseOptions(memory="both")),
    "debugging information cannot be 'x'": lambda: meldpy.fuse([APP], FuseOptions(dwarf="x")),
    "cannot read gone": lambda: meldpy.compare("gone", APP, ["f()"]),
    "f takes 0 arguments, not 1": lambda: compared(PLAIN, "f(1)"),
    "'c' is not one of the flags a, b": lambda: compared(FLAGS, "f({c})"),
    "has no text form": lambda: compared(HANDLE_INSIDE, "f()"),
    "the component cannot be instantiated": lambda: compared(TOO_LARGE, "f()"),
    "the component cannot be compiled": lambda: prepare(b"\0asm\x0d\0\1\0\xff"),
    "the core module is invalid": lambda: validate_module("m.wasm", b"\0asm\1\0\0\0\1\1\1"),
    "the host holds no handle x": lambda: WaveCodec().kept("x"),
    "one value was expected, not '1, 2'": lambda: parse_value("1, 2"),
}


@pytest.mark.parametrize("words", CASES)
def test_it_says_what_is_wrong(words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(MeldError) as caught:
        CASES[words]()
    assert words in caught.value.render()


def test_a_component_that_does_not_start_is_told_by_every_runner(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ran(TOO_LARGE, "f()", tmp_path) == 1
    assert "the component cannot be instantiated" in capsys.readouterr().err


def test_flags_that_are_none_are_told_by_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ran(FLAGS, "f({c})", tmp_path) in (1, 2)
    assert "'c' is not one of the flags a, b" in capsys.readouterr().err
