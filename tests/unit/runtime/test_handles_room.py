"""The memory of the handle tables: what they take, how they grow, and what happens when they cannot."""

from __future__ import annotations

import pytest

from meldpy import runtime
from tests.support.handle_harness import Handles
from tests.support.handle_model import FULL, UNKNOWN

TABLE, OTHER = (runtime.table_address(number) for number in (0, 1))
TYPE, FOREIGN = (runtime.resource_tag(number) for number in (0, 1))


DRIVERS = """
  (func (export "fill") (param $table i32) (param $type i32) (param $number i32) (result i32)
    (local $index i32)
    loop $next
      (local.set $index (call $handle.new_own (local.get $table) (local.get $type) (local.get $number)))
      (local.set $number (i32.sub (local.get $number) (i32.const 1)))
      (br_if $next (local.get $number))
    end
    local.get $index)
  (func (export "poke") (param i32 i32)
    (i32.store (local.get 0) (local.get 1)))
  ;; In each cycle an own handle is made, lent as a borrow, given away and dropped. Returns how many owned were dropped.
  (func (export "soak") (param $from i32) (param $to i32) (param $type i32) (param $cycles i32) (result i32)
    (local $index i32) (local $borrow i32) (local $scope i32) (local $mark i32) (local $dropped i32)
    loop $next
      (local.set $index (call $handle.new_own (local.get $from) (local.get $type) (local.get $cycles)))
      (local.set $mark (call $handle.lenders))
      (local.set $scope (call $handle.scope_enter))
      (local.set $borrow
        (call $handle.lower_borrow
          (local.get $to)
          (local.get $type)
          (call $handle.lend_pushed (local.get $from) (local.get $type) (local.get $index))
          (local.get $scope)))
      (call $handle.drop (local.get $to) (local.get $type) (local.get $borrow))
      drop
      (local.set $dropped (i32.add (local.get $dropped)))
      (call $handle.scope_exit (local.get $scope))
      (call $handle.release_to (local.get $mark))
      (local.set $index
        (call $handle.new_own
          (local.get $to)
          (local.get $type)
          (call $handle.take_own (local.get $from) (local.get $type) (local.get $index))))
      (call $handle.drop (local.get $to) (local.get $type) (local.get $index))
      drop
      (local.set $dropped (i32.add (local.get $dropped)))
      (local.set $cycles (i32.sub (local.get $cycles) (i32.const 1)))
      (br_if $next (local.get $cycles))
    end
    local.get $dropped)
"""


def test_a_million_cycles_take_no_room() -> None:
    handles = Handles(DRIVERS)
    handles.call("soak", TABLE, OTHER, TYPE, 1)
    before = handles.count("pages")
    assert handles.count("soak", TABLE, OTHER, TYPE, 3_000_000) == 3_000_000
    assert handles.count("pages") == before
    assert handles.count("lenders") == 0
    assert handles.call("new-own", TABLE, TYPE, 0) == 1
    assert handles.call("new-own", OTHER, TYPE, 0) == 1
    assert handles.call("scope-enter") == 1


def test_a_table_that_grows_alone_takes_the_room_of_its_rows() -> None:
    handles = Handles(DRIVERS)
    assert handles.count("fill", TABLE, TYPE, 100_000) == 100_000
    assert handles.count("pages") == 3 + 2**17 * 16 // 65536
    assert [handles.call("rep", TABLE, TYPE, index) for index in (1, 50_000, 100_000)] == [100_000, 50_001, 1]


@pytest.mark.parametrize("export", ["rep", "take-own", "drop", "lend", "lend-pushed"])
def test_the_index_behind_a_table_at_the_end_of_the_memory_is_unknown(export: str) -> None:
    handles = Handles(DRIVERS)
    assert handles.count("fill", TABLE, TYPE, 4095) == 4095
    assert handles.count("pages") == 4
    assert handles.trap_of(export, TABLE, TYPE, 4096) == UNKNOWN


