"""What one input imports and exports, found by evaluating it alone.

Several inputs are linked by looking at their surfaces first. The evaluation that finds them is thrown away: only
names, types and places are kept, and the types stand for themselves until `worldunion` and `link` replace them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import final

from meldpy.errors import Location
from meldpy.model.component import Import
from meldpy.model.extern import ExternName, ExternType, InstanceType, TypeExtern, TypeNode
from meldpy.model.linked import Input, OuterImport
from meldpy.records import dataclass
from meldpy.resolver.builder import Builder, Caps
from meldpy.resolver.evaluate import Evaluator
from meldpy.resolver.frame import Frame, Importer
from meldpy.resolver.inputs import ResolverInput
from meldpy.resolver.nodes import Nodes
from meldpy.resolver.outer import assumed_import, import_at_root
from meldpy.resolver.spaces import Place
from meldpy.resolver.values import ComponentScope, ComponentValue, Item, NamedItem


@final
@dataclass(frozen=True, slots=True)
class Surface:
    """imports: in order. exports: names in order. items: by name. owners: which import introduced a type node."""

    input: ResolverInput
    imports: tuple[OuterImport, ...]
    exports: tuple[ExternName, ...]
    locations: Mapping[str, Location]
    items: Mapping[str, NamedItem]
    owners: Mapping[TypeNode, int]


def root_frame(input_: ResolverInput, evaluator: Evaluator) -> Frame:
    """The frame of `input_` as the root component: its imports are the outer ones."""
    return _frame(input_, evaluator, lambda import_, scope: import_at_root(import_, scope, evaluator.types))


def _frame(input_: ResolverInput, evaluator: Evaluator, importer: Importer) -> Frame:
    place = Place(input_.source)
    instance = evaluator.builder.instance(None, input_.name, 0, place.at(input_.component.offset))
    return Frame(evaluator, ComponentValue(input_.component, None, place), instance, importer)


def _frame_alone(input_: ResolverInput, evaluator: Evaluator) -> Frame:
    """The same for a look at it alone: what it imports may be a component, which another input may export."""
    types = evaluator.types

    def bind(import_: Import, scope: ComponentScope) -> Item:
        type_ = types.declared(import_.desc, scope, import_.name.name)
        return assumed_import(import_.name, type_, scope.here, evaluator.builder)

    return _frame(input_, evaluator, bind)


def surface(input_: ResolverInput, caps: Caps, nodes: Nodes) -> Surface:
    """Evaluates `input_` alone. The same errors as for a single input."""
    builder = Builder((Input(input_.name, input_.source, input_.size),), caps)
    evaluator = Evaluator(builder, nodes)
    frame = evaluator.run(_frame_alone(input_, evaluator))
    owners = {node: number for number, import_ in enumerate(builder.imports) for node in introduced(import_.type)}
    names = tuple(name for name, _ in frame.exports.values())
    return Surface(input_, tuple(builder.imports), names, frame.locations, frame.exports, owners)


def is_demand(type_: ExternType) -> bool:
    """Whether something must be provided for an import of this type: a type that equals another follows from it."""
    return not isinstance(type_, TypeExtern) or type_.bound_resource


def introduced(type_: ExternType) -> Iterator[TypeNode]:
    """The type nodes that an import of this type introduces."""
    match type_:
        case TypeExtern():
            yield type_.type
        case InstanceType():
            for export in type_.exports:
                yield from introduced(export.type)
        case _:
            return
