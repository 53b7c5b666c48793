"""What the outer component is made of: sections, names, re-exports, type sharing, and the one kind of nesting."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

import pytest
from wasmtime import Engine
from wasmtime import component as wc

from meldpy.binary.encode import encode_component
from meldpy.errors import InternalError
from meldpy.model.component import (
    AliasSection,
    Component,
    ComponentSection,
    CoreModuleSection,
    Export,
    ExportDecl,
    ExportSection,
    ImportSection,
    InlineExports,
    InstanceSection,
    InstanceTypeDef,
    OuterAlias,
    Sort,
    TypeDef,
    TypeSection,
)
from meldpy.model.component import ExportAlias as Alias
from meldpy.model.extern import Attributes, ExternName, FuncType, InstanceType, NamedExtern, TypeExtern
from meldpy.model.ids import ImportFuncId, LiftId, ResourceId
from meldpy.model.linked import FuncItem, ImportFunc, InstanceItem, LiftFunc, LinkedGraph, TypeItem
from meldpy.model.valtype import (
    BorrowType,
    DefinedType,
    Field,
    ListType,
    OptionType,
    OwnType,
    PrimValType,
    RecordType,
    ResourceType,
    TupleType,
)
from meldpy.wrapper import wrap
from tests.support.hand_graph import hand_graph, renamed
from tests.support.stub_fused import stub_fused

NO_PARAMS = FuncType((), None)


def name(text: str) -> ExternName:
    return ExternName(text)


def wrapped(graph: LinkedGraph) -> Component:
    return wrap(graph, stub_fused(graph))


def compiles(component: Component) -> None:
    wc.Component(Engine(), bytes(encode_component(component)))


def exports_of(component: Component) -> Iterator[Export]:
    for section in component.sections:
        if isinstance(section, ExportSection):
            yield from section.items


def types_of(component: Component) -> list[TypeDef]:
    """All type definitions of the component, those of instance types aside."""
    return [t for section in component.sections if isinstance(section, TypeSection) for t in section.items]


def resource_interface(annotated: bool) -> LinkedGraph:
    defined = ResourceType(ResourceId(0))
    r = renamed(defined)
    make = FuncType((), DefinedType(OwnType(r)))
    use = FuncType((("self", DefinedType(BorrowType(r))),), None)
    names = ("[constructor]r", "[method]r.use") if annotated else ("make", "use")
    item = InstanceItem(
        (
            (name("r"), TypeItem(r)),
            (name(names[0]), FuncItem(LiftFunc(LiftId(0)), make)),
            (name(names[1]), FuncItem(LiftFunc(LiftId(1)), use)),
        )
    )
    return hand_graph(lifts=(make, use), exports=((name("a:b/c"), item),), defined=(True,))


def test_no_component_is_nested_for_plain_names() -> None:
    component = wrapped(resource_interface(annotated=False))
    compiles(component)
    assert not [s for s in component.sections if isinstance(s, ComponentSection)]


def test_component_for_annotated_names_has_only_types_and_names() -> None:
    component = wrapped(resource_interface(annotated=True))
    compiles(component)
    (nested,) = [s.component for s in component.sections if isinstance(s, ComponentSection)]
    assert {type(s) for s in nested.sections} == {TypeSection, ImportSection, ExportSection}
    assert [e.name.name for e in exports_of(nested)] == ["r", "[constructor]r", "[method]r.use"]


def test_neighbouring_sections_differ_in_kind() -> None:
    kinds = [type(section) for section in wrapped(resource_interface(annotated=False)).sections]
    assert {a for a, b in pairwise(kinds) if a is b} == {CoreModuleSection}


def test_attributes_of_names_are_kept() -> None:
    implements = ExternName("here", Attributes(0x02, implements="a:b/c@1.0.0", order=(0,)))
    suffixed = ExternName("a:b/d@1", Attributes(0x02, version_suffix=".2.3", external_id="id", order=(2, 1)))
    inner = ExternName("f", Attributes(0x02, external_id="inner", order=(2,)))
    type_ = InstanceType((NamedExtern(inner, NO_PARAMS),))
    item = InstanceItem(((inner, FuncItem(LiftFunc(LiftId(0)), NO_PARAMS)),))
    graph = hand_graph(imports=((implements, type_),), lifts=(NO_PARAMS,), exports=((suffixed, item),))
    component = wrapped(graph)
    (imported,) = [i for s in component.sections if isinstance(s, ImportSection) for i in s.items]
    (exported,) = exports_of(component)
    assert imported.name == implements
    assert exported.name == suffixed
    instance_types = [t for t in types_of(component) if isinstance(t, InstanceTypeDef)]
    declared = [d.name for t in instance_types for d in t.decls if isinstance(d, ExportDecl)]
    assert declared == [inner, inner]
    (bag,) = [i for s in component.sections if isinstance(s, InstanceSection) for i in s.items]
    assert isinstance(bag, InlineExports)
    assert [exported_name for exported_name, _ in bag.exports] == [inner]


def test_an_imported_instance_is_exported_as_it_is() -> None:
    record = renamed(DefinedType(RecordType((Field("x", PrimValType.U8),))))
    inner = InstanceType((NamedExtern(name("r"), TypeExtern(record)), NamedExtern(name("f"), NO_PARAMS)))
    type_ = InstanceType((NamedExtern(name("inner"), inner),))
    members = ((name("r"), TypeItem(record)), (name("f"), FuncItem(ImportFunc(ImportFuncId(0)), NO_PARAMS)))
    graph = hand_graph(
        imports=((name("a:b/c"), type_),),
        import_funcs=((0, ("inner", "f"), NO_PARAMS),),
        exports=((name("a:b/e"), InstanceItem(members, imported=(0, ("inner",)))),),
    )
    component = wrapped(graph)
    (exported,) = exports_of(component)
    aliases = [a for s in component.sections if isinstance(s, AliasSection) for a in s.items]
    assert exported.desc is None
    assert exported.item.sort is Sort.INSTANCE
    assert exported.item.index == 1
    assert [a.name for a in aliases if isinstance(a, Alias) and a.sort is Sort.INSTANCE] == ["inner"]


def test_an_imported_instance_exported_in_part_is_ascribed() -> None:
    type_ = InstanceType((NamedExtern(name("f"), NO_PARAMS), NamedExtern(name("g"), NO_PARAMS)))
    item = InstanceItem(((name("f"), FuncItem(ImportFunc(ImportFuncId(0)), NO_PARAMS)),), imported=(0, ()))
    graph = hand_graph(
        imports=((name("a:b/c"), type_),), import_funcs=((0, ("f",), NO_PARAMS),), exports=((name("d"), item),)
    )
    (exported,) = exports_of(wrapped(graph))
    assert exported.desc is not None


def test_an_exported_type_that_uses_another_is_equated_with_it() -> None:
    """`use types.{r}` in an exported interface: its r is the r of the other export, reached by an outer alias."""
    first = renamed(DefinedType(RecordType((Field("x", PrimValType.U8),))))
    second = renamed(first)
    graph = hand_graph(
        exports=(
            (name("a:b/types"), InstanceItem(((name("r"), TypeItem(first)),))),
            (name("a:b/user"), InstanceItem(((name("r"), TypeItem(second)),))),
        )
    )
    component = wrapped(graph)
    compiles(component)
    _, user = [t for t in types_of(component) if isinstance(t, InstanceTypeDef)]
    assert isinstance(getattr(user.decls[0], "alias", None), OuterAlias)


def test_independent_names_of_one_definition_stay_independent() -> None:
    definition = DefinedType(RecordType((Field("x", PrimValType.U8),)))
    graph = hand_graph(
        exports=(
            (name("a:b/c"), InstanceItem(((name("r"), TypeItem(renamed(definition))),))),
            (name("a:b/d"), InstanceItem(((name("r"), TypeItem(renamed(definition))),))),
        )
    )
    component = wrapped(graph)
    compiles(component)
    for type_ in types_of(component):
        if isinstance(type_, InstanceTypeDef):
            assert not [d for d in type_.decls if isinstance(getattr(d, "alias", None), OuterAlias)]


def test_a_function_over_an_unnamed_node_finds_the_name_of_its_definition() -> None:
    """A lift's own type may mention the definition where the world names an alias of it."""
    definition = DefinedType(RecordType((Field("x", PrimValType.U8),)))
    func = FuncType((("r", DefinedType(ListType(definition))),), None)
    item = InstanceItem(((name("r"), TypeItem(renamed(definition))), (name("f"), FuncItem(LiftFunc(LiftId(0)), func))))
    compiles(wrapped(hand_graph(lifts=(func,), exports=((name("a:b/c"), item),))))


