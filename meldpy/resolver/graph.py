"""The linked graph as a networkx MultiDiGraph, for pictures and questions.

Nodes are component instances (by InstanceId) and, as "outside", the world around them; an edge goes from caller to
callee for every call site, host call and lifted export. networkx is imported here and only when asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from meldpy.model.ids import InstanceId
from meldpy.model.linked import FuncItem, ImportFunc, InstanceItem, LiftFunc, LinkedGraph, OuterItem

if TYPE_CHECKING:
    import networkx

    InstanceGraph: TypeAlias = networkx.MultiDiGraph[InstanceId | str]

OUTSIDE = "outside"


def to_networkx(graph: LinkedGraph) -> InstanceGraph:
    """Nodes carry `label`, `parent` and `input`; edges `kind` ("call", "host call", "export"), and what they link.

    call: `lower` and `lift` (ids); host call: `lower` and `import` (number) and `path`; export: `lift` and `path`.
    """
    import networkx

    made: InstanceGraph = networkx.MultiDiGraph()
    made.add_node(OUTSIDE, label=OUTSIDE, parent=None, input=None)
    for instance in graph.instances:
        made.add_node(instance.id, label=instance.label, parent=instance.parent, input=instance.input)
    for lower in graph.lowers:
        match lower.callee:
            case LiftFunc(lift):
                made.add_edge(lower.instance, graph.lifts[lift].instance, kind="call", lower=lower.id, lift=lift)
            case ImportFunc(func):
                imported = graph.import_funcs[func]
                attributes = {"lower": lower.id, "import": imported.import_, "path": imported.path}
                made.add_edge(lower.instance, OUTSIDE, kind="host call", **attributes)
    for export in graph.exports:
        _add_exports(made, graph, export.item, (export.name.name,))
    return made


def _add_exports(made: InstanceGraph, graph: LinkedGraph, item: OuterItem, path: tuple[str, ...]) -> None:
    match item:
        case FuncItem(func=LiftFunc(lift)):
            made.add_edge(OUTSIDE, graph.lifts[lift].instance, kind="export", lift=lift, path=path)
        case InstanceItem():
            for name, inner in item.exports:
                _add_exports(made, graph, inner, (*path, name.name))
        case _:
            pass
