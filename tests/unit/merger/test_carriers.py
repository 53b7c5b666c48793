"""Carriers: the memories, reallocs and destructors that the outer component needs before the main module exists."""

from __future__ import annotations

from dataclasses import replace

from wasmtime import Func

from meldpy.kernel.reindex import reindex
from meldpy.merger import MergeOptions, merge
from meldpy.model.code import FuncRef, OuterBuiltin, OuterBuiltinFunc, OuterOptions
from meldpy.model.core import CoreFuncType, CoreModule, CoreSort, NumType
from meldpy.model.fused import BoundBuiltin, BoundLower, CoreExportRef, FusedModule
from meldpy.model.ids import BuiltinId, ResourceId
from meldpy.model.linked import BuiltinFunc
from tests.support.core_graph import CoreGraph, assert_same, scan_module

GUEST = """(module
  (import "h" "log" (func $log (param i32)))
  (memory (export "m") 1)
  (data (i32.const 16) "\\2a")
  (global $next (mut i32) (i32.const 64))
  (func (export "realloc") (param i32 i32 i32 i32) (result i32)
    (global.set $next (i32.add (global.get $next) (local.get 3)))
    (i32.sub (global.get $next) (local.get 3)))
  (func (export "dtor") (param i32) (call $log (i32.load8_u (local.get 0))))
  (func (export "run") (param i32) (result i32)
    (call $log (local.get 0))
    (i32.load8_u (local.get 0))))"""


def with_host_memory() -> CoreGraph:
    """A guest whose memory and realloc its host function needs: the knot."""
    graph = CoreGraph()
    shim = graph.host("log", 1)
    guest = graph.instance(GUEST, shim)
    name, type_, _ = graph.hosts[0]
    graph.hosts[0] = (name, type_, OuterOptions(memory=guest["m"], realloc=guest["realloc"]))  # type: ignore[arg-type]
    graph.resources.append(guest["dtor"])  # type: ignore[arg-type]
    graph.export("run", guest["run"], memory=guest["m"], realloc=guest["realloc"])
    return graph


def test_memory_and_realloc_of_a_host_function_are_in_a_carrier() -> None:
    graph = with_host_memory()
    fused = assert_same(graph, ("run", (16,)), ("run", (17,)))
    (carrier,) = fused.carriers
    assert [bytes(segment.data) for segment in carrier.data] == [b"*"]
    assert (fused.main.memories, fused.main.data) == ((), ())
    (bound,) = [item for item in fused.boundary.main_imports if isinstance(item, BoundLower)]
    assert bound.options.memory == CoreExportRef(0, "memory", CoreSort.MEMORY)
    assert bound.options.realloc is not None
    assert bound.options.realloc.carrier == 0
    (lift,) = fused.boundary.lifts
    assert lift.options.memory == bound.options.memory
    assert lift.options.realloc is not None
    assert lift.options.realloc.carrier is None


def test_forwarders_reach_the_main_module() -> None:
    graph = with_host_memory()
    run = graph.merged()
    assert run.fused is not None
    (bound,) = [item for item in run.fused.boundary.main_imports if isinstance(item, BoundLower)]
    (resource,) = run.fused.boundary.resources
    assert bound.options.realloc is not None
    assert resource.dtor is not None
    exports = run.carriers[0].exports(run.store)
    realloc, dtor = exports[bound.options.realloc.name], exports[resource.dtor.name]
    assert [realloc(run.store, 0, 0, 1, size) for size in (8, 1, 4)] == [64, 72, 73]  # type: ignore[operator]
    dtor(run.store, 16)  # type: ignore[operator]
    assert run.log == [("log", (42,))]


