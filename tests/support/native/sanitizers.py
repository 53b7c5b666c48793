"""Modules built with AddressSanitizer and UndefinedBehaviorSanitizer, by either compiler, and their runtimes.

`check` runs a module in one process with `sdk/c/check.c`, where leaks count too; a worker gets the runtime preloaded.
"""

from __future__ import annotations

import functools
import subprocess
from pathlib import Path

from meldpy.host.native import NativeOptions
from tests.support.native import SDK, folder, library

COMPILERS = ("gcc", "clang-19")
STRICT = ("-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-U_GNU_SOURCE")
SANITIZED = (
    "-fsanitize=address,undefined",
    "-fno-sanitize=object-size",  # names the same faults as AddressSanitizer, only in gcc and in other words
    "-fno-sanitize-recover=undefined",
    "-fno-omit-frame-pointer",
)
_RUNTIME = {"gcc": "libasan.so", "clang-19": "libclang_rt.asan-x86_64.so"}


@functools.cache
def runtime(compiler: str) -> Path:
    """The compiler's AddressSanitizer as a shared library."""
    asked = [compiler, f"-print-file-name={_RUNTIME[compiler]}"]
    found = Path(subprocess.run(asked, check=True, capture_output=True, text=True).stdout.strip())
    assert found.is_absolute(), f"{compiler} has no {_RUNTIME[compiler]}"
    return found.resolve()


def sanitized(name: str, compiler: str, *flags: str, source: Path | None = None) -> Path:
    """The module, to be loaded with `options(compiler)`."""
    shared = ("-shared-libasan",) if compiler == "clang-19" else ()
    return library(name, *SANITIZED, *shared, *flags, compiler=compiler, source=source)


def options(compiler: str) -> NativeOptions:
    return NativeOptions(sanitizer=str(runtime(compiler)), start=30)


@functools.cache
def checker(compiler: str) -> Path:
    """`sdk/c/check.c` with the sanitizers; clang's runtime is in the program."""
    out = Path(folder().name) / f"check-{compiler}"
    strict = [*STRICT, *SANITIZED, "-g", "-rdynamic"]
    subprocess.run([compiler, *strict, SDK / "c" / "check.c", "-ldl", "-o", out], check=True)
    return out


def check(compiler: str, module: Path, *commands: str) -> subprocess.CompletedProcess[str]:
    """What the checker says of a module built with `library` and SANITIZED: code 0 if no sanitizer found anything."""
    environment = {"ASAN_OPTIONS": "detect_leaks=1", "LANG": "C.UTF-8", "PATH": "/usr/bin:/usr/lib/llvm-19/bin"}
    asked = [checker(compiler), module, *commands]
    return subprocess.run(asked, capture_output=True, text=True, env=environment, timeout=120)
