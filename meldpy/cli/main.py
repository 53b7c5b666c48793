"""The `meld` command: its group, and the one place where errors become exit codes."""

from __future__ import annotations

import importlib
import sys

import click

from meldpy import __version__
from meldpy.cli import start, terminal
from meldpy.cli.help import COMMANDS, list_commands
from meldpy.cli.settings import Settings, verbosity
from meldpy.errors import FileError, MeldError, UsageError, as_meld_error, escape

_NAMES = frozenset(name for commands in COMMANDS.values() for name in commands)
"""Commands, each a function of its name in the module of its name; loaded when they are used."""

_NO_ARGUMENTS: tuple[type[Exception], ...] = (
    (click.exceptions.NoArgsIsHelpError,) if hasattr(click.exceptions, "NoArgsIsHelpError") else ()
)
"""What click raises, in versions that do, for a command line without anything on it; its message is the help."""

_INTERRUPTED = 130
"""The exit code after Ctrl-C, as a shell gives it."""


class _LazyGroup(click.Group):
    """A group whose commands are imported only when named: `meld --version` must stay quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(_NAMES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _NAMES:
            return None
        command = getattr(importlib.import_module(f"meldpy.cli.{cmd_name}"), cmd_name)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        list_commands(formatter)


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
    """Fuse WebAssembly components into one component with one core module.

    \b
    meld fuse app.wasm lib.wasm -o out.wasm
    meld docs start
    """


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
        _write_sarif(settings)
        return code if isinstance(code, int) else 0
    except (click.exceptions.Abort, KeyboardInterrupt):
        terminal.error("interrupted")
        return _INTERRUPTED
    except click.ClickException as error:
        return _fail_usage(error, settings)
    except BrokenPipeError:
        terminal.silence()
        return 1
    except OSError as error:
        code = _fail(_of_the_system(error), settings)
        terminal.silence()
        return code
    except Exception as error:  # the last one to see it: what is no error for users is told as a defect of ours
        return _fail(as_meld_error(error), settings)


def _of_the_system(error: OSError) -> MeldError:
    """Files that the user named are FileErrors already. What is left without a file is stdout (a full disk behind a
    redirection); with one it is a file of ours, in a temporary folder for instance."""
    if error.errno is None:
        return as_meld_error(error)  # not of the system: a library says that it cannot be loaded
    if error.filename is not None:
        found = FileError(f"cannot use {error.filename}: {error.strerror}")
    else:
        found = FileError(
            f"cannot write: {error.strerror}", remedy="make room where stdout goes, or write to a file with -o"
        )
    found.__cause__ = error
    return found


def _fail(error: MeldError, settings: Settings) -> int:
    settings.fail(error)
    _write_sarif(settings)
    return error.exit_code


def _write_sarif(settings: Settings) -> None:
    """The log that `--sarif` asks for; an error that keeps it from being written is told, and hides no other."""
    if settings.sarif is None:
        return
    from meldpy.cli.failures import write_log

    path, settings.sarif = settings.sarif, None
    try:
        write_log(path, settings.failures)
    except FileError as failure:
        if not settings.failures:
            raise
        settings.fail(failure)


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
