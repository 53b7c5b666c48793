"""`meld run`: run a component under the embedded wasmtime and pass its exit code on."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import final

import click

from meldpy.cli import terminal
from meldpy.cli.help import examples
from meldpy.cli.io import read_input, refuse_closed_stdout
from meldpy.cli.settings import Settings, verbosity
from meldpy.debugging import symbolizer
from meldpy.errors import UsageError, escape
from meldpy.model.linked import FuncItem, InstanceItem, OuterItem
from meldpy.pipeline import FuseInput, FuseOptions, decode, link
from meldpy.records import dataclass


@click.command(
    context_settings={"ignore_unknown_options": True},
    epilog=examples(
        "meld run out.wasm --invoke 'greet(\"world\")'",
        "meld run --compare composed.wasm out.wasm --scenario scenario.toml",
    ),
)
@click.argument("file", metavar="FILE")
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED, metavar="[ARGUMENT...]")
@click.option(
    "--invoke", "calls", multiple=True, metavar="CALL", help="""Call this export with WAVE arguments: 'f(1, "x")'."""
)
@click.option("--dir", "directories", multiple=True, metavar="HOST[::GUEST]", help="Let the guest see a directory.")
@click.option("--env", "variables", multiple=True, metavar="NAME[=VALUE]", help="Set (or pass on) a variable.")
@click.option(
    "--compare",
    "original",
    metavar="ORIGINAL",
    help="Run ORIGINAL and FILE, and show where they differ: by each --invoke, a --scenario, or as a command.",
)
@click.option("--scenario", metavar="FILE", help="With --compare: calls and host functions, as in fixture.toml.")
@click.option("--stub", is_flag=True, help="With --compare: imports that nothing provides return the smallest value.")
@click.option("--repeat", default=1, type=click.IntRange(min=1), help="With --compare: so often, for steadier times.")
@click.option("--fuzz", "seconds", type=click.FloatRange(0), metavar="SECONDS", help="With --compare: random calls.")
@click.option("--seed", type=int, help="With --fuzz: other random calls; 0 without it.")
@click.option("--json", "as_json", is_flag=True, help="With --compare: what was found, as JSON.")
@verbosity
@click.pass_obj
def run(
    settings: Settings,
    file: str,
    arguments: tuple[str, ...],
    calls: tuple[str, ...],
    directories: tuple[str, ...],
    variables: tuple[str, ...],
    original: str | None,
    scenario: str | None,
    stub: bool,
    repeat: int,
    seconds: float | None,
    seed: int | None,
    as_json: bool,
) -> int:
    """Run a component with WASI 0.2 and wasi:http: a command, or with --invoke one exported function.

    A function of an exported interface is named `ns:pkg/iface@1.0.0#f` or `ns:pkg/iface@1.0.0.f`, or by its own name
    where that is unique.
    What follows `--`, and options that meld does not know, go to the guest. The exit code is the guest's; 134 says
    that it trapped.

    With --compare two components are run, and the exit code is 0 if they do the same, else 1.
    """
    given = Comparing(calls, scenario, arguments, variables, stub, repeat, seconds, seed, as_json)
    if original is not None:
        refuse_closed_stdout()
        given.refuse_what_cannot_be(directories)
        return run_comparison(settings, original, file, given)
    if given.wants_another:
        raise UsageError(
            "--scenario, --stub, --repeat, --fuzz, --seed and --json go with --compare",
            remedy="give --compare ORIGINAL",
        )
    return _run_alone(file, arguments, calls, directories, variables)


def _run_alone(
    file: str,
    arguments: tuple[str, ...],
    calls: tuple[str, ...],
    directories: tuple[str, ...],
    variables: tuple[str, ...],
) -> int:
    """One component: print what its function returns, or pass its output, its trap and its exit code on."""
    from meldpy.engine.run import Environment, invoke, run_command

    if len(calls) > 1:
        raise UsageError("one function is called at a time", remedy="give --invoke once")
    call = calls[0] if calls else None
    if call is not None:
        refuse_closed_stdout()
    item = read_input(file)
    exports = list(_functions(item))
    environment = Environment(
        (item.source, *arguments),
        given_variables(variables),
        tuple(_directory(given) for given in directories),
    )
    data = _binary(item)
    if call is None:
        outcome = run_command(data, _command(exports), environment)
    else:
        outcome = invoke(data, _find(exports, call.partition("(")[0].strip()), call, environment)
    if outcome.result is not None:
        click.echo(outcome.result)
    if outcome.trap is not None:
        terminal.error(
            "the guest trapped\n" + "\n".join(escape(line) for line in _told(outcome.trap, data, item.source))
        )
    return outcome.exit_code


@final
@dataclass(frozen=True, slots=True)
class Comparing:
    """How two components are compared: the options of that name."""

    calls: tuple[str, ...]
    scenario: str | None
    arguments: tuple[str, ...]
    variables: tuple[str, ...]
    stub: bool
    repeat: int
    seconds: float | None
    seed: int | None
    as_json: bool

    @property
    def wants_another(self) -> bool:
        """Whether any of it makes sense only with a component to compare with."""
        alone = self.scenario is None and self.seconds is None and self.seed is None
        return not alone or self.stub or self.repeat != 1 or self.as_json

    def refuse_what_cannot_be(self, directories: tuple[str, ...]) -> None:
        """UsageError for what would be lost in silence."""
        if directories:
            raise UsageError(
                "what one side writes to a directory, the other would find there", remedy="leave out --dir"
            )
        if self.calls and self.scenario is not None:
            raise UsageError("the calls come from --invoke or from a scenario", remedy="leave one out")
        if self.seconds is None and self.seed is not None:
            raise UsageError("--seed chooses among random calls", remedy="use it with --fuzz")
        if self.seconds is not None and (self.calls or self.repeat != 1):
            raise UsageError("--fuzz makes up the calls, each once", remedy="leave out --invoke and --repeat")
        by_calls = self.calls or self.scenario is not None or self.seconds is not None
        if by_calls and (self.arguments or self.variables):
            raise UsageError(
                "arguments and --env are for the run of a command, and calls are compared here",
                remedy="say `argv` and `env` in a [[call]] of a --scenario",
            )


def run_comparison(settings: Settings, original: str, file: str, given: Comparing) -> int:
    """Run both, and print what differs."""
    from meldpy.cli.compare import compared, fuzzed, side
    from meldpy.comparison import command, invocations, load

    left, left_data = side(original)
    _, right_data = side(file)
    played = load(Path(given.scenario)) if given.scenario is not None else None
    if given.seconds is not None:
        around = invocations(()) if played is None else played
        around = around.with_stubs() if given.stub else around
        sides = (original, left_data), (file, right_data)
        return fuzzed(settings, *sides, around, given.scenario, given.seconds, given.seed or 0, as_json=given.as_json)
    exports = list(_functions(left))
    if played is None and given.calls:
        played = invocations([_full_call(exports, call) for call in given.calls])
    elif played is None:
        variables = given_variables(given.variables)
        played = command(f"{_command(exports)}#run", given.arguments, variables)
    if given.stub:
        played = played.with_stubs()
    return compared(left_data, right_data, played, given.repeat, as_json=given.as_json)


def _full_call(exports: list[tuple[str, ...]], call: str) -> str:
    """The call with the full name of its function, `interface#function`."""
    name, paren, rest = call.partition("(")
    return f"{'#'.join(_find(exports, name.strip()))}{paren}{rest}"


def _told(trap: str, data: bytes, source: str) -> list[str]:
    """The engine's words for a trap, the rule that fired, and the backtrace as component, function, file and line."""
    from meldpy.debug.traces import trap_told

    return list(trap_told(trap, symbolizer(data, source)))


