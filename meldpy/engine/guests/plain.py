"""Codecs of values that hold no others: numbers, characters, text, bytes."""

from __future__ import annotations

import ctypes
from struct import Struct
from struct import error as StructError
from typing import Any, final

from wasmtime import _ffi as ffi
from wasmtime import component as wc

from meldpy.engine.guests.memory import HEAD, VAL, VEC, Arena


class Codec:
    """One type. `write` raises TypeError or ValueError for what does not fit it."""

    def write(self, into: bytearray, at: int, value: Any, arena: Arena) -> None:
        raise AssertionError("every type has its own")

    def read(self, data: bytes, at: int) -> Any:
        raise AssertionError("every type has its own")


@final
class _Scalar(Codec):
    """bool, integers and floats: `layout` is the kind and the value."""

    def __init__(self, kind: int, code: str, of: type, name: str) -> None:
        self.kind, self._of, self._name = kind, of, name
        self._layout = Struct(f"<B7x{code}")
        self._value = Struct(f"<{code}")

    def write(self, into: bytearray, at: int, value: Any, arena: Arena) -> None:
        if type(value) is not self._of and not (self._of is float and type(value) is int):
            raise TypeError(f"{value!r:.80} is no {self._name}")
        try:
            self._layout.pack_into(into, at, self.kind, value)
        except (StructError, OverflowError):
            raise ValueError(f"{value!r:.80} does not fit a {self._name}") from None

    def read(self, data: bytes, at: int) -> Any:
        return self._value.unpack_from(data, at + 8)[0]


@final
class CharCodec(Codec):
    _layout = Struct("<B7xI")

    def write(self, into: bytearray, at: int, value: Any, arena: Arena) -> None:
        if type(value) is not str or len(value) != 1 or 0xD800 <= ord(value) < 0xE000:
            raise TypeError(f"{value!r:.80} is no char")
        self._layout.pack_into(into, at, _CHAR, ord(value))

    def read(self, data: bytes, at: int) -> Any:
        return chr(int.from_bytes(data[at + 8 : at + 12], "little"))


@final
class TextCodec(Codec):
    """string, and with `names` an enum."""

    def __init__(self, kind: int, names: frozenset[str] | None = None) -> None:
        self.kind, self._names = kind, names

    def write(self, into: bytearray, at: int, value: Any, arena: Arena) -> None:
        if type(value) is not str:
            raise TypeError(f"{value!r:.80} is no string")
        if self._names is not None and value not in self._names:
            raise ValueError(f"{value!r:.80} is none of {', '.join(sorted(self._names))}")
        HEAD.pack_into(into, at, self.kind, *arena.text(value.encode()))

    def read(self, data: bytes, at: int) -> Any:
        return text(data, at + 8)


@final
class BytesCodec(Codec):
    """`list<u8>`: the engine has 32 bytes for each, which slices with a stride fill and empty at C speed."""

    def write(self, into: bytearray, at: int, value: Any, arena: Arena) -> None:
        if not isinstance(value, bytes | bytearray | memoryview):
            raise TypeError(f"{value!r:.80} is no bytes")
        count = len(value)
        block = bytearray(_ZERO) * count
        block[8::VAL] = value
        HEAD.pack_into(into, at, LIST, count, arena.block(block, count, "list"))

    def read(self, data: bytes, at: int) -> Any:
        count, address = VEC.unpack_from(data, at + 8)
        if count <= _PART:
            return ctypes.string_at(address, count * VAL)[8::VAL] if count else b""
        parts = range(0, count, _PART)
        return b"".join([ctypes.string_at(address + i * VAL, min(_PART, count - i) * VAL)[8::VAL] for i in parts])


def text(data: bytes, at: int) -> str:
    size, address = VEC.unpack_from(data, at)
    return ctypes.string_at(address, size).decode() if size else ""


def kind(name: str) -> int:
    return int(getattr(ffi, f"WASMTIME_COMPONENT_{name}").value)


_U8, _CHAR, LIST = kind("U8"), kind("CHAR"), kind("LIST")
_ZERO = bytes((_U8,)) + bytes(VAL - 1)
"""A u8 as the engine has it."""
_PART = 2048
"""Bytes of a list that are read at once: what is copied for them, 32 times as much, stays in the processor's cache."""

SCALARS: dict[type, Codec] = {
    type_: _Scalar(kind(name), code, of, name.lower())
    for type_, name, code, of in (
        (wc.Bool, "BOOL", "?", bool),
        (wc.S8, "S8", "b", int),
        (wc.U8, "U8", "B", int),
        (wc.S16, "S16", "h", int),
        (wc.U16, "U16", "H", int),
        (wc.S32, "S32", "i", int),
        (wc.U32, "U32", "I", int),
        (wc.S64, "S64", "q", int),
        (wc.U64, "U64", "Q", int),
        (wc.F32, "F32", "f", float),
        (wc.F64, "F64", "d", float),
    )
}
