"""Linked graphs made by hand: a boundary and nothing inside."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from meldpy.errors import Location
from meldpy.model.extern import ExternName, ExternType, FuncType
from meldpy.model.ids import CoreFuncIndex, CoreInstanceId, FuncId, ImportFuncId, InstanceId, LiftId, ResourceId
from meldpy.model.linked import (
    CanonicalOptions,
    ImportedFunc,
    Lift,
    LinkedGraph,
    OuterExport,
    OuterImport,
    OuterItem,
    Resource,
)
from meldpy.model.valtype import DefinedType, ResourceType

HERE = Location("test")
N = TypeVar("N", DefinedType, ResourceType)


def hand_graph(
    imports: Sequence[tuple[ExternName, ExternType]] = (),
    import_funcs: Sequence[tuple[int, tuple[str, ...], FuncType]] = (),
    lifts: Sequence[FuncType] = (),
    exports: Sequence[tuple[ExternName, OuterItem]] = (),
    defined: Sequence[bool] = (),
) -> LinkedGraph:
    """`defined[i]`: whether resource type i is defined inside (else it is imported)."""
    owner = InstanceId(0)
    func = FuncId(CoreInstanceId(0), CoreFuncIndex(0))
    return LinkedGraph(
        inputs=(),
        modules=(),
        instances=(),
        core_instances=(),
        resources=tuple(
            Resource(ResourceId(i), owner if inside else None, None, f"r{i}", HERE) for i, inside in enumerate(defined)
        ),
        lifts=tuple(Lift(LiftId(i), owner, func, t, CanonicalOptions(), HERE) for i, t in enumerate(lifts)),
        lowers=(),
        builtins=(),
        imports=tuple(OuterImport(name, type_, HERE) for name, type_ in imports),
        import_funcs=tuple(ImportedFunc(ImportFuncId(i), *rest) for i, rest in enumerate(import_funcs)),
        exports=tuple(OuterExport(name, item, HERE) for name, item in exports),
    )


def renamed(node: N) -> N:
    """The same type under a new name, as an import or export makes it."""
    match node:
        case DefinedType():
            return DefinedType(node.definition, node)
        case ResourceType():
            return ResourceType(node.id, node)
