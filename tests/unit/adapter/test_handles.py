"""Who gets which table, which functions get a shim and of which form, and what a call does to the tables, in order.

The graphs are made by hand (`tests.support.crossing`); the tables are the real runtime library. What a host sees of all
this is in tests/differential/test_resources.py.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from meldpy.adapter import adapt
from meldpy.adapter.exports import exported_lifts
from meldpy.adapter.resources import Tables, handle_tables
from meldpy.cabi import Abi
from meldpy.model.canon import StringEncoding
from meldpy.model.code import Adapted, EmittedFunc, FuncRef, OuterBuiltinFunc, OuterLowerFunc
from meldpy.model.core import CoreFuncType, Limits
from meldpy.model.extern import ExternName, FuncType
from meldpy.model.ids import BuiltinId, CoreFuncIndex, FuncId, ImportFuncId, InstanceId, LiftId, LowerId, ResourceId
from meldpy.model.linked import (
    FuncItem,
    ImportFunc,
    LiftFunc,
    LinkedGraph,
    Lower,
    OuterExport,
    Resource,
    ResourceBuiltin,
)
from meldpy.model.valtype import (
    BorrowType,
    DefinedType,
    Field,
    ListType,
    OptionType,
    OwnType,
    RecordType,
    ResourceType,
    ResultType,
    ValType,
)
from tests.support.canonical_model import P
from tests.support.crossing import (
    CALLEE,
    CALLER,
    HERE,
    REALLOC,
    Crossing,
    as_written,
    facts,
    func_of,
    memory_of,
    runtime_library,
)
from tests.support.link_emitted import I32, Guest, Trapped

ROOT, CALLER_I, CALLEE_I = InstanceId(0), InstanceId(1), InstanceId(2)
THING, OTHER, FOREIGN = (ResourceType(ResourceId(i)) for i in range(3))
DTOR = func_of(CALLEE, CoreFuncIndex(5))
RESOURCES = (
    Resource(THING.id, CALLEE_I, DTOR, "thing", HERE),
    Resource(OTHER.id, CALLER_I, None, "other", HERE),
    Resource(FOREIGN.id, None, None, "foreign", HERE),
)
DROP_TYPE = CoreFuncType((I32,), ())


def own(resource: ResourceType) -> DefinedType:
    return DefinedType(OwnType(resource))


def borrow(resource: ResourceType) -> DefinedType:
    return DefinedType(BorrowType(resource))


def listed(element: ValType) -> DefinedType:
    return DefinedType(ListType(element))


def builtin(id: int, instance: InstanceId, op: str, resource: ResourceType = THING) -> ResourceBuiltin:
    return ResourceBuiltin(BuiltinId(id), instance, op, resource.id, HERE)


def with_resources(graph: LinkedGraph, *builtins: ResourceBuiltin) -> LinkedGraph:
    return replace(graph, resources=RESOURCES, builtins=builtins)


def host_lower(id: int, instance: InstanceId, params: list[ValType], result: ValType | None = None) -> Lower:
    options = Crossing([]).graph().lowers[0].options
    type = FuncType(tuple((f"p{i}", param) for i, param in enumerate(params)), result)
    return Lower(LowerId(id), instance, ImportFunc(ImportFuncId(0)), type, options, HERE)


def exporting(graph: LinkedGraph) -> LinkedGraph:
    """The callee's function is the host's to call, and nobody else's."""
    export = OuterExport(ExternName("f"), FuncItem(LiftFunc(LiftId(0)), graph.lifts[0].type), HERE)
    return replace(graph, exports=(export,), lowers=())


def adapted(graph: LinkedGraph) -> Adapted:
    return adapt(graph, facts(graph), runtime_library())


def tables(graph: LinkedGraph, *opaque: ResourceType) -> Tables:
    return handle_tables(graph, facts(graph), exported_lifts(graph), Abi(), [each.id for each in opaque])


# --- who has which table ----------------------------------------------------------------------------------------------
def test_without_handles_nobody_has_a_table() -> None:
    assert tables(with_resources(Crossing([P.U8]).graph())) == Tables(None, {}, frozenset())


def test_one_user_of_the_outer_table_uses_it_directly() -> None:
    alone = with_resources(Crossing([]).graph(), builtin(0, CALLEE_I, "new"), builtin(1, CALLEE_I, "drop"))
    assert tables(alone) == Tables(CALLEE_I, {}, frozenset())


