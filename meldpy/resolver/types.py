"""Type definitions, evaluated: from indices to nodes.

Each definition is evaluated once per evaluation of its scope. An alias is the very same node; `(type (eq T))` in an
import or export is a new name for T; `(sub resource)` is a new resource type. Resource *definitions* belong to
component instances and are evaluated where those are (`evaluate`).
Spec: Binary.md "Type Definitions", "Import and Export Definitions"; Explainer.md "Type Definitions".
"""

from __future__ import annotations

from typing import assert_never, final

from meldpy.errors import DecodeError, InternalError, Location, UnsupportedError
from meldpy.model.component import (
    Alias,
    AliasDecl,
    ComponentDesc,
    ComponentTypeDef,
    CoreExportDecl,
    CoreModuleDesc,
    CoreTypeAlias,
    CoreTypeDecl,
    CoreTypeDef,
    Decl,
    ExportAlias,
    ExportDecl,
    ExternDesc,
    FuncDesc,
    FuncTypeDef,
    ImportDecl,
    InstanceDesc,
    InstanceTypeDef,
    ModuleType,
    OuterAlias,
    ResourceTypeDef,
    Sort,
    TypeDecl,
    TypeDef,
    TypeDesc,
    ValueDesc,
)
from meldpy.model.core import CoreImport, RecGroup
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
from meldpy.model.ids import ResourceId
from meldpy.model.valtype import DefinedType, PrimValType, ResourceType, ValType, ValTypeRef
from meldpy.resolver.builder import Builder
from meldpy.resolver.coretypes import CoreType, group_members, module_type
from meldpy.resolver.nodes import Nodes, map_definition
from meldpy.resolver.scope import Scope, TypeScope, outward
from meldpy.resolver.spaces import Space
from meldpy.resolver.substitute import Substitution


