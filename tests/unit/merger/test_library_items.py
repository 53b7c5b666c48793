"""What only the runtime library or emitted code uses comes along: tables with their functions, tags, data, memories."""

from __future__ import annotations

from meldpy.model.code import FuncRef, MemArg, TableRef, TagRef, TypeRef
from meldpy.model.core import CoreFuncType, CoreTableIndex, CoreTagIndex, NumType
from meldpy.model.ids import FuncId, MemoryId, TableId, TagId
from tests.support.core_graph import CoreGraph, Handle

UNARY = CoreFuncType((NumType.I32,), (NumType.I32,))
GET0 = b"\x20\x00"

LIBRARY = """(module
  (import "x" "get" (func $get (param i32) (result i32)))
  (type $u (func (param i32) (result i32)))
  (tag $e (param i32))
  (memory $m 1)
  (table $filled 3 funcref (ref.func $double))
  (table $active 2 funcref)
  (global $first funcref (ref.func $quadruple))
  (elem (table $active) (i32.const 1) func $triple)
  (elem $more funcref (ref.func $quintuple) (ref.func $get))
  (data $bytes "\\01\\02\\03")
  (func $double (type $u) (i32.mul (local.get 0) (i32.const 2)))
  (func $triple (type $u) (i32.mul (local.get 0) (i32.const 3)))
  (func $quadruple (type $u) (i32.mul (local.get 0) (i32.const 4)))
  (func $quintuple (type $u) (i32.mul (local.get 0) (i32.const 5)))
  (func $thrown (param i32) (result i32) (throw $e (local.get 0)))
  (func $caught (param i32) (result i32)
    (block $out (result i32) (try_table (result i32) (catch $e $out) (call $thrown (local.get 0)))))
  (func (export "all") (param i32) (result i32)
    (table.init $filled $more (i32.const 1) (i32.const 0) (i32.const 2))
    (memory.init $m $bytes (i32.const 100) (i32.const 0) (i32.const 3))
    (table.set $active (i32.const 0) (global.get $first))
    (call_indirect $filled (type $u) (local.get 0) (i32.const 0))
    (i32.mul (call_indirect $filled (type $u) (local.get 0) (i32.const 1)) (i32.const 100))
    (i32.mul (call_indirect $filled (type $u) (local.get 0) (i32.const 2)) (i32.const 10000))
    (i32.mul (call_indirect $active (type $u) (local.get 0) (i32.const 1)) (i32.const 1000000))
    (i32.mul (call_indirect $active (type $u) (local.get 0) (i32.const 0)) (i32.const 10000000))
    i32.add i32.add i32.add i32.add
    (i32.mul (i32.load8_u $m (i32.const 102)) (i32.const 100000000)) i32.add
    (i32.mul (call $caught (local.get 0)) (i32.const 400000000)) i32.add)
  (func $start (i32.store8 $m (i32.const 7) (i32.const 9)))
  (func (export "started") (param i32) (result i32) (i32.load8_u $m (i32.const 7)))
  (start $start))"""


def guest(graph: CoreGraph) -> Handle:
    handle = graph.instance(
        """(module (memory (export "m") 1) (tag (export "e") (param i32)) (table (export "t") 1 funcref)
          (func (export "get") (param i32) (result i32) (i32.add (local.get 0) (i32.const 5))))"""
    )
    graph.export("run", handle["get"])
    return handle


def exported(library: Handle, name: str) -> FuncId:
    (index,) = [export.index for export in library.module.exports if export.name == name]
    return FuncId(library.id, index)  # type: ignore[arg-type]  # a function


def test_everything_that_a_library_function_reaches_is_there() -> None:
    graph = CoreGraph()
    get = guest(graph)["get"]
    assert isinstance(get, FuncId)
    library = graph.runtime_instance(LIBRARY, get)
    for name, expected in (
        ("all", 2 + 500 + 60_000 + 3_000_000 + 40_000_000 + 300_000_000 + 400_000_000),
        ("started", 9),
    ):
        graph.functions.clear()
        call = graph.emit("call", UNARY, GET0 + b"\x10", FuncRef(exported(library, name)))
        run = graph.merged(lifted={"run": call})
        assert run.failed is None
        assert run.call("run", 1) == expected


def test_what_no_library_function_reaches_is_not() -> None:
    graph = CoreGraph()
    get = guest(graph)["get"]
    assert isinstance(get, FuncId)
    library = graph.runtime_instance(LIBRARY, get)
    call = graph.emit("call", UNARY, GET0 + b"\x10", FuncRef(exported(library, "started")))
    fused = graph.merge(lifted={"run": call})
    assert (fused.main.tables, fused.main.elements, fused.main.tags, fused.main.data) == ((), (), (), ())
    assert fused.main.code.count == 4, "get, start, started, call"
    assert fused.carriers == ()


def test_a_table_of_the_library_that_only_emitted_code_names() -> None:
    graph = CoreGraph()
    get = guest(graph)["get"]
    assert isinstance(get, FuncId)
    library = graph.runtime_instance(LIBRARY, get)
    for table, slot, expected in ((0, 2, 14), (1, 1, 21)):
        graph.functions.clear()
        name = TableId(library.id, CoreTableIndex(table))
        through = graph.emit(
            "through", UNARY, GET0 + b"\x41" + bytes((slot,)) + b"\x11", TypeRef(UNARY), TableRef(name)
        )
        run = graph.merged(lifted={"run": through})
        assert run.call("run", 7) == expected


def test_memories_and_tags_that_only_emitted_code_names() -> None:
    graph = CoreGraph()
    handle = guest(graph)
    memory, tag = handle["m"], handle["e"]
    assert isinstance(memory, MemoryId)
    assert isinstance(tag, TagId)
    stores = graph.emit(
        "stores",
        UNARY,
        b"\x41\x08" + GET0 + b"\x36",
        MemArg(memory, 2, 0),
        b"\x02\x7f\x1f\x40\x01\x00",  # block (result i32), try_table (catch tag 0)
        TagRef(tag),
        b"\x00\x41\x08\x28",
        MemArg(memory, 2, 0),
        b"\x08",  # throw what was stored
        TagRef(tag),
        b"\x0b\x00\x0b",
    )
    run = graph.merged(lifted={"run": stores})
    assert run.call("run", 1234) == 1234
    unnamed = CoreGraph()
    guest(unnamed)
    fused = unnamed.merge()
    assert (fused.main.memories, fused.main.tags, fused.main.tables, fused.carriers) == ((), (), (), ())
    assert TagId(handle.id, CoreTagIndex(0)) == tag
