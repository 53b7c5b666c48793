"""Emitted functions with symbolic references, flags, the runtime library, and references through shims."""

from __future__ import annotations

from dataclasses import replace

import pytest

from meldpy.errors import InternalError
from meldpy.kernel.reindex import reindex
from meldpy.merger import MergeOptions, merge
from meldpy.model.code import (
    EmittedFunc,
    Flag,
    FlagRef,
    FuncRef,
    GlobalRef,
    MemArg,
    MemoryRef,
    OuterLowerFunc,
    TableRef,
    TagRef,
    TypeRef,
)
from meldpy.model.core import CoreFuncType, NumType, SegmentMode
from meldpy.model.ids import EmittedId, FlagId, FuncId, GlobalId, LowerId, MemoryId, TableId, TagId
from meldpy.model.linked import LowerFunc
from tests.support.core_graph import CoreGraph, scan_module

I32 = NumType.I32
UNARY = CoreFuncType((I32,), (I32,))
BINARY = CoreFuncType((I32, I32), (I32,))
GET0, GET1, GET2 = b"\x20\x00", b"\x20\x01", b"\x20\x02"


def two_memories() -> tuple[CoreGraph, list[MemoryId], FuncId]:
    graph = CoreGraph()
    module = graph.module(
        """(module (memory (export "m") 1) (data (i32.const 0) "ab")
          (func (export "get") (param i32) (result i32) (i32.load8_u (local.get 0))))"""
    )
    instances = [graph.instance(module) for _ in range(2)]
    memories = [instance["m"] for instance in instances]
    get = instances[1]["get"]
    assert isinstance(get, FuncId)
    graph.export("get", get)
    graph.export("also", instances[0]["get"])
    return graph, [m for m in memories if isinstance(m, MemoryId)], get


def test_calls_loads_and_copies_reach_what_they_name() -> None:
    graph, (first, second), get = two_memories()
    copy = graph.emit(
        "copy 1 byte",
        UNARY,
        # memory.copy second[local 0] <- first[1], 1 byte; then the callee's view of it, and a load of our own
        GET0 + b"\x41\x01\x41\x01\xfc\x0a",
        MemoryRef(second),
        MemoryRef(first),
        GET0 + b"\x10",
        FuncRef(get),
        GET0 + b"\x2d",
        MemArg(second, 0, 0),
        b"\x6c\x21\x01\x20\x01",
        locals_=(I32, NumType.I64, NumType.I64),
    )
    assert copy == EmittedFunc(EmittedId(0))
    run = graph.merged(lifted={"get": copy})
    assert run.call("get", 40) == 98 * 98
    assert run.call("also", 40) == 0


def test_flags_are_globals_of_the_main_module() -> None:
    graph, _, get = two_memories()
    graph.flags += [Flag(FlagId(0), "may leave", 1), Flag(FlagId(1), "may enter", 5)]
    flag = GlobalRef(FlagRef(FlagId(1)))
    bump = graph.emit("bump", UNARY, GET0 + b"\x23", flag, b"\x6a\x24", flag, b"\x23", flag)
    run = graph.merged(lifted={"get": bump})
    assert [run.call("get", 2), run.call("get", 3)] == [7, 10]
    assert run.fused is not None
    assert [(g.type.mutable, g.init[0].operand) for g in run.fused.main.globals] == [(True, 1), (True, 5)]
    assert get.index == 0


def test_types_tables_tags_and_ref_func() -> None:
    graph = CoreGraph()
    guest = graph.instance(
        """(module (table (export "t") 2 funcref) (tag (export "e") (param i32)) (func $f (param i32) (result i32)
            (throw 0 (i32.add (local.get 0) (i32.const 1)))) (elem (i32.const 0) func $f)
          (func (export "run") (param i32) (result i32)
            (call_indirect (param i32) (result i32) (local.get 0) (i32.const 1))))"""
    )
    table, tag, run_ = guest["t"], guest["e"], guest["run"]
    assert isinstance(table, TableId)
    assert isinstance(tag, TagId)
    graph.export("run", run_)
    callee = graph.emit(
        "catching",
        UNARY,
        # block (result i32) (try_table (catch tag 0) (call_indirect t[0])) ; unreachable) end
        b"\x02\x7f\x1f\x40\x01\x00",
        TagRef(tag),
        b"\x00" + GET0 + b"\x41\x00\x11",
        TypeRef(UNARY),
        TableRef(table),
        b"\x1a\x0b\x00\x0b",
    )
    caller = graph.emit(
        "filling",
        UNARY,
        b"\x41\x01\xd2",
        FuncRef(callee),
        b"\x26",
        TableRef(table),
        GET0 + b"\x10",
        FuncRef(run_),  # type: ignore[arg-type]  # a function
    )
    run = graph.merged(lifted={"run": caller})
    assert run.fused is not None
    assert run.call("run", 7) == 8
    assert [segment.mode for segment in run.fused.main.elements] == [SegmentMode.ACTIVE, SegmentMode.DECLARATIVE]


