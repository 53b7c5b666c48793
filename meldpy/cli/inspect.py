"""`meld inspect`: what is inside a component, as a tree or as JSON. Numbers are positions in index spaces."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import TypeAlias, final

import click

from meldpy.cli.io import read_inputs_or_stdin, refuse_closed_stdout
from meldpy.cli.settings import verbosity
from meldpy.errors import MeldError, escape
from meldpy.model.canon import Lift, Lower
from meldpy.model.component import (
    AliasSection,
    CanonSection,
    Component,
    ComponentSection,
    CoreInstanceSection,
    CoreInstantiate,
    CoreModuleSection,
    CustomSection,
    ExportSection,
    ImportSection,
    InstanceSection,
    Instantiate,
    Section,
    Sort,
    StartSection,
)
from meldpy.model.core import CoreModule, FuncImportType, Limits, MemoryType, NameSection, TableType
from meldpy.model.extern import ExternName
from meldpy.pipeline import AsyncInfo, FuseInput, ResourceInfo, decode, findings
from meldpy.records import dataclass, replace

_Facts: TypeAlias = "dict[str, str | int]"
_PAGE_LOG2 = 16
_NAMED_FACTS = ("definer", "users", "table", "implements", "external id")
"""Facts that are shown after their names; the others are numbers before what they count."""


@final
@dataclass(frozen=True, slots=True)
class Node:
    """One thing: its kind, a label, its facts in order, and what is inside it."""

    kind: str
    label: str
    facts: _Facts
    children: tuple[Node, ...] = ()


@click.command()
@click.argument("inputs", nargs=-1, metavar="INPUT...")
@click.option("--json", "as_json", is_flag=True, help="Machine-readable output.")
@verbosity
def inspect(inputs: tuple[str, ...], as_json: bool) -> None:
    """Show the components, core modules, memories, imports and exports inside each INPUT (stdin without one)."""
    refuse_closed_stdout()
    nodes = [_root(item) for item in read_inputs_or_stdin(inputs)]
    if as_json:
        click.echo(json.dumps([_data(node) for node in nodes], indent=2))
        return
    for node in nodes:
        for line in _lines(node, ""):
            click.echo(line)


# --- to nodes ----------------------------------------------------------------------------------------------------
def _root(item: FuseInput) -> Node:
    """An input: what is inside, then its resource types and how it blocks, known only when all of it is linked."""
    component = decode(item)
    node = _component(component, item.source, len(item.data))
    try:
        resources, asynchrony = findings(item, component)
    except MeldError as error:
        return replace(node, children=(*node.children, Node("resources", "", {"what": f"unknown, {error.reason}"})))
    return replace(node, children=(*node.children, *map(_resource, resources), *_async(asynchrony)))


def _async(found: AsyncInfo) -> Iterator[Node]:
    """Nothing for a sync component; else its class, what decides it, and where it can block."""
    if found.class_ == "sync":
        return
    children = [Node("because", "", {"what": reason}) for reason in found.deciding]
    children += [Node("can block", "", {"what": site}) for site in found.sites]
    yield Node("async class", found.class_, {}, tuple(children))


def _resource(resource: ResourceInfo) -> Node:
    facts: _Facts = {
        "what": "imported" if resource.definer is None else "defined",
        "definer": resource.definer or "the host",
        "users": ", ".join(resource.users) or "none",
        "table": resource.table,
    }
    return Node("resource", resource.name, facts)


def _component(component: Component, label: str, size: int | None = None) -> Node:
    indices: Counter[str] = Counter()
    children = [node for section in component.sections for node in _section(section, indices)]
    facts: _Facts = {} if size is None else {"bytes": size}
    return Node("component", label, facts, tuple(children))


def _section(section: Section, indices: Counter[str]) -> Iterator[Node]:
    """The nodes of one section; `indices` counts, per sort, how far each index space has grown."""

    def number(sort: str) -> str:
        indices[sort] += 1
        return str(indices[sort] - 1)

    match section:
        case CoreModuleSection(module=module):
            yield _module(module, number("core module"))
        case ComponentSection(component=component):
            yield _component(component, number("component"))
        case CoreInstanceSection(items=items):
            for item in items:
                what = f"of core module {item.module}" if isinstance(item, CoreInstantiate) else "of exports"
                yield Node("core instance", number("core instance"), {"what": what})
        case InstanceSection(items=instances):
            for instance in instances:
                what = f"of component {instance.component}" if isinstance(instance, Instantiate) else "of exports"
                yield Node("instance", number("instance"), {"what": what})
        case ImportSection(items=imports):
            for import_ in imports:
                sort = _described(type(import_.desc).__name__)
                number(sort)
                yield Node("import", import_.name.name, {"sort": sort, **_attributes(import_.name)})
        case ExportSection(items=exports):
            for export in exports:
                sort = _sort(export.item.sort)
                number(sort)
                yield Node("export", export.name.name, {"sort": sort, **_attributes(export.name)})
        case AliasSection(items=aliases):
            for alias in aliases:
                number(_sort(alias.sort))
        case CanonSection(items=canons):
            for canon in canons:
                number("func" if isinstance(canon, Lift) else "core func")
            yield Node("canon", "", _canon_counts([type(canon) for canon in canons]))
        case CustomSection(section=custom):
            yield Node("custom section", custom.name, {"bytes": len(custom.data)})
        case StartSection():
            yield Node("start", "", {})
        case _:
            pass  # types: an import or export names those that matter


def _attributes(name: ExternName) -> _Facts:
    """What a name says beside itself: the interface that is implemented, with its version, and an external id."""
    attributes = name.attributes
    found: _Facts = {}
    if attributes.implements is not None:
        found["implements"] = attributes.implements + (attributes.version_suffix or "")
    if attributes.external_id is not None:
        found["external id"] = attributes.external_id
    return found


def _canon_counts(kinds: list[type]) -> _Facts:
    lifts, lowers = kinds.count(Lift), kinds.count(Lower)
    counts = {"lift": lifts, "lower": lowers, "built-in": len(kinds) - lifts - lowers}
    return {kind: count for kind, count in counts.items() if count}


def _sort(sort: Sort) -> str:
    return sort.name.lower().replace("_", " ")


def _described(description: str) -> str:
    return {"CoreModuleDesc": "core module"}.get(description, description.removesuffix("Desc").lower())


def _module(module: CoreModule, label: str) -> Node:
    for placed in module.customs:
        if isinstance(placed.section, NameSection) and placed.section.module is not None:
            label += f" ({placed.section.module})"
    facts: _Facts = {
        "bytes": module.size,
        "functions": len(module.funcs),
        "code bytes": len(module.code.bodies),
        "data bytes": sum(len(segment.data) for segment in module.data),
        "globals": len(module.globals),
    }
    children: list[Node] = []
    for import_ in module.imports:
        match import_.type:
            case FuncImportType():
                kind: _Facts = {"sort": "func"}
            case MemoryType(limits=limits):
                kind = {"sort": "memory", **_memory(limits)}
            case TableType(limits=limits):
                kind = {"sort": "table", "elements": _limits(limits)}
            case other:
                kind = {"sort": type(other).__name__.removesuffix("Type").lower()}
        children.append(Node("import", f"{import_.module} {import_.name}".lstrip(), kind))
    children += [Node("memory", str(i), _memory(memory.limits)) for i, memory in enumerate(module.memories)]
    children += [Node("table", str(i), {"elements": _limits(t.type.limits)}) for i, t in enumerate(module.tables)]
    children += [Node("export", e.name, {"sort": e.sort.name.lower()}) for e in module.exports]
    return Node("core module", label, facts, tuple(children))


def _memory(limits: Limits) -> _Facts:
    page = _PAGE_LOG2 if limits.page_size_log2 is None else limits.page_size_log2
    return {"pages": _limits(limits), "bytes": limits.min << page}


def _limits(limits: Limits) -> str:
    upper = "" if limits.max is None else str(limits.max)
    extra = (" i64" if limits.is64 else "") + (" shared" if limits.shared else "")
    return f"{limits.min}..{upper}{extra}"


# --- to text -------------------------------------------------------------------------------------------------------
def _lines(node: Node, indent: str) -> Iterator[str]:
    facts = ", ".join(_fact(key, value) for key, value in node.facts.items())
    yield f"{indent}{node.kind} {escape(node.label)}".rstrip() + (f": {facts}" if facts else "")
    for child in node.children:
        yield from _lines(child, indent + "  ")


def _fact(key: str, value: str | int) -> str:
    if key in ("what", "sort"):
        return escape(str(value))
    return f"{key}: {escape(str(value))}" if key in _NAMED_FACTS else f"{value} {key}"


def _data(node: Node) -> dict[str, object]:
    return {
        "kind": node.kind,
        "label": node.label,
        **node.facts,
        "children": [_data(child) for child in node.children],
    }
