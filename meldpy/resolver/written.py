"""What the output calls its inputs: by a name that was given, else by their position.

The names of component instances end up in the name section. Where a file lies and what it is called must not change the
output, so the name that an input has from its file is for messages only.
"""

from __future__ import annotations

from collections.abc import Sequence

from meldpy.model.linked import Instance, LinkedGraph
from meldpy.records import replace


def with_written_names(graph: LinkedGraph) -> LinkedGraph:
    """The graph for what writes names: inputs that were given no name are called by their position."""
    called = _written_names(graph)

    def label(instance: Instance) -> str:
        own = instance.parent is None or graph.instances[instance.parent].input is None
        return instance.label if instance.input is None or not own else called[instance.input]

    return replace(graph, instances=tuple(replace(each, label=label(each)) for each in graph.instances))


def _written_names(graph: LinkedGraph) -> list[str]:
    """How the output calls each input."""
    given = {each.name for each in graph.inputs if each.given}
    names = []
    for position, each in enumerate(graph.inputs, 1):
        name = each.name if each.given else f"input{position}"
        while not each.given and name in given:
            name += "'"
        names.append(name)
    return names


def as_users_call(graph: LinkedGraph, memories: Sequence[str]) -> tuple[str, ...]:
    """Names of memories with the inputs' own names in place of the written ones."""
    names = dict(zip(_written_names(graph), (each.name for each in graph.inputs), strict=True))
    found = []
    for memory in memories:
        owner, number, rest = memory.partition(" #")
        found.append(names.get(owner, owner) + number + rest)
    return tuple(found)
