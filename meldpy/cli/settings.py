"""What every command may ask, and the options that set it: how much to say.

`-v` and `-q` are accepted before the command's name and behind it, by every command. They end in one Settings, which
outlives click's contexts because errors are printed after those are gone.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, final

import click

from meldpy.cli import terminal
from meldpy.errors import escape, shorten
from meldpy.records import dataclass

_F = TypeVar("_F", bound=Callable[..., object])


@final
@dataclass(slots=True)
class Settings:
    """Mutable: options fill it in while the command line is parsed."""

    verbose: bool = False
    quiet: bool = False

    def say(self, message: str) -> None:
        """A line on stderr, unless quiet."""
        if not self.quiet:
            terminal.message(escape(shorten(message)))

    def note(self, message: str) -> None:
        """A line on stderr, only if verbose."""
        if self.verbose and not self.quiet:
            terminal.message(f"note: {escape(shorten(message))}")


def verbosity(command: _F) -> _F:
    """Give a command `-v` and `-q`."""
    quiet = click.option(
        "-q", "--quiet", is_flag=True, expose_value=False, callback=_set_quiet, help="Say nothing but errors."
    )
    verbose = click.option(
        "-v",
        "--verbose",
        is_flag=True,
        expose_value=False,
        callback=_set_verbose,
        help="Say more: notes, and the version with errors.",
    )
    return verbose(quiet(command))


def _set_verbose(ctx: click.Context, _: click.Parameter, given: bool) -> None:
    settings(ctx).verbose |= given


def _set_quiet(ctx: click.Context, _: click.Parameter, given: bool) -> None:
    settings(ctx).quiet |= given


def settings(ctx: click.Context) -> Settings:
    """The one Settings of this run."""
    found = ctx.ensure_object(Settings)
    assert isinstance(found, Settings)
    return found
