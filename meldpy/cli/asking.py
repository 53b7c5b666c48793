"""What the commands of `meld host` share: a connection to the host that runs, payloads in, results out."""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from meldpy.cli.settings import verbosity
from meldpy.errors import FileError, UsageError

folder_option = click.option(
    "--folder", metavar="DIR", help="The host's folder; without it MELD_HOST, or the system's place."
)
modules_option = click.option(
    "--modules", metavar="DIR", help="Installed modules; without it MELD_MODULES, or the system's place."
)


def asking(function: Callable[..., Any]) -> Callable[..., Any]:
    """A command whose first argument is a connection to the host in --folder."""

    @verbosity
    @folder_option
    @functools.wraps(function)
    def command(folder: str | None, **given: Any) -> Any:
        from meldpy.host.control.client import Client
        from meldpy.host.places import host_folder

        with Client(host_folder(folder)) as client:
            return function(client, **given)

    return command


def given_bytes(text: str | None) -> bytes:
    """`-` is standard input, `@FILE` a file, anything else the text itself."""
    if text is None:
        return b""
    if text == "-":
        return sys.stdin.buffer.read()
    if text.startswith("@"):
        try:
            return Path(text[1:]).read_bytes()
        except OSError as error:
            raise FileError(f"cannot read {text[1:]}: {error.strerror or error}") from error
    return text.encode()


def is_export(call: str, payload: str | None) -> bool:
    """Whether a call is one of an export, `f(1, "x")`, and not a command. UsageError if it has a payload then."""
    if "(" not in call:
        return False
    if payload is not None:
        raise UsageError(
            f"{call} is an export, which has no payload", remedy="write what it is called with into its parentheses"
        )
    return True


def print_bytes(data: bytes | None) -> None:
    if data is not None:
        click.echo(data, nl=False)


def print_json(value: Any) -> None:
    click.echo(json.dumps(value, indent=2, ensure_ascii=False, default=_text))


def _text(value: object) -> str:
    """Payloads as text, which most are."""
    assert isinstance(value, bytes)
    return value.decode("utf-8", "replace")
