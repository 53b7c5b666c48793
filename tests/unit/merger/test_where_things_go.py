"""Each memory and table is placed once, whoever imports it; names and start functions are where they say."""

from __future__ import annotations

from dataclasses import replace

import pytest

from meldpy.kernel.reindex import reindex
from meldpy.merger import MergeOptions, merge
from meldpy.merger.limits import NAME
from meldpy.model.code import FuncRef, MemArg, OuterOptions
from meldpy.model.core import CoreFuncType, CoreModule, NameKind, NameSection, NumType, PlacedCustom
from meldpy.model.debug import NameStyle
from meldpy.model.ids import FuncId, ImportFuncId, MemoryId
from meldpy.model.linked import ImportFunc
from tests.support.core_graph import CoreGraph, assert_same, scan_module

UNARY = CoreFuncType((NumType.I32,), (NumType.I32,))
OWNER = """(module
  (import "h" "log" (func $log (param i32)))
  (memory (export "m") 1) (table (export "t") 3 funcref)
  (func $f (result i32) (i32.const 8)) (elem (i32.const 0) func $f) (data (i32.const 0) "ab")
  (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 0))
  (func (export "peek") (param i32) (result i32) (call $log (local.get 0)) (i32.load8_u (local.get 0))))"""
USER = """(module
  (import "a" "m" (memory 1)) (import "a" "t" (table 3 funcref))
  (func (export "use") (param i32) (result i32)
    (i32.add (i32.load8_u (local.get 0)) (call_indirect (result i32) (i32.const 0)))))"""
OTHER = """(module
  (memory (export "m") 2) (table (export "t") 2 funcref) (data (i32.const 0) "much more data than there")
  (func $f (result i32) (i32.const 9)) (elem (i32.const 0) func $f $f)
  (func (export "own") (param i32) (result i32)
    (i32.add (i32.load8_u (local.get 0)) (call_indirect (result i32) (i32.const 0)))))"""


def shared() -> CoreGraph:
    """A memory that a host function needs, and a table beside it, both of which two other instances import."""
    graph = CoreGraph()
    log = graph.host("log", 1)
    owner = graph.instance(OWNER, log)
    memory, realloc = owner["m"], owner["realloc"]
    assert isinstance(memory, MemoryId)
    assert isinstance(realloc, FuncId)
    graph.hosts[0] = (*graph.hosts[0][:2], OuterOptions(memory=memory, realloc=realloc))
    users = [graph.instance(USER, memory, owner["t"]) for _ in range(2)]
    other = graph.instance(OTHER)
    graph.export("peek", owner["peek"])
    for number, user in enumerate(users):
        graph.export(f"use{number}", user["use"])
    graph.export("own", other["own"])
    return graph


def test_what_several_import_is_placed_once() -> None:
    fused = assert_same(shared(), *((name, (i,)) for name in ("peek", "use0", "use1", "own") for i in (0, 1, 2)))
    modules = (fused.main, *fused.carriers)
    assert sorted(memory.limits.min for module in modules for memory in module.memories) == [1, 2]
    # the other is the forwarders' own
    assert sorted(table.type.limits.min for module in modules for table in module.tables) == [1, 5]
    assert [table.type.limits.min for table in fused.main.tables] == [5], "each table once, in one"
    assert all(len(module.memories) <= 1 and len(module.tables) <= 1 for module in modules)


def test_forwarders_are_in_one_carrier_and_its_table_is_theirs() -> None:
    fused = shared().merge()
    forwarding = [number for number, carrier in enumerate(fused.carriers) if carrier.funcs]
    assert len(forwarding) == 1
    (carrier,) = (fused.carriers[number] for number in forwarding)
    assert [export.name for export in carrier.exports if export.name.startswith("realloc")] == ["realloc 0"]
    assert len(carrier.tables) == 1


