"""A cursor over the bytes of one input.

All readers of one input share one view; a section, a nested module or a nested component is read through a reader
of its own that ends where that part ends. Every failure is a DecodeError with the whole-file offset of the byte that
is wrong, and nothing is allocated on the word of a count that the remaining bytes cannot hold.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, final

from meldpy.binary.leb128 import LebError, read_signed, read_unsigned
from meldpy.binary.sections import Limit
from meldpy.errors import DecodeError, Location

T = TypeVar("T")


@final
class Reader:
    """`view[position:end]` is what remains; `base` is the whole-file offset of `view[0]`.

    depth: how many components and types enclose what is being read; path: their names for messages.
    """

    __slots__ = ("base", "depth", "end", "path", "position", "source", "view")

    def __init__(
        self,
        view: memoryview,
        source: str,
        *,
        base: int = 0,
        position: int = 0,
        end: int | None = None,
        depth: int = 0,
        path: tuple[str, ...] = (),
    ) -> None:
        self.view = view
        self.source = source
        self.base = base
        self.position = position
        self.end = len(view) if end is None else end
        self.depth = depth
        self.path = path

    # --- where ------------------------------------------------------------------------------------
    @property
    def offset(self) -> int:
        """Whole-file offset of the next byte."""
        return self.base + self.position

    @property
    def remaining(self) -> int:
        return self.end - self.position

    def error(self, reason: str, offset: int | None = None, *, remedy: str | None = None) -> DecodeError:
        """The error to raise; `offset` is a whole-file offset, the next byte's if left out."""
        place = Location(self.source, self.offset if offset is None else offset, self.path)
        return DecodeError(reason, place, remedy=remedy)

    def unknown(self, what: str, byte: int, offset: int) -> DecodeError:
        """The error for a byte that no rule begins with."""
        return self.error(f"unknown {what} {byte:#04x}", offset)

    # --- bytes ------------------------------------------------------------------------------------
    def byte(self, what: str) -> int:
        byte = self.peek(what)
        self.position += 1
        return byte

    def peek(self, what: str) -> int:
        if self.position >= self.end:
            raise self.error(f"unexpected end: {what} expected")
        return self.view[self.position]

    def flag(self, what: str) -> bool:
        """A byte that is 0 or 1."""
        offset = self.offset
        byte = self.byte(what)
        if byte > 1:
            raise self.unknown(what, byte, offset)
        return byte == 1

    def expect(self, wanted: int, what: str) -> None:
        offset = self.offset
        byte = self.byte(what)
        if byte != wanted:
            raise self.error(f"{what} must be {wanted:#04x}, not {byte:#04x}", offset)

    def slice(self, size: int, what: str) -> memoryview:
        """The next `size` bytes, not copied."""
        if size > self.remaining:
            raise self.error(f"unexpected end: {what} has {size} bytes, {self.remaining} remain")
        start = self.position
        self.position += size
        return self.view[start : self.position]

    def rest(self) -> memoryview:
        return self.slice(self.remaining, "the rest")

    # --- integers ---------------------------------------------------------------------------------
    def u32(self) -> int:
        """Most are one or two bytes long, and there are many: those are read here, the rest by the general way."""
        position = self.position
        if position + 1 < self.end:
            low = self.view[position]
            if low < 0x80:
                self.position = position + 1
                return low
            high = self.view[position + 1]
            if high < 0x80:
                self.position = position + 2
                return low & 0x7F | high << 7
        return self._leb(read_unsigned, 32)

    def u64(self) -> int:
        return self._leb(read_unsigned, 64)

    def s32(self) -> int:
        return self._leb(read_signed, 32)

    def s33(self) -> int:
        return self._leb(read_signed, 33)

    def s64(self) -> int:
        return self._leb(read_signed, 64)

    def index33(self, what: str) -> int:
        """An index written as a non-negative s33, where negative one-byte integers are opcodes."""
        offset = self.offset
        first = self.peek(what)
        index = self.s33()
        if index < 0:
            raise self.unknown(what, first, offset)
        return index

    def _leb(self, read: Callable[[memoryview, int, int, int], tuple[int, int]], bits: int) -> int:
        try:
            value, self.position = read(self.view, self.position, self.end, bits)
        except LebError as problem:
            raise self.error(str(problem)) from None
        return value

    # --- names ------------------------------------------------------------------------------------
    def name(self, what: str, limit: int | None = Limit.NAME_BYTES) -> str:
        """A length in bytes, then strict UTF-8."""
        before = self.position
        size = self.u32()
        if limit is not None and size > limit:
            raise self.error(f"{what} has {size} bytes, more than {limit}", self.base + before)
        start = self.position
        data = self.slice(size, what)
        try:
            return str(data, "utf-8")
        except UnicodeDecodeError as problem:
            raise self.error(f"{what} is not valid UTF-8", self.base + start + problem.start) from None

    # --- vectors ----------------------------------------------------------------------------------
    def count(self, what: str, limit: int | None) -> int:
        """The count of a vector whose items have at least one byte each."""
        offset = self.offset
        count = self.u32()
        if limit is not None and count > limit:
            raise self.error(f"{count} {what}, more than {limit}", offset)
        if count > self.remaining:
            raise self.error(f"{count} {what} do not fit into the {self.remaining} bytes that remain", offset)
        return count

    def vec(self, what: str, limit: int, item: Callable[[Reader], T]) -> tuple[T, ...]:
        return tuple([item(self) for _ in range(self.count(what, limit))])

    def located_vec(self, what: str, limit: int, item: Callable[[Reader], T]) -> tuple[tuple[T, ...], tuple[int, ...]]:
        """A vector, and the whole-file offset of each item."""
        items: list[T] = []
        offsets: list[int] = []
        for _ in range(self.count(what, limit)):
            offsets.append(self.offset)
            items.append(item(self))
        return tuple(items), tuple(offsets)

    def u32_vec(self, what: str, limit: int) -> tuple[int, ...]:
        """A vector of indices. Long ones are common (function sections), so one-byte integers go at C speed."""
        count = self.count(what, limit)
        chunk = bytes(self.view[self.position : self.position + count])
        if chunk.isascii():
            self.position += count
            return tuple(chunk)
        u32 = self.u32
        return tuple([u32() for _ in range(count)])

    # --- parts ------------------------------------------------------------------------------------
    def part(self, size: int, what: str) -> Reader:
        """A reader of the next `size` bytes, which this one skips."""
        position = self.position
        self.slice(size, what)
        return Reader(
            self.view,
            self.source,
            base=self.base,
            position=position,
            end=self.position,
            depth=self.depth,
            path=self.path,
        )

    def finish(self, what: str) -> None:
        """What this reader covers must be used up."""
        if self.remaining:
            raise self.error(f"{self.remaining} bytes too many at the end of {what}")

    def enter(self, what: str) -> None:
        """One level of nesting deeper. The bound keeps hostile input off the recursion limit."""
        self.depth += 1
        if self.depth > Limit.DEPTH:
            raise self.error(f"{what} is nested more than {Limit.DEPTH} levels deep")

    def leave(self) -> None:
        self.depth -= 1
