"""The worker's end of the socket: sends results and calls, receives calls and replies, with parts as plain memory.

A part that arrives is an address and a length, never an object of Python's: in the receive buffer, or in the shared
area. What a call was given must stay until the call returns, also while replies arrive, so replies have a buffer and a
zone of their own. A part that goes out is copied by address, small ones into the packet, others into the worker's zone.
"""

from __future__ import annotations

import _socket
import ctypes
import os

from . import wire

# what a type checker takes for true, without an import that every start of a module would pay for
TYPE_CHECKING = False

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Final

libc = ctypes.CDLL(None, use_errno=True)
libc.malloc.restype = ctypes.c_void_p
libc.malloc.argtypes = [ctypes.c_size_t]
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [
    ctypes.c_void_p,
    ctypes.c_size_t,
    ctypes.c_int,
    ctypes.c_int,
    ctypes.c_int,
    ctypes.c_long,
]

_PROT_READ, _PROT_WRITE, _MAP_SHARED = 1, 2, 1
_GONE: Final = 3
"""The exit code of a worker whose host is gone; nobody is there to read it."""


class Span:
    """Bytes somewhere in this process: an address and a length."""

    __slots__ = ("address", "length")

    def __init__(self, address: int, length: int) -> None:
        self.address = address
        self.length = length

    def bytes(self) -> bytes:
        return ctypes.string_at(self.address, self.length) if self.length else b""


class Received:
    """A packet whose parts are in this process's memory."""

    __slots__ = ("a", "b", "code", "kind", "parts", "sequence")

    def __init__(self, packet: wire.Packet, parts: list[Span]) -> None:
        self.kind, self.code, self.sequence = packet.kind, packet.code, packet.sequence
        self.a, self.b = packet.a, packet.b
        self.parts = parts


class TooLarge(Exception):
    """Parts that the worker's zone does not hold."""


class Link:
    """socket: a file descriptor; memory: one of the shared area."""

    def __init__(self, socket: int, memory: int, payload: int) -> None:
        self._socket = _socket.socket(fileno=socket)
        self._layout = wire.Layout(payload)
        layout = self._layout
        # what the host passes is borrowed and constant: a module that writes there ends by a signal, not unnoticed
        self._lent = self._map(memory, _PROT_READ, layout.call, layout.worker)
        self._own = self._map(memory, _PROT_READ | _PROT_WRITE, layout.worker, layout.zone)
        self._calls = bytearray(wire.LARGEST)
        self._replies = bytearray(wire.LARGEST)
        self._at_calls = ctypes.addressof(ctypes.c_char.from_buffer(self._calls))
        self._at_replies = ctypes.addressof(ctypes.c_char.from_buffer(self._replies))
        self._sequence = 0
        self.lost = 0
        """Lines of the log that found the socket full."""

    @staticmethod
    def _map(memory: int, protection: int, offset: int, length: int) -> int:
        address = libc.mmap(None, length, protection, _MAP_SHARED, memory, offset)
        if address in (None, ctypes.c_void_p(-1).value):
            raise OSError(ctypes.get_errno(), "mmap of the shared area")
        return int(address)

    def next_call(self) -> Received:
        """The next call of the host. Ends the process if there is no host any more."""
        received = self._receive(self._calls, self._at_calls)
        self._sequence = received.sequence
        return received

    def _receive(self, buffer: bytearray, address: int) -> Received:
        try:
            length = self._socket.recv_into(buffer)
        except OSError:
            length = 0
        if length == 0:
            os._exit(_GONE)
        packet = wire.unpack(buffer, length, self._layout.worker)
        parts = []
        for part in packet.parts:
            if isinstance(part, wire.Shared):
                parts.append(Span(self._lent + part.offset, part.length))
            else:
                parts.append(Span(address + part.start, part.stop - part.start))
        return Received(packet, parts)

    def send(self, kind: int, parts: Sequence[bytes | Span] = (), code: int = 0, a: int = 0, b: int = 0) -> None:
        """Answer the call that runs, or call the host. Raises TooLarge; ends the process if the host is gone."""
        self.post(self.pack(kind, parts, code, a, b))

    def pack(self, kind: int, parts: Sequence[bytes | Span] = (), code: int = 0, a: int = 0, b: int = 0) -> bytes:
        """The packet with copies of its parts, so that they may go before it is sent. Raises TooLarge."""
        placed: list[bytes | wire.Shared] = []
        place = 0
        for part in parts:
            length = len(part) if isinstance(part, bytes) else part.length
            if length <= wire.INLINE:
                placed.append(part if isinstance(part, bytes) else part.bytes())
                continue
            if length > self._layout.zone - place:
                raise TooLarge(f"{length} bytes, where {self._layout.zone - place} are left")
            ctypes.memmove(self._own + place, part if isinstance(part, bytes) else part.address, length)
            placed.append(wire.Shared(self._layout.worker + place, length))
            place += (length + 63) // 64 * 64
        return wire.pack(kind, self._sequence, placed, code, a, b)

    def post(self, packet: bytes) -> None:
        """Send what `pack` made."""
        try:
            self._socket.send(packet)
        except OSError:
            os._exit(_GONE)

    def ask(self, kind: int, parts: Sequence[bytes | Span] = (), a: int = 0, b: int = 0) -> Received:
        """Call the host and wait for its reply, whose parts are good until the next."""
        self.send(kind, parts, a=a, b=b)
        return self._receive(self._replies, self._at_replies)

    def log(self, level: int, text: bytes) -> None:
        """From any thread: a packet is sent whole or not at all, and never waits."""
        try:
            self._socket.send(wire.pack(wire.LOG, 0, (text[: wire.INLINE],), code=level), _socket.MSG_DONTWAIT)
        except OSError:
            self.lost += 1