@final
class TypeEvaluator:
    """Evaluates type definitions and extern descriptions in a scope. `where` is the definition at hand."""

    def __init__(self, builder: Builder, nodes: Nodes) -> None:
        self.builder = builder
        self.nodes = nodes
        self.where: Location | None = None

    # --- references -----------------------------------------------------------------------------------------
    def value(self, ref: ValTypeRef, scope: Scope) -> ValType:
        if isinstance(ref, PrimValType):
            return ref
        found = scope.types.get(ref)
        if not isinstance(found, DefinedType):
            raise DecodeError(f"type {ref} is not a value type")
        return found

    def resource(self, index: int, scope: Scope) -> ResourceType:
        found = scope.types.get(index)
        if not isinstance(found, ResourceType):
            raise DecodeError(f"type {index} is not a resource type")
        return found

    def func(self, index: int, scope: Scope) -> FuncType:
        found = scope.types.get(index)
        if not isinstance(found, FuncType):
            raise DecodeError(f"type {index} is not a function type")
        return found

    # --- definitions ----------------------------------------------------------------------------------------
    def define(self, definition: TypeDef, scope: Scope) -> TypeNode:
        """The node of a definition other than a resource's."""
        self.builder.count()
        match definition:
            case FuncTypeDef():
                params = tuple((label, self.value(t, scope)) for label, t in definition.params)
                result = None if definition.result is None else self.value(definition.result, scope)
                return self.nodes.func(FuncType(params, result, definition.async_))
            case InstanceTypeDef():
                return self._instance(definition, scope)
            case ComponentTypeDef():
                return self._component(definition, scope)
            case ResourceTypeDef():
                raise DecodeError("a resource type is defined inside a component type or an instance type")
            case _:
                return self.nodes.defined(
                    map_definition(definition, lambda t: self.value(t, scope), lambda r: self.resource(r, scope))
                )

    def _instance(self, definition: InstanceTypeDef, scope: Scope) -> InstanceType:
        inner = TypeScope(scope)
        exports: list[NamedExtern] = []
        for decl in definition.decls:
            match decl:
                case ExportDecl():
                    exports.append(self._declare(decl, inner))
                case ImportDecl():
                    raise DecodeError(f"an instance type declares the import `{decl.name.name}`")
                case _:
                    self._local(decl, inner)
        return self.nodes.instance(tuple(exports))

    def _component(self, definition: ComponentTypeDef, scope: Scope) -> ComponentType:
        inner = TypeScope(scope)
        imports: list[NamedExtern] = []
        exports: list[NamedExtern] = []
        interleaved: list[bool] = []
        for decl in definition.decls:
            match decl:
                case ImportDecl() | ExportDecl():
                    is_import = isinstance(decl, ImportDecl)
                    (imports if is_import else exports).append(self._declare(decl, inner))
                    interleaved.append(is_import)
                case _:
                    self._local(decl, inner)
        return self.nodes.component(tuple(imports), tuple(exports), tuple(interleaved))

    # --- declarators ----------------------------------------------------------------------------------------
    def _declare(self, decl: ImportDecl | ExportDecl, inner: TypeScope) -> NamedExtern:
        """An import or export declarator; types and instances get an index."""
        self.builder.count()
        type_ = self.declared(decl.desc, inner, decl.name.name)
        if isinstance(type_, TypeExtern):
            inner.types.add(type_.type)
        elif isinstance(type_, InstanceType):
            inner.instances.add(type_)
        return NamedExtern(decl.name, type_)

    def _local(self, decl: Decl, inner: TypeScope) -> None:
        match decl:
            case TypeDecl():
                inner.types.add(self.define(decl.type, inner))
            case CoreTypeDecl():
                self.add_core_types(decl.type, inner)
            case AliasDecl():
                self._alias(decl.alias, inner)
            case ImportDecl() | ExportDecl():
                raise InternalError("an import or export declarator was taken for a local one")

    def _alias(self, alias: Alias, inner: TypeScope) -> None:
        self.builder.count()
        match alias:
            case OuterAlias(sort=Sort.TYPE):
                inner.types.add(outward(inner, alias.count).types.get(alias.index))
            case OuterAlias(sort=Sort.CORE_TYPE):
                inner.core_types.add(outward(inner, alias.count).core_types.get(alias.index))
            case ExportAlias(sort=Sort.TYPE | Sort.INSTANCE):
                self._export_alias(alias, inner)
            case _:
                raise DecodeError(f"a type cannot alias a {alias.sort.name.lower().replace('_', ' ')}")

    def _export_alias(self, alias: ExportAlias, inner: TypeScope) -> None:
        instance = inner.instances.get(alias.instance)
        found = next((e.type for e in instance.exports if e.name.name == alias.name), None)
        match alias.sort, found:
            case Sort.TYPE, TypeExtern():
                inner.types.add(found.type)
            case Sort.INSTANCE, InstanceType():
                inner.instances.add(found)
            case _:
                raise DecodeError(f"instance {alias.instance} exports no {alias.sort.name.lower()} `{alias.name}`")

    # --- extern descriptions --------------------------------------------------------------------------------
    def extern(self, desc: ExternDesc, scope: Scope, name: str) -> ExternType:
        """What `desc` says, as it is: for an import that is bound to something, and for ascribed types."""
        match desc:
            case CoreModuleDesc():
                found = scope.core_types.get(desc.type)
                if not isinstance(found, CoreModuleType):
                    raise DecodeError(f"core type {desc.type} is not a core module type")
                return found
            case FuncDesc():
                return self.func(desc.type, scope)
            case ValueDesc():
                if desc.type is None:
                    raise UnsupportedError(
                        "component-level values",
                        f"`{name}` equals another value",
                        remedy="make it without component-level values: no engine runs them yet",
                    )
                return ValueExtern(self.value(desc.type, scope))
            case TypeDesc():
                if desc.eq is None:
                    return TypeExtern(ResourceType(self._mint(name)), bound_resource=True)
                return TypeExtern(self.nodes.alias(scope.types.get(desc.eq)))
            case ComponentDesc():
                component = scope.types.get(desc.type)
                if not isinstance(component, ComponentType):
                    raise DecodeError(f"type {desc.type} is not a component type")
                return component
            case InstanceDesc():
                instance = scope.types.get(desc.type)
                if not isinstance(instance, InstanceType):
                    raise DecodeError(f"type {desc.type} is not an instance type")
                return instance
            case _:
                assert_never(desc)

    def declared(self, desc: ExternDesc, scope: Scope, name: str) -> ExternType:
        """What `desc` says for one more import or export of it: an instance's types are new ones each time."""
        type_ = self.extern(desc, scope, name)
        return self.fresh(type_, name, self.substitution()) if isinstance(type_, InstanceType) else type_

    def fresh(self, type_: InstanceType, name: str, substitution: Substitution) -> InstanceType:
        """One more instance of `type_`, called `name`, in the terms of `substitution`: its types are new ones."""
        return substitution.fresh(type_, lambda inner: self._mint(f"{name}.{inner}"))

    def substitution(self) -> Substitution:
        return Substitution(self.nodes, self.builder.count)

    def _mint(self, name: str) -> ResourceId:
        """A resource type that nothing here defines: the outer component's, or abstract in a type."""
        assert self.where is not None
        return self.builder.resource(None, None, name, self.where)

    # --- core types -----------------------------------------------------------------------------------------
    def add_core_types(self, definition: CoreTypeDef, scope: Scope) -> None:
        self.builder.count()
        match definition:
            case RecGroup():
                _add_group(definition, scope.core_types)
            case ModuleType():
                scope.core_types.add(self._module(definition, scope))

    def _module(self, definition: ModuleType, scope: Scope) -> CoreModuleType:
        types: Space[CoreType] = Space("core type")
        imports: list[CoreImport] = []
        exports: list[CoreExportDecl] = []
        for decl in definition.decls:
            self.builder.count()
            match decl:
                case RecGroup():
                    _add_group(decl, types)
                case CoreImport():
                    imports.append(decl)
                case CoreExportDecl():
                    exports.append(decl)
                case CoreTypeAlias():
                    # Count 0 is the module type itself, 1 the scope it is written in.
                    source = types if decl.count == 0 else outward(scope, decl.count - 1).core_types
                    types.add(source.get(decl.index))
        return module_type(imports, exports, types.get)


def _add_group(rec: RecGroup, types: Space[CoreType]) -> None:
    for member in group_members(rec, len(types), types.get):
        types.add(member)
