"""Memory errors and undefined behaviour are found: in the checker for authors, and in a worker as a failed call."""

from __future__ import annotations

import pytest

from meldpy.host.faults import ModuleTrapped
from meldpy.host.native import LibraryRefused, NativeInstance
from meldpy.host.native.elf import inspect
from tests.support.native import SDK, Recorder, library, running
from tests.support.native.sanitizers import COMPILERS, SANITIZED, STRICT, check, options, sanitized

TALLY = SDK / "c" / "examples" / "tally.c"
FOUND = {
    "heap overflow": "AddressSanitizer: heap-buffer-overflow",
    "use after free": "AddressSanitizer: heap-use-after-free",
    "double free": "AddressSanitizer: attempting double-free|AddressSanitizer: double-free",
    "segv": "AddressSanitizer: SEGV",
    "overflow": "AddressSanitizer: stack-overflow",
    "signed overflow": "signed integer overflow",
}


@pytest.mark.parametrize("compiler", COMPILERS)
def test_the_example_is_clean(compiler: str) -> None:
    module = library("tally", *SANITIZED, *STRICT, compiler=compiler, source=TALLY)
    done = check(compiler, module, "sum", "abc", "sum", "x" * 10_000, "total", "", "nope", "18446744073709551615")
    assert (done.returncode, done.stderr) == (0, "")
    assert "sum: 3 bytes: 294" in done.stdout
    assert "restored: code 6: schema 2 is not mine" in done.stdout


@pytest.mark.parametrize("compiler", COMPILERS)
@pytest.mark.parametrize("command", FOUND)
def test_the_checker_finds_what_modules_do_wrong(command: str, compiler: str) -> None:
    module = library("misbehave", *SANITIZED, compiler=compiler)
    done = check(compiler, module, command, "x")
    assert done.returncode != 0
    assert any(words in done.stderr for words in FOUND[command].split("|")), done.stderr


def test_the_checker_finds_leaks() -> None:
    module = library("misbehave", *SANITIZED, compiler="clang-19")
    done = check("clang-19", module, "lose", "x")
    assert done.returncode != 0
    assert "LeakSanitizer: detected memory leaks" in done.stderr


@pytest.mark.parametrize("compiler", COMPILERS)
@pytest.mark.parametrize("command", FOUND)
def test_a_worker_with_a_sanitizer_says_what_it_found(command: str, compiler: str) -> None:
    with running(sanitized("misbehave", compiler), options=options(compiler)) as module:
        assert module.execute("echo", bytes(100_000)) == bytes(100_000)
        with pytest.raises(ModuleTrapped, match=FOUND[command]) as failure:
            module.execute(command, b"x", deadline=60)
        assert any("misbehave.c" in line for line in failure.value.causes), failure.value.causes
        assert not module.alive


@pytest.mark.parametrize("compiler", COMPILERS)
def test_a_sanitized_library_is_refused_without_its_runtime(compiler: str) -> None:
    path = sanitized("misbehave", compiler)
    assert inspect(path).sanitized
    with pytest.raises(LibraryRefused, match=r"AddressSanitizer, whose runtime(.|\n)*NativeOptions.sanitizer"):
        NativeInstance(path, Recorder())
