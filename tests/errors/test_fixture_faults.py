"""Faults of fixtures, and binaries that their small readers do not know: each says which file or part it is about."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from wasmtime import wat2wasm

import meldpy
from meldpy.errors import MeldError
from meldpy.fixture import Fixture, Form, load
from meldpy.fixture.build import _guest
from meldpy.fixture.compose import _Outer, _rebase_aliases
from meldpy.fixture.files import check_files, check_wiring
from meldpy.fixture.model import Stage, Wire
from meldpy.fixture.promote import set_stage
from meldpy.fixture.prove import show_stage
from meldpy.fixture.sections import SORT_TYPE, Reader, _skip_extern_type, read_externs, sections
from meldpy.fixture.shape import shape_faults
from meldpy.fixture.table import languages
from meldpy.fixture.tools import run

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"


def hello(tmp_path: Path, edits: dict[str, str]) -> Path:
    """The fixture of that name, with words of its description replaced."""
    folder = Path(shutil.copytree(FIXTURES / "hello", tmp_path / "hello"))
    file = folder / "fixture.toml"
    text = file.read_text()
    for before, after in edits.items():
        assert before in text
        text = text.replace(before, after)
    file.write_text(text)
    return folder


def of_text(tmp_path: Path, text: str, *, extra: str = "", calls: str = "", built: bool = True) -> Fixture:
    """A fixture of one component, written in text."""
    folder = tmp_path / "one"
    folder.mkdir()
    data = bytes(wat2wasm(text))
    (folder / "one.wasm").write_bytes(data)
    (folder / "one.wat").write_text(text)
    build = 'build = "wat"\nsource = "one.wat"\n' if built else ""
    calls = calls or "[[call]]\ncall = 'f()'\nreturns = '1'\n"
    (folder / "fixture.toml").write_text(
        'title = "One"\ntheme = "tests"\nstage = "runtime"\n[covers]\ntopology = "one"\n[toolchain]\nwat = "1"\n'
        f'[[wasm]]\nname = "one"\npath = "one.wasm"\n{build}sha256 = "{hashlib.sha256(data).hexdigest()}"\n'
        f"{extra}{calls}"
    )
    return load(folder)


def returning(value: int, more: str = "") -> str:
    return f"""(component {more} (core module $m (func (export "f") (result i32) i32.const {value}))
      (core instance $i (instantiate $m)) (func (export "f") (result u32) (canon lift (core func $i "f"))))"""


NESTED = """(component (component $c (core module $m (func (export "f") (result i32) i32.const 1))
  (core instance $i (instantiate $m)) (func (export "f") (result u32) (canon lift (core func $i "f"))))
  (instance $i (instantiate $c)) (export "f" (func $i "f")))"""
CROWD = f"""(component $Crowd (component $One) {"(instance (instantiate $One))" * 150})
  {"(instance (instantiate $Crowd))" * 100}"""
IMPORTS = bytes(wat2wasm('(component (import "a" (func)))'))
IMPORTS_OTHER = bytes(wat2wasm('(component (import "b" (func)))'))
LATE_IMPORT = bytes(wat2wasm('(component (core module) (import "a" (func)))'))
EXPORTS_INSTANCE = bytes(wat2wasm('(component (instance $i) (export "a" (instance $i)))'))
UNKNOWN_CANON = b"\0asm\x0d\0\1\0\x08\x02\x01\x7f"


def outer(*children: tuple[str, bytes], wires: dict[str, Wire] | None = None) -> None:
    made = _Outer()
    for name, data in children:
        made.add_child(name, data, wires or {} if data in (IMPORTS, LATE_IMPORT) else {})


def types_before(data: bytes) -> None:
    made = _Outer()
    made.counts[SORT_TYPE] = 1
    made.add_child("one", data, {})


CASES: dict[str, Callable[[Path], object]] = {
    "a section is cut short": lambda _: Reader(b"").byte(),
    "not a component": lambda _: list(sections(b"\0asm\1\0\0\0")),
    "a name with options": lambda _: read_externs(b"\1\x02", exports=False),
    "an import or export of sort 9": lambda _: _skip_extern_type(Reader(b""), 9),
    "canon built-in 0x7f": lambda _: shape_faults(UNKNOWN_CANON),
    "leaves more imports open than the first": lambda _: outer(("one", IMPORTS), ("two", IMPORTS_OTHER)),
    "type indices are taken already": lambda _: types_before(IMPORTS),
    "section 1 before an import": lambda _: outer(("one", LATE_IMPORT)),
    "joins different sorts": lambda _: outer(
        ("p", EXPORTS_INSTANCE), ("one", IMPORTS), wires={"a": Wire("one", "a", "p", "a")}
    ),
    "only aliases of an instance's exports": lambda _: list(_rebase_aliases(b"\1\0\0\0", [])),
    "no [[wasm]] is called 'app'": lambda _: check_wiring(load(FIXTURES / "hello"), {}),
    "two [[wasm]] have one name": lambda path: of_text(
        path, returning(1), extra='[[wasm]]\nname = "one"\npath = "one.wasm"\nsha256 = "0"\n'
    ),
    "the line with the stage cannot be found": lambda path: set_stage(
        load(hello(path, {"stage = ": '"stage" = '})), Stage.FUSE_ONLY, "why"
    ),
    "no fixture says how one.wasm is built": lambda path: languages(of_text(path, returning(1), built=False)),
    "failed: false": lambda _: run("false"),
    "it does not fuse": lambda path: show_stage(of_text(path, returning(1, CROWD)), Form.COMPOSED),
    "the scenario cannot be run": lambda path: show_stage(
        of_text(path, returning(1, '(import "gone" (func))')), Form.COMPOSED
    ),
    "only 0 calls happened": lambda path: show_stage(
        of_text(path, returning(1).replace("(core module $m", "(core module $m (func $t unreachable) (start $t)")),
        Form.COMPOSED,
    ),
}


@pytest.mark.parametrize("words", CASES)
def test_the_fault_is_told(words: str, tmp_path: Path) -> None:
    with pytest.raises(MeldError) as caught:
        CASES[words](tmp_path)
    assert words in caught.value.render()


def test_bytes_that_end_too_soon_are_told() -> None:
    with pytest.raises(MeldError, match="cut short"):
        Reader(b"").take(1)


@pytest.mark.parametrize(("made", "words"), [(returning(2), "behaves differently"), (NESTED, "is not fused")])
def test_an_output_that_is_not_right_is_a_fault_of_the_fixture(
    made: str, words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = replace(meldpy.fuse([returning(2).encode()]), bytes=bytes(wat2wasm(made)))
    monkeypatch.setattr("meldpy.fixture.prove.fuse", lambda *_: wrong)
    with pytest.raises(MeldError, match=words) as caught:
        show_stage(of_text(tmp_path, returning(1)), Form.COMPOSED)
    assert "fixture.toml" in str(caught.value.location)


def test_a_source_that_is_gone_or_another_is_told(tmp_path: Path) -> None:
    fixture = load(Path(shutil.copytree(FIXTURES / "async-js", tmp_path / "async-js")))
    wasm = next(each for each in fixture.wasm if each.sources)
    path = next(iter(wasm.sources))
    with pytest.raises(MeldError, match="has the sum"):
        _guest(fixture, replace(wasm, sources={path: "0"}), bless=False)
    (fixture.directory / path).write_text("something else")
    with pytest.raises(MeldError, match="is not what its sum says"):
        check_files(fixture)
    (fixture.directory / path).unlink()
    with pytest.raises(MeldError, match="cannot read"):
        check_files(fixture)
