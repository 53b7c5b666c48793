"""`-O` with a wasm-opt that is not there, is another program, fails, hangs, or gives what cannot be used.

Each ends in an error that says so, and nothing is written. That a real one's output does the same is shown by
`differential/test_optimised.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from wasmtime import wat2wasm

from meldpy.cli.main import run
from meldpy.engine import binaryen
from meldpy.errors import EngineError
from meldpy.handed import opcodes
from meldpy.model.core import CoreModule, PlacedCustom, RawCustom
from meldpy.optimising import optimised_module
from meldpy.pipeline import FuseOptions, UsageError
from tests.support.core_output import module_of

ROOT = Path(__file__).resolve().parents[2]
INPUTS = [str(ROOT / "fixtures" / "hello" / name) for name in ("greeter.wasm", "app.wasm")]
OLD = b"old"
GENUINE = 'if [ "$1" = --version ]; then echo "wasm-opt version 132 (version_132)"; exit 0; fi'
MODULE = b"(module (import 'a' 'b' (func (param i32))) (func (export 'f') (result i32) i32.const 1))".replace(
    b"'", b'"'
)

Fake = Callable[[str], None]


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fake:
    """Puts a `wasm-opt` with this script on a PATH that has nothing else; "$3" is where its output goes."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for tool in ("cp", "sleep"):
        (folder / tool).symlink_to(next(each for each in (f"/bin/{tool}", f"/usr/bin/{tool}") if Path(each).exists()))
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setattr(binaryen, "_TIMEOUT", 0.5)

    def put(script: str) -> None:
        (folder / "wasm-opt").write_text(f"#!/bin/sh\n{script}\n")
        (folder / "wasm-opt").chmod(0o755)

    return put


def fused(tmp_path: Path, *options: str) -> int:
    """The exit code; what was there before is there still unless that is 0."""
    target = tmp_path / "out" / "out.wasm"
    target.parent.mkdir()
    target.write_bytes(OLD)
    code = run(["-q", "fuse", *INPUTS, "-O", *options, "-o", str(target)])
    assert [*target.parent.iterdir()] == [target]
    assert (target.read_bytes() == OLD) == bool(code)
    return code


