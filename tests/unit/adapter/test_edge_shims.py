"""Shims and wrappers at the outer edge: their form, what they share, and what they leave to others."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import pairwise

import pytest

from meldpy.adapter import adapt
from meldpy.adapter.exports import exported_lifts
from meldpy.adapter.places import Memory
from meldpy.adapter.traps import Trap
from meldpy.errors import Location
from meldpy.model.code import Adapted, EmittedFunc, MemArg, OuterLowerFunc
from meldpy.model.core import CoreFuncType
from meldpy.model.extern import ExternName, FuncType
from meldpy.model.ids import BuiltinId, CoreFuncIndex, ImportFuncId, InstanceId, LiftId, LowerId, ResourceId
from meldpy.model.linked import (
    CanonicalOptions,
    FuncItem,
    ImportFunc,
    InstanceItem,
    LiftFunc,
    LinkedGraph,
    Lower,
    OuterExport,
    Resource,
    ResourceBuiltin,
)
from meldpy.model.valtype import BorrowType, DefinedType, Field, ListType, OwnType, RecordType, ResourceType, ValType
from tests.support.canonical_model import P
from tests.support.crossing import (
    CALLEE,
    POST_RETURN,
    Crossing,
    GuestSide,
    as_written,
    facts,
    func_of,
    limits,
    memory_of,
    runtime_library,
)
from tests.support.link_emitted import I32, I64, Guest, Trapped

HERE = Location("test")
ROOT, CALLER_I, CALLEE_I = InstanceId(0), InstanceId(1), InstanceId(2)
THING, FOREIGN, THIRD = (ResourceType(ResourceId(i)) for i in range(3))
DTOR = func_of(CALLEE, CoreFuncIndex(5))
RESOURCES = (
    Resource(THING.id, CALLEE_I, DTOR, "thing", HERE),
    Resource(FOREIGN.id, None, None, "foreign", HERE),
    Resource(THIRD.id, None, None, "third", HERE),
)
VOID = CoreFuncType((), ())
NOTHING = FuncType((), None)


def own(resource: ResourceType) -> DefinedType:
    return DefinedType(OwnType(resource))


def borrow(resource: ResourceType) -> DefinedType:
    return DefinedType(BorrowType(resource))


def listed(element: ValType) -> DefinedType:
    return DefinedType(ListType(element))


def lower(id: int, instance: InstanceId, params: list[ValType], result: ValType | None = None) -> Lower:
    options = Crossing([]).graph().lowers[0].options
    type = FuncType(tuple((f"p{i}", param) for i, param in enumerate(params)), result)
    return Lower(LowerId(id), instance, ImportFunc(ImportFuncId(0)), type, options, HERE)


def export(graph: LinkedGraph, name: str = "f", lift: int = 0) -> OuterExport:
    return OuterExport(ExternName(name), FuncItem(LiftFunc(LiftId(lift)), graph.lifts[lift].type), HERE)


def exporting(params: list[ValType], result: ValType | None = None, post_return: bool = False) -> LinkedGraph:
    """The callee's function is exported, and another instance uses handles too, so that both have tables."""
    graph = replace(Crossing(params, result, post_return=post_return).graph(), resources=RESOURCES)
    return replace(graph, exports=(export(graph),), lowers=(lower(0, CALLER_I, [own(FOREIGN)]),))


def adapted(graph: LinkedGraph) -> Adapted:
    return adapt(graph, facts(graph), runtime_library())


# --- forms ------------------------------------------------------------------------------------------------------------
def test_a_post_return_alone_needs_no_full_shim() -> None:
    """Only a post-return that wants the guest's own handle back does."""
    thin = adapted(exporting([own(THING)], P.STRING, post_return=True)).outer_lifts[0].options
    assert (thin.memory, thin.post_return) == (memory_of(CALLEE), func_of(CALLEE, POST_RETURN))
    full = adapted(exporting([P.U8], own(THING), post_return=True)).outer_lifts[0].options
    assert full.post_return != func_of(CALLEE, POST_RETURN)
    without = adapted(exporting([own(THING)], own(THING))).outer_lifts[0].options
    assert without.post_return is None


def test_spilled_parameters_without_handles_go_through_a_thin_shim_as_they_are() -> None:
    made = adapted(exporting([P.U8] * 17, own(THING)))
    (outer,) = made.outer_lifts
    assert isinstance(outer.core_func, EmittedFunc)
    shim = made.functions[outer.core_func.emitted]
    assert (shim.type.params, shim.type.results) == ((I32,), (I32,))
    assert outer.options.memory == memory_of(CALLEE)
    first = b"".join(chunk for chunk in shim.body if isinstance(chunk, bytes))
    assert first.startswith(b"\x20\x00\x10"), "the pointer is passed on at once"


def test_a_thin_shim_keeps_the_width_of_the_guests_pointers() -> None:
    wide = Crossing([], caller=GuestSide(limits(True)))

    def edit(graph: LinkedGraph) -> LinkedGraph:
        options = graph.lowers[0].options
        assert options.memory64
        called = replace(lower(0, CALLER_I, [own(FOREIGN), P.STRING]), options=options)
        return replace(graph, resources=RESOURCES, lowers=(called, lower(1, ROOT, [own(FOREIGN)])))

    wide.edit = edit
    with as_written():
        made = wide.adapted()
    shim = made.lowers[LowerId(0)]
    assert isinstance(shim, EmittedFunc)
    assert made.functions[shim.emitted].type == CoreFuncType((I32, I64, I64), ())
    assert made.outer_lowers[0].core_type == CoreFuncType((I32, I64, I64), ())
    assert made.functions[shim.emitted].locals == (I32,), "the handle's; everything else is passed on"


