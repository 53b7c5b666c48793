"""`--opaque-rep`: which resource types a user means, and what became of it. The effect is decided in `resources`.

Names are what interfaces call a resource type: `interface.name`, where the interface is all before the last dot. A name
may stand for several resource types (a component instantiated twice), and then means all of them.
"""

from __future__ import annotations

from collections.abc import Sequence

from meldpy.errors import LinkError
from meldpy.model.code import Adapted
from meldpy.model.ids import ResourceId
from meldpy.model.linked import LinkedGraph


def declared_opaque(graph: LinkedGraph, names: Sequence[str]) -> frozenset[ResourceId]:
    """The resource types with these names. LinkError for a name that none has."""
    found: set[ResourceId] = set()
    for name in names:
        meant = _called(graph, name)
        if not meant:
            raise LinkError(
                f"no resource type is called `{name}`",
                causes=tuple(f"there is `{alias}`" for alias in _known(graph)),
                remedy="say INTERFACE.RESOURCE, with the interface's version if it has one",
            )
        found |= meant
    return frozenset(found)


def opaque_notes(graph: LinkedGraph, names: Sequence[str], adapted: Adapted) -> list[str]:
    """For each of the names whose reps could not be passed as they are, a note that says why."""
    why = "a borrow of it is passed to an instance that does not define it"
    return [
        f"`{name}` keeps its handle tables despite --opaque-rep: {why}"
        for name in names
        if not _called(graph, name) <= adapted.opaque_reps
    ]


def _called(graph: LinkedGraph, name: str) -> set[ResourceId]:
    return {resource.id for resource in graph.resources if name in resource.aliases}


def _known(graph: LinkedGraph) -> list[str]:
    return sorted({alias for resource in graph.resources for alias in resource.aliases})
