"""Functions' types, as a call needs them: made once for each function of a component, used for every call."""

from __future__ import annotations

import ctypes
from typing import final

from wasmtime import component as wc

from meldpy.engine.guests.marshal import codec_of
from meldpy.engine.guests.memory import VAL, Arena
from meldpy.engine.worldtext import show


@final
class Signature:
    """A function's type: how its parameters and its result cross. `unknown`: what of it has no form here."""

    __slots__ = ("names", "params", "result", "text", "unknown")

    def __init__(self, ty: wc.FuncType) -> None:
        given = ty.params
        result = ty.result
        codecs = [codec_of(each) for _, each in given]
        self.names = tuple(name for name, _ in given)
        self.params = tuple(each for each in codecs if each is not None)
        self.result = None if result is None else codec_of(result)
        self.text = f"func({', '.join(f'{name}: {show(each)}' for name, each in given)})"
        if result is not None:
            self.text += f" -> {show(result)}"
        missing = len(self.params) != len(given) or (result is not None and self.result is None)
        self.unknown = self.text if missing else None

    def write(self, arguments: tuple[object, ...], arena: Arena) -> bytearray:
        """The arguments' memory. TypeError or ValueError where they do not fit."""
        if len(arguments) != len(self.params):
            raise TypeError(f"{self.text} takes {len(self.params)} arguments, {len(arguments)} were given")
        block = bytearray(len(arguments) * VAL)
        for i, (codec, value) in enumerate(zip(self.params, arguments, strict=True)):
            codec.write(block, i * VAL, value, arena)
        return block

    def read(self, address: int) -> list[object]:
        """The parameters' values, as a host function gets them."""
        if not self.params:
            return []
        block = ctypes.string_at(address, len(self.params) * VAL)
        return [codec.read(block, i * VAL) for i, codec in enumerate(self.params)]
