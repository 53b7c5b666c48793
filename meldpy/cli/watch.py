"""`meld watch`: build what a manifest says, and again whenever one of its files changes."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Final, TypeAlias

import click

from meldpy.cli.build import perform, refuse_what_cannot_be
from meldpy.cli.settings import Settings, verbosity
from meldpy.errors import MeldError
from meldpy.manifest.read import load

_PERIOD: Final = 0.25
"""Seconds between two looks at the files, where no watcher is installed."""

_Seen: TypeAlias = "dict[str, tuple[int, int] | None]"
"""Modification time in nanoseconds and size of each file; None if it is not there."""


@click.command()
@click.argument("manifest", default="meld.toml", metavar="[MANIFEST]")
@click.option("--times", type=click.IntRange(min=1), help="End after so many rounds (for scripts).")
@verbosity
@click.pass_obj
def watch(settings: Settings, manifest: str, times: int | None) -> None:
    """Build what MANIFEST says (meld.toml), and again whenever one of the files changes that it names.

    An error is shown and waited out: the next change builds again. Changes come from the system if `meldpy[watch]` is
    installed, else the files are looked at four times a second.
    """
    rounds = 0
    while True:
        seen = _round(settings, Path(manifest))
        rounds += 1
        if rounds == times:
            return
        settings.say(f"watching {len(seen)} files; Ctrl-C ends")
        _wait(seen)


def _round(settings: Settings, manifest: Path) -> _Seen:
    """Build all. What the files were of which a change builds again, before they were read."""
    seen = _look([str(manifest)])
    try:
        builds = load(manifest)
        seen |= _look([file for build in builds for file in build.files if file != "-"])
        for build in builds:
            refuse_what_cannot_be(build, check=False)
            perform(settings, build)
    except MeldError as error:
        settings.tell(error)
    return seen


def _wait(seen: _Seen) -> None:
    """Until one of the files is not as it was: at once, if that happened while it was read."""
    with closing(_chances(list(seen))) as chances:
        while _look(seen) == seen:
            next(chances)


def _chances(files: Sequence[str]) -> Generator[None]:
    """When it is time to look."""
    folders = [folder for folder in dict.fromkeys(str(Path(file).parent) for file in files) if Path(folder).is_dir()]
    try:
        from watchfiles import watch as system
    except ImportError:
        folders = []
    if not folders:
        while True:
            time.sleep(_PERIOD)
            yield
    for _ in system(*folders, yield_on_timeout=True, rust_timeout=1_000, recursive=False):
        yield


def _look(files: Iterable[str]) -> _Seen:
    found: _Seen = {}
    for file in files:
        try:
            stat = Path(file).stat()
            found[file] = stat.st_mtime_ns, stat.st_size
        except OSError:
            found[file] = None
    return found
