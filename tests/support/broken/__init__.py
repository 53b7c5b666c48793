"""A fuser that is broken on purpose, one way at a time, and what the fixtures say to it.

`mutations.toml` lists the ways. A mutation is applied to a copy of the package, and a process of its own, which imports
that copy, fuses fixtures and plays them (`play`). Whether the output is valid is asked apart from whether it is right:
what is worth catching is the output that is valid and wrong.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import final

from scripts.explore.patches import Patch

ROOT = Path(__file__).resolve().parents[3]


@final
@dataclass(frozen=True, slots=True)
class Mutation:
    """One way to break the fuser. caught_by: the fixtures that must notice, among others perhaps; scenes: the same of
    `asyncwebs.scenes`, where fixtures do not get at it. memory: of the core outputs that are made of fixtures,
    `separate` or `single`; None: components are."""

    name: str
    patch: Patch
    breaks: str
    caught_by: tuple[str, ...]
    scenes: tuple[str, ...] = ()
    memory: str | None = None


@final
@dataclass(frozen=True, slots=True)
class Played:
    """One fixture, fused and run by a copy. `fault`: what was wrong, empty if nothing."""

    valid: bool
    fault: str

    @property
    def silently_wrong(self) -> bool:
        return self.valid and bool(self.fault)


def mutations() -> list[Mutation]:
    table = tomllib.loads(Path(__file__).with_name("mutations.toml").read_text(encoding="utf-8"))
    return [
        Mutation(
            row["name"],
            Patch(row["file"], row["old"], row["new"]),
            row["breaks"],
            tuple(row["caught-by"]),
            tuple(row.get("scenes", ())),
            row.get("core-output"),
        )
        for row in table["mutation"]
    ]


def copy_of_the_fuser(where: Path, mutation: Mutation | None) -> Path:
    """A directory with a copy of the package, broken unless `mutation` is None."""
    shutil.copytree(ROOT / "meldpy", where / "meldpy", ignore=shutil.ignore_patterns("__pycache__"))
    if mutation is not None:
        mutation.patch.apply(where)
    return where


def run_python(copy: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """A Python whose `meldpy` is the copy."""
    # No byte code is kept: two texts of one file may have the same size, and the same second as their date.
    environment = os.environ | {"PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
    environment.pop("PYTHONPYCACHEPREFIX", None)
    command = [sys.executable, *map(str, arguments)]
    return subprocess.run(command, env=environment, cwd=copy, capture_output=True, text=True, check=False)


def play(copy: Path, names: Sequence[str], scenes: Sequence[str] = (), memory: str | None = None) -> dict[str, Played]:
    """What the copy makes of these fixtures and scenes: components, or of fixtures core outputs with such memories.
    A copy that cannot even do that fails here."""
    asked = [*names, *(f"scene {name}" for name in scenes)]
    done = run_python(copy, Path(__file__).with_name("play.py"), ROOT, memory or "component", *asked)
    assert done.returncode == 0, done.stderr
    return {name: Played(valid, fault) for name, (valid, fault) in json.loads(done.stdout).items()}
