"""`meld_module.h` compiles as C and C++ without a warning, and the mirror for ctypes says what it says."""

from __future__ import annotations

import ctypes
import re
import subprocess
from pathlib import Path

import pytest

from meldpy.host.faults import FailureCode
from meldpy.host.module import Level
from meldpy.host.native.worker import abi

SDK = Path(abi.__file__).parents[2] / "sdk" / "c"
HEADER = (SDK / "meld_module.h").read_text()

STRUCTS: dict[str, type[ctypes.Structure]] = {
    "meld_head": abi.Head,
    "meld_bytes": abi.Bytes,
    "meld_owned": abi.Owned,
    "meld_error": abi.Error,
    "meld_message": abi.Message,
    "meld_host": abi.Host,
    "meld_bus": abi.Bus,
    "meld_jobs": abi.Jobs,
    "meld_kv": abi.Kv,
    "meld_clock": abi.Clock,
    "meld_module": abi.Module,
}
MOST_WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Werror"]


@pytest.mark.parametrize("compiler", ["gcc -std=c99", "gcc -std=c17", "clang-19 -std=c99", "clang-19 -std=c23"])
def test_compiles_as_c(compiler: str, tmp_path: Path) -> None:
    user = tmp_path / "user.c"
    user.write_text('#include "meld_module.h"\n#include "meld_module.h"\nint meld_user_of_the_header;\n')
    subprocess.run([*compiler.split(), *MOST_WARNINGS, "-I", SDK, "-c", user, "-o", tmp_path / "user.o"], check=True)


@pytest.mark.parametrize("compiler", ["g++ -std=c++11", "clang++-19 -std=c++20"])
def test_compiles_as_cpp(compiler: str, tmp_path: Path) -> None:
    user = tmp_path / "user.cc"
    user.write_text('#include "meld_module.h"\nint meld_user_of_the_header;\n')
    subprocess.run([*compiler.split(), *MOST_WARNINGS, "-I", SDK, "-c", user, "-o", tmp_path / "user.o"], check=True)


def test_every_struct_of_the_header_has_a_mirror() -> None:
    assert set(re.findall(r"typedef struct (\w+) \{", HEADER)) == set(STRUCTS)


def numbers() -> list[str]:
    """The names of the header's plain numbers, in order."""
    return re.findall(r"#define MELD_(\w+) (?:0x)?[0-9A-F]+u?(?= |$)", HEADER, re.MULTILINE)


FIELDS = [(name, field[0]) for name, mirror in STRUCTS.items() for field in mirror._fields_]


def printed(prints: list[str], tmp_path: Path) -> dict[str, int]:
    source = tmp_path / "print.c"
    source.write_text('#include <stdio.h>\n#include "meld_module.h"\nint main(void) {\n' + "\n".join(prints) + "\n}\n")
    subprocess.run(["gcc", "-I", SDK, source, "-o", tmp_path / "print"], check=True)
    lines = subprocess.run([tmp_path / "print"], check=True, capture_output=True, text=True).stdout.splitlines()
    return {name: int(value) for name, value in (line.split() for line in lines)}


def offsets_in_c(tmp_path: Path) -> dict[str, int]:
    """Of each struct its size, and of each field its offset, as a C compiler has them."""
    prints = [f'printf("{name} %zu\\n", sizeof({name}));' for name in STRUCTS]
    prints += [f'printf("{name}.{field} %zu\\n", offsetof({name}, {field}));' for name, field in FIELDS]
    return printed(prints, tmp_path)


def test_sizes_offsets_and_numbers_are_mirrored(tmp_path: Path) -> None:
    said = offsets_in_c(tmp_path)
    said |= printed([f'printf("{name} %lld\\n", (long long)MELD_{name});' for name in numbers()], tmp_path)
    ours = {name: ctypes.sizeof(mirror) for name, mirror in STRUCTS.items()}
    ours |= {f"{name}.{field}": getattr(STRUCTS[name], field).offset for name, field in FIELDS}
    ours |= {name: getattr(abi, name.removeprefix("ABI_")) for name in numbers()}
    assert said == ours
    assert len(numbers()) == 21


def test_names_of_extensions_are_mirrored() -> None:
    for name, text in re.findall(r'#define MELD_(\w+_1) "([^"]+)"', HEADER):
        assert getattr(abi, name) == text.encode()


def test_codes_and_levels_are_those_of_the_host() -> None:
    assert [getattr(abi, f"E_{code.name}") for code in FailureCode] == list(range(1, len(FailureCode) + 1))
    assert [getattr(abi, level.name) for level in Level] == list(range(len(Level)))
