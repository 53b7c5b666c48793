"""Core types of a component: rec groups and core module types.

A rec group means what it says only together with the index space it was written in. So a group is kept with the
groups it refers to, and a module type gets an index space of its own, into which the groups it needs are laid.
Spec: Binary.md "Type Definitions" (core:type, core:moduletype).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias, final

from meldpy.errors import DecodeError
from meldpy.model.component import CoreExportDecl
from meldpy.model.core import (
    ArrayType,
    CompType,
    CoreExport,
    CoreExternType,
    CoreFuncType,
    CoreImport,
    CoreModule,
    CoreSort,
    CoreTypeIndex,
    CoreValType,
    FieldType,
    FuncImportType,
    Global,
    GlobalType,
    MemoryType,
    PackedType,
    RecGroup,
    RefType,
    StructType,
    SubType,
    Table,
    TableType,
    TagType,
)
from meldpy.model.extern import CoreModuleType
from meldpy.model.functions import CoreTypeDefinition
from meldpy.records import dataclass

IndexMap: TypeAlias = "Callable[[int], int]"


@final
@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """A rec group as written at `start` of some index space; `refs` are the outside types its indices mean."""

    rec: RecGroup
    start: int
    refs: Mapping[int, RecMember]


@final
@dataclass(frozen=True, slots=True)
class RecMember:
    group: Group
    member: int


CoreType: TypeAlias = "RecMember | CoreModuleType"
"""What an index of the core type space stands for."""


def group_members(rec: RecGroup, start: int, lookup: Callable[[int], CoreType]) -> list[RecMember]:
    """The members of `rec`, which is added at `start` of the space that `lookup` reads. DecodeError for bad indices."""
    refs: dict[int, RecMember] = {}

    def note(index: int) -> int:
        if not start <= index < start + len(rec.types) and index not in refs:
            refs[index] = rec_member(lookup(index))
        return index

    for sub in rec.types:
        _map_sub(sub, note)
    group = Group(rec, start, refs)
    return [RecMember(group, member) for member in range(len(rec.types))]


def rec_member(found: CoreType) -> RecMember:
    """`found`, which must not be a module type."""
    if isinstance(found, CoreModuleType):
        raise DecodeError("a core module type stands where a core type is needed")
    return found


def module_type(
    imports: Sequence[CoreImport], exports: Sequence[CoreExportDecl], lookup: Callable[[int], CoreType]
) -> CoreModuleType:
    """The core module type of these declarators, whose type indices `lookup` reads."""
    layout = _Layout(lookup)
    shaped = tuple(CoreImport(i.module, i.name, layout.extern(i.type)) for i in imports)
    types = tuple(layout.extern(e.type) for e in exports)
    names = tuple(CoreExport(e.name, sort_of(e.type), i) for i, e in enumerate(exports))
    return CoreModuleType(CoreModule(types=tuple(layout.groups), imports=shaped, exports=names), types)


def definition_of(member: RecMember) -> CoreTypeDefinition:
    """`member` with everything that it refers to, apart from the space it was written in."""

    def lookup(_: int) -> CoreType:
        return member

    layout = _Layout(lookup)
    index = layout.index(0)
    return CoreTypeDefinition(tuple(layout.groups), index)


def type_of(module: CoreModule) -> CoreModuleType:
    """The type of a core module, against its own types. DecodeError for an export of nothing."""
    spaces: dict[CoreSort, list[CoreExternType]] = {sort: [] for sort in CoreSort}
    for import_ in module.imports:
        spaces[sort_of(import_.type)].append(import_.type)
    spaces[CoreSort.FUNC] += (FuncImportType(type_) for type_ in module.funcs)
    spaces[CoreSort.TABLE] += (table.type for table in module.tables)
    spaces[CoreSort.MEMORY] += module.memories
    spaces[CoreSort.GLOBAL] += (each.type for each in module.globals)
    spaces[CoreSort.TAG] += module.tags
    for export in module.exports:
        if export.index >= len(spaces[export.sort]):
            raise DecodeError(f"a core module exports {export.sort.name.lower()} {export.index}, which does not exist")
    exports = tuple(CoreExport(export.name, export.sort, i) for i, export in enumerate(module.exports))
    shape = CoreModule(types=module.types, imports=module.imports, exports=exports)
    return CoreModuleType(shape, tuple(spaces[export.sort][export.index] for export in module.exports))


def declared_module(type_: CoreModuleType) -> CoreModule:
    """A module with the imports and exports that a type declares, each export an item of its own, and no code."""
    shape = type_.shape
    imported = Counter(sort_of(import_.type) for import_ in shape.imports)
    defined: Counter[CoreSort] = Counter()
    items: dict[CoreSort, list[CoreExternType]] = {sort: [] for sort in CoreSort}
    exports: list[CoreExport] = []
    for export, declared in zip(shape.exports, type_.export_types, strict=True):
        assert isinstance(declared, FuncImportType | TableType | MemoryType | GlobalType | TagType)
        sort = sort_of(declared)
        exports.append(CoreExport(export.name, sort, imported[sort] + defined[sort]))
        defined[sort] += 1
        items[sort].append(declared)
    return CoreModule(
        types=shape.types,
        imports=shape.imports,
        funcs=tuple(each.type for each in items[CoreSort.FUNC] if isinstance(each, FuncImportType)),
        tables=tuple(Table(each) for each in items[CoreSort.TABLE] if isinstance(each, TableType)),
        memories=tuple(each for each in items[CoreSort.MEMORY] if isinstance(each, MemoryType)),
        tags=tuple(each for each in items[CoreSort.TAG] if isinstance(each, TagType)),
        globals=tuple(Global(each, ()) for each in items[CoreSort.GLOBAL] if isinstance(each, GlobalType)),
        exports=tuple(exports),
    )


@final
class _Layout:
    """Lays rec groups, each once, into one new index space, every group behind those it refers to."""

    def __init__(self, lookup: Callable[[int], CoreType]) -> None:
        self.lookup = lookup
        self.groups: list[RecGroup] = []
        self.starts: dict[Group, int] = {}
        self.size = 0

    def extern(self, type_: CoreExternType) -> CoreExternType:
        match type_:
            case FuncImportType():
                return FuncImportType(CoreTypeIndex(self.index(type_.type)))
            case TagType():
                return TagType(CoreTypeIndex(self.index(type_.type)))
            case TableType():
                return TableType(_map_ref(type_.element, self.index), type_.limits)
            case GlobalType():
                return GlobalType(_map_val(type_.value, self.index), type_.mutable)
            case MemoryType():
                return type_

    def index(self, index: int) -> int:
        """The new index of what `index` means to `lookup`."""
        found = rec_member(self.lookup(index))
        self._place(found.group)
        return self.starts[found.group] + found.member

    def _place(self, wanted: Group) -> None:
        # A stack instead of recursion: a chain of groups can be as long as the type section.
        stack = [wanted]
        while stack:
            group = stack[-1]
            missing = [ref.group for ref in group.refs.values() if ref.group not in self.starts]
            if group in self.starts:
                stack.pop()
            elif missing:
                stack += missing
            else:
                self._append(group)
                stack.pop()

    def _append(self, group: Group) -> None:
        start = self.size
        self.starts[group] = start
        self.size += len(group.rec.types)

        def renumber(index: int) -> int:
            ref = group.refs.get(index)
            return start + index - group.start if ref is None else self.starts[ref.group] + ref.member

        self.groups.append(RecGroup(tuple(_map_sub(sub, renumber) for sub in group.rec.types), group.rec.explicit))


def sort_of(type_: CoreExternType) -> CoreSort:
    """The sort of a core import or export of this type."""
    match type_:
        case FuncImportType():
            return CoreSort.FUNC
        case TableType():
            return CoreSort.TABLE
        case MemoryType():
            return CoreSort.MEMORY
        case GlobalType():
            return CoreSort.GLOBAL
        case TagType():
            return CoreSort.TAG


# --- type indices inside core types -------------------------------------------------------------------------
def _map_sub(sub: SubType, index: IndexMap) -> SubType:
    supertypes = tuple(CoreTypeIndex(index(s)) for s in sub.supertypes)
    return SubType(_map_comp(sub.comp, index), sub.final, supertypes)


def _map_comp(comp: CompType, index: IndexMap) -> CompType:
    match comp:
        case CoreFuncType():
            params = tuple(_map_val(p, index) for p in comp.params)
            return CoreFuncType(params, tuple(_map_val(r, index) for r in comp.results))
        case StructType():
            return StructType(tuple(_map_field(f, index) for f in comp.fields))
        case ArrayType():
            return ArrayType(_map_field(comp.element, index))


def _map_field(field: FieldType, index: IndexMap) -> FieldType:
    if isinstance(field.storage, PackedType):
        return field
    return FieldType(_map_val(field.storage, index), field.mutable)


def _map_val(type_: CoreValType, index: IndexMap) -> CoreValType:
    return _map_ref(type_, index) if isinstance(type_, RefType) else type_


def _map_ref(type_: RefType, index: IndexMap) -> RefType:
    return RefType(type_.nullable, index(type_.heap)) if isinstance(type_.heap, int) else type_
