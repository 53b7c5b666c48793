"""The name and producers sections, dropped custom sections, and the engines' limits."""

from __future__ import annotations

from dataclasses import replace

import pytest

from meldpy.errors import LimitError
from meldpy.merger.limits import check_body, check_locals, check_name
from meldpy.model.core import (
    CoreModule,
    IndirectNameKind,
    NameKind,
    NameSection,
    PlacedCustom,
    ProducersSection,
    RawCustom,
)
from meldpy.model.debug import NameStyle
from tests.support.core_graph import CoreGraph

NAMED = """(module
  (import "a" "f" (func $imported (param i32)))
  (memory $heap 1) (global $counter (mut i32) (i32.const 0))
  (func $dead (param $nothing i32))
  (func $main (export "main") (param $first i32) (local $second i64)
    (global.set $counter (i32.load (local.get $first)))
    (call $imported (local.get $first))))"""


def names(module: CoreModule) -> NameSection:
    (section,) = [custom.section for custom in module.customs if isinstance(custom.section, NameSection)]
    return section


def producers(module: CoreModule) -> ProducersSection:
    (section,) = [custom.section for custom in module.customs if isinstance(custom.section, ProducersSection)]
    return section


def named_graph() -> CoreGraph:
    graph = CoreGraph()
    log = graph.host("log", 1)
    module = graph.module(NAMED, "app")
    for number in "12":
        graph.export(f"main{number}", graph.instance(module, log)["main"])
    return graph


def test_names_follow_their_functions() -> None:
    section = names(named_graph().merge().main)
    maps = dict(section.maps)
    assert maps[NameKind.FUNCTION] == ((0, "import#log"), (1, "root/app::main"), (2, "root/app #2::main"))
    assert maps[NameKind.GLOBAL] == ((0, "root/app::counter"), (1, "root/app #2::counter"))
    assert maps[NameKind.MEMORY] == ((0, "root/app #2::heap"), (1, "root/app::heap"))
    assert dict(section.indirect)[IndirectNameKind.LOCAL] == (
        (1, ((0, "first"), (1, "second"))),
        (2, ((0, "first"), (1, "second"))),
    )


def test_names_can_be_short() -> None:
    maps = dict(names(named_graph().merge(names=NameStyle.SHORT).main).maps)
    assert maps[NameKind.FUNCTION] == ((0, "import#log"), (1, "main"), (2, "main"))
    assert maps[NameKind.MEMORY] == ((0, "heap"), (1, "heap"))


def test_names_can_be_left_out() -> None:
    fused = named_graph().merge(names=NameStyle.NONE)
    assert [type(custom.section) for custom in fused.main.customs] == [ProducersSection]
    assert fused.dropped_customs == ()


def with_customs(graph: CoreGraph, number: int, *sections: RawCustom | ProducersSection) -> None:
    module = graph.modules[number]
    placed = (*module.module.customs, *(PlacedCustom(11, section) for section in sections))
    graph.modules[number] = replace(module, module=replace(module.module, customs=placed))


def test_producers_are_united_and_the_rest_is_listed() -> None:
    graph = CoreGraph()
    a = graph.instance('(module (func (export "f")))')
    b = graph.instance('(module (func (export "f")))')
    graph.export("a", a["f"])
    graph.export("b", b["f"])
    first = ProducersSection((("language", (("C", "11"),)), ("processed-by", (("clang", "19"),))))
    second = ProducersSection((("processed-by", (("clang", "20"), ("rustc", "1.90"))), ("language", (("C", "11"),))))
    with_customs(graph, 0, first, RawCustom(".debug_info", b"x"), RawCustom("linking", b""))
    with_customs(graph, 1, second, RawCustom(".debug_info", b"y"), RawCustom("mine", b""))
    fused = graph.merge()
    assert producers(fused.main).fields == (
        ("language", (("C", "11"),)),
        ("processed-by", (("clang", "19, 20"), ("rustc", "1.90"), ("meldpy", "0"))),
    )
    assert fused.dropped_customs == (".debug_info", "linking", "mine")


def test_name_sections_that_lie_are_harmless() -> None:
    graph = CoreGraph()
    a = graph.instance('(module (func (export "f")))')
    graph.export("a", a["f"])
    lies = NameSection(
        "m", ((NameKind.FUNCTION, ((0, "x" * 200_000), (7, "none"))),), ((IndirectNameKind.LOCAL, ((9, ((0, "l"),)),)),)
    )
    module = graph.modules[0]
    graph.modules[0] = replace(module, module=replace(module.module, customs=(PlacedCustom(11, lies),)))
    run = graph.merged()
    assert run.call("a") is None


def test_more_memories_than_engines_accept() -> None:
    graph = CoreGraph()
    module = graph.module('(module (memory 1) (func (export "f") (result i32) (memory.size)))')
    for number in range(101):
        graph.export(f"f{number}", graph.instance(module)["f"])
    with pytest.raises(LimitError) as caught:
        graph.merge()
    assert "101 memories" in caught.value.reason
    assert "100" in caught.value.reason
    assert caught.value.remedy is not None


def test_more_segments_than_engines_accept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("meldpy.merger.limits", fromlist=["_LIMITS"])._LIMITS, "data segments", 3)
    graph = CoreGraph()
    module = graph.module(
        """(module (memory 1) (data (i32.const 0) "a") (data (i32.const 9) "b")
          (func (export "f") (result i32) (memory.size)))"""
    )
    for number in range(2):
        graph.export(f"f{number}", graph.instance(module)["f"])
    graph.merge()  # two here and two in a carrier
    graph.instance(
        '(module (import "a" "m" (memory 1)) (data (i32.const 3) "c") (data (i32.const 6) "d"))', graph_memory(graph)
    )
    with pytest.raises(LimitError, match="data segments"):
        graph.merge(analysed=False)


def graph_memory(graph: CoreGraph):  # type: ignore[no-untyped-def]
    from meldpy.model.ids import CoreMemoryIndex, MemoryId

    return MemoryId(graph.handles[0].id, CoreMemoryIndex(0))


def test_bodies_locals_and_names_have_limits() -> None:
    check_body("m", 7_654_321)
    check_locals("f", 50_000)
    check_name("n" * 100_000)
    with pytest.raises(LimitError, match="7654322 bytes"):
        check_body("m", 7_654_322)
    with pytest.raises(LimitError, match="50001 locals"):
        check_locals("f", 50_001)
    with pytest.raises(LimitError):
        check_name("ä" * 50_001)