def test_an_instance_at_the_edge_is_direct_beside_others_that_only_deal_among_themselves() -> None:
    graph = with_resources(Crossing([own(THING)]).graph(), builtin(0, CALLEE_I, "drop"))
    graph = replace(graph, lowers=(*graph.lowers, host_lower(1, ROOT, [own(FOREIGN)])))
    assert tables(graph) == Tables(ROOT, {CALLER_I: 0, CALLEE_I: 1}, frozenset())


def test_whoever_passes_handles_inside_has_a_table() -> None:
    graph = with_resources(Crossing([borrow(THING)]).graph())
    assert tables(graph).numbers == {CALLER_I: 0, CALLEE_I: 1}
    at_the_edge = replace(graph, lowers=(*graph.lowers, host_lower(1, CALLER_I, [own(FOREIGN)])))
    assert tables(at_the_edge) == Tables(None, {CALLER_I: 0, CALLEE_I: 1}, frozenset())


def test_two_users_at_the_edge_both_have_a_table() -> None:
    lowers = (host_lower(0, CALLER_I, [own(FOREIGN)]), host_lower(1, CALLEE_I, [borrow(FOREIGN)]))
    graph = replace(with_resources(Crossing([]).graph()), lowers=lowers)
    assert tables(graph) == Tables(None, {CALLER_I: 0, CALLEE_I: 1}, frozenset())


def test_two_users_that_share_nothing_both_have_a_table() -> None:
    graph = with_resources(Crossing([]).graph(), builtin(0, CALLEE_I, "new"), builtin(1, CALLER_I, "new", OTHER))
    assert tables(graph) == Tables(None, {CALLER_I: 0, CALLEE_I: 1}, frozenset())


def test_an_opaque_rep_needs_that_no_borrow_reaches_another_than_the_definer() -> None:
    to_definer = with_resources(Crossing([own(THING), listed(borrow(THING))]).graph())
    assert tables(to_definer, THING).opaque == {THING.id}
    to_another = with_resources(Crossing([DefinedType(OptionType(borrow(OTHER)))]).graph())
    assert tables(to_another, OTHER).opaque == frozenset()
    assert tables(to_another, THING).opaque == {THING.id}
    assert tables(exporting(to_another), OTHER).opaque == frozenset()


# --- shims ------------------------------------------------------------------------------------------------------------
def uses_table(graph: LinkedGraph) -> LinkedGraph:
    """Make sure that the callee is not the direct instance."""
    return replace(graph, lowers=(*graph.lowers, host_lower(len(graph.lowers), CALLER_I, [own(FOREIGN)])))


def outer_form(params: list[ValType], result: ValType | None = None) -> tuple[bool, Adapted]:
    """Whether the exported function has a function of ours in front, and all that was made."""
    graph = uses_table(exporting(with_resources(Crossing(params, result).graph(), builtin(0, CALLEE_I, "new"))))
    result_ = adapted(graph)
    return result_.outer_lifts[0].core_func != graph.lifts[0].core_func, result_


@pytest.mark.parametrize("params", [[P.STRING], [borrow(THING)], [borrow(THING), P.STRING], [listed(borrow(THING))]])
def test_an_export_without_anything_to_translate_has_no_shim(params: list[ValType]) -> None:
    shim, result = outer_form(params)
    assert not shim
    assert result.outer_lifts[0].options.memory in (None, memory_of(CALLEE))


@pytest.mark.parametrize("type", [own(THING), own(FOREIGN), borrow(FOREIGN), borrow(OTHER)])
def test_top_level_handles_get_a_thin_shim_with_the_guests_memory(type: ValType) -> None:
    shim, result = outer_form([type, P.STRING])
    assert shim
    options = result.outer_lifts[0].options
    assert options.memory == memory_of(CALLEE)
    assert options.realloc == func_of(CALLEE, REALLOC)


@pytest.mark.parametrize(
    ("params", "result"),
    [
        ([listed(own(THING))], None),
        ([DefinedType(OptionType(own(THING)))], None),
        ([DefinedType(RecordType((Field("h", borrow(FOREIGN)),)))], None),
        ([own(THING)] + [P.U8] * 16, None),
        ([P.STRING], DefinedType(ResultType(own(THING), P.STRING))),
    ],
)
def test_handles_inside_values_get_a_full_shim_with_the_boundary_memory(
    params: list[ValType], result: ValType | None
) -> None:
    shim, made = outer_form(params, result)
    assert shim
    made_of = {made.modules[each.module - 2].label: each.id for each in made.runtime}
    options = made.outer_lifts[0].options
    assert options.string_encoding is StringEncoding.UTF8
    assert options.memory is None or options.memory.instance == made_of["runtime handles"]
    assert (options.post_return is not None) == (result is not None)
    if options.realloc is not None:
        assert isinstance(options.realloc, FuncId)
        assert options.realloc.instance == made_of["runtime boundary/beside"]


