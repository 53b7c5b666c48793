"""Where values lie while they cross the C interface: Python's memory on the way in, the engine's on the way out.

Arguments of a call are only read by the engine, so they lie in Python's memory for as long as the call runs
(`Borrowed`). Results of a host function are freed by the engine, so they are allocated by it (`Given`).
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterable
from struct import Struct
from typing import Any, Protocol, final

from wasmtime import _ffi as ffi

VAL = 32
"""Bytes of a wasmtime_component_val_t."""
ENTRY = 48
"""Bytes of a record's field: its name (a byte vector of 16 bytes), then the value."""
VEC = Struct("<QQ")
"""A vector: its length and address."""
HEAD = Struct("<B7xQQ")
"""A value that is a vector, or anything else of two words."""
THREE = Struct("<B7xQQQ")
PTR = Struct("<Q")


@final
class Names:
    """The names of a record's fields. entries: memory of the fields with their names in it and no values, good for as
    long as this is."""

    def __init__(self, names: Iterable[str]) -> None:
        self.encoded = tuple(name.encode() for name in names)
        self._held = Borrowed()
        self.entries = b"".join(VEC.pack(*self._held.text(each)) + bytes(VAL) for each in self.encoded)


class Arena(Protocol):
    """Where nested values lie while they cross."""

    def entries(self, names: Names) -> bytearray:
        """Memory of a record's fields, with their names in it."""

    def text(self, data: bytes) -> tuple[int, int]:
        """Length and address of a byte vector."""

    def block(self, data: bytearray, count: int, kind: str) -> int:
        """The address of `count` values (of `kind`: list, tuple, record or flags), whose memory is `data`."""

    def box(self, data: bytearray) -> int:
        """The address of one value."""


@final
class Borrowed:
    """Memory of Python's, held until the arena goes."""

    def __init__(self) -> None:
        self._held: list[object] = []

    def entries(self, names: Names) -> bytearray:
        return bytearray(names.entries)

    def text(self, data: bytes) -> tuple[int, int]:
        held = ctypes.c_char_p(data)
        self._held.append(held)
        return len(data), ctypes.c_void_p.from_buffer(held).value or 0

    def block(self, data: bytearray, count: int, kind: str) -> int:
        if not data:
            return 0
        held = ctypes.c_char.from_buffer(data)
        self._held.append(held)
        return ctypes.addressof(held)

    def box(self, data: bytearray) -> int:
        return self.block(data, 1, "list")


_VECTORS: dict[str, tuple[Any, Any]] = {
    "list": (ffi.wasmtime_component_vallist_t, ffi.wasmtime_component_vallist_new_uninit),
    "tuple": (ffi.wasmtime_component_valtuple_t, ffi.wasmtime_component_valtuple_new_uninit),
    "record": (ffi.wasmtime_component_valrecord_t, ffi.wasmtime_component_valrecord_new_uninit),
    "flags": (ffi.wasmtime_component_valflags_t, ffi.wasmtime_component_valflags_new_uninit),
}


@final
class Given:
    """Memory of the engine's, which it frees. What is abandoned on the way (a value that does not fit) stays."""

    def entries(self, names: Names) -> bytearray:
        return bytearray().join([VEC.pack(*self.text(each)) + bytes(VAL) for each in names.encoded])

    def text(self, data: bytes) -> tuple[int, int]:
        vec = ffi.wasm_byte_vec_t()
        ffi.wasm_byte_vec_new_uninitialized(ctypes.byref(vec), len(data))
        address = ctypes.cast(vec.data, ctypes.c_void_p).value or 0
        ctypes.memmove(address, data, len(data))
        return len(data), address

    def block(self, data: bytearray, count: int, kind: str) -> int:
        type_, new = _VECTORS[kind]
        vec = type_()
        new(ctypes.byref(vec), count)
        address = ctypes.cast(vec.data, ctypes.c_void_p).value or 0
        if data:
            ctypes.memmove(address, bytes(data), len(data))
        return address

    def box(self, data: bytearray) -> int:
        placeholder = ffi.wasmtime_component_val_t()
        boxed = ffi.wasmtime_component_val_new(ctypes.byref(placeholder))
        address = ctypes.cast(boxed, ctypes.c_void_p).value or 0
        ctypes.memmove(address, bytes(data), VAL)
        return address
