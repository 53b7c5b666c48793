"""What the exports of a linked graph mention: lifted functions, and types."""

from __future__ import annotations

from collections.abc import Iterator

from meldpy.model.ids import LiftId, ResourceId
from meldpy.model.linked import FuncItem, InstanceItem, LiftFunc, LinkedGraph, OuterItem, TypeItem
from meldpy.model.valtype import DefinedType, ResourceType, ValType


def exported_lifts(graph: LinkedGraph) -> tuple[LiftId, ...]:
    """The lifted functions that the root exports, each once, in order of first mention."""
    found: dict[LiftId, None] = {}
    for item in _items(graph):
        if isinstance(item, FuncItem) and isinstance(item.func, LiftFunc):
            found[item.func.lift] = None
    return tuple(found)


def exported_types(graph: LinkedGraph) -> tuple[list[ValType], list[ResourceId]]:
    """The value types and resource types that the root exports as types."""
    values: list[ValType] = []
    resources: list[ResourceId] = []
    for item in _items(graph):
        if isinstance(item, TypeItem):
            if isinstance(item.type, DefinedType):
                values.append(item.type)
            elif isinstance(item.type, ResourceType):
                resources.append(item.type.id)
    return values, resources


def _items(graph: LinkedGraph) -> Iterator[OuterItem]:
    """Every exported item, instances opened up, in order."""
    stack = [export.item for export in graph.exports][::-1]
    while stack:
        item = stack.pop()
        yield item
        if isinstance(item, InstanceItem):
            stack += [inner for _, inner in (*item.exports, *item.hidden)][::-1]
