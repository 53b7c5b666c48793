"""Core module types get an index space of their own."""

from __future__ import annotations

import pytest

from meldpy.errors import DecodeError
from meldpy.model.component import CoreExportDecl
from meldpy.model.core import (
    CoreFuncType,
    CoreImport,
    CoreSort,
    CoreTypeIndex,
    FieldType,
    FuncImportType,
    GlobalType,
    NumType,
    RecGroup,
    RefType,
    StructType,
    SubType,
)
from meldpy.model.extern import CoreModuleType
from meldpy.resolver.coretypes import CoreType, group_members, module_type

LEAF = RecGroup((SubType(StructType(())),))


def struct_of(index: int) -> RecGroup:
    return RecGroup((SubType(StructType((FieldType(RefType(True, index), False),))),))


def func(index: int) -> FuncImportType:
    return FuncImportType(CoreTypeIndex(index))


def space(*groups: RecGroup) -> list[CoreType]:
    made: list[CoreType] = []
    for group in groups:
        made += group_members(group, len(made), made.__getitem__)
    return made


def test_only_what_is_needed_is_laid_out_and_renumbered() -> None:
    types = space(LEAF, LEAF, struct_of(1), RecGroup((SubType(CoreFuncType((RefType(True, 2),), ())),)))
    made = module_type([CoreImport("a", "b", func(3))], [CoreExportDecl("c", func(1))], types.__getitem__)
    # Types 1, 2 and 3 are needed, each behind what it refers to; type 0 is not.
    assert made.shape.types == (LEAF, struct_of(0), RecGroup((SubType(CoreFuncType((RefType(True, 1),), ())),)))
    assert made.shape.imports == (CoreImport("a", "b", func(2)),)
    assert made.export_types == (func(0),)
    assert [(e.name, e.sort) for e in made.shape.exports] == [("c", CoreSort.FUNC)]


def test_members_of_a_group_keep_referring_to_each_other() -> None:
    pair = RecGroup((*struct_of(2).types, *struct_of(1).types), explicit=True)
    types = space(LEAF, pair)
    value = RefType(False, 2)
    made = module_type([CoreImport("a", "g", GlobalType(value, False))], [], types.__getitem__)
    assert made.shape.types == (RecGroup((*struct_of(1).types, *struct_of(0).types), explicit=True),)
    assert made.shape.imports[0].type == GlobalType(RefType(False, 1), False)


def test_long_chains_of_groups_do_not_exhaust_the_stack() -> None:
    types = space(LEAF, *(struct_of(i) for i in range(5000)))
    made = module_type([CoreImport("a", "g", GlobalType(RefType(True, 5000), True))], [], types.__getitem__)
    assert len(made.shape.types) == 5001


def test_a_module_type_is_no_type_of_a_core_item() -> None:
    types: list[CoreType] = [CoreModuleType(module_type([], [], [].__getitem__).shape, ())]
    with pytest.raises(DecodeError, match="a core module type stands where"):
        module_type([CoreImport("a", "g", GlobalType(RefType(True, 0), True))], [], types.__getitem__)
    plain = module_type([CoreImport("a", "g", GlobalType(NumType.I32, True))], [], types.__getitem__)
    assert plain.shape.types == ()
