"""Running gates: the commands of defaults.yaml, and what their outcome means.

A gate has three outcomes, not two. Exit code 0 is a pass and 1 a failure; all else (nothing collected, an import that
fails, no end in time) is *broken*: the gate said nothing about the path, so nobody may read a failure into it.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, final
from xml.etree import ElementTree

import yaml

DEFAULTS = Path(__file__).with_name("defaults.yaml")


class Outcome(Enum):
    """What a gate said."""

    PASSED = "passed"
    FAILED = "failed"
    BROKEN = "broken"


@final
@dataclass(frozen=True, slots=True)
class Ran:
    """One run of a gate, with the line of its output that says why it did not pass."""

    outcome: Outcome
    says: str


def defaults(path: Path = DEFAULTS) -> dict[str, Any]:
    """The weights and commands, as defaults.yaml has them."""
    return dict(yaml.safe_load(path.read_text(encoding="utf-8")))


def gate_command(gate: str, settings: Mapping[str, Any], *, ready: bool = False) -> list[str]:
    """What runs a gate in the root of a checkout; with `ready`, what must pass before that means anything, if any."""
    kind = "fixture" if gate.startswith("fixtures/") else "test"
    parts = settings["gates"].get(f"{kind}-ready", []) if ready else settings["gates"][kind]
    name = gate.removeprefix("fixtures/")
    return [part.format(python=sys.executable, name=name, gate=gate) for part in parts]


def run_gate(gate: str, root: Path, settings: Mapping[str, Any]) -> Ran:
    """Run a gate in a checkout, with that checkout's code."""
    try:
        if ready := gate_command(gate, settings, ready=True):
            done = _run(ready, root, settings["gate-timeout"])
            if done.returncode:
                return Ran(Outcome.BROKEN, f"exit code {done.returncode}: {_reason(done.stdout + done.stderr)}")
        done = _run(gate_command(gate, settings), root, settings["gate-timeout"])
    except subprocess.TimeoutExpired:
        return Ran(Outcome.BROKEN, f"no end within {settings['gate-timeout']} s")
    match done.returncode:
        case 0:
            return Ran(Outcome.PASSED, "")
        case 1:
            return Ran(Outcome.FAILED, _reason(done.stdout + done.stderr))
        case code:
            return Ran(Outcome.BROKEN, f"exit code {code}: {_reason(done.stdout + done.stderr)}")


def run_suite(root: Path, settings: Mapping[str, Any], report: Path) -> dict[str, bool]:
    """The regression tests of a checkout: test -> whether it passed. Nothing, if the suite cannot run."""
    command = [part.format(python=sys.executable, report=report) for part in settings["regressions"]]
    try:
        _run(command, root, settings["regressions-timeout"])
    except subprocess.TimeoutExpired:
        return {}
    if not report.exists():
        return {}
    bad = {"failure", "error", "skipped"}
    return {
        f"{case.get('classname')}::{case.get('name')}": not any(child.tag in bad for child in case)
        for case in ElementTree.parse(report).iter("testcase")
    }


def _run(command: list[str], root: Path, timeout: float) -> subprocess.CompletedProcess[str]:
    # The checkout's code must win over an installed one; wide lines keep pytest's summary whole.
    env = os.environ | {"PYTHONPATH": str(root), "COLUMNS": "400", "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(command, cwd=root, env=env, capture_output=True, text=True, timeout=timeout)


def _reason(output: str) -> str:
    """pytest's line about the first failure; of meld its error and what caused it; of other programs the last line."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    if failed := [line for line in lines if line.startswith(("FAILED ", "ERROR "))]:
        return re.sub(r"^(FAILED|ERROR) \S+ - ", "", failed[0])
    if said := [line.removeprefix("error: ") for line in lines if line.startswith("error: ")]:
        causes = [line[3:] for line in lines if line.startswith("0: ")]
        return ": ".join([said[0], *causes[:1]])
    return lines[-1] if lines else "no output"
