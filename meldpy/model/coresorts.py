"""The sorts that core items have where a component names them. Spec: Binary.md "core:sort"."""

from __future__ import annotations

from typing import Final, assert_never

from meldpy.model.component import Sort
from meldpy.model.core import CoreSort
from meldpy.model.ids import FuncId, GlobalId, MemoryId, TableId, TagId
from meldpy.model.linked import BuiltinFunc, CoreItem, LowerFunc

CORE_SORTS: Final = {
    CoreSort.FUNC: Sort.CORE_FUNC,
    CoreSort.TABLE: Sort.CORE_TABLE,
    CoreSort.MEMORY: Sort.CORE_MEMORY,
    CoreSort.GLOBAL: Sort.CORE_GLOBAL,
    CoreSort.TAG: Sort.CORE_TAG,
}
"""By what modules call them."""


def component_sort(item: CoreItem) -> Sort:
    """The sort of what a core item is."""
    match item:
        case FuncId() | LowerFunc() | BuiltinFunc():
            return Sort.CORE_FUNC
        case TableId():
            return Sort.CORE_TABLE
        case MemoryId():
            return Sort.CORE_MEMORY
        case GlobalId():
            return Sort.CORE_GLOBAL
        case TagId():
            return Sort.CORE_TAG
        case _:
            assert_never(item)
