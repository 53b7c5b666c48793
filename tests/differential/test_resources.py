"""Resources across fused instances and across the outer edge: what a host sees of a composition and of its fused form.

Each scenario runs on both; the logs must be equal (tests/support/resource_host.py). The compositions are those of
tests/support/resource_guests.py.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
from wasmtime import component as wc
from wasmtime import wat2wasm

from meldpy.pipeline import fuse
from tests.differential.trap_kinds import same_trap
from tests.support.resource_guests import PARENT, THROWER, boxed, chain, mixed, on_host
from tests.support.resource_host import Scenario, Session, run
from tests.support.shape import assert_fused_shape

COMPOSITIONS = {
    "chain": chain(3),
    "host": on_host(),
    "boxed": boxed(),
    "mixed": mixed(),
    "thrower": THROWER,
    "parent": PARENT,
}
NOTHING = wc.Variant("none", None)


@cache
def forms(name: str) -> tuple[bytes, bytes]:
    """A composition and its fused form."""
    composed = bytes(wat2wasm(COMPOSITIONS[name]))
    fused = fuse([composed]).bytes
    assert_fused_shape(fused)
    return composed, fused


def alike(name: str, scenario: Scenario) -> list[object]:
    """The log of a scenario, which both forms agree on."""
    composed, fused = (run(form, scenario) for form in forms(name))
    assert composed[:-1] == fused[:-1]
    match composed[-1], fused[-1]:
        case ("trap", str(engines)), ("trap", str(ours)):
            assert same_trap(engines, ours), (engines, ours)
        case one, other:
            assert one == other
    return fused


def trap(name: str, scenario: Scenario) -> str:
    """The kind of trap that ends the fused form's run, and that the composition's may be called by."""
    match alike(name, scenario)[-1]:
        case ("trap", str(kind)):
            return kind
        case last:
            raise AssertionError(f"no trap, but {last}")


def call(session: Session, *args: Any) -> None:
    """A scenario of one call."""
    session.call(*args)


def record(**fields: object) -> wc.Record:
    made = wc.Record()
    for name, field in fields.items():
        setattr(made, name, field)
    return made


def some(value: object) -> wc.Variant:
    return wc.Variant("some", value)


# --- every shape of value, every pair of instances ------------------------------------------------------------------
@pytest.mark.parametrize(
    ("name", "target"),
    [("chain", "d"), ("chain", "m1"), ("chain", "m2"), ("chain", "m3"), ("host", "m1"), ("host", "m2"), ("host", "m3")],
)
def test_handles_travel_in_every_shape_of_value(name: str, target: str) -> None:
    def scenario(s: Session) -> None:
        one, two, three = (s.call(target, "make", rep) for rep in (1, 2, 3))
        s.call(target, "peek", one)
        s.call(target, "both", one, two)
        last, first = s.call(target, "reverse", [one, three])
        s.call(target, "sum", [last])
        s.call(target, "reverse", [])
        s.call(target, "maybe", some(last))
        s.call(target, "maybe", NOTHING)
        made, _ = s.call(target, "mixed", record(a=last, name="na\u00efve \U0001f9c0", b=first, n=4))
        s.call(target, "peek", made)
        s.call(target, "choose", wc.Variant("one", made))
        s.call(target, "choose", wc.Variant("lent", first))
        s.call(target, "choose", wc.Variant("number", 5))
        s.call(target, "choose", wc.Variant("real", 6.5))
        s.call(target, "try-make", 0)
        tried = s.call(target, "try-make", 8)
        s.drop(tried.payload)
        s.call(target, "many", *range(15), s.call(target, "make", 9), first)
        s.drop(first)
        s.call(target, "drops")

    log = alike(name, scenario)
    digits = 238891 if name == "chain" else 81  # the host's own destructor does not run for what it takes itself
    assert log[-1] == (target, "drops", digits)


@pytest.mark.parametrize("target", ["d", "m1", "m2"])
def test_many_borrows_in_one_list(target: str) -> None:
    def scenario(s: Session) -> None:
        handles = [s.call(target, "make", rep) for rep in (1, 2, 3, 4)]
        s.call(target, "sum", handles)
        s.call(target, "sum", [handles[0]] * 3)
        s.call(target, "sum", [])

    assert alike("chain", scenario)[-3:] == [(target, "sum", 1234), (target, "sum", 111), (target, "sum", 0)]


@pytest.mark.parametrize("name", ["chain", "host"])
def test_long_lists_cross_the_outer_edge_again_and_again(name: str) -> None:
    def scenario(s: Session) -> None:
        handles = [s.call("m2", "make", 7) for _ in range(300)]
        for _ in range(20):
            handles = list(s.call("m2", "reverse", handles))
        s.call("m2", "new-index", handles[0])
        s.call("m2", "sum", handles[1:2])

    alike(name, scenario)


# --- one resource, several holders ----------------------------------------------------------------------------------
@pytest.mark.parametrize("name", ["chain", "host"])
def test_a_resource_goes_from_hand_to_hand(name: str) -> None:
    """Made through one instance, kept by a second, lent to a third, dropped by whoever has it last."""

    def scenario(s: Session) -> None:
        one, two = s.call("m1", "make", 1), s.call("m3", "make", 2)
        s.call("m2", "keep", one)
        s.call("m1", "peek", two)
        back = s.call("m2", "unkeep")
        s.call("m3", "both", back, two)
        s.call("m3", "keep", back)
        s.call("m3", "drop-kept")
        s.call("m1", "drops")

    alike(name, scenario)


@pytest.mark.parametrize("name", ["chain", "host"])
def test_indices_are_those_of_a_table_per_instance(name: str) -> None:
    def scenario(s: Session) -> None:
        handles = [s.call("m1", "make", rep) for rep in range(1, 6)]
        s.call("m1", "index", handles[0])
        s.call("m2", "keep", handles[1])
        s.call("m2", "index", handles[0])
        s.call("m2", "new-index", handles[2])
        s.call("m3", "new-index", handles[3])
        s.call("m1", "drops")
        s.call("m2", "drop-kept")
        s.call("m2", "index", handles[0])

    log = alike(name, scenario)
    assert [entry[2] for entry in log if isinstance(entry, tuple) and "index" in str(entry[1])] == [1, 2, 2, 1, 1]


def test_destructors_run_once_each_in_the_order_of_drops() -> None:
    def scenario(s: Session) -> None:
        handles = [s.call("m3", "make", rep) for rep in range(1, 7)]
        s.drop(handles[4])
        s.call("m2", "new-index", handles[1])
        s.call("d", "take", handles[3])
        s.call("m1", "keep", handles[0])
        s.call("m1", "drop-kept")
        s.drop(handles[5])
        s.call("d", "drops")

    assert alike("chain", scenario)[-1] == ("d", "drops", 52416)


def test_a_resource_type_wraps_handles_of_another() -> None:
    """The box's destructor drops the handle in it, so that one drop runs two destructors, in two instances."""

    def scenario(s: Session) -> None:
        inner = s.call("d", "make", 4)
        boxes = [s.call("b1", "pack", 3), s.call("b1", "wrap", inner), s.call("b1", "pack", 5)]
        s.drop(boxes[0])
        s.call("b1", "burn", boxes[1])
        other = s.call("b2", "pack", 6)
        s.call("b2", "burn", other)
        s.call("d", "drops")
        s.call("b1", "opened")
        s.call("b2", "opened")

    log = alike("boxed", scenario)
    assert [entry[2] for entry in log[-3:]] == [346, 2, 1]  # type: ignore[index]


