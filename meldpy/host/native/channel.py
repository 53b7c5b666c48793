"""Conversations with one worker: a call goes out, the module's own calls are answered, its outcome comes back.

A call has a deadline, which stands still while the host serves the module: what the host does has time-outs of its own.
The worker is at its module's mercy, so nothing it sends is believed: a packet that is malformed, out of turn or not
read is the end of the worker, and so is silence. What is in shared memory is copied before it is looked at.
"""

from __future__ import annotations

import mmap
import select
import socket
import time
from typing import Final, final

from meldpy.host.module import Level, Services
from meldpy.host.native.process import WorkerProcess
from meldpy.host.native.services import Reply, level, serve
from meldpy.host.native.worker import abi, wire

_MOST_LINES: Final = 1_000
"""Lines of the log that one call may write; the rest is counted."""
_KEEP: Final = 1 << 20
"""Bytes of shared memory that stay with a worker between calls; what a larger payload took is given back."""
_PAGE: Final = mmap.PAGESIZE
_LONGEST_POLL: Final = 3600.0
"""Seconds: poll takes no deadline of years, which is what jobs have."""


class Lost(Exception):
    """The worker is dead, or has to be: `broken` says how it broke the protocol, if it did."""

    def __init__(self, broken: str | None = None) -> None:
        super().__init__(broken)
        self.broken = broken


@final
class Late(Exception):
    """The deadline passed."""


@final
class Answer:
    """The packet that ended a call, with its parts copied."""

    __slots__ = ("a", "b", "code", "kind", "parts")

    def __init__(self, packet: wire.Packet, parts: list[bytes]) -> None:
        self.kind, self.code, self.a, self.b = packet.kind, packet.code, packet.a, packet.b
        self.parts = parts


@final
class Channel:
    """One call at a time, by one thread at a time."""

    def __init__(self, process: WorkerProcess, services: Services, payload: int) -> None:
        self._process = process
        self._services = services
        self._layout = wire.Layout(payload)
        self._socket = process.socket
        self._area = memoryview(process.area)
        self._buffer = bytearray(wire.LARGEST)
        self._view = memoryview(self._buffer)
        self._sequence = 0
        self._poller = select.poll()
        self._poller.register(self._socket, select.POLLIN)
        self._poller.register(process.pidfd, select.POLLIN)

    def release(self) -> None:
        """Let go of the shared area, so that it can be closed."""
        self._area.release()

    def call(self, kind: int, parts: list[bytes], deadline: float, code: int = 0, a: int = 0, b: int = 0) -> Answer:
        """Raises Late, Lost, and whatever fatal the services raised; the worker has to be ended after each of them."""
        self._sequence += 1
        used = self._send(kind, parts, self._layout.call, code, a, b)
        answer = self.receive(deadline)
        if used > _KEEP:
            self._process.area.madvise(mmap.MADV_REMOVE, self._layout.call, used // _PAGE * _PAGE)
        return answer

    def receive(self, deadline: float) -> Answer:
        """What ends the call that runs; everything else is served on the way. deadline: seconds from now."""
        end = time.monotonic() + deadline
        lines = 0
        while True:
            packet = self._next(end)
            parts = [self._copy(part) for part in packet.parts]
            if packet.kind == wire.LOG:
                lines += 1
                if lines <= _MOST_LINES:
                    self._log(packet, parts)
            elif packet.sequence != self._sequence:
                raise Lost(f"an answer to call {packet.sequence} in call {self._sequence}")
            elif packet.kind < wire.PUBLISH:
                if lines > _MOST_LINES:
                    self._services.log(Level.WARN, f"{lines - _MOST_LINES} more lines were left out")
                return self._checked(packet, parts)
            else:
                started = time.monotonic()
                self._serve(packet, parts)
                end += time.monotonic() - started
            if time.monotonic() > end:
                raise Late  # also for a module that never stops to talk

    def _next(self, end: float) -> wire.Packet:
        """The next packet, whole and well-formed."""
        while True:
            try:
                length = self._socket.recv_into(self._buffer, 0, socket.MSG_DONTWAIT)
            except BlockingIOError:
                left = end - time.monotonic()
                if left <= 0:
                    raise Late from None
                ready = self._poller.poll(min(left, _LONGEST_POLL) * 1000)
                if ready and self._socket.fileno() not in (each for each, _ in ready):
                    raise Lost from None
                continue
            except OSError:
                raise Lost from None
            if length == 0:
                raise Lost
            try:
                return wire.unpack(self._buffer, length, self._layout.size)
            except wire.Malformed as malformed:
                raise Lost(str(malformed)) from None

    def _copy(self, part: wire.Shared | slice) -> bytes:
        if isinstance(part, slice):
            return bytes(self._view[part])
        copied = bytes(self._area[part.offset : part.offset + part.length])
        if part.length > _KEEP:
            start = (part.offset + _PAGE - 1) // _PAGE * _PAGE
            self._process.area.madvise(mmap.MADV_REMOVE, start, (part.offset + part.length - start) // _PAGE * _PAGE)
        return copied

    def _checked(self, packet: wire.Packet, parts: list[bytes]) -> Answer:
        if packet.kind == wire.RESULT and len(parts) != 1:
            raise Lost(f"a result of {len(parts)} parts")
        if packet.kind == wire.READY and len(parts) != 5:
            raise Lost(f"an introduction of {len(parts)} parts")
        if packet.kind == wire.BROKEN:
            raise Lost(parts[0].decode(errors="replace") if parts else "nothing")
        return Answer(packet, parts)

    def _log(self, packet: wire.Packet, parts: list[bytes]) -> None:
        if len(parts) != 1:
            raise Lost(f"a line of the log of {len(parts)} parts")
        self._services.log(level(packet.code), parts[0].decode(errors="replace"))

    def _serve(self, packet: wire.Packet, parts: list[bytes]) -> None:
        try:
            reply = serve(self._services, packet, parts)
        except wire.Malformed as malformed:
            raise Lost(str(malformed)) from None
        if sum(len(part) for part in reply.parts) > self._layout.zone - _PAGE:
            reply = Reply(abi.E_FAILED, (b"the answer is longer than payloads may be",))
        self._send(wire.REPLY, list(reply.parts), self._layout.reply, reply.code, reply.a, 0)

    def _send(self, kind: int, parts: list[bytes], zone: int, code: int, a: int, b: int) -> int:
        """Bytes of the zone that were used. Never waits: a worker that does not read is lost."""
        placed: list[bytes | wire.Shared] = []
        place = zone
        for part in parts:
            if len(part) <= wire.INLINE:
                placed.append(part)
            else:
                self._area[place : place + len(part)] = part
                placed.append(wire.Shared(place, len(part)))
                place += (len(part) + 63) // 64 * 64
        try:
            self._socket.send(wire.pack(kind, self._sequence, placed, code, a, b), socket.MSG_DONTWAIT)
        except BlockingIOError:
            raise Lost("its socket is full, and it does not read") from None
        except OSError:
            raise Lost from None
        return place - zone
