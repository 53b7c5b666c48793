"""jco's transpiler and a node for it, from the npm registry, kept in the cache directory.

The transpiler is a package of its own; the `jco` command of the version below carries just this one. Of node the
newest is taken, whatever the machine has besides: both guests' memories are seen by one core module, in compositions
(the adapters) and in fused forms alike, and that takes a V8 with multi-memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from meldpy.fixture.tools import cache_directory, locked, run

JCO: Final = "1.35"
"""The version of the command, as divergences.toml has it."""
TRANSPILER: Final = "@bytecodealliance/jco-transpile@0.15.0"
NODE: Final = "node@26.10.0"


@dataclass(frozen=True, slots=True)
class Installed:
    """home: the directory whose node_modules hold the transpiler."""

    node: Path
    home: Path


@cache
def installed() -> Installed:
    """Both tools; the first time, by npm."""
    home = cache_directory() / "node" / f"{TRANSPILER.rpartition('/')[2]}+{NODE}"
    done = home / "complete"
    with locked("jco"):
        if not done.exists():
            home.mkdir(parents=True, exist_ok=True)
            run("npm", "install", "--silent", "--prefix", home, TRANSPILER, NODE, cwd=home)
            done.touch()
    return Installed(home / "node_modules" / ".bin" / "node", home)
