"""Tables that are only called through share one of the main module; calls go where they went, and trap as they did."""

from __future__ import annotations

from dataclasses import replace

import pytest

from meldpy.analysis import analyse
from meldpy.errors import Location
from meldpy.kernel.reindex import reindex
from meldpy.merger import MergeOptions, merge
from meldpy.model.builtins import ThreadStart
from meldpy.model.canon import BuiltinOp
from meldpy.model.code import TableRef
from meldpy.model.core import CoreFuncType, Limits, NumType
from meldpy.model.functions import CoreTypeDefinition
from meldpy.model.fused import FusedModule
from meldpy.model.ids import BuiltinId, InstanceId, TableId
from meldpy.model.linked import AsyncBuiltin
from tests.support.core_graph import CoreGraph, CoreItem, assert_same, scan_module

UNARY = CoreFuncType((NumType.I32,), (NumType.I32,))


def guest(
    slots: int, value: int, more: str = "", table: str = "", call: str = "(call_indirect (type $f) (local.get 0))"
) -> str:
    """`go` calls through a slot: 1 holds a function that returns `value`, 2 one of another type, the others none."""
    return f"""(module
      (type $f (func (result i32))) (type $g (func (param i64)))
      {table or f'(table (export "t") {slots} funcref)'} (elem (i32.const 1) $right $wrong)
      (func $right (type $f) (i32.const {value})) (func $wrong (type $g))
      (func (export "go") (param i32) (result i32) {call})
      {more})"""


def merged(*texts: str, slots: tuple[int, ...] = (0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0x7FFF_FFFF, -1, -2)) -> FusedModule:
    graph = CoreGraph()
    for number, text in enumerate(texts):
        graph.export(f"go{number}", graph.instance(text)["go"])
    return assert_same(graph, *((f"go{number}", (slot,)) for number in range(len(texts)) for slot in slots))


def shared_slots(fused: FusedModule) -> int:
    """How many slots the main module's only table has."""
    (table,) = fused.main.tables
    assert table.type.limits == Limits(table.type.limits.min, table.type.limits.min)
    return table.type.limits.min


def test_every_slot_is_called_and_every_other_one_traps_as_before() -> None:
    fused = merged(guest(3, 10), guest(4, 20), guest(3, 30))
    assert shared_slots(fused) == 10
    assert all(not carrier.tables for carrier in fused.carriers)


def test_tail_calls_go_through_parts_too() -> None:
    call = "(return_call_indirect (type $f) (local.get 0))"
    assert shared_slots(merged(guest(3, 10, call=call), guest(4, 20, call=call))) == 7


def test_a_call_has_a_local_of_its_own_behind_those_that_are_there() -> None:
    bodies = (
        "(local i64 i32 f32) (local.set 1 (i64.const 5)) (local.set 2 (i32.const 7)) (i32.add"
        " (call_indirect (type $f) (local.get 0)) (i32.add (local.get 2) (i32.wrap_i64 (local.get 1))))",
        f"(local {'i32 ' * 300}) (local.set 300 (i32.const 3)) (i32.add"
        " (call_indirect (type $f) (local.get 0)) (i32.add (local.get 300) (local.get 299)))",
        "(i32.add (call_indirect (type $f) (local.get 0)) (call_indirect (type $f) (local.get 0)))",
    )
    assert shared_slots(merged(*(guest(3, 10 * i, call=body) for i, body in enumerate(bodies)))) == 9


def test_functions_without_such_calls_stay_as_they_are() -> None:
    more = '(func (export "plain") (param i32) (result i32) (local i64) (local.get 0))'
    graph = CoreGraph()
    for number in range(2):
        instance = graph.instance(guest(3, number, more))
        graph.export(f"go{number}", instance["go"])
        graph.export(f"plain{number}", instance["plain"])
    fused = assert_same(graph, ("go0", (1,)), ("go1", (1,)), ("plain0", (4,)), ("plain1", (5,)))
    assert bytes(fused.main.code.bodies).count(b"\x06\x01\x01\x7e\x20\x00\x0b") == 2
    assert shared_slots(fused) == 6


