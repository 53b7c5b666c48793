"""The outer boundary: imports of the root, and its exports.

An import of the root becomes an OuterImport and a value that stands for what will come from outside: imported
functions with their path, resource types without a definer. No engine gives a root a component or a value, nor takes
one from it: those are refused here. An input that is looked at alone (`surface`) may import components, though, since
another input may export them. Spec: Explainer.md "Import and Export Definitions".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, assert_never, final

from meldpy.errors import Location, UnsupportedError
from meldpy.model.component import Component, Import
from meldpy.model.extern import (
    ComponentType,
    CoreModuleType,
    ExternName,
    ExternType,
    FuncType,
    InstanceType,
    TypeExtern,
    ValueExtern,
)
from meldpy.model.linked import FuncItem, ImportFunc, InstanceItem, ModuleItem, OuterExport, OuterItem, TypeItem
from meldpy.model.valtype import ResourceType
from meldpy.resolver.builder import Builder
from meldpy.resolver.spaces import Place
from meldpy.resolver.types import TypeEvaluator
from meldpy.resolver.values import (
    ComponentScope,
    ComponentValue,
    FuncValue,
    InstanceValue,
    Item,
    ModuleValue,
    NamedItem,
    TypeValue,
    instance_value,
)

EXPORTED_COMPONENT: Final = "exported component"
"""The feature of a root that exports a component, which is refused when all else is evaluated."""


def import_at_root(import_: Import, scope: ComponentScope, types: TypeEvaluator) -> Item:
    """An import of the root component, which is one of the outer component. UnsupportedError for a component."""
    type_ = types.declared(import_.desc, scope, import_.name.name)
    return outer_import(import_.name, type_, scope.here, types.builder)


def outer_import(name: ExternName, type_: ExternType, location: Location, builder: Builder) -> Item:
    """Adds an import of the outer component and returns the value that stands for it; `type_` is this import's own."""
    refuse_imported(name.name, type_, location)
    number = builder.outer_import(name, type_, location)
    return imported_item(type_, number, (), builder)


def assumed_import(name: ExternName, type_: ExternType, location: Location, builder: Builder) -> Item:
    """The same where components may be imported, in an evaluation whose outcome is thrown away."""
    return imported_item(type_, builder.outer_import(name, type_, location), (), builder)


def refuse_imported(name: str, type_: ExternType, location: Location) -> None:
    """UnsupportedError if `type_` is or contains a component or a value."""
    match type_:
        case FuncType() | TypeExtern() | CoreModuleType():
            pass
        case InstanceType():
            for export in type_.exports:
                refuse_imported(f"{name}.{export.name.name}", export.type, location)
        case ComponentType():
            raise UnsupportedError(
                "imported component",
                f"`{name}` is a component that the root component imports",
                location,
                remedy="no engine gives a component to a root: give an input that exports it",
            )
        case ValueExtern():
            raise _imported_value(name, location)
        case _:
            assert_never(type_)


def _imported_value(name: str, location: Location) -> UnsupportedError:
    return UnsupportedError(
        "component-level values",
        f"`{name}` is a value that the root component imports",
        location,
        remedy="use a component that imports no values; toolchains do not emit them",
    )


def imported_item(type_: ExternType, number: int, path: tuple[str, ...], builder: Builder) -> Item:
    """What stands for an item of type `type_` at `path` inside import `number`."""
    builder.count()
    import_ = builder.imports[number]
    match type_:
        case FuncType():
            return FuncValue(ImportFunc(builder.import_func(number, path, type_)), type_)
        case TypeExtern():
            if isinstance(type_.type, ResourceType):
                builder.alias_resource(type_.type.id, ".".join((import_.name.name, *path)))
            return TypeValue(type_.type, type_.bound_resource)
        case CoreModuleType():
            return ModuleValue(builder.imported_module(type_, number, path, import_.location))
        case ComponentType():
            place = Place(import_.location.source, (*import_.location.path, *path))
            return ComponentValue(Component(()), None, place, (type_,), (number, path))
        case InstanceType():
            exports: dict[str, NamedItem] = {
                e.name.name: (e.name, imported_item(e.type, number, (*path, e.name.name), builder))
                for e in type_.exports
            }
            return instance_value(exports, (number, path), builder.caps.items)
        case ValueExtern():
            raise _imported_value(".".join((import_.name.name, *path)), import_.location)
        case _:
            assert_never(type_)


@final
class OuterExports:
    """Turns exported values into items of the outer boundary. An instance exported in two places is one item.

    It is written in both places, though, and instances of instances can double at every step: so each place counts as
    evaluated definitions.
    """

    def __init__(self, builder: Builder) -> None:
        self._builder = builder
        self._instances: dict[InstanceValue, tuple[InstanceItem, int]] = {}
        """With how many items are in it, at any depth."""

    def export(self, name: ExternName, item: Item, location: Location) -> OuterExport:
        """UnsupportedError if `item` is or contains a component."""
        return OuterExport(name, self._item(name.name, item, location), location)

    def all(self, exports: Mapping[str, NamedItem], locations: Mapping[str, Location]) -> list[OuterExport]:
        return [self.export(name, item, locations[name.name]) for name, item in exports.values()]

    def _item(self, name: str, item: Item, location: Location) -> OuterItem:
        match item:
            case FuncValue():
                return FuncItem(item.func, item.type)
            case TypeValue():
                return TypeItem(item.type, item.bound_resource)
            case InstanceValue():
                return self._instance(name, item, location)
            case ModuleValue():
                return ModuleItem(item.module, item.type or self._builder.module_type(item.module))
            case ComponentValue():
                reason = f"the root component exports the component `{name}`"
                remedy = "no engine takes a component from a root: leave the export out with --hide"
                raise UnsupportedError(EXPORTED_COMPONENT, reason, location, remedy=remedy)
            case _:
                assert_never(item)

    def _instance(self, name: str, instance: InstanceValue, location: Location) -> InstanceItem:
        found = self._instances.get(instance)
        if found is not None:
            self._builder.count(found[1])
            return found[0]
        before = self._builder.definitions
        self._builder.count(1 + len(instance.exports) + len(instance.hidden))
        exports = tuple(
            (inner, self._item(f"{name}.{inner.name}", item, location)) for inner, item in instance.exports.values()
        )
        hidden = tuple((inner, FuncItem(func.func, func.type)) for inner, func in instance.hidden)
        made = InstanceItem(exports, instance.imported, hidden)
        self._instances[instance] = made, self._builder.definitions - before
        return made
