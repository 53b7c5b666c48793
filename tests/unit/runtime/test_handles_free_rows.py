"""Rows that come free: who gets them next, that nothing else changes, and what a stale index is told."""

from __future__ import annotations

import pytest

from meldpy import runtime
from tests.support.handle_harness import Handles
from tests.support.handle_model import UNKNOWN

TABLE, OTHER = (runtime.table_address(number) for number in (0, 1))
TYPE = runtime.resource_tag(0)


def borrow(handles: Handles, scope: int, rep: int = 5) -> int:
    return handles.count("lower-borrow", TABLE, TYPE, rep, scope)


def own(handles: Handles, table: int = TABLE, rep: int = 4) -> int:
    return handles.count("new-own", table, TYPE, rep)


def test_borrows_take_freed_rows_as_own_handles_do() -> None:
    handles = Handles()
    scope = handles.count("scope-enter")
    for _ in range(20):
        own(handles)
    for index in (7, 20, 1, 13):
        handles.call("drop", TABLE, TYPE, index)
    assert [borrow(handles, scope), own(handles), borrow(handles, scope), borrow(handles, scope)] == [13, 1, 20, 7]
    assert [borrow(handles, scope), own(handles)] == [21, 22]
    for index in (20, 13):  # borrows come free likewise
        assert handles.call("drop", TABLE, TYPE, index) == (0, 5)
    assert [own(handles), borrow(handles, scope)] == [13, 20]


def test_scopes_come_back_last_left_first() -> None:
    handles = Handles()
    scopes = [handles.count("scope-enter") for _ in range(40)]
    assert scopes == list(range(1, 41))
    left = [3, 40, 17, 1]
    for scope in left:
        handles.call("scope-exit", scope)
    assert [handles.count("scope-enter") for _ in range(6)] == [*reversed(left), 41, 42]


@pytest.mark.parametrize("remove", ["take-own", "drop"])
@pytest.mark.parametrize("export", ["rep", "take-own", "drop", "lend", "lend-pushed"])
def test_a_row_that_came_free_is_unknown(remove: str, export: str) -> None:
    handles = Handles()
    for _ in range(3):
        own(handles)
    handles.call(remove, TABLE, TYPE, 2)
    assert handles.trap_of(export, TABLE, TYPE, 2) == UNKNOWN


def test_many_drops_leave_other_tables_and_scopes_as_they_are() -> None:
    """An own handle belongs to no scope, so dropping it tells none."""
    handles = Handles()
    for rep in range(1, 16):
        assert own(handles, rep=rep) == rep
    for _ in range(300):
        assert handles.call("drop", TABLE, TYPE, 15) == (1, 15)
        assert own(handles, rep=15) == 15
    for rep in range(1, 16):
        assert own(handles, OTHER, 100 + rep) == rep
    scope = handles.count("scope-enter")
    borrow(handles, scope)
    handles.call("drop", TABLE, TYPE, 16)
    handles.call("scope-exit", scope)
    for index in range(1, 16):
        assert handles.call("rep", TABLE, TYPE, index) == index
        assert handles.call("rep", OTHER, TYPE, index) == 100 + index


def test_lenders_grow_beside_many_tables() -> None:
    """No row of any table lies where lenders are kept, however many there are of both."""
    handles = Handles()
    tables = [runtime.table_address(number) for number in range(130)]
    for number, table in enumerate(tables):
        assert own(handles, table, 1000 + number) == 1
    mark = handles.count("lenders")
    assert mark == 0
    for _ in range(3):
        for number, table in enumerate(tables):
            assert handles.call("lend-pushed", table, TYPE, 1) == 1000 + number
    assert handles.count("lenders") == 390
    for number, table in enumerate(tables):
        assert own(handles, table, 2000 + number) == 2
    handles.call("release-to", mark)
    for number, table in enumerate(tables):
        assert handles.call("take-own", table, TYPE, 1) == 1000 + number
        assert handles.call("rep", table, TYPE, 2) == 2000 + number


def test_room_for_lenders_doubles_and_no_more() -> None:
    handles = Handles()
    own(handles)
    start = handles.count("pages")
    for _ in range(1000):
        handles.call("lend-pushed", TABLE, TYPE, 1)
    assert handles.count("pages") == start, "a thousand rows are 16 KiB, and as much was given up"
