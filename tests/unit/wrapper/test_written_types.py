"""Types as they are written: each kind of definition with the indices of what it mentions, and what gets an index."""

from __future__ import annotations

from typing import Any, cast

import pytest

from meldpy.errors import InternalError
from meldpy.model.component import (
    Component,
    ComponentDesc,
    ComponentTypeDef,
    CoreExportDecl,
    CoreModuleDesc,
    CoreTypeDecl,
    CoreTypeSection,
    ExportDecl,
    ExportSection,
    FuncDesc,
    FuncTypeDef,
    ImportDecl,
    ImportSection,
    InstanceDesc,
    InstanceTypeDef,
    ModuleType,
    Sort,
    SortIndex,
    TypeDecl,
    TypeDesc,
    TypeSection,
    ValueDesc,
)
from meldpy.model.core import (
    CoreExport,
    CoreFuncType,
    CoreImport,
    CoreModule,
    CoreSort,
    FuncImportType,
    Limits,
    MemoryType,
    RecGroup,
    SubType,
)
from meldpy.model.extern import (
    ComponentType,
    CoreModuleType,
    ExternName,
    FuncType,
    InstanceType,
    NamedExtern,
    TypeExtern,
    TypeNode,
    ValueExtern,
)
from meldpy.model.ids import CoreTypeIndex, ImportFuncId, ResourceId, TypeIndex
from meldpy.model.linked import FuncItem, ImportFunc, InstanceItem, TypeItem
from meldpy.model.valtype import (
    BorrowType,
    Case,
    DefinedType,
    EnumType,
    Field,
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
    VariantType,
)
from meldpy.wrapper.annotated import naming_component
from meldpy.wrapper.builder import ComponentBuilder, DeclBuilder
from meldpy.wrapper.scope import Entry, Scope
from meldpy.wrapper.types import extern_desc, introduce, type_index

N = ExternName
U8 = PrimValType.U8
A, B = DefinedType(EnumType(("a",))), DefinedType(OptionType(U8))
THING = ResourceType(ResourceId(7))
VOID = RecGroup((SubType(CoreFuncType((), ())),))


def scope() -> tuple[Scope, DeclBuilder]:
    """A scope in which A, B and the resource type are types 0, 1 and 2."""
    decls = DeclBuilder()
    made = Scope(decls)
    for type_ in (A, B):
        type_index(made, type_)
    made.name(THING, Entry(decls.import_(N("thing"), TypeDesc(None))))
    return made, decls


@pytest.mark.parametrize(
    ("definition", "written"),
    [
        (U8, U8),
        (FlagsType(("x", "y")), FlagsType(("x", "y"))),
        (EnumType(("x",)), EnumType(("x",))),
        (RecordType((Field("x", A), Field("y", U8))), RecordType((Field("x", 0), Field("y", U8)))),
        (VariantType((Case("x", B), Case("y", None))), VariantType((Case("x", 1), Case("y", None)))),
        (ListType(B), ListType(1)),
        (ListType(A, 3), ListType(0, 3)),
        (TupleType((B, A, U8)), TupleType((1, 0, U8))),
        (OptionType(A), OptionType(0)),
        (ResultType(A, B), ResultType(0, 1)),
        (ResultType(None, B), ResultType(None, 1)),
        (ResultType(B, None), ResultType(1, None)),
        (ResultType(None, None), ResultType(None, None)),
        (MapType(U8, B), MapType(U8, 1)),
        (MapType(A, U8), MapType(0, U8)),
        (OwnType(THING), OwnType(2)),
        (BorrowType(THING), BorrowType(2)),
        (StreamType(B), StreamType(1)),
        (StreamType(None), StreamType(None)),
        (FutureType(A), FutureType(0)),
        (FutureType(None), FutureType(None)),
    ],
)
def test_definitions_of_value_types(definition: object, written: object) -> None:
    made, decls = scope()
    node = DefinedType(definition)  # type: ignore[arg-type]  # each is one
    assert type_index(made, node) == 3
    assert decls.decls[-1] == TypeDecl(written)  # type: ignore[arg-type]
    assert type_index(made, node) == 3
    assert len(decls.decls) == 4, "once"
    assert extern_desc(made, TypeExtern(node)) == TypeDesc(3)  # type: ignore[arg-type]
    assert extern_desc(made, ValueExtern(node)) == ValueDesc(None, 3)  # type: ignore[arg-type]


