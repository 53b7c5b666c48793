"""Component types, written: the mirror of `decode/types`."""

from __future__ import annotations

from typing import Final, assert_never

from meldpy.binary.encode.coretypes import core_import, extern_type, is_explicit, rec_group
from meldpy.binary.encode.coretypes import val_type as core_val_type
from meldpy.binary.encode.externs import alias, extern_name, sort
from meldpy.binary.leb128 import signed, unsigned
from meldpy.binary.sections import (
    AliasOp,
    BoundOp,
    CoreTypeOp,
    DeclOp,
    ModuleDeclOp,
    TypeOp,
)
from meldpy.binary.writer import name, vec
from meldpy.model.component import (
    AliasDecl,
    ComponentDesc,
    ComponentTypeDef,
    CoreExportDecl,
    CoreModuleDesc,
    CoreTypeAlias,
    CoreTypeDecl,
    CoreTypeDef,
    Decl,
    ExportDecl,
    ExternDesc,
    FuncDesc,
    FuncTypeDef,
    ImportDecl,
    InstanceDesc,
    InstanceTypeDef,
    ModuleDecl,
    ModuleType,
    ResourceTypeDef,
    Sort,
    TypeDecl,
    TypeDef,
    TypeDesc,
    ValueDesc,
)
from meldpy.model.core import CoreImport, RecGroup
from meldpy.model.valtype import (
    BorrowType,
    Case,
    EnumType,
    Field,
    FlagsType,
    FutureType,
    ListType,
    MapType,
    OptionType,
    OwnType,
    PrimValType,
    RecordType,
    ResultType,
    StreamType,
    TupleType,
    ValTypeRef,
    VariantType,
)

ABSENT: Final = b"\x00"
PRESENT: Final = b"\x01"


# --- value types ----------------------------------------------------------------------------------
def val_type(type_: ValTypeRef) -> bytes:
    return bytes((type_.value,)) if isinstance(type_, PrimValType) else signed(type_)


def optional(encoded: bytes | None) -> bytes:
    return ABSENT if encoded is None else PRESENT + encoded


def optional_val_type(type_: ValTypeRef | None) -> bytes:
    return optional(None if type_ is None else val_type(type_))


def labelled(item: tuple[str, ValTypeRef]) -> bytes:
    return name(item[0]) + val_type(item[1])


def record_field(field: Field[ValTypeRef]) -> bytes:
    return name(field.label) + val_type(field.type)


def variant_case(case: Case[ValTypeRef]) -> bytes:
    return name(case.label) + optional_val_type(case.type) + b"\x00"


def result_list(result: ValTypeRef | None) -> bytes:
    return b"\x01\x00" if result is None else b"\x00" + val_type(result)


def list_type(type_: ListType[ValTypeRef]) -> bytes:
    if type_.length is None:
        return bytes((TypeOp.LIST,)) + val_type(type_.element)
    return bytes((TypeOp.FIXED_LIST,)) + val_type(type_.element) + unsigned(type_.length)


def func_type(type_: FuncTypeDef) -> bytes:
    opcode = TypeOp.ASYNC_FUNC if type_.async_ else TypeOp.FUNC
    return bytes((opcode,)) + vec(type_.params, labelled) + result_list(type_.result)


