"""What the bodies of a module and its definitions refer to, as sets of old indices.

Taken over all bodies of a module, the dropped ones too: a superset is harmless for everything asked here (which
types to keep, which functions to declare, which applied segments still need an index).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import final

from meldpy.merger.types import heap_references
from meldpy.model.core import ConstExpr, ConstOp, CoreModule, Op
from meldpy.model.facts import CodeFacts, RefKind
from meldpy.records import dataclass

_TYPED = frozenset(
    {Op.STRUCT_NEW, Op.STRUCT_NEW_DEFAULT, Op.ARRAY_NEW, Op.ARRAY_NEW_DEFAULT, Op.ARRAY_NEW_FIXED, Op.REF_NULL}
)
"""Constant instructions whose operand is a type or heap type."""


@final
@dataclass(frozen=True, slots=True)
class References:
    """ref_funcs: functions behind ref.func. elems, data: segments that instructions name. types: type indices."""

    ref_funcs: frozenset[int]
    elems: frozenset[int]
    data: frozenset[int]
    types: frozenset[int]


def references_of(code: CodeFacts) -> References:
    found: dict[int, list[int]] = {kind: [] for kind in RefKind}
    for kind, index in set(zip(code.kinds, code.indices, strict=True)):
        found[kind].append(index)
    return References(
        frozenset(found[RefKind.REF_FUNC]),
        frozenset(found[RefKind.ELEM]),
        frozenset(found[RefKind.DATA]),
        frozenset(found[RefKind.TYPE]),
    )


def module_types(module: CoreModule) -> set[int]:
    """The type indices that a module's tables, globals, tags, segments and constant expressions mention.

    Imports do not count: whatever they are bound to brings its own type.
    """
    found: set[int] = {tag.type for tag in module.tags}
    for table in module.tables:
        found.update(heap_references(table.type.element))
    for global_ in module.globals:
        found.update(heap_references(global_.type.value))
    for segment in module.elements:
        found.update(heap_references(segment.element))
    for op in _constant_ops(module):
        found.update(typed_operand(op))
    return found


def typed_operand(op: ConstOp) -> Iterator[int]:
    """The type index that a constant instruction mentions, if any."""
    if op.opcode in _TYPED:
        if isinstance(op.operand, int):
            yield op.operand
        elif isinstance(op.operand, tuple):
            yield op.operand[0]


def _constant_ops(module: CoreModule) -> Iterator[ConstOp]:
    for expr in _constant_exprs(module):
        yield from expr


def _constant_exprs(module: CoreModule) -> Iterator[ConstExpr]:
    for table in module.tables:
        if table.init is not None:
            yield table.init
    for global_ in module.globals:
        yield global_.init
    for segment in module.elements:
        if segment.expressions:
            for item in segment.items:
                assert isinstance(item, tuple)
                yield item
