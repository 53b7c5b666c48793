"""How components refer to things: sorts, names of imports and exports with their attributes, aliases.

Spec: Binary.md "Instance Definitions", "Alias Definitions", "Import and Export Definitions".
"""

from __future__ import annotations

from typing import Final

from meldpy.binary.reader import Reader
from meldpy.binary.sections import NAME_FORMS, NAME_WITH_ATTRIBUTES, AliasOp, AttributeOp
from meldpy.model.component import Alias, CoreExportAlias, ExportAlias, OuterAlias, Sort
from meldpy.model.extern import Attributes, ExternName
from meldpy.model.ids import CoreInstanceIndex, InstanceIndex

SORTS: Final = {sort.value: sort for sort in Sort}
ALL_SORTS: Final = tuple(Sort)
CORE_EXPORT_SORTS: Final = (Sort.CORE_FUNC, Sort.CORE_TABLE, Sort.CORE_MEMORY, Sort.CORE_GLOBAL, Sort.CORE_TAG)
EXTERN_SORTS: Final = (Sort.CORE_MODULE, Sort.FUNC, Sort.VALUE, Sort.TYPE, Sort.COMPONENT, Sort.INSTANCE)
OUTER_SORTS: Final = (Sort.CORE_MODULE, Sort.CORE_TYPE, Sort.TYPE, Sort.COMPONENT)


# --- sorts and names ------------------------------------------------------------------------------
def in_words(which: Sort) -> str:
    return which.name.lower().replace("_", " ")


def sort(r: Reader, allowed: tuple[Sort, ...]) -> Sort:
    offset = r.offset
    byte = r.byte("sort")
    found = SORTS.get((byte, r.byte("core sort")) if byte == 0x00 else (byte,))
    if found is None:
        raise r.unknown("sort", byte, offset)
    if found not in allowed:
        raise r.error(f"sort {in_words(found)} is not possible here", offset)
    return found


def extern_name(r: Reader) -> ExternName:
    """`nameattributes`."""
    offset = r.offset
    form = r.byte("name form")
    if form not in NAME_FORMS:
        raise r.unknown("name form", form, offset)
    name = r.name("name")
    if form != NAME_WITH_ATTRIBUTES:
        return ExternName(name, Attributes(form))
    found: dict[int, str] = {}
    for _ in range(r.count("attributes", None)):
        offset = r.offset
        opcode = r.byte("attribute")
        if opcode not in (AttributeOp.IMPLEMENTS, AttributeOp.VERSION_SUFFIX, AttributeOp.EXTERNAL_ID):
            raise r.unknown("attribute", opcode, offset)
        if opcode in found:
            raise r.error(f"attribute {opcode:#04x} comes twice", offset)
        found[opcode] = r.name("attribute")
    return ExternName(
        name,
        Attributes(
            form,
            found.get(AttributeOp.IMPLEMENTS),
            found.get(AttributeOp.VERSION_SUFFIX),
            found.get(AttributeOp.EXTERNAL_ID),
            tuple(found),
        ),
    )


# --- aliases --------------------------------------------------------------------------------------
def alias(r: Reader) -> Alias:
    """The sort comes first, yet which sorts are possible depends on the target behind it."""
    offset = r.offset
    found = sort(r, ALL_SORTS)
    target_offset = r.offset
    allowed: tuple[Sort, ...]
    made: Alias
    match r.byte("alias target"):
        case AliasOp.EXPORT:
            allowed, target = EXTERN_SORTS, "export"
            made = ExportAlias(found, InstanceIndex(r.u32()), r.name("export name"))
        case AliasOp.CORE_EXPORT:
            allowed, target = CORE_EXPORT_SORTS, "core export"
            made = CoreExportAlias(found, CoreInstanceIndex(r.u32()), r.name("export name"))
        case AliasOp.OUTER:
            allowed, target = OUTER_SORTS, "outer"
            made = OuterAlias(found, r.u32(), r.u32())
        case byte:
            raise r.unknown("alias target", byte, target_offset)
    if found not in allowed:
        raise r.error(f"{target} aliases cannot have the sort {in_words(found)}", offset)
    return made
