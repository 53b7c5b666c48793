"""What goes over the socket: a frame is its length (four bytes, little-endian) and msgpack.

A client sends one `Ask` a frame and gets one `Answer` for each, in order. The first frame of the server says which
protocol it speaks, so that another version is a readable refusal and not a strange answer.
"""

from __future__ import annotations

import socket
import struct
from typing import Any, Literal

import msgspec

from meldpy.errors import Location

VERSION = 1
_LENGTH = struct.Struct("<I")
_MOST = 256 << 20


class Hello(msgspec.Struct):
    """The server's first frame. process: its id."""

    version: int
    process: int


class Load(msgspec.Struct, tag=True):
    source: str
    version: str | None = None


class Reload(msgspec.Struct, tag=True):
    name: str
    version: str | None = None
    upgrade: bool = False


class Unload(msgspec.Struct, tag=True):
    name: str


class Rollback(msgspec.Struct, tag=True):
    name: str


class Modules(msgspec.Struct, tag=True):
    """All that are loaded."""


class Inspect(msgspec.Struct, tag=True):
    name: str


class Execute(msgspec.Struct, tag=True):
    name: str
    command: str
    payload: bytes


class Call(msgspec.Struct, tag=True):
    """An export, in WAVE."""

    name: str
    call: str


class Send(msgspec.Struct, tag=True):
    """To one module, or to all who subscribed. reply: seconds to wait for one."""

    to: str | None
    topic: str
    payload: bytes
    reply: float | None = None


class Begin(msgspec.Struct, tag=True):
    """A job."""

    name: str
    command: str
    payload: bytes


class BeginCall(msgspec.Struct, tag=True):
    """A job of an export, in WAVE."""

    name: str
    call: str


class Jobs(msgspec.Struct, tag=True):
    """All there are."""


class Show(msgspec.Struct, tag=True):
    """One job, with its lines and numbers."""

    id: int


class Act(msgspec.Struct, tag=True):
    id: int
    what: Literal["pause", "resume", "cancel"]


class Letters(msgspec.Struct, tag=True):
    """Dead letters."""

    name: str | None = None


class End(msgspec.Struct, tag=True):
    """The host ends."""


Ask = (
    Load
    | Reload
    | Unload
    | Rollback
    | Modules
    | Inspect
    | Execute
    | Call
    | Send
    | Begin
    | BeginCall
    | Jobs
    | Show
    | Act
    | Letters
    | End
)


class Answer(msgspec.Struct):
    """value, or what went wrong: reason, place, causes and remedy, and the exit code that the error has."""

    value: Any = None
    error: str | None = None
    location: Location | None = None
    causes: tuple[str, ...] = ()
    remedy: str | None = None
    exit_code: int = 0


def pack(message: object) -> bytes:
    """A message's frame."""
    data = msgspec.msgpack.encode(message)
    return _LENGTH.pack(len(data)) + data


def send(channel: socket.socket, message: object) -> None:
    channel.sendall(pack(message))


def receive(channel: socket.socket) -> bytes | None:
    """The next frame; None at the end. ConnectionError for one that is cut off or too long."""
    head = _exactly(channel, _LENGTH.size)
    if not head:
        return None
    (length,) = _LENGTH.unpack(head)
    if length > _MOST:
        raise ConnectionError("the frame is too long")
    data = _exactly(channel, length)
    if len(data) < length:
        raise ConnectionError("the other side ended within a frame")
    return data


def _exactly(channel: socket.socket, count: int) -> bytes:
    parts = bytearray()
    while len(parts) < count:
        part = channel.recv(min(count - len(parts), 1 << 20))
        if not part:
            break
        parts += part
    if parts and len(parts) < count:
        raise ConnectionError("the other side ended within a frame")
    return bytes(parts)
