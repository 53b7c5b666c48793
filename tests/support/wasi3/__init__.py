"""The oracle for what the embedded engine's binding cannot do: WASI 0.3, and host functions that complete later.

A small Rust program around the crates wasmtime, wasmtime-wasi and wasmtime-wasi-http (`src`), built when it is first
asked for and kept in the cache directory. `src/main.rs` says what it can be asked. Building takes some ten minutes on
two cores, so what needs it is marked `deep`; `.ci/run` runs it.

guests: components of WASI 0.3, committed as they were built; see `guests/README.md`.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from meldpy.fixture.tools import cache_directory, locked, run

HERE = Path(__file__).parent
GUESTS = HERE / "guests"


@dataclass(frozen=True, slots=True)
class Ran:
    """What a component was seen doing."""

    code: int
    stdout: str
    stderr: str


@cache
def program() -> Path:
    """The oracle, built if it is not."""
    target = cache_directory() / "wasi3"
    with locked("wasi3"):
        run("cargo", "build", "--release", "--locked", cwd=HERE, env={"CARGO_TARGET_DIR": str(target), "RUSTFLAGS": ""})
    return target / "release" / "wasi3"


def ask(what: str, component: bytes, *arguments: str, stdin: str = "") -> Ran:
    """One run of the oracle on a component."""
    with TemporaryDirectory() as directory:
        file = Path(directory) / "component.wasm"
        file.write_bytes(component)
        command = [program(), what, file, *arguments]
        done = subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=120, check=False)
    return Ran(done.returncode, done.stdout, done.stderr.replace(str(file), "component.wasm"))


def play(component: bytes, host: Mapping[str, Any], steps: Sequence[Sequence[tuple[str, Sequence[str]]]]) -> list[Any]:
    """The calls of each step, made at once, with host functions that complete as `host` says; see `src/play.rs`."""
    ran = ask("play", component, stdin=json.dumps({"host": host, "steps": steps}))
    assert ran.code == 0, ran.stderr
    return [json.loads(line) for line in ran.stdout.splitlines()]
