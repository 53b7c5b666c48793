"""Synchronous tasks that would have to block: when one stack is not enough for what happens then, and when it is."""

from __future__ import annotations

import pytest

from meldpy.model.asynchrony import AsyncClass, Asynchrony, Obstacle, SiteKind
from tests.unit.analysis.test_blocking import (
    ASYNC_LOWER,
    CALLBACK_LIFT,
    CANCEL,
    EXPORT_A,
    IMPORT,
    OBEYS,
    STREAM,
    SYNC_LIFT,
    SYNC_LOWER,
    WAIT,
    WITH_A,
    WITH_F,
    YIELD,
    classify,
    classify_with_exits,
    instance,
    obstacles,
)

SYNC_TYPED = '(func (export "s") (canon lift (core func $code "f")))'
BLOCKS_NOT = """(func (export "s") (param "a" u32) (param "b" u32) (param "c" u32) (result u32)
    (canon lift (core func $code "cb")))"""
READ = 'read|(param i32 i32 i32) (result i32)|(canon stream.read $s (memory (core memory $mem "m")))'
EXPORT_S = '(func (export "s") (alias export $a "s"))'


def beside(sync: str, builtins: str = WAIT, lift: str = CALLBACK_LIFT) -> str:
    return f"(component {instance('A', builtins, lift + sync, STREAM)} {EXPORT_A} {EXPORT_S})"


def is_kept(found: Asynchrony, why: Obstacle = Obstacle.SIBLINGS) -> bool:
    """Otherwise one stack is enough."""
    if found.class_ is AsyncClass.F1:
        assert not found.deciding
        return False
    assert (found.class_, found.base, obstacles(found)) == (AsyncClass.F2, None, {why})
    assert all(each.location.offset is not None for each in found.deciding)
    return True


@pytest.mark.parametrize("builtin", [WAIT, YIELD, READ])
def test_a_synchronous_function_that_can_block_beside_an_event_loop(builtin: str) -> None:
    assert is_kept(classify(beside(SYNC_TYPED, builtin)))


def test_a_function_that_is_called_inside_only_is_as_good_as_an_export() -> None:
    callee = instance("A", WAIT, CALLBACK_LIFT + SYNC_TYPED)
    caller = instance("B", SYNC_LOWER, SYNC_TYPED, '(import "f" (func $f))', '(with "f" (func $a "s"))')
    assert is_kept(classify(f'(component {callee} {caller} {EXPORT_A} (func (export "g") (alias export $b "s")))'))
    # nobody calls it
    assert not is_kept(classify(f"(component {callee} {EXPORT_A})"))


def test_a_synchronous_lower_of_what_the_host_does() -> None:
    component = instance("A", SYNC_LOWER, CALLBACK_LIFT + SYNC_TYPED, IMPORT, WITH_F)
    assert is_kept(classify(f'(component (import "f" (func $f async)) {component} {EXPORT_A} {EXPORT_S})'))


def test_a_destructor_is_a_synchronous_function() -> None:
    def dropped(body: str) -> Asynchrony:
        component = instance("A", WAIT, CALLBACK_LIFT)
        component = component.replace(
            '(func (export "f")', f'(func (export "d") (param i32) {body}) (func (export "f")', 1
        )
        resource = '(type $r (resource (rep i32) (dtor (core func $code "d")))) (export "r" (type $r))'
        component = component.replace(CALLBACK_LIFT, resource + CALLBACK_LIFT)
        return classify(f'(component {component} {EXPORT_A} (export "r" (type $a "r")))')

    assert is_kept(dropped("(drop (call $wait (i32.const 0) (i32.const 0)))"))
    assert not is_kept(dropped(""))


# --- neighbours -------------------------------------------------------------------------------------------------------
def test_a_synchronous_function_that_gets_to_no_site_does_not_matter() -> None:
    assert not is_kept(classify(beside(BLOCKS_NOT)))


def test_a_function_of_async_type_may_block() -> None:
    assert not is_kept(classify(beside(SYNC_TYPED.replace('"s")', '"s") async'))))


def test_nobody_waits_where_tasks_exit_at_once_or_wait_on_their_stack() -> None:
    assert not is_kept(classify_with_exits(beside(SYNC_TYPED)))
    assert not is_kept(classify(beside(SYNC_TYPED, lift=SYNC_LIFT)))


