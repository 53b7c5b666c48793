"""Moving the values of one direction of a call: in one step, or in two where that can be told apart.

The spec lifts all values and then lowers all. Lifting changes the handle table of one instance and lowering that of
another, so value by value gives the same. Only where an instance calls itself both are one table, and the index that a
lowered handle gets depends on how many were lifted before. Then the values rest in the boundary memory in between, as
reps, on a side of nobody's.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from meldpy.adapter.emitter import Emitter
from meldpy.adapter.places import Addr, Flat, Place, Side
from meldpy.adapter.translate.handles import translate_flat_borrow
from meldpy.asm import I32, Local
from meldpy.cabi import Content
from meldpy.model.valtype import BorrowType, ValType

Move: TypeAlias = "tuple[ValType, Place, Place]"
"""A value's type, where it is, and where it goes."""


def move_all(em: Emitter, moves: Sequence[Move]) -> None:
    """Lift and lower several values between the same two sides."""
    if not moves or not _one_table(em, moves):
        for move in moves:
            _move(em, *move)
        return
    b, handles = em.b, em.shop.handles
    with b.scratch(I32) as (mark,):
        b.call(handles.boundary("top"))
        b.set(mark)
        resting = [_resting_place(em, type, src) for type, src, _ in moves]
        for (type, src, _), middle in zip(moves, resting, strict=True):
            _move(em, type, src, middle)
        for (type, _, dst), middle in zip(moves, resting, strict=True):
            _move(em, type, middle, dst)
        b.get(mark)
        b.call(handles.boundary("reset"))


def allocate(em: Emitter, side: Side, type: ValType, base: Local) -> None:
    """Room for a value of `type` on a side; its address goes to `base`."""
    layouts = em.layouts(side)
    for value in (0, 0, layouts.alignment(type), layouts.elem_size(type)):
        em.b.const(base.type, value)
    em.call_realloc_checked(side)
    em.b.set(base)


# --- inside -----------------------------------------------------------------------------------------------------
def _one_table(em: Emitter, moves: Sequence[Move]) -> bool:
    _, src, dst = moves[0]
    types = [type for type, _, _ in moves]
    return src.side.instance == dst.side.instance and bool(em.shop.abi.contents.of(types) & Content.HANDLE)


def _move(em: Emitter, type: ValType, src: Place, dst: Place) -> None:
    shape = em.shop.abi.shape(type)
    if isinstance(shape, BorrowType) and isinstance(src, Flat):
        translate_flat_borrow(em, shape, src, dst)
    else:
        em.translate(type, src, dst)


def _resting_place(em: Emitter, type: ValType, src: Place) -> Place:
    """A place of the same kind between the two steps."""
    side = em.shop.handles.resting_side(src.side.encoding)
    if isinstance(src, Addr):
        base = em.b.local(I32)
        allocate(em, side, type, base)
        return Addr(side, base, 0)
    flat = em.shop.abi.flattener(False).flat(type)
    assert flat is not None
    return Flat(side, tuple(em.b.local(core_type) for core_type in flat))