def test_a_memory_is_one_of_32_bits_and_its_own_unless_it_says_otherwise() -> None:
    """As the boundary memory is."""
    assert Memory(memory_of(CALLEE)) == Memory(memory_of(CALLEE), memory64=False, shared=False, page_log2=16)


# --- shared functions -------------------------------------------------------------------------------------------------
def test_all_shims_share_what_takes_a_resource_back() -> None:
    graph = exporting([own(THING), own(THING), listed(own(THING))])
    names = Counter(function.name for function in adapted(graph).functions)
    taking_back = {name: count for name, count in names.items() if "thing" in name and "destructor" not in name}
    assert taking_back
    assert set(taking_back.values()) == {1}


@pytest.mark.parametrize("width", [1, 30])
def test_what_an_imports_shim_outlines_is_written(width: int) -> None:
    """Also if no function is made after it that would write what is pending."""
    record = DefinedType(RecordType(tuple(Field(f"f{i}", listed(own(FOREIGN))) for i in range(width))))
    graph = replace(Crossing([]).graph(), resources=RESOURCES)
    graph = replace(graph, lowers=(lower(0, ROOT, [own(FOREIGN)]), lower(1, CALLER_I, [listed(record)])), lifts=())
    names = [function.name for function in adapted(graph).functions]
    assert any(name.startswith("translate record from caller to the host") for name in names) is (width == 30)


def test_exported_functions_come_in_the_order_of_the_exports() -> None:
    graph = Crossing([]).graph()
    lifts = tuple(replace(graph.lifts[0], id=LiftId(i)) for i in range(4))
    graph = replace(graph, lifts=lifts)
    inner = tuple((ExternName(name), export(graph, lift=lift).item) for name, lift in (("x", 3), ("y", 1)))
    instance = OuterExport(ExternName("i"), InstanceItem(inner), HERE)
    exports = (export(graph, "a", 2), instance, export(graph, "b", 0))
    assert exported_lifts(replace(graph, exports=exports)) == (2, 3, 1, 0)


# --- borrows that the host lends --------------------------------------------------------------------------------------
def test_each_kept_handle_is_dropped_as_what_it_is() -> None:
    with as_written():
        made = adapted(exporting([listed(borrow(FOREIGN)), listed(borrow(THIRD))]))
    (outer,) = made.outer_lifts
    assert isinstance(outer.core_func, EmittedFunc)
    body = made.functions[outer.core_func.emitted].body
    # what follows the load of an entry's resource type
    compared = [
        after
        for before, after in pairwise(body)
        if isinstance(before, MemArg) and before.offset == 4 and isinstance(after, bytes)
    ]
    assert [chunk[:5] for chunk in compared[-2:]] == [bytes((0x41, id, 0x46, 0x04, 0x40)) for id in (1, 2)]


# --- flags at the edge ------------------------------------------------------------------------------------------------
def test_the_outer_post_return_clears_may_leave() -> None:
    def edit(graph: LinkedGraph) -> LinkedGraph:
        called = Lower(LowerId(1), CALLEE_I, ImportFunc(ImportFuncId(0)), NOTHING, CanonicalOptions(), HERE)
        return replace(graph, lowers=(*graph.lowers, called), exports=(export(graph),))

    c = Crossing([], P.U8, 3, post_return=True, may_leave=frozenset([func_of(CALLEE, POST_RETURN)]), edit=edit)
    called: list[int] = []
    leaving = [True]

    def post_return(value: int) -> None:
        if leaving[0]:
            c.linked.call(c.linked.adapted.lowers[LowerId(1)])
        called.append(value)

    c.guests[OuterLowerFunc(LowerId(1))] = Guest(VOID, lambda: None)
    c.guests[func_of(CALLEE, POST_RETURN)] = Guest(CoreFuncType((I32,), ()), post_return)
    c.build()
    (outer,) = c.linked.adapted.outer_lifts
    assert isinstance(outer.options.post_return, EmittedFunc)
    with pytest.raises(Trapped, match=Trap.CANNOT_LEAVE.value):
        c.linked.call(outer.options.post_return, 3)
    leaving[0] = False
    c.build()
    (outer,) = c.linked.adapted.outer_lifts
    assert isinstance(outer.options.post_return, EmittedFunc)
    assert c.linked.call(outer.options.post_return, 3) == []
    c.linked.call(c.linked.adapted.lowers[LowerId(1)])  # it may leave again
    assert called == [3]


def donut(*builtins: ResourceBuiltin) -> LinkedGraph:
    """The caller is the callee's parent; the callee defines a resource type that the root exports."""
    graph = replace(Crossing([]).graph(), resources=RESOURCES[:1], builtins=builtins)
    child = replace(graph.instances[2], parent=CALLER_I)
    result = replace(graph.lifts[0], type=FuncType((), own(THING)))
    call = replace(graph.lowers[0], type=NOTHING, callee=LiftFunc(LiftId(1)))
    other = replace(graph.lifts[0], id=LiftId(1), type=NOTHING)
    return replace(
        graph,
        instances=(*graph.instances[:2], child),
        lifts=(result, other),
        lowers=(call,),
        exports=(export(graph),),
    )


def test_a_destructor_that_the_host_runs_is_the_guests_own() -> None:
    new = ResourceBuiltin(BuiltinId(0), CALLEE_I, "new", THING.id, HERE)
    made = adapted(donut(new))
    assert made.flags == ()
    (resource,) = made.outer_resources
    assert resource.dtor == DTOR
