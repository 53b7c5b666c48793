"""The merged `name` section: what inputs called their items, by new index.

Names of functions, globals, memories, tables, tags and segments get the component and module in front that they come
from, unless they are to be short. Local and label names stay, because bodies keep their locals and blocks; names of
what was dropped go. A function that its module has no name for is called after its export or its index there, if the
module has names or DWARF for others: else a backtrace could not say whose it is. Stripped modules stay without names.

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
from meldpy.merger.segments import Home, Segments
from meldpy.merger.units import Unit
from meldpy.model.code import Emitted, Flag, FlagRef
from meldpy.model.core import CoreSort, IndirectNameKind, NameKind, NameMap, NameSection, RawCustom
from meldpy.model.debug import SEPARATOR
from meldpy.model.ids import CoreInstanceId, InstanceId, MemoryId
from meldpy.model.linked import LinkedGraph

_DWARF = ".debug_info"
_UNPREFIXED = frozenset({NameKind.TYPE})
"""Types of one structure are one type, whoever named it."""


@final
class Names:
    """The section under construction: for each kind, names by new index; the first one given stays."""

    def __init__(self, layout: Layout, segments: Segments, prefixes: Mapping[CoreInstanceId, str] | None) -> None:
        """`prefixes`: what to put before each unit's names; None for nothing."""
        self.prefixes = prefixes
        self.layout = layout
        self.segments = segments
        self.maps: dict[NameKind, dict[int, str]] = {kind: {} for kind in NameKind}
        self.indirect: dict[IndirectNameKind, dict[int, NameMap]] = {kind: {} for kind in IndirectNameKind}

    def add_units(self) -> None:
        named = [(unit, _section(unit)) for unit in self.layout.units if self.layout.kept.funcs[unit.id]]
        for unit, section in named:
            if section is None and not _is_debugged(unit, section):
                continue
            maps = self._index_maps(unit)
            if section is not None:
                self._add_section(unit, section, maps)
            if self.prefixes is not None and _is_debugged(unit, section):
                funcs, into = maps[NameKind.FUNCTION], self.maps[NameKind.FUNCTION]
                _rename(_stand_ins(unit, funcs, into), funcs, into, self._prefix(unit, NameKind.FUNCTION))

    def _add_section(self, unit: Unit, section: NameSection, maps: Mapping[NameKind, Sequence[int]]) -> None:
        for kind, names in section.maps:
            _rename(names, maps[kind], self.maps[kind], self._prefix(unit, kind))
        for indirect, outer in section.indirect:
            space = maps[_OUTER[indirect]]
            target = self.indirect[indirect]
            for index, names in outer:
                if index < len(space) and space[index] != DROPPED:
                    target.setdefault(space[index], names)

    def _prefix(self, unit: Unit, kind: NameKind) -> str:
        if self.prefixes is None or kind in _UNPREFIXED:
            return ""
        return f"{self.prefixes[unit.id]}{SEPARATOR}"

    def _index_maps(self, unit: Unit) -> Mapping[NameKind, Sequence[int]]:
        layout = self.layout
        own = [DROPPED] * unit.own_funcs + layout.funcs[unit.id][unit.own_funcs :]
        return {
            NameKind.FUNCTION: own,
            NameKind.TYPE: layout.module_types[unit.module_id],
            NameKind.TABLE: space_map(layout.tables, unit.tables),
            NameKind.MEMORY: space_map(layout.memories, unit.memories),
            NameKind.GLOBAL: space_map(layout.globals, unit.globals),
            NameKind.ELEM: _homes(unit, self.segments.elem_homes, len(unit.module.elements)),
            NameKind.DATA: _homes(unit, self.segments.data_homes, len(unit.module.data)),
            NameKind.TAG: space_map(layout.tags, unit.tags),
        }

    def carried(self, memory: MemoryId) -> tuple[tuple[NameKind, NameMap], ...]:
        """The names of a carrier's memory and of its data."""
        found: dict[NameKind, list[tuple[int, str]]] = {NameKind.MEMORY: [], NameKind.DATA: []}
        homes = self.segments.carried_homes.get(memory, [])
        items: list[tuple[NameKind, int, CoreInstanceId, int]] = [(NameKind.MEMORY, 0, memory.instance, memory.index)]
        items += [(NameKind.DATA, new, owner, old) for new, (owner, old) in enumerate(homes)]
        for kind, new, owner, old in items:
            unit = self.layout.units[owner]
            section = _section(unit)
            named = {} if section is None else {k: dict(names) for k, names in section.maps}
            if kind in named and old in named[kind]:
                found[kind].append((new, self._prefix(unit, kind) + named[kind][old]))
        return tuple((kind, tuple(names)) for kind, names in found.items() if names)

    def add_ours(
        self, hosts: HostImports, functions: Sequence[Emitted], flags: Sequence[Flag], start_names: Sequence[str]
    ) -> None:
        funcs = self.maps[NameKind.FUNCTION]
        for index, item in enumerate(hosts.imports):
            funcs[index] = f"{item.module}#{item.name}" if not isinstance(item, HostBuiltin) else item.name
        first = self.layout.func_count - len(functions)
        for index, name in enumerate((*(function.name for function in functions), *start_names), first):
            funcs[index] = name
        for table in self.layout.parts:
            self.maps[NameKind.TABLE][self.layout.table(table)] = "shared"
        for flag in flags:
            self.maps[NameKind.GLOBAL][self.layout.global_(FlagRef(flag.id))] = flag.name

    def section(self) -> NameSection:
        maps = tuple((kind, _sorted(names)) for kind, names in self.maps.items() if names)
        indirect = tuple(
            (kind, tuple(sorted(names.items(), key=_first))) for kind, names in self.indirect.items() if names
        )
        order = sorted([kind.value for kind, _ in maps] + [kind.value for kind, _ in indirect])
        return NameSection(None, maps, indirect, tuple(order))


