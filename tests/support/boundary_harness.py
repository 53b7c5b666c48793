"""Runs `boundary.wat` by itself under the engine, with a memory of its own or in that of `handles.wat`."""

from __future__ import annotations

from wasmtime import Func, FuncType, Instance, Memory, Module

from meldpy import runtime
from tests.support.handle_harness import Handles, signed, unsigned
from tests.support.handle_model import Trapped

FULL = "boundary memory full"


class Boundary:
    """One instance of the module; all numbers are unsigned. A trap is raised as Trapped and does no harm."""

    def __init__(self, handles: Handles | None = None, *, pages: int | None = None, apart: bool = False) -> None:
        """handles: whose memory it is in, otherwise that of a new instance, unless it is apart."""
        self.handles = handles if handles is not None else Handles(pages=pages)
        self.store = self.handles.store
        exports = self.handles.exports
        text = runtime.sources()[runtime.BOUNDARY if apart else runtime.BESIDE].rstrip()
        module = Module(self.store.engine, text[:-1] + '(export "memory" (memory $boundary)))')
        beside = () if apart else (exports["memory"], exports["make-room"])
        args = (*beside, Func(self.store, FuncType([], []), self._full))
        self.exports = Instance(self.store, module, args).exports(self.store)

    def __call__(self, name: str, *args: int) -> int:
        func = self.exports[name]
        assert isinstance(func, Func)
        # only `frame` takes 64 bits
        result = func(self.store, *(signed(arg) if arg < 1 << 32 else arg for arg in args))
        assert result is None or isinstance(result, int)
        # only `unframe` returns 64 bits
        return 0 if result is None else result if name == "unframe" else unsigned(result)

    def realloc(self, old: int, old_size: int, alignment: int, new_size: int) -> int:
        return self("realloc", old, old_size, alignment, new_size)

    @property
    def memory(self) -> Memory:
        memory = self.exports["memory"]
        assert isinstance(memory, Memory)
        return memory

    def write(self, at: int, data: bytes) -> None:
        self.memory.write(self.store, data, at)

    def read(self, at: int, size: int) -> bytes:
        return bytes(self.memory.read(self.store, at, at + size))

    def pages(self) -> int:
        return self.memory.size(self.store)

    @staticmethod
    def _full() -> None:
        raise Trapped(FULL)
