"""The handle tables, run under the engine: each rule by itself, and what emitted code relies on."""

from __future__ import annotations

import pytest

from meldpy import runtime
from meldpy.errors import LimitError
from meldpy.model.code import FuncRef
from meldpy.model.core import CoreFuncType, NumType
from meldpy.model.ids import CoreFuncIndex, FuncId
from tests.support.core_graph import CoreGraph
from tests.support.handle_harness import Handles, module
from tests.support.handle_model import HELD, LENT, NOT_OWNED, TRAPS, UNKNOWN, WRONG_TYPE

TABLE, OTHER = (runtime.table_address(number) for number in (0, 1))
TYPE, FOREIGN = (runtime.resource_tag(number) for number in (0, 1))
FORGED = (0, 15, 16, 17, 2**27, 2**28 - 1, 2**28, 2**28 + 1, 2**31, 2**32 - 1)
INDEXED = ("rep", "take-own", "drop", "lend", "lend-pushed")


# --- indices ------------------------------------------------------------------------------------------------
def test_the_first_handle_is_1_in_every_table() -> None:
    handles = Handles()
    last = runtime.table_address(runtime.MAX_TABLES - 1)
    for table in (TABLE, OTHER, last):
        assert [handles.call("new-own", table, TYPE, 7) for _ in range(3)] == [1, 2, 3]


@pytest.mark.parametrize("remove", ["drop", "take-own"])
def test_freed_indices_come_back_last_freed_first(remove: str) -> None:
    handles = Handles()
    for _ in range(40):
        handles.call("new-own", TABLE, TYPE, 0)
    freed = [3, 40, 17, 1, 39]
    for index in freed:
        handles.call(remove, TABLE, TYPE, index)
    assert [handles.call("new-own", TABLE, TYPE, 0) for _ in range(7)] == [*reversed(freed), 41, 42]


@pytest.mark.parametrize("export", INDEXED)
@pytest.mark.parametrize("index", FORGED)
def test_an_index_that_is_no_handle_is_unknown(export: str, index: int) -> None:
    handles = Handles()
    assert handles.trap_of(export, TABLE, TYPE, index) == UNKNOWN
    for _ in range(14):
        handles.call("new-own", TABLE, TYPE, 0)
    assert handles.trap_of(export, TABLE, TYPE, index) == UNKNOWN


@pytest.mark.parametrize("export", INDEXED)
def test_a_handle_is_unknown_after_it_went_and_in_other_tables(export: str) -> None:
    handles = Handles()
    handles.call("new-own", TABLE, TYPE, 5)
    handles.call("new-own", TABLE, TYPE, 6)
    assert handles.trap_of(export, OTHER, TYPE, 1) == UNKNOWN
    handles.call("drop", TABLE, TYPE, 1)
    assert handles.trap_of(export, TABLE, TYPE, 1) == UNKNOWN
    assert handles.call("rep", TABLE, TYPE, 2) == 6


def test_a_peek_finds_what_is_owned_and_changes_nothing() -> None:
    """Nothing else is a handle to it; it does not ask whether what it finds is lent."""
    handles = Handles()
    handles.call("new-own", TABLE, TYPE, 5)
    scope = handles.count("scope-enter")
    assert handles.count("lower-borrow", TABLE, TYPE, 9, scope) == 2
    handles.call("new-own", TABLE, TYPE, 7)
    handles.call("drop", TABLE, TYPE, 3)
    assert [handles.call("peek", TABLE, TYPE, index) for index in (1, 2, 3, *FORGED)] == [5, 0, 0] + [0] * len(FORGED)
    assert handles.call("peek", TABLE, FOREIGN, 1) == handles.call("peek", OTHER, TYPE, 1) == 0
    handles.call("lend", TABLE, TYPE, 1)
    assert handles.call("peek", TABLE, TYPE, 1) == 5
    handles.call("unlend", TABLE, 1)
    assert handles.call("take-own", TABLE, TYPE, 1) == 5


# --- the order of checks ------------------------------------------------------------------------------------
@pytest.mark.parametrize("export", INDEXED)
def test_the_type_is_checked_before_lends_and_ownership(export: str) -> None:
    handles = Handles()
    scope = handles.count("scope-enter")
    handles.call("lower-borrow", TABLE, TYPE, 9, scope)
    handles.call("lend", TABLE, TYPE, 1)
    assert handles.trap_of(export, TABLE, FOREIGN, 1) == WRONG_TYPE


def test_lends_are_checked_before_ownership() -> None:
    handles = Handles()
    scope = handles.count("scope-enter")
    index = handles.count("lower-borrow", TABLE, TYPE, 9, scope)
    handles.call("lend", TABLE, TYPE, index)
    assert handles.trap_of("take-own", TABLE, TYPE, index) == LENT
    assert handles.trap_of("drop", TABLE, TYPE, index) == LENT
    handles.call("unlend", TABLE, index)
    assert handles.trap_of("take-own", TABLE, TYPE, index) == NOT_OWNED
    assert handles.call("drop", TABLE, TYPE, index) == (0, 9)


