"""`meld fuse`: link components and write one."""

from __future__ import annotations

from pathlib import Path

import click

from meldpy.cli.build import chosen, perform, refuse_what_cannot_be
from meldpy.cli.help import Sectioned, examples
from meldpy.cli.options import SECTIONS, deps_option, fuse_options
from meldpy.cli.settings import settings as settings_of
from meldpy.cli.settings import verbosity
from meldpy.errors import UsageError
from meldpy.manifest import Build
from meldpy.options import FuseOptions
from meldpy.records import replace


@click.command(
    cls=Sectioned,
    sections=SECTIONS,
    epilog=examples(
        "meld fuse app.wasm lib.wasm -o out.wasm",
        "meld fuse --strict app.wasm log=lib.wasm -o out.wasm",
        "meld fuse --manifest meld.toml --check",
        "meld fuse app.wasm lib.wasm --self-check scenario.toml -o out.wasm",
    ),
)
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
@fuse_options
@deps_option
@click.option("--core-manifest", metavar="FILE", help="With --core: describe the module's edge there, as JSON.")
@click.option("--explain", "explained", is_flag=True, help="Say what was decided and why (see meld explain).")
@click.option("--json", "as_json", is_flag=True, help="With --explain: for machines.")
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
    options: FuseOptions,
    deps: tuple[str, ...],
    core_manifest: str | None,
    explained: bool,
    as_json: bool,
) -> None:
    """Link components and fuse them into one component, with one core module where all of it can be fused.

    Each INPUT is a component (.wasm or .wat), NAME=FILE to name it, or `-` for stdin. Imports of one input are
    satisfied by exports of the others; what remains open is imported by the output. It exports what the inputs export
    that satisfy no import of another, and interfaces whose types those exports mention. One INPUT that ends in .wac is
    a composition in wac's language, of packages that --dep names or that lie in deps/.
    """
    settings = settings_of(ctx)
    if as_json and not explained:
        raise UsageError("--json is for what --explain says", remedy="use it with --explain")
    told = ("json" if as_json else "text") if explained else None
    if manifest is not None:
        from meldpy.manifest.read import load

        _refuse_beside_manifest(ctx)
        for build in chosen(load(Path(manifest)), output):
            refuse_what_cannot_be(build, check=check)
            perform(settings, build, check=check, told=told)
        return
    options = replace(options, file=None if output in (None, "-") else Path(output or "").name)
    build = Build(inputs, output, options, self_check, core_manifest, wat, deps)
    refuse_what_cannot_be(build, check=check)
    if print_manifest:
        if output in (None, "-"):
            raise UsageError("a manifest names the file that is written", remedy="name it with -o")
        from meldpy.manifest.write import written

        click.echo(written([build]), nl=False)
        return
    perform(settings, build, check=check, told=told)


_WITH_MANIFEST = ("manifest", "check", "output", "explained", "as_json")
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
