"""`meld watch`: build what a manifest says, and again whenever one of its files changes."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import click

from meldpy.cli.build import perform, refuse_what_cannot_be
from meldpy.cli.settings import Settings, verbosity
from meldpy.errors import MeldError
from meldpy.manifest import Build
from meldpy.manifest.read import load

_PERIOD: Final = 0.25
"""Seconds between two looks at the files, where no watcher is installed."""


@click.command()
@click.argument("manifest", default="meld.toml", metavar="[MANIFEST]")
@click.option(
    "--times",
    type=click.IntRange(min=1),
    help="End after so many rounds (for scripts), with the exit code of the last.",
)
@verbosity
@click.pass_obj
def watch(settings: Settings, manifest: str, times: int | None) -> int:
    """Build what MANIFEST says (meld.toml), and again whenever one of the files changes that it names.

    An error is shown and waited out: the next change builds again. Changes come from the system if `meldpy[watch]` is
    installed, else the files are looked at four times a second.
    """
    rounds = 0
    while True:
        watched = _round(settings, Path(manifest))
        rounds += 1
        if rounds == times:
            return max((error.exit_code for error in settings.failures), default=0)
        settings.say(f"watching {len(watched)} files; Ctrl-C ends")
        next(_changes(watched))


def _round(settings: Settings, manifest: Path) -> list[str]:
    """Build all; the files that a change of which builds again. What failed in the round before is past."""
    settings.failures.clear()
    builds: Sequence[Build] = ()
    try:
        builds = load(manifest)
        for build in builds:
            refuse_what_cannot_be(build, check=False)
            perform(settings, build)
    except MeldError as error:
        settings.fail(error)
    files = dict.fromkeys([str(manifest), *(file for build in builds for file in build.files)])
    return [file for file in files if file != "-"]


def _changes(files: Sequence[str]) -> Iterator[None]:
    """Once for each time that something happened to one of the files."""
    before = _seen(files)
    for _ in _looks(files):
        now = _seen(files)
        if now != before:
            yield
            before = now


def _looks(files: Sequence[str]) -> Iterator[None]:
    """When it is time to look."""
    try:
        from watchfiles import watch as system
    except ImportError:
        while True:
            time.sleep(_PERIOD)
            yield
    folders = dict.fromkeys(str(Path(file).parent) for file in files)
    for _ in system(*folders, yield_on_timeout=True, rust_timeout=1_000, recursive=False):
        yield


def _seen(files: Sequence[str]) -> list[tuple[int, int] | None]:
    found: list[tuple[int, int] | None] = []
    for file in files:
        try:
            stat = Path(file).stat()
            found.append((stat.st_mtime_ns, stat.st_size))
        except OSError:
            found.append(None)
    return found
