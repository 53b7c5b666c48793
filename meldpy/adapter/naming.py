"""What adapters are called, for readers of backtraces: what they cross."""

from __future__ import annotations

from meldpy.model.core import CoreSort
from meldpy.model.ids import FuncId, LiftId, ModuleId
from meldpy.model.linked import LinkedGraph


def lifted_names(graph: LinkedGraph) -> dict[LiftId, str]:
    """What its module exports each lifted function as (toolchains write `interface#function`), or a number."""
    exported: dict[ModuleId, dict[int, str]] = {}
    for module in graph.modules:
        names = exported.setdefault(module.id, {})
        for export in module.module.exports:
            if export.sort is CoreSort.FUNC:
                names.setdefault(export.index, export.name)
    found: dict[LiftId, str] = {}
    for lift in graph.lifts:
        found[lift.id] = f"lift {lift.id}"
        func = lift.core_func
        if isinstance(func, FuncId):
            names = exported[graph.core_instances[func.instance].module]
            if func.index in names:
                found[lift.id] = names[func.index]
    return found
