"""binaryen's `wasm-opt`, where it is installed: an optimiser over a finished core module (`-O`).

It is told which features the module uses, and nothing else may come in; so what ran an output runs it optimised. Its
rules keep every trap and the order of everything that can be seen from outside. What it may not do to ours: the named
trap functions are neither inlined nor merged with each other, since their names are what a backtrace shows.

It knows nothing of components: carriers and the outer component are as they were, and find imports and exports of the
module by their names. Which version is installed decides bytes, as the one input that is not on the command line.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from meldpy.engine.words import causes_in
from meldpy.errors import EngineError

_TIMEOUT: Final = 1800
"""Seconds that one module may take: large ones take minutes."""

_PATIENCE: Final = 60
"""Seconds for it to say its version."""

_VERSION: Final = re.compile(r"wasm-opt version (\d[^\n]*)")
_REMEDY: Final = "install binaryen (https://github.com/WebAssembly/binaryen, or `npm install -g binaryen`)"

_FLAGS: Final = {
    "bulk-memory": "bulk-memory",
    "bulk-memory-opt": "bulk-memory-opt",
    "custom-page-sizes": "custom-page-sizes",
    "exceptions": "exception-handling",
    "extended-const": "extended-const",
    "function-references": "gc",
    "gc": "gc",
    "legacy-exceptions": "exception-handling",
    "memory64": "memory64",
    "multi-memory": "multimemory",
    "multi-value": "multivalue",
    "nontrapping-fptoint": "nontrapping-float-to-int",
    "reference-types": "reference-types",
    "relaxed-simd": "relaxed-simd",
    "sign-extension": "sign-ext",
    "simd": "simd",
    "tail-call": "tail-call",
    "threads": "threads",
    "wide-arithmetic": "wide-arithmetic",
}
"""What wasm-opt calls the features that `core_output` names."""

_PASSES: Final = ("--no-inline=*trap: *", "-O3", "--skip-pass=duplicate-function-elimination")


def version() -> str | None:
    """Which `wasm-opt` is on the PATH, by its own words; None if there is none, or another program has that name."""
    path = shutil.which("wasm-opt")
    return None if path is None else _version(path)


@cache
def _version(path: str) -> str | None:
    try:
        done = subprocess.run([path, "--version"], stdin=subprocess.DEVNULL, capture_output=True, timeout=_PATIENCE)
    except (OSError, subprocess.TimeoutExpired):
        return None
    found = _VERSION.match(done.stdout.decode("utf-8", "replace"))
    return None if done.returncode or found is None else found[1].strip()


def require() -> None:
    """Raise EngineError if there is no `wasm-opt`: better before the work than after it."""
    if version() is None:
        path = shutil.which("wasm-opt")
        other = "" if path is None else f", and {path} is another program, by what its --version prints"
        raise EngineError(f"-O needs binaryen's wasm-opt{other}", remedy=f"{_REMEDY}, or leave out -O")


def optimised(module: bytes, features: Iterable[str], *, names: bool) -> bytes:
    """The module, optimised. names: keep its name section. Raises EngineError if wasm-opt is absent or fails."""
    require()
    flags = [f"--enable-{flag}" for flag in sorted({_FLAGS[each] for each in features})]
    with TemporaryDirectory(prefix="meld-") as folder:
        given, made = Path(folder) / "in.wasm", Path(folder) / "out.wasm"
        given.write_bytes(module)
        # imported mutable globals are an instruction of nothing, and every engine of ours has them
        command = ["wasm-opt", str(given), "-o", str(made), "--mvp-features", "--enable-mutable-globals", *flags]
        try:
            done = subprocess.run(
                [*command, *_PASSES, *(["-g"] if names else [])],
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=_TIMEOUT,
                check=False,
            )
            if done.returncode == 0:
                return made.read_bytes()
        except (OSError, subprocess.TimeoutExpired) as error:
            raise EngineError(
                "wasm-opt could not be run", causes=(str(error),), remedy="see that it works by itself, or leave out -O"
            ) from error
    raise unusable_here("failed", causes_in(done.stderr.decode("utf-8", "replace")))


def unusable_here(what: str, causes: tuple[str, ...]) -> EngineError:
    """The error that the wasm-opt which is installed cannot be used for this module."""
    return EngineError(
        f"wasm-opt {version()} {what}",
        causes=causes,
        remedy="a newer binaryen may know what the module uses (132 knows all that outputs have); or leave out -O",
    )