def test_each_module_defines_at_most_one_memory_and_one_table() -> None:
    graph = CoreGraph()
    module = graph.module(
        """(module (memory (export "m") 1) (table (export "t") 2 funcref) (memory $second 1) (data (i32.const 0) "ab")
          (data $second (memory $second) (i32.const 0) "cd") (func $f (result i32) i32.const 1)
          (elem (i32.const 0) func $f)
          (func (export "get") (param i32) (result i32)
            (i32.add (i32.load8_u (local.get 0)) (i32.load8_u $second (local.get 0))))
          (func (export "call") (param i32) (result i32) (call_indirect (result i32) (local.get 0))))"""
    )
    instances = [graph.instance(module) for _ in range(3)]
    for i, instance in enumerate(instances):
        graph.export(f"get{i}", instance["get"])
        graph.export(f"call{i}", instance["call"])
    fused = assert_same(graph, *((f"{name}{i}", (1,)) for i in range(3) for name in ("get", "call")))
    for each in (*fused.carriers, fused.main):
        assert len(each.memories) <= 1
        assert len(each.tables) <= 1
    assert len(fused.carriers) == 6
    assert sum(len(each.data) for each in fused.carriers) == 6
    pairs = [(import_.module, import_.name) for import_ in fused.main.imports]
    assert len(set(pairs)) == len(pairs)


def sized(*sizes: int) -> FusedModule:
    """Guests whose memories have so many bytes of data, merged."""
    graph = CoreGraph()
    for number, size in enumerate(sizes):
        data = f'(data (i32.const 0) "{"x" * size}")' if size else ""
        instance = graph.instance(
            f'(module (memory {number + 1}) {data} (func (export "get") (result i32) (i32.load8_u (i32.const 0))))'
        )
        graph.export(f"get{number}", instance["get"])
    return assert_same(graph, *((f"get{number}", ()) for number in range(len(sizes))))


def pages(module: CoreModule) -> list[int]:
    return [memory.limits.min for memory in module.memories]


def test_data_is_in_no_module_that_imports_a_memory() -> None:
    """Engines copy it at every start then, instead of mapping it copy on write."""
    fused = sized(1, 300, 20)
    assert (pages(fused.main), fused.main.data) == ([], ())
    assert [(pages(carrier), len(carrier.data)) for carrier in fused.carriers] == [([1], 1), ([2], 1), ([3], 1)]


def test_a_memory_without_data_stays_in_the_main_module() -> None:
    fused = sized(1, 0, 20, 0)
    assert (pages(fused.main), fused.main.data) == ([2], ())
    assert [pages(carrier) for carrier in fused.carriers] == [[1], [3], [4]]


def test_the_only_memory_stays_with_its_data_in_the_main_module() -> None:
    fused = sized(300)
    assert (pages(fused.main), len(fused.main.data), fused.carriers) == ([1], 1, ())


def test_a_table_of_a_concrete_type_can_be_carried() -> None:
    graph = CoreGraph()
    module = graph.module(
        """(module (type $f (func (param i32) (result i32))) (type $g (func (param (ref $f)) (result i32)))
          (func $own (type $f) (i32.add (local.get 0) (i32.const 5)))
          (func $apply (type $g) (call_ref $f (i32.const 3) (local.get 0)))
          (table $t 2 (ref null $g)) (elem (table $t) (i32.const 1) (ref null $g) (ref.func $apply))
          (elem declare func $own)
          (func (export "go") (param i32) (result i32) (call_ref $g (ref.func $own) (table.get $t (local.get 0)))))"""
    )
    for i in range(2):
        graph.export(f"go{i}", graph.instance(module)["go"])
    fused = assert_same(graph, ("go0", (1,)), ("go1", (1,)), ("go1", (0,)))
    (carrier,) = fused.carriers
    assert len(carrier.types) == 2


def test_a_realloc_of_a_type_that_is_not_final_is_reached() -> None:
    graph = CoreGraph()
    log = graph.host("log", 1)
    guest = graph.instance(
        """(module (type $r (sub (func (param i32 i32 i32 i32) (result i32))))
          (import "h" "log" (func $log (param i32)))
          (memory (export "m") 1) (func (export "realloc") (type $r) (i32.const 8))
          (func (export "run") (call $log (i32.const 1))))""",
        log,
    )
    graph.hosts[0] = ("log", graph.hosts[0][1], OuterOptions(memory=guest["m"], realloc=guest["realloc"]))  # type: ignore[arg-type]
    graph.export("run", guest["run"])
    run = graph.merged()
    (realloc,) = [export for export in run.carriers[0].exports(run.store).values() if isinstance(export, Func)]
    assert realloc(run.store, 0, 0, 1, 1) == 8


