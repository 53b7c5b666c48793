"""How help reads: the commands in a few words each, and a command's many options under headings.

The words of the list are here and not with the commands, so that listing them imports none. A command's examples are
its epilog; tests run them, as they run those of the README.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import click

COMMANDS: Final[Mapping[str, Mapping[str, str]]] = {
    "Make": {
        "fuse": "Link components and fuse them into one.",
        "batch": "Build what many manifests say, at once.",
        "watch": "Build what a manifest says, again after each change.",
    },
    "See": {
        "inspect": "Show what is inside a file, with sizes.",
        "explain": "Say what a fuse decides and why.",
        "graph": "Draw a composition before and after fusing.",
        "provenance": "Say which inputs an output came from.",
        "symbolize": "Say which functions a backtrace is about.",
    },
    "Trust": {
        "run": "Run a component, or compare two (--compare).",
        "validate": "Check that files are valid components.",
        "fixture": "Components with what they must do.",
    },
    "More": {
        "host": "Modules that are swapped while a program runs.",
        "docs": "Documentation, without a network.",
        "completion": "Completion for bash, zsh and fish.",
    },
}


class Sectioned(click.Command):
    """A command whose options are listed under headings.

    sections: heading by the name of a parameter; those without one come first.
    """

    def __init__(self, *args: Any, sections: Mapping[str, str], **words: Any) -> None:
        super().__init__(*args, **words)
        self.sections = sections

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        found: dict[str, list[tuple[str, str]]] = {"Options": [], **{title: [] for title in self.sections.values()}}
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx)
            if record is not None and isinstance(param, click.Option):
                found[self.sections.get(param.name or "", "Options")].append(record)
        for title, records in found.items():
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)


class Group(click.Group):
    """A group that lists its commands with the whole first sentence of each."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        commands = [(name, self.get_command(ctx, name)) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl(
                [(name, command.get_short_help_str(limit=1_000)) for name, command in commands if command is not None]
            )


def list_commands(formatter: click.HelpFormatter) -> None:
    """The commands by what they are for."""
    for title, commands in COMMANDS.items():
        with formatter.section(title):
            formatter.write_dl(list(commands.items()), col_max=12)


def examples(*lines: str) -> str:
    """The epilog with these command lines."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)