def test_an_importer_calls_through_the_part_of_its_owner() -> None:
    graph = CoreGraph()
    owner, other = graph.instance(guest(3, 10)), graph.instance(guest(3, 20))
    importer = """(module (type $f (func (result i32))) (import "a" "t" (table $t 3 funcref)) (table $own 4 funcref)
      (func $third (type $f) (i32.const 33)) (elem (table $own) (i32.const 3) func $third)
      (elem (table $t) (i32.const 0) func $third)
      (func (export "theirs") (param i32) (result i32) (call_indirect $t (type $f) (local.get 0)))
      (func (export "mine") (param i32) (result i32) (call_indirect $own (type $f) (local.get 0))))"""
    user = graph.instance(importer, owner["t"])
    for name, func in (("go", owner["go"]), ("other", other["go"]), ("theirs", user["theirs"]), ("mine", user["mine"])):
        graph.export(name, func)
    calls = [(name, (slot,)) for name in ("go", "other", "theirs", "mine") for slot in range(5)]
    assert shared_slots(assert_same(graph, *calls)) == 10


def test_one_table_alone_is_not_touched() -> None:
    fused = merged(guest(3, 10))
    (table,) = fused.main.tables
    assert table.type.limits == Limits(3)


WHOLE = {
    "read": ('(func (export "x") (result funcref) (table.get 0 (i32.const 0)))', ""),
    "measured": ('(func (export "x") (result i32) (table.size 0))', ""),
    "written": ('(func (export "x") (table.set 0 (i32.const 0) (ref.null func)))', ""),
    "grown": ('(func (export "x") (result i32) (table.grow 0 (ref.null func) (i32.const 1)))', ""),
    "filled": ('(func (export "x") (table.fill 0 (i32.const 0) (ref.null func) (i32.const 1)))', ""),
    "initialised": (
        '(elem $e func $right) (func (export "x") (table.init 0 $e (i32.const 0) (i32.const 0) (i32.const 1)))',
        "",
    ),
    "copied": ('(func (export "x") (table.copy 0 0 (i32.const 0) (i32.const 1) (i32.const 1)))', ""),
    "with another start": ("", '(table (export "t") 3 funcref (ref.func $right))'),
    "typed": ("", '(table (export "t") 3 (ref null $f))'),
    "too large": ("", '(table (export "t") 20001 funcref)'),
}


@pytest.mark.parametrize("why", WHOLE)
def test_a_table_that_is_more_than_called_through_stays_whole(why: str) -> None:
    more, table = WHOLE[why]
    whole = guest(3, 10, more, table)
    if why == "typed":
        whole = whole.replace(
            "(elem (i32.const 1) $right $wrong)", "(elem (i32.const 1) (ref null $f) (ref.func $right))"
        )
    fused = merged(whole, guest(4, 20), guest(5, 30))
    parts = [table.type.limits.min for table in fused.main.tables]
    assert parts == ([3] if why == "with another start" else [9])
    assert len([table for carrier in fused.carriers for table in carrier.tables]) == (2 if parts == [3] else 1)


def test_a_table_of_64_bit_slots_stays_whole() -> None:
    whole = guest(3, 10, table='(table (export "t") i64 3 funcref)').replace(
        "(i32.const 1) $right", "(i64.const 1) $right"
    )
    whole = whole.replace("(local.get 0))", "(i64.extend_i32_u (local.get 0)))")
    assert shared_slots(merged(whole, guest(4, 20), guest(5, 30))) == 9


def test_the_fullest_tables_share_where_room_is_short() -> None:
    """20,000 slots are what pools have room for."""
    more = "(elem (i32.const 5) $right $right $right)"
    large = guest(11_000, 10, more), guest(8_996, 20, more)
    fused = merged(guest(5, 30), *large, guest(4, 40, "(elem (i32.const 3) $right)"))
    assert shared_slots(fused) == 20_000
    assert [table.type.limits.min for carrier in fused.carriers for table in carrier.tables] == [5]


