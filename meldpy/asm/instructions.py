"""Function bodies taken apart: just enough to put one body into another.

`decode` splits a body, emitted or of the runtime library, into what stays as it is wherever it goes, and what does not:
locals, calls and returns. Branches stay, because a body that is put into another one becomes a block, and the block's
label stands where the function's stood. An instruction that we neither emit nor use in the library is no part of it:
then there is no decoding, and nobody puts that body anywhere.

Spec: core binary format, "Instructions".
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias, final

from meldpy.asm.leb import unsigned
from meldpy.model.code import Chunk, FuncRef, FuncSymbol, MemArg, MemoryRef
from meldpy.model.ids import MemoryId
from meldpy.records import dataclass


@final
@dataclass(frozen=True, slots=True)
class Local:
    """local.get, local.set or local.tee, by opcode."""

    opcode: int
    index: int


@final
@dataclass(frozen=True, slots=True)
class Call:
    func: FuncSymbol


@final
@dataclass(frozen=True, slots=True)
class Return:
    """depth: how many blocks are open around it, the function's own not counted."""

    depth: int


@final
@dataclass(frozen=True, slots=True)
class Plain:
    """Whatever else, as many instructions as there are in a row."""

    chunks: tuple[Chunk, ...]


Part: TypeAlias = "Local | Call | Return | Plain"


@final
@dataclass(frozen=True, slots=True)
class Indices:
    """What the indices of a library module stand for."""

    func: Callable[[int], FuncSymbol]
    memory: Callable[[int], MemoryId]


class _UnknownError(Exception):
    """An instruction that bodies of ours do not have."""


def decode(body: Sequence[Chunk], indices: Indices | None = None) -> list[Part] | None:
    """The parts of a body without its final `end`; None if there is an instruction that is not known here.

    Emitted bodies have symbols where a library module's have indices, which `indices` turns into symbols.
    """
    reader = _Reader(body, indices)
    try:
        return reader.parts()
    except _UnknownError:
        return None


