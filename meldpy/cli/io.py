"""Files in and out: inputs from paths, `NAME=path` or stdin; outputs written whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import stat
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from meldpy.errors import FileError, UsageError
from meldpy.pipeline import FuseInput, utf8_name

STDIN = "<stdin>"
"""The source of an input that came from stdin."""


def read_inputs(arguments: Sequence[str]) -> list[FuseInput]:
    """Inputs as the command line names them; `-` may be among them once."""
    if sum(_split(argument)[1] == "-" for argument in arguments) > 1:
        raise UsageError("stdin can be read only once", remedy="give `-` once, and files for the other inputs")
    return [read_input(argument) for argument in arguments]


def read_inputs_or_stdin(arguments: Sequence[str]) -> list[FuseInput]:
    """The same, and no argument at all means stdin, unless that is a terminal."""
    if not arguments and (sys.stdin is None or sys.stdin.isatty()):
        raise UsageError("there is no input", remedy="name a file, or `-` for stdin")
    return read_inputs(arguments or ("-",))


def read_input(argument: str) -> FuseInput:
    """One input: a path, `NAME=path`, or `-` for stdin. Raises FileError if it cannot be read."""
    name, path = _split(argument)
    if path == "-":
        return FuseInput(utf8_name(name or "stdin"), STDIN, _read_stdin(), given=bool(name))
    try:
        data = Path(path).read_bytes()
    except (OSError, ValueError) as error:
        raise FileError(f"cannot read {path}: {_words(error)}") from error
    return FuseInput(utf8_name(name or Path(path).stem), path, data, given=bool(name))


def _read_stdin() -> bytes:
    if sys.stdin is None:
        raise FileError("cannot read stdin: it is closed", remedy="name a file, or redirect stdin")
    try:
        return sys.stdin.buffer.read()
    except (OSError, ValueError) as error:
        raise FileError(
            f"cannot read stdin: {_words(error)}", remedy="see what it is redirected from, or name a file"
        ) from error


def _split(argument: str) -> tuple[str, str]:
    """(name or "", path). A path that exists is taken as it is, even with a `=` in it."""
    name, equals, path = argument.partition("=")
    if not equals or not name or os.path.lexists(argument):
        return "", argument
    return name, path


def refuse_overwriting(output: str | None, inputs: Sequence[str]) -> None:
    """An output that is one of the inputs would destroy it: UsageError. Devices and pipes can be both.

    That holds for stdout too: `>>` appends to what the shell was told, an input or not.
    """
    shown = "stdout" if output in (None, "-") else output
    try:
        target = os.fstat(sys.stdout.fileno()) if output is None or output == "-" else os.stat(output)
    except (AttributeError, OSError, ValueError):
        return
    if not stat.S_ISREG(target.st_mode):
        return
    for source in inputs:
        with contextlib.suppress(OSError, ValueError):
            found = os.fstat(sys.stdin.fileno()) if source == STDIN else os.stat(source)
            if os.path.samestat(found, target):
                raise UsageError(f"the output {shown} is also an input", remedy="choose another output file")


def refuse_terminal(output: str | None) -> None:
    """Binary on a terminal helps nobody: UsageError."""
    if output in (None, "-") and sys.stdout is not None and sys.stdout.isatty():
        raise UsageError("refusing to write a binary to a terminal", remedy="give -o FILE, or redirect stdout")


def refuse_closed_stdout() -> None:
    """For commands whose answer goes to stdout: without one it would be lost, and nobody told. FileError."""
    if sys.stdout is None:
        raise FileError("cannot write to stdout: it is closed", remedy="redirect stdout, or write to a file")


def write_output(output: str | None, data: bytes) -> None:
    """Write to a file, or to stdout for None and `-`. Raises FileError if that cannot be done.

    A regular file is replaced as a whole (through a temporary file beside it; symbolic links are followed, the mode
    is kept), so that it holds either what it held before or all of `data`; a signal that ends us waits until then.
    Devices and pipes are written in place.
    """
    if output is None or output == "-":
        _write_stdout(data)
        return
    try:
        _write_file(output, data)
    except (OSError, ValueError) as error:
        folder = os.path.dirname(output)
        remedy = f"make the folder {folder} first" if folder and not os.path.lexists(folder) else None
        raise FileError(f"cannot write {output}: {_words(error)}", remedy=remedy) from error


def _write_stdout(data: bytes) -> None:
    refuse_closed_stdout()
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def _write_file(output: str, data: bytes) -> None:
    try:
        mode = os.stat(output).st_mode
    except FileNotFoundError:
        mode = None
    if output.endswith(os.sep) or (mode is not None and stat.S_ISDIR(mode)):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    if mode is not None and not stat.S_ISREG(mode):
        with open(output, "wb") as device:
            device.write(data)
        return
    _replace(os.path.realpath(output), data, _new_file_mode() if mode is None else stat.S_IMODE(mode))


def leftovers(output: str | None) -> list[str]:
    """Temporary files beside `output` that no run is writing any more: it was killed, and could not tidy up."""
    if output is None or output == "-":
        return []
    folder = os.path.dirname(os.path.realpath(output))
    found = []
    with contextlib.suppress(OSError, ValueError):
        for entry in os.scandir(folder):
            ours = entry.name.startswith(_PREFIX) and entry.name.endswith(_SUFFIX)
            if ours and time.time() - entry.stat(follow_symlinks=False).st_mtime > _ABANDONED:
                found.append(entry.path)
    return sorted(found)


_PREFIX, _SUFFIX = ".meld-", ".tmp"
_ABANDONED = 600
"""Seconds without a write after which a temporary file is nobody's: writing a large output takes a few."""


@contextlib.contextmanager
def _undisturbed() -> Iterator[None]:
    """Lets a signal that ends us wait until the temporary file is gone: it is a matter of moments.

    A handler of ours is needed for that: the engine has threads of its own, and blocking signals in one is not enough.
    """
    waiting: list[int] = []
    previous: dict[int, Any] = {}
    try:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                if signal.getsignal(number) not in (None, signal.SIG_IGN):
                    previous[number] = signal.signal(number, lambda which, _: waiting.append(which))
        yield
    finally:
        for each, handler in previous.items():
            signal.signal(each, handler)
        for caught in waiting[:1]:
            signal.raise_signal(caught)


def _temporary_file(directory: str) -> tuple[int, str]:
    """A new file that only we can read and write. (`tempfile` does the same, and loads a dozen modules for it.)"""
    while True:
        path = os.path.join(directory, f"{_PREFIX}{os.urandom(6).hex()}{_SUFFIX}")
        with contextlib.suppress(FileExistsError):
            return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600), path


def _replace(path: str, data: bytes, mode: int) -> None:
    with _undisturbed():
        _write_and_rename(path, data, mode)


def _write_and_rename(path: str, data: bytes, mode: int) -> None:
    handle, temporary = _temporary_file(os.path.dirname(path))
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)
        raise


def _new_file_mode() -> int:
    """What the umask gives a new file (mkstemp's own is private to the user)."""
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask


def _words(error: OSError | ValueError) -> str:
    """The system's words without number and path; a path with a NUL in it is a ValueError."""
    return (error.strerror if isinstance(error, OSError) else None) or str(error)
