"""What is known of a component only when all of it is linked: its world, its resource types, how far it can block."""

from __future__ import annotations

from collections.abc import Iterator
from typing import final

from meldpy.adapter import ResourceUse, resource_uses
from meldpy.analysis import analyse
from meldpy.model.asynchrony import AsyncClass, Asynchrony
from meldpy.model.component import Component
from meldpy.model.extern import ExternType, InstanceType, NamedExtern, TypeExtern
from meldpy.model.linked import FuncItem, InstanceItem, LinkedGraph, ModuleItem, OuterItem, TypeItem
from meldpy.pipeline import FuseInput, FuseOptions, blaming_invalid_input, link, returns_zero, scan
from meldpy.records import dataclass
from meldpy.report.tree import Node
from meldpy.wit import world_text


@final
@dataclass(frozen=True, slots=True)
class Findings:
    """nodes: resource types, then how far tasks can block. wit: the world."""

    nodes: tuple[Node, ...]
    wit: str


def findings(item: FuseInput, component: Component) -> Findings:
    """What linking `component` by itself shows. Raises what linking raises."""
    with blaming_invalid_input([(item, component)], FuseOptions(validate=False)):
        graph = link([(item, component)], FuseOptions())
        facts = analyse(graph, scan, returns_zero=returns_zero)
        uses = resource_uses(graph, facts) if graph.resources else ()
        wit = world_of(graph)
    return Findings((*map(_resource, uses), *_async(graph, facts.asynchrony)), wit)


def world_of(graph: LinkedGraph) -> str:
    """The world of a linked graph as WIT."""
    imports = [NamedExtern(each.name, each.type) for each in graph.imports]
    exports = [NamedExtern(each.name, extern_of(each.item)) for each in graph.exports]
    return world_text(imports, exports)


def extern_of(item: OuterItem) -> ExternType:
    """The type of what the outer component exports."""
    match item:
        case FuncItem(type=type_):
            return type_
        case TypeItem(type_, bound_resource):
            return TypeExtern(type_, bound_resource)
        case InstanceItem(exports=exports):
            return InstanceType(tuple(NamedExtern(name, extern_of(inner)) for name, inner in exports))
        case ModuleItem(type=module_type):
            return module_type


def _resource(use: ResourceUse) -> Node:
    facts = {
        "what": "imported" if use.definer is None else "defined",
        "definer": use.definer or "the host",
        "users": ", ".join(use.users) or "none",
        "table": use.kind.value,
    }
    return Node("resource", use.name, facts)


def _async(graph: LinkedGraph, found: Asynchrony) -> Iterator[Node]:
    """Nothing for a sync component; else its class, what decides it, and where it can block."""
    if found.class_ is AsyncClass.SYNC:
        return
    labels = [instance.label for instance in graph.instances]
    because = [f"{each.obstacle.value}: {labels[each.instance]} at {each.location}" for each in found.deciding]
    if found.base is not None:
        because.append(f"blocked stacks begin in {labels[found.base]}")
    sites = [f"{site.kind.value} in {labels[site.instance]} at {site.location}" for site in found.sites]
    children = [Node("because", "", {"what": reason}) for reason in because]
    children += [Node("can block", "", {"what": site}) for site in sites]
    yield Node("async class", found.class_.value, {}, tuple(children))
