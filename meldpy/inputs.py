"""From what a caller gives to the model of one input: a path, bytes or a named input; binary or text."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

from meldpy.errors import FileError
from meldpy.model.component import Component
from meldpy.options import FuseInput


def named_input(position: int, item: FuseInput | str | Path | bytes) -> FuseInput:
    """What a caller gave as input number `position`, read and named."""
    match item:
        case FuseInput():
            return item
        case bytes():
            name = f"input{position + 1}"
            return FuseInput(name, name, item, given=False)
        case _:
            path = Path(item)
            try:
                return FuseInput(utf8_name(path.stem), str(path), path.read_bytes(), given=False)
            except OSError as error:
                raise FileError(f"cannot read {path}: {error.strerror or error}") from error


def utf8_name(name: str) -> str:
    """`name` with escapes for bytes of a file name that are not UTF-8: names of inputs end up in the name section."""
    return name.encode("utf-8", "backslashreplace").decode("utf-8")


def decode(item: FuseInput) -> Component:
    """The model of one input, binary or text."""
    from meldpy.binary.decode import decode_component
    from meldpy.engine.text import assemble, is_text

    data = assemble(item.data, item.source) if is_text(item.data) else item.data
    return decode_component(data, item.source)


def sum_of(item: FuseInput) -> str:
    """The SHA-256 of an input, in hexadecimal digits."""
    return sha256(item.data).hexdigest()