def test_shared_types_are_written_once() -> None:
    """As a tree this type has 2^60 leaves."""
    type_ = DefinedType(ListType(PrimValType.U8))
    for _ in range(60):
        type_ = DefinedType(TupleType((type_, type_)))
    component = wrapped(hand_graph(exports=((name("t"), TypeItem(renamed(type_))),)))
    assert len(types_of(component)) == 61


def test_types_as_deep_as_engines_allow_are_written() -> None:
    type_ = DefinedType(OptionType(PrimValType.U8))
    for _ in range(95):
        type_ = DefinedType(OptionType(type_))
    component = wrapped(hand_graph(exports=((name("t"), TypeItem(renamed(type_))),)))
    compiles(component)
    assert len(types_of(component)) == 96


def test_a_resource_type_from_nowhere_is_our_own_error() -> None:
    func = FuncType((("r", DefinedType(BorrowType(ResourceType(ResourceId(0))))),), None)
    graph = hand_graph(lifts=(func,), exports=((name("f"), FuncItem(LiftFunc(LiftId(0)), func)),), defined=(False,))
    with pytest.raises(InternalError, match="neither imported nor defined"):
        wrapped(graph)


def test_a_type_of_another_scope_is_aliased_once() -> None:
    record = renamed(DefinedType(RecordType((Field("x", PrimValType.U8),))))
    func = FuncType((("a", record), ("b", DefinedType(ListType(record)))), record)
    user = InstanceItem(((name("f"), FuncItem(LiftFunc(LiftId(0)), func)),))
    types = InstanceItem(((name("r"), TypeItem(record)),))
    component = wrapped(hand_graph(lifts=(func,), exports=((name("a:b/types"), types), (name("a:b/user"), user))))
    compiles(component)
    *_, last = [t for t in types_of(component) if isinstance(t, InstanceTypeDef)]
    assert len([d for d in last.decls if isinstance(getattr(d, "alias", None), OuterAlias)]) == 1


def test_names_for_one_definition_are_written_as_one_where_names_do_not_matter() -> None:
    definition = DefinedType(TupleType((PrimValType.U8, PrimValType.CHAR)))
    func = FuncType((("a", renamed(definition)), ("b", definition)), None)
    component = wrapped(hand_graph(lifts=(func,), exports=((name("f"), FuncItem(LiftFunc(LiftId(0)), func)),)))
    compiles(component)
    tuples = [t for t in types_of(component) if isinstance(t, TupleType)]
    assert len(tuples) == 2  # once for the lift, once for the world
