"""`explain`: what a fuse decided and why, from what its stages recorded.

Instances are called as users call them. A group of a graph that was cut is a graph of its own; it shares the ids of
instances with the whole, and a canonical definition is the same one if its instance and its place are.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from meldpy.adapter import lifted_names
from meldpy.cabi import Abi
from meldpy.errors import Location
from meldpy.model.extern import InstanceType, NamedExtern
from meldpy.model.ids import InstanceId
from meldpy.model.linked import ImportFunc, LiftFunc, LinkedGraph, Lower
from meldpy.model.marks import Inlined
from meldpy.model.partition import Reason
from meldpy.model.record import FuseRecord, Stages
from meldpy.outcome import FuseReport
from meldpy.pipeline import FuseInput, FuseOptions, FuseResult, fuse, scan
from meldpy.records import replace
from meldpy.report.crossings import Marks, checks, class_of, moves, proofs
from meldpy.report.explanation import (
    AdapterClass,
    Explanation,
    Group,
    HostFunction,
    Kept,
    Link,
    Proof,
    Site,
)
from meldpy.report.leftovers import memories, needs, removed
from meldpy.report.linked import extern_of
from meldpy.report.weights import fixed_bytes, per_item
from meldpy.resolver import near_miss_words
from meldpy.wit import Names, function, introduced

__all__ = ["AdapterClass", "Explanation", "explain", "explained"]


def explain(inputs: Sequence[FuseInput | str | Path | bytes], options: FuseOptions | None = None) -> Explanation:
    """Fuse `inputs` as `meldpy.fuse` does, and say what was decided and why; nothing is written.

    Instances are told by their labels, and by ids where labels are not enough.

        >>> told = explain(["fixtures/hello/greeter.wasm", "fixtures/hello/app.wasm"])
        >>> [(link.importer, link.name, link.provider, link.why) for link in told.links]
        [('app', 'demo:hello/greeting@1.0.0', 'greeter', 'an export of that name')]
        >>> [(site.caller, site.callee, site.class_.value, site.type) for site in told.sites]
        [('app', 'greeter', 'copy', 'func(name: string) -> string')]
    """
    options = FuseOptions() if options is None else options
    return explained(fuse(inputs, replace(options, record=True)))


def explained(result: FuseResult) -> Explanation:
    """What a result says that was made with `FuseOptions(record=True)`.

    A lone input of which nothing could even be evaluated has no links and no call sites.
    """
    report, record = result.report, result.record
    told = Explanation(
        inputs=report.inputs,
        output_bytes=report.output_size,
        links=(),
        groups=(),
        kept=tuple(Kept(each.label, each.input, tuple(map(_reason, each.reasons))) for each in report.kept),
        sites=(),
        memories=(),
        removed=(),
        host=(),
        notes=report.notes,
    )
    return told if record is None else _with_record(told, report, record)


def _with_record(told: Explanation, report: FuseReport, record: FuseRecord) -> Explanation:
    graph = record.graph
    labels = [each.label for each in graph.instances]
    fused = [part for part in record.partition.parts if part.fused]
    sites = [site for number, stages in enumerate(record.groups) for site in _sites(graph, stages, number)]
    return replace(
        told,
        links=tuple(_links(graph, report)),
        groups=tuple(Group(tuple(labels[id_] for id_ in part.instances)) for part in fused),
        sites=(*sites, *_engine_sites(graph, record)),
        memories=tuple(each for number, stages in enumerate(record.groups) for each in memories(stages, number, graph)),
        removed=tuple(each for stages in record.groups for each in removed(stages, labels)),
        host=tuple(each for stages in record.groups for each in _host(graph, stages)),
    )


def _reason(reason: Reason) -> str:
    where = "" if reason.location is None else f", at {reason.location}"
    remedy = "" if reason.remedy is None else f"; {reason.remedy}"
    return f"{reason.feature}: {reason.text}{where}{remedy}"


# --- linking ----------------------------------------------------------------------------------------------------------
def _links(graph: LinkedGraph, report: FuseReport) -> Iterator[Link]:
    near = {(each.importer, each.name.name): each for each in report.open_imports}
    for binding in graph.bindings:
        name = binding.name.name
        found = near.get((binding.importer, name))
        misses = () if found is None else tuple(near_miss_words(miss, found.name) for miss in found.near)
        yield Link(binding.importer, name, binding.kind.value, binding.provider, binding.export, misses)
    if not graph.bindings:
        for import_ in graph.imports:
            yield Link(graph.inputs[0].name, import_.name.name, "the only input: its imports stay", None, None, ())


# --- call sites -------------------------------------------------------------------------------------------------------
def _place(lower: Lower) -> tuple[InstanceId, Location]:
    return lower.instance, lower.location


def _sites(whole: LinkedGraph, stages: Stages, group: int) -> Iterator[Site]:
    marks, graph, abi, names = Marks(stages.adapted, scan), stages.graph, Abi(), _names(whole)
    labels = [each.label for each in whole.instances]
    for crossing in stages.adapted.crossings:
        lower, lift = graph.lowers[crossing.lower], graph.lifts[crossing.lift]
        said = marks.of(crossing)
        yield Site(
            caller=labels[lower.instance],
            caller_id=lower.instance,
            callee=labels[lift.instance],
            callee_id=lift.instance,
            function="#".join(lower.path) or crossing.name,
            type=function(names, lift.type),
            class_=class_of(said, crossing, caller_async=lower.options.async_),
            moves=tuple(moves(said)),
            checks=checks(said),
            proved=tuple(Proof(each.what, each.why) for each in proofs(said)),
            inlined=sum(isinstance(mark, Inlined) for mark in said),
            fixed_bytes=fixed_bytes(abi, lift.type),
            per_item=tuple(per_item(abi, lift.type)),
            group=group,
        )


def _engine_sites(graph: LinkedGraph, record: FuseRecord) -> Iterator[Site]:
    """Calls that are left to the engine: between a kept instance and another, or between two groups.

    Of those from a group only what something reaches; what a kept instance reaches is not looked into.
    """
    reached = {
        _place(stages.graph.lowers[outer.lower]) for stages in record.groups for outer in stages.adapted.outer_lowers
    }
    group_of = {
        id_: number if part.fused else None
        for number, part in enumerate(record.partition.parts)
        for id_ in part.instances
    }
    lifted, abi, names = lifted_names(graph), Abi(), _names(graph)
    for lower in graph.lowers:
        if not isinstance(lower.callee, LiftFunc):
            continue
        lift = graph.lifts[lower.callee.lift]
        caller, callee = group_of.get(lower.instance), group_of.get(lift.instance)
        if caller is not None and (caller == callee or _place(lower) not in reached):
            continue
        yield Site(
            caller=graph.instances[lower.instance].label,
            caller_id=lower.instance,
            callee=graph.instances[lift.instance].label,
            callee_id=lift.instance,
            function="#".join(lower.path) or lifted[lift.id],
            type=function(names, lift.type),
            class_=AdapterClass.ENGINE,
            moves=(),
            checks=(),
            proved=(),
            inlined=0,
            fixed_bytes=fixed_bytes(abi, lift.type),
            per_item=tuple(per_item(abi, lift.type)),
            group=None,
        )


def _names(graph: LinkedGraph) -> Names:
    """What the world calls types; resource types have the name that they were first exported by."""
    names = Names()
    names.resources.update((each.id, each.name) for each in graph.resources)
    externs = [(each.name, each.type) for each in graph.imports]
    externs += [(each.name, extern_of(each.item)) for each in graph.exports]
    for name, type_ in externs:
        for called, node in introduced(
            type_.exports if isinstance(type_, InstanceType) else [NamedExtern(name, type_)]
        ):
            names.introduce(node, called)
    return names


# --- the host ---------------------------------------------------------------------------------------------------------
def _host(whole: LinkedGraph, stages: Stages) -> Iterator[HostFunction]:
    """The functions that fused code calls and the whole imports; what another part provides is none of the host's."""
    names, lowers = _names(whole), {_place(lower): lower for lower in whole.lowers}
    for outer in stages.adapted.outer_lowers:
        lower = lowers[_place(stages.graph.lowers[outer.lower])]
        if isinstance(lower.callee, ImportFunc):
            imported = whole.import_funcs[lower.callee.func]
            name = "#".join((whole.imports[imported.import_].name.name, *imported.path))
            caller = whole.instances[lower.instance].label
            yield HostFunction(
                name, caller, lower.instance, function(names, imported.type), tuple(needs(outer.options, stages, whole))
            )
