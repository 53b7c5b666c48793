"""`meld inspect`: what is inside a component or core module, as a tree, as JSON or as WIT.

What is shown is `report.inspection`'s; here it gets its lines. On a terminal each thing that takes bytes of the file
has a bar in front of it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

import click

from meldpy.cli.help import examples
from meldpy.cli.io import read_inputs_or_stdin, refuse_closed_stdout
from meldpy.cli.settings import verbosity
from meldpy.errors import UsageError, escape
from meldpy.report.tree import Fact, Inspection, Node, share

_COUNTED = ("pages", "elements")
"""Facts that are text, and shown like numbers: before what they count."""
_BARE = ("what", "sort", "names")
"""Facts that need no name."""
_BAR = 10
"""Characters of a bar; each can be filled by eighths."""
_EIGHTHS = " ▏▎▍▌▋▊▉█"


@click.command(
    epilog=examples(
        "meld inspect out.wasm",
        "meld inspect --wit app.wasm",
    )
)
@click.argument("inputs", nargs=-1, metavar="INPUT...")
@click.option("--json", "as_json", is_flag=True, help="Machine-readable output; docs/inspect.md describes it.")
@click.option("--wit", "as_wit", is_flag=True, help="Only the imports and exports, as WIT.")
@verbosity
def inspect(inputs: tuple[str, ...], as_json: bool, as_wit: bool) -> None:
    """Show the components, core modules, memories, imports and exports inside each INPUT (stdin without one).

    An INPUT may be a component or a core module, binary or text. Percentages are of the file.
    """
    from meldpy.report.inspection import inspect as inspected

    if as_json and as_wit:
        raise UsageError("--json has the WIT in it", remedy="leave out --wit")
    refuse_closed_stdout()
    found = [inspected(item) for item in read_inputs_or_stdin(inputs)]
    if as_json:
        import json

        click.echo(json.dumps([each.data() for each in found], indent=2))
        return
    for each in found:
        for line in _wit(each) if as_wit else _tree(each):
            click.echo(line)


def _wit(found: Inspection) -> Iterator[str]:
    if found.wit is None:
        raise UsageError(f"{found.root.label} has no world", remedy="meld inspect FILE shows what it has")
    yield from map(escape, found.wit.splitlines())


def _tree(found: Inspection) -> Iterator[str]:
    total = found.root.size
    assert total is not None
    bars = sys.stdout is not None and sys.stdout.isatty()
    for depth, node in _walk(found.root, 0):
        front = ("" if node.size is None else _bar(node.size, total)).ljust(_BAR + 1) if bars else ""
        facts = [_fact(key, value) for key, value in node.facts.items()]
        if node.size is not None:
            percent = "" if depth == 0 else f" ({share(node.size, total)} %)"
            facts.insert(0, f"{node.size} bytes{percent}")
        line = f"{front}{'  ' * depth}{node.kind} {escape(node.label)}".rstrip()
        yield line + (f": {', '.join(facts)}" if facts else "")


def _walk(node: Node, depth: int) -> Iterator[tuple[int, Node]]:
    yield depth, node
    for child in node.children:
        yield from _walk(child, depth + 1)


def _bar(size: int, total: int) -> str:
    eighths = max(1, round(8 * _BAR * size / total)) if size and total else 0
    full, rest = divmod(eighths, 8)
    return "█" * full + (_EIGHTHS[rest] if rest else "")


def _fact(key: str, value: Fact) -> str:
    if isinstance(value, tuple):
        value = ", ".join(value)
    shown = escape(str(value))
    if key in _BARE:
        return shown
    if isinstance(value, int) or key in _COUNTED:
        return f"{shown} {key}"
    return f"{key}: {shown}"
