"""Components: preamble, sections in their order, and the definitions that are not types or canonical.

Nested modules and components are read in place, so that every offset is a whole-file offset.
Spec: Binary.md "Component Definitions", "Instance Definitions", "Start Definitions", "Import and Export Definitions".
"""

from __future__ import annotations

from collections import Counter
from typing import assert_never

from meldpy.binary.decode.canon import canon
from meldpy.binary.decode.core import core_module
from meldpy.binary.decode.externs import CORE_EXPORT_SORTS, EXTERN_SORTS, alias, extern_name, sort
from meldpy.binary.decode.names import raw_custom
from meldpy.binary.decode.types import core_type, extern_desc, optional, type_def, val_type
from meldpy.binary.reader import Reader
from meldpy.binary.sections import COMPONENT_VERSION, MAGIC, PREAMBLE_SIZE, ExprOp, Limit, SectionId
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
from meldpy.model.ids import ComponentIndex, CoreInstanceIndex, CoreModuleIndex, FuncIndex, ValueIndex


# --- instances ------------------------------------------------------------------------------------
def core_instantiate_arg(r: Reader) -> tuple[str, CoreInstanceIndex]:
    name = r.name("argument name")
    r.expect(Sort.CORE_INSTANCE.value[1], "sort of a core instantiation argument")
    return name, CoreInstanceIndex(r.u32())


def core_inline_export(r: Reader) -> tuple[str, SortIndex]:
    name = r.name("export name")
    offset = r.offset
    byte = r.byte("core sort")
    for found in CORE_EXPORT_SORTS:
        if found.value[1] == byte:
            return name, SortIndex(found, r.u32())
    raise r.unknown("core sort", byte, offset)


def core_instance(r: Reader) -> CoreInstanceDef:
    offset = r.offset
    match r.byte("core instance"):
        case ExprOp.INSTANTIATE:
            module = CoreModuleIndex(r.u32())
            return CoreInstantiate(module, r.vec("arguments", Limit.INSTANTIATE_ARGS, core_instantiate_arg))
        case ExprOp.INLINE_EXPORTS:
            return CoreInlineExports(r.vec("exports", Limit.INLINE_EXPORTS, core_inline_export))
        case byte:
            raise r.unknown("core instance", byte, offset)


def sort_index(r: Reader) -> SortIndex:
    return SortIndex(sort(r, EXTERN_SORTS), r.u32())


def instantiate_arg(r: Reader) -> tuple[str, SortIndex]:
    return r.name("argument name"), sort_index(r)


def inline_export(r: Reader) -> tuple[ExternName, SortIndex]:
    return extern_name(r), sort_index(r)


def instance(r: Reader) -> InstanceDef:
    offset = r.offset
    match r.byte("instance"):
        case ExprOp.INSTANTIATE:
            component = ComponentIndex(r.u32())
            return Instantiate(component, r.vec("arguments", Limit.INSTANTIATE_ARGS, instantiate_arg))
        case ExprOp.INLINE_EXPORTS:
            return InlineExports(r.vec("exports", Limit.INLINE_EXPORTS, inline_export))
        case byte:
            raise r.unknown("instance", byte, offset)


# --- start, imports, exports, values --------------------------------------------------------------
def start(r: Reader) -> Start:
    func = FuncIndex(r.u32())
    args = tuple(map(ValueIndex, r.u32_vec("start arguments", Limit.START_ARGS)))
    offset = r.offset
    results = r.u32()
    if results > Limit.RESULTS:
        raise r.error(f"{results} start results, more than {Limit.RESULTS}", offset)
    return Start(func, args, results)


def import_(r: Reader) -> Import:
    return Import(extern_name(r), extern_desc(r))


def export(r: Reader) -> Export:
    return Export(extern_name(r), sort_index(r), optional(r, "ascribed type", extern_desc))


def value(r: Reader) -> Value:
    """The encoded value is kept as it is: reading it would need the type index space."""
    return Value(val_type(r), bytes(r.slice(r.u32(), "value")))


