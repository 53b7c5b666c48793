"""Value types and function types, in one line each, by the names that the scope has for what they are made of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import assert_never

from meldpy.model.extern import FuncType
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
from meldpy.wit.names import Names, label

MAX_NESTING = 12
"""How deep types without a name are spelled out; a type can be exponentially large as a tree."""


def function(names: Names, type_: FuncType, *, method: bool = False) -> str:
    """A function type. method: the first parameter is the receiver, which WIT leaves out."""
    params = type_.params[1:] if method else type_.params
    text = ", ".join(f"{label(name)}: {value(names, param)}" for name, param in params)
    result = "" if type_.result is None else f" -> {value(names, type_.result)}"
    return f"{'async ' if type_.async_ else ''}func({text}){result}"


def value(names: Names, type_: ValType, nesting: int = MAX_NESTING) -> str:
    """A value type where it is used: by its name, if it has one."""
    if isinstance(type_, PrimValType):
        return primitive(type_)
    named = names.find(type_)
    return spelled(names, type_, nesting) if named is None else label(named)


def primitive(type_: PrimValType) -> str:
    return type_.name.lower().replace("_", "-")


def spelled(names: Names, type_: DefinedType, nesting: int = MAX_NESTING) -> str:
    """A type without its own name."""
    if nesting == 0:
        return "…"

    def inner(part: ValType) -> str:
        return value(names, part, nesting - 1)

    match type_.definition:
        case PrimValType() as prim:
            return primitive(prim)
        case RecordType() | VariantType() | FlagsType() | EnumType() as braced:
            word = {RecordType: "record", VariantType: "variant", FlagsType: "flags", EnumType: "enum"}[type(braced)]
            return f"{word} {{ {', '.join(members(names, type_, nesting - 1))} }}"
        case TupleType(types):
            return f"tuple<{', '.join(map(inner, types))}>"
        case ListType(element, length):
            return f"list<{inner(element)}{'' if length is None else f', {length}'}>"
        case OptionType(some):
            return f"option<{inner(some)}>"
        case ResultType(ok, error):
            if ok is None and error is None:
                return "result"
            first = "_" if ok is None else inner(ok)
            return f"result<{first}>" if error is None else f"result<{first}, {inner(error)}>"
        case MapType(key, mapped):
            return f"map<{inner(key)}, {inner(mapped)}>"
        case OwnType(resource):
            return _resource(names, resource)
        case BorrowType(resource):
            return f"borrow<{_resource(names, resource)}>"
        case StreamType(element):
            return "stream" if element is None else f"stream<{inner(element)}>"
        case FutureType(element):
            return "future" if element is None else f"future<{inner(element)}>"
        case other:
            assert_never(other)


def members(names: Names, type_: DefinedType, nesting: int = MAX_NESTING) -> Sequence[str]:
    """What stands between the braces of a record, variant, flags or enum; nothing for other types."""
    match type_.definition:
        case RecordType(fields):
            return [f"{label(field.label)}: {value(names, field.type, nesting)}" for field in fields]
        case VariantType(cases):
            return [
                label(case.label) + ("" if case.type is None else f"({value(names, case.type, nesting)})")
                for case in cases
            ]
        case FlagsType(labels) | EnumType(labels):
            return [label(each) for each in labels]
        case _:
            return ()


def _resource(names: Names, resource: ResourceType) -> str:
    found = names.find(resource)
    if found is None:
        owner = names.foreign(resource, None)
        found = None if owner is None else owner[1]
    return "resource" if found is None else label(found)