@pytest.mark.parametrize("times", [1, 2, 30])
def test_a_handle_is_lent_until_each_lend_is_undone(times: int) -> None:
    handles = Handles()
    handles.call("new-own", TABLE, TYPE, 4)
    mark = handles.count("lenders")
    for _ in range(times):
        assert handles.call("lend", TABLE, TYPE, 1) == 4
        assert handles.call("lend-pushed", TABLE, TYPE, 1) == 4
    for _ in range(times):
        assert handles.trap_of("drop", TABLE, TYPE, 1) == LENT
        handles.call("unlend", TABLE, 1)
    assert handles.trap_of("take-own", TABLE, TYPE, 1) == LENT
    handles.call("release-to", mark)
    assert handles.call("drop", TABLE, TYPE, 1) == (1, 4)


def test_an_inner_call_releases_its_own_lenders_only() -> None:
    handles = Handles()
    for rep in (1, 2):
        handles.call("new-own", TABLE, TYPE, rep)
    outer = handles.count("lenders")
    handles.call("lend-pushed", TABLE, TYPE, 1)
    inner = handles.count("lenders")
    handles.call("lend-pushed", TABLE, TYPE, 2)
    handles.call("lend-pushed", TABLE, TYPE, 1)
    handles.call("release-to", inner)
    assert handles.call("drop", TABLE, TYPE, 2) == (1, 2)
    assert handles.trap_of("drop", TABLE, TYPE, 1) == LENT
    handles.call("release-to", outer)
    assert handles.call("drop", TABLE, TYPE, 1) == (1, 1)


def test_a_table_may_move_while_its_handles_are_lent() -> None:
    handles = Handles()
    handles.call("new-own", TABLE, TYPE, 4)
    mark = handles.count("lenders")
    handles.call("lend", TABLE, TYPE, 1)
    handles.call("lend-pushed", TABLE, TYPE, 1)
    for rep in range(100):
        handles.call("new-own", TABLE, TYPE, rep)
        handles.call("new-own", OTHER, TYPE, rep)
    handles.call("unlend", TABLE, 1)
    assert handles.trap_of("drop", TABLE, TYPE, 1) == LENT
    handles.call("release-to", mark)
    assert handles.call("drop", TABLE, TYPE, 1) == (1, 4)


# --- scopes -------------------------------------------------------------------------------------------------
def test_each_task_counts_its_own_borrows() -> None:
    handles = Handles()
    outer, inner = handles.count("scope-enter"), handles.count("scope-enter")
    mine = handles.count("lower-borrow", TABLE, TYPE, 1, outer)
    theirs = handles.count("lower-borrow", OTHER, TYPE, 2, inner)
    assert handles.trap_of("scope-exit", inner) == HELD
    handles.call("drop", OTHER, TYPE, theirs)
    assert handles.trap_of("scope-exit", inner) is None
    assert handles.trap_of("scope-exit", outer) == HELD
    handles.call("drop", TABLE, TYPE, mine)
    assert handles.trap_of("scope-exit", outer) is None


def test_an_own_handle_in_the_place_of_a_borrow_is_owned() -> None:
    handles = Handles()
    scope = handles.count("scope-enter")
    index = handles.count("lower-borrow", TABLE, TYPE, 1, scope)
    handles.call("drop", TABLE, TYPE, index)
    assert handles.call("new-own", TABLE, TYPE, 2) == index
    assert handles.trap_of("scope-exit", scope) is None
    assert handles.call("take-own", TABLE, TYPE, index) == 2


# --- what emitted code relies on ----------------------------------------------------------------------------
def test_the_traps_are_imports_by_their_names() -> None:
    assert [(item.module, item.name) for item in module().imports] == [("trap", name) for name in TRAPS]


def test_it_merges_beside_a_guest_that_cannot_see_it() -> None:
    graph = CoreGraph()
    guest = graph.instance(
        """(module (memory 4) (func (export "run") (param i32) (result i32)
          (i32.add (i32.load offset=0x30000 (local.get 0)) (i32.load (local.get 0)))))"""
    )
    traps = [graph.emit(f"trap: {name}", CoreFuncType((), ()), b"\x00") for name in TRAPS]
    library = graph.runtime_instance(runtime.sources()[runtime.HANDLES], *traps)
    exports = {
        export.name: FuncRef(FuncId(library.id, CoreFuncIndex(export.index))) for export in library.module.exports
    }
    new_own, rep, read = exports["new-own"], exports["rep"], FuncRef(FuncId(guest.id, CoreFuncIndex(0)))
    # 100 * rep(new-own(x)) + new-own(x) + what the guest reads
    assert (TABLE, TYPE) == (0x40, 1)
    push, get, call, scale, add = b"\x41\xc0\x00\x41\x01", b"\x20\x00", b"\x10", b"\x41\xe4\x00\x6c", b"\x6a"
    body = (push, push, get, call, new_own, call, rep, scale, push, get, call, new_own, add, get, call, read, add)
    unary = CoreFuncType((NumType.I32,), (NumType.I32,))
    graph.export("run", guest["run"])
    run = graph.merged(lifted={"run": graph.emit("run", unary, *body)})
    assert [run.call("run", 7), run.call("run", 8)] == [702, 804]


def test_addresses_and_tags_are_distinct_and_limited() -> None:
    assert len({runtime.table_address(number) for number in range(runtime.MAX_TABLES)}) == runtime.MAX_TABLES
    assert runtime.MAX_TABLES > 10_000
    assert 0 not in {runtime.resource_tag(number) for number in range(1000)}
    assert len({runtime.resource_tag(number) for number in range(1000)}) == 1000
    with pytest.raises(LimitError):
        runtime.table_address(runtime.MAX_TABLES)
    with pytest.raises(LimitError):
        runtime.resource_tag(runtime.MAX_RESOURCE_TYPES)