# --- sections -------------------------------------------------------------------------------------
def _section(r: Reader, section_id: int, id_offset: int) -> Section:
    """The section whose content `r` covers."""
    offset = r.offset
    match section_id:
        case SectionId.CUSTOM:
            return CustomSection(raw_custom(r), offset)
        case SectionId.CORE_MODULE:
            return CoreModuleSection(core_module(r), offset)
        case SectionId.CORE_INSTANCE:
            return CoreInstanceSection(*r.located_vec("core instances", Limit.INSTANCES, core_instance))
        case SectionId.CORE_TYPE:
            return CoreTypeSection(*r.located_vec("core types", Limit.TYPES, core_type))
        case SectionId.COMPONENT:
            return ComponentSection(component(r), offset)
        case SectionId.INSTANCE:
            return InstanceSection(*r.located_vec("instances", Limit.INSTANCES, instance))
        case SectionId.ALIAS:
            return AliasSection(*r.located_vec("aliases", Limit.DEFINITIONS, alias))
        case SectionId.TYPE:
            return TypeSection(*r.located_vec("types", Limit.TYPES, type_def))
        case SectionId.CANON:
            return CanonSection(*r.located_vec("canonical definitions", Limit.DEFINITIONS, canon))
        case SectionId.START:
            return StartSection(start(r), offset)
        case SectionId.IMPORT:
            return ImportSection(*r.located_vec("imports", Limit.IMPORTS, import_))
        case SectionId.EXPORT:
            return ExportSection(*r.located_vec("exports", Limit.EXPORTS, export))
        case SectionId.VALUE:
            return ValueSection(*r.located_vec("values", Limit.VALUES, value))
        case _:
            raise r.unknown("section id", section_id, id_offset)


def _weight(section: Section) -> tuple[str, int, int]:
    """What a section defines, how many of it, and how many of it one component may define."""
    match section:
        case CoreModuleSection():
            return "core modules", 1, Limit.PER_SCOPE
        case ComponentSection():
            return "components", 1, Limit.PER_SCOPE
        case CoreInstanceSection() | InstanceSection():
            return "instances", len(section.items), Limit.INSTANCES
        case ValueSection():
            return "values", len(section.items), Limit.VALUES
        case CoreTypeSection():
            return "core types", len(section.items), Limit.TYPES
        case TypeSection():
            return "types", len(section.items), Limit.TYPES
        case AliasSection():
            return "aliases", len(section.items), Limit.DEFINITIONS
        case CanonSection():
            return "canonical definitions", len(section.items), Limit.DEFINITIONS
        case ImportSection():
            return "imports", len(section.items), Limit.IMPORTS
        case ExportSection():
            return "exports", len(section.items), Limit.EXPORTS
        case StartSection():
            return "starts", 1, Limit.DEFINITIONS
        case CustomSection():
            return "custom sections", 1, Limit.DEFINITIONS
        case _:
            assert_never(section)


def _step(section_id: int, totals: Counter[str]) -> tuple[str, ...]:
    """What a section adds to the path of places inside it."""
    match section_id:
        case SectionId.CORE_MODULE:
            return (f"core module {totals['core modules']}",)
        case SectionId.COMPONENT:
            return (f"component {totals['components']}",)
        case _:
            return ()


def component(r: Reader) -> Component:
    """A whole component: everything that `r` covers."""
    offset = r.offset
    r.enter("component")
    if r.slice(min(PREAMBLE_SIZE, r.remaining), "preamble") != MAGIC + COMPONENT_VERSION:
        raise r.error("not a component of version 0x0d, layer 1", offset)
    totals: Counter[str] = Counter()
    sections: list[Section] = []
    while r.remaining:
        at = r.offset
        section_id = r.byte("section id")
        content = r.part(r.u32(), "section")
        content.path += _step(section_id, totals)
        section = _section(content, section_id, at)
        content.finish(f"section {section_id}")
        what, count, limit = _weight(section)
        totals[what] += count
        if totals[what] > limit:
            raise r.error(f"{totals[what]} {what} in one component, more than {limit}", at)
        sections.append(section)
    return Component(tuple(sections), offset, r.offset - offset)
