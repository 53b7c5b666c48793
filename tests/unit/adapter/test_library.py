"""Instances of the runtime library, and what is read off a memory's definition."""

from __future__ import annotations

from dataclasses import replace

import pytest

from meldpy.adapter.library import Instances
from meldpy.adapter.memories import memory_of
from meldpy.adapter.places import Memory
from meldpy.model.core import (
    Code,
    CoreExport,
    CoreFuncType,
    CoreImport,
    CoreModule,
    CoreSort,
    Limits,
    MemoryType,
    RecGroup,
    SubType,
)
from meldpy.model.ids import CoreFuncIndex, CoreInstanceId, CoreMemoryIndex, CoreTypeIndex, FuncId, MemoryId
from tests.support.crossing import Crossing

MODULE = CoreModule(
    types=(RecGroup((SubType(CoreFuncType((), ())),)),),
    imports=(CoreImport("", "memory", MemoryType(Limits(0))),),
    funcs=(CoreTypeIndex(0), CoreTypeIndex(0)),
    exports=(CoreExport("memory", CoreSort.MEMORY, 0), CoreExport("f", CoreSort.FUNC, 1)),
    code=Code(2, b"\x02\x00\x0b\x02\x00\x0b"),
)
ONE, TWO = (MemoryId(CoreInstanceId(i), CoreMemoryIndex(0)) for i in range(2))


def test_equal_arguments_share_an_instance_and_ids_continue() -> None:
    instances = Instances({"a": MODULE, "b": MODULE}, first_module=7, first_instance=20)
    assert instances.func("a", (ONE,), "f") == FuncId(CoreInstanceId(20), CoreFuncIndex(1))
    assert instances.func("a", (TWO,), "f").instance == 21
    assert instances.func("b", (ONE,), "f").instance == 22
    assert instances.func("a", (ONE,), "f").instance == 20
    assert [module.id for module in instances.modules] == [7, 8]
    assert [(i.id, i.module, i.args) for i in instances.instances] == [
        (20, 7, (ONE,)),
        (21, 7, (TWO,)),
        (22, 8, (ONE,)),
    ]


def test_what_the_library_does_not_have_is_our_bug() -> None:
    instances = Instances({"a": MODULE}, 0, 0)
    with pytest.raises(AssertionError, match="exports no function"):
        instances.func("a", (ONE,), "memory")
    with pytest.raises(AssertionError, match="wrong number of arguments"):
        instances.func("a", (), "f")


@pytest.mark.parametrize(
    ("limits", "memory"),
    [
        (Limits(1), Memory(TWO, False, False, 16)),
        (Limits(1, is64=True), Memory(TWO, True, False, 16)),
        (Limits(1, 2, shared=True), Memory(TWO, False, True, 16)),
        (Limits(1, page_size_log2=0), Memory(TWO, False, False, 0)),
    ],
)
def test_a_memory_is_what_its_module_says(limits: Limits, memory: Memory) -> None:
    graph = Crossing([]).graph()
    imported = CoreImport("", "m", MemoryType(Limits(9, is64=True)))
    module = replace(graph.modules[1].module, imports=(imported,), memories=(MemoryType(limits),))
    graph = replace(graph, modules=(graph.modules[0], replace(graph.modules[1], module=module)))
    id = MemoryId(CoreInstanceId(1), CoreMemoryIndex(1))
    assert memory_of(graph, id) == replace(memory, id=id)


def test_a_memory_is_opened_for_those_that_do_not_ask_first() -> None:
    empty = CoreModule(memories=(MemoryType(Limits(0)),))
    instances = Instances({"a": empty, "b": empty}, 0, 0)
    for name in ("a", "b"):
        instances.memory(name, ())
    instances.open({"b": 3, "c": 1})
    assert [module.module.memories[0].limits.min for module in instances.modules] == [0, 3]
