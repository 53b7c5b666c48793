"""Types under substitution: what declared types mean once it is known what they stand for.

Two uses. `fresh` makes a new copy of an instance type for one import or export of it: its resource types are new, its
other types are new names. `bind` looks at a value through a declared type: declared types stand for the value's own,
exports that are not declared disappear, and functions keep the declared names of types.

Whether a value fits a declaration is not asked here beyond what binding needs: the engine validated each
input, and `subtype` checks what we link. Spec: Explainer.md "Type Checking".
"""

from __future__ import annotations

from collections.abc import Callable
from typing import final

from meldpy.errors import InternalError, LinkError, UnsupportedError
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
from meldpy.model.valtype import DefinedType, PrimValType, ResourceType, ValType
from meldpy.records import replace
from meldpy.resolver.nodes import Nodes, map_definition, mentions
from meldpy.resolver.values import (
    MAX_ITEMS,
    ComponentValue,
    FuncValue,
    InstanceValue,
    Item,
    ModuleValue,
    NamedItem,
    TypeValue,
    instance_value,
    kind_of,
)


@final
class Substitution:
    """A mapping of nodes, extended to everything that mentions them. Nodes it does not touch stay the same nodes."""

    def __init__(self, nodes: Nodes, count: Callable[[], None]) -> None:
        self.nodes = nodes
        self.count = count
        self.map: dict[TypeNode, TypeNode] = {}

    # --- applying -------------------------------------------------------------------------------------------
    def value(self, type_: ValType) -> ValType:
        return type_ if isinstance(type_, PrimValType) else self.defined(type_)

    def defined(self, node: DefinedType) -> DefinedType:
        """`node` under the substitution. Names of names are followed by a loop: they may be many."""
        names: list[DefinedType] = []
        found: TypeNode | None
        while (found := self.map.get(node)) is None and node.alias_of is not None:
            names.append(node)
            node = node.alias_of
        result = self._definition(node) if found is None else found
        if not isinstance(result, DefinedType):
            raise InternalError("a resource type stands where a value type is declared")
        for name in reversed(names):
            result = name if result is name.alias_of else self.nodes.defined(result.definition, result)
            self.map[name] = result
        return result

    def _definition(self, node: DefinedType) -> DefinedType:
        self.count()
        definition = map_definition(node.definition, self.value, self.resource)
        same = all(new is old for new, old in zip(mentions(definition), mentions(node.definition), strict=True))
        result = node if same else self.nodes.defined(definition)
        self.map[node] = result
        return result

    def resource(self, node: ResourceType) -> ResourceType:
        names: list[ResourceType] = []
        found: TypeNode | None
        while (found := self.map.get(node)) is None and node.alias_of is not None:
            names.append(node)
            node = node.alias_of
        result = node if found is None else found
        if not isinstance(result, ResourceType):
            raise InternalError("a value type stands where a resource type is declared")
        for name in reversed(names):
            result = name if result is name.alias_of else ResourceType(result.id, result)
            self.map[name] = result
        return result

    def func(self, type_: FuncType) -> FuncType:
        found = self.map.get(type_)
        if isinstance(found, FuncType):
            return found
        self.count()
        params = tuple((label, self.value(t)) for label, t in type_.params)
        result = None if type_.result is None else self.value(type_.result)
        same = result is type_.result and all(a is b for (_, a), (_, b) in zip(params, type_.params, strict=True))
        mapped = type_ if same else self.nodes.func(FuncType(params, result, type_.async_))
        self.map[type_] = mapped
        return mapped

    def node(self, node: TypeNode) -> TypeNode:
        match node:
            case PrimValType():
                return node
            case DefinedType():
                return self.defined(node)
            case ResourceType():
                return self.resource(node)
            case FuncType():
                return self.func(node)
            case InstanceType():
                return self.instance(node)
            case ComponentType():
                return self.component(node)
            case CoreModuleType():
                return node

    def instance(self, type_: InstanceType) -> InstanceType:
        found = self.map.get(type_)
        if isinstance(found, InstanceType):
            return found
        exports = self._externs(type_.exports)
        mapped = type_ if _same(exports, type_.exports) else self.nodes.instance(exports)
        self.map[type_] = mapped
        return mapped

    def component(self, type_: ComponentType) -> ComponentType:
        found = self.map.get(type_)
        if isinstance(found, ComponentType):
            return found
        imports, exports = self._externs(type_.imports), self._externs(type_.exports)
        same = _same(imports, type_.imports) and _same(exports, type_.exports)
        mapped = type_ if same else self.nodes.component(imports, exports, type_.interleaved)
        self.map[type_] = mapped
        return mapped

    def _externs(self, externs: tuple[NamedExtern, ...]) -> tuple[NamedExtern, ...]:
        return tuple(self._named(e) for e in externs)

    def _named(self, extern: NamedExtern) -> NamedExtern:
        self.count()
        type_ = self.extern(extern.type)
        return extern if type_ is extern.type else NamedExtern(extern.name, type_)

    def extern(self, type_: ExternType) -> ExternType:
        match type_:
            case TypeExtern():
                node = self.node(type_.type)
                return type_ if node is type_.type else TypeExtern(node, type_.bound_resource)
            case ValueExtern():
                value = self.value(type_.type)
                return type_ if value is type_.type else ValueExtern(value)
            case FuncType():
                return self.func(type_)
            case InstanceType():
                return self.instance(type_)
            case ComponentType():
                return self.component(type_)
            case CoreModuleType():
                return type_

    # --- fresh copies ---------------------------------------------------------------------------------------
    def fresh(self, type_: InstanceType, mint: Callable[[str], ResourceId]) -> InstanceType:
        """A copy of `type_` whose types are new: resources by `mint` (given the export's name), others new names."""
        return self.nodes.instance(tuple(self._fresh_named(e, mint) for e in type_.exports))

    def _fresh_named(self, extern: NamedExtern, mint: Callable[[str], ResourceId]) -> NamedExtern:
        self.count()
        match extern.type:
            case TypeExtern():
                node = self._fresh_type(extern.type, extern.name.name, mint)
                return NamedExtern(extern.name, TypeExtern(node, extern.type.bound_resource))
            case InstanceType():
                return NamedExtern(extern.name, self.fresh(extern.type, mint))
            case _:
                return NamedExtern(extern.name, self.extern(extern.type))

    def _fresh_type(self, extern: TypeExtern, name: str, mint: Callable[[str], ResourceId]) -> TypeNode:
        old = extern.type
        match old:
            case ResourceType() if extern.bound_resource:
                new: TypeNode = ResourceType(mint(name))
            case ResourceType() | DefinedType() if old.alias_of is not None:
                new = self.nodes.alias(self.node(old.alias_of))
            case _:
                new = self.node(old)
        self.map[old] = new
        return new

    # --- binding --------------------------------------------------------------------------------------------
    def bind(self, declared: ExternType, actual: Item, what: str) -> Item:
        """`actual` as seen through `declared`, whose types stand for its types from now on.

        `what` names the item in messages. LinkError if the kinds disagree or a declared export is missing.
        """
        self.count()
        match declared, actual:
            case FuncType(), FuncValue():
                return FuncValue(actual.func, self.func(declared))
            case TypeExtern(), TypeValue():
                self._bind_type(declared.type, actual.type, what)
                return TypeValue(actual.type, declared.bound_resource)
            case InstanceType(), InstanceValue():
                return self._bind_instance(declared, actual, what)
            case ComponentType(), ComponentValue():
                return replace(actual, views=(*actual.views, self.component(declared)))
            case CoreModuleType(), ModuleValue():
                return ModuleValue(actual.module, declared)
            case ValueExtern(), _:
                raise UnsupportedError(
                    "component-level values",
                    f"{what} is a value",
                    remedy="make it without component-level values: no engine runs them yet",
                )
            case _:
                raise LinkError(f"{what} is a {kind_of(actual)}, which is not what the importer declares")

    def _bind_type(self, declared: TypeNode, actual: TypeNode, what: str) -> None:
        if type(declared) is not type(actual):
            raise LinkError(f"{what} is another kind of type than the importer declares")
        self.map[declared] = actual

    def _bind_instance(self, declared: InstanceType, actual: InstanceValue, what: str) -> InstanceValue:
        exports: dict[str, NamedItem] = {}
        for export in declared.exports:
            name = export.name.name
            found = actual.exports.get(name)
            if found is None:
                raise LinkError(f"{what} does not export `{name}`, which the importer declares")
            exports[name] = (found[0], self.bind(export.type, found[1], f"`{name}` of {what}"))
        whole = len(exports) == len(actual.exports) and all(
            not isinstance(seen := item, InstanceValue) or seen.imported is not None for _, item in exports.values()
        )
        return instance_value(exports, actual.imported if whole else None, max(MAX_ITEMS, actual.items))


def _same(new: tuple[NamedExtern, ...], old: tuple[NamedExtern, ...]) -> bool:
    return all(a is b for a, b in zip(new, old, strict=True))
