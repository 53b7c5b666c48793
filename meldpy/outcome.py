"""What `fuse` says it did: the report, as data, and how it follows from the linked graph and its cut."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias, final

from meldpy.errors import LinkError, UnsupportedError
from meldpy.model.bindings import OpenImport
from meldpy.model.ids import InstanceId
from meldpy.model.linked import LiftFunc, LinkedGraph
from meldpy.model.partition import Reason
from meldpy.model.record import FuseRecord
from meldpy.records import dataclass, field

if TYPE_CHECKING:
    from meldpy.parts import Assembled


@final
@dataclass(frozen=True, slots=True)
class KeptInstance:
    """A component instance that is a component of its own in the output, and why."""

    label: str
    input: str | None
    reasons: tuple[Reason, ...]


@final
@dataclass(frozen=True, slots=True)
class FuseReport:
    """What was done. Sizes in bytes.

    call_sites: crossings that became core calls; engine_call_sites: those that are left to the engine. groups: fused
    ones; fused_instances, kept: the component instances in them, and beside them.
    As INPUT:NAME: `kept_inside`, what libraries export besides what satisfied an import, and the output does not;
    `exported_for_types`, what the output exports only because other exports mention its types.
    engine_limits: what the embedded engine cannot do with the output, which is valid.
    open_imports: with several inputs, what none of them satisfies and no option leaves open, and what came near it.
    """

    inputs: tuple[tuple[str, int], ...]
    output_size: int
    call_sites: int
    core_instances: int
    carriers: int
    notes: tuple[str, ...] = ()
    kept_inside: tuple[str, ...] = ()
    exported_for_types: tuple[str, ...] = ()
    engine_limits: tuple[str, ...] = ()
    open_imports: tuple[OpenImport, ...] = ()
    engine_call_sites: int = 0
    groups: int = 1
    fused_instances: int = 0
    kept: tuple[KeptInstance, ...] = ()


Files: TypeAlias = "Mapping[str, bytes]"


@final
@dataclass(frozen=True, slots=True)
class FuseResult:
    """beside: files that belong beside the output, by name. record: what the stages found, if that was asked for."""

    bytes: bytes = field(repr=False)
    report: FuseReport
    beside: Files = field(default_factory=dict, repr=False)
    record: FuseRecord | None = field(default=None, repr=False, compare=False)


def result_of(
    data: bytes,
    limits: tuple[str, ...],
    inputs: tuple[tuple[str, int], ...],
    graph: LinkedGraph,
    assembled: Assembled,
    notes: Sequence[str],
    *,
    record: bool = False,
) -> FuseResult:
    """The output `data` of `graph`, which was cut and built as `assembled` says. inputs: names and sizes; limits: what
    the embedded engine cannot do with it."""
    cut, built = assembled.partition, assembled.built
    group_of = {id_: number for number, part in enumerate(cut.parts) if part.fused for id_ in part.instances}
    calls = [
        (group_of.get(lower.instance), group_of.get(graph.lifts[lower.callee.lift].instance))
        for lower in graph.lowers
        if isinstance(lower.callee, LiftFunc)
    ]
    inside = sum(caller is not None and caller == callee for caller, callee in calls)
    report = FuseReport(
        inputs=inputs,
        output_size=len(data),
        call_sites=inside,
        core_instances=len(graph.core_instances),
        carriers=0 if built is None else built.carriers,
        notes=(*notes, *(() if built is None else built.notes)),
        kept_inside=graph.kept_inside,
        exported_for_types=graph.exported_for_types,
        engine_limits=limits,
        open_imports=graph.open_imports,
        engine_call_sites=len(calls) - inside,
        groups=sum(part.fused for part in cut.parts),
        fused_instances=cut.fused,
        kept=tuple(_kept_instance(graph, id_, reasons) for id_, reasons in cut.kept.items()),
    )
    kept = FuseRecord(graph, cut, () if built is None else built.stages) if record else None
    return FuseResult(data, report, {} if built is None else built.beside, kept)


def untouched(
    data: bytes, inputs: tuple[tuple[str, int], ...], error: UnsupportedError, notes: Sequence[str]
) -> FuseResult:
    """The only input as it went in, because it holds something that cannot even be evaluated."""
    ((name, _),) = inputs
    kept = KeptInstance(name, name, (Reason.of(error),))
    return FuseResult(data, FuseReport(inputs, len(data), 0, 0, 0, tuple(notes), groups=0, kept=(kept,)))


def kept_by_hand(graph: LinkedGraph, keeps: Sequence[str]) -> dict[InstanceId, Reason]:
    """The instances of the inputs with these names. LinkError for a name that no input has."""
    names = [item.name for item in graph.inputs]
    for name in keeps:
        if name not in names:
            known = ", ".join(f"`{each}`" for each in names)
            raise LinkError(
                f"--keep: no input is called `{name}`",
                causes=(f"there are: {known}",),
                remedy="name one of these; NAME=FILE gives an input another name",
            )
    return {
        instance.id: Reason("isolation", f"--keep {names[instance.input]}", instance.location)
        for instance in graph.instances
        if instance.input is not None and names[instance.input] in keeps
    }


def _kept_instance(graph: LinkedGraph, id_: InstanceId, reasons: tuple[Reason, ...]) -> KeptInstance:
    instance = graph.instances[id_]
    input_ = None if instance.input is None else graph.inputs[instance.input].name
    return KeptInstance(instance.label, input_, reasons)
