"""Guests that the tests build themselves, because the result is too large for the repository or not reproducible.

Python guests: componentize-py from PyPI, in a virtual environment of its own, with WASI stubbed out. Everything lies
in a cache directory outside the repository: $MELDPY_CACHE, else ~/.cache/meldpy. A guest is built again when its
source, its WIT or the tool's version changes.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

COMPONENTIZE_PY = "componentize-py==0.25.1"


class GuestBuildError(Exception):
    """A tool failed; the message has what it printed."""


def cache_directory() -> Path:
    path = Path(os.environ.get("MELDPY_CACHE", Path.home() / ".cache" / "meldpy"))
    path.mkdir(parents=True, exist_ok=True)
    return path


def build_python_guest(app: Path, wit: Path, world: str) -> bytes:
    """The component that componentize-py makes of the module `app` for `world`."""
    digest = hashlib.sha256(f"{COMPONENTIZE_PY}\n{world}\n".encode())
    for path in [app, *sorted(wit.rglob("*.wit"))]:
        digest.update(path.read_bytes())
    guest = cache_directory() / "guests" / f"{app.stem}-{digest.hexdigest()[:24]}.wasm"
    with _locked("guests"):
        if not guest.exists():
            guest.parent.mkdir(exist_ok=True)
            _componentize(app, wit, world, guest)
    return guest.read_bytes()


def _componentize(app: Path, wit: Path, world: str, guest: Path) -> None:
    """Runs the tool on a copy of `app` alone: it imports the module, and would leave byte code beside it."""
    with TemporaryDirectory(dir=guest.parent) as work:
        shutil.copy(app, work)
        unfinished = Path(work) / guest.name
        _run(
            str(_componentize_py()), "-d", str(wit.resolve()), "-w", world,
            "componentize", "--stub-wasi", "-p", work, "-o", str(unfinished), app.stem,
        )  # fmt: skip
        unfinished.replace(guest)


def _componentize_py() -> Path:
    """The tool, installed on first use."""
    environment = cache_directory() / "venvs" / COMPONENTIZE_PY
    tool = environment / "bin" / "componentize-py"
    if not tool.exists():
        venv.create(environment, with_pip=True, clear=True)
        _run(str(environment / "bin" / "python"), "-m", "pip", "install", "--quiet", COMPONENTIZE_PY)
    return tool


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, cwd=cache_directory())
    if done.returncode:
        raise GuestBuildError(f"{' '.join(command)}\n{done.stdout}{done.stderr}")


@contextmanager
def _locked(name: str) -> Iterator[None]:
    """One process at a time: tests may run in several."""
    with (cache_directory() / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
