"""What the numbers are: kill rates by package, with and without the survivors that were judged equivalent."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.mutation.model import Outcome, Verdict

SURVIVORS = Path(__file__).with_name("survivors.toml")


def judged() -> dict[str, str]:
    """Survivors that cannot be killed, by the mutant's id: why its program does the same."""
    entries: list[dict[str, str]] = tomllib.loads(SURVIVORS.read_text(encoding="utf-8")).get("equivalent", [])
    return {entry["mutant"]: entry["why"] for entry in entries}


def record(outcome: Outcome) -> dict[str, Any]:
    mutant = outcome.mutant
    return {
        "mutant": mutant.id,
        "file": mutant.file,
        "line": mutant.line,
        "operator": mutant.operator,
        "verdict": outcome.verdict.value,
        "by": outcome.by,
        "ran": outcome.ran,
        "seconds": outcome.seconds,
    }


def summary(package: str, records: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Raw: every mutant that is a program. Adjusted: without the survivors judged equivalent."""
    known = judged()
    counts = {verdict.value: sum(entry["verdict"] == verdict.value for entry in records) for verdict in Verdict}
    killed = sum(counts[verdict.value] for verdict in Verdict if verdict.is_kill)
    survivors = [entry for entry in records if entry["verdict"] == Verdict.SURVIVED.value]
    equivalent = [entry for entry in survivors if entry["mutant"] in known]
    total = killed + len(survivors)
    rest = total - len(equivalent)
    return {
        "package": package,
        "mutants": total,
        "killed": killed,
        "equivalent": len(equivalent),
        "raw": round(killed / total, 4) if total else None,
        "adjusted": round(killed / rest, 4) if rest else None,
        "verdicts": counts,
        "unjudged": sorted(entry["mutant"] for entry in survivors if entry["mutant"] not in known),
        "never executed": sorted(entry["mutant"] for entry in survivors if entry["ran"] == 0),
    }


def save(
    path: Path, packages: Sequence[dict[str, Any]], records: Sequence[dict[str, Any]], left_out: dict[str, str]
) -> None:
    data = {"packages": packages, "tests left out": left_out, "mutants": records}
    path.write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def line(numbers: dict[str, Any]) -> str:
    if not numbers["mutants"]:
        return f"{numbers['package']}: no mutants"
    adjusted = "-" if numbers["adjusted"] is None else f"{numbers['adjusted']:.1%}"
    return (
        f"{numbers['package']}: {numbers['killed']} of {numbers['mutants']} killed ({numbers['raw']:.1%} raw), "
        f"{numbers['equivalent']} judged equivalent ({adjusted} of the others), "
        f"{len(numbers['unjudged'])} survivors not judged"
    )