def test_a_primitive_needs_no_definition_but_has_one_where_a_name_is_equated_with_it() -> None:
    made, decls = scope()
    assert extern_desc(made, ValueExtern(U8)) == ValueDesc(None, U8)
    assert len(decls.decls) == 3
    for index in (3, 4):  # nothing tells that two names for a primitive are the same
        assert extern_desc(made, TypeExtern(U8)) == TypeDesc(index)  # type: ignore[arg-type]
        assert decls.decls[-1] == TypeDecl(U8)
        made.name(U8, Entry(9))


def test_functions_and_instances() -> None:
    made, decls = scope()
    func = FuncType((("p", A), ("q", DefinedType(OwnType(THING)))), B, async_=True)
    assert extern_desc(made, func) == FuncDesc(4)  # type: ignore[arg-type]
    assert decls.decls[-2:] == [TypeDecl(OwnType(2)), TypeDecl(FuncTypeDef((("p", 0), ("q", 3)), 1, True))]  # type: ignore[arg-type]
    instance = InstanceType((NamedExtern(N("a"), TypeExtern(DefinedType(A.definition, A))),))
    assert extern_desc(made, instance) == InstanceDesc(5)  # type: ignore[arg-type]
    (last,) = decls.decls[-1:]
    assert isinstance(last, TypeDecl)
    assert isinstance(last.type, InstanceTypeDef)
    assert [type(decl).__name__ for decl in last.type.decls] == ["AliasDecl", "ExportDecl"]
    assert last.type.decls[1] == ExportDecl(N("a"), TypeDesc(0))  # type: ignore[arg-type]


def test_component_types_keep_the_order_of_imports_and_exports() -> None:
    made, decls = scope()
    own = DefinedType(ListType(U8))
    type_ = ComponentType(
        (NamedExtern(N("t"), TypeExtern(own)), NamedExtern(N("g"), FuncType((), None))),
        (NamedExtern(N("f"), FuncType((("p", own),), None)), NamedExtern(N("h"), FuncType((), None))),
        (True, False, False, True),
    )
    assert extern_desc(made, type_) == ComponentDesc(3)  # type: ignore[arg-type]
    (last,) = decls.decls[-1:]
    assert isinstance(last, TypeDecl)
    assert isinstance(last.type, ComponentTypeDef)
    named = [decl for decl in last.type.decls if isinstance(decl, ImportDecl | ExportDecl)]
    assert [(type(decl).__name__, decl.name.name) for decl in named] == [
        ("ImportDecl", "t"),
        ("ExportDecl", "f"),
        ("ExportDecl", "h"),
        ("ImportDecl", "g"),
    ]
    functions = [decl.type for decl in last.type.decls if isinstance(decl, TypeDecl)]
    assert functions[1] == FuncTypeDef((("p", 1),), None, False), "the imported name, not the definition"  # type: ignore[arg-type]


MODULE = CoreModuleType(
    CoreModule(
        types=(VOID,),
        imports=(CoreImport("m", "n", FuncImportType(CoreTypeIndex(0))),),
        exports=(CoreExport("f", CoreSort.FUNC, 0), CoreExport("g", CoreSort.MEMORY, 0)),
    ),
    (FuncImportType(CoreTypeIndex(0)), MemoryType(Limits(1))),
)


def test_core_module_types_are_written_whole() -> None:
    made, decls = scope()
    assert [extern_desc(made, MODULE), extern_desc(made, MODULE)] == [CoreModuleDesc(0), CoreModuleDesc(1)]  # type: ignore[arg-type]
    (last,) = decls.decls[-1:]
    assert isinstance(last, CoreTypeDecl)
    assert last.type == ModuleType(
        (
            VOID,
            CoreImport("m", "n", FuncImportType(CoreTypeIndex(0))),
            CoreExportDecl("f", FuncImportType(CoreTypeIndex(0))),
            CoreExportDecl("g", MemoryType(Limits(1))),
        )
    )


