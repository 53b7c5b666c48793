"""The Rust SDK, built once a run: cargo without a network, and outside the tree."""

from __future__ import annotations

import functools
import os
import subprocess
from pathlib import Path

from tests.support.native import SDK, folder

CRATE = SDK / "rust"


def cargo(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Fails with what cargo printed."""
    environment = {**os.environ, "CARGO_TARGET_DIR": str(Path(folder().name) / "cargo")}
    done = subprocess.run(
        ["cargo", *arguments, "--offline", "--locked"], cwd=CRATE, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done


@functools.cache
def example(name: str) -> Path:
    """An example as a module."""
    cargo("build", "--quiet", "--example", name)
    return Path(folder().name) / "cargo" / "debug" / "examples" / f"lib{name}.so"