def test_a_carrier_with_neither_table_nor_forwarder_has_no_table() -> None:
    graph = CoreGraph()
    log = graph.host("log", 1)
    owner = graph.instance(OWNER.replace("(elem (i32.const 0) func $f)", ""), log)
    memory = owner["m"]
    assert isinstance(memory, MemoryId)
    graph.hosts[0] = (*graph.hosts[0][:2], OuterOptions(memory=memory))
    graph.export("peek", owner["peek"])
    (carrier,) = assert_same(graph, ("peek", (0,))).carriers
    assert (carrier.tables, len(carrier.memories)) == ((), 1)
    assert [export.name for export in carrier.exports] == ["memory"]


@pytest.mark.parametrize("same", [False, True])
def test_a_host_function_is_imported_once_for_equal_options(same: bool) -> None:
    graph = CoreGraph()
    for item in [graph.host("log", 1), graph.host("log", 1)]:
        guest = graph.instance(
            '(module (import "h" "l" (func $l (param i32))) (func (export "f") (call $l (i32.const 3))))', item
        )
        graph.export(f"f{guest.id}", guest["f"])
    linked = graph.graph()
    if same:
        lowers = tuple(replace(lower, callee=ImportFunc(ImportFuncId(0))) for lower in linked.lowers)
        linked = replace(linked, lowers=lowers)
    facts = graph.everything_live()
    fused = merge(linked, facts, graph.adapted(), reindex, scan_module, MergeOptions("0"))
    assert len(fused.main.imports) == (1 if same else 2)


def test_a_carriers_names_stand_behind_its_data() -> None:
    carriers = shared().merge().carriers
    assert [custom.after for carrier in carriers for custom in carrier.customs] == [11] * len(carriers)
    assert shared().merge(names=NameStyle.NONE).carriers[0].customs == ()


def test_segments_of_a_carried_memory_are_joined_near_the_limit_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    many = "".join(f'(data (i32.const {100 + i}) "{chr(97 + i)}")' for i in range(8))

    def carried() -> list[bytes]:
        graph = CoreGraph()
        log = graph.host("log", 1)
        owner = graph.instance(OWNER.replace('(data (i32.const 0) "ab")', many), log)
        memory = owner["m"]
        assert isinstance(memory, MemoryId)
        graph.hosts[0] = (*graph.hosts[0][:2], OuterOptions(memory=memory))
        graph.export("peek", owner["peek"])
        fused = assert_same(graph, *(("peek", (100 + i,)) for i in range(9)))
        return [bytes(segment.data) for carrier in fused.carriers for segment in carrier.data]

    assert len(carried()) == 8
    monkeypatch.setattr("meldpy.merger.segments.SEGMENTS", 10)
    assert carried() == [b"abcdefgh"]


def test_emitted_code_reaches_each_memory_by_its_index() -> None:
    graph = CoreGraph()
    module = '(module (memory (export "m") 1) (func (export "get") (param i32) (result i32) (i32.load (local.get 0))))'
    instances = [graph.instance(module) for _ in range(3)]
    memories = [instance["m"] for instance in instances]
    for number, instance in enumerate(instances):
        graph.export(f"get{number}", instance["get"])
    body: list[object] = []
    for number, memory in enumerate(memories):
        assert isinstance(memory, MemoryId)
        body += [b"\x20\x00\x41" + bytes((number + 7,)) + b"\x36", MemArg(memory, 2, 16)]
    body += [b"\x20\x00\x28", MemArg(memories[1], 2, 16)]  # type: ignore[arg-type]
    graph.export("store", instances[0]["get"])
    store = graph.emit("store", UNARY, *body)
    run = graph.merged(lifted={"store": store})
    assert run.call("store", 4) == 8
    assert [run.call(f"get{i}", 20) for i in range(3)] == [7, 8, 9]


# --- start functions --------------------------------------------------------------------------------------------------
STARTING = '(module (import "h" "log" (func $log (param i32))) (func $s (call $log (i32.const {0}))) (start $s))'