def test_the_runtime_library_is_copied_as_far_as_it_is_used() -> None:
    graph, (first, _), get = two_memories()
    log = graph.host("log", 1)
    graph.instance('(module (import "h" "l" (func $l (param i32))) (func $s (call $l (i32.const 8))) (start $s))', log)
    runtime = graph.runtime_instance(
        """(module (import "x" "memory" (memory 1)) (import "x" "get" (func $get (param i32) (result i32)))
          (import "x" "flag" (global $flag (mut i32)))
          (memory $private 2) (global $count (mut i32) (i32.const 100)) (data (memory $private) (i32.const 4) "\\07")
          (func $helper (param i32) (result i32)
            (global.set $count (i32.add (global.get $count) (global.get $flag)))
            (i32.add (i32.load8_u $private (i32.const 4)) (i32.add (global.get $count) (call $get (local.get 0)))))
          (func $unused (param f64) (result f64) (f64.neg (local.get 0)))
          (func (export "entry") (param i32) (result i32)
            (i32.add (call $helper (local.get 0)) (i32.load8_u (local.get 0)))))""",
        first,
        get,
        FlagRef(FlagId(0)),
    )
    graph.runtime_instance(
        '(module (memory 3) (func (export "never") (memory.fill (i32.const 0) (i32.const 0) (i32.const 0))))'
    )
    graph.flags.append(Flag(FlagId(0), "f", 1000))
    entry = FuncId(runtime.id, runtime.module.exports[0].index)  # type: ignore[arg-type]
    call = graph.emit("call", UNARY, GET0 + b"\x10", FuncRef(entry))
    run = graph.merged(lifted={"get": call})
    assert run.fused is not None
    assert run.call("get", 0) == 7 + 1100 + 97 + 97
    assert run.log == [("log", (8,))]
    assert NumType.F64 not in {p for group in run.fused.main.types for t in group.types for p in t.comp.params}  # type: ignore[union-attr]
    memories = [memory.limits.min for module in (run.fused.main, *run.fused.carriers) for memory in module.memories]
    assert sorted(memories) == [1, 1, 2]
    # The library is initialised before the guests: its data is not held back by their start functions.
    assert run.fused.main.data_count is None


def test_a_lower_can_be_implemented_by_emitted_code() -> None:
    graph = CoreGraph()
    lower = graph.host("log", 1, 1)
    guest = graph.instance(
        """(module (import "h" "log" (func $log (param i32) (result i32)))
          (table 1 funcref) (elem (i32.const 0) func $log)
          (func (export "run") (param i32) (result i32)
            (i32.add
              (call $log (local.get 0))
              (call_indirect (param i32) (result i32) (local.get 0) (i32.const 0)))))""",
        lower,
    )
    graph.export("run", guest["run"])
    stub = graph.emit("stub", UNARY, GET0 + b"\x41\x02\x6c\x10", FuncRef(OuterLowerFunc(LowerId(0))))
    facts, adapted = graph.everything_live(), graph.adapted()
    adapted = replace(adapted, lowers={LowerId(0): stub})
    run = graph.start(
        merge(graph.graph(), facts, adapted, reindex, scan_module, MergeOptions("0")), {"log": lambda x: x + 1}
    )
    assert run.call("run", 5) == 22
    assert run.log == [("log", (10,)), ("log", (10,))]


def shimmed() -> CoreGraph:
    """What wit-component makes of a guest whose import needs its memory: shim, guest, fixup."""
    graph = CoreGraph()
    log = graph.host("log", 1)
    shim = graph.instance(
        """(module (type $t (func (param i32))) (table (export "t") 1 1 funcref)
          (func (export "0") (type $t) (call_indirect (type $t) (local.get 0) (i32.const 0))))"""
    )
    guest = graph.instance(
        """(module (import "h" "log" (func $log (param i32))) (memory (export "m") 1)
          (func (export "run") (param i32) (call $log (local.get 0))))""",
        shim["0"],
    )
    graph.instance(
        """(module (import "" "t" (table 1 1 funcref)) (import "" "0" (func $0 (param i32)))
          (elem (i32.const 0) func $0))""",
        shim["t"],
        log,
    )
    graph.export("run", guest["run"])
    return graph


