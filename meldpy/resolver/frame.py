"""One component instance under evaluation: its definitions, in order, fill its index spaces.

Types, core instances and canonical definitions are evaluated by the modules named after them; here are the others,
and the hand-over to the evaluator where a definition instantiates another component.
Spec: Binary.md "Component Definitions" to "Import and Export Definitions".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Protocol, TypeAlias, assert_never, final

from meldpy.errors import DecodeError, Location, MeldError, UnsupportedError
from meldpy.model.component import (
    Alias,
    AliasSection,
    CanonSection,
    ComponentSection,
    CoreExportAlias,
    CoreInstanceSection,
    CoreModuleSection,
    CoreTypeSection,
    CustomSection,
    Export,
    ExportAlias,
    ExportSection,
    Import,
    ImportSection,
    InlineExports,
    InstanceSection,
    Instantiate,
    OuterAlias,
    ResourceTypeDef,
    Section,
    Sort,
    SortIndex,
    StartSection,
    TypeDef,
    TypeSection,
    ValueSection,
)
from meldpy.model.extern import TypeNode
from meldpy.model.ids import InstanceId
from meldpy.model.valtype import ResourceType
from meldpy.resolver.ascription import ascribed
from meldpy.resolver.builder import Builder
from meldpy.resolver.canon import evaluate_canon
from meldpy.resolver.core import alias_core_export, evaluate_core_instance
from meldpy.resolver.definitions import definitions, offset_of
from meldpy.resolver.scope import outward
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
    kind_of,
)

Importer: TypeAlias = "Callable[[Import, ComponentScope], Item]"
"""Binds one import of a component instance, evaluated in its scope."""


class Instantiator(Protocol):
    """What a frame asks where a definition instantiates another component: the evaluator."""

    types: TypeEvaluator
    builder: Builder

    def instantiate(self, component: ComponentValue, caller: ComponentScope, args: Mapping[str, Item]) -> Frame:
        """The frame of a new instance of `component`, a child of the caller's."""
        ...


