"""Core types: value, reference, composite and external types, limits, recursion groups.

Used by core modules and by the core types of components. Spec: core binary format, "Types"; threads and
custom-page-sizes proposals for limits. Shared-everything, stack switching and custom descriptors are not read.
"""

from __future__ import annotations

from typing import Final

from meldpy.binary.reader import Reader
from meldpy.binary.sections import TAG_EXCEPTION, CoreTypeOp, Limit, LimitsFlag
from meldpy.model.core import (
    AbsHeapType,
    ArrayType,
    CompType,
    CoreExternType,
    CoreFuncType,
    CoreImport,
    CoreSort,
    CoreValType,
    FieldType,
    FuncImportType,
    GlobalType,
    HeapType,
    Limits,
    MemoryType,
    NumType,
    PackedType,
    RecGroup,
    RefType,
    StructType,
    SubType,
    TableType,
    TagType,
)
from meldpy.model.ids import CoreTypeIndex

HEAP_TYPES: Final = {heap.value: heap for heap in AbsHeapType}
SHORT_REF_TYPES: Final = {heap.value: RefType(True, heap) for heap in AbsHeapType}
NUM_TYPES: Final = {num.value: num for num in NumType}
PACKED_TYPES: Final = {packed.value: packed for packed in PackedType}
CORE_SORTS: Final = {sort.value: sort for sort in CoreSort}


def type_index(r: Reader) -> CoreTypeIndex:
    return CoreTypeIndex(r.u32())


def heap_type(r: Reader) -> HeapType:
    abstract = HEAP_TYPES.get(r.peek("heap type"))
    if abstract is None:
        return r.index33("heap type")
    r.position += 1
    return abstract


def ref_type(r: Reader) -> RefType:
    offset = r.offset
    byte = r.byte("reference type")
    if byte in SHORT_REF_TYPES:
        return SHORT_REF_TYPES[byte]
    match byte:
        case CoreTypeOp.REF_NULL:
            return RefType(True, heap_type(r))
        case CoreTypeOp.REF:
            return RefType(False, heap_type(r))
        case _:
            raise r.unknown("reference type", byte, offset)


def val_type(r: Reader) -> CoreValType:
    num = NUM_TYPES.get(r.peek("value type"))
    if num is None:
        return ref_type(r)
    r.position += 1
    return num


def field_type(r: Reader) -> FieldType:
    packed = PACKED_TYPES.get(r.peek("field type"))
    if packed is None:
        storage: CoreValType | PackedType = val_type(r)
    else:
        r.position += 1
        storage = packed
    return FieldType(storage, r.flag("mutability"))


def comp_type(r: Reader) -> CompType:
    offset = r.offset
    match r.byte("composite type"):
        case CoreTypeOp.FUNC:
            params = r.vec("parameters", Limit.PARAMS, val_type)
            return CoreFuncType(params, r.vec("results", Limit.RESULTS, val_type))
        case CoreTypeOp.STRUCT:
            return StructType(r.vec("struct fields", Limit.STRUCT_FIELDS, field_type))
        case CoreTypeOp.ARRAY:
            return ArrayType(field_type(r))
        case byte:
            raise r.unknown("composite type", byte, offset)


def sub_type(r: Reader) -> SubType:
    opcode = r.peek("type")
    if opcode not in (CoreTypeOp.SUB, CoreTypeOp.SUB_FINAL):
        return SubType(comp_type(r))
    r.position += 1
    supertypes = r.vec("supertypes", Limit.SUPERTYPES, type_index)
    return SubType(comp_type(r), opcode == CoreTypeOp.SUB_FINAL, supertypes)


def rec_group(r: Reader) -> RecGroup:
    if r.peek("type") != CoreTypeOp.REC:
        return RecGroup((sub_type(r),))
    r.position += 1
    return RecGroup(r.vec("types in a recursion group", Limit.TYPES, sub_type), explicit=True)


def limits(r: Reader, allowed: int) -> Limits:
    """`allowed`: the LimitsFlag bits that may be set here."""
    offset = r.offset
    flags = r.byte("limits")
    if flags & ~allowed:
        raise r.unknown("limits flags", flags, offset)
    minimum = r.u64()
    maximum = r.u64() if flags & LimitsFlag.MAX else None
    page_size = None
    if flags & LimitsFlag.PAGE_SIZE:
        offset = r.offset
        page_size = r.u32()
        if page_size >= 64:
            raise r.error(f"page size 2^{page_size} is too large", offset)
    return Limits(minimum, maximum, bool(flags & LimitsFlag.IS64), bool(flags & LimitsFlag.SHARED), page_size)


def table_type(r: Reader) -> TableType:
    return TableType(ref_type(r), limits(r, LimitsFlag.MAX | LimitsFlag.IS64))


def memory_type(r: Reader) -> MemoryType:
    return MemoryType(limits(r, LimitsFlag.MAX | LimitsFlag.SHARED | LimitsFlag.IS64 | LimitsFlag.PAGE_SIZE))


def global_type(r: Reader) -> GlobalType:
    return GlobalType(val_type(r), r.flag("mutability"))


def tag_type(r: Reader) -> TagType:
    r.expect(TAG_EXCEPTION, "tag attribute")
    return TagType(type_index(r))


def core_sort(r: Reader) -> CoreSort:
    offset = r.offset
    byte = r.byte("kind of import or export")
    if byte not in CORE_SORTS:
        raise r.unknown("kind of import or export", byte, offset)
    return CORE_SORTS[byte]


def extern_type(r: Reader) -> CoreExternType:
    match core_sort(r):
        case CoreSort.FUNC:
            return FuncImportType(type_index(r))
        case CoreSort.TABLE:
            return table_type(r)
        case CoreSort.MEMORY:
            return memory_type(r)
        case CoreSort.GLOBAL:
            return global_type(r)
        case CoreSort.TAG:
            return tag_type(r)


def core_import(r: Reader) -> CoreImport:
    return CoreImport(r.name("import module name"), r.name("import name"), extern_type(r))
