"""The merged `name` section: what inputs called their items, by new index.

Function names get their module's label in front where several instances have names, so that a backtrace tells them
apart. Local and label names stay, because bodies keep their locals and blocks; names of what was dropped go.

Spec: core, appendix "Name Section", and the extended-name-section proposal.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import final

from meldpy.merger.layout import Layout, space_map
from meldpy.merger.limits import NAME
from meldpy.merger.outer import HostBuiltin, HostImports
from meldpy.merger.protocols import DROPPED
from meldpy.merger.segments import Segments
from meldpy.merger.units import Unit
from meldpy.model.code import Emitted, Flag, FlagRef
from meldpy.model.core import IndirectNameKind, NameKind, NameMap, NameSection
from meldpy.model.linked import LinkedGraph

_SEPARATOR = "::"


@final
class Names:
    """The section under construction: for each kind, names by new index; the first one given stays."""

    def __init__(self, layout: Layout, segments: Segments) -> None:
        self.layout = layout
        self.segments = segments
        self.maps: dict[NameKind, dict[int, str]] = {kind: {} for kind in NameKind}
        self.indirect: dict[IndirectNameKind, dict[int, NameMap]] = {kind: {} for kind in IndirectNameKind}

    def add_units(self) -> None:
        named = [(unit, _section(unit)) for unit in self.layout.units if self.layout.kept.funcs[unit.id]]
        prefixed = len(named) > 1
        for unit, section in named:
            if section is None:
                continue
            maps = self._index_maps(unit)
            for kind, names in section.maps:
                label = f"{unit.label}{_SEPARATOR}" if prefixed and kind is NameKind.FUNCTION else ""
                _rename(names, maps[kind], self.maps[kind], label)
            for indirect, outer in section.indirect:
                space = maps[_OUTER[indirect]]
                target = self.indirect[indirect]
                for index, names in outer:
                    if index < len(space) and space[index] != DROPPED:
                        target.setdefault(space[index], names)

    def _index_maps(self, unit: Unit) -> Mapping[NameKind, Sequence[int]]:
        layout = self.layout
        own = [DROPPED] * unit.own_funcs + layout.funcs[unit.id][unit.own_funcs :]
        return {
            NameKind.FUNCTION: own,
            NameKind.TYPE: layout.module_types[unit.module_id],
            NameKind.TABLE: space_map(layout.tables, unit.tables),
            NameKind.MEMORY: space_map(layout.memories, unit.memories),
            NameKind.GLOBAL: space_map(layout.globals, unit.globals),
            NameKind.ELEM: self.segments.elem_maps[unit.id],
            NameKind.DATA: self.segments.data_maps[unit.id],
            NameKind.TAG: space_map(layout.tags, unit.tags),
        }

    def add_ours(
        self, hosts: HostImports, functions: Sequence[Emitted], flags: Sequence[Flag], start_names: Sequence[str]
    ) -> None:
        funcs = self.maps[NameKind.FUNCTION]
        for index, item in enumerate(hosts.imports):
            funcs[index] = f"{item.module}#{item.name}" if not isinstance(item, HostBuiltin) else item.name
        first = self.layout.func_count - len(functions)
        for index, name in enumerate((*(function.name for function in functions), *start_names), first):
            funcs[index] = name
        for flag in flags:
            self.maps[NameKind.GLOBAL][self.layout.global_(FlagRef(flag.id))] = flag.name

    def section(self) -> NameSection:
        maps = tuple((kind, _sorted(names)) for kind, names in self.maps.items() if names)
        indirect = tuple(
            (kind, tuple(sorted(names.items(), key=_first))) for kind, names in self.indirect.items() if names
        )
        order = sorted([kind.value for kind, _ in maps] + [kind.value for kind, _ in indirect])
        return NameSection(None, maps, indirect, tuple(order))


_OUTER = {
    IndirectNameKind.LOCAL: NameKind.FUNCTION,
    IndirectNameKind.LABEL: NameKind.FUNCTION,
    IndirectNameKind.FIELD: NameKind.TYPE,
}


def _section(unit: Unit) -> NameSection | None:
    """The module's `name` section; of several the last counts."""
    found = None
    for custom in unit.module.customs:
        if isinstance(custom.section, NameSection):
            found = custom.section
    return found


def _rename(names: NameMap, space: Sequence[int], into: dict[int, str], label: str) -> None:
    """Indices that are out of range are someone else's mistake, in a section that means nothing: left out."""
    count = len(space)
    longest = NAME // 4 - len(label)
    for index, name in names:
        if index < count and (new := space[index]) != DROPPED and new not in into:
            into[new] = label + name if len(name) < longest else name


def _sorted(names: dict[int, str]) -> NameMap:
    return tuple(sorted(names.items(), key=_first))


def _first(pair: tuple[int, object]) -> int:
    return pair[0]


def memory_names(graph: LinkedGraph, layout: Layout) -> tuple[str, ...]:
    """What users call each memory, by index: the component instance it belongs to, with a number if it has several."""
    seen: Counter[str] = Counter()
    names: list[str] = []
    for memory in layout.memories:
        unit = layout.units[memory.instance]
        owner = unit.label if unit.runtime else graph.instances[graph.core_instances[memory.instance].instance].label
        owner = owner.removeprefix("runtime ")
        seen[owner] += 1
        names.append(owner if seen[owner] == 1 else f"{owner} #{seen[owner]}")
    return tuple(names)
