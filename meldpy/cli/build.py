"""Carrying out one build: files in, a fuse, what is said about it, files out. `meld fuse` and `meld watch` do it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from meldpy.cli.advice import advise
from meldpy.cli.io import (
    leftovers,
    read_input,
    read_inputs,
    read_inputs_or_stdin,
    refuse_overwriting,
    refuse_terminal,
    write_output,
)
from meldpy.cli.progress import Progress
from meldpy.cli.rest import kept_notes, rest_words
from meldpy.cli.settings import Settings
from meldpy.errors import FileError, UsageError
from meldpy.manifest import Build
from meldpy.pipeline import FuseInput, FuseOptions, FuseResult
from meldpy.pipeline import fuse as fuse_inputs
from meldpy.records import replace
from meldpy.timing import measured

WAC = ".wac"
"""How a file in wac's language ends: it stands for the inputs that it instantiates."""


def perform(
    settings: Settings,
    build: Build,
    *,
    check: bool = False,
    told: str | None = None,
    reads: Callable[[Sequence[str]], None] | None = None,
) -> None:
    """Fuse and write; or with `check` write nothing, and raise FileError unless the files are what would be written.

    told: explain the fuse, as "text" or "json". reads: is given the files that the inputs came from.
    """
    output = None if build.output is None else build.path(build.output)
    if build.wat:
        from meldpy.engine import tools

        tools.require()
    elif not check:
        refuse_terminal(output)
    began = time.perf_counter()
    read, options = inputs_of(build)
    sources = [item.source for item in read]
    if reads is not None:
        reads(sources)
    refuse_overwriting(output, sources)
    if build.core_manifest is not None:
        refuse_overwriting(build.path(build.core_manifest), sources)
    with Progress(settings, "fusing") as progress, measured(progress.say) as times:
        result = fuse_inputs(read, options if told is None else replace(options, record=True))
    for name, seconds in times.seconds.items():
        settings.note(f"time: {name} {seconds * 1000:.1f} ms")
    data = result.bytes
    if build.wat:
        data = as_text(data)
    for note in (*result.report.notes, *kept_notes(result.report)):
        settings.note(note)
    advise(settings, result.report, options.roots)
    if build.self_check is not None:
        from meldpy.cli.compare import self_check

        self_check(settings, read, options, result.bytes, Path(build.path(build.self_check)))
    if check:
        for path, content in files_of(build, data, result.beside):
            _compare(Path(path or ""), content)
        settings.say(f"{output} is what the inputs give")
        return
    for path, content in files_of(build, data, result.beside):
        write_output(path, content)
    if build.core_manifest is not None:
        write_output(build.path(build.core_manifest), described(result.bytes))
    for left in leftovers(output):
        settings.say(f"{left} is what a run left that was killed; it can be deleted")
    seconds = time.perf_counter() - began
    if told is not None:
        from meldpy.cli.explain import say_explanation

        say_explanation(result, as_json=told == "json", on_stderr=output in (None, "-"))
    settings.say(summary(result, output, seconds))


def inputs_of(build: Build) -> tuple[list[FuseInput], FuseOptions]:
    """What is fused, and how: as the build says, or as the file in wac's language does that is its only input."""
    if not any(_is_wac(argument) for argument in build.inputs):
        if build.deps:
            raise UsageError("--dep says where packages of a .wac file are", remedy="give a .wac file, or leave it out")
        return read_inputs([build.input_path(argument) for argument in build.inputs]), build.options
    if len(build.inputs) != 1:
        raise UsageError("a .wac file says what all inputs are", remedy="give it alone, and packages with --dep")
    options = build.options
    if options.links or options.opens or options.roots or options.exports or options.hides or options.chain:
        raise UsageError(
            "a .wac file says what is linked, left open and exported",
            remedy="leave out --link, --open, --chain, --root, --export and --hide",
        )
    return _composed(build)


def inputs_or_stdin(
    inputs: tuple[str, ...], options: FuseOptions, deps: tuple[str, ...]
) -> tuple[list[FuseInput], FuseOptions]:
    """The same for commands that write nothing, and read stdin if no input is named."""
    return inputs_of(Build(inputs, None, options, deps=deps)) if inputs else (read_inputs_or_stdin(()), options)


