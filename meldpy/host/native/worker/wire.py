"""The packets between a host and a worker, the same code at both ends.

A packet is one message of a sequenced-packet socket, so the kernel keeps packets apart: a header with the kind, a code,
a sequence number and two plain numbers, then a row for each part (where it is, how long), then the parts that travel
inside the packet. A part longer than INLINE is in the shared area, and its row says at which offset.

`unpack` believes nothing: the worker's end is at the mercy of a module, so every length is checked against what is
there, and what does not fit is Malformed.
"""

from __future__ import annotations

import struct

# what a type checker takes for true, without an import that every start of a module would pay for
TYPE_CHECKING = False

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Final

INLINE: Final = 16 * 1024
"""Bytes of the longest part that travels inside a packet: beyond, a copy through the socket costs more than shared
memory does. All parts of a packet fit into the default buffer of a socket."""
MOST_PARTS: Final = 5
LARGEST: Final = 128 * 1024
"""Bytes that hold any packet."""

_HEADER = struct.Struct("<HHiQQQ")
_ROW = struct.Struct("<QQ")
_INSIDE = (1 << 64) - 1
_LENGTH = struct.Struct("<I")

# host to worker: calls of the module
CREATE, EXECUTE, HANDLE, GET_STATE, RESTORE, DESTROY, PING, REPLY = range(1, 9)
# worker to host: what became of them, and lines for the log
READY, REFUSED, RESULT, BROKEN, PONG, LOG = range(16, 22)
# worker to host: calls of the host, answered by REPLY
PUBLISH, SEND, REQUEST = range(32, 35)
PROGRESS, CHECKPOINT, LAST_CHECKPOINT, IS_CANCELLED, LOG_LINE, METRIC = range(48, 54)
KV_GET, KV_SET, KV_DELETE, KV_KEYS = range(64, 68)


class Malformed(Exception):
    """Bytes that are no packet, or rows that say what is not so."""


class Shared:
    """A part that was put into the shared area."""

    __slots__ = ("length", "offset")

    def __init__(self, offset: int, length: int) -> None:
        self.offset = offset
        self.length = length


class Packet:
    """What was received; a part inside the packet is its place in the buffer."""

    __slots__ = ("a", "b", "code", "kind", "parts", "sequence")

    def __init__(self, kind: int, code: int, sequence: int, a: int, b: int, parts: list[Shared | slice]) -> None:
        self.kind = kind
        self.code = code
        self.sequence = sequence
        self.a = a
        self.b = b
        self.parts = parts


def pack(
    kind: int, sequence: int, parts: Sequence[bytes | Shared] = (), code: int = 0, a: int = 0, b: int = 0
) -> bytes:
    """The packet's bytes. A part of bytes is at most INLINE long."""
    pieces = [_HEADER.pack(kind, len(parts), code, sequence, a, b)]
    for part in parts:
        if isinstance(part, Shared):
            pieces.append(_ROW.pack(part.offset, part.length))
        else:
            pieces.append(_ROW.pack(_INSIDE, len(part)))
    pieces += [part for part in parts if not isinstance(part, Shared)]
    return b"".join(pieces)


def unpack(buffer: bytearray, length: int, area: int) -> Packet:
    """The packet in the first `length` bytes of `buffer`. area: bytes of the shared area. Raises Malformed."""
    if length < _HEADER.size:
        raise Malformed(f"a packet of {length} bytes")
    kind, count, code, sequence, a, b = _HEADER.unpack_from(buffer)
    place = _HEADER.size + count * _ROW.size
    if count > MOST_PARTS or place > length:
        raise Malformed(f"a packet of {length} bytes with {count} parts")
    parts: list[Shared | slice] = []
    for row in range(count):
        offset, size = _ROW.unpack_from(buffer, _HEADER.size + row * _ROW.size)
        if offset == _INSIDE:
            if size > length - place:
                raise Malformed(f"a part of {size} bytes where {length - place} are left")
            parts.append(slice(place, place + size))
            place += size
        else:
            if offset > area or size > area - offset:
                raise Malformed(f"a part of {size} bytes at {offset} of a shared area of {area}")
            parts.append(Shared(offset, size))
    if place != length:
        raise Malformed(f"{length - place} bytes that belong to no part")
    return Packet(kind, code, sequence, a, b, parts)


def pack_texts(texts: Sequence[bytes]) -> bytes:
    """Several texts as one part."""
    return b"".join(_LENGTH.pack(len(text)) + text for text in texts)


def unpack_texts(data: bytes) -> list[bytes]:
    """What `pack_texts` was given. Raises Malformed."""
    texts, place = [], 0
    while place < len(data):
        if len(data) - place < _LENGTH.size:
            raise Malformed("a list of texts that ends within a length")
        (length,) = _LENGTH.unpack_from(data, place)
        place += _LENGTH.size
        if length > len(data) - place:
            raise Malformed(f"a text of {length} bytes where {len(data) - place} are left")
        texts.append(data[place : place + length])
        place += length
    return texts


class Layout:
    """Which bytes of the shared area are whose. Both ends make it from the same limit.

    Three zones, so that nothing is overwritten while somebody still reads it: what the host passes to a call (borrowed
    by the module until the call returns), what the host answers meanwhile, and what the worker sends.
    """

    __slots__ = ("call", "reply", "size", "worker", "zone")

    def __init__(self, payload: int) -> None:
        """payload: bytes of the longest payload; a zone has a MiB more, for names that are long."""
        self.zone = (payload + (1 << 20) + 4095) // 4096 * 4096
        self.call = 0
        self.reply = self.zone
        self.worker = 2 * self.zone
        self.size = 3 * self.zone
