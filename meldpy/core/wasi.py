"""WASI 0.2 for core outputs, as far as a command needs it that reads its arguments and prints.

    from meldpy import core

    core.load("out.wasm", wasi=core.Wasi(["out.wasm", "--help"])).call("wasi:cli/run@0.2.6#run")

The job: Python functions for `wasi:cli`, `wasi:io`, `wasi:clocks` and `wasi:random`, of whatever 0.2 version a module
imports. Streams never make anybody wait: what is written is written at once, and what is read is there. Not its job:
files and sockets. There are no preopened directories, so nothing can get hold of a descriptor; what else is imported
and called is said to be provided by nothing (`instance`).
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, BinaryIO, Final, TypeAlias, final

from meldpy.core.pythonvalues import Case
from meldpy.core.surface import Function

_ROOM: Final = 1 << 20
"""Bytes that a stream says it can take at once."""
_SECOND: Final = 1_000_000_000
_OK: Final = Case("ok", None)
_CLOSED: Final = Case("error", Case("closed", None))
Call: TypeAlias = "Callable[..., Any]"


class Exit(Exception):
    """The guest asked to end. code: 0 for success."""

    def __init__(self, code: int) -> None:
        super().__init__(f"the guest exits with {code}")
        self.code = code


@final
class Wasi:
    """What a command sees of the world. args: the program's name first. stdout, stderr: this process's if not given."""

    def __init__(
        self,
        args: Sequence[str] = ("guest",),
        env: Mapping[str, str] | None = None,
        stdin: bytes = b"",
        stdout: BinaryIO | None = None,
        stderr: BinaryIO | None = None,
    ) -> None:
        self.args = tuple(args)
        self.env = dict(env or {})
        self._input = _Input(stdin)
        self._out = _Output(stdout or sys.stdout.buffer)
        self._err = _Output(stderr or sys.stderr.buffer)

    def functions(self, imports: Sequence[Function]) -> dict[str, Call]:
        """By label, for those of `imports` that there is a function for."""
        known = dict(self._known())
        found: dict[str, Call] = {}
        for function in imports:
            interface, _, version = (function.interface or "").partition("@")
            call = known.get(f"{interface}#{function.name}")
            if call is not None and version.startswith("0.2."):
                found[function.label] = call
        return found

    def _known(self) -> Iterator[tuple[str, Call]]:
        yield "wasi:cli/environment#get-arguments", lambda: list(self.args)
        yield "wasi:cli/environment#get-environment", lambda: list(self.env.items())
        yield "wasi:cli/environment#initial-cwd", lambda: None
        yield "wasi:cli/exit#exit", lambda status: _leave(0 if status.label == "ok" else 1)
        yield "wasi:cli/exit#exit-with-code", _leave
        for name, stream in (("stdin", self._input), ("stdout", self._out), ("stderr", self._err)):
            yield f"wasi:cli/{name}#get-{name}", lambda stream=stream: stream
            yield f"wasi:cli/terminal-{name}#get-terminal-{name}", lambda: None
        yield "wasi:filesystem/preopens#get-directories", list
        yield "wasi:filesystem/types#filesystem-error-code", lambda error: None
        yield from _streams()
        yield from _clocks()
        yield from _chance()


def _leave(code: int) -> None:
    raise Exit(code)


# --- wasi:io ----------------------------------------------------------------------------------------------------------
@final
class _Output:
    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def write(self, data: Sequence[int]) -> Case:
        self._file.write(bytes(data))
        return _OK

    def flush(self) -> Case:
        self._file.flush()
        return _OK


@final
class _Input:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def read(self, length: int) -> Case:
        if self._at == len(self._data):
            return _CLOSED
        found = self._data[self._at : self._at + length]
        self._at += len(found)
        return Case("ok", list(found))

    def skip(self, length: int) -> Case:
        found = self.read(length)
        return found if found is _CLOSED else Case("ok", len(found.value))


@final
class _Pollable:
    """Ready from a time on, in nanoseconds of the monotonic clock."""

    def __init__(self, since: int = 0) -> None:
        self.since = since

    def ready(self) -> bool:
        return time.monotonic_ns() >= self.since

    def block(self) -> None:
        time.sleep(max(0, self.since - time.monotonic_ns()) / _SECOND)


def _poll(several: Sequence[_Pollable]) -> list[int]:
    min(several, key=lambda each: each.since).block()
    return [number for number, each in enumerate(several) if each.ready()]


def _written(stream: _Output, data: Sequence[int]) -> Case:
    stream.write(data)
    return stream.flush()


def _streams() -> Iterator[tuple[str, Call]]:
    output, source = "wasi:io/streams#[method]output-stream.", "wasi:io/streams#[method]input-stream."
    yield f"{output}check-write", lambda stream: Case("ok", _ROOM)
    yield f"{output}write", _Output.write
    yield f"{output}blocking-write-and-flush", _written
    yield f"{output}flush", _Output.flush
    yield f"{output}blocking-flush", _Output.flush
    yield f"{output}write-zeroes", lambda stream, length: stream.write(bytes(length))
    yield f"{output}blocking-write-zeroes-and-flush", lambda stream, length: _written(stream, bytes(length))
    yield f"{output}subscribe", lambda stream: _Pollable()
    yield f"{source}read", _Input.read
    yield f"{source}blocking-read", _Input.read
    yield f"{source}skip", _Input.skip
    yield f"{source}blocking-skip", _Input.skip
    yield f"{source}subscribe", lambda stream: _Pollable()
    yield "wasi:io/poll#[method]pollable.ready", _Pollable.ready
    yield "wasi:io/poll#[method]pollable.block", _Pollable.block
    yield "wasi:io/poll#poll", _poll


# --- wasi:clocks and wasi:random --------------------------------------------------------------------------------------
def _clocks() -> Iterator[tuple[str, Call]]:
    def wall() -> dict[str, int]:
        seconds, nanoseconds = divmod(time.time_ns(), _SECOND)
        return {"seconds": seconds, "nanoseconds": nanoseconds}

    yield "wasi:clocks/wall-clock#now", wall
    yield "wasi:clocks/wall-clock#resolution", lambda: {"seconds": 0, "nanoseconds": 1}
    yield "wasi:clocks/monotonic-clock#now", time.monotonic_ns
    yield "wasi:clocks/monotonic-clock#resolution", lambda: 1
    yield "wasi:clocks/monotonic-clock#subscribe-instant", _Pollable
    yield "wasi:clocks/monotonic-clock#subscribe-duration", lambda length: _Pollable(time.monotonic_ns() + length)


def _chance() -> Iterator[tuple[str, Call]]:
    def number() -> int:
        return int.from_bytes(os.urandom(8), "little")

    for interface, prefix in (("random", ""), ("insecure", "insecure-")):
        yield f"wasi:random/{interface}#get-{prefix}random-bytes", lambda length: list(os.urandom(length))
        yield f"wasi:random/{interface}#get-{prefix}random-u64", number
    yield "wasi:random/insecure-seed#insecure-seed", lambda: (number(), number())