def test_a_table_that_a_start_function_finds_half_filled_stays_whole() -> None:
    """What waits for its turn is written by the start function."""
    graph = CoreGraph()
    log = graph.host("log", 1)
    first = graph.instance(
        """(module (type $f (func (result i32))) (import "h" "log" (func $log (param i32)))
          (table (export "t") 3 funcref)
          (func (export "go") (param i32) (result i32) (call_indirect (type $f) (local.get 0)))
          (func $start (call $log (i32.const 1))) (start $start))""",
        log,
    )
    second = graph.instance(
        """(module (import "a" "t" (table 3 funcref))
          (func $f (result i32) (i32.const 9)) (elem (i32.const 1) func $f))""",
        first["t"],
    )
    assert second.args == (first["t"],)
    others = [graph.instance(guest(4, 20)), graph.instance(guest(5, 30))]
    for number, each in enumerate((first, *others)):
        graph.export(f"go{number}", each["go"])
    fused = assert_same(graph, *((f"go{number}", (slot,)) for number in range(3) for slot in range(5)))
    assert shared_slots(fused) == 9


def test_a_table_that_code_of_ours_names_stays_whole() -> None:
    graph = CoreGraph()
    instances = [graph.instance(guest(3, 10 * i)) for i in range(3)]
    table: CoreItem = instances[0]["t"]
    assert isinstance(table, TableId)
    through = graph.emit("through", UNARY, b"\x20\x00\xfc\x10", TableRef(table), b"\x6a")
    graph.export("through", instances[0]["go"])
    for number, each in enumerate(instances):
        graph.export(f"go{number}", each["go"])
    run = graph.merged(lifted={"through": through})
    assert run.fused is not None
    assert run.call("through", 4) == 7
    assert [run.call(f"go{i}", 1) for i in range(3)] == [0, 10, 20]
    assert shared_slots(run.fused) == 6


def test_a_table_that_threads_start_from_stays_whole() -> None:
    graph = CoreGraph()
    instances = [graph.instance(guest(3, 10 * i)) for i in range(3)]
    for number, each in enumerate(instances):
        graph.export(f"go{number}", each["go"])
    table = instances[0]["t"]
    assert isinstance(table, TableId)
    start = ThreadStart(CoreTypeDefinition((), 0), table)
    builtin = AsyncBuiltin(BuiltinId(0), InstanceId(0), BuiltinOp.THREAD_NEW_INDIRECT, Location("test"), start)
    linked = graph.graph()
    facts, options = analyse(linked, scan_module), MergeOptions("0")
    with_threads = replace(linked, builtins=(builtin,))
    assert shared_slots(merge(linked, facts, graph.adapted(), reindex, scan_module, options)) == 9
    assert shared_slots(merge(with_threads, facts, graph.adapted(), reindex, scan_module, options)) == 6


def test_a_function_that_is_left_out_may_call_through_a_part_too() -> None:
    """Its type is left out with it; what is the last type of the merged module has nothing to do with it."""
    more = """(type $unary (func (param i32) (result i32))) (type $made (func))
      (type $own (func (param i64 f32 f64))) (type $struct (struct (field (mut f64))))
      (func $dead (type $own) (drop (call_indirect (type $f) (i32.const 1))))
      (func (export "made") (type $made) (drop (struct.new_default $struct)))"""
    graph = CoreGraph()
    for number in range(2):
        instance = graph.instance(guest(3, 10 * number, more))
        graph.export(f"go{number}", instance["go"])
        graph.export(f"made{number}", instance["made"])
    calls = [(f"go{number}", (slot,)) for number in range(2) for slot in range(4)]
    assert shared_slots(assert_same(graph, *calls, ("made0", ()))) == 6