def test_host_calls_get_the_same_two_forms() -> None:
    thin = host_lower(0, CALLER_I, [borrow(FOREIGN), P.STRING], own(FOREIGN))
    full = host_lower(1, CALLER_I, [listed(own(FOREIGN))])
    plain = host_lower(2, CALLER_I, [P.STRING])
    graph = replace(
        with_resources(Crossing([]).graph()), lowers=(thin, full, plain, host_lower(3, ROOT, [own(FOREIGN)]))
    )
    made = adapted(graph)
    assert [isinstance(made.lowers[LowerId(i)], EmittedFunc) for i in range(3)] == [True, True, False]
    assert made.lowers[LowerId(2)] == OuterLowerFunc(LowerId(2))
    memories = [lower.options.memory for lower in made.outer_lowers]
    assert memories[0] == memories[2] == memory_of(CALLER)
    assert memories[1] is not None
    assert memories[1].instance not in (CALLER, CALLEE)


def test_a_destructor_looks_away_only_if_handles_come_back() -> None:
    _, coming_back = outer_form([own(THING)])
    assert coming_back.outer_resources[0].dtor != DTOR
    assert {"resource.rep", "resource.drop"} <= {f"resource.{each.op}" for each in coming_back.outer_builtins}
    _, only_leaving = outer_form([], own(THING))
    assert only_leaving.outer_resources[0].dtor == DTOR
    assert [each.op for each in only_leaving.outer_builtins] == ["new"]


# --- what a call does -------------------------------------------------------------------------------------------------
class Tabled(Crossing):
    """A call site with built-ins on both sides: 0–2 are the caller's for `resource`, 3–5 the callee's."""

    def __init__(self, params: list[ValType], resource: ResourceType = THING, **more: Any) -> None:
        ops = ("new", "rep", "drop")
        builtins = [
            builtin(i + 3 * n, who, op, resource)
            for n, who in enumerate((CALLER_I, CALLEE_I))
            for i, op in enumerate(ops)
        ]
        super().__init__(params, edit=lambda graph: with_resources(graph, *builtins), **more)
        self.destroyed: list[int] = []
        self.guests[DTOR] = Guest(DROP_TYPE, self.destroyed.append)
        for op, type in (("drop", DROP_TYPE), ("new", CoreFuncType((I32,), (I32,)))):
            self.guests[OuterBuiltinFunc(op, FOREIGN.id)] = Guest(type, lambda _: None)

    def use(self, number: int, *args: int) -> int | None:
        result = self.linked.call(self.linked.adapted.builtins[BuiltinId(number)], *args)
        return result[0] if result else None


def test_an_own_handle_moves_and_its_index_is_used_again() -> None:
    c = Tabled([own(THING)])
    c.build()
    first, second = c.use(0, 77), c.use(0, 88)
    assert [first, second] == [1, 2]
    c.call_raw(1)
    assert c.received == [1]
    assert c.use(4, 1) == 77
    with pytest.raises(Trapped, match="unknown handle index"):
        c.use(1, 1)
    assert c.use(0, 99) == 1


def test_a_definer_gets_the_rep_and_others_get_a_handle_for_the_call() -> None:
    definer = Tabled([borrow(THING)])
    definer.build()
    definer.use(0, 77)
    definer.call_raw(1)
    assert definer.received == [77]

    other = Tabled([borrow(OTHER)], OTHER)
    other.on_call = lambda: other.use(5, 1)
    other.build()
    other.use(0, 77)
    other.call_raw(1)
    assert other.received == [1]
    other.on_call = lambda: None
    with pytest.raises(Trapped, match="borrow still held"):
        other.call_raw(1)


def test_what_is_lent_can_be_neither_dropped_nor_given_away_until_the_call_ends() -> None:
    c = Tabled([borrow(THING), listed(borrow(THING))])
    c.build()
    for rep in (7, 8):
        c.use(0, rep)
    for lent in (1, 2):

        def inside(lent: int = lent) -> None:
            with pytest.raises(Trapped, match="handle is lent"):
                c.use(2, lent)

        c.on_call = inside
        c.call(1, [2, 2])
    assert c.received == [7, [8, 8]]
    assert c.use(2, 1) is None
    assert c.use(2, 2) is None
    assert c.destroyed == [7, 8]


