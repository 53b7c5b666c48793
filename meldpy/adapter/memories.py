"""What address arithmetic must know of a memory, read from the module that defines it."""

from __future__ import annotations

from meldpy.adapter.places import Memory
from meldpy.model.core import MemoryType
from meldpy.model.ids import MemoryId
from meldpy.model.linked import LinkedGraph

PAGE_LOG2 = 16


def memory_of(graph: LinkedGraph, id: MemoryId) -> Memory:
    """`id` with its address type, sharedness and page size."""
    module = graph.modules[graph.core_instances[id.instance].module].module
    imported = sum(isinstance(item.type, MemoryType) for item in module.imports)
    limits = module.memories[id.index - imported].limits
    page_log2 = PAGE_LOG2 if limits.page_size_log2 is None else limits.page_size_log2
    return Memory(id, limits.is64, limits.shared, page_log2)
