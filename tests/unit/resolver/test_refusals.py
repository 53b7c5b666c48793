"""What `resolve` refuses: the closed list, and input that means nothing."""

from __future__ import annotations

import pytest

from meldpy.errors import DecodeError, LimitError, LinkError, MeldError, UnsupportedError
from meldpy.model.canon import CanonOpt, Lift, Lower, ResourceNew
from meldpy.model.component import (
    AliasDecl,
    AliasSection,
    CanonSection,
    Component,
    ComponentSection,
    CoreExportAlias,
    CoreInstanceSection,
    CoreInstantiate,
    CoreModuleSection,
    Export,
    ExportAlias,
    ExportDecl,
    ExportSection,
    FuncDesc,
    FuncTypeDef,
    Import,
    ImportSection,
    InlineExports,
    InstanceDesc,
    InstanceSection,
    InstanceTypeDef,
    Instantiate,
    OuterAlias,
    ResourceTypeDef,
    Section,
    Sort,
    SortIndex,
    Start,
    StartSection,
    TypeDecl,
    TypeDesc,
    TypeSection,
    Value,
    ValueDesc,
    ValueSection,
)
from meldpy.model.core import (
    CoreExport,
    CoreFuncType,
    CoreImport,
    CoreModule,
    CoreSort,
    FuncImportType,
    NumType,
    RecGroup,
    SubType,
)
from meldpy.model.extern import ExternName
from meldpy.model.ids import (
    ComponentIndex,
    CoreFuncIndex,
    CoreInstanceIndex,
    CoreModuleIndex,
    CoreTypeIndex,
    FuncIndex,
    InstanceIndex,
    TypeIndex,
)
from meldpy.model.valtype import ListType, OwnType, PrimValType
from meldpy.resolver import ResolveOptions, ResolverInput, resolve
from tests.unit.resolver.build import graph_of, graph_of_sections, link

N = ExternName
VOID = RecGroup((SubType(CoreFuncType((), ())),))


@pytest.mark.parametrize(
    ("wat", "feature"),
    [
        ('(component (import "c" (component)))', "imported component"),
        ('(component (import "i" (instance (export "j" (instance (export "c" (component)))))))', "imported component"),
        ('(component (component $c) (export "c" (component $c)))', "exported component"),
        ('(component (component $c) (instance $i (export "c" (component $c))) (export "i" (instance $i)))',
         "exported component"),
    ],
)  # fmt: skip
def test_what_cannot_cross_the_outer_boundary_is_refused(wat: str, feature: str) -> None:
    with pytest.raises(UnsupportedError) as caught:
        graph_of(wat)
    assert caught.value.feature == feature
    assert caught.value.remedy is not None
    assert caught.value.location is not None
    assert caught.value.location.offset is not None


def test_what_no_input_exports_cannot_cross_it_either() -> None:
    """Several inputs that import one component agree on its type; it is refused all the same."""
    wat = '(component (import "i" (instance (export "c" (component)))))'
    with pytest.raises(UnsupportedError, match=r"unsupported imported component: `i\.c` is") as caught:
        link({"a": wat, "b": wat})
    assert caught.value.remedy == "no engine gives a component to a root: give an input that exports it"
    assert caught.value.location is not None
    assert (caught.value.location.source, caught.value.location.offset) == ("a.wasm", 25)


def test_a_value_that_one_of_several_inputs_imports_is_refused_at_its_place() -> None:
    value = Component((ImportSection((Import(N("v"), ValueDesc(None, PrimValType.U8)),), (9,)),))
    inputs = [ResolverInput("a", "a.wasm", 0, value), ResolverInput("b", "b.wasm", 0, Component(()))]
    with pytest.raises(UnsupportedError, match="unsupported component-level values: `v` is") as caught:
        resolve(inputs, ResolveOptions())
    assert caught.value.location is not None
    assert (caught.value.location.source, caught.value.location.offset) == ("a.wasm", 9)


