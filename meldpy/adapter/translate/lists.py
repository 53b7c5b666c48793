"""Lists, of any length and of fixed length.

Spec: CanonicalABI.md `load_list_from_range`, `store_list_into_range`, `load_list_from_valid_range` and flat twins.
The byte length is bounded on the source side before it is multiplied out, so no product here can overflow.
"""

from __future__ import annotations

from meldpy.adapter.emitter import Emitter
from meldpy.adapter.places import Addr, Flat, Place, Side
from meldpy.adapter.translate.blocks import blocks_of, translate_blocks
from meldpy.adapter.translate.copying import copy_bytes, copy_whole, is_plain, push_address, worth_copying
from meldpy.adapter.translate.outline import cost
from meldpy.adapter.translate.pairs import pair_destination, pair_source
from meldpy.adapter.traps import Trap
from meldpy.asm import I32, I64, Local, Op
from meldpy.cabi import MAX_LIST_BYTE_LENGTH
from meldpy.model.marks import Means, Moved
from meldpy.model.valtype import ValType

UNROLLED_COST = 16
"""Fixed-length lists in memory whose elements cost no more than this together are unrolled."""


def translate_list(em: Emitter, element: ValType, src: Place, dst: Place) -> None:
    """A list: check the source's range, allocate in the destination, then the elements."""
    source, destination = src.side, dst.side
    with pair_source(em, src) as (pointer, length), pair_destination(em, dst) as (new_pointer, new_length):
        with em.b.scratch(I64) as (byte_length,):
            _check_range(em, source, element, pointer, length, byte_length)
            _allocate(em, destination, element, length, new_pointer)
            at_once = is_plain(em.shop, element)
            em.b.mark(Moved(Means.AT_ONCE if at_once else Means.ONE_BY_ONE, em.layouts(source).elem_size(element)))
            if at_once:
                copy_bytes(em, Addr(source, pointer, 0), Addr(destination, new_pointer, 0), byte_length)
            else:
                with em.b.scratch(I32) as (count,):
                    _push_i32(em, length)
                    em.b.tee(count)
                    with em.b.if_():
                        each_element(em, element, Addr(source, pointer, 0), Addr(destination, new_pointer, 0), count)
        _push_as(em, length, destination)
        em.b.set(new_length)


def translate_fixed_list(em: Emitter, type: ValType, element: ValType, length: int, src: Place, dst: Place) -> None:
    """A fixed-length list: its elements lie side by side."""
    if worth_copying(em, type, src, dst):
        copy_whole(em, type, src, dst)
    elif isinstance(src, Addr) and isinstance(dst, Addr) and length * cost(em.shop, element) > UNROLLED_COST:
        with em.b.scratch(I32) as (count,):
            em.b.i32(length)
            em.b.set(count)
            each_element(em, element, src, dst, count)
    else:
        for index in range(length):
            em.translate(element, _element(em, element, src, index), _element(em, element, dst, index))


# --- inside -----------------------------------------------------------------------------------------------------
def _check_range(em: Emitter, side: Side, element: ValType, pointer: Local, length: Local, byte_length: Local) -> None:
    """Trap unless the list is short enough, aligned and in bounds; sets `byte_length` (i64)."""
    b, size = em.b, em.layouts(side).elem_size(element)
    b.get(length)
    b.const(length.type, MAX_LIST_BYTE_LENGTH // size)
    b.op(Op.I64_GT_U if length.type is I64 else Op.I32_GT_U)
    em.trap_if(Trap.LIST_TOO_LONG, length=length)
    em.check_aligned(pointer, em.layouts(side).alignment(element), Trap.LIST_MISALIGNED)
    em.get_extended(length)
    b.i64(size)
    b.op(Op.I64_MUL)
    b.set(byte_length)
    em.check_bounds(side.needs_memory(), pointer, byte_length, Trap.LIST_OUT_OF_BOUNDS)


def _allocate(em: Emitter, side: Side, element: ValType, length: Local, pointer: Local) -> None:
    """Room for the elements in the destination, also for none: the guest sees that call too."""
    b, layouts = em.b, em.layouts(side)
    b.const(side.pointer, 0)
    b.const(side.pointer, 0)
    b.const(side.pointer, layouts.alignment(element))
    _push_as(em, length, side)
    b.const(side.pointer, layouts.elem_size(element))
    b.op(Op.I64_MUL if side.memory64 else Op.I32_MUL)
    em.call_realloc_checked(side)
    b.set(pointer)


def each_element(em: Emitter, element: ValType, src: Addr, dst: Addr, count: Local) -> None:
    """Translate `count` elements (at least one), counting the local down."""
    b = em.b
    blocks = blocks_of(em.shop, element)
    with b.scratch(src.base.type, dst.base.type) as (from_, to):
        for place, local in ((src, from_), (dst, to)):
            push_address(em, place)
            b.set(local)
        if blocks is None:
            _singly(em, element, Addr(src.side, from_, 0), Addr(dst.side, to, 0), count)
        else:
            translate_blocks(em, blocks, Addr(src.side, from_, 0), Addr(dst.side, to, 0), count)
            b.get(count)
            with b.if_():
                _singly(em, element, Addr(src.side, from_, 0), Addr(dst.side, to, 0), count)


def _singly(em: Emitter, element: ValType, src: Addr, dst: Addr, count: Local) -> None:
    """Translate `count` elements (at least one), one after the other; the locals of both places go on."""
    b = em.b
    with b.loop() as again:
        em.translate(element, src, dst)
        for place in (src, dst):
            b.get(place.base)
            b.const(place.base.type, em.layouts(place.side).elem_size(element))
            b.op(Op.I64_ADD if place.base.type is I64 else Op.I32_ADD)
            b.set(place.base)
        b.get(count)
        b.i32(1)
        b.op(Op.I32_SUB)
        b.tee(count)
        b.br_if(again)


def _element(em: Emitter, element: ValType, place: Place, index: int) -> Place:
    match place:
        case Flat(side, locals):
            flat = em.shop.abi.flattener(side.memory64).flat(element)
            assert flat is not None
            return Flat(side, locals[index * len(flat) : (index + 1) * len(flat)])
        case Addr():
            return place.at(index * em.layouts(place.side).elem_size(element))


def _push_as(em: Emitter, length: Local, side: Side) -> None:
    """Push a length, known to be below 2^28, as the side's address type."""
    if side.memory64:
        em.get_extended(length)
    else:
        _push_i32(em, length)


def _push_i32(em: Emitter, length: Local) -> None:
    em.b.get(length)
    if length.type is I64:
        em.b.op(Op.I32_WRAP_I64)
