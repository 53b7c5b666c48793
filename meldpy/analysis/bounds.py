"""Active segments that might trap when a core instance is made, because they are not certainly in bounds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import final

from meldpy.analysis.constants import Constants
from meldpy.analysis.spaces import Spaces, memory_type, table_type
from meldpy.model.core import ConstExpr, SegmentMode
from meldpy.model.ids import MemoryId, TableId
from meldpy.records import dataclass

_DEFAULT_PAGE_LOG2 = 16


@final
@dataclass(frozen=True, slots=True)
class Bounds:
    """Sizes are those at definition: a table or memory never shrinks."""

    all_spaces: list[Spaces]
    constants: Constants

    def uncertain(self, spaces: Spaces) -> Iterator[TableId | MemoryId]:
        """What the active segments of one core instance write to that may not be in bounds, in order."""
        for element in spaces.module.elements:
            if element.mode is SegmentMode.ACTIVE:
                assert element.table is not None
                assert element.offset is not None
                table = spaces.table(element.table)
                size = table_type(self.all_spaces, table).limits.min
                if not self._in_bounds(spaces, element.offset, len(element.items), size):
                    yield table
        for segment in spaces.module.data:
            if segment.mode is SegmentMode.ACTIVE:
                assert segment.memory is not None
                assert segment.offset is not None
                memory = spaces.memory(segment.memory)
                limits = memory_type(self.all_spaces, memory).limits
                page = _DEFAULT_PAGE_LOG2 if limits.page_size_log2 is None else limits.page_size_log2
                if not self._in_bounds(spaces, segment.offset, len(segment.data), limits.min << page):
                    yield memory

    def _in_bounds(self, spaces: Spaces, offset: ConstExpr, length: int, size: int) -> bool:
        at = self.constants.value(spaces, offset)
        return at is not None and at + length <= size
