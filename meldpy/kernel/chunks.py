"""Function bodies through the kernel in pieces of bounded size, whole bodies at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from meldpy.errors import DecodeError, LimitError
from meldpy.kernel.failures import Origin

_CHUNK: Final = 1 << 20
"""Input bytes per run: few enough to stay in the processor's caches, many enough that the call is free."""
_LARGEST_CHUNK: Final = 1 << 28


def in_chunks(length: int, count: int, origin: Origin, process: Callable[[int, int, int], tuple[int, int]]) -> None:
    """Calls `process(position, size, done)` until `count` bodies, `length` bytes in all, are done.

    `done` bodies lie before `position`; `process` returns how many bytes and whole bodies it did of the `size` bytes
    there. A body longer than the chunk gets a larger chunk.

    Raises DecodeError if the bodies do not fill the section exactly.
    """
    position = done = 0
    chunk = _CHUNK
    while done < count:
        size = min(chunk, length - position)
        consumed, bodies = process(position, size, done)
        if bodies == 0:
            if position + size == length:
                raise DecodeError("code section ends inside a function body", origin.at(position))
            if chunk >= _LARGEST_CHUNK:
                raise LimitError("function body too large", origin.at(position), remedy="split the function")
            chunk *= 4
        position += consumed
        done += bodies
    if position != length:
        raise DecodeError("code section goes on behind its last function body", origin.at(position))