def started(emitted: int) -> CoreGraph:
    graph = CoreGraph()
    log = graph.host("log", 1)
    for number in range(3):
        graph.instance(STARTING.format(number), log)
    guest = graph.instance('(module (func $run (export "run") (param i32) (result i32) (local.get 0)))')
    graph.export("run", guest["run"])
    run = guest["run"]
    assert isinstance(run, FuncId)
    for number in range(emitted):
        graph.emit(f"emitted {number}", UNARY, b"\x20\x00\x10", FuncRef(run))
    return graph


def function_names(module: CoreModule) -> list[str]:
    """The names of all functions of a module, which must have one each."""
    (section,) = [custom.section for custom in module.customs if isinstance(custom.section, NameSection)]
    names = dict(section.maps)[NameKind.FUNCTION]
    assert [index for index, _ in names] == list(range(len(module.imports) + module.code.count))
    return [name for _, name in names]


@pytest.mark.parametrize("emitted", [0, 1, 3])
def test_the_merged_start_function_is_the_last(emitted: int) -> None:
    graph = started(emitted)
    run = graph.merged()
    assert run.log == [("log", (i,)) for i in range(3)]
    assert run.fused is not None
    main = run.fused.main
    assert main.code.count == 4 + emitted + 1
    assert main.start == 1 + main.code.count - 1
    names = function_names(main)
    assert names[-1] == "start"
    assert names.count("start") == 1
    assert names[-1 - emitted : -1] == [f"emitted {i}" for i in range(emitted)]


def test_many_actions_are_parts_of_the_start_function(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("meldpy.merger.start._PART", 2)
    run = started(1).merged()
    assert run.log == [("log", (i,)) for i in range(3)]
    assert run.fused is not None
    assert function_names(run.fused.main)[-4:] == ["emitted 0", "start: part 1", "start: part 2", "start"]


# --- names ------------------------------------------------------------------------------------------------------------
def with_names(*lengths: int, extra: int = 0) -> CoreGraph:
    """Two instances of a module whose functions have names of these lengths; `extra` names too many."""
    graph = CoreGraph()
    functions = "".join(f'(func (export "f{i}"))' for i in range(len(lengths)))
    module = graph.module(f"(module {functions})", "label")
    names = tuple((i, "n" * length) for i, length in enumerate((*lengths, *[3] * extra)))
    linked = graph.modules[0]
    customs = (PlacedCustom(11, NameSection(None, ((NameKind.FUNCTION, names),))),)
    graph.modules[0] = replace(linked, module=replace(linked.module, customs=customs))
    for number in range(2):
        instance = graph.instance(module)
        for i in range(len(lengths)):
            graph.export(f"f{i}-{number}", instance[f"f{i}"])
    return graph


def test_a_label_is_put_before_names_that_are_not_too_long() -> None:
    label = len("root/label::")
    most = NAME // 4 - label - 1
    names = function_names(with_names(3, most, most + 1, NAME).merge().main)
    assert [name.startswith("root/label::") for name in names[:4]] == [True, True, False, False]
    assert [len(name) for name in names[:4]] == [3 + label, most + label, most + 1, NAME]


def test_a_name_behind_the_last_function_is_nobodys() -> None:
    names = function_names(with_names(1, 2, extra=1).merge().main)
    assert names == ["root/label::n", "root/label::nn", "root/label #2::n", "root/label #2::nn"]


def test_names_of_an_instance_of_which_nothing_is_left_go_with_it() -> None:
    graph = CoreGraph()
    alone = graph.module('(module (func $named (export "f")))', "alone")
    gone = graph.module('(module (func $dead (export "g")) (memory (export "m") 1))', "gone")
    instance = graph.instance(alone)
    graph.instance(gone)
    graph.export("f", instance["f"])
    assert function_names(graph.merge().main) == ["root/alone::named"]