def type_def(type_: TypeDef) -> bytes:
    """`deftype`."""
    match type_:
        case PrimValType():
            return val_type(type_)
        case RecordType(fields):
            return bytes((TypeOp.RECORD,)) + vec(fields, record_field)
        case VariantType(cases):
            return bytes((TypeOp.VARIANT,)) + vec(cases, variant_case)
        case ListType():
            return list_type(type_)
        case TupleType(types):
            return bytes((TypeOp.TUPLE,)) + vec(types, val_type)
        case FlagsType(labels):
            return bytes((TypeOp.FLAGS,)) + vec(labels, name)
        case EnumType(labels):
            return bytes((TypeOp.ENUM,)) + vec(labels, name)
        case OptionType(payload):
            return bytes((TypeOp.OPTION,)) + val_type(payload)
        case ResultType(ok, error):
            return bytes((TypeOp.RESULT,)) + optional_val_type(ok) + optional_val_type(error)
        case OwnType(resource):
            return bytes((TypeOp.OWN,)) + unsigned(resource)
        case BorrowType(resource):
            return bytes((TypeOp.BORROW,)) + unsigned(resource)
        case StreamType(element):
            return bytes((TypeOp.STREAM,)) + optional_val_type(element)
        case FutureType(element):
            return bytes((TypeOp.FUTURE,)) + optional_val_type(element)
        case MapType(key, value):
            return bytes((TypeOp.MAP,)) + val_type(key) + val_type(value)
        case FuncTypeDef():
            return func_type(type_)
        case ResourceTypeDef(rep, dtor):
            return bytes((TypeOp.RESOURCE,)) + core_val_type(rep) + optional(None if dtor is None else unsigned(dtor))
        case ComponentTypeDef(decls):
            return bytes((TypeOp.COMPONENT,)) + vec(decls, decl)
        case InstanceTypeDef(decls):
            return bytes((TypeOp.INSTANCE,)) + vec(decls, decl)
        case _:
            assert_never(type_)


# --- component and instance types -----------------------------------------------------------------
def decl(item: Decl) -> bytes:
    match item:
        case CoreTypeDecl(core):
            return bytes((DeclOp.CORE_TYPE,)) + core_type(core)
        case TypeDecl(type_):
            return bytes((DeclOp.TYPE,)) + type_def(type_)
        case AliasDecl(target):
            return bytes((DeclOp.ALIAS,)) + alias(target)
        case ImportDecl(extern, desc):
            return bytes((DeclOp.IMPORT,)) + extern_name(extern) + extern_desc(desc)
        case ExportDecl(extern, desc):
            return bytes((DeclOp.EXPORT,)) + extern_name(extern) + extern_desc(desc)
        case _:
            assert_never(item)


def extern_desc(desc: ExternDesc) -> bytes:
    """`externtype`."""
    match desc:
        case CoreModuleDesc(index):
            return sort(Sort.CORE_MODULE) + unsigned(index)
        case FuncDesc(index):
            return sort(Sort.FUNC) + unsigned(index)
        case ValueDesc(eq, type_):
            return sort(Sort.VALUE) + value_bound(eq, type_)
        case TypeDesc(bound):
            encoded = bytes((BoundOp.OTHER,)) if bound is None else bytes((BoundOp.EQ,)) + unsigned(bound)
            return sort(Sort.TYPE) + encoded
        case ComponentDesc(index):
            return sort(Sort.COMPONENT) + unsigned(index)
        case InstanceDesc(index):
            return sort(Sort.INSTANCE) + unsigned(index)
        case _:
            assert_never(desc)


def value_bound(eq: int | None, type_: ValTypeRef | None) -> bytes:
    if eq is not None:
        return bytes((BoundOp.EQ,)) + unsigned(eq)
    assert type_ is not None, "a value has an index or a type"
    return bytes((BoundOp.OTHER,)) + val_type(type_)


# --- core types -----------------------------------------------------------------------------------
def core_type(type_: CoreTypeDef) -> bytes:
    """`core:deftype`: a non-final subtype needs a zero byte before it, to differ from a module type."""
    match type_:
        case ModuleType(decls):
            return bytes((CoreTypeOp.MODULE,)) + vec(decls, module_decl)
        case RecGroup():
            plain = is_explicit(type_) or type_.types[0].final
            return rec_group(type_) if plain else bytes((CoreTypeOp.SUB_PREFIX,)) + rec_group(type_)
        case _:
            assert_never(type_)


def module_decl(item: ModuleDecl) -> bytes:
    match item:
        case CoreImport():
            return bytes((ModuleDeclOp.IMPORT,)) + core_import(item)
        case RecGroup():
            return bytes((ModuleDeclOp.TYPE,)) + rec_group(item)
        case CoreTypeAlias(count, index):
            head = bytes((ModuleDeclOp.ALIAS, Sort.CORE_TYPE.value[1], AliasOp.CORE_OUTER))
            return head + unsigned(count) + unsigned(index)
        case CoreExportDecl(text, type_):
            return bytes((ModuleDeclOp.EXPORT,)) + name(text) + extern_type(type_)
        case _:
            assert_never(item)
