"""`meld fuse`: link components and write one."""

from __future__ import annotations

import time
from pathlib import Path

import click

from meldpy.cli.advice import advise
from meldpy.cli.io import leftovers, read_inputs, refuse_overwriting, refuse_terminal, write_output
from meldpy.cli.rest import kept_notes, rest_words
from meldpy.cli.settings import Settings, verbosity
from meldpy.errors import FileError, UsageError
from meldpy.pipeline import FuseOptions, FuseResult
from meldpy.pipeline import fuse as fuse_inputs

_CAP = click.IntRange(min=1)


@click.command()
@click.argument("inputs", nargs=-1, metavar="INPUT...")
@click.option("-o", "--output", metavar="FILE", help="Where to write; stdout without it, or with `-`.")
@click.option("-t", "--wat", is_flag=True, help="Write the text format (needs wasm-tools).")
@click.option("--check", is_flag=True, help="Write nothing; fail unless FILE is what the inputs give.")
@click.option(
    "--self-check",
    metavar="SCENARIO",
    help="Before writing, run the output beside the inputs unfused; fail if they differ (see meld run --compare).",
)
@click.option("--validate/--no-validate", default=True, show_default=True, help="Check inputs and output.")
@click.option("--strict", is_flag=True, help="Refuse imports left open, except wasi:*, --allow-import and --open.")
@click.option("--allow-import", multiple=True, metavar="PATTERN", help="With --strict: imports that may stay open.")
@click.option(
    "--link",
    "links",
    multiple=True,
    metavar="IMPORTER:IMPORT=PROVIDER:EXPORT",
    help="Decide by hand which export satisfies an import.",
)
@click.option("--open", "opens", multiple=True, metavar="INPUT:IMPORT", help="Leave this import to the host.")
@click.option(
    "--chain",
    is_flag=True,
    help="Satisfy each import by the next INPUT to the right that exports it, as middleware is put in front of an"
    " application; what the last one imports stays open.",
)
@click.option(
    "--root",
    "roots",
    multiple=True,
    metavar="INPUT",
    help="Export what these inputs export (`all`: every input), and what their types need, in place of the inputs that"
    " satisfy no import of another.",
)
@click.option("--export", "exports", multiple=True, metavar="NAME", help="Export this too; NAME or INPUT:NAME.")
@click.option("--hide", "hides", multiple=True, metavar="NAME", help="Do not export this; NAME or INPUT:NAME.")
@click.option(
    "--names",
    type=click.Choice(["full", "short", "none"]),
    default="full",
    show_default=True,
    help="Names of functions and the like: with the component they come from, without it, or not at all.",
)
@click.option("--no-names", is_flag=True, help="The same as --names none.")
@click.option(
    "--dwarf",
    type=click.Choice(["keep", "drop", "split"]),
    default="keep",
    show_default=True,
    help="What becomes of debugging information; split: it goes to FILE.debug.wasm.",
)
@click.option(
    "--source-map",
    type=click.Choice(["inline", "file", "drop"]),
    default="inline",
    show_default=True,
    help="What becomes of source maps; file: they go to FILE.map.",
)
@click.option("--origins", is_flag=True, help="Say in the output where its code came from (meld symbolize --original).")
@click.option(
    "--opaque-rep",
    "opaque_reps",
    multiple=True,
    metavar="INTERFACE.RESOURCE",
    help="Pass this resource's reps as they are, without handle tables.",
)
@click.option("--core", is_flag=True, help="Write a core module, for engines that know no components.")
@click.option("--core-manifest", metavar="FILE", help="With --core: describe the module's edge there, as JSON.")
@click.option("--features", default="", metavar="TARGET", help="With --core: refuse what this engine lacks.")
@click.option(
    "--memory",
    type=click.Choice(["separate", "single"]),
    default="separate",
    show_default=True,
    help="With --core: one memory for all, for engines that know no more.",
)
@click.option(
    "--memory-max",
    multiple=True,
    metavar="NAME=PAGES",
    help="With --memory single: the most pages of a component's memory, which is faster if it never has to move.",
)
@click.option("--flat", is_flag=True, help="Refuse what cannot be fused, instead of keeping it nested.")
@click.option(
    "--keep",
    "keeps",
    multiple=True,
    metavar="INPUT",
    help="Keep this input apart, with the engine's own adapters around it.",
)
@click.option("--max-instances", default=10_000, type=_CAP, show_default=True, help="Cap on component instances.")
@click.option("--max-core-instances", default=10_000, type=_CAP, show_default=True, help="Cap on core instances.")
@click.option("--max-definitions", default=200_000, type=_CAP, show_default=True, help="Cap on evaluated definitions.")
@verbosity
@click.pass_obj
def fuse(
    settings: Settings,
    inputs: tuple[str, ...],
    output: str | None,
    wat: bool,
    check: bool,
    self_check: str | None,
    validate: bool,
    strict: bool,
    allow_import: tuple[str, ...],
    links: tuple[str, ...],
    opens: tuple[str, ...],
    chain: bool,
    roots: tuple[str, ...],
    exports: tuple[str, ...],
    hides: tuple[str, ...],
    names: str,
    no_names: bool,
    dwarf: str,
    source_map: str,
    origins: bool,
    opaque_reps: tuple[str, ...],
    core: bool,
    core_manifest: str | None,
    memory: str,
    memory_max: tuple[str, ...],
    features: str,
    flat: bool,
    keeps: tuple[str, ...],
    max_instances: int,
    max_core_instances: int,
    max_definitions: int,
) -> None:
    """Link components and fuse them into one component, with one core module where all of it can be fused.

    Each INPUT is a component (.wasm or .wat), NAME=FILE to name it, or `-` for stdin. Imports of one input are
    satisfied by exports of the others; what remains open is imported by the output. It exports what the inputs export
    that satisfy no import of another, and interfaces whose types those exports mention.
    """
    if not inputs:
        raise UsageError("there is nothing to fuse", remedy="name at least one component, or `-` for stdin")
    if check and output in (None, "-"):
        raise UsageError("--check compares with a file", remedy="name it with -o")
    if core_manifest is not None and not core:
        raise UsageError("--core-manifest describes a core module", remedy="use it with --core")
    if wat:
        from meldpy.engine import tools

        tools.require()
    else:
        refuse_terminal(output)
    began = time.perf_counter()
    read = read_inputs(inputs)
    refuse_overwriting(output, [item.source for item in read])
    options = FuseOptions(
        links=links,
        opens=opens,
        chain=chain,
        strict=strict,
        allow_imports=allow_import,
        roots=roots,
        exports=exports,
        hides=hides,
        validate=validate,
        names="none" if no_names else names,
        dwarf=dwarf,
        source_map=source_map,
        origins=origins,
        file=None if output in (None, "-") else Path(output or "").name,
        opaque_reps=opaque_reps,
        core=core,
        memory=memory,
        memory_max=memory_max,
        features=features,
        flat=flat,
        keeps=keeps,
        max_instances=max_instances,
        max_core_instances=max_core_instances,
        max_definitions=max_definitions,
    )
    result = fuse_inputs(read, options)
    data = result.bytes
    if wat:
        from meldpy.engine import tools

        data = tools.print_text(result.bytes).encode()
    for note in (*result.report.notes, *kept_notes(result.report)):
        settings.note(note)
    advise(settings, result.report, roots)
    if self_check is not None:
        from meldpy.cli.compare import self_check as check_behaviour

        check_behaviour(settings, read, options, result.bytes, Path(self_check))
    if check:
        _compare(Path(output or ""), data)
        for name, content in result.beside.items():
            _compare(Path(output or "").with_name(name), content)
        settings.say(f"{output} is what the inputs give")
        return
    for name, content in result.beside.items():
        write_output(str(Path(output or "").with_name(name)), content)
    write_output(output, data)
    if core_manifest is not None:
        import json

        from meldpy.core import manifest, read_surface

        described = json.dumps(manifest(read_surface(result.bytes)), indent=2) + "\n"
        write_output(core_manifest, described.encode())
    for left in leftovers(output):
        settings.say(f"{left} is what a run left that was killed; it can be deleted")
    settings.say(summary(result, output, time.perf_counter() - began))


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
