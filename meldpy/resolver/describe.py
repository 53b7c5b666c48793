"""Types as text for messages, in the manner of WIT. For people to compare, not for tools to parse.

Value types and functions are `meldpy.wit`'s to spell, which is loaded when a message needs it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import assert_never, final

from meldpy.model.extern import (
    ComponentType,
    CoreModuleType,
    ExternType,
    FuncType,
    InstanceType,
    TypeExtern,
    TypeNode,
    ValueExtern,
)
from meldpy.model.ids import ResourceId
from meldpy.model.valtype import DefinedType, PrimValType, ResourceType, ValType
from meldpy.resolver.values import ComponentValue, FuncValue, InstanceValue, Item, ModuleValue, TypeValue

MAX_WIDTH = 400
"""Characters of one rendered type; the rest is left out."""
MAX_NESTING = 6
"""How deep anonymous types are spelled out."""


@final
class Describer:
    """Renders types. `resource_name` gives a resource type's name, `resource_origin` says which definition it is."""

    def __init__(
        self, resource_name: Callable[[ResourceId], str], resource_origin: Callable[[ResourceId], str]
    ) -> None:
        self.resource_name = resource_name
        self.resource_origin = resource_origin

    def extern(self, type_: ExternType) -> str:
        match type_:
            case FuncType():
                return self.func(type_)
            case TypeExtern():
                return "resource" if type_.bound_resource else f"type {self.node(type_.type)}"
            case InstanceType():
                return "instance { " + ", ".join(e.name.name for e in type_.exports) + " }"
            case ComponentType():
                return "component"
            case CoreModuleType():
                return "core module"
            case ValueExtern():
                return f"value {self.value(type_.type)}"
            case _:
                assert_never(type_)

    def item(self, item: Item) -> str:
        match item:
            case FuncValue():
                return self.func(item.type)
            case TypeValue():
                return self.extern(TypeExtern(item.type, isinstance(item.type, ResourceType)))
            case InstanceValue():
                return "instance { " + ", ".join(item.exports) + " }"
            case ComponentValue():
                return "component"
            case ModuleValue():
                return "core module"
            case _:
                assert_never(item)

    def node(self, node: TypeNode) -> str:
        match node:
            case PrimValType() | DefinedType():
                return self.value(node)
            case ResourceType():
                return f"resource {self.resource_name(node.id)}"
            case _:
                return self.extern(node)

    def func(self, type_: FuncType) -> str:
        from meldpy.wit import function

        return function(self, type_, nesting=MAX_NESTING, width=MAX_WIDTH)

    def value(self, type_: ValType) -> str:
        from meldpy.wit import value

        return value(self, type_, MAX_NESTING, MAX_WIDTH)

    # --- what types are called (wit.values.Called) ---------------------------------------------------------------
    def find(self, _: DefinedType | ResourceType) -> None:
        """Value types are spelled out: they are what they consist of, whatever either side calls them."""

    def resource(self, node: ResourceType) -> str:
        return self.resource_name(node.id)
