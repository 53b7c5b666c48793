"""What encoding collects: slices in order, and their total size.

A section needs its size before its content, so a nested part is a writer of its own that its parent takes over:
lists of slices are joined, bytes are copied once, at the very end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TypeVar, final

from meldpy.binary.leb128 import unsigned
from meldpy.model.core import Bytes

T = TypeVar("T")


def name(text: str) -> bytes:
    """A length in bytes, then UTF-8."""
    data = text.encode()
    return unsigned(len(data)) + data


def vec(items: Iterable[T], item: Callable[[T], bytes]) -> bytes:
    """A count, then each item."""
    encoded = [item(each) for each in items]
    return unsigned(len(encoded)) + b"".join(encoded)


@final
class Writer:
    """`size` is the number of bytes in `parts`."""

    __slots__ = ("parts", "size")

    def __init__(self, *parts: Bytes) -> None:
        self.parts: list[Bytes] = []
        self.size = 0
        self.put(*parts)

    def put(self, *parts: Bytes) -> None:
        for part in parts:
            self.parts.append(part)
            self.size += len(part)

    def take(self, other: Writer) -> None:
        self.parts += other.parts
        self.size += other.size

    def section(self, section_id: int, content: Writer) -> None:
        """An id, the size of the content, the content."""
        self.put(bytes((section_id,)), unsigned(content.size))
        self.take(content)

    def join(self) -> bytes:
        return b"".join(self.parts)
