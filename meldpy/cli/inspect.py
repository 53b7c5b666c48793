"""`meld inspect`: what is inside a component, as a tree or as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeAlias, final

import click

from meldpy.cli.io import read_input
from meldpy.errors import escape
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
    StartSection,
    TypeSection,
)
from meldpy.model.core import (
    CoreModule,
    FuncImportType,
    Limits,
    MemoryType,
    NameSection,
    TableType,
)
from meldpy.pipeline import decode

_Facts: TypeAlias = "dict[str, str | int | list[str]]"


@final
@dataclass(frozen=True, slots=True)
class Node:
    """One thing: its kind, a label, its facts in order, and what is inside it."""

    kind: str
    label: str
    facts: _Facts
    children: tuple[Node, ...] = ()


@click.command()
@click.argument("inputs", nargs=-1, metavar="INPUT...", required=True)
@click.option("--json", "as_json", is_flag=True, help="Machine-readable output.")
def inspect(inputs: tuple[str, ...], as_json: bool) -> None:
    """Show the components, core modules, memories, imports and exports inside each INPUT, with sizes."""
    nodes = []
    for argument in inputs:
        item = read_input(argument)
        nodes.append(_component(decode(item), item.source, len(item.data)))
    if as_json:
        click.echo(json.dumps([_data(node) for node in nodes], indent=2))
        return
    for node in nodes:
        for line in _lines(node, ""):
            click.echo(line)


# --- to nodes ----------------------------------------------------------------------------------------------------
def _component(component: Component, label: str, size: int | None = None) -> Node:
    children: list[Node] = []
    for section in component.sections:
        children.extend(_section(section, children))
    facts: _Facts = {} if size is None else {"bytes": size}
    return Node("component", label, facts, tuple(children))


def _section(section: Section, before: list[Node]) -> Iterator[Node]:
    def number(kind: str) -> int:
        return sum(node.kind == kind for node in before)

    match section:
        case CoreModuleSection(module=module):
            yield _module(module, str(number("core module")))
        case ComponentSection(component=component):
            yield _component(component, str(number("component")))
        case CoreInstanceSection(items=items):
            for i, item in enumerate(items, number("core instance")):
                what = f"of core module {item.module}" if isinstance(item, CoreInstantiate) else "of exports"
                yield Node("core instance", str(i), {"what": what})
        case InstanceSection(items=instances):
            for i, instance in enumerate(instances, number("instance")):
                what = f"of component {instance.component}" if isinstance(instance, Instantiate) else "of exports"
                yield Node("instance", str(i), {"what": what})
        case ImportSection(items=imports):
            for import_ in imports:
                yield Node("import", import_.name.name, {"sort": _sort(type(import_.desc).__name__)})
        case ExportSection(items=exports):
            for export in exports:
                yield Node("export", export.name.name, {"sort": export.item.sort.name.lower().replace("_", " ")})
        case CustomSection(section=custom):
            yield Node("custom section", custom.name, {"bytes": len(custom.data)})
        case StartSection():
            yield Node("start", "", {})
        case TypeSection() | AliasSection() | CanonSection() | _:
            pass


def _sort(description: str) -> str:
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
    children = [Node("memory", str(i), {"pages": _limits(memory.limits)}) for i, memory in enumerate(module.memories)]
    children += [Node("table", str(i), {"elements": _limits(t.type.limits)}) for i, t in enumerate(module.tables)]
    for import_ in module.imports:
        match import_.type:
            case FuncImportType():
                kind: _Facts = {"sort": "func"}
            case MemoryType(limits=limits):
                kind = {"sort": "memory", "pages": _limits(limits)}
            case TableType(limits=limits):
                kind = {"sort": "table", "elements": _limits(limits)}
            case other:
                kind = {"sort": type(other).__name__.removesuffix("Type").lower()}
        children.append(Node("import", f"{import_.module} {import_.name}", kind))
    children += [Node("export", e.name, {"sort": e.sort.name.lower()}) for e in module.exports]
    return Node("core module", label, facts, tuple(children))


def _limits(limits: Limits) -> str:
    upper = "" if limits.max is None else str(limits.max)
    extra = (" i64" if limits.is64 else "") + (" shared" if limits.shared else "")
    return f"{limits.min}..{upper}{extra}"


# --- to text -------------------------------------------------------------------------------------------------------
def _lines(node: Node, indent: str) -> Iterator[str]:
    facts = ", ".join(str(v) if k in ("what", "sort") else f"{v} {k}" for k, v in node.facts.items())
    yield f"{indent}{node.kind} {escape(node.label)}".rstrip() + (f": {facts}" if facts else "")
    for child in node.children:
        yield from _lines(child, indent + "  ")


def _data(node: Node) -> dict[str, object]:
    return {
        "kind": node.kind,
        "label": node.label,
        **node.facts,
        "children": [_data(child) for child in node.children],
    }