def test_post_return_gets_the_guests_own_handle_back() -> None:
    def scenario(s: Session) -> None:
        box = s.call("b1", "wrap", s.call("d", "make", 4))
        s.call("d", "peek", s.call("b1", "unwrap", box))

    assert alike("boxed", scenario)[-1] == ("d", "peek", 4)


def test_two_instances_of_one_component_have_two_types() -> None:
    def scenario(s: Session) -> None:
        s.call("x", "indices")
        s.call("a", "drops")
        s.call("b", "drops")

    assert [entry[2] for entry in alike("mixed", scenario)] == [1232, 5, 6]  # type: ignore[index]


# --- traps ------------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("function", "kind"),
    [
        ("own-of-wrong-type", "handle of the wrong resource type"),
        ("borrow-of-wrong-type", "handle of the wrong resource type"),
        ("drop-of-wrong-type", "handle of the wrong resource type"),
        ("zero", "unknown handle index"),
        ("forged-own", "unknown handle index"),
        ("forged-borrow", "unknown handle index"),
        ("twice", "unknown handle index"),
    ],
)
def test_a_bad_handle_traps(function: str, kind: str) -> None:
    assert trap("mixed", lambda s: call(s, "x", function)) == kind


@pytest.mark.parametrize("name", ["chain", "host"])
@pytest.mark.parametrize("target", ["m1", "m2", "m3"])
@pytest.mark.parametrize(
    ("function", "kind"),
    [
        ("hold", "borrow still held"),
        ("stale", "unknown handle index"),
        ("wrong", "handle is not owned"),
        ("lent", "handle is lent"),
    ],
)
def test_misuse_of_what_the_host_gave_traps(name: str, target: str, function: str, kind: str) -> None:
    def scenario(s: Session) -> None:
        s.call(target, "keep", s.call(target, "make", 1))
        s.call(target, function, s.call(target, "make", 2))

    assert trap(name, scenario) == kind


def test_an_exception_stops_at_the_destructor() -> None:
    assert alike("thrower", lambda s: call(s, "u", "try", 1)) == [("u", "try", 1)]
    assert trap("thrower", lambda s: call(s, "u", "try", 13)) == "uncaught exception"


@pytest.mark.parametrize("inside", [0, 1])
def test_a_destructor_enters_its_instance_whether_it_runs_or_not(inside: int) -> None:
    def dropping(s: Session) -> None:
        s.call("p", "go", inside)
        s.call("c", "drops")

    assert alike("parent", dropping)[-1] == ("c", "drops", 5)


# --- calls back in ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("depth", [1, 3])
def test_a_host_function_calls_back_in(depth: int) -> None:
    """While the first call's values lie in the boundary memory, others come and go."""

    def scenario(s: Session) -> None:
        left = [depth]

        def again(inner: Session, name: str) -> None:
            if left[0] and name in ("reverse", "mixed", "sum"):
                left[0] -= 1
                made = [inner.call("m1", "make", rep) for rep in (5, 6)]
                six, five = inner.call("m3", "reverse", made)
                inner.call("m1", "mixed", record(a=six, name="inside", b=five, n=1))
                inner.call("m2", "sum", [five])
                inner.drop(five)

        s.on_host_call = again
        one, two, three = (s.call("m2", "make", rep) for rep in (1, 2, 3))
        three, two, one = s.call("m2", "reverse", [one, two, three])
        s.call("m1", "mixed", record(a=one, name="outside", b=two, n=2))
        s.call("m3", "sum", [three])
        s.call("m3", "reverse", [three, two])

    log = alike("host", scenario)
    assert sum(entry == ("m1", "mixed", ["own", "inside"]) for entry in log) == depth
