"""`meld fuse`: link components and write one."""

from __future__ import annotations

from pathlib import Path

import click

from meldpy.cli.build import chosen, perform, refuse_what_cannot_be
from meldpy.cli.settings import settings as settings_of
from meldpy.cli.settings import verbosity
from meldpy.errors import UsageError
from meldpy.manifest import Build
from meldpy.options import FuseOptions

_CAP = click.IntRange(min=1)


@click.command()
@click.argument("inputs", nargs=-1, metavar="INPUT...")
@click.option("-o", "--output", metavar="FILE", help="Where to write; stdout without it, or with `-`.")
@click.option("-t", "--wat", is_flag=True, help="Write the text format (needs wasm-tools).")
@click.option("--manifest", metavar="FILE", help="Do what this file says (meld.toml); with -o only that output of it.")
@click.option("--print-manifest", is_flag=True, help="Write nothing; print the manifest of this command line.")
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
@click.option("--rename", "renames", multiple=True, metavar="NAME=NEW", help="Export this under another name.")
@click.option("--dep", "deps", multiple=True, metavar="PACKAGE=FILE", help="Where a package of a .wac file is.")
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
@click.pass_context
def fuse(
    ctx: click.Context,
    inputs: tuple[str, ...],
    output: str | None,
    wat: bool,
    manifest: str | None,
    print_manifest: bool,
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
    renames: tuple[str, ...],
    deps: tuple[str, ...],
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
    that satisfy no import of another, and interfaces whose types those exports mention. One INPUT that ends in .wac is
    a composition in wac's language, of packages that --dep names or that lie in deps/.
    """
    settings = settings_of(ctx)
    if manifest is not None:
        from meldpy.manifest.read import load

        _refuse_beside_manifest(ctx)
        for build in chosen(load(Path(manifest)), output):
            refuse_what_cannot_be(build, check=check)
            perform(settings, build, check=check)
        return
    options = FuseOptions(
        links=links,
        opens=opens,
        chain=chain,
        strict=strict,
        allow_imports=allow_import,
        roots=roots,
        exports=exports,
        hides=hides,
        renames=renames,
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
    build = Build(inputs, output, options, self_check, core_manifest, wat, deps)
    refuse_what_cannot_be(build, check=check)
    if print_manifest:
        from meldpy.manifest.write import written

        click.echo(written([build]), nl=False)
        return
    perform(settings, build, check=check)


_WITH_MANIFEST = ("manifest", "check", "output")
"""What may stand beside a manifest; everything else is said there."""


def _refuse_beside_manifest(ctx: click.Context) -> None:
    given = [
        name
        for name in ctx.params
        if name not in _WITH_MANIFEST and ctx.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE
    ]
    if given:
        flag = next(p.opts[0] for p in ctx.command.params if p.name == given[0])
        raise UsageError(f"a manifest says what is fused and how; {flag} would be lost", remedy="write it there")
