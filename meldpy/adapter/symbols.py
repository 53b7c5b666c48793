"""From the core functions of a linked graph to functions of the merged module.

A core function is followed through the forwards that analysis proved; a lower or built-in then stands for whatever
implements it, which may be an adapter that is still to be written.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import final

from meldpy.model.code import FuncSymbol
from meldpy.model.ids import BuiltinId, FuncId, LowerId
from meldpy.model.linked import BuiltinFunc, CoreFunc, LowerFunc


@final
class Symbols:
    """lowers and builtins are filled in before any function body is written."""

    def __init__(self, forwards: Mapping[FuncId, CoreFunc]) -> None:
        self._forwards = forwards
        self.lowers: dict[LowerId, FuncSymbol] = {}
        self.builtins: dict[BuiltinId, FuncSymbol] = {}

    def target(self, func: CoreFunc) -> CoreFunc:
        """The function that a call of `func` really runs."""
        while isinstance(func, FuncId) and func in self._forwards:
            func = self._forwards[func]
        return func

    def final(self, func: CoreFunc) -> FuncSymbol:
        """The symbol of the function that a call of `func` really runs."""
        match self.target(func):
            case LowerFunc(lower):
                return self.lowers[lower]
            case BuiltinFunc(builtin):
                return self.builtins[builtin]
            case FuncId() as defined:
                return defined
