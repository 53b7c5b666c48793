"""`meld symbolize`: offsets and backtraces of any engine, told as component, function, file and line."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from meldpy.cli.io import read_input
from meldpy.cli.settings import verbosity
from meldpy.debugging import symbolizer
from meldpy.errors import FileError, UsageError, escape

if TYPE_CHECKING:
    from meldpy.debug.symbols import Symbolizer


@click.command()
@click.argument("file", metavar="FILE")
@click.argument("offsets", nargs=-1, metavar="[OFFSET...]")
@click.option("--core-dump", "dump", metavar="DUMP", help="Tell the stacks in a core dump that an engine wrote.")
@click.option("--original", is_flag=True, help="Say which input the code came from, and its offset there.")
@verbosity
def symbolize(file: str, offsets: tuple[str, ...], dump: str | None, original: bool) -> int:
    """Say which functions lie at offsets in FILE, a component or core module; inlined ones too.

    An OFFSET counts bytes from the start of the file, as engines for components print it: 0x1a2b, or decimal. Without
    any, a backtrace is read from stdin and comes out with what is known put in: one of wasmtime's, or lines with
    `wasm-function[7]:0x1a2b` as browsers and Node have them. With --core-dump the stacks of its threads are told. The
    exit code is 1 if nothing was found for an OFFSET, or for any frame of a dump.
    """
    from meldpy.debug.traces import TraceFrame, rewritten, told

    item = read_input(file)
    symbols = symbolizer(item.data, item.source, original)
    if dump is not None:
        if offsets:
            raise UsageError("a core dump has offsets of its own", remedy="leave out either")
        return _dumped(dump, symbols)
    if not offsets:
        for line in rewritten(_stdin(file), symbols):
            click.echo(escape(line))
        return 0
    missing = False
    for number, offset in enumerate(_number(given) for given in offsets):
        frames = tuple(symbols.frames(offset))
        missing |= not frames
        click.echo(f"{offset:#x}:" if frames else f"{offset:#x}: no function lies there")
        for line in told(TraceFrame(number, offset, frames)):
            click.echo(escape(line))
    return int(missing)


def _dumped(dump: str, symbols: Symbolizer) -> int:
    from meldpy.debug.coredump import told_threads
    from meldpy.debug.traces import told_trace
    from meldpy.debugging import dumped_threads

    item = read_input(dump)
    known = False
    for name, frames in told_threads(dumped_threads(item.data, item.source), symbols):
        click.echo(escape(f"thread {name}:"))
        known |= any(frame.frames for frame in frames)
        for line in told_trace(frames):
            click.echo(escape(line))
    return int(not known)


def _number(given: str) -> int:
    try:
        value = int(given, 0)
    except ValueError:
        value = -1
    if value < 0:
        raise UsageError(f"{given!r} is no offset", remedy="write it as 0x1a2b, or decimal")
    return value


def _stdin(file: str) -> list[str]:
    if file == "-":
        raise UsageError("stdin cannot be both the file and the backtrace", remedy="name the file, or give offsets")
    if sys.stdin is None:
        raise FileError("cannot read stdin: it is closed", remedy="redirect stdin: the backtrace is read from there")
    # a log may be in any encoding; what is looked for in it is ASCII
    return sys.stdin.buffer.read().decode("utf-8", "replace").splitlines()
