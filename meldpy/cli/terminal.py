"""Words on stderr: the `error:` label and its colour, and streams that are closed or cannot take a character."""

from __future__ import annotations

import io
import os
import sys

import click

_forced: bool | None = None


def choose_color(choice: str) -> None:
    """Apply `--color`; with "auto", click looks at the terminal and we look at NO_COLOR."""
    global _forced
    match choice:
        case "always":
            _forced = True
        case "never":
            _forced = False
        case _:
            _forced = False if os.environ.get("NO_COLOR") else None


def error(text: str) -> None:
    """An error on stderr, labelled."""
    label = click.style("error:", fg="red", bold=True)
    message(f"{label} {text}")


def message(text: str) -> None:
    """A line on stderr. A stderr that is closed is nobody's to tell."""
    try:
        click.echo(text, err=True, color=_forced)
    except (OSError, ValueError):
        silence()


def hold_streams() -> None:
    """Give closed standard streams the null device: an output file must not get their numbers, to which native code,
    and a guest, may write.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest number that is free: this one


def tolerate_all_characters() -> None:
    """Let a stream whose encoding lacks a character write its escape: a name must not end in a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def silence() -> None:
    """After a closed pipe: keep the interpreter from complaining again when it flushes at exit."""
    devnull = os.open(os.devnull, os.O_WRONLY)
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:
                stream.flush()
        except (OSError, ValueError):
            os.dup2(devnull, stream.fileno())
    os.close(devnull)
