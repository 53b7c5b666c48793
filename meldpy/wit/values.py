"""Value types and function types, in one line each, by the names that there are for what they are made of.

A type can be exponentially large as a tree, so its text is made piece by piece, and no further than it is read.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Protocol, assert_never

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
from meldpy.wit.names import Named, label

MAX_NESTING = 12
"""How deep types without a name are spelled out."""
MAX_WIDTH = 10_000
"""Characters of one type; the rest is left out."""
_BRACED = {RecordType: "record", VariantType: "variant", FlagsType: "flags", EnumType: "enum"}


class Called(Protocol):
    """What types are called where the text is to stand."""

    def find(self, node: Named) -> str | None:
        """The name of a type; None if it has none there, and has to be spelled out."""

    def resource(self, node: ResourceType) -> str:
        """A resource type always has a name."""


def function(
    names: Called, type_: FuncType, *, method: bool = False, nesting: int = MAX_NESTING, width: int = MAX_WIDTH
) -> str:
    """A function type. method: the first parameter is the receiver, which WIT leaves out. width: of each type in it."""
    params = type_.params[1:] if method else type_.params
    text = ", ".join(f"{label(name)}: {value(names, param, nesting, width)}" for name, param in params)
    result = "" if type_.result is None else f" -> {value(names, type_.result, nesting, width)}"
    return f"{'async ' if type_.async_ else ''}func({text}){result}"


def value(names: Called, type_: ValType, nesting: int = MAX_NESTING, width: int = MAX_WIDTH) -> str:
    """A value type where it is used: by its name, if it has one. Longer than `width`, it ends in an ellipsis."""
    return _cut(_value(names, type_, nesting), width)


def spelled(names: Called, type_: DefinedType) -> str:
    """A type without its own name."""
    return _cut(_spelled(names, type_, MAX_NESTING), MAX_WIDTH)


def braced(names: Called, type_: DefinedType) -> tuple[str, Sequence[str]] | None:
    """The word for a record, variant, flags or enum, and what stands between its braces; None for other types."""
    word = _BRACED.get(type(type_.definition))
    if word is None:
        return None
    return word, [_cut(member, MAX_WIDTH) for member in _members(names, type_, MAX_NESTING)]


def primitive(type_: PrimValType) -> str:
    return type_.name.lower().replace("_", "-")


def _cut(pieces: Iterator[str], width: int) -> str:
    text = ""
    for piece in pieces:
        text += piece
        if len(text) > width:
            return text[:width] + "…"
    return text


def _value(names: Called, type_: ValType, nesting: int) -> Iterator[str]:
    if isinstance(type_, PrimValType):
        yield primitive(type_)
    elif (named := names.find(type_)) is not None:
        yield label(named)
    else:
        yield from _spelled(names, type_, nesting)


def _spelled(names: Called, type_: DefinedType, nesting: int) -> Iterator[str]:
    if nesting == 0:
        yield "…"
        return

    def listed(*parts: ValType | None) -> Iterator[str]:
        yield "<"
        for number, part in enumerate(parts):
            yield ", " if number else ""
            yield from iter(("_",)) if part is None else _value(names, part, nesting - 1)
        yield ">"

    match type_.definition:
        case PrimValType() as prim:
            yield primitive(prim)
        case RecordType() | VariantType() | FlagsType() | EnumType() as definition:
            yield f"{_BRACED[type(definition)]} {{ "
            for number, member in enumerate(_members(names, type_, nesting - 1)):
                yield ", " if number else ""
                yield from member
            yield " }"
        case TupleType(types):
            yield "tuple"
            yield from listed(*types)
        case ListType(element, None):
            yield "list"
            yield from listed(element)
        case ListType(element, length):
            yield "list<"
            yield from _value(names, element, nesting - 1)
            yield f", {length}>"
        case OptionType(some):
            yield "option"
            yield from listed(some)
        case ResultType(None, None):
            yield "result"
        case ResultType(ok, None):
            yield "result"
            yield from listed(ok)
        case ResultType(ok, error):
            yield "result"
            yield from listed(ok, error)
        case MapType(key, mapped):
            yield "map"
            yield from listed(key, mapped)
        case OwnType(resource):
            yield label(names.resource(resource))
        case BorrowType(resource):
            yield f"borrow<{label(names.resource(resource))}>"
        case StreamType(None):
            yield "stream"
        case StreamType(optional):
            yield "stream"
            yield from listed(optional)
        case FutureType(None):
            yield "future"
        case FutureType(optional):
            yield "future"
            yield from listed(optional)
        case other:
            assert_never(other)


def _members(names: Called, type_: DefinedType, nesting: int) -> Iterator[Iterator[str]]:
    """What stands between the braces of a record, variant, flags or enum."""
    match type_.definition:
        case RecordType(fields):
            for field in fields:
                yield chain((f"{label(field.label)}: ",), _value(names, field.type, nesting))
        case VariantType(cases):
            for case in cases:
                payload = () if case.type is None else chain(("(",), _value(names, case.type, nesting), (")",))
                yield chain((label(case.label),), payload)
        case FlagsType(labels) | EnumType(labels):
            yield from (iter((label(each),)) for each in labels)
