"""Types as a graph: what a type mentions, how deep it is, and that shared parts are met once."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from meldpy.errors import LimitError
from meldpy.model.core import CoreModule
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
from meldpy.model.ids import LiftId, ModuleId, ResourceId
from meldpy.model.linked import LiftFunc
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
from meldpy.resolver.nodes import Nodes, map_definition, mentions, reached
from meldpy.resolver.values import MAX_DEPTH, MAX_ITEMS, FuncValue, InstanceValue, ModuleValue, instance_value

U8 = PrimValType.U8
A, B = DefinedType(EnumType(("a",))), DefinedType(FlagsType(("b",)))
THING = ResourceType(ResourceId(0))

DEFINITIONS = [
    (U8, []),
    (FlagsType(("x",)), []),
    (EnumType(("x",)), []),
    (RecordType((Field("x", A), Field("y", B))), [A, B]),
    (VariantType((Case("x", A), Case("y", None), Case("z", B))), [A, B]),
    (ListType(A), [A]),
    (ListType(A, 3), [A]),
    (TupleType((A, B)), [A, B]),
    (OptionType(A), [A]),
    (ResultType(A, B), [A, B]),
    (ResultType(None, B), [B]),
    (ResultType(A, None), [A]),
    (ResultType(None, None), []),
    (MapType(A, B), [A, B]),
    (StreamType(A), [A]),
    (StreamType(None), []),
    (FutureType(A), [A]),
    (FutureType(None), []),
    (OwnType(THING), [THING]),
    (BorrowType(THING), [THING]),
]


@pytest.mark.parametrize(("definition", "mentioned"), DEFINITIONS)
def test_what_a_definition_mentions(definition: object, mentioned: list[TypeNode]) -> None:
    assert list(mentions(definition)) == mentioned  # type: ignore[arg-type]  # each is one
    whole = DefinedType(definition)  # type: ignore[arg-type]
    assert set(reached([whole])) == {whole, *mentioned}


@pytest.mark.parametrize(("definition", "mentioned"), DEFINITIONS)
def test_a_mapped_definition_mentions_what_it_is_mapped_to(definition: object, mentioned: list[TypeNode]) -> None:
    other, resource = DefinedType(EnumType(("o",))), ResourceType(ResourceId(9))
    mapped = map_definition(definition, lambda _: other, lambda _: resource)  # type: ignore[arg-type]
    assert type(mapped) is type(definition)
    assert list(mentions(mapped)) == [resource if part is THING else other for part in mentioned]
    same = map_definition(definition, lambda part: part, lambda part: part)
    assert same == definition


def named(*types: TypeNode) -> tuple[NamedExtern, ...]:
    return tuple(NamedExtern(ExternName(f"e{i}"), TypeExtern(type_)) for i, type_ in enumerate(types))


def test_reached_goes_through_names_functions_and_instances() -> None:
    alias = DefinedType(A.definition, A)
    renamed = ResourceType(THING.id, THING)
    lists, options = DefinedType(ListType(alias)), DefinedType(OptionType(B))
    func = FuncType((("p", lists),), options)
    value = NamedExtern(ExternName("v"), ValueExtern(B))
    instance = InstanceType((NamedExtern(ExternName("f"), func), *named(renamed)))

    def of(*roots: TypeNode) -> list[TypeNode]:
        return list(reached(roots))

    assert of(alias) == [alias, A]
    assert of(renamed) == [renamed, THING]
    assert set(of(func)) == {lists, alias, A, options, B}
    assert set(of(instance)) == {lists, alias, A, options, B, renamed, THING}
    assert set(of(ComponentType((value,), named(instance, A), ()))) == {*of(instance)}
    assert of(CoreModuleType(CoreModule(), ())) == of(U8) == []
    assert len(of(alias, alias, A, instance)) == 7, "each once"


def test_shared_parts_are_met_once() -> None:
    """2 to the 200th paths lead to the innermost type."""
    types: list[DefinedType] = [A]
    for _ in range(200):
        types.append(DefinedType(TupleType((types[-1], types[-1]))))
    assert set(reached([types[-1]])) == set(types)
    assert len(list(reached([types[-1]]))) == len(types)


def test_depth_counts_definitions_and_not_names() -> None:
    nodes = Nodes()
    flat = nodes.defined(ListType(U8))
    assert nodes.depth(U8) == 0
    assert nodes.depth(flat) == nodes.depth(THING) == nodes.depth(CoreModuleType(CoreModule(), ())) == 1
    assert nodes.depth(nodes.defined(EnumType(("a",)))) == 1
    deeper = nodes.defined(ResultType(U8, flat))
    assert nodes.depth(deeper) == 2
    for _ in range(3):
        deeper = nodes.defined(deeper.definition, deeper)
        assert nodes.depth(deeper) == 2
    func = nodes.func(FuncType((("p", flat), ("q", deeper), ("r", U8)), None))
    assert nodes.depth(func) == 3
    assert nodes.depth(nodes.func(FuncType((("p", U8),), deeper))) == 3
    assert nodes.depth(nodes.func(FuncType((), None))) == 1
    instance = nodes.instance((NamedExtern(ExternName("f"), func), *named(U8)))
    assert nodes.depth(instance) == 4
    for imports, exports in ((named(instance), ()), ((), named(instance))):
        assert nodes.depth(nodes.component(imports, exports, (True,))) == 5
    assert nodes.depth(nodes.instance(())) == 1


def test_the_deepest_type() -> None:
    nodes = Nodes()
    type_ = nodes.defined(ListType(U8))
    for _ in range(MAX_DEPTH - 1):
        type_ = nodes.defined(ListType(type_))
    assert nodes.depth(type_) == MAX_DEPTH == 100
    for make in (
        lambda: nodes.defined(ListType(type_)),
        lambda: nodes.func(FuncType((("p", type_),), None)),
        lambda: nodes.instance(named(type_)),
    ):
        with pytest.raises(LimitError, match="nested more than 100 deep"):
            make()


def test_only_value_and_resource_types_have_names() -> None:
    nodes = Nodes()
    flat, func = nodes.defined(ListType(U8)), nodes.func(FuncType((), None))
    alias = nodes.alias(flat)
    assert isinstance(alias, DefinedType)
    assert (alias.alias_of, alias.definition) == (flat, flat.definition)
    resource = nodes.alias(THING)
    assert isinstance(resource, ResourceType)
    assert (resource.alias_of, resource.id) == (THING, THING.id)
    assert nodes.alias(func) is func
    assert nodes.alias(U8) is U8


# --- instances as values ----------------------------------------------------------------------------------------------
FUNCTION = FuncValue(LiftFunc(LiftId(0)), FuncType((), None))


def of_items(items: Iterable[object]) -> InstanceValue:
    return instance_value({f"e{i}": (ExternName(f"e{i}"), item) for i, item in enumerate(items)})  # type: ignore[misc]


def test_an_instance_counts_what_is_inside() -> None:
    empty, two = of_items([]), of_items([FUNCTION, ModuleValue(ModuleId(0))])
    assert (empty.depth, empty.items, empty.imported) == (1, 1, None)
    assert (two.depth, two.items) == (1, 3)
    outer = of_items([two, FUNCTION, two, empty])
    assert (outer.depth, outer.items) == (2, 1 + 4 + 3 + 3 + 1)
    assert of_items([outer]).depth == 3


def test_instances_may_nest_to_the_limit() -> None:
    instance = of_items([])
    for _ in range(MAX_DEPTH - 1):
        instance = of_items([instance])
    assert instance.depth == MAX_DEPTH
    with pytest.raises(LimitError, match="100 deep"):
        of_items([instance])


def test_items_multiply_to_the_limit() -> None:
    inner, less = of_items([FUNCTION] * 999), of_items([FUNCTION] * 998)
    assert (inner.items, less.items) == (1000, 999)
    most = of_items([*[inner] * 49, less, FUNCTION])
    assert most.items == 1 + 51 + MAX_ITEMS - 1
    with pytest.raises(LimitError, match="more than 50000 items"):
        of_items([inner] * 50)