def test_a_drop_runs_the_destructor_for_an_own_handle_only() -> None:
    c = Tabled([borrow(OTHER)], OTHER)
    c.build()
    c.use(0, 5)
    c.on_call = lambda: c.use(5, 1)
    c.call_raw(1)
    assert c.use(1, 1) == 5

    d = Tabled([own(THING)])
    d.build()
    d.use(0, 5)
    d.call_raw(1)
    assert d.destroyed == []
    d.use(5, 1)
    assert d.destroyed == [5]


def test_handles_of_another_type_are_refused() -> None:
    c = Tabled([own(OTHER)])
    c.build()
    c.use(0, 5)
    with pytest.raises(Trapped, match="wrong resource type"):
        c.call_raw(1)


def test_a_destructor_that_may_throw_is_behind_the_barrier() -> None:
    def makes_barrier(*may_throw: FuncId) -> bool:
        c = Tabled([own(THING)], may_throw=frozenset(may_throw))
        (drop,) = [f for f in c.adapted().functions if f.name == "resource.drop of thing in callee"]
        return any(isinstance(chunk, bytes) and b"\x1f\x40\x01\x02" in chunk for chunk in drop.body)

    assert makes_barrier(DTOR)
    assert not makes_barrier()


def test_scopes_and_lenders_are_emitted_only_where_borrows_need_them() -> None:
    def calls(params: list[ValType]) -> set[str]:
        c = Tabled(params, OTHER)
        with as_written():
            made = c.adapted()
        library = {
            export.index: export.name
            for module in made.modules
            if module.label == "runtime handles"
            for export in module.module.exports
        }
        site = made.functions[made.lowers[LowerId(0)].emitted]  # type: ignore[union-attr]
        refs = [chunk.func for chunk in site.body if isinstance(chunk, FuncRef)]
        return {
            library[ref.index] for ref in refs if isinstance(ref, FuncId) and ref.index in library and ref.instance > 1
        }

    assert calls([own(THING)]) == {"take-own", "new-own"}
    assert calls([borrow(THING)]) == {"lend", "unlend"}
    assert calls([borrow(OTHER)]) == {"lend", "unlend", "scope-enter", "lower-borrow", "scope-exit"}
    assert calls([DefinedType(OptionType(borrow(THING)))]) == {"lenders", "lend-pushed", "release-to"}


def test_large_types_with_borrows_take_their_scope_along() -> None:
    deep: ValType = borrow(OTHER)
    for _ in range(40):
        deep = DefinedType(RecordType((Field("a", deep), Field("b", P.U8), Field("c", P.F64))))
    c = Tabled([listed(deep)], OTHER)
    c.build()
    c.use(0, 5)

    def value(handle: int) -> Any:
        made: Any = handle
        for _ in range(40):
            made = [made, 1, 2.5]
        return made

    seen: list[int] = []

    def drop_all() -> None:
        for index in (1, 2):
            assert c.use(4, index) == 5
            c.use(5, index)
            seen.append(index)

    c.on_call = drop_all
    c.caller.limits = c.callee.limits = Limits(1, 1)
    c.call([value(1), value(1)])
    assert seen == [1, 2]
    assert c.use(2, 1) is None


# --- an instance that calls itself ------------------------------------------------------------------------------------
def calling_itself(params: list[ValType], resource: ResourceType) -> Tabled:
    """The callee lowers its own lift; its built-ins are 3–5."""
    c = Tabled(params, resource)
    with_builtins = c.edit

    def edit(graph: LinkedGraph) -> LinkedGraph:
        graph = with_builtins(graph)
        lower = replace(graph.lowers[0], instance=CALLEE_I, options=graph.lifts[0].options)
        return replace(graph, lowers=(lower,))

    c.edit = edit
    c.caller = c.callee
    return c


def test_all_handles_are_lifted_before_any_is_lowered() -> None:
    """Spec: lift_flat_values, then lower_flat_values. The last index that was freed is used first."""
    c = calling_itself([own(THING), own(THING), own(THING)], THING)
    c.build()
    assert [c.use(3, rep) for rep in (10, 20, 30)] == [1, 2, 3]
    c.call_raw(1, 2, 3)
    assert c.received == [3, 2, 1]
    assert [c.use(4, index) for index in (3, 2, 1)] == [10, 20, 30]


def test_borrows_and_owns_that_stay_at_home() -> None:
    c = calling_itself([borrow(OTHER), own(OTHER)], OTHER)
    c.on_call = lambda: c.use(5, 2)
    c.build()
    assert [c.use(3, rep) for rep in (10, 20)] == [1, 2]
    c.call_raw(1, 2)
    # the own handle's index was free again when the borrow was lowered
    assert c.received == [2, 3]
    assert c.use(4, 3) == 20
    assert c.use(5, 1) is None
