"""`adapt`: code for every crossing of a component boundary.

Between fused instances a crossing is a call site, one lower paired with one lift, and becomes a trampoline. At the
outer edge it stays a canon definition of the output's component, with stubs where flags are alive. What cannot be
done faithfully is refused before anything is written. Nothing here knows an index: bodies hold symbols, and `merge`
lays them out.
"""

from __future__ import annotations

from meldpy.adapter.boundary import OuterEdge
from meldpy.adapter.emitter import Workshop
from meldpy.adapter.exports import exported_lifts
from meldpy.adapter.flags import entering, leaving_instances
from meldpy.adapter.functions import Functions
from meldpy.adapter.library import Instances, RuntimeLibrary
from meldpy.adapter.plan import plan
from meldpy.adapter.refusals import refuse_unsupported
from meldpy.adapter.resources import outer_resources, outer_table_user
from meldpy.adapter.symbols import Symbols
from meldpy.adapter.trampoline import emit_trampoline
from meldpy.adapter.translate import translate
from meldpy.cabi import Abi
from meldpy.errors import MeldError
from meldpy.model.code import Adapted, EmittedFunc
from meldpy.model.facts import Facts
from meldpy.model.ids import LowerId
from meldpy.model.linked import LiftFunc, LinkedGraph, Lower, ResourceBuiltin


def adapt(graph: LinkedGraph, facts: Facts, runtime: RuntimeLibrary) -> Adapted:
    """Everything that a linked graph needs beside its own core modules. `runtime`: the runtime library by name.

    Raises UnsupportedError for what is reached and cannot be fused (`refusals`, `resources`).
    """
    abi = Abi()
    exported = exported_lifts(graph)
    refuse_unsupported(graph, facts, exported, abi)
    outer_table_user(graph, facts, exported, abi)

    # Decide: which flags are alive.
    symbols = Symbols(facts.forwards)
    functions = Functions()
    labels = {instance.id: instance.label for instance in graph.instances}
    leaving = leaving_instances(graph, facts, exported, symbols, abi)
    leave_flags = {id: functions.flag(f"may_leave of {labels[id]}", 1) for id in leaving}
    enters = entering(graph, facts)
    enter_flags = {id: functions.flag(f"entries of {labels[id]}", 0) for id in sorted(enters.flagged)}
    library = Instances(runtime, len(graph.modules), len(graph.core_instances))
    shop = Workshop(abi, functions, library, facts.may_throw, leave_flags, labels, translate)
    edge = OuterEdge(shop, graph, symbols, enters, enter_flags)

    # Name: every live lower and built-in gets its function before any body that might call it is written.
    calls, host_calls = _live_lowers(graph, facts)
    sites: dict[LowerId, EmittedFunc] = {lower.id: functions.reserve() for lower in calls}
    symbols.lowers.update(sites)
    symbols.lowers.update({lower.id: edge.host_call(lower) for lower in host_calls})
    builtins = _live_builtins(graph, facts)
    symbols.builtins.update({builtin.id: edge.builtin_call(builtin) for builtin in builtins})

    # Emit: the trampolines, each followed by the helpers it is the first to ask for.
    for lower in calls:
        assert isinstance(lower.callee, LiftFunc)
        site = plan(graph, lower, graph.lifts[lower.callee.lift], symbols, enters, abi)
        try:
            emit_trampoline(shop, sites[lower.id], site, enter_flags)
            shop.finish()
        except MeldError as error:
            error.at(lower.location)
            raise

    # The outer edge.
    outer_lifts = tuple(edge.outer_lift(graph.lifts[id]) for id in exported)
    resources = tuple(edge.outer_resource(id) for id in outer_resources(graph, facts, exported, abi))
    return Adapted(
        functions=functions.functions,
        flags=functions.flags,
        modules=library.modules,
        runtime=library.instances,
        lowers=symbols.lowers,
        builtins=symbols.builtins,
        outer_lifts=outer_lifts,
        outer_lowers=tuple(edge.outer_lower(lower) for lower in host_calls),
        outer_builtins=tuple(edge.outer_builtin(builtin) for builtin in builtins),
        outer_resources=resources,
    )


def _live_lowers(graph: LinkedGraph, facts: Facts) -> tuple[list[Lower], list[Lower]]:
    """The live lowers of lifted functions, and those of imported ones."""
    live = [lower for lower in graph.lowers if lower.id in facts.live.lowers]
    calls = [lower for lower in live if isinstance(lower.callee, LiftFunc)]
    return calls, [lower for lower in live if not isinstance(lower.callee, LiftFunc)]


def _live_builtins(graph: LinkedGraph, facts: Facts) -> list[ResourceBuiltin]:
    """The live resource built-ins; all others were refused."""
    live = [builtin for builtin in graph.builtins if builtin.id in facts.live.builtins]
    resource_builtins = [builtin for builtin in live if isinstance(builtin, ResourceBuiltin)]
    assert len(resource_builtins) == len(live)
    return resource_builtins
