"""One interface: its types in the order in which they are declared, resource types with their functions, the rest.

Annotated names (`[method]r.f`) are how a component says that a function belongs to a resource type; here they are read
for nothing but writing the function where WIT writes it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import assert_never, final

from meldpy.model.extern import (
    ComponentType,
    CoreModuleType,
    FuncType,
    InstanceType,
    NamedExtern,
    TypeExtern,
    ValueExtern,
)
from meldpy.model.valtype import DefinedType, ResourceType
from meldpy.records import dataclass
from meldpy.wit.names import Named, Names, chain, introduced, label
from meldpy.wit.values import braced, function, spelled, value

INDENT = "  "
_KINDS = ("constructor", "method", "static")
"""What the annotation of a resource type's function can be."""


@final
@dataclass(frozen=True, slots=True)
class _Member:
    """A function of a resource type. kind: what the annotation says."""

    kind: str
    resource: str
    name: str
    type: FuncType


def interface_lines(
    names: Names, interface: str | None, exports: Sequence[NamedExtern], again: Sequence[NamedExtern] = ()
) -> Iterator[str]:
    """The lines between the braces of `interface` (None: one without a name). `names`: a scope, which is filled.

    again: exports of another view of it, whose types are those of the same name here.
    """
    # Name: WIT has no order, and a resource type's functions use types that are declared behind it.
    used: dict[str, list[str]] = {}
    types: list[tuple[str, Named, str | None]] = []
    for name, node in introduced(exports):
        owner = names.foreign(node, interface)
        old = names.find(node)
        if owner is not None and any(each in names.owners for each in chain(node) if each is not node):
            where, original = owner
            renamed = label(original) if original == name else f"{label(original)} as {label(name)}"
            used.setdefault(_path(where, interface), []).append(renamed)
        else:
            types.append((name, node, old))
        names.introduce(node, name)
    for name, node in introduced(again):
        names.introduce(node, name)
    # Write: what is used from elsewhere, own types, everything else.
    yield from (f"use {path}.{{{', '.join(each)}}};" for path, each in used.items())
    belonging = [member for member in map(_member, exports) if member is not None]
    for name, node, old in types:
        if old is not None:
            yield f"type {label(name)} = {label(old)};"
        elif isinstance(node, ResourceType):
            yield from _resource(names, name, [each for each in belonging if each.resource == name])
        else:
            yield from _definition(names, name, node)
    for export in exports:
        yield from _item(names, export)


def _item(names: Names, export: NamedExtern) -> Iterator[str]:
    """What is exported beside types and their functions."""
    name = label(export.name.name)
    match export.type:
        case TypeExtern(type=node):
            if not isinstance(node, DefinedType | ResourceType):
                yield f"type {name};"
        case FuncType() as type_:
            if _member(export) is None:
                yield f"{name}: {function(names, type_)};"
        case InstanceType(exports=inner):
            yield f"{name}: interface {{"
            yield from (INDENT + line for line in interface_lines(names.scope(), None, inner))
            yield "}"
        case ValueExtern(type=type_):
            yield f"{name}: value {value(names, type_)};"
        case ComponentType():
            yield f"{name}: component;"
        case CoreModuleType():
            yield f"{name}: core module;"
        case other:
            assert_never(other)


def _resource(names: Names, name: str, belonging: Sequence[_Member]) -> Iterator[str]:
    if not belonging:
        yield f"resource {label(name)};"
        return
    yield f"resource {label(name)} {{"
    for each in belonging:
        match each.kind:
            case "constructor":
                params = function(names, each.type).removeprefix("func").partition(" -> ")
                fallible = params[2].startswith("result")
                yield f"{INDENT}constructor{params[0]}{' -> ' + params[2] if fallible else ''};"
            case "static":
                yield f"{INDENT}{label(each.name)}: static {function(names, each.type)};"
            case _:
                yield f"{INDENT}{label(each.name)}: {function(names, each.type, method=True)};"
    yield "}"


def _definition(names: Names, name: str, node: DefinedType) -> Iterator[str]:
    found = braced(names, node)
    if found is None:
        yield f"type {label(name)} = {spelled(names, node)};"
        return
    word, lines = found
    yield f"{word} {label(name)} {{"
    yield from (f"{INDENT}{line}," for line in lines)
    yield "}"


def _member(export: NamedExtern) -> _Member | None:
    """What an annotated name says; None for a function by itself, and for annotations that WIT does not have."""
    name = export.name.name
    if name[:1] != "[" or not isinstance(export.type, FuncType):
        return None
    annotation, _, rest = name[1:].partition("]")
    kind = annotation.removeprefix("async ").removeprefix("async-")
    if kind not in _KINDS:
        return None
    resource, _, function_name = rest.partition(".")
    return _Member(kind, resource, function_name, export.type)


def _path(where: str, interface: str | None) -> str:
    """How one interface names another: by its last part if both are of one package."""
    package, slash, rest = where.partition("/")
    if not slash or interface is None:
        return where
    ours, _, our_rest = interface.partition("/")
    same = package == ours and rest.partition("@")[2] == our_rest.partition("@")[2]
    return rest.partition("@")[0] if same else where
