"""The order of a call, what each guest is asked for, and the flags."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from meldpy.adapter.traps import Trap
from meldpy.model.code import EmittedFunc, OuterLowerFunc
from meldpy.model.core import CoreFuncType
from meldpy.model.extern import ExternName, FuncType
from meldpy.model.ids import CoreFuncIndex, ImportFuncId, InstanceId, LiftId, LowerId
from meldpy.model.linked import (
    CanonicalOptions,
    FuncItem,
    ImportFunc,
    Lift,
    LiftFunc,
    LinkedGraph,
    Lower,
    OuterExport,
)
from meldpy.model.valtype import DefinedType, ListType, OptionType, TupleType
from tests.support.canonical_model import P
from tests.support.crossing import CALLEE, CALLER, HERE, POST_RETURN, REALLOC, Crossing, func_of
from tests.support.link_emitted import Guest, Trapped

NOTHING = FuncType((), None)
U64S = DefinedType(ListType(P.U64))


def test_realloc_is_called_as_the_spec_says() -> None:
    inner = DefinedType(ListType(DefinedType(TupleType((P.U8, U64S)))))
    c = Crossing([*[P.U8] * 15, inner], inner, [[3, [4, 5]]], post_return=True).build()
    c.call(*[1] * 15, [[7, [8, 9, 10]], [7, []]])
    assert c.callee.log == [
        ("realloc", 0, 0, 4, 24),  # the spilled tuple of parameters
        ("realloc", 0, 0, 4, 24),  # two elements of 12 bytes
        ("realloc", 0, 0, 8, 24),
        ("realloc", 0, 0, 8, 0),  # none, and still asked for
        ("call",),
        ("post-return", c.callee.log[-1][1]),
    ]
    assert c.caller.log == [("realloc", 0, 0, 4, 12), ("realloc", 0, 0, 8, 16)]


def test_post_return_gets_the_flat_results() -> None:
    c = Crossing([], P.U64, 1 << 40, post_return=True).build()
    assert c.call() == 1 << 40
    assert c.callee.log == [("call",), ("post-return", 1 << 40)]


def host_lower(instance: int) -> Lower:
    return Lower(LowerId(1), InstanceId(instance), ImportFunc(ImportFuncId(0)), NOTHING, CanonicalOptions(), HERE)


def with_host_lower(instance: int) -> Any:
    def edit(graph: LinkedGraph) -> LinkedGraph:
        return replace(graph, lowers=(*graph.lowers, host_lower(instance)))

    return edit


@pytest.mark.parametrize("leaves", [False, True])
def test_no_call_out_of_the_callees_realloc(leaves: bool) -> None:
    c = Crossing([U64S], may_leave=frozenset([func_of(CALLEE, REALLOC)]), edit=with_host_lower(2))
    c.guests[OuterLowerFunc(LowerId(1))] = Guest(CoreFuncType((), ()), lambda: None)
    c.build()

    def realloc(*args: int) -> int:
        if leaves:
            c.linked.call(c.linked.adapted.lowers[LowerId(1)])
        return 64

    c.callee.realloc_result = realloc
    c.on_call = lambda: void(c.linked.call(c.linked.adapted.lowers[LowerId(1)]))
    for _ in range(2):  # the function itself may call out, and the flag is as before afterwards
        if leaves:
            with pytest.raises(Trapped, match=Trap.CANNOT_LEAVE.value):
                c.call([1])
            break
        c.call([1])


@pytest.mark.parametrize("leaves", [False, True])
def test_no_call_out_of_post_return(leaves: bool) -> None:
    c = Crossing([], P.U8, 1, post_return=True, may_leave=frozenset([func_of(CALLEE, POST_RETURN)]))
    c.edit = with_host_lower(2)
    c.guests[OuterLowerFunc(LowerId(1))] = Guest(CoreFuncType((), ()), lambda: None)

    def post_return(_: int) -> None:
        if leaves:
            c.linked.call(c.linked.adapted.lowers[LowerId(1)])

    c.guests[func_of(CALLEE, POST_RETURN)] = Guest(CoreFuncType(c.core_type().results, ()), post_return)
    c.build()
    c.on_call = lambda: void(c.linked.call(c.linked.adapted.lowers[LowerId(1)]))
    if leaves:
        with pytest.raises(Trapped, match=Trap.CANNOT_LEAVE.value):
            c.call()
    else:
        assert [c.call(), c.call()] == [1, 1]


@pytest.mark.parametrize("leaves", [False, True])
def test_no_fused_call_out_of_the_callers_realloc(leaves: bool) -> None:
    c = Crossing([], U64S, [1], may_leave=frozenset([func_of(CALLER, REALLOC)])).build()

    def realloc(*args: int) -> int:
        if leaves:
            c.call_raw(128)
        return 64

    c.caller.realloc_result = realloc
    if leaves:
        with pytest.raises(Trapped, match=Trap.CANNOT_LEAVE.value):
            c.call_raw(128)
    else:
        c.call_raw(128)
        c.call_raw(128)


def test_no_flag_and_no_stub_where_no_realloc_or_post_return_leaves() -> None:
    c = Crossing([U64S], U64S, post_return=True, edit=with_host_lower(2))
    adapted = c.adapted()
    assert adapted.flags == ()
    assert adapted.lowers[LowerId(1)] == OuterLowerFunc(LowerId(1))


def test_a_realloc_that_the_type_does_not_need_makes_no_flag() -> None:
    everything = frozenset(func_of(i, f) for i in (CALLER, CALLEE) for f in (REALLOC, POST_RETURN))
    assert Crossing([P.U8], P.U8, may_leave=everything).adapted().flags == ()


def void(_: object) -> None:
    return None


# --- entering -------------------------------------------------------------------------------------------------------
PARENT_G = CoreFuncIndex(7)


def donut(graph: LinkedGraph) -> LinkedGraph:
    """The caller becomes the callee's parent, and the callee can call a function of its parent."""
    child = replace(graph.instances[2], parent=InstanceId(1))
    lift = Lift(LiftId(1), InstanceId(1), func_of(CALLER, PARENT_G), NOTHING, CanonicalOptions(), HERE)
    lower = Lower(LowerId(1), InstanceId(2), LiftFunc(LiftId(1)), NOTHING, CanonicalOptions(), HERE)
    exports = (OuterExport(ExternName("f"), FuncItem(LiftFunc(LiftId(0)), graph.lifts[0].type), HERE),)
    return replace(
        graph,
        instances=(*graph.instances[:2], child),
        lifts=(*graph.lifts, lift),
        lowers=(*graph.lowers, lower),
        exports=exports,
    )