@pytest.mark.parametrize(
    ("section", "feature"),
    [
        (StartSection(Start(FuncIndex(0), (), 0), offset=9), "component start"),
        (ValueSection((Value(PrimValType.U8, b"\0"),), (9,)), "component-level values"),
        (ImportSection((Import(N("v"), ValueDesc(None, PrimValType.U8)),), (9,)), "component-level values"),
        (ExportSection((Export(N("v"), SortIndex(Sort.VALUE, 0)),), (9,)), "component-level values"),
    ],
)
def test_values_and_start_are_refused(section: Section, feature: str) -> None:
    with pytest.raises(UnsupportedError) as caught:
        graph_of_sections(section)
    assert caught.value.feature == feature
    assert caught.value.location is not None
    assert caught.value.location.offset == 9


def test_an_uninstantiated_component_may_hold_what_would_be_refused() -> None:
    inner = Component((StartSection(Start(FuncIndex(0), (), 0)),))
    assert graph_of_sections(ComponentSection(inner)).instances[0].parent is None


MODULE = CoreModuleSection(CoreModule(exports=(CoreExport("f", CoreSort.FUNC, 3),)))
NEEDY = CoreModuleSection(CoreModule(types=(VOID,), imports=(CoreImport("a", "b", FuncImportType(CoreTypeIndex(0))),)))
INSTANCE = CoreInstanceSection((CoreInstantiate(CoreModuleIndex(0), ()),))
F0, T0, I0, C0 = FuncIndex(0), TypeIndex(0), InstanceIndex(0), ComponentIndex(0)
IMPORTER = ComponentSection(Component((TypeSection((FuncTypeDef((), None),)),
                                       ImportSection((Import(N("f"), FuncDesc(T0)),)))))  # fmt: skip


@pytest.mark.parametrize(
    "sections",
    [
        (CanonSection((Lower(F0, ()),)),),
        (CanonSection((Lift(CoreFuncIndex(0), (), T0),)),),
        (CanonSection((ResourceNew(T0),)),),
        (TypeSection((FuncTypeDef((), None),)), CanonSection((ResourceNew(T0),))),
        (TypeSection((ListType(TypeIndex(7)),)),),
        (TypeSection((ListType(PrimValType.U8), OwnType(T0))),),
        (TypeSection((FuncTypeDef((("x", T0),), None),)),),
        (TypeSection((ResourceTypeDef(NumType.I32, CoreFuncIndex(4)),)),),
        (TypeSection((InstanceTypeDef((TypeDecl(ResourceTypeDef(NumType.I32)),)),)),),
        (TypeSection((InstanceTypeDef((ExportDecl(N("i"), InstanceDesc(T0)),)),)),),
        (ImportSection((Import(N("t"), TypeDesc(TypeIndex(9))),)),),
        (AliasSection((ExportAlias(Sort.FUNC, I0, "f"),)),),
        (InstanceSection((InlineExports(()),)), AliasSection((ExportAlias(Sort.FUNC, I0, "f"),))),
        (AliasSection((CoreExportAlias(Sort.CORE_FUNC, CoreInstanceIndex(0), "f"),)),),
        (AliasSection((OuterAlias(Sort.TYPE, 1, 0),)),),
        (AliasSection((OuterAlias(Sort.TYPE, 0, 0),)),),
        (AliasSection((OuterAlias(Sort.FUNC, 0, 0),)),),
        (INSTANCE,),
        (MODULE, INSTANCE, AliasSection((CoreExportAlias(Sort.CORE_FUNC, CoreInstanceIndex(0), "f"),))),
        (MODULE, INSTANCE, AliasSection((CoreExportAlias(Sort.CORE_FUNC, CoreInstanceIndex(0), "x"),))),
        (NEEDY, INSTANCE),
        (InstanceSection((Instantiate(C0, ()),)),),
        (IMPORTER, InstanceSection((Instantiate(C0, ()),))),
        (ComponentSection(Component(())), IMPORTER,
         InstanceSection((Instantiate(ComponentIndex(1), (("f", SortIndex(Sort.COMPONENT, 0)),)),))),
        (ExportSection((Export(N("f"), SortIndex(Sort.FUNC, 0)),)),),
        (ExportSection((Export(N("f"), SortIndex(Sort.CORE_FUNC, 0)),)),),
        (InstanceSection((InlineExports(()),)),
         ExportSection((Export(N("i"), SortIndex(Sort.INSTANCE, 0)), Export(N("i"), SortIndex(Sort.INSTANCE, 0))))),
        (TypeSection((FuncTypeDef((), None),)), ImportSection((Import(N("f"), FuncDesc(T0)),)),
         CanonSection((Lower(F0, (CanonOpt(0x03),)),))),
        (TypeSection((FuncTypeDef((), None),)), ImportSection((Import(N("f"), FuncDesc(T0)),)),
         CanonSection((Lower(F0, (CanonOpt(0x00), CanonOpt(0x01))),))),
        (TypeSection((FuncTypeDef((), None),)), ImportSection((Import(N("f"), FuncDesc(T0)),)),
         CanonSection((Lower(F0, (CanonOpt(0x77),)),))),
    ],
)  # fmt: skip
def test_what_means_nothing_is_an_error_with_a_place(sections: tuple[Section, ...]) -> None:
    with pytest.raises((DecodeError, LinkError)) as caught:
        graph_of_sections(*sections)
    assert caught.value.location is not None
    assert caught.value.location.source == "root.wasm"


