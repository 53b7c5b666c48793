"""Types as text for messages, in the manner of WIT. For people to compare, not for tools to parse."""

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
from meldpy.model.valtype import (
    BorrowType,
    DefinedType,
    EnumType,
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
    VariantType,
)
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
        params = ", ".join(f"{label}: {self.value(t)}" for label, t in type_.params)
        result = "" if type_.result is None else f" -> {self.value(type_.result)}"
        return f"{'async ' if type_.async_ else ''}func({params}){result}"

    def value(self, type_: ValType) -> str:
        text = self._value(type_, MAX_NESTING)
        return text if len(text) <= MAX_WIDTH else text[:MAX_WIDTH] + "…"

    def _value(self, type_: ValType, nesting: int) -> str:
        if isinstance(type_, PrimValType):
            return type_.name.lower().replace("_", "-")
        if nesting == 0:
            return "…"
        inner = nesting - 1
        match type_.definition:
            case PrimValType() as prim:
                return self._value(prim, inner)
            case RecordType(fields):
                return self._braces("record", [f"{f.label}: {self._value(f.type, inner)}" for f in fields])
            case VariantType(cases):
                labels = [c.label + self._payload(c.type, inner) for c in cases]
                return self._braces("variant", labels)
            case FlagsType(labels):
                return self._braces("flags", list(labels))
            case EnumType(labels):
                return self._braces("enum", list(labels))
            case TupleType(types):
                return f"tuple<{', '.join(self._value(t, inner) for t in types)}>"
            case ListType(element, length):
                return f"list<{self._value(element, inner)}{'' if length is None else f', {length}'}>"
            case OptionType(some):
                return f"option<{self._value(some, inner)}>"
            case ResultType(ok, error):
                return self._result(ok, error, inner)
            case MapType(key, value):
                return f"map<{self._value(key, inner)}, {self._value(value, inner)}>"
            case OwnType(resource):
                return self.resource_name(resource.id)
            case BorrowType(resource):
                return f"borrow<{self.resource_name(resource.id)}>"
            case StreamType(optional):
                return "stream" if optional is None else f"stream<{self._value(optional, inner)}>"
            case FutureType(optional):
                return "future" if optional is None else f"future<{self._value(optional, inner)}>"
            case _:
                assert_never(type_.definition)

    def _braces(self, word: str, parts: list[str]) -> str:
        return f"{word} {{ {', '.join(parts)} }}"

    def _payload(self, type_: ValType | None, nesting: int) -> str:
        return "" if type_ is None else f"({self._value(type_, nesting)})"

    def _result(self, ok: ValType | None, error: ValType | None, nesting: int) -> str:
        if ok is None and error is None:
            return "result"
        first = "_" if ok is None else self._value(ok, nesting)
        return f"result<{first}>" if error is None else f"result<{first}, {self._value(error, nesting)}>"
