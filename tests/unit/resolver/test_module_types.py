"""Every kind of import and export of a core module type, with the types that each mentions."""

from __future__ import annotations

from meldpy.model.component import CoreExportDecl
from meldpy.model.core import (
    AbsHeapType,
    CoreFuncType,
    CoreImport,
    CoreSort,
    CoreTypeIndex,
    FuncImportType,
    GlobalType,
    Limits,
    MemoryType,
    NumType,
    RecGroup,
    RefType,
    StructType,
    SubType,
    TableType,
    TagType,
)
from meldpy.model.extern import ComponentType, CoreModuleType
from meldpy.model.linked import TypeItem
from meldpy.resolver.coretypes import CoreType, group_members, module_type
from tests.unit.resolver.build import graph_of

STRUCT = RecGroup((SubType(StructType(())),))
FUNC = RecGroup((SubType(CoreFuncType((), ())),))


def types() -> list[CoreType]:
    made: list[CoreType] = []
    for group in (FUNC, STRUCT, FUNC):
        made += group_members(group, len(made), made.__getitem__)
    return made


def test_each_kind_is_kept_with_its_own_types() -> None:
    given = types()
    table = TableType(RefType(True, CoreTypeIndex(1)), Limits(2, 5))
    plain = TableType(RefType(True, AbsHeapType.FUNC), Limits(0))
    kinds = [
        FuncImportType(CoreTypeIndex(2)),
        table,
        plain,
        MemoryType(Limits(3)),
        GlobalType(NumType.I64, True),
        GlobalType(RefType(False, CoreTypeIndex(1)), False),
        TagType(CoreTypeIndex(2)),
    ]
    made = module_type(
        [CoreImport("m", f"i{i}", kind) for i, kind in enumerate(kinds)],
        [CoreExportDecl(f"e{i}", kind) for i, kind in enumerate(kinds)],
        given.__getitem__,
    )
    # the function type is met first, then the structure
    assert made.shape.types == (FUNC, STRUCT)
    expected = (
        FuncImportType(CoreTypeIndex(0)),
        TableType(RefType(True, CoreTypeIndex(1)), Limits(2, 5)),
        plain,
        MemoryType(Limits(3)),
        GlobalType(NumType.I64, True),
        GlobalType(RefType(False, CoreTypeIndex(1)), False),
        TagType(CoreTypeIndex(0)),
    )
    assert tuple(import_.type for import_ in made.shape.imports) == made.export_types == expected
    assert [(import_.module, import_.name) for import_ in made.shape.imports] == [("m", f"i{i}") for i in range(7)]
    assert [(export.name, export.sort, export.index) for export in made.shape.exports] == [
        ("e0", CoreSort.FUNC, 0),
        ("e1", CoreSort.TABLE, 1),
        ("e2", CoreSort.TABLE, 2),
        ("e3", CoreSort.MEMORY, 3),
        ("e4", CoreSort.GLOBAL, 4),
        ("e5", CoreSort.GLOBAL, 5),
        ("e6", CoreSort.TAG, 6),
    ]


def test_declarators_of_a_module_type_become_its_imports_and_exports() -> None:
    graph = graph_of(
        """(component
          (type $c (component (import "m" (core module
            (import "x" "f" (func (param i32))) (import "x" "m" (memory 1)) (export "g" (table 2 funcref))))))
          (export "t" (type $c)))"""
    )
    (export,) = graph.exports
    assert isinstance(export.item, TypeItem)
    assert isinstance(export.item.type, ComponentType)
    (import_,) = export.item.type.imports
    assert isinstance(import_.type, CoreModuleType)
    assert [(each.module, each.name) for each in import_.type.shape.imports] == [("x", "f"), ("x", "m")]
    assert [each.name for each in import_.type.shape.exports] == ["g"]
