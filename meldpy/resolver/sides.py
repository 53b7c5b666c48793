"""Two types that should fit and do not, as WIT, line by line: for the error that says so.

`meldpy.wit` is loaded here and not before: a fuse that succeeds compares no texts.
"""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet

from meldpy.model.extern import ExternName, ExternType, FuncType, InstanceType, NamedExtern, TypeExtern
from meldpy.resolver.values import FuncValue, InstanceValue, Item, TypeValue


def type_diff(name: str, declared: ExternType, provided: Item) -> tuple[str, ...]:
    """What the importer declares of `name` (`-`) and what is provided (`+`); nothing for types that are not WIT's.

    What is provided besides is no fault, so it is left out.
    """
    actual = _extern(provided)
    return () if actual is None else _diff(name, declared, _only(actual, _exported(declared)))


def views_diff(name: str, one: ExternType, other: ExternType) -> tuple[str, ...]:
    """Two views of one import `name`: what the first declares (`-`) and what the second does (`+`).

    What only one of them declares is no contradiction, so it is left out.
    """
    return _diff(name, _only(one, _exported(other)), _only(other, _exported(one)))


def _diff(name: str, one: ExternType, other: ExternType) -> tuple[str, ...]:
    from meldpy.wit import diff

    return tuple(diff(_lines(name, one), _lines(name, other)))


def _exported(type_: ExternType) -> AbstractSet[str] | None:
    """What an instance exports, by name; None for everything else."""
    return {export.name.name for export in type_.exports} if isinstance(type_, InstanceType) else None


def _only(type_: ExternType, wanted: AbstractSet[str] | None) -> ExternType:
    """`type_` with no other exports than these, where instances are compared."""
    if wanted is None or not isinstance(type_, InstanceType):
        return type_
    return InstanceType(tuple(export for export in type_.exports if export.name.name in wanted))


def _extern(item: Item) -> ExternType | None:
    match item:
        case FuncValue(type=type_):
            return type_
        case TypeValue(type_, bound_resource):
            return TypeExtern(type_, bound_resource)
        case InstanceValue(exports=exports):
            inner = [(name, _extern(each)) for name, each in exports.values()]
            return InstanceType(tuple(NamedExtern(name, type_) for name, type_ in inner if type_ is not None))
        case _:
            return None


def _lines(name: str, type_: ExternType) -> Sequence[str]:
    from meldpy.wit import Names, function, interface_lines

    names = Names()
    match type_:
        case InstanceType(exports=exports):
            return list(interface_lines(names, None, exports))
        case FuncType():
            return [f"{name}: {function(names, type_)};"]
        case _:
            return list(interface_lines(names, None, [NamedExtern(ExternName(name), type_)]))
