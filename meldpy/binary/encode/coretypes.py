"""Core types, written: the mirror of `decode/coretypes`.

Abstract nullable references take their one-byte form, a final type without supertypes takes the plain form.
"""

from __future__ import annotations

from typing import assert_never

from meldpy.binary.leb128 import signed, unsigned
from meldpy.binary.sections import TAG_EXCEPTION, CoreTypeOp, LimitsFlag
from meldpy.binary.writer import name, vec
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


def heap_type(heap: HeapType) -> bytes:
    return bytes((heap.value,)) if isinstance(heap, AbsHeapType) else signed(heap)


def ref_type(ref: RefType) -> bytes:
    if not ref.nullable:
        return bytes((CoreTypeOp.REF,)) + heap_type(ref.heap)
    if isinstance(ref.heap, AbsHeapType):
        return heap_type(ref.heap)
    return bytes((CoreTypeOp.REF_NULL,)) + heap_type(ref.heap)


def val_type(type_: CoreValType) -> bytes:
    return bytes((type_.value,)) if isinstance(type_, NumType) else ref_type(type_)


def field_type(field: FieldType) -> bytes:
    storage = field.storage
    encoded = bytes((storage.value,)) if isinstance(storage, PackedType) else val_type(storage)
    return encoded + bytes((field.mutable,))


def comp_type(comp: CompType) -> bytes:
    match comp:
        case CoreFuncType(params, results):
            return bytes((CoreTypeOp.FUNC,)) + vec(params, val_type) + vec(results, val_type)
        case StructType(fields):
            return bytes((CoreTypeOp.STRUCT,)) + vec(fields, field_type)
        case ArrayType(element):
            return bytes((CoreTypeOp.ARRAY,)) + field_type(element)
        case _:
            assert_never(comp)


def is_sub(type_: SubType) -> bool:
    """Whether the type needs one of the `sub` forms."""
    return not type_.final or bool(type_.supertypes)


def sub_type(type_: SubType) -> bytes:
    if not is_sub(type_):
        return comp_type(type_.comp)
    opcode = CoreTypeOp.SUB_FINAL if type_.final else CoreTypeOp.SUB
    return bytes((opcode,)) + vec(type_.supertypes, unsigned) + comp_type(type_.comp)


def is_explicit(group: RecGroup) -> bool:
    """Whether the group needs the prefix that says how many types it has."""
    return group.explicit or len(group.types) != 1


def rec_group(group: RecGroup) -> bytes:
    if is_explicit(group):
        return bytes((CoreTypeOp.REC,)) + vec(group.types, sub_type)
    return sub_type(group.types[0])


def limits(bounds: Limits) -> bytes:
    flags = 0
    encoded = unsigned(bounds.min)
    if bounds.max is not None:
        flags |= LimitsFlag.MAX
        encoded += unsigned(bounds.max)
    if bounds.shared:
        flags |= LimitsFlag.SHARED
    if bounds.is64:
        flags |= LimitsFlag.IS64
    if bounds.page_size_log2 is not None:
        flags |= LimitsFlag.PAGE_SIZE
        encoded += unsigned(bounds.page_size_log2)
    return bytes((flags,)) + encoded


def table_type(type_: TableType) -> bytes:
    return ref_type(type_.element) + limits(type_.limits)


def memory_type(type_: MemoryType) -> bytes:
    return limits(type_.limits)


def global_type(type_: GlobalType) -> bytes:
    return val_type(type_.value) + bytes((type_.mutable,))


def tag_type(type_: TagType) -> bytes:
    return bytes((TAG_EXCEPTION,)) + unsigned(type_.type)


def extern_type(type_: CoreExternType) -> bytes:
    match type_:
        case FuncImportType(index):
            return bytes((CoreSort.FUNC.value,)) + unsigned(index)
        case TableType():
            return bytes((CoreSort.TABLE.value,)) + table_type(type_)
        case MemoryType():
            return bytes((CoreSort.MEMORY.value,)) + memory_type(type_)
        case GlobalType():
            return bytes((CoreSort.GLOBAL.value,)) + global_type(type_)
        case TagType():
            return bytes((CoreSort.TAG.value,)) + tag_type(type_)
        case _:
            assert_never(type_)


def core_import(item: CoreImport) -> bytes:
    return name(item.module) + name(item.name) + extern_type(item.type)
