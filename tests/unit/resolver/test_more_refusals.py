"""Definitions that text cannot say and that mean nothing, each with what is said of it; and options that are read."""

from __future__ import annotations

from dataclasses import replace

import pytest

from meldpy.errors import DecodeError, LinkError
from meldpy.model.canon import CanonOpt, Lift
from meldpy.model.component import (
    AliasDecl,
    AliasSection,
    CanonSection,
    Component,
    ComponentSection,
    ComponentTypeDef,
    CoreExportAlias,
    CoreInlineExports,
    CoreInstanceSection,
    CoreInstantiate,
    CoreModuleDesc,
    CoreModuleSection,
    CoreTypeDecl,
    Export,
    ExportAlias,
    ExportDecl,
    ExportSection,
    FuncDesc,
    FuncTypeDef,
    Import,
    ImportDecl,
    ImportSection,
    InlineExports,
    InstanceDesc,
    InstanceSection,
    InstanceTypeDef,
    Instantiate,
    OuterAlias,
    Section,
    Sort,
    SortIndex,
    TypeDecl,
    TypeDesc,
    TypeSection,
)
from meldpy.model.core import Code, CoreExport, CoreFuncType, CoreModule, CoreSort, RecGroup, SubType
from meldpy.model.extern import ExternName
from meldpy.model.ids import (
    ComponentIndex,
    CoreFuncIndex,
    CoreInstanceIndex,
    CoreModuleIndex,
    CoreTypeIndex,
    FuncId,
    FuncIndex,
    InstanceIndex,
    TypeIndex,
)
from meldpy.model.valtype import ListType, PrimValType
from tests.unit.resolver.build import graph_of_sections

N = ExternName
T0, C0, I0 = TypeIndex(0), ComponentIndex(0), InstanceIndex(0)
VOID = RecGroup((SubType(CoreFuncType((), ())),))
FUNC = FuncTypeDef((), None)
IMPORTED = (TypeSection((FUNC,)), ImportSection((Import(N("f"), FuncDesc(T0)),)))
FUNCTIONS = CoreModule(
    types=(VOID,),
    funcs=(CoreTypeIndex(0), CoreTypeIndex(0)),
    exports=(CoreExport("a", CoreSort.FUNC, 0), CoreExport("b", CoreSort.FUNC, 1)),
    code=Code(2, b"\x02\x00\x0b\x02\x00\x0b"),
)
INSTANTIATED = (
    CoreModuleSection(FUNCTIONS),
    CoreInstanceSection((CoreInstantiate(CoreModuleIndex(0), ()),)),
    AliasSection(
        tuple(CoreExportAlias(Sort.CORE_FUNC, CoreInstanceIndex(0), name) for name in ("a", "b")),
    ),
)