def test_without_wasm_opt_the_error_says_what_to_install(
    fake: Fake, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fused(tmp_path) == 1
    err = capsys.readouterr().err
    assert err.startswith("error: -O needs binaryen's wasm-opt")
    assert "npm install -g binaryen" in err


@pytest.mark.parametrize(
    "script", ["echo 1.0", "echo 'my wasm-opt version 132'", "exec sleep 60", "echo 'wasm-opt version 132'; exit 1"]
)
def test_another_program_of_that_name_is_as_good_as_none(
    script: str, fake: Fake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(binaryen, "_PATIENCE", 0.5)
    fake(f'if [ "$1" = --version ]; then {script}; exit; fi; echo asked >{tmp_path}/asked')
    assert fused(tmp_path) == 1
    assert "wasm-opt is another program" in capsys.readouterr().err
    assert not (tmp_path / "asked").exists()


@pytest.mark.parametrize(
    ("script", "words"),
    [
        pytest.param("echo \"Unknown option '--enable-x'\" >&2; exit 1", "Unknown option '--enable-x'", id="too old"),
        pytest.param("kill -9 $$", "wasm-opt 132 (version_132) failed", id="dying"),
        pytest.param("printf 'boom \\033[31m' >&2; exit 3", "boom", id="failing"),
        pytest.param("exec sleep 60", "timed out", id="hanging"),
        pytest.param("exit 0", "No such file", id="silent"),
        pytest.param('echo junk >"$3"', "gives an invalid module", id="no module"),
        pytest.param(': >"$3"', "gives an invalid module", id="empty"),
    ],
)
def test_a_wasm_opt_that_does_not_do_its_job_is_an_error(
    script: str, words: str, fake: Fake, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fake(f"{GENUINE}\n{script}")
    assert fused(tmp_path) == 1
    err = capsys.readouterr().err
    assert err.startswith("error: wasm-opt")
    assert words in err
    assert "leave out -O" in err
    assert "\x1b" not in err


@pytest.mark.parametrize("options", [[], ["--core"], ["--no-validate"]])
def test_a_module_that_is_valid_and_another_is_an_error(
    options: list[str], fake: Fake, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "other.wasm").write_bytes(wat2wasm("(module)"))
    fake(f'{GENUINE}\ncp {tmp_path}/other.wasm "$3"')
    assert fused(tmp_path, *options) == 1
    assert "changes what the module imports and exports" in capsys.readouterr().err


def test_a_module_that_comes_back_as_it_was_is_fused(fake: Fake, tmp_path: Path) -> None:
    fake(f'{GENUINE}\ncp "$1" "$3"')
    assert fused(tmp_path) == 0


@pytest.mark.parametrize(
    ("made", "words"),
    [
        ("(module)", "the export `f`"),
        ('(module (func (export "f") (result i64) i64.const 1))', "the export `f`"),
        ('(module (func (export "f") (result i32) i32.const 1) (func (export "g")))', "the export `g`"),
        ('(module (import "a" "b" (func)) (func (export "f") (result i32) i32.const 1))', "the import `a` `b`"),
        ('(module (import "a" "c" (func)) (func (export "f") (result i32) i32.const 1))', "the import `a` `c`"),
        ('(module (func (export "f") (result i32) i32.const 1 i32.extend8_s))', "sign-extension"),
        ('(module (memory 1) (memory 1) (func (export "f") (result i32) i32.const 1))', "multi-memory"),
    ],
)
def test_what_cannot_stand_in_for_the_module_is_named(made: str, words: str, fake: Fake, tmp_path: Path) -> None:
    (tmp_path / "made.wasm").write_bytes(wat2wasm(made))
    fake(f'{GENUINE}\ncp {tmp_path}/made.wasm "$3"')
    with pytest.raises(EngineError) as raised:
        optimised_module(module(), names=True)
    assert words in raised.value.causes


def test_an_import_that_nothing_uses_may_go(fake: Fake, tmp_path: Path) -> None:
    (tmp_path / "made.wasm").write_bytes(wat2wasm('(module (func (export "f") (result i32) i32.const 1))'))
    fake(f'{GENUINE}\ncp {tmp_path}/made.wasm "$3"')
    made, notes = optimised_module(module(), names=True)
    assert (made.imports, notes) == ((), [])


def test_definitions_are_compared_wherever_they_stand(fake: Fake, tmp_path: Path) -> None:
    """Types that refer to themselves and each other, in another order, are the same edge; other fields are not."""
    edge = '(func (export "f") (param (ref null $a)) unreachable) (global (export "g") (ref null $b) (ref.null $b))'
    node = "(rec (type $a (struct (field (ref null $a)) (field (mut i8)))))"
    before = f"(module {node} (type $b (array (ref null $a))) {edge})"
    same = f"(module (type $x (struct)) {node} (type $b (array (ref null $a))) {edge})"
    other = before.replace("(mut i8)", "(mut i16)")
    for text in (same, other):
        (tmp_path / "made.wasm").write_bytes(wat2wasm(text))
        fake(f'{GENUINE}\ncp {tmp_path}/made.wasm "$3"')
        if text == other:
            with pytest.raises(EngineError, match="changes what the module imports and exports"):
                optimised_module(module_of(wat2wasm(before)), names=True)
        else:
            assert optimised_module(module_of(wat2wasm(before)), names=True)[0].exports


def test_sections_about_the_module_stay_and_those_about_its_code_go(fake: Fake) -> None:
    fake(f'{GENUINE}\ncp "$1" "$3"')
    stays, goes = RawCustom("component-type", b"x"), RawCustom("metadata.code.branch_hint", b"y")
    given = CoreModule(customs=(PlacedCustom(0, stays), PlacedCustom(9, goes)))
    made, notes = optimised_module(given, names=False)
    assert [each.section for each in made.customs] == [stays]
    assert notes == ["dropped custom sections that -O would make stale: metadata.code.branch_hint"]


@pytest.mark.parametrize(
    "options",
    [
        FuseOptions(optimise=True, origins=True),
        FuseOptions(optimise=True, provenance=True),
        FuseOptions(optimise=True, trap_values=True),
        FuseOptions(optimise=True, dwarf="split"),
        FuseOptions(optimise=True, source_map="file"),
    ],
)
def test_what_tells_places_in_code_is_not_asked_for_with_it(options: FuseOptions) -> None:
    with pytest.raises(UsageError, match="-O moves code where nothing follows it"):
        options.check()


def test_every_feature_has_its_flag() -> None:
    from meldpy.core_output.features import FEATURES

    assert binaryen._FLAGS.keys() == FEATURES


def module() -> CoreModule:
    """With an import, an export, and nothing beyond WebAssembly 1.0."""
    made = module_of(wat2wasm(MODULE))
    assert opcodes(made)
    return made
