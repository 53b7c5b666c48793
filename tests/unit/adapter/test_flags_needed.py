"""Flags exist for what can run: a realloc, post-return or built-in that nothing reaches makes none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from meldpy.adapter import adapt
from meldpy.errors import Location
from meldpy.model.code import Adapted
from meldpy.model.extern import FuncType
from meldpy.model.ids import BuiltinId, InstanceId, LiftId, LowerId, ResourceId
from meldpy.model.linked import CanonicalOptions, LiftFunc, LinkedGraph, Resource, ResourceBuiltin, ResourceOp
from meldpy.model.valtype import DefinedType, ListType
from tests.support.canonical_model import P
from tests.support.crossing import CALLEE, CALLER, POST_RETURN, REALLOC, Crossing, facts, func_of, runtime_library

HERE = Location("test")
ROOT, PARENT, CHILD = InstanceId(0), InstanceId(1), InstanceId(2)
LEAVING = frozenset(func_of(side, func) for side in (CALLER, CALLEE) for func in (REALLOC, POST_RETURN))
U8S = DefinedType(ListType(P.U8))


def flags(graph: LinkedGraph, live: Callable[[Any], Any] = lambda live: live) -> list[str]:
    known = facts(graph, may_leave=LEAVING)
    made: Adapted = adapt(graph, replace(known, live=live(known.live)), runtime_library())
    return [flag.name for flag in made.flags]


def alone(**more: Any) -> LinkedGraph:
    return replace(Crossing([U8S], P.U8, post_return=True).graph(), **more)


def test_a_call_makes_a_flag_of_the_callee() -> None:
    assert flags(alone()) == ["may_leave of callee"]
    returning = Crossing([], U8S, []).graph()
    assert flags(returning) == ["may_leave of caller"]


def test_without_the_call_there_is_no_flag() -> None:
    assert flags(alone(lowers=()), lambda live: replace(live, lifts=frozenset(), lowers=frozenset())) == []


@pytest.mark.parametrize(("first_leaves", "alive", "expected"), [(0, 1, 1), (1, 1, 0), (1, 0, 1), (0, 0, 0)])
def test_only_what_is_alive_counts(first_leaves: bool, alive: int, expected: int) -> None:
    """Of two call sites, one needs a realloc that leaves; one of them is alive."""
    graph = alone()
    leaving, plain = graph.lifts[0], replace(graph.lifts[0], type=FuncType((), None), options=CanonicalOptions())
    types = (leaving, plain) if first_leaves else (plain, leaving)
    lifts = tuple(replace(lift, id=LiftId(i)) for i, lift in enumerate(types))
    lowers = tuple(
        replace(graph.lowers[0], id=LowerId(i), type=lift.type, callee=LiftFunc(lift.id))
        for i, lift in enumerate(lifts)
    )
    keep = lambda live: replace(live, lifts=frozenset([LiftId(alive)]), lowers=frozenset([LowerId(alive)]))  # noqa: E731
    assert flags(replace(graph, lifts=lifts, lowers=lowers), keep) == ["may_leave of callee"] * expected


@pytest.mark.parametrize("op", ["new", "rep", "drop"])
@pytest.mark.parametrize("definer", [None, PARENT, CHILD])
def test_built_ins_make_no_flag(op: ResourceOp, definer: InstanceId | None) -> None:
    """Not even a parent's drop of what its child defines: a running instance may be entered."""
    graph = Crossing([]).graph()
    child = replace(graph.instances[2], parent=PARENT)
    thing = Resource(ResourceId(0), definer, None, "thing", HERE)
    builtins = (ResourceBuiltin(BuiltinId(0), PARENT, op, thing.id, HERE),)
    graph = replace(
        graph, instances=(*graph.instances[:2], child), resources=(thing,), builtins=builtins, lowers=(), lifts=()
    )
    assert flags(graph) == []
