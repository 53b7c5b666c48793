"""Core instances: modules instantiated, their imports bound by identity, and items looked up in them.

An export of an instantiated module that is one of its imports is whatever that import is bound to, so an identity
always names the definer. Whether core types agree is the engine's validation.
Spec: Explainer.md "Instance Definitions".
"""

from __future__ import annotations

from typing import assert_never

from meldpy.errors import DecodeError, LinkError
from meldpy.model.component import CoreExportAlias, CoreInlineExports, CoreInstanceDef, CoreInstantiate, Sort, SortIndex
from meldpy.model.core import CoreModule
from meldpy.model.coresorts import CORE_SORTS, component_sort
from meldpy.model.linked import CoreItem
from meldpy.resolver.builder import Builder
from meldpy.resolver.coretypes import sort_of
from meldpy.resolver.corevalues import CoreInlineInstance, CoreInstanceValue
from meldpy.resolver.values import ComponentScope

_REMEDY = "the component is invalid: `meld validate` says where; mend what made it"


def evaluate_core_instance(definition: CoreInstanceDef, scope: ComponentScope, builder: Builder) -> None:
    """Adds the core instance that `definition` makes."""
    builder.count()
    match definition:
        case CoreInstantiate():
            scope.core_instances.add(_instantiate(definition, scope, builder))
        case CoreInlineExports():
            scope.core_instances.add(_inline(definition, scope))
        case _:
            assert_never(definition)


def alias_core_export(alias: CoreExportAlias, scope: ComponentScope) -> CoreItem:
    """The item behind a core export alias. DecodeError if there is none of that sort and name."""
    item = scope.core_instances.get(alias.instance).export(alias.name)
    if item is None:
        raise DecodeError(f"core instance {alias.instance} exports no `{alias.name}`")
    if component_sort(item) is not alias.sort:
        raise DecodeError(
            f"core instance {alias.instance} exports `{alias.name}` as {_words(component_sort(item))},"
            f" not as {_words(alias.sort)}"
        )
    return item


def _instantiate(definition: CoreInstantiate, scope: ComponentScope, builder: Builder) -> CoreInstanceValue:
    module = scope.core_modules.get(definition.module).module
    args: dict[str, CoreInstanceValue] = {}
    for name, index in definition.args:
        if name in args:
            raise DecodeError(f"argument `{name}` is given twice")
        args[name] = scope.core_instances.get(index)
    return builder.core_instance(scope.instance, module, lambda m: _bind(m, args))


def _bind(module: CoreModule, args: dict[str, CoreInstanceValue]) -> tuple[CoreItem, ...]:
    """What each import of `module` is bound to, in order."""
    bound: list[CoreItem] = []
    for import_ in module.imports:
        instance = args.get(import_.module)
        item = None if instance is None else instance.export(import_.name)
        if item is None:
            raise LinkError(
                f"a core module imports `{import_.module}` `{import_.name}`, which no argument provides", remedy=_REMEDY
            )
        wanted = CORE_SORTS[sort_of(import_.type)]
        if component_sort(item) is not wanted:
            raise LinkError(
                f"a core module imports `{import_.module}` `{import_.name}` as {_words(wanted)},"
                f" but it is a {_words(component_sort(item))}",
                remedy=_REMEDY,
            )
        bound.append(item)
    return tuple(bound)


def _inline(definition: CoreInlineExports, scope: ComponentScope) -> CoreInlineInstance:
    items: dict[str, CoreItem] = {}
    for name, item in definition.exports:
        if name in items:
            raise DecodeError(f"a core instance exports `{name}` twice")
        items[name] = core_item(item, scope)
    return CoreInlineInstance(items)


def core_item(item: SortIndex, scope: ComponentScope) -> CoreItem:
    """The item at an index of a core sort."""
    match item.sort:
        case Sort.CORE_FUNC:
            return scope.core_funcs.get(item.index)
        case Sort.CORE_TABLE:
            return scope.core_tables.get(item.index)
        case Sort.CORE_MEMORY:
            return scope.core_memories.get(item.index)
        case Sort.CORE_GLOBAL:
            return scope.core_globals.get(item.index)
        case Sort.CORE_TAG:
            return scope.core_tags.get(item.index)
        case _:
            raise DecodeError(f"a core instance cannot export a {_words(item.sort)}")


def _words(sort: Sort) -> str:
    return sort.name.lower().replace("_", " ")
