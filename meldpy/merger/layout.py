"""Identity → index: the index spaces of the main module.

Functions: imports, then each instance's own in instantiation order, then the runtime library's, then emitted ones.
Memories and tables: the carriers' (imported), then the main module's own. Globals and tags: in instantiation order,
then our flags. Types: by structure (`types`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar, final

from meldpy.errors import InternalError
from meldpy.merger.outer import HostImports, host_type
from meldpy.merger.placement import Placement
from meldpy.merger.protocols import DROPPED
from meldpy.merger.reach import Kept
from meldpy.merger.references import References, module_types
from meldpy.merger.types import Remap, TypeTable
from meldpy.merger.units import Symbols, Unit
from meldpy.model.code import (
    Adapted,
    EmittedFunc,
    FlagRef,
    FuncSymbol,
    GlobalSymbol,
    OuterAsyncFunc,
    OuterBuiltinFunc,
    OuterLowerFunc,
)
from meldpy.model.core import CoreFuncType
from meldpy.model.ids import EmittedId, FuncId, MemoryId, ModuleId, TableId, TagId
from meldpy.model.linked import CoreFunc

K = TypeVar("K")


@final
class Layout:
    """All index spaces but those of segments, which `segments` numbers as it writes them.

    forwarder_table: the index of the forwarders' table, the last one that is imported, if there are forwarders.
    parts: the tables that share one (and so an index), with the slots of each.
    trap_type: of functions without parameters and results, for calls through parts in code without table.get.
    """

    def __init__(
        self,
        units: Sequence[Unit],
        kept: Kept,
        adapted: Adapted,
        symbols: Symbols,
        hosts: HostImports,
        placement: Placement,
        references: Mapping[ModuleId, References],
    ) -> None:
        self.units = units
        self.kept = kept
        self.types = TypeTable()
        self._symbols = symbols
        self._hosts = hosts
        self.module_types = _absorb_types(self.types, units, kept, references)
        self.host_types = [self.types.func(host_type(item)) for item in hosts.imports]
        first_emitted = len(hosts.imports) + sum(map(len, kept.funcs.values()))
        self._emitted: dict[EmittedId, int] = {f.id: first_emitted + i for i, f in enumerate(adapted.functions)}
        self._emitted_types = {function.id: self.types.func(function.type) for function in adapted.functions}
        self.func_count = first_emitted + len(adapted.functions)
        self.funcs: list[list[int]] = []
        self._lay_functions(len(hosts.imports))
        carried_memories = [c.memory for c in placement.carriers if c.memory is not None]
        carried_tables = [c.table for c in placement.carriers if c.table is not None]
        self.memories = _number((*carried_memories, *placement.main_memories))
        self.forwarder_table = len(carried_tables)
        main_tables = len(carried_tables) + any(carrier.forwarders for carrier in placement.carriers)
        shared = dict.fromkeys(placement.shared.parts, main_tables)
        self.tables = _number(carried_tables) | _number(placement.main_tables, main_tables) | shared
        self.parts = placement.shared.parts
        lacks_get = adapted.core is not None and bool(self.parts)
        self.trap_type = self.types.func(CoreFuncType((), ())) if lacks_get else None
        guest_globals = [g for unit in units for g in unit.globals[unit.own_globals :] if g in kept.globals]
        self.globals: dict[GlobalSymbol, int] = _number((*guest_globals, *(FlagRef(flag.id) for flag in adapted.flags)))
        self.tags = _number(t for unit in units for t in unit.tags[unit.own_tags :] if t in kept.tags)

    def _lay_functions(self, next_index: int) -> None:
        """`funcs[unit]` maps its whole function space: own functions first, references (which may look ahead) after."""
        for unit in self.units:
            space = [DROPPED] * len(unit.func_types)
            own = self.kept.funcs[unit.id]
            for index in own:
                space[index] = next_index
                next_index += 1
            self.funcs.append(space)
        for unit in self.units:
            space = self.funcs[unit.id]
            for index, symbol in enumerate(unit.imported_funcs):
                space[index] = DROPPED if symbol is None else self._index(symbol)
        for jump in self._symbols.jumps():
            target = self._symbols.resolve(jump)
            self.funcs[jump.instance][jump.index] = DROPPED if target is None else self._index(target)

    def _index(self, symbol: FuncSymbol) -> int:
        match symbol:
            case FuncId(instance, index):
                return self.funcs[instance][index]
            case EmittedFunc(emitted):
                return self._emitted[emitted]
            case OuterLowerFunc(lower):
                return self._hosts.lowers[lower]
            case OuterBuiltinFunc() | OuterAsyncFunc():
                return self._hosts.builtins[symbol]

    # --- what others ask ----------------------------------------------------------------------------------------
    def func(self, symbol: CoreFunc | FuncSymbol) -> int:
        """The index of a function that is kept."""
        target = self._symbols.need(symbol)
        index = self._index(target)
        if index == DROPPED:
            raise InternalError(f"{target} is referred to, but it was found dead")
        return index

    def func_type(self, symbol: CoreFunc | FuncSymbol) -> int:
        """The type index of a function, from its definition."""
        target = self._symbols.need(symbol)
        match target:
            case FuncId(instance, index):
                unit = self.units[instance]
                return self.module_types[unit.module_id][unit.func_types[index]]
            case EmittedFunc(emitted):
                return self._emitted_types[emitted]
            case OuterLowerFunc(lower):
                return self.host_types[self._hosts.lowers[lower]]
            case OuterBuiltinFunc() | OuterAsyncFunc():
                return self.host_types[self._hosts.builtins[target]]

    def memory(self, memory: MemoryId) -> int:
        return _kept(self.memories, memory)

    def table(self, table: TableId) -> int:
        return _kept(self.tables, table)

    def global_(self, target: GlobalSymbol) -> int:
        return _kept(self.globals, target)

    def tag(self, tag: TagId) -> int:
        return _kept(self.tags, tag)

    def type_map(self, unit: Unit) -> Remap:
        return self.module_types[unit.module_id].__getitem__

    def own_types(self) -> list[int]:
        """The type of every defined function, in index order."""
        result: list[int] = []
        for unit in self.units:
            types = self.module_types[unit.module_id]
            result += [types[unit.func_types[index]] for index in self.kept.funcs[unit.id]]
        return [*result, *self._emitted_types.values()]


def space_map(indices: Mapping[K, int], space: Iterable[K]) -> list[int]:
    """The index map of one unit's space of memories, tables, globals or tags."""
    return [indices.get(item, DROPPED) for item in space]


def _kept(indices: Mapping[K, int], item: K) -> int:
    if item not in indices:
        raise InternalError(f"{item} is referred to, but it was found dead")
    return indices[item]


def _number(items: Iterable[K], first: int = 0) -> dict[K, int]:
    return {item: index for index, item in enumerate(items, first)}


def _absorb_types(
    table: TypeTable, units: Sequence[Unit], kept: Kept, references: Mapping[ModuleId, References]
) -> dict[ModuleId, list[int]]:
    """The type map of each module; of functions that are not copied, only what other things need too is kept."""
    used: dict[ModuleId, set[int]] = {}
    for unit in units:
        if unit.module_id not in used:
            used[unit.module_id] = module_types(unit.module)
        if own := kept.funcs[unit.id]:
            used[unit.module_id].update(references[unit.module_id].types)
            used[unit.module_id].update([unit.func_types[index] for index in own])
    modules = {unit.module_id: unit.module for unit in units}
    return {id_: table.absorb(module.types, used[id_]) for id_, module in modules.items()}
