"""The functions and flags that one adapt run emits, in the order of their ids.

An id can be reserved before its body exists, so that adapters may call each other whatever order they are written in.
"""

from __future__ import annotations

from typing import final

from meldpy.adapter.traps import Trap
from meldpy.asm import FuncBuilder
from meldpy.model.code import Emitted, EmittedFunc, Flag
from meldpy.model.core import CoreFuncType
from meldpy.model.ids import EmittedId, FlagId
from meldpy.model.marks import Checked


@final
class Functions:
    """Registry of emitted functions, trap functions and flags."""

    def __init__(self) -> None:
        self._functions: list[Emitted | None] = []
        self._flags: list[Flag] = []
        self._traps: dict[Trap, EmittedFunc] = {}

    def reserve(self) -> EmittedFunc:
        """A symbol for a function that `define` will give a body."""
        self._functions.append(None)
        return EmittedFunc(EmittedId(len(self._functions) - 1))

    def define(self, symbol: EmittedFunc, builder: FuncBuilder) -> None:
        assert self._functions[symbol.emitted] is None, f"{builder.name} defined twice"
        self._functions[symbol.emitted] = builder.finish(symbol.emitted)

    def add(self, builder: FuncBuilder) -> EmittedFunc:
        symbol = self.reserve()
        self.define(symbol, builder)
        return symbol

    def trap(self, trap: Trap) -> EmittedFunc:
        """The shared function behind `trap`, emitted on first use."""
        if trap not in self._traps:
            builder = FuncBuilder(trap.function_name, CoreFuncType((), ()))
            builder.unreachable()
            builder.mark(Checked(trap.value))
            self._traps[trap] = self.add(builder)
        return self._traps[trap]

    def flag(self, name: str, init: int) -> FlagId:
        self._flags.append(Flag(FlagId(len(self._flags)), name, init))
        return self._flags[-1].id

    @property
    def functions(self) -> tuple[Emitted, ...]:
        functions = tuple(function for function in self._functions if function is not None)
        assert len(functions) == len(self._functions), "a reserved function has no body"
        return functions

    @property
    def flags(self) -> tuple[Flag, ...]:
        return tuple(self._flags)