def test_each_type_of_a_group_has_an_index() -> None:
    pair = RecGroup((SubType(CoreFuncType((), ())), SubType(CoreFuncType((), ()))), explicit=True)
    component = ComponentBuilder()
    for builder in (DeclBuilder(), component):
        assert [builder.define_core_type(each) for each in (VOID, pair, ModuleType(()), VOID, pair)] == [0, 1, 3, 4, 5]
    finished = component.finish()
    assert finished.sections == (CoreTypeSection((VOID, pair, ModuleType(()), VOID, pair)),)


def test_what_no_index_can_name_is_our_own_defect() -> None:
    for node in (ResourceType(ResourceId(1)), MODULE):
        with pytest.raises(InternalError):
            type_index(scope()[0], node)


def test_what_an_imported_instance_names_is_aliased_from_it() -> None:
    made, decls = scope()
    named = DefinedType(RecordType((Field("x", U8),)))
    inner = InstanceType((NamedExtern(N("deep"), TypeExtern(named)),))
    outer = InstanceType((NamedExtern(N("inner"), inner), NamedExtern(N("f"), FuncType((), None))))
    introduce(made, outer, decls.import_(N("i"), extern_desc(made, outer)))
    before = len(decls.decls)
    assert type_index(made, named) == type_index(made, named)
    aliases = [decl.alias for decl in decls.decls[before:]]  # type: ignore[union-attr]
    assert [(alias.sort, alias.instance, alias.name) for alias in aliases] == [  # type: ignore[union-attr]
        (Sort.INSTANCE, 0, "inner"),
        (Sort.TYPE, 1, "deep"),
    ]


# --- names of names ---------------------------------------------------------------------------------------------------
def names_of(node: DefinedType, count: int) -> list[DefinedType]:
    made = [node]
    for _ in range(count):
        made.append(DefinedType(node.definition, made[-1]))
    return made


@pytest.mark.parametrize("nominal", [False, True])
def test_a_name_of_a_name_is_found_by_what_it_names(nominal: bool) -> None:
    definition = DefinedType(RecordType((Field("x", U8),)) if nominal else ListType(U8))
    chain = names_of(definition, 5)
    made, decls = Scope(sink := DeclBuilder()), sink
    assert made.find(chain[3]) is None
    made.wrote(chain[1], 40)
    assert [made.find(node) for node in chain] == [40] * 6
    made.name(chain[3], Entry(50))
    # a nominal type is mentioned by whatever name it has; others only by names on their own way
    assert [made.find(node) for node in chain] == [50 if nominal else 40] * 3 + [50] * 3
    assert [made.find_target(node) for node in chain] == [40, 40, 40, 50, 50, 50]
    other = names_of(definition, 1)[1]
    assert made.find(other) == (50 if nominal else 40)
    made.wrote(chain[4], 60)
    assert made.find_target(chain[5]) == 60
    assert (made.find_target(chain[2]), made.find_target(chain[1])) == (60, 40), "down to what is written already"
    assert decls.decls == []


def test_the_first_name_and_the_first_definition_count() -> None:
    made = Scope(DeclBuilder())
    made.name(A, Entry(1))
    made.name(A, Entry(2))
    made.wrote(B, 3)
    made.wrote(B, 4)
    assert (made.find(A), made.find(B)) == (1, 3)
    made.name(THING, Entry(5))
    renamed = ResourceType(THING.id, None)
    made.name(renamed, Entry(6))
    assert (made.find(THING), made.find(renamed), made.find(ResourceType(THING.id))) == (5, 6, 5)
    assert made.find_target(ResourceType(THING.id)) == 5
    inner = Scope(DeclBuilder(), made)
    inner.name(ResourceType(ResourceId(9)), Entry(0))
    assert ResourceId(9) not in inner.raw, "an export inside a type declares no resource type of the component's"


# --- components that hold names ---------------------------------------------------------------------------------------
def naming(*exports: tuple[str, object]) -> tuple[Component, tuple[tuple[str, object], ...]]:
    item = InstanceItem(tuple((N(name), inner) for name, inner in exports))  # type: ignore[misc]  # items
    return naming_component(item)


def items(component: Component, kind: type) -> list[Any]:
    return [item for section in component.sections if isinstance(section, kind) for item in cast(Any, section).items]