@final
class _Reader:
    def __init__(self, body: Sequence[Chunk], indices: Indices | None) -> None:
        self._rest = list(reversed(body))
        self._bytes: bytes = b""
        self._at = 0
        self._indices = indices
        self._parts: list[Part] = []
        self._plain: list[Chunk] = []
        self._depth = 0

    def parts(self) -> list[Part]:
        while self._more():
            self._instruction()
        self._flush()
        return self._parts

    # --- what comes next ---------------------------------------------------------------------------------------
    def _more(self) -> bool:
        while self._at == len(self._bytes) and self._rest and isinstance(self._rest[-1], bytes):
            chunk = self._rest.pop()
            assert isinstance(chunk, bytes)
            self._bytes, self._at = chunk, 0
        return self._at < len(self._bytes)

    def _byte(self) -> int:
        if not self._more():
            raise _UnknownError
        self._at += 1
        return self._bytes[self._at - 1]

    def _take(self, count: int) -> bytes:
        return bytes(self._byte() for _ in range(count))

    def _leb(self) -> bytes:
        taken = bytearray()
        while True:
            taken.append(self._byte())
            if taken[-1] < 0x80:
                return bytes(taken)

    def _unsigned(self) -> int:
        return sum((byte & 0x7F) << 7 * position for position, byte in enumerate(self._leb()))

    def _symbol(self) -> Chunk | None:
        """A reference, if one stands here in place of an index."""
        if not self._more() and self._rest:
            return self._rest.pop()
        return None

    # --- what has been read ------------------------------------------------------------------------------------
    def _keep(self, *chunks: Chunk) -> None:
        for chunk in chunks:
            last = self._plain[-1] if self._plain else None
            if isinstance(chunk, bytes) and isinstance(last, bytes):
                self._plain[-1] = last + chunk
            else:
                self._plain.append(chunk)

    def _flush(self) -> None:
        if self._plain:
            self._parts.append(Plain(tuple(self._plain)))
            self._plain = []

    def _part(self, part: Part) -> None:
        self._flush()
        self._parts.append(part)

    # --- instructions ------------------------------------------------------------------------------------------
    def _instruction(self) -> None:
        opcode = self._byte()
        head = bytes((opcode,))
        match opcode:
            case 0x00 | 0x01 | 0x05 | 0x1A | 0x1B:
                self._keep(head)
            case 0x02 | 0x03 | 0x04 | 0x1F:
                self._depth += 1
                self._keep(head, *self._block_type())
                if opcode == 0x1F:
                    self._keep(self._catches())
            case 0x0B:
                self._depth -= 1
                self._keep(head)
            case 0x0C | 0x0D:
                self._keep(head + self._leb())
            case 0x0E:
                count = self._leb()
                labels = sum((byte & 0x7F) << 7 * position for position, byte in enumerate(count)) + 1
                self._keep(head + count + b"".join(self._leb() for _ in range(labels)))
            case 0x0F:
                self._part(Return(self._depth))
            case 0x10:
                self._part(Call(self._func()))
            case 0x20 | 0x21 | 0x22:
                self._part(Local(opcode, self._unsigned()))
            case 0x23 | 0x24:
                symbol = self._symbol()
                if symbol is None:
                    raise _UnknownError
                self._keep(head, symbol)
            case _ if 0x28 <= opcode <= 0x3E:
                self._keep(head, self._memarg())
            case 0x3F | 0x40:
                self._keep(head, self._memory())
            case 0x41 | 0x42:
                self._keep(head + self._leb())
            case 0x43 | 0x44:
                self._keep(head + self._take(4 if opcode == 0x43 else 8))
            case _ if 0x45 <= opcode <= 0xC4:
                self._keep(head)
            case 0xFC:
                self._bulk()
            case 0xFD:
                self._vector()
            case _:
                raise _UnknownError

    def _block_type(self) -> list[Chunk]:
        symbol = self._symbol()
        if symbol is not None:
            return [symbol]
        byte = self._byte()
        if byte != 0x40 and not 0x7B <= byte <= 0x7F:
            raise _UnknownError
        return [bytes((byte,))]

    def _catches(self) -> bytes:
        """The one clause that we emit: catch_all to a label."""
        clause = self._take(2)
        if clause != b"\x01\x02":
            raise _UnknownError
        return clause + self._leb()

    def _func(self) -> FuncSymbol:
        symbol = self._symbol()
        if isinstance(symbol, FuncRef):
            return symbol.func
        if symbol is not None or self._indices is None:
            raise _UnknownError
        return self._indices.func(self._unsigned())

    def _memarg(self) -> Chunk:
        symbol = self._symbol()
        if symbol is not None:
            return symbol
        if self._indices is None:
            raise _UnknownError
        align = self._unsigned()
        memory = self._unsigned() if align & 0x40 else 0
        return MemArg(self._indices.memory(memory), align & 0x3F, self._unsigned())

    def _memory(self) -> Chunk:
        symbol = self._symbol()
        if symbol is not None:
            return symbol
        if self._indices is None:
            raise _UnknownError
        return MemoryRef(self._indices.memory(self._unsigned()))

    def _bulk(self) -> None:
        operation = self._unsigned()
        if operation == 10:
            self._keep(b"\xfc\x0a", self._memory(), self._memory())
        else:
            raise _UnknownError

    def _vector(self) -> None:
        operation = self._unsigned()
        head = b"\xfd" + unsigned(operation)
        if operation <= 11 or operation in (92, 93):
            self._keep(head, self._memarg())
        elif operation in (12, 13):
            self._keep(head + self._take(16))
        elif 21 <= operation <= 34:
            self._keep(head + self._take(1))
        elif 84 <= operation <= 91:
            self._keep(head, self._memarg(), self._take(1))
        elif operation <= 0xFF:
            self._keep(head)
        else:
            raise _UnknownError
