"""`meld provenance`: where the functions of an output came from; a bill of materials; a statement to sign."""

from __future__ import annotations

from collections.abc import Iterator

import click

from meldpy.cli.help import examples
from meldpy.cli.io import read_input, refuse_overwriting, write_output
from meldpy.cli.settings import verbosity
from meldpy.errors import UsageError, escape
from meldpy.provenance.trace import FunctionOrigin, Trace, as_json, trace


@click.command(
    epilog=examples(
        "meld fuse app.wasm lib.wasm --provenance -o out.wasm && meld provenance out.wasm",
    )
)
@click.argument("file", metavar="FILE")
@click.option("--functions", is_flag=True, help="List every function.")
@click.option("--json", "as_json_", is_flag=True, help="Print it as JSON.")
@click.option("--sbom", "as_sbom", is_flag=True, help="Print a CycloneDX bill of materials (needs meldpy[sbom]).")
@click.option("--statement", "as_statement", is_flag=True, help="Print an in-toto statement, for a CI system to sign.")
@click.option("--builder", metavar="URI", help="With --statement: who built it.")
@click.option("-o", "--output", metavar="FILE", help="Write there in place of stdout.")
@verbosity
def provenance(
    file: str,
    functions: bool,
    as_json_: bool,
    as_sbom: bool,
    as_statement: bool,
    builder: str | None,
    output: str | None,
) -> None:
    """Say of an output (fused with --provenance) which inputs it was made of, how, and by which version.

    With --functions: for every function, the input, core module and index that it had there.
    """
    if as_json_ + as_sbom + as_statement > 1:
        raise UsageError("only one of --json, --sbom and --statement can be printed", remedy="leave the others out")
    if builder is not None and not as_statement:
        raise UsageError("--builder is a part of a statement", remedy="use it with --statement")
    item = read_input(file)
    refuse_overwriting(output, [item.source])
    found = trace(item.data, item.source)
    if as_sbom:
        from meldpy.provenance.sbom import sbom

        text = sbom(found)
    elif as_statement:
        from meldpy.provenance.statement import BUILDER, statement

        text = statement(found, builder=builder or BUILDER)
    elif as_json_:
        text = as_json(found, functions=functions)
    else:
        text = "".join(f"{line}\n" for line in _lines(found, functions))
    write_output(output, text.encode())


def _lines(found: Trace, functions: bool) -> Iterator[str]:
    yield f"{escape(found.source)}  sha256:{found.sha256}  {found.size} B"
    yield f"made by meldpy {escape(found.tool)}"
    for key, value in found.options.items():
        shown = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
        yield f"  option {escape(key)}: {escape(shown)}"
    for at, each in enumerate(found.inputs):
        yield f"  input {at}: {escape(each.name)}  sha256:{escape(each.sha256)}  {each.size} B"
    for module in found.modules:
        if module.origin is None:
            yield f"core module {module.number}: {module.functions} functions, not fused  sha256:{module.sha256}"
            continue
        yield f"core module {module.number}: {module.functions} functions"
        if functions:
            yield from map(_function, module.traced)
        else:
            yield from (f"  {count:6} {escape(unit)}" for unit, count in module.by_unit)


def _function(each: FunctionOrigin) -> str:
    name = "" if each.name is None else f"  {escape(each.name)}"
    if each.input is None:
        return f"  function {each.function}: made by meldpy{name}"
    whence = f"input {each.input}, {escape(str(each.component))}, {escape(str(each.module))}"
    return f"  function {each.function}: {whence}, function {each.index}{name}"
