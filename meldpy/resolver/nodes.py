"""Type nodes: making them, walking them, and keeping them shallow.

A node is a type under one name; see `model.valtype`. Every node is made here, so that none nests deeper than
MAX_DEPTH and recursion over types is safe everywhere else. Definition lists are turned into nodes by `types`,
nodes into other nodes by `substitute`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from typing import TypeVar, assert_never, final

from meldpy.errors import LimitError
from meldpy.model.extern import (
    ComponentType,
    CoreModuleType,
    ExternType,
    FuncType,
    InstanceType,
    NamedExtern,
    TypeExtern,
    TypeNode,
    ValueExtern,
)
from meldpy.model.valtype import (
    BorrowType,
    Case,
    DefinedType,
    DefValType,
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
    ValType,
    VariantType,
)
from meldpy.resolver.values import MAX_DEPTH

T = TypeVar("T")
U = TypeVar("U")
R = TypeVar("R")
S = TypeVar("S")
N = TypeVar("N", DefinedType, FuncType, InstanceType, ComponentType)


def map_definition(
    definition: DefValType[T, R], value: Callable[[T], U], resource: Callable[[R], S]
) -> DefValType[U, S]:
    """The same definition with every mentioned type replaced: `value` for value types, `resource` behind own/borrow."""

    def opt(type_: T | None) -> U | None:
        return None if type_ is None else value(type_)

    match definition:
        case PrimValType() | FlagsType() | EnumType():
            return definition
        case RecordType():
            return RecordType(tuple(Field(f.label, value(f.type)) for f in definition.fields))
        case VariantType():
            return VariantType(tuple(Case(c.label, opt(c.type)) for c in definition.cases))
        case ListType():
            return ListType(value(definition.element), definition.length)
        case TupleType():
            return TupleType(tuple(value(t) for t in definition.types))
        case OptionType():
            return OptionType(value(definition.type))
        case ResultType():
            return ResultType(opt(definition.ok), opt(definition.error))
        case MapType():
            return MapType(value(definition.key), value(definition.value))
        case OwnType():
            return OwnType(resource(definition.resource))
        case BorrowType():
            return BorrowType(resource(definition.resource))
        case StreamType():
            return StreamType(opt(definition.element))
        case FutureType():
            return FutureType(opt(definition.element))
        case _:
            assert_never(definition)


def mentions(definition: DefValType[ValType, ResourceType]) -> Iterator[ValType | ResourceType]:
    """The types that a definition mentions, in order."""
    match definition:
        case PrimValType() | FlagsType() | EnumType():
            return
        case RecordType():
            yield from (f.type for f in definition.fields)
        case VariantType():
            yield from (c.type for c in definition.cases if c.type is not None)
        case TupleType():
            yield from definition.types
        case ListType() | StreamType() | FutureType():
            if definition.element is not None:
                yield definition.element
        case OptionType():
            yield definition.type
        case ResultType():
            yield from (t for t in (definition.ok, definition.error) if t is not None)
        case MapType():
            yield definition.key
            yield definition.value
        case OwnType() | BorrowType():
            yield definition.resource
        case _:
            assert_never(definition)


def func_mentions(type_: FuncType) -> Iterator[ValType]:
    yield from (t for _, t in type_.params)
    if type_.result is not None:
        yield type_.result


def node_of(type_: ExternType) -> TypeNode:
    """The node that an extern type is, or (for a type) that it bounds."""
    match type_:
        case TypeExtern():
            return type_.type
        case ValueExtern():
            return type_.type
        case _:
            return type_


@final
class Nodes:
    """Makes nodes, none of them too deep."""

    def __init__(self) -> None:
        self._depths: dict[TypeNode, int] = {}

    def defined(
        self, definition: DefValType[ValType, ResourceType], alias_of: DefinedType | None = None
    ) -> DefinedType:
        node = DefinedType(definition, alias_of)
        if alias_of is not None:
            self._depths[node] = self.depth(alias_of)
        else:
            self._note(node, max((self.depth(t) for t in mentions(definition)), default=0))
        return node

    def alias(self, node: TypeNode) -> TypeNode:
        """Another name for `node`; kinds of types that no name distinguishes stay what they are."""
        match node:
            case DefinedType():
                return self.defined(node.definition, node)
            case ResourceType():
                return ResourceType(node.id, node)
            case _:
                return node

    def func(self, type_: FuncType) -> FuncType:
        return self._note(type_, max((self.depth(t) for t in func_mentions(type_)), default=0))

    def instance(self, exports: tuple[NamedExtern, ...]) -> InstanceType:
        return self._note(InstanceType(exports), self._deepest(exports))

    def component(
        self, imports: tuple[NamedExtern, ...], exports: tuple[NamedExtern, ...], interleaved: tuple[bool, ...]
    ) -> ComponentType:
        return self._note(ComponentType(imports, exports, interleaved), self._deepest((*imports, *exports)))

    def depth(self, node: TypeNode) -> int:
        """How deep `node` nests; a name for a type adds nothing."""
        match node:
            case PrimValType():
                return 0
            case ResourceType() | CoreModuleType():
                return 1
            case _:
                return self._depths[node]

    def _deepest(self, externs: tuple[NamedExtern, ...]) -> int:
        return max((self.depth(node_of(e.type)) for e in externs), default=0)

    def _note(self, node: N, inner: int) -> N:
        if inner >= MAX_DEPTH:
            raise LimitError(f"types are nested more than {MAX_DEPTH} deep", remedy="flatten the nesting of types")
        self._depths[node] = inner + 1
        return node


def names_of(node: TypeNode) -> Iterator[TypeNode]:
    """`node` and what it is another name of, outermost name first."""
    yield node
    while isinstance(node, DefinedType | ResourceType) and node.alias_of is not None:
        node = node.alias_of
        yield node


def reached(roots: Iterable[TypeNode], stops: Collection[TypeNode] = ()) -> Iterator[DefinedType | ResourceType]:
    """Every named or nameable type that `roots` mention, the names they are names of included; each once.

    Not what is mentioned only by one of `stops`.
    """
    seen: set[TypeNode] = set()
    work: list[TypeNode] = list(roots)
    while work:
        node = work.pop()
        if isinstance(node, PrimValType) or node in seen:
            continue
        seen.add(node)
        match node:
            case DefinedType() | ResourceType():
                yield node
                if node in stops:
                    continue
                if node.alias_of is not None:
                    work.append(node.alias_of)
                if isinstance(node, DefinedType):
                    work += mentions(node.definition)
            case FuncType():
                work += func_mentions(node)
            case InstanceType():
                work += (node_of(e.type) for e in node.exports)
            case ComponentType():
                work += (node_of(e.type) for e in (*node.imports, *node.exports))
            case CoreModuleType():
                pass
            case _:
                assert_never(node)
