"""Evaluated types back to definitions: each node becomes a type definition of the scope that mentions it.

Children come first, a node that its scope can already reach is not defined again, so the output is linear in the
number of nodes however often they are shared. What names a type is decided by `Scope`. The other direction, from
declarators to nodes, is `resolve`'s. Spec: Binary.md "Type Definitions".
"""

from __future__ import annotations

from typing import assert_never

from meldpy.errors import InternalError
from meldpy.model.component import (
    ComponentDesc,
    ComponentTypeDef,
    CoreExportDecl,
    CoreModuleDesc,
    ExternDesc,
    FuncDesc,
    FuncTypeDef,
    InstanceDesc,
    InstanceTypeDef,
    ModuleDecl,
    ModuleType,
    TypeDef,
    TypeDesc,
    ValueDesc,
)
from meldpy.model.core import FuncImportType, GlobalType, MemoryType, TableType, TagType
from meldpy.model.extern import (
    ComponentType,
    CoreModuleType,
    ExternType,
    FuncType,
    InstanceType,
    NamedExtern,
    TypeExtern,
    TypeNode,
    ValueExtern,
)
from meldpy.model.ids import CoreTypeIndex, TypeIndex
from meldpy.model.valtype import (
    BorrowType,
    Case,
    DefinedType,
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
    ResourceType,
    ResultType,
    StreamType,
    TupleType,
    ValType,
    ValTypeRef,
    VariantType,
)
from meldpy.wrapper.builder import DeclBuilder, ExportPath
from meldpy.wrapper.scope import Entry, Scope, is_nominal


# --- indices for nodes --------------------------------------------------------------------------------------
def type_index(scope: Scope, node: TypeNode) -> TypeIndex:
    """The index by which `scope` mentions `node`, which is defined first if need be."""
    found = scope.find(node)
    return TypeIndex(found) if found is not None else _define(scope, node)


def target_index(scope: Scope, node: TypeNode) -> TypeIndex:
    """The index that a new name `node` is equated with."""
    found = scope.find_target(node)
    return TypeIndex(found) if found is not None else _define(scope, node)


def _define(scope: Scope, node: TypeNode) -> TypeIndex:
    index = scope.sink.define_type(_definition(scope, node))
    if scope.introducer is not None and is_nominal(node):
        assert isinstance(node, DefinedType)
        index = scope.introducer.nominal(node, index)
    scope.wrote(node, index)
    return TypeIndex(index)


def _definition(scope: Scope, node: TypeNode) -> TypeDef:
    match node:
        case PrimValType():
            return node
        case DefinedType():
            return _value_definition(scope, node)
        case FuncType():
            params = tuple((label, _reference(scope, type_)) for label, type_ in node.params)
            return FuncTypeDef(params, _optional(scope, node.result), node.async_)
        case InstanceType():
            return instance_type(scope, node)
        case ComponentType():
            return _component_type(scope, node)
        case ResourceType():
            raise InternalError(f"resource type {node.id} is mentioned by the world, yet neither imported nor defined")
        case CoreModuleType():
            raise InternalError("a core module type stands where a component-level type is expected")
        case _:
            assert_never(node)


def _value_definition(scope: Scope, node: DefinedType) -> TypeDef:
    match node.definition:
        case PrimValType() | FlagsType() | EnumType() as closed:
            return closed
        case RecordType(fields):
            return RecordType(tuple(Field(f.label, _reference(scope, f.type)) for f in fields))
        case VariantType(cases):
            return VariantType(tuple(Case(c.label, _optional(scope, c.type)) for c in cases))
        case ListType(element, length):
            return ListType(_reference(scope, element), length)
        case TupleType(types):
            return TupleType(tuple(_reference(scope, t) for t in types))
        case OptionType(type_):
            return OptionType(_reference(scope, type_))
        case ResultType(ok, error):
            return ResultType(_optional(scope, ok), _optional(scope, error))
        case MapType(key, value):
            return MapType(_reference(scope, key), _reference(scope, value))
        case OwnType(resource):
            return OwnType(type_index(scope, resource))
        case BorrowType(resource):
            return BorrowType(type_index(scope, resource))
        case StreamType(stream_element):
            return StreamType(_optional(scope, stream_element))
        case FutureType(future_element):
            return FutureType(_optional(scope, future_element))
        case _ as unreachable:
            assert_never(unreachable)


def _reference(scope: Scope, type_: ValType) -> ValTypeRef:
    return type_ if isinstance(type_, PrimValType) else type_index(scope, type_)


def _optional(scope: Scope, type_: ValType | None) -> ValTypeRef | None:
    return None if type_ is None else _reference(scope, type_)


# --- imports and exports ------------------------------------------------------------------------------------
def extern_desc(scope: Scope, type_: ExternType) -> ExternDesc:
    """The type of an import or export of `scope`."""
    match type_:
        case FuncType():
            return FuncDesc(type_index(scope, type_))
        case InstanceType():
            return InstanceDesc(type_index(scope, type_))
        case ComponentType():
            return ComponentDesc(type_index(scope, type_))
        case CoreModuleType():
            return CoreModuleDesc(CoreTypeIndex(scope.sink.define_core_type(_module_type(type_))))
        case TypeExtern(type=node, bound_resource=bound):
            return TypeDesc(None if bound else target_index(scope, node))
        case ValueExtern(type=value):
            return ValueDesc(None, _reference(scope, value))
        case _:
            assert_never(type_)


def introduce(scope: Scope, type_: ExternType, index: int) -> None:
    """An import or export of type `type_` got `index`: the types it names can be mentioned from now on."""
    match type_:
        case TypeExtern(type=node):
            scope.name(node, Entry(index))
        case InstanceType():
            scope.provide(ExportPath.at(scope.sink, index), type_)
        case FuncType() | ComponentType() | CoreModuleType() | ValueExtern():
            pass
        case _:
            assert_never(type_)


# --- types with declarators ---------------------------------------------------------------------------------
def instance_type(outer: Scope, type_: InstanceType) -> InstanceTypeDef:
    """The declarators of an instance type that is written into `outer`."""
    decls = DeclBuilder()
    scope = Scope(decls, outer)
    for export in type_.exports:
        _declare_export(scope, decls, export)
    return InstanceTypeDef(tuple(decls.decls))


def _component_type(outer: Scope, type_: ComponentType) -> ComponentTypeDef:
    decls = DeclBuilder()
    scope = Scope(decls, outer)
    imports, exports = iter(type_.imports), iter(type_.exports)
    for is_import in type_.interleaved:
        if is_import:
            extern = next(imports)
            introduce(scope, extern.type, decls.import_(extern.name, extern_desc(scope, extern.type)))
        else:
            _declare_export(scope, decls, next(exports))
    return ComponentTypeDef(tuple(decls.decls))


def _declare_export(scope: Scope, decls: DeclBuilder, export: NamedExtern) -> None:
    introduce(scope, export.type, decls.export(export.name, extern_desc(scope, export.type)))


def _module_type(type_: CoreModuleType) -> ModuleType:
    """A core module type; its indices are those of `shape`, whose types are declared first."""
    decls: list[ModuleDecl] = [*type_.shape.types, *type_.shape.imports]
    for export, export_type in zip(type_.shape.exports, type_.export_types, strict=True):
        assert isinstance(export_type, FuncImportType | TableType | MemoryType | GlobalType | TagType)
        decls.append(CoreExportDecl(export.name, export_type))
    return ModuleType(tuple(decls))
