"""What is no module is refused before or while it is loaded, in words that say what it is and what it had to be."""

from __future__ import annotations

import struct
import subprocess
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile  # type: ignore[import-untyped]

from meldpy.host.faults import DeadlineExceeded, ModuleTrapped
from meldpy.host.native import LibraryRefused, NativeInstance, NativeOptions
from meldpy.host.native.elf import inspect
from tests.support.native import HERE, SDK, Recorder, library, running


def refusal(path: Path) -> str:
    with pytest.raises(LibraryRefused) as refused:
        NativeInstance(path, Recorder()).close()
    return str(refused.value)


@pytest.mark.parametrize(
    ("flag", "words"),
    [
        ("-DMAGIC=7", "begins with 0x00000007 instead of 0x444c454d"),
        ("-DMAJOR=2", "has version 2.9 of the ABI; this host has 1"),
        ("-DSIZE=64", "has 64 bytes; version 1.9 of the ABI has at least 120"),
        ("-DEXECUTE=0", "has no execute"),
        ("-DNAME=0", "has no name"),
        ("-DFLAGS=1", "do not say the same about keeping state"),
        ("-DREFUSES", "does not serve version 1.0 of the ABI: it wants version 2"),
        ("-DSILENT", "it does not say why"),
        ("-DNO_ENTRY", "does not export meld_module_entry"),
        ("-DHIDDEN", "does not export meld_module_entry"),
        ("-DWRONG_LINKAGE", "C linkage"),
        ("-DCALLS", "undefined symbol: nobody_has_this"),
    ],
)
def test_a_library_is_refused_in_words(flag: str, words: str) -> None:
    assert words in refusal(library("shaped", *flag.split()))


def test_a_missing_dependency_is_named(tmp_path: Path) -> None:
    subprocess.run(["gcc", "-shared", "-x", "c", "/dev/null", "-o", tmp_path / "libgone.so"], check=True)
    path = library("shaped", f"-L{tmp_path}", "-Wl,--no-as-needed", "-lgone")
    assert inspect(path).needed[0] == "libgone.so"
    assert "libgone.so: cannot open shared object file" in refusal(path)


def test_a_longer_table_of_a_later_minor_version_is_served() -> None:
    with running(library("shaped")) as module:
        assert module.introduction.minor == 9
        assert module.execute("anything", b"") == b""


def test_a_crash_while_it_is_loaded_is_a_dead_module() -> None:
    with pytest.raises(ModuleTrapped, match="SIGSEGV"):
        NativeInstance(library("shaped", "-DCRASHES"), Recorder())


def test_a_list_without_end_does_not_go_on_for_ever() -> None:
    with pytest.raises((LibraryRefused, ModuleTrapped)):
        NativeInstance(library("shaped", "-DCOMMANDS=(const char*const*)create"), Recorder())


def test_a_module_that_does_not_introduce_itself_is_late() -> None:
    slow = library("shaped", "-DMAJOR=1", "-include", str(HERE / "sleep_at_load.h"))
    with pytest.raises(DeadlineExceeded):
        NativeInstance(slow, Recorder(), options=NativeOptions(start=0.5))


def compiled(out: Path, *flags: str) -> Path:
    subprocess.run(["gcc", "-I", SDK / "c", *flags, HERE / "asker.c", "-o", out], check=True)
    return out


def test_other_kinds_of_files_are_named(tmp_path: Path) -> None:
    assert "cannot be read" in refusal(tmp_path / "missing.so")
    text = tmp_path / "text.so"
    text.write_text("#!/bin/sh\n")
    assert "it is no ELF file" in refusal(text)
    text.write_bytes(b"\0asm\x0d\0\x01\0")
    assert "it is WebAssembly" in refusal(text)
    text.write_bytes(b"")
    assert "it is no ELF file" in refusal(text)
    assert "it is an object file" in refusal(compiled(tmp_path / "a.o", "-c"))
    assert "it is a program" in refusal(compiled(tmp_path / "a", "-fPIE", "-pie", "-Wl,-e,0", "-nostartfiles"))
    assert "it is a program" in refusal(compiled(tmp_path / "b", "-no-pie", "-Wl,-e,0", "-nostartfiles"))


@pytest.mark.parametrize(
    ("offset", "value", "words"),
    [
        (4, b"\1", "(32 bits)"),
        (5, b"\2", "a big-endian machine"),
        (18, b"\xb7\0", "it is for aarch64"),
        (18, b"\x39\x30", "it is for machine 12345"),
        (16, b"\4\0", "it is a core dump"),
        (16, b"\x09\0", "it is of type 9"),
        (56, b"\0\0", "no dynamic section"),
        (32, b"\xff" * 8, "cut off"),
    ],
)
def test_another_machines_library_is_refused(offset: int, value: bytes, words: str, tmp_path: Path) -> None:
    data = bytearray(library("asker").read_bytes())
    data[offset : offset + len(value)] = value
    path = tmp_path / "patched.so"
    path.write_bytes(data)
    assert words in refusal(path)


@pytest.mark.parametrize("style", ["sysv", "gnu", "both"])
@pytest.mark.parametrize("compiler", ["gcc", "clang-19"])
def test_symbols_are_found_by_either_hash_table(style: str, compiler: str) -> None:
    path = library("asker", f"-Wl,--hash-style={style}", "-lm", "-Wl,--no-as-needed", compiler=compiler)
    with path.open("rb") as file:
        dynamic = ELFFile(file).get_section_by_name(".dynamic")
        needed = tuple(tag.needed for tag in dynamic.iter_tags("DT_NEEDED"))
    assert inspect(path).needed == needed
    assert not inspect(path).sanitized


def test_section_headers_are_not_needed(tmp_path: Path) -> None:
    data = bytearray(library("asker").read_bytes())
    struct.pack_into("<Q", data, 40, 0)
    struct.pack_into("<HHH", data, 58, 0, 0, 0)
    path = tmp_path / "stripped.so"
    path.write_bytes(data)
    assert inspect(path).needed == inspect(library("asker")).needed


def test_a_broken_file_is_refused_and_nothing_else(tmp_path: Path) -> None:
    """Cut anywhere, and with any byte of its headers and dynamic section changed, it is read or refused."""
    good = library("asker").read_bytes()
    path = tmp_path / "broken.so"
    with library("asker").open("rb") as file:
        dynamic = ELFFile(file).get_section_by_name(".dynamic")
        places = [*range(0, 700, 2), *range(dynamic["sh_offset"], dynamic["sh_offset"] + 400, 5)]
    refused = 0
    for place in places:
        for value in (0xFF, good[place] ^ 0x10):
            path.write_bytes(good[:place] + bytes([value]) + good[place + 1 :])
            try:
                inspect(path)
            except LibraryRefused:
                refused += 1
    for cut in range(0, len(good), 97):
        path.write_bytes(good[:cut])
        try:
            inspect(path)
        except LibraryRefused:
            refused += 1
    assert refused > 200
