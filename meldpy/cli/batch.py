"""`meld batch`: what many manifests say, on this machine or on a Dask cluster; results are printed as they come."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Sequence
from copy import copy
from hashlib import sha256
from pathlib import Path
from typing import final

import click

from meldpy.batch import Cache, Done, Failed, Finished, Job, planned, run
from meldpy.batch.cache import default_folder
from meldpy.batch.report import Entry, as_json, as_junit
from meldpy.cli.bar import Bar
from meldpy.cli.build import as_text, described, files_of, inputs_of, refuse_what_cannot_be
from meldpy.cli.help import examples
from meldpy.cli.io import write_output
from meldpy.cli.settings import Settings, verbosity
from meldpy.errors import InternalError, MeldError, UsageError, escape
from meldpy.manifest import Build
from meldpy.manifest.read import load
from meldpy.records import dataclass, field


@click.command(
    epilog=examples(
        "meld batch fleet/*.toml --junit report.xml",
    )
)
@click.argument("manifests", nargs=-1, metavar="MANIFEST...")
@click.option("-j", "--jobs", "workers", type=click.IntRange(min=1), help="Processes; one a processor without it.")
@click.option("--scheduler", metavar="ADDRESS", help="Work on this Dask cluster (needs meldpy[dask]).")
@click.option("--cache", "folder", metavar="DIR", help="Where results are kept; in ~/.cache/meldpy/batch without it.")
@click.option("--no-cache", is_flag=True, help="Keep no results, and use none.")
@click.option("--json", "json_file", metavar="FILE", help="Write a report there, as JSON.")
@click.option("--junit", "junit_file", metavar="FILE", help="Write a report there, as JUnit XML.")
@verbosity
@click.pass_obj
def batch(
    settings: Settings,
    manifests: tuple[str, ...],
    workers: int | None,
    scheduler: str | None,
    folder: str | None,
    no_cache: bool,
    json_file: str | None,
    junit_file: str | None,
) -> int:
    """Build what each MANIFEST says, many builds at once, and go on after failures.

    Results are kept by the content of what they follow from, so that a second run does only what has changed, and a run
    that was ended goes on where it was. The exit code is 1 if any build failed, 70 if by a defect of meldpy.
    """
    if not manifests:
        raise UsageError("there is nothing to build", remedy="name at least one manifest (see meld fuse --manifest)")
    if scheduler is not None and workers is not None:
        raise UsageError("a cluster has workers of its own", remedy="leave out --jobs, or --scheduler")
    if no_cache and folder is not None:
        raise UsageError("--cache names what --no-cache does without", remedy="leave one out")
    began = time.monotonic()
    batch_ = _planned(manifests, keep=scheduler is not None)
    cache = None if no_cache else Cache(default_folder() if folder is None else Path(folder))
    with Bar(settings, "building", len(batch_.entries)) as bar:
        for at, entry in enumerate(batch_.entries):
            if entry is not None and entry.error is not None:
                _say(bar, settings, batch_.entry(at))
        for finished in run(
            list(batch_.jobs.values()),
            cache,
            workers=workers or os.cpu_count() or 1,
            scheduler=scheduler,
            blobs=batch_.blobs,
        ):
            for at in batch_.take(finished):
                _say(bar, settings, batch_.entry(at))
    entries = [batch_.entry(at) for at in range(len(batch_.entries))]
    took = time.monotonic() - began
    if json_file is not None:
        write_output(json_file, as_json(entries, took).encode())
    if junit_file is not None:
        write_output(junit_file, as_junit(entries, took).encode())
    failed = sum(entry.error is not None for entry in entries)
    cached = sum(entry.cached for entry in entries)
    rate = f"{len(entries) / took:.1f} a second" if took else "at once"
    settings.say(
        f"{len(entries)} build{'s' * (len(entries) != 1)}: {len(entries) - failed} ok ({cached} done before),"
        f" {failed} failed; {took:.1f} s, {rate}"
    )
    if any(entry.is_defect for entry in entries):
        return InternalError.exit_code
    return 1 if failed else 0


@final
@dataclass(slots=True)
class _Batch:
    """builds: each with its manifest; entries: what came of each, in the same order; None while it is not done. reads:
    which manifest a file is read for."""

    builds: list[tuple[str, Build]] = field(default_factory=list)
    entries: list[Entry | None] = field(default_factory=list)
    jobs: dict[str, Job] = field(default_factory=dict)
    waiting: dict[str, list[int]] = field(default_factory=dict)
    blobs: dict[str, bytes] = field(default_factory=dict)
    reads: dict[str, str] = field(default_factory=dict)

    def read(self, manifest: str, files: Sequence[str]) -> None:
        for file in files:
            self.reads.setdefault(os.path.realpath(file), manifest)

    def entry(self, at: int) -> Entry:
        found = self.entries[at]
        assert found is not None, "every job gives a result"
        return found

    def take(self, finished: Finished) -> Iterator[int]:
        """Write the outputs that a result is for; which builds those are. What failed is placed in the manifest, unless
        it has a place already."""
        for at in self.waiting[finished.result.key]:
            manifest, build = self.builds[at]
            failure = None
            match finished.result:
                case Done():
                    try:
                        _deliver(build, finished.result)
                    except MeldError as error:
                        failure = error
                case Failed(error=error):
                    failure = copy(error)  # several builds may be one job
            if failure is not None and build.location is not None:
                failure.at(build.location)
            self.entries[at] = Entry(manifest, str(build.output), finished.result, finished.cached, failure)
            yield at


def _planned(manifests: Sequence[str], *, keep: bool) -> _Batch:
    """All builds as jobs; what cannot be one is an entry already. keep: hold the inputs' bytes."""
    found = _Batch()
    for manifest in manifests:
        found.read(manifest, [manifest])
        try:
            builds = load(Path(manifest))
        except MeldError as error:
            found.builds.append((manifest, Build(())))
            found.entries.append(Entry(manifest, "-", None, failure=error))
            continue
        for build in builds:
            found.builds.append((manifest, build))
            found.entries.append(None)
            found.read(manifest, build.files)
            try:
                _plan(found, build, keep=keep)
            except MeldError as error:
                found.entries[-1] = Entry(
                    manifest,
                    str(build.output),
                    None,
                    failure=error.at(build.location) if build.location is not None else error,
                )
    _refuse_clashes(found)
    return found


