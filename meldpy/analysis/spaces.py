"""The index spaces of each core instance, with every index turned into the identity it stands for.

A module's code says "function 7"; what that is depends on the instance: one of its imports, bound to something
somewhere else, or one of its own definitions.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import final

from meldpy.model.core import (
    CoreModule,
    FuncImportType,
    GlobalType,
    MemoryType,
    TableType,
    TagType,
)
from meldpy.model.facts import CodeFacts, RefKind
from meldpy.model.ids import (
    CoreFuncIndex,
    CoreGlobalIndex,
    CoreInstanceId,
    CoreMemoryIndex,
    CoreTableIndex,
    CoreTagIndex,
    CoreTypeIndex,
    FuncId,
    GlobalId,
    MemoryId,
    ModuleId,
    TableId,
    TagId,
)
from meldpy.model.linked import BuiltinFunc, CoreFunc, CoreInstance, LinkedGraph, LowerFunc
from meldpy.records import dataclass


@final
@dataclass(frozen=True, slots=True)
class Spaces:
    """One core instance: what its imports are bound to, per sort and in index order; then come its definitions."""

    id: CoreInstanceId
    module_id: ModuleId
    module: CoreModule
    imported_funcs: tuple[CoreFunc, ...]
    imported_func_types: tuple[CoreTypeIndex, ...]
    imported_tables: tuple[TableId, ...]
    imported_memories: tuple[MemoryId, ...]
    imported_globals: tuple[GlobalId, ...]
    imported_tags: tuple[TagId, ...]

    def func(self, index: int) -> CoreFunc:
        if index < len(self.imported_funcs):
            return self.imported_funcs[index]
        return FuncId(self.id, CoreFuncIndex(index))

    def func_type(self, index: int) -> CoreTypeIndex:
        """The type index (in this module) that function `index` is declared with."""
        imported = len(self.imported_func_types)
        return self.imported_func_types[index] if index < imported else self.module.funcs[index - imported]

    def table(self, index: int) -> TableId:
        if index < len(self.imported_tables):
            return self.imported_tables[index]
        return TableId(self.id, CoreTableIndex(index))

    def memory(self, index: int) -> MemoryId:
        if index < len(self.imported_memories):
            return self.imported_memories[index]
        return MemoryId(self.id, CoreMemoryIndex(index))

    def global_(self, index: int) -> GlobalId:
        if index < len(self.imported_globals):
            return self.imported_globals[index]
        return GlobalId(self.id, CoreGlobalIndex(index))

    def tag(self, index: int) -> TagId:
        if index < len(self.imported_tags):
            return self.imported_tags[index]
        return TagId(self.id, CoreTagIndex(index))


def spaces_of(graph: LinkedGraph, instance: CoreInstance) -> Spaces:
    """The spaces of one core instance. The resolver has matched each argument's sort with its import's."""
    module = graph.modules[instance.module].module
    funcs: list[CoreFunc] = []
    types: list[CoreTypeIndex] = []
    tables: list[TableId] = []
    memories: list[MemoryId] = []
    globals_: list[GlobalId] = []
    tags: list[TagId] = []
    for declared, item in zip(module.imports, instance.args, strict=True):
        match declared.type, item:
            case FuncImportType(type=type_), FuncId() | LowerFunc() | BuiltinFunc():
                funcs.append(item)
                types.append(type_)
            case TableType(), TableId():
                tables.append(item)
            case MemoryType(), MemoryId():
                memories.append(item)
            case GlobalType(), GlobalId():
                globals_.append(item)
            case TagType(), TagId():
                tags.append(item)
            case _:
                raise AssertionError(f"import {declared.name!r} is bound to another sort: {item}")
    return Spaces(
        instance.id,
        instance.module,
        module,
        tuple(funcs),
        tuple(types),
        tuple(tables),
        tuple(memories),
        tuple(globals_),
        tuple(tags),
    )


def table_type(all_spaces: list[Spaces], table: TableId) -> TableType:
    """The type of a table, from its definition."""
    spaces = all_spaces[table.instance]
    return spaces.module.tables[table.index - len(spaces.imported_tables)].type


def memory_type(all_spaces: list[Spaces], memory: MemoryId) -> MemoryType:
    """The type of a memory, from its definition."""
    spaces = all_spaces[memory.instance]
    return spaces.module.memories[memory.index - len(spaces.imported_memories)]


def written_tables(all_spaces: list[Spaces], code: Mapping[ModuleId, CodeFacts]) -> frozenset[TableId]:
    """Every table that some body can change: table.set, grow, fill, init, or the destination of copy."""
    found: set[TableId] = set()
    for spaces in all_spaces:
        facts = code[spaces.module_id]
        if RefKind.TABLE_WRITE in facts.kinds:
            pairs = set(zip(facts.kinds, facts.indices, strict=True))
            found.update(spaces.table(index) for kind, index in pairs if kind == RefKind.TABLE_WRITE)
    return frozenset(found)
