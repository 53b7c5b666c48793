"""Who defines and uses each resource type, and where its handles are, as `meld inspect` shows it."""

from __future__ import annotations

from dataclasses import replace

from meldpy.adapter import resource_uses
from meldpy.adapter.exports import exported_lifts
from meldpy.adapter.resources import handle_tables
from meldpy.adapter.uses import ResourceUse, TableKind
from meldpy.cabi import Abi
from meldpy.errors import Location
from meldpy.model.extern import ExternName, FuncType
from meldpy.model.ids import BuiltinId, CoreFuncIndex, ImportFuncId, InstanceId, LiftId, LowerId, ResourceId
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
from meldpy.model.valtype import BorrowType, DefinedType, ListType, OwnType, ResourceType, ValType
from tests.support.crossing import CALLEE, Crossing, facts, func_of

ROOT, CALLER_I, CALLEE_I = InstanceId(0), InstanceId(1), InstanceId(2)
HERE = Location("test")
THING, FOREIGN = ResourceType(ResourceId(0)), ResourceType(ResourceId(1))
RESOURCES = (
    Resource(THING.id, CALLEE_I, func_of(CALLEE, CoreFuncIndex(5)), "thing", HERE, ("thing", "a:b/c.thing")),
    Resource(FOREIGN.id, None, None, "foreign", HERE, ("foreign",)),
)
UNUSED = (
    ResourceUse("a:b/c.thing", "callee", (), TableKind.OUTER),
    ResourceUse("foreign", None, (), TableKind.OUTER),
)


def own(resource: ResourceType) -> DefinedType:
    return DefinedType(OwnType(resource))


def graph(params: list[ValType], *builtins: ResourceBuiltin) -> LinkedGraph:
    return replace(Crossing(params).graph(), resources=RESOURCES, builtins=builtins)


def builtin(instance: InstanceId, resource: ResourceType = THING) -> ResourceBuiltin:
    return ResourceBuiltin(BuiltinId(0), instance, "new", resource.id, HERE)


def uses(of: LinkedGraph) -> tuple[ResourceUse, ...]:
    return resource_uses(of, facts(of))


def test_what_nobody_uses_is_outside() -> None:
    assert uses(graph([])) == UNUSED


def test_what_stands_only_for_another_is_left_out() -> None:
    nameless = replace(RESOURCES[1], aliases=())
    both = replace(graph([own(THING)]), resources=(RESOURCES[0], nameless))
    assert [use.name for use in uses(both)] == ["a:b/c.thing"]
    used = replace(graph([own(FOREIGN)]), resources=(RESOURCES[0], nameless))
    assert [use.name for use in uses(used)] == ["a:b/c.thing", "foreign"]


def test_a_built_in_is_a_use_and_one_user_is_direct() -> None:
    thing, foreign = uses(graph([], builtin(CALLEE_I)))
    assert thing == ResourceUse("a:b/c.thing", "callee", ("callee",), TableKind.DIRECT)
    assert foreign == UNUSED[1]


def test_a_built_in_that_nothing_reaches_is_no_use() -> None:
    of = graph([], builtin(CALLEE_I))
    known = facts(of)
    dead = replace(known, live=replace(known.live, builtins=frozenset()))
    assert resource_uses(of, dead) == UNUSED


def test_a_fused_call_is_a_use_by_both_sides() -> None:
    thing, _ = uses(graph([DefinedType(ListType(own(THING)))]))
    assert thing == ResourceUse("a:b/c.thing", "callee", ("caller", "callee"), TableKind.TABLE)
    of = graph([own(THING)])
    (opaque, _) = resource_uses(of, facts(of), [THING.id])
    assert opaque == replace(thing, kind=TableKind.OPAQUE)


def test_a_fused_call_that_nothing_reaches_is_no_use() -> None:
    of = graph([own(THING)])
    known = facts(of)
    dead = replace(known, live=replace(known.live, lowers=frozenset(), lifts=frozenset()))
    assert resource_uses(of, dead) == UNUSED


def test_a_call_of_the_host_is_a_use_by_its_caller() -> None:
    type = FuncType((("p", DefinedType(BorrowType(FOREIGN))),), None)
    options = Crossing([]).graph().lowers[0].options
    of = graph([])
    of = replace(of, lowers=(Lower(LowerId(0), CALLER_I, ImportFunc(ImportFuncId(0)), type, options, HERE),))
    _, foreign = uses(of)
    assert foreign == ResourceUse("foreign", None, ("caller",), TableKind.DIRECT)


def test_an_exported_function_is_a_use_by_its_instance() -> None:
    of = graph([own(FOREIGN)])
    export = OuterExport(ExternName("f"), FuncItem(LiftFunc(LiftId(0)), of.lifts[0].type), HERE)
    _, foreign = uses(replace(of, exports=(export,), lowers=()))
    assert foreign == ResourceUse("foreign", None, ("callee",), TableKind.DIRECT)


def test_nobody_is_direct_if_several_meet_the_host() -> None:
    """Not even the one that shares nothing inside: the engine's table would hold handles of both."""
    of = graph([own(THING)])
    type = FuncType((("p", own(FOREIGN)),), None)
    lowers = tuple(
        Lower(LowerId(i), who, ImportFunc(ImportFuncId(0)), type, of.lowers[0].options, HERE)
        for i, who in ((1, ROOT), (2, CALLER_I))
    )

    def direct(*more: Lower) -> InstanceId | None:
        made = replace(of, lowers=(*of.lowers, *more))
        return handle_tables(made, facts(made), exported_lifts(made), Abi()).direct

    assert direct(lowers[0]) == ROOT
    assert direct(*lowers) is None
