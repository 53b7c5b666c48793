"""Components, written: the mirror of `decode/component`."""

from __future__ import annotations

from typing import assert_never

from meldpy.binary.encode.canon import canon
from meldpy.binary.encode.core import core_module
from meldpy.binary.encode.externs import alias, extern_name, sort
from meldpy.binary.encode.names import raw_custom
from meldpy.binary.encode.types import core_type, extern_desc, optional, type_def, val_type
from meldpy.binary.leb128 import unsigned, unsigned_vec
from meldpy.binary.sections import COMPONENT_VERSION, MAGIC, ExprOp, SectionId
from meldpy.binary.writer import Writer, name, vec
from meldpy.model.component import (
    AliasSection,
    CanonSection,
    Component,
    ComponentSection,
    CoreInlineExports,
    CoreInstanceDef,
    CoreInstanceSection,
    CoreInstantiate,
    CoreModuleSection,
    CoreTypeSection,
    CustomSection,
    Export,
    ExportSection,
    Import,
    ImportSection,
    InlineExports,
    InstanceDef,
    InstanceSection,
    Instantiate,
    Section,
    Sort,
    SortIndex,
    Start,
    StartSection,
    TypeSection,
    Value,
    ValueSection,
)
from meldpy.model.extern import ExternName


# --- instances ------------------------------------------------------------------------------------
def core_instantiate_arg(arg: tuple[str, int]) -> bytes:
    return name(arg[0]) + bytes((Sort.CORE_INSTANCE.value[1],)) + unsigned(arg[1])


def core_inline_export(item: tuple[str, SortIndex]) -> bytes:
    core_sort = item[1].sort.value[1:]
    assert core_sort, "core instances export core sorts"
    return name(item[0]) + bytes(core_sort) + unsigned(item[1].index)


def core_instance(item: CoreInstanceDef) -> bytes:
    match item:
        case CoreInstantiate(module, args):
            return bytes((ExprOp.INSTANTIATE,)) + unsigned(module) + vec(args, core_instantiate_arg)
        case CoreInlineExports(exports):
            return bytes((ExprOp.INLINE_EXPORTS,)) + vec(exports, core_inline_export)
        case _:
            assert_never(item)


def sort_index(item: SortIndex) -> bytes:
    return sort(item.sort) + unsigned(item.index)


def instantiate_arg(arg: tuple[str, SortIndex]) -> bytes:
    return name(arg[0]) + sort_index(arg[1])


def inline_export(item: tuple[ExternName, SortIndex]) -> bytes:
    return extern_name(item[0]) + sort_index(item[1])


def instance(item: InstanceDef) -> bytes:
    match item:
        case Instantiate(which, args):
            return bytes((ExprOp.INSTANTIATE,)) + unsigned(which) + vec(args, instantiate_arg)
        case InlineExports(exports):
            return bytes((ExprOp.INLINE_EXPORTS,)) + vec(exports, inline_export)
        case _:
            assert_never(item)


# --- start, imports, exports, values --------------------------------------------------------------
def start(item: Start) -> bytes:
    return unsigned(item.func) + unsigned_vec(item.args) + unsigned(item.results)


def import_(item: Import) -> bytes:
    return extern_name(item.name) + extern_desc(item.desc)


def export(item: Export) -> bytes:
    desc = None if item.desc is None else extern_desc(item.desc)
    return extern_name(item.name) + sort_index(item.item) + optional(desc)


def value(item: Value) -> bytes:
    return val_type(item.type) + unsigned(len(item.data)) + item.data


# --- sections -------------------------------------------------------------------------------------
def _section(section: Section) -> tuple[int, Writer]:
    """Id and content."""
    match section:
        case CustomSection():
            return SectionId.CUSTOM, raw_custom(section.section)
        case CoreModuleSection():
            return SectionId.CORE_MODULE, core_module(section.module)
        case CoreInstanceSection():
            return SectionId.CORE_INSTANCE, Writer(vec(section.items, core_instance))
        case CoreTypeSection():
            return SectionId.CORE_TYPE, Writer(vec(section.items, core_type))
        case ComponentSection():
            return SectionId.COMPONENT, component(section.component)
        case InstanceSection():
            return SectionId.INSTANCE, Writer(vec(section.items, instance))
        case AliasSection():
            return SectionId.ALIAS, Writer(vec(section.items, alias))
        case TypeSection():
            return SectionId.TYPE, Writer(vec(section.items, type_def))
        case CanonSection():
            return SectionId.CANON, Writer(vec(section.items, canon))
        case StartSection():
            return SectionId.START, Writer(start(section.start))
        case ImportSection():
            return SectionId.IMPORT, Writer(vec(section.items, import_))
        case ExportSection():
            return SectionId.EXPORT, Writer(vec(section.items, export))
        case ValueSection():
            return SectionId.VALUE, Writer(vec(section.items, value))
        case _:
            assert_never(section)


def component(item: Component) -> Writer:
    writer = Writer(MAGIC, COMPONENT_VERSION)
    for section in item.sections:
        section_id, content = _section(section)
        writer.section(section_id, content)
    return writer
