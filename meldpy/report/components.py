"""Components as nodes, section by section. Numbers are positions in index spaces."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import assert_never, final

from meldpy.binary.decode import read_producers
from meldpy.model.canon import Lift
from meldpy.model.component import (
    Alias,
    AliasSection,
    CanonSection,
    Component,
    ComponentSection,
    CoreExportAlias,
    CoreInstanceSection,
    CoreInstantiate,
    CoreModuleSection,
    CoreTypeSection,
    CustomSection,
    ExportAlias,
    ExportSection,
    ImportSection,
    InstanceSection,
    Instantiate,
    Section,
    Sort,
    StartSection,
    TypeSection,
    ValueSection,
)
from meldpy.model.extern import ExternName
from meldpy.report.canons import Aliased, canon_counts, canon_node, component_features
from meldpy.report.modules import module_node, producer_nodes
from meldpy.report.tree import Fact, Facts, Node


def component_node(component: Component, label: str) -> Node:
    """One component and everything inside it."""
    writer = _Writer()
    children = [node for section in component.sections for node in writer.section(section)]
    features = dict.fromkeys(
        name
        for section in component.sections
        if isinstance(section, CanonSection)
        for name in component_features(section.items)
    )
    if features:
        children.append(Node("features", "", {"names": tuple(sorted(features))}))
    return Node("component", label, {}, tuple(children), component.size)


@final
class _Writer:
    """Counts, per sort, how far each index space of one component has grown."""

    def __init__(self) -> None:
        self.indices: Counter[str] = Counter()
        self.aliased = Aliased()

    def number(self, sort: str) -> str:
        self.indices[sort] += 1
        return str(self.indices[sort] - 1)

    def section(self, section: Section) -> Iterator[Node]:
        match section:
            case CoreModuleSection(module=module):
                yield module_node(module, self.number("core module"))
            case ComponentSection(component=component):
                yield component_node(component, self.number("component"))
            case CoreInstanceSection(items=items):
                for item in items:
                    what = f"of core module {item.module}" if isinstance(item, CoreInstantiate) else "of exports"
                    yield Node("core instance", self.number("core instance"), {"what": what})
            case InstanceSection(items=instances):
                for instance in instances:
                    what = f"of component {instance.component}" if isinstance(instance, Instantiate) else "of exports"
                    yield Node("instance", self.number("instance"), {"what": what})
            case ImportSection(items=imports):
                for import_ in imports:
                    sort = _described(type(import_.desc).__name__)
                    self._named(sort, import_.name.name)
                    yield Node("import", import_.name.name, {"sort": sort, **_attributes(import_.name)})
            case ExportSection(items=exports):
                for export in exports:
                    sort = _sort(export.item.sort)
                    self._named(sort, export.name.name)
                    yield Node("export", export.name.name, {"sort": sort, **_attributes(export.name)})
            case AliasSection(items=aliases):
                for alias in aliases:
                    self._alias(alias)
            case CanonSection(items=canons):
                inner = [
                    canon_node(each, self.number("func" if isinstance(each, Lift) else "core func"), self.aliased)
                    for each in canons
                ]
                yield Node("canon", "", canon_counts(canons), tuple(inner))
            case CustomSection(section=custom):
                producers = read_producers(custom)
                if producers is not None:
                    yield from producer_nodes(producers)
                else:
                    yield Node("custom section", custom.name, {}, size=len(custom.data))
            case StartSection(start=start):
                self.indices["value"] += start.results
                yield Node("start", "", {})
            # What follows takes numbers, and is not shown: an import or export names what matters of it.
            case TypeSection(items=types):
                self.indices["type"] += len(types)
            case CoreTypeSection(items=core_types):
                self.indices["core type"] += len(core_types)
            case ValueSection(items=values):
                self.indices["value"] += len(values)
            case other:
                assert_never(other)

    def _named(self, sort: str, name: str) -> None:
        self.aliased.name(sort, int(self.number(sort)), name)

    def _alias(self, alias: Alias) -> None:
        sort = _sort(alias.sort)
        number = int(self.number(sort))
        match alias:
            case ExportAlias(name=name) | CoreExportAlias(name=name):
                self.aliased.name(sort, number, name)
            case _:
                pass


def _attributes(name: ExternName) -> Facts:
    """What a name says beside itself: the interface that is implemented, with its version, and an external id."""
    attributes = name.attributes
    found: dict[str, Fact] = {}
    if attributes.implements is not None:
        found["implements"] = attributes.implements + (attributes.version_suffix or "")
    if attributes.external_id is not None:
        found["external id"] = attributes.external_id
    return found


def _sort(sort: Sort) -> str:
    return sort.name.lower().replace("_", " ")


def _described(description: str) -> str:
    return {"CoreModuleDesc": "core module"}.get(description, description.removesuffix("Desc").lower())
