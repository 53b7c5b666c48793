"""Where a graph is cut that cannot be fused as a whole: what is kept, with all reasons, and in which groups others are.

What emitted code does not carry, the adapter says; what follows for the others, `analysis.partition`. An instance that
only its async keeps is put into a group after all if its async passes through there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import Final, TypeAlias, final

from meldpy.adapter import ASYNC, exported_lifts, unsupported, unsupported_forms
from meldpy.analysis import analyse
from meldpy.analysis.dependencies import Needs, needs
from meldpy.analysis.partition import partition
from meldpy.analysis.steps import steps_of
from meldpy.cabi import Abi
from meldpy.errors import UnsupportedError
from meldpy.model.facts import Facts
from meldpy.model.ids import InstanceId, LiftId
from meldpy.model.linked import LiftFunc, LinkedGraph
from meldpy.model.partition import Part, Partition, Reason, Used
from meldpy.resolver import restrict
from meldpy.scans import Scan, Scans

Reasons: TypeAlias = "Mapping[InstanceId, tuple[Reason, ...]]"

_MOST_TRIED: Final = 64
"""Instances that are tried in a group although their async keeps them: each try analyses a group again."""


def imported_modules(graph: LinkedGraph) -> Iterator[tuple[InstanceId, UnsupportedError]]:
    """Each core instance whose module comes from outside, so that nothing is known of it before it runs."""
    for core_instance in graph.core_instances:
        module = graph.modules[core_instance.module]
        if module.imported is not None:
            reason = f"`{module.label}` is a core module that the root component imports"
            error = UnsupportedError("imported core module", reason, module.location, remedy=_MODULE_REMEDY)
            yield core_instance.instance, error


_MODULE_REMEDY = "compose it with what it needs first, so that only functions, types and instances remain at the root"


@final
class Cuts:
    """The cuts of one graph; modules are scanned once for all of them."""

    def __init__(self, graph: LinkedGraph, scan: Scan, used: Used) -> None:
        self.graph = graph
        self.used = used
        self.scans = Scans(scan, [each.module for each in graph.modules if each.imported is not None])
        self.labels = {each.id: each.label for each in graph.instances}
        self.passing: dict[Part, bool] = {}

    def keeping(self, hand: Reasons) -> tuple[Needs, Partition]:
        """The partition with `hand` kept, and all that is unsupported.

        Whatever crosses a cut is called from outside, whether or not the caller's code gets there: so cutting can show
        more that is reached.
        """
        called: frozenset[LiftId] = frozenset()
        while True:
            facts = analyse(self.graph, self.scans, called)
            must_keep = {id_: list(reasons) for id_, reasons in hand.items()}
            for instance, error in self._unsupported(facts):
                must_keep.setdefault(instance, []).append(Reason.of(error))
            steps = steps_of(self.graph, facts, lambda module: self.scans.unread(module) is not None)
            needs_ = needs(self.graph, self.used, steps)
            kept = {id_: tuple(reasons) for id_, reasons in must_keep.items()}
            cut = self._with_passing(needs_, kept, {id_ for id_ in kept if id_ not in hand})
            crossing = self._crossing(cut)
            if crossing <= called:
                return needs_, cut
            called |= crossing

    def _unsupported(self, facts: Facts) -> Iterator[tuple[InstanceId, UnsupportedError]]:
        exported = exported_lifts(self.graph)
        yield from unsupported(self.graph, facts, exported, Abi(), whole=False)
        yield from unsupported_forms(self.graph, facts, exported)
        yield from imported_modules(self.graph)
        for core_instance in self.graph.core_instances:
            error = self.scans.unread(self.graph.modules[core_instance.module].module)
            if error is not None:
                yield core_instance.instance, error

    def _crossing(self, cut: Partition) -> frozenset[LiftId]:
        part_of = {id_: number for number, part in enumerate(cut.parts) for id_ in part.instances}
        return frozenset(
            lift
            for lift, callers in self.used.callers.items()
            for caller in callers
            if caller is not None and part_of[caller] != part_of[self.graph.lifts[lift].instance]
        )

    # --- async that passes through a group ------------------------------------------------------------------------
    def _with_passing(
        self, needs_: Needs, kept: dict[InstanceId, tuple[Reason, ...]], may: set[InstanceId]
    ) -> Partition:
        """The partition in which async passes through wherever a group has one instance with async, and calls inside.

        A group is a graph of its own, for which the rest is the host: so the same conditions make it exact (ADR-0065).
        may: what of `kept` is not to be kept for its own sake.
        """
        cut = partition(needs_, kept, self.labels)
        only_async = [id_ for id_ in kept if id_ in may and all(reason.feature == ASYNC for reason in kept[id_])]
        freed: set[InstanceId] = set()
        for id_ in [each for each in only_async if self._is_called_beside(each, kept)][:_MOST_TRIED]:
            tried = partition(needs_, {each: why for each, why in kept.items() if each != id_}, self.labels)
            if all(self._passes(part, freed | {id_}) for part in tried.parts):
                freed.add(id_)
                del kept[id_]
                cut = tried
        return cut

    def _passes(self, part: Part, freed: AbstractSet[InstanceId]) -> bool:
        """Whether a part has none of the instances whose async is to pass through; or one, and it passes."""
        here = freed & set(part.instances)
        if not here:
            return True
        if not part.fused or len(here) > 1:
            return False
        if part not in self.passing:
            graph = restrict(self.graph, part.instances, self.used).graph
            (instance,) = here
            passes = analyse(graph, self.scans).asynchrony.passing == instance
            self.passing[part] = passes and bool(_neighbours(graph, instance))
        return self.passing[part]

    def _is_called_beside(self, instance: InstanceId, kept: Reasons) -> bool:
        """Whether there is a call between the instance and one that is fused."""
        return any(each not in kept for each in _neighbours(self.graph, instance))


def _neighbours(graph: LinkedGraph, instance: InstanceId) -> set[InstanceId]:
    """The others that call the instance, and that it calls."""
    pairs = (
        {lower.instance, graph.lifts[lower.callee.lift].instance}
        for lower in graph.lowers
        if isinstance(lower.callee, LiftFunc)
    )
    return {each for pair in pairs if instance in pair for each in pair} - {instance}
