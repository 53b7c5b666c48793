"""Core modules: preamble, section order, one reader per section.

Function bodies stay one slice; only their sizes are walked, because a count that does not match the bytes must not
reach the kernel. Instructions, indices and types are not checked here: the engine validates every module first.
Spec: core binary format, "Modules".
"""

from __future__ import annotations

from meldpy.binary.decode.coretypes import core_import, core_sort, memory_type, rec_group, tag_type
from meldpy.binary.decode.names import core_custom
from meldpy.binary.decode.segments import data_segment, element_segment, global_, table
from meldpy.binary.reader import Reader
from meldpy.binary.sections import CORE_SECTION_ORDER, MAGIC, MODULE_VERSION, PREAMBLE_SIZE, CoreSectionId, Limit
from meldpy.model.core import (
    Code,
    CoreExport,
    CoreImport,
    CoreModule,
    DataSegment,
    ElementSegment,
    FuncImportType,
    Global,
    MemoryType,
    PlacedCustom,
    RecGroup,
    Table,
    TableType,
    TagType,
)
from meldpy.model.ids import CoreFuncIndex, CoreTypeIndex
from meldpy.records import dataclass, field


@dataclass(slots=True)
class _Draft:
    """A module while its sections arrive."""

    types: tuple[RecGroup, ...] = ()
    imports: tuple[CoreImport, ...] = ()
    funcs: tuple[CoreTypeIndex, ...] = ()
    tables: tuple[Table, ...] = ()
    memories: tuple[MemoryType, ...] = ()
    tags: tuple[TagType, ...] = ()
    globals: tuple[Global, ...] = ()
    exports: tuple[CoreExport, ...] = ()
    start: CoreFuncIndex | None = None
    elements: tuple[ElementSegment, ...] = ()
    data_count: int | None = None
    code: Code = Code(0, b"")
    data: tuple[DataSegment, ...] = ()
    customs: list[PlacedCustom] = field(default_factory=list)
    sections: list[int] = field(default_factory=list)


def export(r: Reader) -> CoreExport:
    return CoreExport(r.name("export name"), core_sort(r), r.u32())


def code(r: Reader) -> Code:
    section = r.position
    count = r.count("function bodies", Limit.FUNCTIONS)
    start, offset = r.position, r.offset
    for _ in range(count):
        size = r.u32()
        if size > Limit.BODY_BYTES:
            raise r.error(f"function body has {size} bytes, more than {Limit.BODY_BYTES}")
        if size > r.remaining:
            raise r.error(f"unexpected end: function body has {size} bytes, {r.remaining} remain")
        r.position += size
    return Code(count, r.view[start : r.position], offset, start - section)


def _section(r: Reader, section_id: int, draft: _Draft) -> None:
    """Reads the content of one known section into `draft`."""
    match section_id:
        case CoreSectionId.TYPE:
            draft.types = r.vec("types", Limit.TYPES, rec_group)
        case CoreSectionId.IMPORT:
            draft.imports = r.vec("imports", Limit.IMPORTS, core_import)
        case CoreSectionId.FUNCTION:
            draft.funcs = tuple(map(CoreTypeIndex, r.u32_vec("functions", Limit.FUNCTIONS)))
        case CoreSectionId.TABLE:
            draft.tables = r.vec("tables", Limit.TABLES, table)
        case CoreSectionId.MEMORY:
            draft.memories = r.vec("memories", Limit.MEMORIES, memory_type)
        case CoreSectionId.TAG:
            draft.tags = r.vec("tags", Limit.TAGS, tag_type)
        case CoreSectionId.GLOBAL:
            draft.globals = r.vec("globals", Limit.GLOBALS, global_)
        case CoreSectionId.EXPORT:
            draft.exports = r.vec("exports", Limit.EXPORTS, export)
        case CoreSectionId.START:
            draft.start = CoreFuncIndex(r.u32())
        case CoreSectionId.ELEMENT:
            draft.elements = r.vec("element segments", Limit.ELEMENT_SEGMENTS, element_segment)
        case CoreSectionId.DATA_COUNT:
            draft.data_count = r.u32()
        case CoreSectionId.CODE:
            draft.code = code(r)
        case CoreSectionId.DATA:
            draft.data = r.vec("data segments", Limit.DATA_SEGMENTS, data_segment)
        case _:
            raise AssertionError(section_id)


def _check_totals(r: Reader, draft: _Draft) -> None:
    """What sections say of each other, and the limits that hold for imports and definitions together."""
    if draft.code.count != len(draft.funcs):
        raise r.error(f"{len(draft.funcs)} functions are declared, {draft.code.count} have a body")
    if draft.data_count is not None and draft.data_count != len(draft.data):
        raise r.error(f"the data count section says {draft.data_count}, there are {len(draft.data)} data segments")
    kinds = [type(item.type) for item in draft.imports]
    for what, total, limit in (
        ("types", sum(len(group.types) for group in draft.types), Limit.TYPES),
        ("functions", kinds.count(FuncImportType) + len(draft.funcs), Limit.FUNCTIONS),
        ("tables", kinds.count(TableType) + len(draft.tables), Limit.TABLES),
        ("memories", kinds.count(MemoryType) + len(draft.memories), Limit.MEMORIES),
    ):
        if total > limit:
            raise r.error(f"{total} {what}, more than {limit}")


def core_module(r: Reader) -> CoreModule:
    """A whole core module: everything that `r` covers."""
    offset, size = r.offset, r.remaining
    if r.slice(min(PREAMBLE_SIZE, r.remaining), "preamble") != MAGIC + MODULE_VERSION:
        raise r.error("not a core module of version 1", offset)
    draft = _Draft()
    rank = -1
    while r.remaining:
        at = r.offset
        section_id = r.byte("section id")
        content = r.part(r.u32(), "section")
        if section_id == CoreSectionId.CUSTOM:
            after = draft.sections[-1] if draft.sections else CoreSectionId.CUSTOM
            draft.customs.append(PlacedCustom(after, core_custom(content)))
            continue
        if section_id not in CORE_SECTION_ORDER:
            raise r.unknown("section id", section_id, at)
        if CORE_SECTION_ORDER.index(section_id) <= rank:
            raise r.error(f"section {section_id} is out of order or comes twice", at)
        rank = CORE_SECTION_ORDER.index(section_id)
        _section(content, section_id, draft)
        content.finish(f"section {section_id}")
        draft.sections.append(section_id)
    _check_totals(r, draft)
    return CoreModule(
        types=draft.types,
        imports=draft.imports,
        funcs=draft.funcs,
        tables=draft.tables,
        memories=draft.memories,
        tags=draft.tags,
        globals=draft.globals,
        exports=draft.exports,
        start=draft.start,
        elements=draft.elements,
        data_count=draft.data_count,
        code=draft.code,
        data=draft.data,
        customs=tuple(draft.customs),
        sections=tuple(draft.sections),
        offset=offset,
        size=size,
    )
