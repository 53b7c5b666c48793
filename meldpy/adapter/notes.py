"""What is said of async in a fused output beside the summary: what stays the engine's, and where cancels have to wait.

Why async is not fused at all is not said here but by whoever keeps it nested (`refusals`, `analysis.passing`).
"""

from __future__ import annotations

from meldpy.model.asynchrony import Asynchrony, SiteKind
from meldpy.model.code import Adapted
from meldpy.model.linked import LinkedGraph


def async_notes(graph: LinkedGraph, asynchrony: Asynchrony, adapted: Adapted) -> list[str]:
    """Notes for `-v` about the async of a graph that was fused, one for each component that they are about."""
    if adapted.passing is not None:
        label = graph.instances[adapted.passing].label
        return [f"the async of `{label}` stays the engine's: no call between components has to do with it"]
    if not asynchrony.cancelling:
        return []
    sites = (site for site in asynchrony.sites if site.kind is SiteKind.CANCEL_SUBTASK)
    notes = []
    for id_ in dict.fromkeys(site.instance for site in sites):
        instance = graph.instances[id_]
        assert instance.input is not None, "the root of several inputs has no code"
        notes.append(
            f"a synchronous subtask.cancel of `{instance.label}` that is not obeyed at once waits on its stack, or"
            f" traps where that is not exact; --keep {graph.inputs[instance.input].name} leaves it to the engine"
        )
    return list(dict.fromkeys(notes))
