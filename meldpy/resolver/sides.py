"""Two types that should fit and do not, as WIT, line by line: for the error that says so."""

from __future__ import annotations

from collections.abc import Sequence

from meldpy.model.extern import ExternName, ExternType, FuncType, InstanceType, NamedExtern, TypeExtern
from meldpy.resolver.values import FuncValue, InstanceValue, Item, TypeValue
from meldpy.wit import Names, diff, function, interface_lines


def type_diff(name: str, declared: ExternType, provided: Item) -> tuple[str, ...]:
    """What the importer declares of `name` (`-`) and what is provided (`+`); nothing for types that are not WIT's.

    What is provided besides is no fault, so it is left out.
    """
    actual = _extern(provided)
    if actual is None:
        return ()
    if isinstance(declared, InstanceType) and isinstance(actual, InstanceType):
        wanted = {export.name.name for export in declared.exports}
        actual = InstanceType(tuple(export for export in actual.exports if export.name.name in wanted))
    return tuple(diff(_lines(name, declared), _lines(name, actual)))


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
    names = Names()
    match type_:
        case InstanceType(exports=exports):
            return list(interface_lines(names, None, exports))
        case FuncType():
            return [f"{name}: {function(names, type_)};"]
        case _:
            return list(interface_lines(names, None, [NamedExtern(ExternName(name), type_)]))
