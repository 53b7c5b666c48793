"""The `wasm-tools` command, where it is installed: a second opinion, and the printer of text.

Nothing depends on it but `--wat`; a missing or failing `wasm-tools` never changes an answer. Other programs have that
name too, one of them on PyPI: what `--version` prints tells, and another program is as good as none.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from functools import cache

from meldpy.engine.words import causes_in
from meldpy.errors import EngineError

_TIMEOUT = 60
"""Seconds that one call may take."""


_VERSION = re.compile(r"wasm-tools \d+\.\d+\.\d+\b")


def available() -> bool:
    """Whether there is a `wasm-tools` on the PATH, and it is the one of the Bytecode Alliance."""
    path = shutil.which("wasm-tools")
    return path is not None and _is_genuine(path)


@cache
def _is_genuine(path: str) -> bool:
    """By what the program says of itself; one that says nothing in time is another."""
    try:
        done = subprocess.run([path, "--version"], stdin=subprocess.DEVNULL, capture_output=True, timeout=_TIMEOUT)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0 and _VERSION.match(done.stdout.decode("utf-8", "replace")) is not None


def _run(arguments: list[str], data: bytes) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["wasm-tools", *arguments], input=data, capture_output=True, timeout=_TIMEOUT, check=False)


def validation_message(data: bytes) -> list[str]:
    """What `wasm-tools validate` says against `data`, as lines; nothing if it is absent, content or fails itself."""
    if not available():
        return []
    try:
        done = _run(["validate", "--features", "all", "-"], data)
    except (OSError, subprocess.TimeoutExpired):
        return []
    if done.returncode == 0:
        return []
    return [cause.removeprefix("error: ") for cause in causes_in(done.stderr.decode("utf-8", "replace"))]


def require() -> None:
    """Raise EngineError if there is no `wasm-tools`: better before the work than after it."""
    if not available():
        path = shutil.which("wasm-tools")
        other = "" if path is None else f", and {path} is another program, by what its --version prints"
        raise EngineError(
            f"printing text needs the wasm-tools command of the Bytecode Alliance{other}",
            remedy="install it (`cargo install --locked wasm-tools`), or leave out --wat",
        )


def print_text(data: bytes) -> str:
    """The text format of a component or core module. Raises EngineError if wasm-tools is absent or fails."""
    require()
    try:
        done = _run(["print", "-"], data)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise EngineError(
            "wasm-tools print could not be run",
            causes=(str(error),),
            remedy="see that `wasm-tools print` works by itself, or leave out --wat",
        ) from error
    if done.returncode != 0:
        raise EngineError(
            "wasm-tools print failed",
            causes=causes_in(done.stderr.decode("utf-8", "replace")),
            remedy="see that `wasm-tools print` works by itself, or leave out --wat",
        )
    text = done.stdout.decode("utf-8", "replace")
    if not text.startswith(("(component", "(module")) or not text.rstrip().endswith(")"):
        raise EngineError(
            "wasm-tools print gave something else than the text of a component or module",
            remedy="is the `wasm-tools` on the PATH the one of the Bytecode Alliance?",
        )
    return text
