"""Which callback lifts exit at once: their function can answer nothing but EXIT, so that no call of it ever waits.

Whether a body returns nothing but 0 is asked of the kernel, and only of functions that a synchronous call depends on.

Spec: CanonicalABI.md `canon_lift`, the codes that a callback lift's function returns.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias, final

from meldpy.analysis.spaces import Spaces
from meldpy.model.core import CoreModule
from meldpy.model.facts import CodeFacts
from meldpy.model.ids import FuncId, ModuleId
from meldpy.model.linked import CoreFunc, Lift

ReturnsZero: TypeAlias = "Callable[[CoreModule, memoryview], bool]"
"""Of the function of a module with this body, its size in front."""


@final
class Exits:
    def __init__(
        self,
        spaces: Sequence[Spaces],
        code: Mapping[ModuleId, CodeFacts],
        forwards: Mapping[FuncId, CoreFunc],
        returns_zero: ReturnsZero | None,
    ) -> None:
        self._spaces = spaces
        self._code = code
        self._forwards = forwards
        self._returns_zero = returns_zero
        self._known: dict[FuncId, bool] = {}

    def at_once(self, lift: Lift) -> bool:
        """Whether a task of this lift has exited when its first activation ends. False if that is not proved."""
        if lift.options.callback is None:
            return False
        func = lift.core_func
        target = self._forwards.get(func, func) if isinstance(func, FuncId) else func
        return isinstance(target, FuncId) and self._zero(target)

    def _zero(self, func: FuncId) -> bool:
        if self._returns_zero is None:
            return False
        if func not in self._known:
            spaces = self._spaces[func.instance]
            defined = func.index - len(spaces.imported_funcs)
            bounds = self._code[spaces.module_id].bounds
            body = memoryview(spaces.module.code.bodies)[bounds[defined] : bounds[defined + 1]]
            self._known[func] = self._returns_zero(spaces.module, body)
        return self._known[func]