@final
class Frame:
    """One component instance under evaluation. After the last definition, `exports` are its exports, in order."""

    def __init__(
        self,
        evaluator: Instantiator,
        component: ComponentValue,
        instance: InstanceId,
        importer: Importer,
        finish: Callable[[InstanceValue], InstanceValue] | None = None,
    ) -> None:
        self.evaluator = evaluator
        self.types = evaluator.types
        self.builder = evaluator.builder
        self.scope = ComponentScope(instance, component.scope, component.place)
        self.importer = importer
        self.finish = finish
        self.exports: dict[str, NamedItem] = {}
        self.locations: dict[str, Location] = {}
        self._work: Iterator[tuple[Section, int]] = definitions(component.definition)

    # --- driving --------------------------------------------------------------------------------------------
    def advance(self) -> Frame | None:
        """Evaluates up to the next instantiation, whose frame it returns; None once all definitions are evaluated."""
        for section, position in self._work:
            self.scope.offset = offset_of(section, position)
            self.types.where = self.scope.here
            try:
                if (callee := self._evaluate(section, position)) is not None:
                    return callee
            except MeldError as error:
                raise error.at(self.scope.here) from None
        return None

    def complete(self, exports: Mapping[str, NamedItem]) -> InstanceValue:
        instance = instance_value(exports, most=self.builder.caps.items)
        return instance if self.finish is None else self.finish(instance)

    def _evaluate(self, section: Section, position: int) -> Frame | None:
        """Evaluates one definition: adds to the index spaces, or starts a frame."""
        scope = self.scope
        match section:
            case CoreModuleSection():
                self._core_module(section)
            case ComponentSection():
                step = f"component {len(scope.components)}"
                scope.components.add(ComponentValue(section.component, scope, scope.place.inside(step)))
            case CoreInstanceSection():
                evaluate_core_instance(section.items[position], scope, self.builder)
            case CoreTypeSection():
                self.types.add_core_types(section.items[position], scope)
            case InstanceSection():
                return self._instance(section.items[position])
            case AliasSection():
                self._alias(section.items[position])
            case TypeSection():
                scope.types.add(self._type(section.items[position]))
            case CanonSection():
                evaluate_canon(section.items[position], scope, self.types)
            case ImportSection():
                self.builder.count()
                import_ = section.items[position]
                scope.add_called(self.importer(import_, scope), (import_.name.name,))
            case ExportSection():
                self._export(section.items[position])
            case StartSection():
                raise UnsupportedError("component start", "the component has a start function", remedy=_VALUES_REMEDY)
            case ValueSection():
                raise UnsupportedError("component-level values", "the component defines a value", remedy=_VALUES_REMEDY)
            case CustomSection():
                pass
            case _:
                assert_never(section)
        return None

    # --- definitions ----------------------------------------------------------------------------------------
    def _core_module(self, section: CoreModuleSection) -> None:
        self.builder.count()
        scope = self.scope
        inner = scope.place.inside(f"core module {len(scope.core_modules)}")
        # A module is named by its whole path: "core module 0" alone says little in a composition.
        module = self.builder.module(section.module, " ".join(inner.path), inner.at(section.offset))
        scope.core_modules.add(ModuleValue(module))

    def _type(self, definition: TypeDef) -> TypeNode:
        if not isinstance(definition, ResourceTypeDef):
            return self.types.define(definition, self.scope)
        self.builder.count()
        dtor = None if definition.dtor is None else self.scope.core_funcs.get(definition.dtor)
        return ResourceType(self.builder.resource(self.scope.instance, dtor, None, self.scope.here, definition.rep))

    def _alias(self, alias: Alias) -> None:
        self.builder.count()
        match alias:
            case CoreExportAlias():
                self.scope.add_core(alias_core_export(alias, self.scope))
            case ExportAlias():
                owner = self.scope.instance_paths.get(alias.instance, ())
                self.scope.add_called(self._exported(alias), (*owner, alias.name))
            case OuterAlias():
                self._outer_alias(alias)
            case _:
                assert_never(alias)

    def _exported(self, alias: ExportAlias) -> Item:
        found = self.scope.instances.get(alias.instance).exports.get(alias.name)
        if found is None:
            raise DecodeError(f"instance {alias.instance} exports no `{alias.name}`")
        item = found[1]
        if not _has_sort(item, alias.sort):
            raise DecodeError(
                f"instance {alias.instance} exports `{alias.name}` as {kind_of(item)}, not as {_words(alias.sort)}"
            )
        return item

    def _outer_alias(self, alias: OuterAlias) -> None:
        target = outward(self.scope, alias.count)
        match alias.sort:
            case Sort.TYPE:
                self.scope.types.add(target.types.get(alias.index))
            case Sort.CORE_TYPE:
                self.scope.core_types.add(target.core_types.get(alias.index))
            case Sort.COMPONENT if isinstance(target, ComponentScope):
                self.scope.components.add(target.components.get(alias.index))
            case Sort.CORE_MODULE if isinstance(target, ComponentScope):
                self.scope.core_modules.add(target.core_modules.get(alias.index))
            case _:
                raise DecodeError(f"an outer alias cannot name a {_words(alias.sort)}")

    def item(self, index: SortIndex) -> Item:
        """The item at an index of a component-level sort."""
        scope = self.scope
        match index.sort:
            case Sort.FUNC:
                return scope.funcs.get(index.index)
            case Sort.TYPE:
                return TypeValue(scope.types.get(index.index))
            case Sort.COMPONENT:
                return scope.components.get(index.index)
            case Sort.INSTANCE:
                return scope.instances.get(index.index)
            case Sort.CORE_MODULE:
                return scope.core_modules.get(index.index)
            case Sort.VALUE:
                raise UnsupportedError("component-level values", "a value is passed or exported", remedy=_VALUES_REMEDY)
            case _:
                raise DecodeError(f"a {_words(index.sort)} cannot be passed or exported by a component")

    # --- instances ------------------------------------------------------------------------------------------
    def _instance(self, definition: Instantiate | InlineExports) -> Frame | None:
        self.builder.count()
        match definition:
            case InlineExports():
                self.scope.instances.add(self._inline(definition))
                return None
            case Instantiate():
                args: dict[str, Item] = {}
                for name, index in definition.args:
                    if name in args:
                        raise DecodeError(f"argument `{name}` is given twice")
                    args[name] = self.item(index)
                return self.evaluator.instantiate(self.scope.components.get(definition.component), self.scope, args)
            case _:
                assert_never(definition)

    def _inline(self, definition: InlineExports) -> InstanceValue:
        exports: dict[str, NamedItem] = {}
        for name, index in definition.exports:
            if name.name in exports:
                raise DecodeError(f"an instance exports `{name.name}` twice")
            exports[name.name] = (name, self.item(index))
        return instance_value(exports, most=self.builder.caps.items)

    # --- exports --------------------------------------------------------------------------------------------
    def _export(self, export: Export) -> None:
        self.builder.count()
        name = export.name.name
        if name in self.exports:
            raise DecodeError(f"the component exports `{name}` twice")
        item = ascribed(export, self.item(export.item), self.scope, self.types)
        self.exports[name] = (export.name, item)
        self.locations[name] = self.scope.here
        # An export has an index of its own, which later definitions use.
        self.scope.add(item)
        self._name_resources(item, name)

    def _name_resources(self, item: Item, name: str) -> None:
        match item:
            case TypeValue(type=ResourceType() as resource):
                self.builder.name_resource(resource.id, name)
                self.builder.alias_resource(resource.id, name)
            case InstanceValue(exports=exports):
                for inner, (_, value) in exports.items():
                    if isinstance(value, TypeValue) and isinstance(value.type, ResourceType):
                        self.builder.alias_resource(value.type.id, f"{name}.{inner}")


def _has_sort(item: Item, sort: Sort) -> bool:
    match item:
        case FuncValue():
            return sort is Sort.FUNC
        case TypeValue():
            return sort is Sort.TYPE
        case ComponentValue():
            return sort is Sort.COMPONENT
        case InstanceValue():
            return sort is Sort.INSTANCE
        case ModuleValue():
            return sort is Sort.CORE_MODULE


def _words(sort: Sort) -> str:
    return sort.name.lower().replace("_", " ")


_VALUES_REMEDY = "use a component without values and start functions; toolchains do not emit them"
