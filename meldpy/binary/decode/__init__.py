"""Decoding: `decode_component`, `decode_module`, and the question which of the two bytes are.

Both take the bytes of a file, or of a part of it, and raise DecodeError with the whole-file offset for whatever is not
well-formed; nothing else is raised. Function bodies, data and unknown custom sections stay slices of the input.
"""

from __future__ import annotations

from meldpy.binary.decode.component import component
from meldpy.binary.decode.core import core_module
from meldpy.binary.decode.names import producers_section
from meldpy.binary.reader import Reader
from meldpy.binary.sections import (
    COMPONENT_LAYER,
    COMPONENT_VERSION,
    MAGIC,
    MODULE_VERSION,
    PREAMBLE_SIZE,
    PRODUCERS_SECTION,
)
from meldpy.errors import DecodeError
from meldpy.model.component import Component
from meldpy.model.core import CoreModule, ProducersSection, RawCustom

__all__ = ["decode_component", "decode_module", "is_component", "is_module", "read_producers"]


def is_component(data: bytes | memoryview) -> bool:
    """Whether the preamble is that of a component, of whatever version."""
    preamble = bytes(data[:PREAMBLE_SIZE])
    return preamble.startswith(MAGIC) and preamble[6:] == COMPONENT_LAYER


def is_module(data: bytes | memoryview) -> bool:
    """Whether the preamble is that of a core module."""
    return bytes(data[:PREAMBLE_SIZE]) == MAGIC + MODULE_VERSION


def _reader(data: bytes | memoryview, source: str, offset: int) -> Reader:
    return Reader(memoryview(data).cast("B").toreadonly(), source, base=offset)


def decode_component(data: bytes | memoryview, source: str) -> Component:
    """The component in `data`, the bytes of a whole file. `source` is its display name in messages."""
    r = _reader(data, source, 0)
    if is_module(r.view):
        raise r.error(
            "this is a core module, not a component",
            remedy="make a component of it: wasm-tools component new FILE -o OUT (its WIT must be embedded, which "
            "wit-bindgen does or wasm-tools component embed; a WASI 0.1 module also needs --adapt)",
        )
    preamble = bytes(r.view[:PREAMBLE_SIZE])
    if not preamble.startswith(MAGIC):
        raise r.error("this is not a WebAssembly binary: it does not begin with \\0asm")
    version = preamble[len(MAGIC) :]
    if version != COMPONENT_VERSION:
        raise r.error(f"unknown WebAssembly version: {version.hex(' ')}, not {COMPONENT_VERSION.hex(' ')}", 4)
    return component(r)


def decode_module(data: bytes | memoryview, source: str, offset: int = 0) -> CoreModule:
    """The core module in `data`, which begins at byte `offset` of its file."""
    r = _reader(data, source, offset)
    if is_component(r.view):
        raise r.error("this is a component, not a core module")
    return core_module(r)


def read_producers(section: RawCustom) -> ProducersSection | None:
    """What a component's own producers section says; None for any other section, and for one that is malformed."""
    if section.name != PRODUCERS_SECTION:
        return None
    try:
        return producers_section(_reader(section.data, section.name, 0))
    except DecodeError:
        return None
