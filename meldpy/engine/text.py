"""The text format, both ways: wasmtime parses it, wasm-tools prints it."""

from __future__ import annotations

import os

from meldpy.engine.words import causes_of
from meldpy.errors import DecodeError, Location


def is_text(data: bytes) -> bool:
    """Whether `data` cannot be a binary (those start with a zero byte) and so is taken for text."""
    return not data.startswith(b"\0")


def assemble(data: bytes, source: str) -> bytes:
    """The binary of a component or module in text format. Raises DecodeError with the parser's words and place."""
    import wasmtime

    if not data.strip():
        raise DecodeError("the input is empty", Location(source), remedy="give a WebAssembly component")
    # Older scripts number component index spaces the way wasmtime's parser accepts only on request.
    os.environ.setdefault("WAST_STRICT_COMPONENT_INDICES", "0")
    try:
        return bytes(wasmtime.wat2wasm(data))
    except wasmtime.WasmtimeError as error:
        raise DecodeError(
            "the input is neither a WebAssembly binary nor valid text",
            Location(source),
            causes=causes_of(error),
            remedy="give a .wasm component, or fix the text at the place shown",
        ) from error
