"""The `meld` command: its group, and the one place where errors become exit codes."""

from __future__ import annotations

import importlib
import sys

import click

from meldpy import __version__
from meldpy.cli import start, terminal
from meldpy.cli.settings import Settings, verbosity
from meldpy.errors import FileError, InternalError, LimitError, MeldError, UsageError, escape

_COMMANDS = ("batch", "explain", "fixture", "fuse", "graph", "host", "inspect", "run", "symbolize", "validate", "watch")
"""Commands, each a function of its name in the module of its name; loaded when they are used."""

_TELLING = ("completion", "docs", "provenance")
"""The same; these tell of meld itself, and of what it made."""

_NO_ARGUMENTS: tuple[type[Exception], ...] = (
    (click.exceptions.NoArgsIsHelpError,) if hasattr(click.exceptions, "NoArgsIsHelpError") else ()
)
"""What click raises, in versions that do, for a command line without anything on it; its message is the help."""

_INTERRUPTED = 130
"""The exit code after Ctrl-C, as a shell gives it."""


class _LazyGroup(click.Group):
    """A group whose commands are imported only when named: `meld --version` must stay quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted((*_COMMANDS, *_TELLING))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in (*_COMMANDS, *_TELLING):
            return None
        command = getattr(importlib.import_module(f"meldpy.cli.{cmd_name}"), cmd_name)
        assert isinstance(command, click.Command)
        return command


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, "--version", "-V", prog_name="meld", message="%(prog)s %(version)s")
@verbosity
@click.option(
    "--color",
    type=click.Choice(["auto", "always", "never"]),
    default="auto",
    show_default=True,
    expose_value=False,
    is_eager=True,
    callback=lambda _ctx, _param, choice: terminal.choose_color(choice),
    help="Colour in messages; NO_COLOR is honoured.",
)
def cli() -> None:
    """Fuse WebAssembly components into one component with one core module."""


def main() -> None:
    """Run the command line and exit: 0 ok, 1 input or link error, 2 usage, 70 internal error."""
    terminal.hold_streams()
    terminal.tolerate_all_characters()
    start.leave(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run the command line with `arguments`; returns the exit code. Never lets an exception escape."""
    settings = Settings()
    terminal.choose_color("auto")
    try:
        code = cli.main(args=arguments, prog_name="meld", standalone_mode=False, obj=settings)
        _write_sarif(settings, None)
        return code if isinstance(code, int) else 0
    except (click.exceptions.Abort, KeyboardInterrupt):
        terminal.error("interrupted")
        return _INTERRUPTED
    except click.ClickException as error:
        return _fail_usage(error, settings)
    except MeldError as error:
        return _fail(error, settings)
    except BrokenPipeError:
        terminal.silence()
        return 1
    except OSError as error:
        # Files that the user named are FileErrors already; what is left is stdout (a full disk behind a redirection).
        code = _fail(FileError(f"cannot write: {error.strerror or error}"), settings)
        terminal.silence()
        return code
    except (MemoryError, RecursionError) as error:
        cause = type(error).__name__
        return _fail(LimitError("the input is too large or too deep for this machine", causes=(cause,)), settings)
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        remedy = "please report this with the inputs; -v shows where it happened"
        return _fail(InternalError("meldpy failed", causes=(reason,), remedy=remedy), settings)


def _fail(error: MeldError, settings: Settings) -> int:
    _write_sarif(settings, error)
    settings.tell(error)
    return error.exit_code


def _write_sarif(settings: Settings, error: MeldError | None) -> None:
    """The log that `--sarif` asks for; an error that keeps it from being written is told, and hides no other."""
    if settings.sarif is None:
        return
    from meldpy.cli.failures import as_sarif
    from meldpy.cli.io import write_output

    path, settings.sarif = settings.sarif, None
    try:
        write_output(path, as_sarif(error).encode())
    except FileError as failure:
        if error is None:
            raise
        terminal.error(failure.render())


def _fail_usage(error: click.ClickException, settings: Settings) -> int:
    """What click found wrong with the command line. No command at all: the help is the answer."""
    if isinstance(error, _NO_ARGUMENTS):
        terminal.message(error.format_message())
        return error.exit_code
    if settings.error_format == "json" or settings.sarif is not None:
        return _fail(UsageError(error.format_message()), settings)
    terminal.error(escape(error.format_message()))
    if isinstance(error, click.UsageError) and error.ctx is not None:
        terminal.message(f"\n{error.ctx.get_usage()}\n  help: `{error.ctx.command_path} --help` lists the options")
    return error.exit_code