def donut_crossing(depth: int, **more: Any) -> Crossing:
    """parent → child → parent → …, with as many steps after the first as `depth` says."""
    c = Crossing([], P.U8, 1, edit=donut, **more)
    steps = [0]

    def child_runs() -> None:
        if steps[0] < depth:
            steps[0] += 1
            c.linked.call(c.linked.adapted.lowers[LowerId(1)])

    def parent_runs() -> None:
        if steps[0] < depth:
            steps[0] += 1
            c.linked.call(c.linked.adapted.lowers[LowerId(0)])

    c.on_call = child_runs
    c.guests[func_of(CALLER, PARENT_G)] = Guest(CoreFuncType((), ()), parent_runs)
    return c.build()


@pytest.mark.parametrize("depth", [0, 1, 2, 5])
def test_a_parent_and_its_child_call_each_other_again_and_again(depth: int) -> None:
    c = donut_crossing(depth)
    assert [c.call(), c.call()] == [1, 1]
    assert c.linked.adapted.flags == ()


@pytest.mark.parametrize("post_return", [False, True])
def test_the_host_calls_the_childs_function_itself(post_return: bool) -> None:
    (outer,) = donut_crossing(0, post_return=post_return).linked.adapted.outer_lifts
    assert outer.core_func == func_of(CALLEE, CoreFuncIndex(0))
    assert outer.options.post_return == (func_of(CALLEE, POST_RETURN) if post_return else None)


# --- a component that lowers its own lift ---------------------------------------------------------------------------
def test_a_component_may_call_itself() -> None:
    def same_instance(graph: LinkedGraph) -> LinkedGraph:
        lower = replace(graph.lowers[0], instance=InstanceId(2), options=graph.lifts[0].options)
        return replace(graph, lowers=(lower,))

    c = Crossing([U64S, DefinedType(OptionType(P.CHAR))], edit=same_instance).build()
    c.callee.heap.data[4096:4112] = (5).to_bytes(8, "little") + (6).to_bytes(8, "little")
    c.callee.push(c.store)
    c.call_raw(4096, 2, 1, ord("x"))
    assert c.received == [[5, 6], (1, ord("x"))]


# --- outer options ---------------------------------------------------------------------------------------------------
def exported(graph: LinkedGraph) -> LinkedGraph:
    exports = (OuterExport(ExternName("f"), FuncItem(LiftFunc(LiftId(0)), graph.lifts[0].type), HERE),)
    return replace(graph, exports=exports)


def test_an_exported_lift_keeps_only_the_options_its_type_needs() -> None:
    f, realloc = func_of(CALLEE, CoreFuncIndex(0)), func_of(CALLEE, REALLOC)
    (scalar,) = Crossing([P.U8], P.U8, edit=exported).adapted().outer_lifts
    assert (scalar.core_func, scalar.options.memory, scalar.options.realloc) == (f, None, None)
    (reads,) = Crossing([], U64S, edit=exported).adapted().outer_lifts
    assert (reads.options.memory is not None, reads.options.realloc) == (True, None)
    (allocates,) = Crossing([U64S], edit=exported).adapted().outer_lifts
    assert allocates.options.realloc == realloc


def test_the_outer_realloc_clears_may_leave() -> None:
    leaving = frozenset([func_of(CALLEE, REALLOC)])

    def edit(graph: LinkedGraph) -> LinkedGraph:
        return exported(with_host_lower(2)(graph))

    c = Crossing([U64S], may_leave=leaving, edit=edit)
    c.guests[OuterLowerFunc(LowerId(1))] = Guest(CoreFuncType((), ()), lambda: None)
    c.build()
    (outer,) = c.linked.adapted.outer_lifts
    realloc = outer.options.realloc
    assert isinstance(realloc, EmittedFunc)
    assert c.linked.call(realloc, 0, 0, 1, 1) == [64]

    def leave(*args: int) -> int:
        c.linked.call(c.linked.adapted.lowers[LowerId(1)])
        return 0

    c.callee.realloc_result = leave
    with pytest.raises(Trapped, match=Trap.CANNOT_LEAVE.value):
        c.linked.call(realloc, 0, 0, 1, 1)


def test_the_same_graph_gives_the_same_code() -> None:
    def adapted() -> object:
        adapted = Crossing([U64S, P.STRING], U64S, post_return=True).adapted()
        return adapted.functions, adapted.flags, adapted.runtime, adapted.lowers

    assert adapted() == adapted()
