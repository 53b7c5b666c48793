"""Replay how a fixture came to run: without what made it possible it does not, and with it it is promoted.

    python -m scripts.explore.replay                      # which there are
    python -m scripts.explore.replay reexport-floats-c    # one
    python -m scripts.explore.replay --all

safety/adr/replays.toml has a patch for each that takes the thing out. Everything happens in a copy of the package and
of the fixtures, by `meld fixture`, each command in a process of its own:

    with the patch      demote: to the stage that is left; run: it has that stage; promote: it must fail
    without the patch   run: it must say "promote me"; promote: it must pass, and leave fixture.toml as it was
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, final

import click

from scripts.explore.adrs import ADR_FOLDER, ROOT, RecordError
from scripts.explore.patches import Patch

REPLAYS = ADR_FOLDER / "replays.toml"
_KEYS = {"fixture", "shows", "without", "because", "patch"}


@final
@dataclass(frozen=True, slots=True)
class Replay:
    """shows: the record, or file, that says why it is done so. without: what the patches do. because: a part of what is
    said against the fixture then."""

    fixture: str
    shows: str
    without: str
    because: str
    patches: tuple[Patch, ...]


def load_replays(root: Path = ROOT) -> list[Replay]:
    """The replays of a checkout. RecordError names what is wrong with the file."""
    rows = tomllib.loads((root / REPLAYS).read_text(encoding="utf-8")).get("replay", [])
    return [_replay(row) for row in rows]


def load_replay(fixture: str, root: Path = ROOT) -> Replay:
    replays = {replay.fixture: replay for replay in load_replays(root)}
    if fixture not in replays:
        raise RecordError(f"no replay of {fixture}; there are {', '.join(replays)}")
    return replays[fixture]


def stale(root: Path = ROOT) -> Iterator[str]:
    """What keeps replays from being run at all, one sentence each."""
    if not (root / REPLAYS).exists():
        return
    for replay in load_replays(root):
        description = root / "fixtures" / replay.fixture / "fixture.toml"
        if not description.is_file():
            yield f"{REPLAYS}: there is no fixture {replay.fixture}"
        elif _stage(description) != "runtime":
            yield f"{REPLAYS}: {replay.fixture} is not at runtime"
        for patch in replay.patches:
            try:
                patch.applied_to((root / patch.file).read_text(encoding="utf-8"))
            except (OSError, RecordError) as error:
                yield f"{REPLAYS}: {replay.fixture}: {error}"


def play(replay: Replay, root: Path, say: Callable[[str], None]) -> None:
    """RecordError at the first thing that is not as it should be."""
    with TemporaryDirectory(prefix="replay-") as folder:
        copy = Path(folder)
        for part in ("meldpy", "fixtures"):
            shutil.copytree(root / part, copy / part, ignore=shutil.ignore_patterns("__pycache__"))
        description = copy / "fixtures" / replay.fixture / "fixture.toml"
        before = description.read_text(encoding="utf-8")
        for patch in replay.patches:
            patch.apply(copy)
        say(f"{replay.fixture} without it: {replay.without}")
        _meld(copy, replay, "demote", 0, replay.because, say)
        _meld(copy, replay, "run", 0, f" {_stage(description)}: ", say)
        _meld(copy, replay, "promote", 1, replay.because if _stage(description) == "refused" else "promoted", say)
        if _stage(description) == "runtime":
            raise RecordError(f"{replay.fixture}: the failed promotion changed the stage")
        for patch in reversed(replay.patches):
            patch.undo(copy)
        say(f"{replay.fixture} with it")
        _meld(copy, replay, "run", 1, "promote me", say)
        _meld(copy, replay, "promote", 0, "→ runtime", say)
        if description.read_text(encoding="utf-8") != before:
            raise RecordError(f"{replay.fixture}: the promotion did not bring fixture.toml back")
    say(f"{replay.fixture}: proven: {replay.shows}")


# --- inside -----------------------------------------------------------------------------------------------------------
def _replay(row: dict[str, Any]) -> Replay:
    if set(row) != _KEYS:
        raise RecordError(f"{REPLAYS}: a replay has {', '.join(sorted(_KEYS))}, not {', '.join(sorted(row))}")
    patches = tuple(Patch(patch["file"], patch["old"], patch["new"]) for patch in row["patch"])
    return Replay(row["fixture"], row["shows"], row["without"], row["because"], patches)


def _stage(description: Path) -> str:
    return str(tomllib.loads(description.read_text(encoding="utf-8"))["stage"])


def _meld(copy: Path, replay: Replay, command: str, code: int, said: str, say: Callable[[str], None]) -> None:
    """Run one command of `meld fixture` in the copy; it must exit with `code`, and say `said` somewhere."""
    # No byte code is kept: a patched file may have the size, and the date to a second, of the one before.
    environment = os.environ | {"PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
    environment.pop("PYTHONPYCACHEPREFIX", None)
    arguments = ["-m", "meldpy", "fixture", command, replay.fixture]
    done = subprocess.run([sys.executable, *arguments], cwd=copy, env=environment, capture_output=True, text=True)
    lines = [line for line in (done.stdout + done.stderr).splitlines() if line.strip()]
    say(f"  $ meld fixture {command} {replay.fixture}")
    for line in lines:
        say(f"    {line}")
    if done.returncode != code or not any(said in line for line in lines):
        raise RecordError(f"{command} {replay.fixture}: exit code {done.returncode}, wanted {code} and {said!r}")


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME...]")
@click.option("--all", "everything", is_flag=True, help="All replays.")
@click.option("--root", type=click.Path(path_type=Path), default=ROOT, help="Checkout to copy.")
def main(names: tuple[str, ...], everything: bool, root: Path) -> None:
    """Replay the promotion of the fixtures NAME; without any, list them."""
    try:
        chosen = load_replays(root) if everything else [load_replay(name, root) for name in names]
        if not chosen:
            click.echo("\n".join(f"{replay.fixture}: {replay.shows}" for replay in load_replays(root)))
        for replay in chosen:
            play(replay, root, click.echo)
    except RecordError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
