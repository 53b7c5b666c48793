"""`meld explain`: what a fuse decides and why. `meld fuse --explain` says the same of the fuse that it makes.

What is said is `report.explain`'s; here it gets its lines.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from meldpy.cli import terminal
from meldpy.cli.build import inputs_or_stdin
from meldpy.cli.help import Sectioned, examples
from meldpy.cli.io import refuse_closed_stdout
from meldpy.cli.options import SECTIONS, deps_option, fuse_options
from meldpy.cli.settings import verbosity
from meldpy.errors import escape
from meldpy.pipeline import FuseOptions, FuseResult

_WIDEST = 160

if TYPE_CHECKING:
    from meldpy.report.explanation import Explanation, Link, Removed, Site


@click.command(cls=Sectioned, sections=SECTIONS, epilog=examples("meld explain app.wasm lib.wasm"))
@click.argument("inputs", nargs=-1, metavar="INPUT...")
@click.option("--json", "as_json", is_flag=True, help="Machine-readable output; docs/explain.md describes it.")
@fuse_options
@deps_option
@verbosity
def explain(inputs: tuple[str, ...], as_json: bool, options: FuseOptions, deps: tuple[str, ...]) -> None:
    """Fuse each INPUT (stdin without one) with the others, write nothing, and say what was decided and why.

    Takes the options of `meld fuse` that decide anything: why each import is satisfied or left open, what each call
    between components costs and checks, memories, what was left out, what the host has to provide.
    """
    from meldpy.report.explain import explain as explained

    refuse_closed_stdout()
    told = explained(*inputs_or_stdin(inputs, options, deps))
    for line in _json(told) if as_json else _lines(told):
        click.echo(line)


def say_explanation(result: FuseResult, *, as_json: bool, on_stderr: bool) -> None:
    """What `result`, which has a record, says about itself."""
    from meldpy.report.explain import explained

    told = explained(result)
    for line in _json(told) if as_json else _lines(told):
        if on_stderr:
            terminal.message(line)
        else:
            click.echo(line)


def _json(told: Explanation) -> Iterator[str]:
    import json

    yield json.dumps(told.data(), indent=2)


def _lines(told: Explanation) -> Iterator[str]:
    for number, section in enumerate(_sections(told)):
        if number:
            yield ""
        yield from map(escape, section)


def _sections(told: Explanation) -> Iterator[list[str]]:
    """A heading and its lines each, without those that have nothing to say."""
    if told.links:
        yield ["imports", *(line for link in told.links for line in _link(link))]
    fused = [f"  group {number}: {', '.join(group.instances)}" for number, group in enumerate(told.groups)]
    kept = [f"  kept: {each.label}: {reason}" for each in told.kept for reason in each.reasons]
    if fused or kept:
        yield ["parts", *fused, *kept]
    if told.sites:
        yield ["call sites", *(line for site in told.sites for line in _site(site))]
    if told.memories:
        places = {"main": "in the main module", "carrier": "in a carrier"}
        yield ["memories", *(f"  {m.name}: {m.pages} pages, {places[m.place]}" for m in told.memories)]
    gone = [each for each in told.removed if each.functions_removed or each.data_bytes_removed]
    if gone:
        yield [
            "left out, because nothing reaches it",
            *(
                f"  {each.instance}, {each.module}: {', '.join(_left_out(each))}"
                + (f" (largest: {', '.join(each.largest)})" if each.largest else "")
                for each in gone
            ),
        ]
    if told.host:
        yield [
            "from the host",
            *(
                f"  {h.name}, called by {h.caller}: {_cut(h.type)}" + "".join(f"; {n}" for n in h.needs)
                for h in told.host
            ),
        ]
    if told.notes:
        yield ["notes", *(f"  {note}" for note in told.notes)]


def _left_out(gone: Removed) -> Iterator[str]:
    if gone.functions_removed:
        yield f"{gone.functions_removed} of {gone.functions} functions"
        yield f"{gone.code_bytes_removed} of {gone.code_bytes} bytes of code"
    if gone.data_bytes_removed:
        yield f"{gone.data_bytes_removed} of {gone.data_bytes} bytes of data"


def _link(link: Link) -> Iterator[str]:
    provided = "" if link.provider is None else f" <- {link.provider}" + (f": {link.export}" if link.export else "")
    yield f"  {link.importer}: {link.name}{provided} ({link.why})"
    for miss in link.near:
        yield f"    near: {miss}"


def _site(site: Site) -> Iterator[str]:
    yield f"  {site.caller} -> {site.callee} {site.function}: {site.class_.value}"
    yield f"    {_cut(site.type)}"
    weight = [f"{site.fixed_bytes} bytes a call"] if site.fixed_bytes else []
    if weight or site.per_item:
        yield f"    copies: {'; '.join([*weight, *site.per_item])}"
    for move in site.moves:
        yield f"    {move}"
    if site.checks:
        yield f"    checks: {', '.join(site.checks)}"
    for proof in site.proved:
        yield f"    need not check: {proof.check} ({proof.why})"
    if site.inlined:
        yield f"    {site.inlined} library function{'s' * (site.inlined != 1)} in place of calls"


def _cut(text: str) -> str:
    """Types can be long; `--json` has all of them."""
    return text if len(text) <= _WIDEST else text[:_WIDEST] + "…"
