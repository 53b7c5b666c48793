"""Exported items seen as types: what an export of this item declares."""

from __future__ import annotations

from typing import assert_never, overload

from meldpy.model.extern import CoreModuleType, FuncType, InstanceType, NamedExtern, TypeExtern
from meldpy.model.linked import FuncItem, InstanceItem, ModuleItem, OuterItem, TypeItem


@overload
def extern_type(item: InstanceItem) -> InstanceType: ...


@overload
def extern_type(item: OuterItem) -> CoreModuleType | FuncType | InstanceType | TypeExtern: ...


def extern_type(item: OuterItem) -> CoreModuleType | FuncType | InstanceType | TypeExtern:
    """The type of an exported item.

    Exported types are always `(eq T)`: an exported resource type exists before its export, and no engine lets an
    export hide which one it is.
    """
    match item:
        case FuncItem(type=type_):
            return type_
        case TypeItem(type=node):
            return TypeExtern(node)
        case ModuleItem(type=module_type):
            return module_type
        case InstanceItem(exports=exports):
            return InstanceType(tuple(NamedExtern(name, extern_type(inner)) for name, inner in exports))
        case _:
            assert_never(item)
