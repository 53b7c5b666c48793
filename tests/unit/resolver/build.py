"""Builds linked graphs from component text, and checks what must hold for every one of them."""

from __future__ import annotations

from wasmtime import wat2wasm

from meldpy.binary.decode import decode_component
from meldpy.model.component import Component, Section
from meldpy.model.ids import FuncId, GlobalId, MemoryId, TableId, TagId
from meldpy.model.linked import BuiltinFunc, FuncItem, InstanceItem, LinkedGraph, LowerFunc, OuterItem
from meldpy.resolver import ResolveOptions, ResolverInput, resolve


def component(wat: str, source: str = "root.wasm") -> Component:
    return decode_component(bytes(wat2wasm(wat)), source)


def graph_of(wat: str, **options: object) -> LinkedGraph:
    """The graph of one composition."""
    return link({"root": wat}, **options)


def link(inputs: dict[str, str], **options: object) -> LinkedGraph:
    """The graph of several inputs, by name."""
    made = [ResolverInput(name, f"{name}.wasm", 0, component(wat, f"{name}.wasm")) for name, wat in inputs.items()]
    graph = resolve(made, ResolveOptions(**options))  # type: ignore[arg-type]  # each test names its options
    check(graph)
    return graph


def graph_of_sections(*sections: Section) -> LinkedGraph:
    """For definitions that no text can say."""
    return resolve([ResolverInput("root", "root.wasm", 0, Component(sections))], ResolveOptions())


def check(graph: LinkedGraph) -> None:
    """Ids are positions, and whatever is bound to a core import exists and is defined by its definer."""
    for items in (
        graph.modules,
        graph.instances,
        graph.core_instances,
        graph.resources,
        graph.lifts,
        graph.lowers,
        graph.builtins,
        graph.import_funcs,
    ):
        assert [item.id for item in items] == list(range(len(items)))
    for instance in graph.core_instances:
        module = graph.modules[instance.module].module
        assert len(instance.args) == len(module.imports)
        for arg in instance.args:
            match arg:
                case LowerFunc(lower):
                    assert lower < len(graph.lowers)
                case BuiltinFunc(builtin):
                    assert builtin < len(graph.builtins)
                case FuncId() | TableId() | MemoryId() | GlobalId() | TagId():
                    assert arg.instance < instance.id, "an import is bound to something instantiated later"
    for instance_ in graph.instances[1:]:
        assert instance_.parent is not None
        assert instance_.parent < instance_.id


def export(graph: LinkedGraph, *path: str) -> OuterItem:
    """The exported item at `path`."""
    items = {e.name.name: e.item for e in graph.exports}
    item = items[path[0]]
    for name in path[1:]:
        assert isinstance(item, InstanceItem)
        item = {n.name: inner for n, inner in item.exports}[name]
    return item


def exported_func(graph: LinkedGraph, *path: str) -> FuncItem:
    item = export(graph, *path)
    assert isinstance(item, FuncItem)
    return item


def names(item: OuterItem) -> list[str]:
    assert isinstance(item, InstanceItem)
    return [name.name for name, _ in item.exports]
