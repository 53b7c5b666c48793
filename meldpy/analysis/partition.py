"""The cut: fused groups and kept instances, so that as few groups as possible hold all that is not kept.

Given: what each instance needs (`dependencies`) and which instances must be kept. Wanted: groups of the others that can
be instantiated one after the other with the kept ones between them, so that no chain of needs leaves a group and comes
back (a group is then *convex*, and the parts form no circle).

Instances that need each other in a circle cannot be parted at all. If one of them is kept, all are: they stay nested as
they were. What remains has no circles, and gets levels:

    level(kept)  = the highest level of what it needs
    level(fused) = the highest of: level of what it needs, plus one if that is kept

Then each is raised as far as those that need it allow, so that a library is in the group of what calls it. All fused
instances of one level are one group. It is convex: a chain that leaves a group through a kept instance and ends in a
fused one ends at a lower level. And there are as few groups as can be: that a fused instance is n levels below the
highest means a chain from there, on which fused and kept alternate n times, and no two of its fused instances can share
a group.
See ADR-0041.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence
from typing import final

from meldpy.analysis.dependencies import Needs
from meldpy.model.ids import InstanceId
from meldpy.model.partition import Part, Partition, Reason

CIRCLE = "calls in both directions"
"""The feature of an instance that is kept because another one in its circle is."""


def partition(
    needs: Needs, must_keep: Mapping[InstanceId, tuple[Reason, ...]], label: Mapping[InstanceId, str]
) -> Partition:
    """The parts, in an order in which they can be instantiated. `label`: what reasons call an instance."""
    circles = list(_circles(needs.edges))
    kept: dict[InstanceId, tuple[Reason, ...]] = {}
    levels: dict[InstanceId, int] = {}
    for circle in circles:  # what a circle needs comes before it
        culprit = next((id_ for id_ in circle if id_ in must_keep), None)
        needed = {id_ for member in circle for id_ in needs.edges[member]} - set(circle)
        level = max((levels[id_] + (culprit is None and id_ in kept) for id_ in needed), default=0)
        levels.update((member, level) for member in circle)
        if culprit is not None:
            reason = Reason(CIRCLE, f"it and `{label[culprit]}`, which is kept, need each other")
            kept.update((member, must_keep.get(member, (reason,))) for member in circle)
    _raise(circles, needs, kept, levels)
    fused: dict[int, list[InstanceId]] = {}
    rest: dict[int, list[tuple[InstanceId, ...]]] = {}
    for circle in circles:
        if circle[0] in kept:
            rest.setdefault(levels[circle[0]], []).append(circle)
        else:
            fused.setdefault(levels[circle[0]], []).extend(circle)
    parts: list[Part] = []
    for level in range(max(levels.values(), default=-1) + 1):
        if level in fused:
            parts.append(Part(tuple(sorted(fused[level])), fused=True))
        parts += (Part(circle, fused=False) for circle in rest.get(level, ()))
    return Partition(tuple(parts), {id_: kept[id_] for id_ in sorted(kept)})


def _raise(
    circles: Sequence[tuple[InstanceId, ...]],
    needs: Needs,
    kept: Container[InstanceId],
    levels: dict[InstanceId, int],
) -> None:
    """Raises each circle as far as those that need it allow."""
    top = max(levels.values(), default=0)
    bounds: dict[InstanceId, int] = {}
    for circle in reversed(circles):  # whoever needs a circle comes first here
        level = min((bounds[member] for member in circle if member in bounds), default=top)
        levels.update((member, level) for member in circle)
        is_kept = circle[0] in kept
        for needed in {id_ for member in circle for id_ in needs.edges[member]} - set(circle):
            bound = level if is_kept or needed not in kept else level - 1
            bounds[needed] = min(bounds.get(needed, bound), bound)


def halves(part: Part, needs: Needs) -> tuple[Part, Part] | None:
    """A fused group as two that can stand in its place, the first not needing the second; None if it cannot be cut."""
    members = set(part.instances)
    inside = {id_: tuple(other for other in needs.edges[id_] if other in members) for id_ in part.instances}
    circles = list(_circles(inside))
    if len(circles) < 2:
        return None
    half, taken = len(part.instances) / 2, 0
    first: list[InstanceId] = []
    for circle in circles[:-1]:
        if first and taken >= half:
            break
        first += circle
        taken += len(circle)
    second = members.difference(first)
    return Part(tuple(sorted(first)), fused=True), Part(tuple(sorted(second)), fused=True)


def _circles(edges: Mapping[InstanceId, Sequence[InstanceId]]) -> Iterator[tuple[InstanceId, ...]]:
    """The strongly connected components, members in order of ids, each after those that it needs (Tarjan)."""
    walk = _Tarjan(edges)
    for start in edges:
        yield from walk.from_(start)


@final
class _Tarjan:
    def __init__(self, edges: Mapping[InstanceId, Sequence[InstanceId]]) -> None:
        self.edges = edges
        self.found: dict[InstanceId, int] = {}
        self.low: dict[InstanceId, int] = {}
        self.open: list[InstanceId] = []
        self.is_open: set[InstanceId] = set()

    def from_(self, start: InstanceId) -> Iterator[tuple[InstanceId, ...]]:
        if start in self.found:
            return
        stack = [(start, self._enter(start))]
        while stack:
            node, rest = stack[-1]
            target = next(rest, None)
            if target is None:
                stack.pop()
                if stack:
                    above = stack[-1][0]
                    self.low[above] = min(self.low[above], self.low[node])
                if self.low[node] == self.found[node]:
                    yield self._close(node)
            elif target not in self.found:
                stack.append((target, self._enter(target)))
            elif target in self.is_open:
                self.low[node] = min(self.low[node], self.found[target])

    def _enter(self, node: InstanceId) -> Iterator[InstanceId]:
        self.found[node] = self.low[node] = len(self.found)
        self.open.append(node)
        self.is_open.add(node)
        return iter(self.edges[node])

    def _close(self, root: InstanceId) -> tuple[InstanceId, ...]:
        members: list[InstanceId] = []
        while not members or members[-1] != root:
            members.append(self.open.pop())
            self.is_open.discard(members[-1])
        return tuple(sorted(members))
