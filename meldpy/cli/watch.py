"""`meld watch`: build what a manifest says, and again whenever one of its files changes."""

from __future__ import annotations

import os
import time
from collections.abc import Generator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Final, TypeAlias

import click

from meldpy.cli.build import perform, refuse_what_cannot_be
from meldpy.cli.io import STDIN
from meldpy.cli.settings import Settings, verbosity
from meldpy.errors import MeldError
from meldpy.manifest import Build
from meldpy.manifest.read import load

_PERIOD: Final = 0.25
"""Seconds between two looks at the files, where no watcher is installed."""

_Seen: TypeAlias = "dict[str, tuple[int, int] | None]"
"""When each file was changed last, and its size; None if it is not there."""


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

    An error is shown and waited out: the next change builds again. The log of --sarif is that of the last round.
    Changes come from the system if `meldpy[watch]` is installed, else the files are looked at four times a second.
    """
    rounds = 0
    while True:
        seen = _round(settings, Path(manifest))
        if settings.sarif is not None:
            _log(settings, settings.sarif)
        rounds += 1
        if rounds == times:
            return max((error.exit_code for error in settings.failures), default=0)
        settings.say(f"watching {len(seen)} files; Ctrl-C ends")
        _wait(seen)


def _log(settings: Settings, path: str) -> None:
    """What the round found: an empty log, if nothing. Whoever reads it need not wait for the end, which is a Ctrl-C."""
    from meldpy.cli.failures import write_log

    write_log(path, settings.failures)


def _round(settings: Settings, manifest: Path) -> _Seen:
    """Build all. The files that a change of which builds again, as they were before they were read: what happens to
    them meanwhile is a change. What failed in the round before is past."""
    settings.failures.clear()
    seen: _Seen = {}
    builds: Sequence[Build] = ()
    _look(seen, [str(manifest)])
    try:
        builds = load(manifest)
        for build in builds:
            _look(seen, build.files)
            refuse_what_cannot_be(build, check=False)
            perform(settings, build, reads=lambda files: _look(seen, files))
    except MeldError as error:
        settings.fail(error)
    for build in builds:
        _look(seen, build.files)
    # What one build writes another may read; that it was written just now is no change.
    for file in {os.path.realpath(build.path(build.output)) for build in builds if build.output is not None}:
        seen.update((known, _stamp(known)) for known in seen if os.path.realpath(known) == file)
    return seen


def _look(seen: _Seen, files: Sequence[str]) -> None:
    """How the files are now, unless somebody has looked before."""
    for file in files:
        if file not in ("-", STDIN) and file not in seen:
            seen[file] = _stamp(file)


def _wait(seen: _Seen) -> None:
    """Until one of the files is not as it was seen."""
    with closing(_chances(list(seen))) as chances:
        while all(_stamp(file) == before for file, before in seen.items()):
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


def _stamp(file: str) -> tuple[int, int] | None:
    try:
        stat = Path(file).stat()
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_size