def test_tables_that_grow_together_keep_their_handles_apart() -> None:
    handles = Handles(DRIVERS)
    for number in range(1, 300):
        handles.call("fill", TABLE, TYPE, number)
        handles.call("fill", OTHER, FOREIGN, number)
    total = 299 * 300 // 2
    for table, type in ((TABLE, TYPE), (OTHER, FOREIGN)):
        expected = [rep for number in range(1, 300) for rep in range(number, 0, -1)]
        chosen = [*range(1, 600), *range(1000, total, 777), total]
        assert [handles.call("rep", table, type, index) for index in chosen] == [expected[i - 1] for i in chosen]


def test_a_table_is_full_when_the_memory_cannot_grow() -> None:
    handles = Handles(DRIVERS, pages=5)
    handles.call("new-own", OTHER, TYPE, 0)
    assert handles.trap_of("fill", TABLE, TYPE, 100_000) == FULL
    assert handles.call("rep", TABLE, TYPE, 2047) == 100_000 - 2046
    assert handles.call("drop", TABLE, TYPE, 33) == (1, 100_000 - 32)
    assert handles.call("new-own", TABLE, TYPE, 1) == 33
    assert handles.trap_of("new-own", TABLE, TYPE, 1) == FULL


@pytest.mark.parametrize("export", ["scope-enter", "lend-pushed"])
def test_scopes_and_lenders_need_room_too(export: str) -> None:
    handles = Handles(pages=4)
    args = () if export == "scope-enter" else (TABLE, TYPE, handles.count("new-own", TABLE, TYPE, 0))
    for _ in range(2**15):
        trap = handles.trap_of(export, *args)
        if trap:
            break
    assert trap == FULL


def test_nothing_wraps_around_at_the_end_of_the_memory() -> None:
    handles = Handles(DRIVERS)
    handles.call("new-own", TABLE, TYPE, 0)
    for used in (2**32 - 0x3_0000 - 256, 2**32 - 0x3_0000 - 16):
        handles.call("poke", 0, used)
        assert handles.trap_of("new-own", OTHER, TYPE, 0) == FULL
        assert handles.trap_of("scope-enter") == FULL


@pytest.mark.parametrize("used", [256, 2**31])
def test_no_table_has_2_to_the_28_rows(used: int) -> None:
    """Doubling 2^27 rows, in place or not, is beyond a 32-bit memory."""
    handles = Handles(DRIVERS)
    handles.call("new-own", TABLE, TYPE, 0)
    handles.call("poke", 0, used)
    for offset in (4, 8):
        handles.call("poke", TABLE + offset, 2**27)
    assert handles.trap_of("new-own", TABLE, TYPE, 0) == FULL


@pytest.mark.parametrize("export", ["rep", "take-own", "drop", "lend", "lend-pushed"])
def test_before_the_first_row_no_index_is_known_and_no_page_is_taken(export: str) -> None:
    handles = Handles()
    assert handles.trap_of(export, TABLE, TYPE, 1) == UNKNOWN
    assert handles.count("pages") == 0
    assert handles.call("new-own", TABLE, TYPE, 5) == 1
    assert handles.count("pages") == runtime.FIRST_PAGES[runtime.HANDLES]


def test_a_call_that_lends_nothing_takes_no_page() -> None:
    handles = Handles()
    handles.call("release-to", handles.count("lenders"))
    assert handles.count("pages") == 0


def test_the_first_scope_takes_the_first_pages() -> None:
    handles = Handles()
    scope = handles.count("scope-enter")
    assert handles.call("rep", TABLE, TYPE, handles.count("lower-borrow", TABLE, TYPE, 7, scope)) == 7
    assert handles.count("pages") == runtime.FIRST_PAGES[runtime.HANDLES]


@pytest.mark.parametrize("export", ["new-own", "scope-enter"])
def test_without_room_for_the_first_row_the_table_is_full(export: str) -> None:
    handles = Handles(pages=3)
    assert handles.trap_of(export, *((TABLE, TYPE, 0) if export == "new-own" else ())) == FULL
    assert handles.count("pages") == 0
