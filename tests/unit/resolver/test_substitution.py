"""Types under a substitution: what it touches is new, in every kind of type; what it does not stays the very node."""

from __future__ import annotations

import pytest

from meldpy.model.core import CoreModule
from meldpy.model.extern import (
    ComponentType,
    CoreModuleType,
    ExternName,
    ExternType,
    FuncType,
    InstanceType,
    NamedExtern,
    TypeExtern,
    ValueExtern,
)
from meldpy.model.ids import ResourceId
from meldpy.model.valtype import DefinedType, ListType, OwnType, PrimValType, ResourceType
from meldpy.resolver.nodes import Nodes, node_of, reached
from meldpy.resolver.substitute import Substitution

U8 = PrimValType.U8
OLD, NEW = ResourceType(ResourceId(0)), ResourceType(ResourceId(1))


class Types:
    """Nodes that mention OLD in all ways, and others that do not mention it."""

    def __init__(self) -> None:
        self.nodes = Nodes()
        self.counted = 0
        self.substitution = Substitution(self.nodes, self._count)

    def _count(self) -> None:
        self.counted += 1

    def kinds(self, resource: ResourceType) -> list[ExternType]:
        nodes = self.nodes
        own = nodes.defined(OwnType(resource))
        alias = nodes.alias(own)
        assert isinstance(alias, DefinedType)
        func = nodes.func(FuncType((("p", U8), ("q", alias)), None))
        returning = nodes.func(FuncType((), nodes.defined(ListType(own))))
        inner = nodes.instance((NamedExtern(ExternName("f"), func), NamedExtern(ExternName("t"), TypeExtern(own))))
        outer = nodes.instance((NamedExtern(ExternName("i"), inner), NamedExtern(ExternName("v"), ValueExtern(own))))
        imports, exports = (NamedExtern(ExternName("a"), returning),), (NamedExtern(ExternName("b"), outer),)
        plain = (NamedExtern(ExternName("c"), nodes.func(FuncType((), None))),)
        return [
            TypeExtern(resource, True),
            TypeExtern(own),
            TypeExtern(alias),
            ValueExtern(alias),
            func,
            returning,
            inner,
            outer,
            nodes.component(imports, plain, (True, False)),
            nodes.component(plain, exports, (True, False)),
        ]


def mentioned(type_: ExternType) -> set[ResourceId]:
    return {node.id for node in reached([node_of(type_)]) if isinstance(node, ResourceType)}


@pytest.mark.parametrize("number", range(10))
def test_what_mentions_a_mapped_type_mentions_the_other_afterwards(number: int) -> None:
    types = Types()
    type_ = types.kinds(OLD)[number]
    assert mentioned(type_) == {OLD.id}
    types.substitution.map[OLD] = NEW
    made = types.substitution.extern(type_)
    assert type(made) is type(type_)
    assert mentioned(made) == {NEW.id}
    assert mentioned(type_) == {OLD.id}
    again = types.substitution.extern(type_)
    assert node_of(again) is node_of(made), "each node is mapped once"
    if isinstance(made, TypeExtern):
        assert isinstance(type_, TypeExtern)
        assert made.bound_resource == type_.bound_resource


@pytest.mark.parametrize("number", range(10))
def test_what_does_not_stays_what_it_is(number: int) -> None:
    types = Types()
    type_ = types.kinds(NEW)[number]
    types.substitution.map[OLD] = NEW
    assert types.substitution.extern(type_) is type_
    module = CoreModuleType(CoreModule(), ())
    assert types.substitution.extern(module) is module
    assert types.substitution.node(U8) is U8


def test_names_of_names_keep_their_order() -> None:
    types = Types()
    chain: list[ResourceType] = [OLD]
    for _ in range(4):
        chain.append(ResourceType(OLD.id, chain[-1]))
    types.substitution.map[OLD] = NEW
    last: ResourceType | None = types.substitution.resource(chain[-1])
    made = []
    while last is not None:
        made.append(last)
        last = last.alias_of
    assert [each.id for each in made] == [NEW.id] * 5
    assert made[-1] is NEW
    assert made == [types.substitution.resource(each) for each in reversed(chain)]
    half = types.substitution.resource(chain[2])
    assert types.substitution.resource(chain[3]).alias_of is half


def test_every_step_counts() -> None:
    """So that expansion can be capped."""
    types = Types()
    instance = types.kinds(OLD)[7]
    types.substitution.map[OLD] = NEW
    types.substitution.extern(instance)
    first = types.counted
    assert first >= 6
    types.substitution.extern(instance)
    assert types.counted == first, "and what is known costs nothing"


def test_a_function_type_over_other_types_keeps_its_labels() -> None:
    types = Types()
    own = types.nodes.defined(OwnType(OLD))
    func = types.nodes.func(FuncType((("a", own), ("b", U8)), own, async_=True))
    types.substitution.map[OLD] = NEW
    made = types.substitution.func(func)
    assert [label for label, _ in made.params] == ["a", "b"]
    assert made.async_
    assert made.params[0][1] is made.result
    instance = InstanceType((NamedExtern(ExternName("f"), func),))
    assert [export.name.name for export in types.substitution.instance(instance).exports] == ["f"]
    component = ComponentType((NamedExtern(ExternName("g"), func),), (), (True,))
    assert types.substitution.component(component).interleaved == (True,)
