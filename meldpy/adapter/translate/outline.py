"""Shared helper functions for large types, so that code size is linear in the type.

A type is a DAG that may be exponentially large as a tree, and the same type may cross at many call sites. Each type
has a *cost* (roughly: how many small pieces of code its translation takes inline). Above a limit the translation is
a call of a helper, one per (type, kind and side of source, kind and side of destination). A helper's own body
inlines small parts again, and fewer of them if it has very many, so no function comes near the limits of field
counts and body sizes that engines have.

A helper takes a flat source as parameters or an address; it returns a flat destination as results or takes its
address. If borrows inside become handles, it takes their scope last. Helpers are written after the function that first
needed one, not inside it, so the depth of recursion here does not grow with the depth of types.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias, assert_never

from meldpy.adapter.emitter import INLINE_COST, Emitter, Workshop
from meldpy.adapter.places import Addr, Flat, Place
from meldpy.adapter.translate.copying import push_address
from meldpy.asm import I32, FuncBuilder, Local
from meldpy.cabi import Content
from meldpy.model.code import EmittedFunc
from meldpy.model.core import CoreFuncType, NumType
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

CROWDED_COST = 4
"""What INLINE_COST becomes in a function whose parts cost more than BODY_COST together."""

BODY_COST = 4096

_COST_CEILING = 1 << 30
_POINTER_COST = 8

TranslateHere: TypeAlias = "Callable[[Emitter, ValType, Place, Place], None]"


def cost(shop: Workshop, type: ValType) -> int:
    """What translating a value of `type` inline takes, bounded by a ceiling."""
    if isinstance(type, PrimValType):
        return _POINTER_COST if type is PrimValType.STRING else 1
    known = shop.costs.get(type)
    if known is None:
        known = shop.costs[type] = min(_compute(shop, type), _COST_CEILING)
    return known


def wants_outline(em: Emitter, type: DefinedType) -> bool:
    """Whether `type` is too large to be inlined in the function at hand."""
    return cost(em.shop, type) > em.inline_cost


def call_outlined(em: Emitter, type: DefinedType, src: Place, dst: Place, here: TranslateHere) -> None:
    """Call the helper for a type between two places of these kinds and sides; have it written if it is new."""
    helper = _helper(em, type, src, dst, here)
    match src:
        case Flat(_, locals):
            em.b.get(*locals)
        case Addr():
            push_address(em, src)
    scope = _scope(em, type)
    match dst:
        case Flat(_, locals):
            em.b.get(*scope)
            em.b.call(helper)
            em.b.set(*locals)
        case Addr():
            push_address(em, dst)
            em.b.get(*scope)
            em.b.call(helper)


# --- inside -----------------------------------------------------------------------------------------------------
def _compute(shop: Workshop, type: DefinedType) -> int:
    match shop.abi.shape(type):
        case PrimValType() as primitive:
            return cost(shop, primitive)
        case ListType(element, _):
            return _POINTER_COST + cost(shop, element)
        case RecordType(fields):
            return 1 + sum(cost(shop, field.type) for field in fields)
        case VariantType(cases):
            distinct = {shop.abi.keys.key(case.type): case.type for case in cases if case.type is not None}
            return 2 + sum(2 + cost(shop, payload) for payload in distinct.values())
        case FlagsType() | OwnType() | BorrowType() | StreamType() | FutureType():
            return 1
        case other:
            assert_never(other)


def _scope(em: Emitter, type: DefinedType) -> tuple[Local, ...]:
    """The local of the scope, if the helper for `type` needs it."""
    return () if em.scope is None or not em.shop.abi.contents.content(type) & Content.BORROW else (em.scope,)


def _helper(em: Emitter, type: DefinedType, src: Place, dst: Place, here: TranslateHere) -> EmittedFunc:
    shop, scoped = em.shop, bool(_scope(em, type))
    key = (shop.abi.keys.key(type), isinstance(src, Flat), src.side, isinstance(dst, Flat), dst.side, scoped)
    helper = shop.outlined.get(key)
    if helper is None:
        helper = shop.outlined[key] = shop.functions.reserve()
        shop.pending.append(lambda: _write(shop, helper, type, src, dst, here, scoped=scoped))
    return helper


def _write(
    shop: Workshop,
    helper: EmittedFunc,
    type: DefinedType,
    src: Place,
    dst: Place,
    here: TranslateHere,
    *,
    scoped: bool,
) -> None:
    src_types = _core_types(src)
    dst_types = _core_types(dst)
    name = f"translate {_word(type)} from {shop.labels[src.side.instance]} to {shop.labels[dst.side.instance]}"
    scope_types = (I32,) if scoped else ()
    if isinstance(dst, Flat):
        b = FuncBuilder(name, CoreFuncType((*src_types, *scope_types), dst_types))
    else:
        b = FuncBuilder(name, CoreFuncType((*src_types, *dst_types, *scope_types), ()))
    em = Emitter(shop, b)
    em.scope = b.params[-1] if scoped else None
    em.inline_cost = INLINE_COST if cost(shop, type) <= BODY_COST else CROWDED_COST

    source = _inner_place(src, b.params[: len(src_types)])
    if isinstance(dst, Flat):
        results = tuple(b.local(core_type) for core_type in dst_types)
        here(em, type, source, Flat(dst.side, results))
        b.get(*results)
    else:
        here(em, type, source, _inner_place(dst, b.params[len(src_types) : len(src_types) + 1]))
    shop.functions.define(helper, b)


def _inner_place(place: Place, locals: tuple[Local, ...]) -> Place:
    match place:
        case Flat(side, _):
            return Flat(side, locals)
        case Addr(side, _, _):
            return Addr(side, locals[0], 0)


def _core_types(place: Place) -> tuple[NumType, ...]:
    match place:
        case Flat(_, locals):
            types = []
            for local in locals:
                assert isinstance(local.type, NumType)
                types.append(local.type)
            return tuple(types)
        case Addr(side, _, _):
            return (side.pointer,)


def _word(type: DefinedType) -> str:
    """A word for the name of a helper."""
    return _WORDS.get(type.definition.__class__.__name__, "value")


_WORDS = {
    "RecordType": "record",
    "TupleType": "tuple",
    "VariantType": "variant",
    "EnumType": "enum",
    "OptionType": "option",
    "ResultType": "result",
    "ListType": "list",
    "MapType": "map",
}