def test_the_place_names_the_path_and_the_offset() -> None:
    inner = Component((CanonSection((Lower(F0, ()),), (77,)),))
    with pytest.raises(MeldError) as caught:
        graph_of_sections(ComponentSection(inner), InstanceSection((Instantiate(C0, ()),), (99,)))
    assert str(caught.value.location) == "root.wasm › component 0 (at offset 0x4d)"


def test_types_that_nest_too_deep_are_refused() -> None:
    chain = (ListType(PrimValType.U8), *(ListType(TypeIndex(i)) for i in range(99)))
    graph_of_sections(TypeSection(chain))
    with pytest.raises(LimitError, match="nested more than 100 deep"):
        graph_of_sections(TypeSection((*chain, ListType(TypeIndex(99)))))


def test_the_deepest_types_can_be_bound_and_compared() -> None:
    chain = " ".join(f"(type (list {i}))" for i in range(2, 94))
    declared = f"""(export "r" (type (sub resource))) (type (own 0)) (type (list 1))
      {chain}
      (export "deep" (type (eq 94))) (export "f" (func (param "x" 95)))"""
    inner = f'(component $c (import "i" (instance {declared})))'
    graph = graph_of(f"""(component (import "i" (instance $i {declared})) {inner}
      (instance (instantiate $c (with "i" (instance $i)))))""")
    assert len(graph.instances) == 2
    user = f'(component (import "i" (instance $i {declared})) (export "x" (instance $i)))'
    merged = link({"one": user, "two": user}, hides=("two:x",))
    assert len(merged.imports) == 1


def test_instances_that_nest_too_deep_are_refused() -> None:
    chain = [InlineExports(())]
    chain += [InlineExports(((N("i"), SortIndex(Sort.INSTANCE, i)),)) for i in range(150)]
    with pytest.raises(LimitError, match="nested more than 100 deep"):
        graph_of_sections(InstanceSection(tuple(chain)))


def test_instance_types_that_multiply_are_capped() -> None:
    # Each level declares the one below twice: 2^60 exports if spelled out.
    types: list[InstanceTypeDef] = [InstanceTypeDef((ExportDecl(N("t"), TypeDesc(None)),))]
    sections: list[Section] = [TypeSection(tuple(types))]
    for i in range(60):
        alias = OuterAlias(Sort.TYPE, 1, i)
        decls = (AliasDecl(alias), ExportDecl(N("a"), InstanceDesc(T0)), ExportDecl(N("b"), InstanceDesc(T0)))
        sections.append(TypeSection((InstanceTypeDef(decls),)))
    root = ResolverInput("root", "root.wasm", 0, Component(tuple(sections)))
    with pytest.raises(LimitError, match="evaluated definitions"):
        resolve([root], ResolveOptions(max_definitions=20_000))