def name_prefixes(graph: LinkedGraph, units: Sequence[Unit]) -> dict[CoreInstanceId, str]:
    """The component and module that each unit comes from; the runtime library's have only a name."""
    return {
        unit.id: unit.label
        if unit.runtime
        else f"{component_path(graph, graph.core_instances[unit.id].instance)}/{unit.label}"
        for unit in units
    }


def component_path(graph: LinkedGraph, id_: InstanceId) -> str:
    """The labels of a component instance and of those around it, outermost first, without the composition itself."""
    labels: list[str] = []
    at: InstanceId | None = id_
    while at is not None:
        instance = graph.instances[at]
        if instance.input is not None or not labels:
            labels.insert(0, instance.label)
        at = instance.parent
    return "/".join(labels)


_OUTER = {
    IndirectNameKind.LOCAL: NameKind.FUNCTION,
    IndirectNameKind.LABEL: NameKind.FUNCTION,
    IndirectNameKind.FIELD: NameKind.TYPE,
}


def _homes(unit: Unit, homes: Mapping[Home, int], count: int) -> list[int]:
    return [homes.get((unit.id, index), DROPPED) for index in range(count)]


def _section(unit: Unit) -> NameSection | None:
    """The module's `name` section; of several the last counts."""
    found = None
    for custom in unit.module.customs:
        if isinstance(custom.section, NameSection):
            found = custom.section
    return found


def _is_debugged(unit: Unit, section: NameSection | None) -> bool:
    """Whether somebody is meant to read backtraces of the module: it has names or DWARF, or is ours."""
    if unit.runtime or (section is not None and any(kind is NameKind.FUNCTION for kind, _ in section.maps)):
        return True
    sections = [custom.section for custom in unit.module.customs]
    return any(isinstance(each, RawCustom) and each.name == _DWARF for each in sections)


def _stand_ins(unit: Unit, funcs: Sequence[int], named: Mapping[int, str]) -> NameMap:
    """Names of the functions that are kept and have none: of an export, or the index."""
    missing = [index for index, new in enumerate(funcs) if new != DROPPED and new not in named]
    if not missing:
        return ()
    exported = {export.index: export.name for export in unit.module.exports if export.sort is CoreSort.FUNC}
    return tuple((index, exported.get(index, f"function {index}")) for index in missing)


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
