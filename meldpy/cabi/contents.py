"""What a type contains, anywhere inside it. Spec: CanonicalABI.md "Type Predicates"."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import Flag, auto
from typing import assert_never, final

from meldpy.cabi.despecialize import Shapes
from meldpy.model.ids import ResourceId
from meldpy.model.valtype import (
    BorrowType,
    DefinedType,
    FlagsType,
    FutureType,
    ListType,
    OwnType,
    PrimValType,
    RecordType,
    StreamType,
    ValType,
    VariantType,
)


class Content(Flag):
    """POINTER: a string or a list whose content lies elsewhere in memory. ASYNC: stream, future or error-context.

    What streams and futures carry is no part of a value that holds their ends, but for what is async itself.
    """

    NONE = 0
    STRING = auto()
    POINTER = auto()
    OWN = auto()
    BORROW = auto()
    STREAM = auto()
    FUTURE = auto()
    ERROR_CONTEXT = auto()

    HANDLE = OWN | BORROW
    ASYNC = STREAM | FUTURE | ERROR_CONTEXT


@final
class Contents:
    """Memo of what each node contains, and of which resource types its handles name."""

    def __init__(self, shapes: Shapes) -> None:
        self._shapes = shapes
        self._memo: dict[DefinedType, Content] = {}

    def content(self, type: ValType) -> Content:
        if isinstance(type, PrimValType):
            return _primitive(type)
        content = self._memo.get(type)
        if content is None:
            content = self._memo[type] = self._compute(type)
        return content

    def of(self, types: Iterable[ValType]) -> Content:
        content = Content.NONE
        for type in types:
            content |= self.content(type)
        return content

    def resources(self, types: Iterable[ValType], kind: Content = Content.HANDLE) -> tuple[ResourceId, ...]:
        """The resource types that handles of `kind` inside `types` name, each once, in order of first mention."""
        found: dict[ResourceId, None] = {}
        for type in self.mentioned(types):
            shape = self._shapes.shape(type)
            if isinstance(shape, OwnType | BorrowType) and self.content(type) & kind:
                found[shape.resource.id] = None
        return tuple(found)

    def mentioned(self, types: Iterable[ValType]) -> Iterator[DefinedType]:
        """Every defined type inside `types`, themselves included, each once, in order of first mention."""
        seen: set[DefinedType] = set()
        stack = list(types)[::-1]
        while stack:
            type = stack.pop()
            if isinstance(type, PrimValType) or type in seen:
                continue
            seen.add(type)
            yield type
            stack += self._children(type)[::-1]

    # --- inside -----------------------------------------------------------------------------------------------
    def _compute(self, type: DefinedType) -> Content:
        inside = self.of(self._children(type))
        match self._shapes.shape(type):
            case PrimValType() as primitive:
                return _primitive(primitive)
            case ListType(_, None):
                return inside | Content.POINTER
            case OwnType():
                return Content.OWN
            case BorrowType():
                return Content.BORROW
            case StreamType():
                return inside & Content.ASYNC | Content.STREAM
            case FutureType():
                return inside & Content.ASYNC | Content.FUTURE
            case ListType() | RecordType() | VariantType() | FlagsType():
                return inside
            case other:
                assert_never(other)

    def _children(self, type: DefinedType) -> list[ValType]:
        match self._shapes.shape(type):
            case PrimValType() | FlagsType() | OwnType() | BorrowType():
                return []
            case ListType(element, _):
                return [element]
            case RecordType(fields):
                return [field.type for field in fields]
            case VariantType(cases):
                return [case.type for case in cases if case.type is not None]
            case StreamType(inner) | FutureType(inner):
                return [] if inner is None else [inner]
            case other:
                assert_never(other)


def _primitive(type: PrimValType) -> Content:
    match type:
        case PrimValType.STRING:
            return Content.STRING | Content.POINTER
        case PrimValType.ERROR_CONTEXT:
            return Content.ERROR_CONTEXT
        case _:
            return Content.NONE
