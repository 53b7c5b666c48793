"""Set up the prototype of one path: a branch in a worktree of its own, with a checklist as its first commit.

    python -m scripts.explore.prototype ADR-0000 G ../meldpy-g

The checklist is safety/adr/prototypes/<question>-<path>.yaml on the branch: the gating fixtures, what to tick off, and
two fields that `validate` reads: `caveats` (a list of sentences) and `blocked` (why the path cannot work today).
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from scripts.explore.adrs import ADR_FOLDER, ROOT, Record, RecordError, dump, load, question
from scripts.explore.gates import DEFAULTS, defaults


def branch_name(asked: Record, path: str) -> str:
    """Where a path's prototype lives unless someone says otherwise."""
    return f"explore/{asked.id.lower()}-{path.lower()}"


def notes_path(asked: Record, path: str) -> Path:
    """Where a prototype's checklist is, in its branch."""
    return ADR_FOLDER / "prototypes" / f"{asked.id.lower()}-{path.lower()}.yaml"


def notes(asked: Record, path: str, base: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """A checklist with nothing ticked."""
    return {
        "question": asked.id,
        "path": path,
        "title": asked.design_path(path)["title"],
        "base": base,
        "gating-fixtures": list(asked.data["gating-fixtures"]),
        "checklist": [{"done": False, "what": what} for what in settings["checklist"]],
        "caveats": [],
        "blocked": None,
    }


def git(root: Path, *args: str) -> str:
    """A git command's output. RecordError carries git's own message."""
    done = subprocess.run(["git", "-C", str(root), *args], capture_output=True, text=True)
    if done.returncode:
        raise RecordError(f"git {args[0]}: {done.stderr.strip()}")
    return done.stdout.strip()


def set_up(root: Path, asked: Record, path: str, where: Path, settings: Mapping[str, Any]) -> Path:
    """Make the branch and the worktree `where`; the checklist's file."""
    asked.design_path(path)
    base = git(root, "rev-parse", "HEAD")
    git(root, "worktree", "add", "--quiet", "-b", branch_name(asked, path), str(where.resolve()), base)
    file = where / notes_path(asked, path)
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(dump(notes(asked, path, base, settings)), encoding="utf-8")
    git(where, "add", str(notes_path(asked, path)))
    git(where, "commit", "--quiet", "-m", f"Begin the prototype of path {path} of {asked.id}")
    return file


@click.command()
@click.argument("question_id", metavar="QUESTION")
@click.argument("path")
@click.argument("where", type=click.Path(path_type=Path))
@click.option("--root", type=click.Path(path_type=Path), default=ROOT, help="Repository to branch from.")
@click.option("--defaults", "settings", type=click.Path(path_type=Path), default=DEFAULTS, help="Checklist.")
def main(question_id: str, path: str, where: Path, root: Path, settings: Path) -> None:
    """Begin a prototype of PATH of QUESTION in the new worktree WHERE."""
    try:
        asked = question(load(root), question_id)
        file = set_up(root, asked, path, where, defaults(settings))
    except RecordError as error:
        sys.exit(f"error: {error}")
    click.echo(f"branch {branch_name(asked, path)} in {where}\nchecklist {file}")
    for gate in asked.data["gating-fixtures"]:
        click.echo(f"must run: {gate}")


if __name__ == "__main__":
    main()