def _plan(found: _Batch, build: Build, *, keep: bool) -> None:
    refuse_what_cannot_be(build, check=False)
    if any(argument.rpartition("=")[2] == "-" for argument in build.inputs):
        raise UsageError("stdin cannot be an input of a batch", build.location, remedy="name a file")
    inputs, options = inputs_of(build)
    found.read(found.builds[-1][0], [item.source for item in inputs])
    job = planned(inputs, options, None if build.self_check is None else build.path(build.self_check))
    found.jobs[job.key] = job
    found.waiting.setdefault(job.key, []).append(len(found.builds) - 1)
    if keep:
        for item in inputs:
            found.blobs.setdefault(sha256(item.data).hexdigest(), item.data)


def _refuse_clashes(found: _Batch) -> None:
    """Builds of a batch have no order: two may not write one file, nor one what another reads."""
    seen: dict[str, str] = {}
    for manifest, build in found.builds:
        for given in (build.output, build.core_manifest):
            if given is None:
                continue
            path = os.path.realpath(build.path(given))
            if path in seen:
                raise UsageError(
                    f"{seen[path]} and {manifest} both write {path}", build.location, remedy="let them write two files"
                )
            seen[path] = manifest
            if path in found.reads:
                raise UsageError(
                    f"{manifest} writes {path}, which {found.reads[path]} reads",
                    build.location,
                    remedy="write another file; or build one after the other, by `meld fuse --manifest`",
                )


def _deliver(build: Build, done: Done) -> None:
    """Write the files of a build; those that hold the same already stay as they are."""
    data = as_text(done.data) if build.wat else done.data
    files = [*files_of(build, data, done.beside)]
    if build.core_manifest is not None:
        files.append((build.path(build.core_manifest), described(done.data)))
    for path, content in files:
        assert path is not None, "a manifest names its output"
        if not _holds(Path(path), content):
            write_output(path, content)


def _holds(path: Path, content: bytes) -> bool:
    try:
        return path.stat().st_size == len(content) and path.read_bytes() == content
    except OSError:
        return False


def _say(bar: Bar, settings: Settings, entry: Entry) -> None:
    """One line on stdout for a build that is done, and the error of one that failed on stderr."""
    bar.step()
    error = entry.error
    if error is not None:
        bar.above(lambda: settings.fail(error, whose=f"{entry.output} ({entry.manifest}): "))
        return
    if settings.quiet:
        return
    assert isinstance(entry.result, Done)
    how = "done before" if entry.cached else f"{entry.result.seconds:.2f} s"
    count = entry.result.kept
    kept = f"; {count} instance{'s' * (count != 1)} not fused (meld fuse -v says why)" if count else ""
    line = f"ok  {escape(entry.output)}  {len(entry.result.data)} B  {how}{kept}"
    bar.above(lambda: click.echo(line))
    sys.stdout.flush()
