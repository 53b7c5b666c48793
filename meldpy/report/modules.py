"""Core modules as nodes: what they import and export, their memories and tables, who made them, what they need."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from meldpy.core_output import used_features
from meldpy.errors import MeldError
from meldpy.kernel.rebase import opcodes_seen
from meldpy.model.core import (
    CoreModule,
    FuncImportType,
    Limits,
    MemoryType,
    NameSection,
    ProducersSection,
    RawCustom,
    TableType,
)
from meldpy.pipeline import counts
from meldpy.report.tree import Facts, Node

_PAGE_LOG2 = 16


def module_node(module: CoreModule, label: str) -> Node:
    """One core module; `label`: its number, to which its own name is added."""
    name = module_name(module)
    facts: Facts = {
        "functions": len(module.funcs),
        "code bytes": len(module.code.bodies),
        "data bytes": sum(len(segment.data) for segment in module.data),
        "globals": len(module.globals),
    }
    children = (*_edge(module), *_customs(module), *_features(module))
    return Node("core module", label if name is None else f"{label} ({name})".lstrip(), facts, children, module.size)


def module_name(module: CoreModule) -> str | None:
    """What the name section calls the module."""
    names = [each.section.module for each in module.customs if isinstance(each.section, NameSection)]
    return next((name for name in names if name is not None), None)


def producer_nodes(section: ProducersSection) -> Iterator[Node]:
    """Who made it: languages, tools and libraries, with versions."""
    for field, values in section.fields:
        yield Node("producers", field, {"names": tuple(f"{name} {version}".rstrip() for name, version in values)})


def _edge(module: CoreModule) -> Iterator[Node]:
    for import_ in module.imports:
        match import_.type:
            case FuncImportType():
                kind: Facts = {"sort": "func"}
            case MemoryType(limits=limits):
                kind = {"sort": "memory", **_memory(limits)}
            case TableType(limits=limits):
                kind = {"sort": "table", "elements": limits_text(limits)}
            case other:
                kind = {"sort": type(other).__name__.removesuffix("Type").lower()}
        yield Node("import", f"{import_.module} {import_.name}".lstrip(), kind)
    for number, memory in enumerate(module.memories):
        yield Node("memory", str(number), _memory(memory.limits))
    for number, table in enumerate(module.tables):
        yield Node("table", str(number), {"elements": limits_text(table.type.limits)})
    for export in module.exports:
        yield Node("export", export.name, {"sort": export.sort.name.lower()})


def _customs(module: CoreModule) -> Iterator[Node]:
    for placed in module.customs:
        match placed.section:
            case ProducersSection() as producers:
                yield from producer_nodes(producers)
            case RawCustom(name, data):
                yield Node("custom section", name, {}, size=len(data))
            case NameSection():
                pass  # what it says is in the labels


def _features(module: CoreModule) -> Iterator[Node]:
    """The features beyond WebAssembly 1.0 that a host must have."""
    try:
        seen = opcodes_seen(module.code.bodies, module.code.count, counts(module))
    except MeldError as error:  # instructions that nobody knows, or a module that is not valid
        yield Node("features", "", {"what": f"unknown, {error.reason}"})
        return
    features: Sequence[str] = used_features(module, seen)
    if features:
        yield Node("features", "", {"names": tuple(features)})


def _memory(limits: Limits) -> Facts:
    page = _PAGE_LOG2 if limits.page_size_log2 is None else limits.page_size_log2
    return {"pages": limits_text(limits), "bytes": limits.min << page}


def limits_text(limits: Limits) -> str:
    """LEAST..MOST of pages or elements, the latter left out without a limit; i64, shared."""
    upper = "" if limits.max is None else str(limits.max)
    extra = (" i64" if limits.is64 else "") + (" shared" if limits.shared else "")
    return f"{limits.min}..{upper}{extra}"