def test_an_emitted_realloc_is_forwarded_and_the_private_table_is_not_the_guests() -> None:
    graph = CoreGraph()
    log = graph.host("log", 1)
    guest = graph.instance(GUEST, log)
    other = graph.instance('(module (table (export "t") 3 funcref) (func (export "size") (result i32) (table.size 0)))')
    graph.export("size", other["size"])
    graph.export("run", guest["run"])
    realloc_type = CoreFuncType((NumType.I32,) * 4, (NumType.I32,))
    wrapper = graph.emit(
        "realloc wrapper",
        realloc_type,
        b"\x20\x00\x20\x01\x20\x02\x20\x03\x10",
        FuncRef(guest["realloc"]),  # type: ignore[arg-type]
    )
    graph.hosts[0] = ("log", graph.hosts[0][1], OuterOptions(memory=guest["m"], realloc=wrapper))  # type: ignore[arg-type]
    run = graph.merged(analysed=False)
    assert run.fused is not None
    assert run.call("size") == 3
    assert run.call("run", 16) == 42
    (carrier,) = run.fused.carriers
    assert [table.type.limits.min for table in carrier.tables] == [1]
    assert [len(each.tables) for each in (run.fused.main,)] == [1]


def test_resource_builtins_are_imported_once_each() -> None:
    graph = CoreGraph()
    graph.resources += [None, None]
    drop = CoreFuncType((NumType.I32,), ())
    ops = [("drop", 0), ("drop", 1), ("drop", 0)]
    ids = [BuiltinId(i) for i in range(len(ops))]
    module = graph.module(
        """(module (import "a" "0" (func $0 (param i32))) (import "a" "1" (func $1 (param i32)))
          (import "a" "2" (func $2 (param i32)))
          (func (export "f") (param i32) (call $0 (local.get 0)) (call $1 (local.get 0)) (call $2 (local.get 0))))"""
    )
    graph.export("f", graph.instance(module, *(BuiltinFunc(id_) for id_ in ids))["f"])
    adapted = replace(
        graph.adapted(),
        builtins={id_: OuterBuiltinFunc(op, ResourceId(r)) for id_, (op, r) in zip(ids, ops, strict=True)},
        outer_builtins=tuple(OuterBuiltin(op, ResourceId(r), drop) for op, r in ops[:2]),
    )
    fused = merge(graph.graph(), graph.everything_live(), adapted, reindex, scan_module, MergeOptions("0"))
    assert fused.boundary.main_imports == (BoundBuiltin("drop", ResourceId(0)), BoundBuiltin("drop", ResourceId(1)))
    assert [(i.module, i.name) for i in fused.main.imports] == [
        ("canon", "resource.drop r0"),
        ("canon", "resource.drop r1"),
    ]


def test_options_of_a_lift_are_exports_of_the_main_module() -> None:
    graph = CoreGraph()
    module = graph.module(
        """(module (memory (export "m") 1) (func (export "realloc") (param i32 i32 i32 i32) (result i32) i32.const 8)
          (func (export "f") (result i32) i32.const 16) (func (export "post") (param i32)))"""
    )
    for interface in ("a:b/c", "a:b/d"):
        guest = graph.instance(module)
        options = {"memory": guest["m"], "realloc": guest["realloc"], "post_return": guest["post"]}
        graph.export(interface, guest["f"], **options)
    fused = graph.merge()
    first, second = fused.boundary.lifts
    assert [first.core_func.name, second.core_func.name] == ["a:b/c", "a:b/d"]
    assert {each.name for each in fused.main.exports} == {
        *("a:b/c", "cabi_post_a:b/c", "cabi_realloc", "a:b/d", "cabi_post_a:b/d", "cabi_realloc #2", "memory")
    }
    assert {ref.carrier for lift in (first, second) if (ref := lift.options.memory)} == {None, 0}
