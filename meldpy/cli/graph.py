"""`meld graph`: a composition before and after fusing, as a picture."""

from __future__ import annotations

import click

from meldpy.cli.build import inputs_or_stdin
from meldpy.cli.help import Sectioned, examples
from meldpy.cli.io import refuse_overwriting, write_output
from meldpy.cli.options import SECTIONS, deps_option, fuse_options
from meldpy.cli.settings import verbosity
from meldpy.errors import UsageError
from meldpy.pipeline import FuseOptions


@click.command(
    cls=Sectioned,
    sections=SECTIONS,
    epilog=examples(
        "meld graph app.wasm lib.wasm -o out.html", "meld graph app.wasm lib.wasm --format mermaid --detail interfaces"
    ),
)
@click.argument("inputs", nargs=-1, metavar="INPUT...")
@click.option("-o", "--output", metavar="FILE", help="Where to write; stdout without it, or with `-`.")
@click.option(
    "--format",
    "format_",
    type=click.Choice(["dot", "mermaid", "svg", "html", "json"]),
    help="By the output's name if not given, dot on stdout; html is one page that needs no other file.",
)
@click.option(
    "--detail",
    type=click.Choice(["instances", "interfaces", "functions"]),
    default="interfaces",
    show_default=True,
    help="What a line stands for.",
)
@click.option(
    "--show",
    type=click.Choice(["both", "before", "after"]),
    default="both",
    show_default=True,
    help="Before fusing, after it, or both; html and json have both.",
)
@fuse_options
@deps_option
@verbosity
def graph(
    inputs: tuple[str, ...],
    output: str | None,
    format_: str | None,
    detail: str,
    show: str,
    options: FuseOptions,
    deps: tuple[str, ...],
) -> None:
    """Fuse each INPUT (stdin without one) with the others, and draw what goes in and what comes out.

    Takes the options of `meld fuse` that decide anything. Lines are labelled with interface and adapter class; fused
    groups and what is kept are told apart.
    """
    from meldpy.report.graph import graph as drawn

    format_ = format_ or _by_name(output)
    read, options = inputs_or_stdin(inputs, options, deps)
    refuse_overwriting(output, [item.source for item in read])
    text = drawn(read, options, format=format_, detail=detail, show=show)
    write_output(output, text.encode("utf-8", "backslashreplace"))


_ENDINGS = {
    "dot": "dot",
    "gv": "dot",
    "mmd": "mermaid",
    "mermaid": "mermaid",
    "svg": "svg",
    "html": "html",
    "json": "json",
}


def _by_name(output: str | None) -> str:
    """The format that the output's name asks for; stdout has no name, and gets what other tools read."""
    if output is None or output == "-":
        return "dot"
    ending = output.rpartition(".")[2].lower()
    if ending not in _ENDINGS:
        endings = ", ".join(f".{each}" for each in _ENDINGS)
        raise UsageError(
            f"the name {output} does not say what to draw", remedy=f"give --format, or a name that ends in {endings}"
        )
    return _ENDINGS[ending]
