"""`Abi`: the memos of this package together, for both pointer widths."""

from __future__ import annotations

from collections.abc import Iterable
from typing import final

from meldpy.cabi.contents import Contents
from meldpy.cabi.despecialize import Shape, Shapes
from meldpy.cabi.flatten import Context, FlatFunc, Flattener
from meldpy.cabi.functions import Needs, needs
from meldpy.cabi.key import Keys
from meldpy.cabi.layout import Layouts
from meldpy.model.extern import FuncType
from meldpy.model.valtype import FutureType, StreamType, ValType


@final
class Abi:
    """Everything the Canonical ABI computes from types alone. Make one per run; nothing is shared between them."""

    def __init__(self) -> None:
        self.shapes = Shapes()
        self.contents = Contents(self.shapes)
        self.keys = Keys()
        self._layouts = (Layouts(self.shapes, False), Layouts(self.shapes, True))
        self._flatteners = (Flattener(self.shapes, False), Flattener(self.shapes, True))

    def shape(self, type: ValType) -> Shape:
        """The despecialized definition of a type."""
        return self.shapes.shape(type)

    def layouts(self, memory64: bool) -> Layouts:
        return self._layouts[memory64]

    def flattener(self, memory64: bool) -> Flattener:
        return self._flatteners[memory64]

    def func(self, type: FuncType, context: Context, memory64: bool) -> FlatFunc:
        """`flatten_functype` for a lift or lower whose memory has that pointer width."""
        return self._flatteners[memory64].func(type, context)

    def returned(self, result: ValType | None, memory64: bool) -> FlatFunc:
        """What `task.return` takes for a function with this result."""
        return self._flatteners[memory64].returned(result)

    def ends(self, types: Iterable[ValType]) -> frozenset[int]:
        """The stream and future types that `types` mention, by their keys."""
        return frozenset(
            self.keys.key(type)
            for type in self.contents.mentioned(types)
            if isinstance(self.shape(type), StreamType | FutureType)
        )

    def needs(self, type: FuncType, context: Context) -> Needs:
        """Which canonical options a lift or lower of `type` must have."""
        return needs(type, self._flatteners[False].func(type, context), context, self.contents)
