"""Core modules, written: the mirror of `decode/core`. Bodies and data are passed on as slices."""

from __future__ import annotations

from meldpy.binary.encode.coretypes import core_import, memory_type, rec_group, tag_type
from meldpy.binary.encode.names import core_custom
from meldpy.binary.encode.segments import data_segment, element_segment, global_, table
from meldpy.binary.leb128 import unsigned, unsigned_vec
from meldpy.binary.sections import CORE_SECTION_ORDER, MAGIC, MODULE_VERSION, CoreSectionId
from meldpy.binary.writer import Writer, name, vec
from meldpy.model.core import CoreExport, CoreModule


def export(item: CoreExport) -> bytes:
    return name(item.name) + bytes((item.sort.value,)) + unsigned(item.index)


def code(module: CoreModule) -> Writer:
    return Writer(unsigned(module.code.count), module.code.bodies)


def data(module: CoreModule) -> Writer:
    writer = Writer(unsigned(len(module.data)))
    for segment in module.data:
        data_segment(segment, writer)
    return writer


def present(module: CoreModule) -> tuple[int, ...]:
    """The sections to write, in order: those the model lists, and whatever is not empty."""
    filled = {
        CoreSectionId.TYPE: bool(module.types),
        CoreSectionId.IMPORT: bool(module.imports),
        CoreSectionId.FUNCTION: bool(module.funcs),
        CoreSectionId.TABLE: bool(module.tables),
        CoreSectionId.MEMORY: bool(module.memories),
        CoreSectionId.TAG: bool(module.tags),
        CoreSectionId.GLOBAL: bool(module.globals),
        CoreSectionId.EXPORT: bool(module.exports),
        CoreSectionId.START: module.start is not None,
        CoreSectionId.ELEMENT: bool(module.elements),
        CoreSectionId.DATA_COUNT: module.data_count is not None,
        CoreSectionId.CODE: module.code.count > 0,
        CoreSectionId.DATA: bool(module.data),
    }
    return tuple(each for each in CORE_SECTION_ORDER if filled[each] or each in module.sections)


def _section(module: CoreModule, section_id: int) -> Writer:
    """The content of one known section."""
    match section_id:
        case CoreSectionId.TYPE:
            return Writer(vec(module.types, rec_group))
        case CoreSectionId.IMPORT:
            return Writer(vec(module.imports, core_import))
        case CoreSectionId.FUNCTION:
            return Writer(unsigned_vec(module.funcs))
        case CoreSectionId.TABLE:
            return Writer(vec(module.tables, table))
        case CoreSectionId.MEMORY:
            return Writer(vec(module.memories, memory_type))
        case CoreSectionId.TAG:
            return Writer(vec(module.tags, tag_type))
        case CoreSectionId.GLOBAL:
            return Writer(vec(module.globals, global_))
        case CoreSectionId.EXPORT:
            return Writer(vec(module.exports, export))
        case CoreSectionId.START:
            assert module.start is not None, "a start section needs a start function"
            return Writer(unsigned(module.start))
        case CoreSectionId.ELEMENT:
            return Writer(vec(module.elements, element_segment))
        case CoreSectionId.DATA_COUNT:
            assert module.data_count is not None, "a data count section needs a data count"
            return Writer(unsigned(module.data_count))
        case CoreSectionId.CODE:
            return code(module)
        case CoreSectionId.DATA:
            return data(module)
        case _:
            raise AssertionError(section_id)


def core_module(module: CoreModule) -> Writer:
    assert len(module.funcs) == module.code.count, "every defined function has one body"
    writer = Writer(MAGIC, MODULE_VERSION)
    sections = present(module)
    for section_id in (CoreSectionId.CUSTOM, *CORE_SECTION_ORDER):
        if section_id in sections:
            writer.section(section_id, _section(module, section_id))
        for custom in module.customs:
            if custom.after == section_id:
                writer.section(CoreSectionId.CUSTOM, core_custom(custom.section))
    return writer
