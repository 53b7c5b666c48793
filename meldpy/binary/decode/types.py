"""Component types: value types, defined types, function, resource, component and instance types; core types.

Whether an index exists, a label is unique or a map key is a key type is validation, not grammar, and is not asked
here. Spec: Binary.md "Type Definitions".
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

from meldpy.binary.decode.coretypes import core_import, extern_type, rec_group
from meldpy.binary.decode.coretypes import val_type as core_val_type
from meldpy.binary.decode.externs import EXTERN_SORTS, alias, extern_name, sort
from meldpy.binary.reader import Reader
from meldpy.binary.sections import (
    AliasOp,
    BoundOp,
    CoreTypeOp,
    DeclOp,
    Limit,
    ModuleDeclOp,
    TypeOp,
)
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
from meldpy.model.ids import CoreFuncIndex, CoreTypeIndex, TypeIndex, ValueIndex
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

T = TypeVar("T")

PRIMITIVES: Final = {primitive.value: primitive for primitive in PrimValType}


# --- value types ----------------------------------------------------------------------------------
def type_index(r: Reader) -> TypeIndex:
    return TypeIndex(r.u32())


def val_type(r: Reader) -> ValTypeRef:
    primitive = PRIMITIVES.get(r.peek("value type"))
    if primitive is None:
        return TypeIndex(r.index33("value type"))
    r.position += 1
    return primitive


def optional(r: Reader, what: str, item: Callable[[Reader], T]) -> T | None:
    return item(r) if r.flag(what) else None


def label(r: Reader) -> str:
    return r.name("label")


def labelled(r: Reader) -> tuple[str, ValTypeRef]:
    return label(r), val_type(r)


def record_field(r: Reader) -> Field[ValTypeRef]:
    return Field(label(r), val_type(r))


def variant_case(r: Reader) -> Case[ValTypeRef]:
    case: Case[ValTypeRef] = Case(label(r), optional(r, "payload of a case", val_type))
    r.expect(0x00, "the byte behind a case")
    return case


def some(r: Reader, what: str, limit: int, item: Callable[[Reader], T]) -> tuple[T, ...]:
    """A vector that must not be empty."""
    offset = r.offset
    items = r.vec(what, limit, item)
    if not items:
        raise r.error(f"no {what}", offset)
    return items


def fixed_list(r: Reader) -> ListType[ValTypeRef]:
    element = val_type(r)
    offset = r.offset
    length = r.u32()
    if length == 0:
        raise r.error("a list of fixed length 0", offset)
    return ListType(element, length)


def result_list(r: Reader) -> ValTypeRef | None:
    if not r.flag("result list"):
        return val_type(r)
    r.expect(0x00, "number of results")
    return None


def func_type(r: Reader, async_: bool) -> FuncTypeDef:
    return FuncTypeDef(r.vec("parameters", Limit.PARAMS, labelled), result_list(r), async_)


def type_def(r: Reader) -> TypeDef:
    """`deftype`."""
    offset = r.offset
    opcode = r.byte("type")
    if opcode in PRIMITIVES:
        return PRIMITIVES[opcode]
    match opcode:
        case TypeOp.RECORD:
            return RecordType(some(r, "record fields", Limit.FIELDS, record_field))
        case TypeOp.VARIANT:
            return VariantType(some(r, "variant cases", Limit.FIELDS, variant_case))
        case TypeOp.LIST:
            return ListType(val_type(r))
        case TypeOp.FIXED_LIST:
            return fixed_list(r)
        case TypeOp.TUPLE:
            return TupleType(some(r, "tuple types", Limit.FIELDS, val_type))
        case TypeOp.FLAGS:
            return FlagsType(some(r, "flags", Limit.FLAGS, label))
        case TypeOp.ENUM:
            return EnumType(some(r, "enum cases", Limit.FIELDS, label))
        case TypeOp.OPTION:
            return OptionType(val_type(r))
        case TypeOp.RESULT:
            return ResultType(optional(r, "ok type", val_type), optional(r, "error type", val_type))
        case TypeOp.OWN:
            return OwnType(type_index(r))
        case TypeOp.BORROW:
            return BorrowType(type_index(r))
        case TypeOp.STREAM:
            return StreamType(optional(r, "element type", val_type))
        case TypeOp.FUTURE:
            return FutureType(optional(r, "element type", val_type))
        case TypeOp.MAP:
            return MapType(val_type(r), val_type(r))
        case TypeOp.RESOURCE:
            return ResourceTypeDef(core_val_type(r), optional(r, "destructor", core_func_index))
        case TypeOp.FUNC | TypeOp.ASYNC_FUNC:
            return func_type(r, opcode == TypeOp.ASYNC_FUNC)
        case TypeOp.COMPONENT:
            return ComponentTypeDef(_nested(r, "component type", component_decl))
        case TypeOp.INSTANCE:
            return InstanceTypeDef(_nested(r, "instance type", instance_decl))
        case _:
            raise r.unknown("type", opcode, offset)


def core_func_index(r: Reader) -> CoreFuncIndex:
    return CoreFuncIndex(r.u32())


# --- component and instance types -----------------------------------------------------------------
def _nested(r: Reader, what: str, decl: Callable[[Reader], Decl]) -> tuple[Decl, ...]:
    r.enter(what)
    decls = r.vec("declarators", Limit.DECLS, decl)
    r.leave()
    return decls


def component_decl(r: Reader) -> Decl:
    if r.peek("declarator") != DeclOp.IMPORT:
        return instance_decl(r)
    r.position += 1
    return ImportDecl(extern_name(r), extern_desc(r))


def instance_decl(r: Reader) -> Decl:
    offset = r.offset
    match r.byte("declarator"):
        case DeclOp.CORE_TYPE:
            return CoreTypeDecl(core_type(r))
        case DeclOp.TYPE:
            return TypeDecl(type_def(r))
        case DeclOp.ALIAS:
            return AliasDecl(alias(r))
        case DeclOp.EXPORT:
            return ExportDecl(extern_name(r), extern_desc(r))
        case byte:
            raise r.unknown("declarator", byte, offset)


def extern_desc(r: Reader) -> ExternDesc:
    """`externtype`."""
    match sort(r, EXTERN_SORTS):
        case Sort.CORE_MODULE:
            return CoreModuleDesc(CoreTypeIndex(r.u32()))
        case Sort.FUNC:
            return FuncDesc(type_index(r))
        case Sort.VALUE:
            if r.flag("value bound") == bool(BoundOp.EQ):
                return ValueDesc(ValueIndex(r.u32()), None)
            return ValueDesc(None, val_type(r))
        case Sort.TYPE:
            return TypeDesc(type_index(r) if r.flag("type bound") == bool(BoundOp.EQ) else None)
        case Sort.COMPONENT:
            return ComponentDesc(type_index(r))
        case Sort.INSTANCE:
            return InstanceDesc(type_index(r))
        case other:
            raise AssertionError(other)


# --- core types -----------------------------------------------------------------------------------
def core_type(r: Reader) -> CoreTypeDef:
    """`core:deftype`: 0x50 opens a module type here, so a non-final subtype has a zero byte before it."""
    match r.peek("core type"):
        case CoreTypeOp.MODULE:
            r.position += 1
            return ModuleType(r.vec("declarators", Limit.MODULE_DECLS, module_decl))
        case CoreTypeOp.SUB_PREFIX:
            r.position += 1
            if r.peek("core type") != CoreTypeOp.SUB:
                raise r.error("a zero byte stands before something else than a non-final subtype")
            return rec_group(r)
        case _:
            return rec_group(r)


def module_decl(r: Reader) -> ModuleDecl:
    offset = r.offset
    match r.byte("declarator"):
        case ModuleDeclOp.IMPORT:
            return core_import(r)
        case ModuleDeclOp.TYPE:
            return rec_group(r)
        case ModuleDeclOp.ALIAS:
            r.expect(Sort.CORE_TYPE.value[1], "sort of an alias in a module type")
            r.expect(AliasOp.CORE_OUTER, "target of an alias in a module type")
            return CoreTypeAlias(r.u32(), CoreTypeIndex(r.u32()))
        case ModuleDeclOp.EXPORT:
            return CoreExportDecl(r.name("export name"), extern_type(r))
        case byte:
            raise r.unknown("declarator", byte, offset)
