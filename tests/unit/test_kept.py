"""What is kept between processes counts only if it is whole, of the same source, and nobody else's to write."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import wasmtime

from meldpy import kept
from meldpy.fixture.tools import cache_directory
from meldpy.kernel import loader

TEXT = '(memory (export "memory") 1) (func (export "answer") (result i32) i32.const 42)'


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MELDPY_CACHE", str(tmp_path))
    return tmp_path / "own"


def test_what_was_kept_is_read_for_the_same_source_only() -> None:
    assert kept.read("a", b"source") is None
    kept.write("a", b"source", b"data")
    assert kept.read("a", b"source") == b"data"
    assert kept.read("a", b"another") is None
    assert kept.read("b", b"source") is None
    kept.write("a", b"another", b"")
    assert kept.read("a", b"another") == b""
    assert kept.read("a", b"source") is None


def test_what_another_engine_made_counts_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    kept.write("a", b"source", b"data")
    assert kept._engine()
    monkeypatch.setattr(kept, "_engine", lambda: b"another")
    assert kept.read("a", b"source") is None


@pytest.mark.parametrize("at", [0, 8, 12, -1])
def test_a_damaged_file_counts_as_none(folder: Path, at: int) -> None:
    kept.write("a", b"source", b"data")
    data = bytearray((folder / "a").read_bytes())
    data[at] ^= 1
    (folder / "a").write_bytes(data)
    assert kept.read("a", b"source") is None
    (folder / "a").write_bytes(data[:5])
    assert kept.read("a", b"source") is None


def test_a_file_that_others_can_write_counts_as_none(folder: Path) -> None:
    kept.write("a", b"source", b"data")
    assert (folder / "a").stat().st_mode & 0o777 == 0o600
    (folder / "a").chmod(0o620)
    assert kept.read("a", b"source") is None


def test_without_room_nothing_is_kept_and_nothing_fails(folder: Path) -> None:
    folder.write_text("a file where the folder would be")
    kept.write("a", b"source", b"data")
    assert kept.read("a", b"source") is None


def test_a_write_that_fails_leaves_nothing_behind(folder: Path) -> None:
    (folder / "a").mkdir(parents=True)  # nothing can be put in its place
    kept.write("a", b"source", b"data")
    assert [path.name for path in folder.iterdir()] == ["a"]


def test_where_nobody_can_be_asked_who_owns_a_file_nothing_is_kept(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept.write("a", b"source", b"data")
    monkeypatch.delattr(os, "getuid")
    assert kept.read("a", b"source") is None
    kept.write("b", b"source", b"data")
    assert [path.name for path in folder.iterdir()] == ["a"]


def test_nothing_is_left_beside_what_is_kept(folder: Path) -> None:
    kept.write("a", b"source", b"data")
    assert [path.name for path in folder.iterdir()] == ["a"]


def test_without_a_folder_named_it_is_in_the_users_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MELDPY_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    kept.write("a", b"source", b"data")
    assert (tmp_path / "xdg" / "meldpy" / "own" / "a").exists()


def test_a_variable_that_says_nothing_counts_as_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MELDPY_CACHE", "")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_directory() == tmp_path / "xdg" / "meldpy"
    assert cache_directory().is_dir()


def test_a_kernel_is_compiled_once(monkeypatch: pytest.MonkeyPatch) -> None:
    assert loader.load(TEXT, name="test").call("answer") == 42

    def never(engine: wasmtime.Engine, text: str) -> wasmtime.Module:
        raise AssertionError("compiled again")

    monkeypatch.setattr(loader, "_compiled", never)
    assert loader.load(TEXT, name="test").call("answer") == 42
    with pytest.raises(AssertionError, match="compiled again"):
        loader.load(TEXT.replace("42", "43"), name="test")


def test_machine_code_that_the_engine_does_not_take_is_made_again(folder: Path) -> None:
    kept.write("test", TEXT.encode(), b"of another engine")
    assert loader.load(TEXT, name="test").call("answer") == 42
    assert len((folder / "test").read_bytes()) > 1000
