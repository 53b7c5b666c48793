"""What is refused, by name and place, and what one user of resources gets."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from meldpy.adapter import adapt
from meldpy.errors import Location, UnsupportedError
from meldpy.model.canon import BuiltinOp
from meldpy.model.code import Adapted, EmittedFunc, OuterBuiltinFunc, OuterLowerFunc
from meldpy.model.core import CoreFuncType
from meldpy.model.extern import ExternName, FuncType
from meldpy.model.ids import BuiltinId, CoreFuncIndex, ImportFuncId, InstanceId, LiftId, LowerId, ResourceId
from meldpy.model.linked import (
    AsyncBuiltin,
    BuiltinFunc,
    CanonicalOptions,
    FuncItem,
    ImportFunc,
    InstanceItem,
    LiftFunc,
    LinkedGraph,
    Lower,
    LowerFunc,
    OuterExport,
    Resource,
    ResourceBuiltin,
    TypeItem,
)
from meldpy.model.valtype import (
    DefinedType,
    ListType,
    OptionType,
    OwnType,
    ResourceType,
    ValType,
)
from tests.support.canonical_model import P
from tests.support.crossing import CALLEE, HERE, REALLOC, Crossing, facts, func_of, runtime_library
from tests.support.link_emitted import I32, Guest, Trapped

CALLER_I, CALLEE_I = InstanceId(1), InstanceId(2)
PLACE = Location("there", 7)
THING = ResourceType(ResourceId(0))
OWN = DefinedType(OwnType(THING))
DTOR = func_of(CALLEE, CoreFuncIndex(5))


def adapted(graph: LinkedGraph, **changes: Any) -> Adapted:
    known = facts(graph)
    return adapt(graph, replace(known, **changes) if changes else known, runtime_library())


def refused(graph: LinkedGraph) -> UnsupportedError:
    with pytest.raises(UnsupportedError) as caught:
        adapted(graph)
    assert caught.value.location is not None
    return caught.value


def without_call(**more: Any) -> LinkedGraph:
    """Two instances, a resource type that the callee defines, and no call site."""
    thing = Resource(ResourceId(0), CALLEE_I, DTOR, "thing", HERE)
    return replace(Crossing([]).graph(), **{"lowers": (), "resources": (thing,), **more})


def host_lower(id: int, instance: InstanceId, *params: ValType) -> Lower:
    type = FuncType(tuple((f"p{i}", p) for i, p in enumerate(params)), None)
    return Lower(LowerId(id), instance, ImportFunc(ImportFuncId(0)), type, CanonicalOptions(), PLACE)


def builtin(id: int, instance: InstanceId, op: str) -> ResourceBuiltin:
    return ResourceBuiltin(BuiltinId(id), instance, op, ResourceId(0), PLACE)


# --- async ------------------------------------------------------------------------------------------------------------
def test_what_async_cannot_carry_is_refused_where_it_is_reached() -> None:
    graph = Crossing([]).graph()
    lift, lower = graph.lifts[0], graph.lowers[0]
    async_type = FuncType((), None, async_=True)
    stackful = replace(lift, type=async_type, options=replace(lift.options, async_=True))
    thread = AsyncBuiltin(BuiltinId(0), CALLER_I, BuiltinOp.THREAD_INDEX, PLACE)
    cases = [
        (replace(graph, lifts=(stackful,), lowers=(replace(lower, type=async_type),)), "no callback"),
        (replace(graph, lowers=(host_lower(0, CALLER_I, P.ERROR_CONTEXT),)), "error-context"),
        (
            replace(graph, builtins=(thread,)),
            "thread.index",
        ),
    ]
    for case, word in cases:
        error = refused(case)
        assert error.feature == "async"
        assert word in error.reason


def test_what_nothing_reaches_is_not_refused() -> None:
    graph = Crossing([]).graph()
    graph = replace(
        graph,
        lowers=(replace(graph.lowers[0], options=replace(graph.lowers[0].options, async_=True)),),
        builtins=(AsyncBuiltin(BuiltinId(0), CALLER_I, BuiltinOp.TASK_RETURN, PLACE),),
    )
    live = replace(facts(graph).live, lowers=frozenset(), builtins=frozenset())
    assert adapted(graph, live=live).lowers == {}


def test_an_exported_lift_is_refused_even_if_nothing_calls_it() -> None:
    graph = Crossing([]).graph()
    type_ = FuncType((("e", P.ERROR_CONTEXT),), None, async_=True)
    lift = replace(graph.lifts[0], type=type_)
    export = OuterExport(ExternName("f"), FuncItem(LiftFunc(LiftId(0)), lift.type), HERE)
    graph = replace(graph, lifts=(lift,), lowers=(), exports=(export,))
    live = replace(facts(graph).live, lifts=frozenset())
    with pytest.raises(UnsupportedError, match="exported"):
        adapted(graph, live=live)


# --- resources --------------------------------------------------------------------------------------------------------
def test_one_user_gets_the_engines_built_ins_and_destructor() -> None:
    ops = ("new", "rep", "drop")
    graph = without_call(
        builtins=tuple(builtin(i, CALLEE_I, op) for i, op in enumerate(ops)),
        lowers=(host_lower(0, CALLEE_I, OWN), host_lower(1, CALLER_I, P.U8)),
    )
    result = adapted(graph)
    assert [result.builtins[BuiltinId(i)] for i in range(3)] == [OuterBuiltinFunc(op, ResourceId(0)) for op in ops]
    assert [b.op for b in result.outer_builtins] == list(ops)
    assert [b.core_type.results for b in result.outer_builtins] == [(I32,), (I32,), ()]
    assert [(r.resource, r.dtor) for r in result.outer_resources] == [(0, DTOR)]
    assert [lower.lower for lower in result.outer_lowers] == [0, 1]
    assert result.functions == ()


def test_an_imported_resource_is_not_defined_again() -> None:
    graph = without_call(builtins=(builtin(0, CALLEE_I, "drop"),))
    graph = replace(graph, resources=(replace(graph.resources[0], definer=None, dtor=None),))
    assert adapted(graph).outer_resources == ()


@pytest.mark.parametrize("type", [THING, DefinedType(OptionType(OWN))])
def test_a_resource_that_only_an_exported_type_mentions_is_defined(type: Any) -> None:
    item = InstanceItem(((ExternName("t"), TypeItem(type)),))
    graph = without_call(exports=(OuterExport(ExternName("i"), item, HERE),))
    assert [r.resource for r in adapted(graph).outer_resources] == [0]
    assert adapted(without_call()).outer_resources == ()


def test_new_and_drop_check_may_leave_and_rep_does_not() -> None:
    def edit(graph: LinkedGraph) -> LinkedGraph:
        builtins = tuple(builtin(i, CALLEE_I, op) for i, op in enumerate(("new", "rep", "drop")))
        return replace(graph, builtins=builtins, resources=without_call().resources)

    c = Crossing([DefinedType(ListType(P.U8))], may_leave=frozenset([func_of(CALLEE, REALLOC)]), edit=edit)
    for op in ("new", "rep", "drop"):
        type = CoreFuncType((I32,), () if op == "drop" else (I32,))
        c.guests[OuterBuiltinFunc(op, ResourceId(0))] = Guest(type, (lambda _: None) if op == "drop" else lambda x: x)
    c.build()
    new, rep, drop = (c.linked.adapted.builtins[BuiltinId(i)] for i in range(3))
    assert rep == OuterBuiltinFunc("rep", ResourceId(0))
    assert c.linked.call(new, 5) == [5]
    assert c.linked.call(drop, 5) == []

    for leaving in (new, drop):
        c.callee.realloc_result = lambda *_, leaving=leaving: c.linked.call(leaving, 5)[0]
        with pytest.raises(Trapped, match="cannot leave"):
            c.call([1])


# --- symbols ----------------------------------------------------------------------------------------------------------
def test_forwards_are_followed() -> None:
    graph = Crossing([]).graph()
    shim, target = func_of(CALLEE, CoreFuncIndex(0)), func_of(CALLEE, CoreFuncIndex(9))
    export = OuterExport(ExternName("f"), FuncItem(LiftFunc(LiftId(0)), graph.lifts[0].type), HERE)
    graph = replace(graph, exports=(export,))
    again = func_of(CALLEE, CoreFuncIndex(8))
    assert adapted(graph, forwards={shim: again, again: target}).outer_lifts[0].core_func == target


def test_a_lift_of_a_lower_or_a_built_in_is_what_implements_it() -> None:
    graph = without_call(lowers=(host_lower(0, CALLEE_I),), builtins=(builtin(0, CALLEE_I, "rep"),))
    export = OuterExport(ExternName("f"), FuncItem(LiftFunc(LiftId(0)), graph.lifts[0].type), HERE)
    graph = replace(graph, exports=(export,))
    lift = graph.lifts[0]
    of_lower = replace(graph, lifts=(replace(lift, core_func=LowerFunc(LowerId(0))),))
    assert adapted(of_lower).outer_lifts[0].core_func == OuterLowerFunc(LowerId(0))
    rep_type = FuncType((("h", P.U32),), P.U32)
    of_builtin = replace(graph, lifts=(replace(lift, core_func=BuiltinFunc(BuiltinId(0)), type=rep_type),))
    assert adapted(of_builtin).outer_lifts[0].core_func == OuterBuiltinFunc("rep", ResourceId(0))


def test_a_chain_of_call_sites_calls_through_reserved_symbols() -> None:
    """The callee's core function is itself a lower whose adapter has a later id."""
    graph = Crossing([]).graph()
    second = replace(graph.lifts[0], id=LiftId(1), core_func=func_of(CALLEE, CoreFuncIndex(9)))
    first = replace(graph.lifts[0], core_func=LowerFunc(LowerId(1)))
    inner = replace(graph.lowers[0], id=LowerId(1), instance=CALLEE_I, callee=LiftFunc(LiftId(1)))
    result = adapted(replace(graph, lifts=(first, second), lowers=(graph.lowers[0], inner)))
    assert [result.lowers[LowerId(i)] for i in range(2)] == [result_symbol(result, i) for i in range(2)]


def result_symbol(result: Adapted, index: int) -> EmittedFunc:
    return EmittedFunc(result.functions[index].id)
