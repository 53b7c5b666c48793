"""The world of a linked graph as a type, in the form that the ecosystem puts into core modules.

A guest that a bindings generator made carries its world in a custom section named `component-type…`: a component that
holds nothing but types. The world is a component type; it lies, under a name of its own, inside another component type,
which is exported. A custom section beside it says how the module's strings are encoded.

    (component
      (type (component
        (type (component (import …) … (export …) …))
        (export "root:component/root" (component (type 0)))))
      (export "root" (type 0))
      (@custom "wit-component-encoding" "\\04\\00"))

Every export declares its type anew, and a resource type that it brings along is a new one, whoever defines it: in a
world there are no definitions.
"""

from __future__ import annotations

from typing import Final, final

from meldpy.model.canon import StringEncoding
from meldpy.model.component import (
    Component,
    ComponentDesc,
    ComponentTypeDef,
    CustomSection,
    ExportDecl,
    Sort,
    SortIndex,
    TypeDecl,
)
from meldpy.model.core import RawCustom
from meldpy.model.extern import CoreModuleType, ExternName, FuncType, InstanceType, NamedExtern, TypeExtern
from meldpy.model.ids import ResourceId, TypeIndex
from meldpy.model.linked import FuncItem, InstanceItem, LinkedGraph, ModuleItem, OuterItem, TypeItem
from meldpy.model.valtype import ResourceType
from meldpy.wrapper.builder import ComponentBuilder, DeclBuilder
from meldpy.wrapper.scope import Scope
from meldpy.wrapper.types import extern_desc, introduce

WORLD: Final = "root:component/root"
"""What the tools call a world that nobody named."""
_ENCODING: Final = "wit-component-encoding"
_FORMAT: Final = 0x04
_ENCODINGS: Final = {StringEncoding.UTF8: 0, StringEncoding.UTF16: 1, StringEncoding.LATIN1_UTF16: 2}


def world_type(graph: LinkedGraph, encoding: StringEncoding) -> Component:
    """The component with the world of `graph`; raises InternalError as `wrap` does."""
    declared = (TypeDecl(_world(graph)), ExportDecl(ExternName(WORLD), ComponentDesc(TypeIndex(0))))
    builder = ComponentBuilder()
    package = builder.define_type(ComponentTypeDef(declared))
    builder.export(ExternName("root"), SortIndex(Sort.TYPE, package))
    typed = builder.finish()
    custom = CustomSection(RawCustom(_ENCODING, bytes((_FORMAT, _ENCODINGS[encoding]))))
    return Component((*typed.sections, custom))


def _world(graph: LinkedGraph) -> ComponentTypeDef:
    decls = DeclBuilder()
    scope = Scope(decls)
    seen = _Resources(set())
    for import_ in graph.imports:
        introduce(scope, import_.type, decls.import_(import_.name, extern_desc(scope, import_.type)))
        seen.note(import_.type)
    for export in graph.exports:
        type_ = seen.declared(export.item)
        introduce(scope, type_, decls.export(export.name, extern_desc(scope, type_)))
    return ComponentTypeDef(tuple(decls.decls))


@final
class _Resources:
    """The resource types that imports and exports have brought so far: the first to name one declares it."""

    def __init__(self, named: set[ResourceId]) -> None:
        self._named = named

    def note(self, type_: object) -> None:
        match type_:
            case InstanceType(exports=exports):
                for export in exports:
                    self.note(export.type)
            case TypeExtern(type=ResourceType(id=id_)):
                self._named.add(id_)
            case _:
                pass

    def declared(self, item: OuterItem) -> CoreModuleType | FuncType | InstanceType | TypeExtern:
        """What an export of `item` declares."""
        match item:
            case FuncItem(type=type_):
                return type_
            case TypeItem(type=node):
                new = isinstance(node, ResourceType) and node.id not in self._named
                if isinstance(node, ResourceType):
                    self._named.add(node.id)
                return TypeExtern(node, bound_resource=new)
            case InstanceItem(exports=exports):
                return InstanceType(tuple(NamedExtern(name, self.declared(inner)) for name, inner in exports))
            case ModuleItem(type=module_type):
                return module_type