def test_calls_through_a_shim_become_direct_and_its_table_goes() -> None:
    run = shimmed().merged()
    assert run.fused is not None
    run.call("run", 3)
    assert run.log == [("log", (3,))]
    assert (run.fused.main.tables, run.fused.main.elements, run.fused.main.code.count) == ((), (), 1)


def test_without_that_proof_the_shim_stays() -> None:
    run = shimmed().merged(analysed=False)
    assert run.fused is not None
    run.call("run", 3)
    assert run.log == [("log", (3,))]
    assert (len(run.fused.main.tables), run.fused.main.code.count) == (1, 2)


def test_a_shim_function_that_is_exported_is_its_target() -> None:
    graph = shimmed()
    shim = graph.handles[0]
    graph.exports[0] = ("run", shim["0"], graph.exports[0][2])
    run = graph.merged()
    assert run.fused is not None
    run.call("run", 4)
    assert run.log == [("log", (4,))]
    assert run.fused.main.code.count == 0


def test_a_reference_to_something_dead_is_our_defect() -> None:
    graph, _, _ = two_memories()
    graph.exports.pop()
    dead = FuncId(graph.handles[0].id, graph.handles[0].module.exports[1].index)  # type: ignore[arg-type]
    call = graph.emit("call", UNARY, GET0 + b"\x10", FuncRef(dead))
    with pytest.raises(InternalError):
        graph.merge(lifted={"get": call})


def test_a_forwarding_circle_is_our_defect() -> None:
    graph = shimmed()
    facts = graph.everything_live()
    zero = graph.handles[0]["0"]
    assert isinstance(zero, FuncId)
    circle = replace(facts, forwards={zero: LowerFunc(LowerId(0))})
    adapted = replace(graph.adapted(), lowers={LowerId(0): zero})
    with pytest.raises(InternalError):
        merge(graph.graph(), circle, adapted, reindex, scan_module, MergeOptions("0"))


def test_a_dead_target_keeps_only_segments_that_trap() -> None:
    graph = CoreGraph()
    log = graph.host("log", 1)
    graph.instance('(module (import "h" "l" (func $l (param i32))) (func $s (call $l (i32.const 1))) (start $s))', log)
    a = graph.instance(
        '(module (memory (export "m") 1) (table (export "t") 1 funcref) (func $f) (elem (i32.const 0) func $f)'
        ' (data (i32.const 0) "x"))'
    )
    facts = graph.everything_live()
    live = facts.live
    start_only = frozenset(func for func in live.funcs if func.instance == 0)
    dead = replace(
        live, funcs=start_only, tables=frozenset(), memories=frozenset(), elems=frozenset(), data=frozenset()
    )

    def fused() -> object:
        proven = replace(facts, live=dead, code={m.id: scan_module(m.module) for m in graph.modules})
        return merge(graph.graph(), proven, graph.adapted(), reindex, scan_module, MergeOptions("0"))

    in_bounds = graph.start(fused())  # type: ignore[arg-type]
    assert in_bounds.failed is None
    assert in_bounds.fused is not None
    assert (in_bounds.fused.main.memories, in_bounds.fused.main.tables, in_bounds.fused.main.data) == ((), (), ())
    for wat, item, what in (
        ('(module (import "a" "m" (memory 1)) (data (i32.const 65536) "x"))', a["m"], "memory"),
        ('(module (import "a" "t" (table 1 funcref)) (func $f) (elem (i32.const 1) func $f))', a["t"], "table"),
    ):
        graph.instance(wat, item)
        run = graph.start(fused())  # type: ignore[arg-type]
        assert run.failed is not None
        assert f"out of bounds {what}" in run.failed
        assert run.log == [("log", (1,))]
        graph.handles.pop()
        graph.module_of.pop()


def test_global_references_need_a_live_global() -> None:
    graph, _, _ = two_memories()
    ghost = GlobalRef(GlobalId(graph.handles[0].id, 0))  # type: ignore[arg-type]
    graph.emit("reads", CoreFuncType((), ()), b"\x23", ghost, b"\x1a")
    with pytest.raises(InternalError):
        graph.merge()
