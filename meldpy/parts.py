"""From a linked graph to a component: one fused group if that is possible, else several parts side by side.

What cannot be fused exactly is not refused: it stays a nested component beside the fused ones, and the root only wires.
Where it is cut is decided in `cuts`; the parts are made by `resolver.restrict`, and written by `wrapper`; a fused part
goes through the same stages as a whole graph does, which the caller hands in as `flat`.

The flat form comes first, so that a graph that can be fused as a whole costs no more than it did and gives the same
bytes. When a group meets a limit of the engines, which only the merged form can tell, it is halved until it fits.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias, final

from meldpy.analysis.dependencies import Needs
from meldpy.analysis.partition import halves
from meldpy.analysis.used import used_definitions
from meldpy.cuts import Cuts, Reasons, imported_modules
from meldpy.errors import LimitError, MeldError, UnsupportedError
from meldpy.model.component import Component
from meldpy.model.core import CoreModule
from meldpy.model.ids import InstanceId
from meldpy.model.linked import LinkedGraph
from meldpy.model.partition import Part, Partition, Piece, Reason
from meldpy.model.record import Stages
from meldpy.records import dataclass, field
from meldpy.resolver import restrict
from meldpy.scans import Scan
from meldpy.wrapper import Child, write_whole


@final
@dataclass(frozen=True, slots=True)
class Built:
    """A component (or the core module that is to take its place), notes for `-v`, and how many carriers it has.

    beside: files that belong beside it, by name. stages: what was found on the way, for each fused group, if that is
    kept.
    """

    output: Component | CoreModule
    notes: Sequence[str] = ()
    carriers: int = 0
    beside: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    stages: tuple[Stages, ...] = ()


@final
@dataclass(frozen=True, slots=True)
class Assembled:
    """What became of a graph, and how it was cut. built: None if nothing is fused and that is written elsewhere."""

    built: Built | None
    partition: Partition


Flat: TypeAlias = "Callable[[LinkedGraph], Built]"
"""Fuses a whole graph. Raises UnsupportedError or LimitError for what cannot be fused."""

Check: TypeAlias = "Callable[[Component | CoreModule], None]"
"""Is given an output. Raises LimitError if engines cannot take it."""


def assemble(
    graph: LinkedGraph,
    flat: Flat,
    scan: Scan,
    check: Check,
    keep: Mapping[InstanceId, Reason],
    *,
    only_flat: bool = False,
    verbatim: bool = False,
) -> Assembled:
    """The component of `graph`, fused as far as possible, but for the instances in `keep`.

    only_flat: raise what stands against one fused group, instead of keeping anything.
    verbatim: write nothing if nothing is fused.
    """
    opened = list(imported_modules(graph))
    if opened and only_flat:
        raise opened[0][1]
    if not keep and not opened:
        try:
            built = flat(graph)
            check(built.output)
        except (UnsupportedError, LimitError) as error:
            if only_flat:
                raise
            return _Assembly(graph, flat, scan, check, verbatim).run({}, error)
        return Assembled(built, Partition((Part(tuple(each.id for each in graph.instances), fused=True),), {}))
    return _Assembly(graph, flat, scan, check, verbatim).run({id_: (reason,) for id_, reason in keep.items()}, None)


@final
class _Assembly:
    """hand: instances that are kept whatever is in them, which grows by those that no group can take."""

    def __init__(self, graph: LinkedGraph, flat: Flat, scan: Scan, check: Check, verbatim: bool) -> None:
        self.graph = graph
        self.flat = flat
        self.check = check
        self.verbatim = verbatim
        self.used = used_definitions(graph)
        self.cuts = Cuts(graph, scan, self.used)
        self.hand: dict[InstanceId, tuple[Reason, ...]] = {}

    def run(self, keep: Reasons, refused: MeldError | None) -> Assembled:
        """`refused`: why the flat form failed, None if it was not tried."""
        self.hand.update(keep)
        while True:
            needs_, cut = self.cuts.keeping(self.hand)
            if not cut.kept and isinstance(refused, UnsupportedError):
                # It cannot be laid at the door of one instance, so none is fused.
                self.hand.update((each.id, (Reason.of(refused),)) for each in self.graph.instances)
                continue
            try:
                return self._build(cut, needs_)
            except _TooMuch as too_much:
                reason = Reason.of(too_much.error)
                self.hand.update((instance, (reason,)) for instance in too_much.part.instances)

    # --- the parts -----------------------------------------------------------------------------------------------
    def _build(self, cut: Partition, needs_: Needs) -> Assembled:
        """The component of a partition whose groups are halved until they fit. _TooMuch if one cannot be."""
        if self.verbatim and not cut.fused:
            return Assembled(None, cut)
        parts = list(cut.parts)
        made: dict[Part, _Made] = {}
        while True:
            found = self._try(parts, made)
            if isinstance(found, Built):
                return Assembled(found, Partition(tuple(parts), cut.kept))
            part, error = found
            two = halves(part, needs_)
            if two is None:
                raise _TooMuch(part, error)
            parts[parts.index(part) : parts.index(part) + 1] = two

    def _try(self, parts: Sequence[Part], made: dict[Part, _Made]) -> Built | tuple[Part, MeldError]:
        """The whole; or the group that is too much for an engine, and why. `made`: what was made before."""
        for part in parts:
            if part not in made:
                piece = restrict(self.graph, part.instances, self.used)
                try:
                    made[part] = self._fused(piece) if part.fused else _Made(Child(piece, _kept(piece)))
                except (LimitError, UnsupportedError) as error:
                    if not part.fused:
                        raise
                    return part, error
        component = self._whole([made[part].child for part in parts])
        try:
            self.check(component)
        except LimitError as error:
            groups = [part for part in parts if part.fused]
            if not groups:
                raise
            return max(groups, key=lambda part: len(part.instances)), error
        notes = dict.fromkeys(note for part in parts for note in made[part].notes)
        beside = {name: data for part in parts for name, data in made[part].beside.items()}
        stages = tuple(stage for part in parts for stage in made[part].stages)
        return Built(component, tuple(notes), sum(made[part].carriers for part in parts), beside, stages)

    def _whole(self, children: Sequence[Child]) -> Component:
        """The root around its parts. A kept instance that is all there is needs no component of its own."""
        match children:
            case [Child(piece=Piece(instances=(only,)))]:
                return write_whole(self.graph, (only,), ())
            case _:
                return write_whole(self.graph, (), children)

    def _fused(self, piece: Piece) -> _Made:
        built = self.flat(piece.graph)
        assert isinstance(built.output, Component)  # a core module has no parts
        return _Made(Child(piece, built.output), built.notes, built.carriers, built.beside, built.stages)


@final
@dataclass(frozen=True, slots=True)
class _Made:
    child: Child
    notes: Sequence[str] = ()
    carriers: int = 0
    beside: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    stages: tuple[Stages, ...] = ()


@final
class _TooMuch(Exception):
    """A group that cannot be made smaller is still too much."""

    def __init__(self, part: Part, error: MeldError) -> None:
        super().__init__(error.reason)
        self.part = part
        self.error = error


def _kept(piece: Piece) -> Component:
    """A kept part as it was: what lies inside its outermost instance is nested in it again."""
    graph = piece.graph
    outermost, inside = _nesting(piece)
    used = used_definitions(graph)
    pieces = [restrict(graph, members, used) for members in inside]
    pieces.sort(key=lambda each: len(graph.core_instances) if each.first is None else each.first)
    return write_whole(graph, (outermost,), [Child(each, _kept(each)) for each in pieces])


def _nesting(piece: Piece) -> tuple[InstanceId, list[list[InstanceId]]]:
    """The instance that all others of the part are in, and those: grouped by the outermost ones below it."""
    members = set(piece.instances)
    groups: dict[InstanceId, list[InstanceId]] = {}
    tops = []
    for member in piece.instances:
        above = piece.graph.instances[member].parent
        chain = [member]
        while above is not None:
            if above in members:
                chain.append(above)
            above = piece.graph.instances[above].parent
        if len(chain) == 1:
            tops.append(member)
        else:
            groups.setdefault(chain[-2], []).append(member)
    (outermost,) = tops  # instances that need each other in a circle lie in one of them (ADR-0041)
    return outermost, list(groups.values())
