"""A core output's edge as JSON, for hosts without a bindings generator. docs/core.md describes the format.

Types are listed once, in `types`; elsewhere a number means one of them, a string a primitive type.
"""

from __future__ import annotations

from typing import Any, assert_never

from meldpy.cabi import Abi
from meldpy.core.surface import Function, Surface
from meldpy.model.canon import ENCODING_WORDS
from meldpy.model.core import CoreFuncType, CoreSort, NumType
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
from meldpy.wit import primitive

SCHEMA = 1


def manifest(surface: Surface) -> dict[str, Any]:
    """The description, ready for `json.dumps`."""
    abi, types = Abi(), _Types(surface)
    found = {export.name: export.sort for export in surface.module.exports}
    imports = [{"module": f.module, "name": f.field, **_function(f, abi, types)} for f in surface.imports]
    exports = [
        {"name": f.field, "postReturn": post if (post := f"cabi_post_{f.field}") in found else None}
        | {"callback": f.callback}
        | _function(f, abi, types)
        for f in surface.exports
    ]
    resources = []
    for resource in surface.resources.values():
        dtor = f"{resource.interface}#[dtor]{resource.name}"
        resources.append(
            {
                "interface": resource.interface,
                "name": resource.name,
                "definedBy": "host" if resource.imported else "guest",
                "builtins": resource.builtins,
                "dtor": dtor if dtor in found else None,
            }
        )
    return {
        "schema": SCHEMA,
        "stringEncoding": ENCODING_WORDS[surface.encoding],
        "memory": next((name for name, sort in found.items() if sort is CoreSort.MEMORY), None),
        "realloc": "cabi_realloc" if "cabi_realloc" in found else None,
        "initialize": "_initialize" if "_initialize" in found else None,
        "imports": imports,
        "exports": exports,
        "resources": resources,
        "asyncBuiltins": _async_builtins(surface),
        "types": types.listed,
    }


def _function(function: Function, abi: Abi, types: _Types) -> dict[str, Any]:
    type_ = function.type
    return {
        "interface": function.interface,
        "function": function.name,
        "async": type_.async_,
        "params": [{"name": label, "type": types.reference(param)} for label, param in type_.params],
        "result": None if type_.result is None else types.reference(type_.result),
        "core": _core(abi.func(type_, function.context, False).core),
    }


def _async_builtins(surface: Surface) -> list[dict[str, str]]:
    """The imports that are neither functions of the world nor built-ins of resource types."""
    known = {(each.module, each.field) for each in surface.imports}
    for resource in surface.resources.values():
        known |= {(resource.builtins, f"[resource-{op}]{resource.name}") for op in ("new", "rep", "drop")}
    imports = [(each.module, each.name) for each in surface.module.imports]
    return [{"module": module, "name": name} for module, name in imports if (module, name) not in known]


def _core(type_: CoreFuncType) -> dict[str, list[str]]:
    params, results = (
        [each.name.lower() for each in types if isinstance(each, NumType)] for types in (type_.params, type_.results)
    )
    return {"params": params, "results": results}


class _Types:
    """The types of a world, each listed when it is first mentioned, after those that it mentions."""

    def __init__(self, surface: Surface) -> None:
        self.listed: list[dict[str, Any]] = []
        self._numbers: dict[DefinedType, int] = {}
        self._resources = {id_: position for position, id_ in enumerate(surface.resources)}

    def reference(self, type_: ValType) -> str | int:
        if isinstance(type_, PrimValType):
            return primitive(type_)
        if type_ not in self._numbers:
            described = self._describe(type_)
            self._numbers[type_] = len(self.listed)
            self.listed.append(described)
        return self._numbers[type_]

    def _optional(self, type_: ValType | None) -> str | int | None:
        return None if type_ is None else self.reference(type_)

    def _resource(self, node: ResourceType) -> int:
        return self._resources[node.id]

    def _describe(self, type_: DefinedType) -> dict[str, Any]:
        match type_.definition:
            case PrimValType() as primitive:
                return {"kind": "alias", "of": self.reference(primitive)}
            case RecordType(fields):
                return {"kind": "record", "fields": [{"name": f.label, "type": self.reference(f.type)} for f in fields]}
            case VariantType(cases):
                listed = [{"name": c.label, "type": self._optional(c.type)} for c in cases]
                return {"kind": "variant", "cases": listed}
            case ListType(element, length):
                return {"kind": "list", "element": self.reference(element), "length": length}
            case TupleType(types):
                return {"kind": "tuple", "types": [self.reference(each) for each in types]}
            case FlagsType(labels):
                return {"kind": "flags", "labels": list(labels)}
            case EnumType(labels):
                return {"kind": "enum", "labels": list(labels)}
            case OptionType(some):
                return {"kind": "option", "type": self.reference(some)}
            case ResultType(ok, error):
                return {"kind": "result", "ok": self._optional(ok), "error": self._optional(error)}
            case MapType(key, value):
                return {"kind": "map", "key": self.reference(key), "value": self.reference(value)}
            case OwnType(resource):
                return {"kind": "own", "resource": self._resource(resource)}
            case BorrowType(resource):
                return {"kind": "borrow", "resource": self._resource(resource)}
            case StreamType(stream_element):
                return {"kind": "stream", "element": self._optional(stream_element)}
            case FutureType(future_element):
                return {"kind": "future", "element": self._optional(future_element)}
            case _ as other:
                assert_never(other)
