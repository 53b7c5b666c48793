"""What every command may ask, and the options that set it: how much to say.

`-v`, `-q` and the forms of errors are accepted before the command's name and behind it, by every command. They end in
one Settings, which outlives click's contexts because errors are printed after those are gone.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable
from typing import TypeVar, final

import click

from meldpy import __version__
from meldpy.cli import terminal
from meldpy.errors import InternalError, MeldError, escape, shorten
from meldpy.records import dataclass, field

_F = TypeVar("_F", bound=Callable[..., object])


@final
@dataclass(slots=True)
class Settings:
    """Mutable: options fill it in while the command line is parsed. failures: the errors that were told, for SARIF."""

    verbose: bool = False
    quiet: bool = False
    error_format: str = "text"
    sarif: str | None = None
    failures: list[MeldError] = field(default_factory=list)

    def say(self, message: str) -> None:
        """A line on stderr, unless quiet."""
        if not self.quiet:
            terminal.message(escape(shorten(message)))

    def note(self, message: str) -> None:
        """A line on stderr, only if verbose."""
        if self.verbose and not self.quiet:
            terminal.message(f"note: {escape(shorten(message))}")

    def fail(self, error: MeldError, *, whose: str = "") -> None:
        """An error on stderr, in the form that was asked for. whose: of what it is, in front of a text."""
        self.failures.append(error)
        if self.error_format == "json":
            from meldpy.cli.failures import as_json

            terminal.message(as_json(error))
            return
        terminal.error(f"{escape(whose)}{error.render()}")
        if self.verbose:
            if isinstance(error, InternalError):
                lines = "".join(traceback.format_exception(error.__cause__ or error)).splitlines()
                terminal.message("\n".join(map(escape, lines)))
            terminal.message(f"  meldpy {__version__}")


def verbosity(command: _F) -> _F:
    """Give a command `-v`, `-q`, `--error-format` and `--sarif`."""
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
    as_json = click.option(
        "--error-format",
        type=click.Choice(["text", "json"]),
        expose_value=False,
        callback=_set_error_format,
        envvar="MELD_ERROR_FORMAT",
        is_eager=True,
        help="How errors are written on stderr.",
    )
    sarif = click.option(
        "--sarif",
        metavar="FILE",
        expose_value=False,
        callback=_set_sarif,
        is_eager=True,
        help="Write errors there too, as SARIF.",
    )
    return verbose(quiet(as_json(sarif(command))))


def _set_verbose(ctx: click.Context, _: click.Parameter, given: bool) -> None:
    settings(ctx).verbose |= given


def _set_quiet(ctx: click.Context, _: click.Parameter, given: bool) -> None:
    settings(ctx).quiet |= given


def _set_error_format(ctx: click.Context, _: click.Parameter, given: str | None) -> None:
    if given is not None:
        settings(ctx).error_format = given


def _set_sarif(ctx: click.Context, _: click.Parameter, given: str | None) -> None:
    if given is not None:
        settings(ctx).sarif = given


def settings(ctx: click.Context) -> Settings:
    """The one Settings of this run."""
    found = ctx.ensure_object(Settings)
    assert isinstance(found, Settings)
    return found
