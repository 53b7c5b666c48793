"""The type that an export is given, and what of the exported item can be seen through it.

Spec: Explainer.md "Import and Export Definitions": an ascribed type must be a supertype of the item's, which hides the
exports that it does not declare; an exported type is a new name in any case.
"""

from __future__ import annotations

from meldpy.errors import DecodeError
from meldpy.model.component import Export
from meldpy.model.extern import ExternName, TypeExtern
from meldpy.model.valtype import ResourceType
from meldpy.records import replace
from meldpy.resolver.types import TypeEvaluator
from meldpy.resolver.values import ComponentScope, FuncValue, InstanceValue, Item, TypeValue


def ascribed(export: Export, item: Item, scope: ComponentScope, types: TypeEvaluator) -> Item:
    """The exported item under the type it is exported with; a type gets a new name in any case."""
    if isinstance(item, TypeValue):
        return _exported_type(export, item, scope, types)
    if export.desc is None:
        return item
    declared = types.extern(export.desc, scope, export.name.name)
    bound = types.substitution().bind(declared, item, f"export `{export.name.name}`")
    if isinstance(bound, InstanceValue) and isinstance(item, InstanceValue):
        hidden = tuple(
            (name, inner)
            for key, (name, inner) in item.exports.items()
            if key not in bound.exports and isinstance(inner, FuncValue)
        )
        return replace(bound, hidden=hidden)
    return bound


def _exported_type(export: Export, item: TypeValue, scope: ComponentScope, types: TypeEvaluator) -> TypeValue:
    if export.desc is None:
        return TypeValue(types.nodes.alias(item.type))
    declared = types.extern(export.desc, scope, export.name.name)
    if not isinstance(declared, TypeExtern):
        raise DecodeError(f"export `{export.name.name}` is a type but ascribed another sort")
    if not declared.bound_resource:
        return _declared_type(declared, item, export.name)
    if not isinstance(item.type, ResourceType):
        raise DecodeError(f"export `{export.name.name}` is ascribed `(sub resource)` but is no resource type")
    return TypeValue(types.nodes.alias(item.type), bound_resource=True)


def _declared_type(declared: TypeExtern, item: TypeValue, name: ExternName) -> TypeValue:
    """The type of an export ascribed `(type (eq T))`: T's new name."""
    if type(declared.type) is not type(item.type):
        raise DecodeError(f"export `{name.name}` is ascribed another kind of type than it has")
    return TypeValue(declared.type)