def _composed(build: Build) -> tuple[list[FuseInput], FuseOptions]:
    from meldpy.wac import Packages, compose, parse_dep, surface

    path = build.path(build.inputs[0])
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise FileError(f"cannot read {path}: {getattr(error, 'strerror', None) or error}") from error
    deps = {package: build.path(file) for package, file in map(parse_dep, build.deps)}
    packages = Packages(deps, Path(path).parent, read_input)
    found = compose(text, path, packages.provide, surface)
    options = replace(
        build.options,
        links=found.links,
        opens=found.opens,
        exports=found.exports,
        hides=found.hides,
        renames=(*found.renames, *build.options.renames),
    )
    return list(found.inputs), options


def _is_wac(argument: str) -> bool:
    return argument.endswith(WAC)


def refuse_what_cannot_be(build: Build, *, check: bool) -> None:
    """What the options of a build exclude before anything is read: UsageError."""
    if not build.inputs:
        raise UsageError("there is nothing to fuse", remedy="name at least one component, or `-` for stdin")
    if check and build.output in (None, "-"):
        raise UsageError("--check compares with a file", remedy="name it with -o")
    if build.core_manifest is not None and not build.options.core:
        raise UsageError("--core-manifest describes a core module", remedy="use it with --core")
    if build.core_manifest is not None and build.core_manifest == build.output:
        raise UsageError(f"the module and its description both go to {build.output}", remedy="name two files")


def files_of(build: Build, data: bytes, beside: Mapping[str, bytes]) -> list[tuple[str | None, bytes]]:
    """The files that a build writes, what lies beside the output first: where they go, and what is in them."""
    output = None if build.output is None else build.path(build.output)
    return [*((str(Path(output or "").with_name(name)), content) for name, content in beside.items()), (output, data)]


def as_text(data: bytes) -> bytes:
    """The text format, by wasm-tools."""
    from meldpy.engine import tools

    return tools.print_text(data).encode()


def described(data: bytes) -> bytes:
    """The edge of a core output, as JSON."""
    import json

    from meldpy.core import manifest, read_surface

    return (json.dumps(manifest(read_surface(data)), indent=2) + "\n").encode()


def _compare(output: Path, data: bytes) -> None:
    """Raise FileError unless the file holds `data`: a committed output that nobody fused again is out of date."""
    remedy = "fuse again without --check, and commit the result"
    try:
        found = output.read_bytes()
    except (OSError, ValueError) as error:
        words = getattr(error, "strerror", None) or error
        raise FileError(f"cannot read {output}: {words}", remedy=remedy) from error
    if found != data:
        sizes = f"it has {len(found)} bytes, the inputs give {len(data)}"
        raise FileError(f"{output} is not what the inputs give", causes=(sizes,), remedy=remedy)


def summary(result: FuseResult, output: str | None, seconds: float) -> str:
    """The one line at the end: inputs, sizes, call sites, time."""
    report = result.report
    count = len(report.inputs)
    into = "stdout" if output is None or output == "-" else output
    return (
        f"fused {count} input{'s' * (count != 1)} ({_size(sum(size for _, size in report.inputs))}) into {into}"
        f" ({_size(report.output_size)}): {report.core_instances} core instances,"
        f" {report.call_sites} call site{'s' * (report.call_sites != 1)}, {seconds:.2f} s{rest_words(report)}"
    )


def _size(count: int) -> str:
    if count < 1000:
        return f"{count} B"
    if count < 1_000_000:
        return f"{count / 1000:.1f} kB"
    return f"{count / 1_000_000:.1f} MB"


def chosen(builds: Sequence[Build], output: str | None) -> Sequence[Build]:
    """All builds of a manifest, or the one that writes `output`."""
    if output is None:
        return builds
    found = [build for build in builds if build.output == output]
    if not found:
        listed = ", ".join(str(build.output) for build in builds)
        raise UsageError(f"the manifest has no output {output}", remedy=f"it has: {listed}")
    return found
