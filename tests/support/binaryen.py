"""binaryen's `wasm-opt` from the npm registry, kept in the cache directory: the version that tests optimise with.

Distributions have versions of their own, some of which do not know what outputs use.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Final

from meldpy.fixture.tools import cache_directory, locked, run

BINARYEN: Final = "binaryen@132.0.0"


@cache
def folder_of_wasm_opt() -> Path:
    """The folder for the PATH; the first time, filled by npm."""
    home = cache_directory() / "node" / BINARYEN
    done = home / "complete"
    with locked("binaryen"):
        if not done.exists():
            home.mkdir(parents=True, exist_ok=True)
            run("npm", "install", "--silent", "--prefix", home, BINARYEN, cwd=home)
            done.touch()
    return home / "node_modules" / ".bin"