def _binary(item: FuseInput) -> bytes:
    from meldpy.engine.text import assemble, is_text

    return assemble(item.data, item.source) if is_text(item.data) else item.data


def _functions(item: FuseInput) -> Iterator[tuple[str, ...]]:
    """The path of every function that the component exports."""
    graph = link([(item, decode(item))], FuseOptions())
    for export in graph.exports:
        yield from _walk(export.name.name, export.item)


def _walk(name: str, item: OuterItem) -> Iterator[tuple[str, ...]]:
    match item:
        case FuncItem():
            yield (name,)
        case InstanceItem(exports=exports):
            for inner, inner_item in exports:
                for path in _walk(inner.name, inner_item):
                    yield (name, *path)
        case _:
            pass


def _command(exports: list[tuple[str, ...]]) -> str:
    """The name of the command interface; a component that has none is a library and wants --invoke."""
    for path in exports:
        if len(path) == 2 and path[1] == "run" and path[0].split("@")[0] == "wasi:cli/run":
            return path[0]
    listed = ", ".join(".".join(path) for path in exports) or "nothing"
    raise UsageError(
        f"the component is not a command: it does not export wasi:cli/run (it exports {listed})",
        remedy="call one of its functions with --invoke",
    )


def _find(exports: list[tuple[str, ...]], name: str) -> tuple[str, ...]:
    """The one export called `name`, by its full path (`#` or a dot between its parts) or by its last part."""
    full = [path for path in exports if name in (".".join(path), "#".join(path))]
    found = full or [path for path in exports if path[-1] == name]
    if len(found) == 1:
        return found[0]
    listed = ", ".join(".".join(path) for path in (found or exports)) or "nothing"
    if found:
        raise UsageError(f"{name!r} is ambiguous: {listed}", remedy="give the full name")
    raise UsageError(f"the component exports no function {name!r}", remedy=f"it exports {listed}")


def given_variables(variables: tuple[str, ...]) -> dict[str, str]:
    """What `--env` says, by name."""
    return dict(pair for given in variables for pair in _variable(given))


def _variable(given: str) -> Iterator[tuple[str, str]]:
    """`NAME=VALUE`, or a bare NAME for the host's value; one that the host does not have is left out."""
    name, equals, value = given.partition("=")
    if equals:
        yield name, value
    elif name in os.environ:
        yield name, os.environ[name]


def _directory(given: str) -> tuple[str, str]:
    host, separator, guest = given.partition("::")
    return host, guest if separator else host
