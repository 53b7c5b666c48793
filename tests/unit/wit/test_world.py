"""Worlds as WIT: what wasm-tools finds in our text is what it finds in the component."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from meldpy.pipeline import FuseInput, FuseOptions, decode, link
from meldpy.report.linked import world_of
from tests.support.fixtures import ROOT

FOLDERS = sorted({path.parent.name for path in ROOT.glob("*/*.wasm")})


def world(source: str | Path) -> str:
    data = source.encode() if isinstance(source, str) else source.read_bytes()
    item = FuseInput("a", "a", data)
    return world_of(link([(item, decode(item))], FuseOptions()))


def by_wasm_tools(path: Path) -> list[str]:
    done = subprocess.run(["wasm-tools", "component", "wit", str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return sorted(done.stdout.splitlines())


@pytest.mark.toolchain
@pytest.mark.parametrize("folder", FOLDERS)
def test_the_world_is_the_one_that_wasm_tools_finds(folder: str, tmp_path: Path) -> None:
    for path in sorted((ROOT / folder).glob("*.wasm")):
        (tmp_path / "world.wit").write_text(world(path))
        assert by_wasm_tools(tmp_path / "world.wit") == by_wasm_tools(path), path.name


VIEWS = """(component
  (import "a:b/c@1.0.0" (instance
    (type $r (record (field "x" u8))) (export "r" (type $rr (eq $r)))
    (export "thing" (type $t (sub resource)))
    (export "[method]thing.size" (func (param "self" (borrow $t)) (result u8)))
    (export "f" (func (param "a" $rr)))))
  (core module $m (func (export "h") (param i32 i32)))
  (core instance $k (instantiate $m))
  (type $r (record (field "x" u8)))
  (type $thing (resource (rep i32)))
  (func $h (param "a" $r) (param "t" (own $thing)) (canon lift (core func $k "h")))
  (component $shim
    (type $own (record (field "x" u8))) (import "r" (type $r (eq $own))) (import "thing" (type $t (sub resource)))
    (import "h" (func $h (param "a" $r) (param "t" (own $t))))
    (export $rr "r" (type $r)) (export $tt "thing" (type $t))
    (export "h" (func $h) (func (param "a" $rr) (param "t" (own $tt)))))
  (instance $o (instantiate $shim
    (with "r" (type $r)) (with "thing" (type $thing)) (with "h" (func $h))))
  (export "a:b/c@1.0.0" (instance $o)))"""


@pytest.mark.toolchain
def test_an_interface_that_is_imported_and_exported_has_what_either_side_has(tmp_path: Path) -> None:
    (tmp_path / "views.wat").write_text(VIEWS)
    (tmp_path / "world.wit").write_text(world(VIEWS))
    assert "h: func(a: r, t: thing);" in world(VIEWS)
    assert by_wasm_tools(tmp_path / "world.wit") == by_wasm_tools(tmp_path / "views.wat")


def test_what_wit_cannot_say_is_written_in_its_manner() -> None:
    text = world(
        """(component
          (import "host" (instance
            (export "inner" (instance (export "f" (func))))
            (export "t" (type $t (sub resource)))
            (export "g" (func (param "use" (own $t)) (result (list (own $t))))))))"""
    )
    assert "  import host: interface {\n" in text
    assert "    resource t;\n" in text
    assert "    inner: interface {\n      f: func();\n    }\n" in text
    assert "    g: func(%use: t) -> list<t>;\n" in text