def test_what_waits_in_other_instances_does_not_go_on() -> None:
    waiting = instance("A", "", CALLBACK_LIFT)
    blocking = instance("B", WAIT, SYNC_TYPED, IMPORT, WITH_A)
    found = classify(f'(component {waiting} {blocking} {EXPORT_A} (func (export "s") (alias export $b "s")))')
    assert (found.class_, found.base) == (AsyncClass.F1, None)


def test_cancels_are_hoped_to_be_obeyed_in_synchronous_functions_too() -> None:
    def cancelling(more: str) -> Asynchrony:
        callee = instance("A", OBEYS, CALLBACK_LIFT)
        builtins = f"{ASYNC_LOWER}\n{CANCEL}\n{more}"
        caller = instance("B", builtins, CALLBACK_LIFT + SYNC_TYPED, IMPORT, WITH_A)
        exports = '(func (export "f") (alias export $b "f")) (func (export "s") (alias export $b "s"))'
        return classify(f"(component {callee} {caller} {exports})")

    assert not is_kept(cancelling(""))
    assert is_kept(cancelling(WAIT))


# --- callees ----------------------------------------------------------------------------------------------------------
def called(builtins: str, lift: str, caller: str = SYNC_TYPED) -> Asynchrony:
    """A synchronous function of B waits for an async one of A, whose task exits at once if it is a callback lift's."""
    callee = instance("A", builtins, lift)
    calls = instance("B", SYNC_LOWER, caller, IMPORT, WITH_A)
    return classify_with_exits(f'(component {callee} {calls} (func (export "s") (alias export $b "s")))')


def test_a_synchronous_function_waits_for_a_task_that_can_block_and_exits() -> None:
    assert is_kept(called(WAIT, CALLBACK_LIFT), Obstacle.SYNC_CALLER)
    # one of a sync lift knows who is below it
    assert not is_kept(called(WAIT, SYNC_LIFT))
    # nothing blocks
    assert called("", CALLBACK_LIFT).class_ is AsyncClass.F0


def test_a_synchronous_function_waits_for_one_that_yields() -> None:
    for lift in (CALLBACK_LIFT, SYNC_LIFT):
        assert is_kept(called(YIELD, lift), Obstacle.SYNC_CALLER)
    # if its caller is not synchronous
    assert not is_kept(called(YIELD, SYNC_LIFT, SYNC_TYPED.replace('"s")', '"s") async')))


def elsewhere(builtins: str, lift: str) -> Asynchrony:
    """The same where A has another function that gets to the built-ins, and the one that is waited for does not."""
    lifts = lift.replace('code "f"', 'code "h"').replace('code "g"', 'code "i"')
    callee = instance("A", builtins, lifts + SYNC_LIFT.replace('export "f"', 'export "y"'))
    others = '(func (export "h")) (func (export "i") (result i32) i32.const 0)'
    callee = callee.replace('(func (export "f")', f'{others} (func (export "f")', 1)
    calls = instance("B", SYNC_LOWER, SYNC_TYPED, IMPORT, WITH_A)
    exports = '(func (export "s") (alias export $b "s")) (func (export "y") (alias export $a "y"))'
    return classify_with_exits(f"(component {callee} {calls} {exports})")


@pytest.mark.parametrize("builtin", [WAIT, YIELD])
@pytest.mark.parametrize("lift", [CALLBACK_LIFT, SYNC_LIFT])
def test_what_other_functions_of_the_callee_do_is_no_matter(builtin: str, lift: str) -> None:
    found = elsewhere(builtin, lift)
    assert not is_kept(found)
    assert SiteKind.SYNC_LOWER in [site.kind for site in found.sites]


def test_a_synchronous_function_may_come_there_by_way_of_others() -> None:
    def chain(lift: str, builtin: str = WAIT, type: str = "async") -> Asynchrony:
        last = instance("A", builtin, lift)
        middle = instance("B", SYNC_LOWER, SYNC_LIFT, f'(import "f" (func $f {type}))', WITH_A)
        first = instance("C", SYNC_LOWER, SYNC_TYPED, IMPORT, '(with "f" (func $b "f"))')
        exports = '(func (export "s") (alias export $c "s"))'
        return classify_with_exits(f"(component {last} {middle} {first} {exports})")

    assert is_kept(chain(CALLBACK_LIFT), Obstacle.SYNC_CALLER)
    assert not is_kept(chain(SYNC_LIFT))
    assert is_kept(chain(SYNC_LIFT, YIELD), Obstacle.SYNC_CALLER)
    # a yield of a synchronous function is nothing
    assert not is_kept(chain(SYNC_LIFT.replace("async", ""), YIELD, ""))
