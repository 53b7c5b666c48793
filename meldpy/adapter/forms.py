"""Forms of definitions that no adapter here knows: values as references, and reps that are not i32.

What nothing uses does not count. See `refusals` for async.
"""

from __future__ import annotations

from collections.abc import Iterator

from meldpy.errors import UnsupportedError
from meldpy.model.core import NumType
from meldpy.model.facts import Facts
from meldpy.model.ids import InstanceId, LiftId
from meldpy.model.linked import Lift, LinkedGraph, Lower


def unsupported_forms(
    graph: LinkedGraph, facts: Facts, exported: tuple[LiftId, ...]
) -> Iterator[tuple[InstanceId, UnsupportedError]]:
    """Everything of that kind that is reached, in order of ids, with the instance whose it is."""
    used: list[Lift | Lower] = [each for each in graph.lifts if each.id in facts.live.lifts or each.id in exported]
    used += [each for each in graph.lowers if each.id in facts.live.lowers]
    for each in used:
        if each.options.gc or each.options.core_type is not None:
            reason = "a function uses the canonical option gc or core-type"
            yield each.instance, UnsupportedError("canonical option", reason, each.location)
    for resource in graph.resources:
        if resource.definer is not None and resource.rep is not NumType.I32:
            yield (
                resource.definer,
                UnsupportedError(
                    "resource representation",
                    "a resource type is represented by something other than an i32",
                    resource.location,
                    remedy="build the component for a 32-bit memory",
                ),
            )