def test_a_naming_component_passes_instances_and_types_on() -> None:
    record = DefinedType(RecordType((Field("x", U8),)))
    function = FuncItem(ImportFunc(ImportFuncId(0)), FuncType((("p", record),), None))
    inner = InstanceItem(((N("g"), FuncItem(ImportFunc(ImportFuncId(1)), FuncType((), None))),))
    component, needs = naming(("t", TypeItem(record)), ("[static]t.f", function), ("inner", inner), ("last", function))
    assert needs == (("t0", record), ("f1", function), ("i2", inner), ("f3", function))
    imports = items(component, ImportSection)
    assert [import_.name.name for import_ in imports] == ["t0", "f1", "i2", "f3"]
    assert isinstance(imports[2].desc, InstanceDesc)
    exports = items(component, ExportSection)
    assert [(export.name.name, export.item.sort) for export in exports] == [
        ("t", Sort.TYPE),
        ("[static]t.f", Sort.FUNC),
        ("inner", Sort.INSTANCE),
        ("last", Sort.FUNC),
    ]
    assert exports[2].item == SortIndex(Sort.INSTANCE, 0)
    definitions = items(component, TypeSection)
    assert definitions.count(FuncTypeDef((("p", 1),), None, False)) == 2, "functions mention the imported type"  # type: ignore[arg-type]


def test_an_exported_resource_type_is_what_functions_behind_it_mention() -> None:
    own = DefinedType(OwnType(THING))
    function = FuncItem(ImportFunc(ImportFuncId(0)), FuncType((("p", own),), None))
    nodes: list[TypeNode] = [THING]
    component, needs = naming(("r", TypeItem(nodes[0])), ("[static]r.f", function))
    assert [name for name, _ in needs] == ["t0", "f1"]
    descs = [export.desc for export in items(component, ExportSection)]
    assert descs[0] is None
    functions = [each for each in items(component, TypeSection) if isinstance(each, FuncTypeDef)]
    owns = [each for each in items(component, TypeSection) if isinstance(each, OwnType)]
    assert len(functions) == 2, "one for the import, one for the export"
    assert owns[0] == OwnType(0)
    assert owns[1] != OwnType(0)


# --- sections ---------------------------------------------------------------------------------------------------------
def test_modules_and_components_stand_between_what_came_before_and_after() -> None:
    builder = ComponentBuilder()
    assert builder.define_type(U8) == 0
    assert builder.core_module(CoreModule()) == 0
    assert builder.define_type(U8) == 1
    assert builder.component(Component(())) == 0
    assert builder.core_module(CoreModule()) == 1
    assert builder.define_type(U8) == 2
    assert builder.define_type(U8) == 3
    imported = ComponentBuilder()
    assert [imported.import_(N("c"), ComponentDesc(TypeIndex(0))), imported.component(Component(()))] == [0, 1]
    kinds = [type(section).__name__ for section in builder.finish().sections]
    assert kinds == [
        "TypeSection",
        "CoreModuleSection",
        "TypeSection",
        "ComponentSection",
        "CoreModuleSection",
        "TypeSection",
    ]


def test_every_sort_of_import_counts_for_itself() -> None:
    descs: list[Any] = [
        FuncDesc(0),
        InstanceDesc(0),
        ComponentDesc(0),
        CoreModuleDesc(0),
        TypeDesc(None),
        ValueDesc(None, U8),
    ]
    builders: list[Any] = [DeclBuilder(), ComponentBuilder()]
    for builder in builders:
        first = [builder.import_(N(f"a{i}"), desc) for i, desc in enumerate(descs)]
        second = [builder.import_(N(f"b{i}"), desc) for i, desc in enumerate(descs)]
        assert (first, second) == ([0] * 6, [1] * 6)


def test_a_type_declares_its_own_name_for_a_resource_type_of_the_component() -> None:
    outer = Scope(DeclBuilder())
    outer.name(THING, Entry(5))
    inner = Scope(DeclBuilder(), outer)
    inner.name(ResourceType(THING.id, THING), Entry(3))
    unrelated = ResourceType(THING.id)
    assert inner.find(unrelated) == 3
    assert outer.find(unrelated) == 5