@pytest.mark.parametrize(
    ("sections", "reason"),
    [
        ((TypeSection((InstanceTypeDef((TypeDecl(FUNC), ImportDecl(N("f"), FuncDesc(T0)))),)),),
         "an instance type declares the import `f`"),
        ((*INSTANTIATED, CoreInstanceSection((CoreInlineExports(tuple(
            ("x", SortIndex(Sort.CORE_FUNC, i)) for i in (0, 1))),))), "a core instance exports `x` twice"),
        ((*IMPORTED, CoreInstanceSection((CoreInlineExports((("x", SortIndex(Sort.FUNC, 0)),)),))),
         "a core instance cannot export a func"),
        ((*INSTANTIATED, AliasSection((CoreExportAlias(Sort.CORE_TABLE, CoreInstanceIndex(0), "a"),))),
         "exports `a` as core func, not as core table"),
        ((TypeSection((ComponentTypeDef((CoreTypeDecl(VOID), ImportDecl(N("m"), CoreModuleDesc(T0)))),)),),  # type: ignore[arg-type]
         "core type 0 is not a core module type"),
        ((*IMPORTED, ImportSection((Import(N("i"), InstanceDesc(T0)),))), "type 0 is not an instance type"),
        ((TypeSection((ListType(PrimValType.U8),)),
          ExportSection((Export(N("t"), SortIndex(Sort.TYPE, 0), TypeDesc(None)),))),
         "export `t` is ascribed `(sub resource)` but is no resource type"),
        ((TypeSection((ListType(PrimValType.U8), FUNC)),
          ExportSection((Export(N("t"), SortIndex(Sort.TYPE, 0), FuncDesc(TypeIndex(1))),))),
         "export `t` is a type but ascribed another sort"),
        ((TypeSection((ListType(PrimValType.U8), FUNC)),
          ExportSection((Export(N("t"), SortIndex(Sort.TYPE, 0), TypeDesc(TypeIndex(1))),))),
         "export `t` is ascribed another kind of type than it has"),
        ((*IMPORTED, InstanceSection((InlineExports(tuple((N("x"), SortIndex(Sort.FUNC, 0)) for _ in range(2))),))),
         "an instance exports `x` twice"),
        ((ComponentSection(Component(())), InstanceSection((InlineExports(((N("c"), SortIndex(Sort.COMPONENT, 0)),)),)),
          AliasSection((ExportAlias(Sort.FUNC, I0, "c"),))), "exports `c` as component, not as func"),
        ((*IMPORTED, InstanceSection((InlineExports(((N("f"), SortIndex(Sort.FUNC, 0)),)),)),
          AliasSection((ExportAlias(Sort.COMPONENT, I0, "f"),))), "exports `f` as func, not as component"),
        ((*IMPORTED, InstanceSection((InlineExports(((N("f"), SortIndex(Sort.FUNC, 0)),)),)),
          AliasSection((ExportAlias(Sort.CORE_MODULE, I0, "f"),))), "exports `f` as func, not as core module"),
        ((*IMPORTED, ComponentSection(Component(())),
          InstanceSection((Instantiate(C0, tuple(("f", SortIndex(Sort.FUNC, 0)) for _ in range(2))),))),
         "argument `f` is given twice"),
        ((TypeSection((InstanceTypeDef((AliasDecl(OuterAlias(Sort.COMPONENT, 0, 0)),)),)),),
         "a type cannot alias a component"),
        ((TypeSection((InstanceTypeDef((TypeDecl(InstanceTypeDef(())), ExportDecl(N("i"), InstanceDesc(T0)),
                                        AliasDecl(ExportAlias(Sort.TYPE, I0, "none")))),)),),
         "instance 0 exports no type `none`"),
        ((CoreModuleSection(replace(FUNCTIONS, exports=(CoreExport("a", CoreSort.FUNC, 0),) * 2)),
          CoreInstanceSection((CoreInstantiate(CoreModuleIndex(0), ()),))), "twice"),
    ],
)  # fmt: skip
def test_what_is_said_of_what_means_nothing(sections: tuple[Section, ...], reason: str) -> None:
    with pytest.raises((DecodeError, LinkError)) as caught:
        graph_of_sections(*sections)
    assert reason in str(caught.value)
    assert caught.value.location is not None


def test_an_instance_inside_a_type_can_be_aliased_and_used() -> None:
    """What an alias inside an instance type adds has an index: the second alias counts on the first."""
    innermost = InstanceTypeDef((TypeDecl(ListType(PrimValType.U8)), ExportDecl(N("t"), TypeDesc(T0))))
    inner = InstanceTypeDef((TypeDecl(innermost), ExportDecl(N("j"), InstanceDesc(T0))))
    outer = InstanceTypeDef(
        (
            TypeDecl(inner),
            ExportDecl(N("i"), InstanceDesc(T0)),
            AliasDecl(ExportAlias(Sort.INSTANCE, I0, "j")),
            AliasDecl(ExportAlias(Sort.TYPE, InstanceIndex(1), "t")),
            ExportDecl(N("again"), TypeDesc(TypeIndex(1))),
        )
    )
    graph = graph_of_sections(TypeSection((outer,)), ImportSection((Import(N("x"), InstanceDesc(T0)),)))
    (import_,) = graph.imports
    exports = {export.name.name: export.type for export in import_.type.exports}  # type: ignore[union-attr]
    assert list(exports) == ["i", "again"]
    innermost_type = exports["i"].exports[0].type.exports[0].type.type  # type: ignore[union-attr]
    assert exports["again"].type.definition == innermost_type.definition == ListType(PrimValType.U8)  # type: ignore[union-attr]


@pytest.mark.parametrize("opcode", [0x0A, 0x77])
def test_an_option_that_nobody_knows_is_no_other(opcode: int) -> None:
    with pytest.raises(DecodeError, match="unknown canonical option"):
        graph_of_sections(
            *INSTANTIATED,
            TypeSection((FUNC,)),
            CanonSection((Lift(CoreFuncIndex(0), (CanonOpt(opcode, CoreFuncIndex(1)),), T0),)),
        )


def test_every_canonical_option_is_read() -> None:
    options = (CanonOpt(0x06), CanonOpt(0x07, CoreFuncIndex(1)), CanonOpt(0x01))
    graph = graph_of_sections(
        *INSTANTIATED,
        TypeSection((FuncTypeDef((), None, True),)),
        CanonSection((Lift(CoreFuncIndex(0), options, T0),)),
        ExportSection((Export(N("f"), SortIndex(Sort.FUNC, FuncIndex(0))),)),
    )
    (lift,) = graph.lifts
    assert lift.options.async_
    assert lift.options.string_encoding.name == "UTF16"
    assert isinstance(lift.core_func, FuncId)
    assert lift.options.callback == replace(lift.core_func, index=CoreFuncIndex(1))
    assert (lift.options.realloc, lift.options.post_return) == (None, None)
