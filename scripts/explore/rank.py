"""Rank the paths of a design question: which one to prototype next.

    python -m scripts.explore.rank ADR-0000

The score is viability (1 to 5) times a weight for who would have to change (defaults.yaml). A path's viability is its
ADR's; a path that nobody has judged gets a fixed one; a path that was ruled out at the desk has none and comes last.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import click

from scripts.explore.adrs import ROOT, Record, RecordError, load, question
from scripts.explore.gates import DEFAULTS, defaults


@final
@dataclass(frozen=True, slots=True)
class Ranked:
    """A path and what it is worth trying; 0 for one that was ruled out."""

    path: str
    title: str
    score: float
    viability: int | None
    locus: str
    standing: str


def rank(asked: Record, records: Mapping[str, Record], settings: Mapping[str, Any]) -> list[Ranked]:
    """The paths of a question, best first; equal ones in the question's order."""
    ranked = [_rank_one(path, records, settings) for path in asked.data["design-paths"]]
    return sorted(ranked, key=lambda path: -path.score)


def _rank_one(path: Mapping[str, Any], records: Mapping[str, Record], settings: Mapping[str, Any]) -> Ranked:
    locus = path["locus-of-fix"]
    if "ruled-out" in path:
        return Ranked(path["path"], path["title"], 0.0, None, locus, f"ruled out: {path['ruled-out']}")
    if "adr" in path:
        adr = records[path["adr"]].data
        viability, standing = adr["fields"]["viability"], f"{path['adr']}, {adr['status']}, {adr['verdict']}"
    else:
        viability, standing = settings["unjudged-viability"], "not judged"
    return Ranked(path["path"], path["title"], viability * settings["weights"][locus], viability, locus, standing)


@click.command()
@click.argument("question_id", metavar="QUESTION")
@click.option("--root", type=click.Path(path_type=Path), default=ROOT, help="Checkout to read.")
@click.option("--defaults", "settings", type=click.Path(path_type=Path), default=DEFAULTS, help="Weights.")
def main(question_id: str, root: Path, settings: Path) -> None:
    """Print the paths of QUESTION, best first."""
    try:
        records = load(root)
        for path in rank(question(records, question_id), records, defaults(settings)):
            viability = "-" if path.viability is None else path.viability
            click.echo(
                f"{path.score:4.1f}  {viability} × {path.locus:<11}  {path.path}: {path.title}  ({path.standing})"
            )
    except RecordError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
