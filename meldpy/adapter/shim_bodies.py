"""The bodies of boundary shims: what `shims` decided, written out.

A shim is a call between a guest and the outer component, in the order of `trampoline`. It differs from a call between
two guests in where values wait (`runtime/boundary.wat`), in what becomes of borrows, and in that the engine checks the
flags, takes the results and calls post-return itself.

Where the host's memory is the heap (`runtime/heap.wat`), since async crosses the edge as well, what a call has put
there stays until the call is over: `heap` has its functions then. All else is on the boundary memory's stack as ever.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

from meldpy.adapter.emitter import Emitter
from meldpy.adapter.lending import Borrows
from meldpy.adapter.places import Addr, Flat, Place
from meldpy.adapter.plan import CallSite
from meldpy.adapter.steps import allocate
from meldpy.adapter.trampoline import checked_result, result_to_caller, translate_params
from meldpy.adapter.translate.handles import translate_flat_borrow
from meldpy.asm import I32, Local, Op
from meldpy.cabi import Content
from meldpy.model.code import FuncSymbol
from meldpy.model.core import NumType
from meldpy.model.valtype import BorrowType, ValType

Heap: TypeAlias = "Callable[[str], FuncSymbol]"
"""A function of the heap by its name."""

_TO_I64: dict[NumType, tuple[Op, ...]] = {
    NumType.I32: (Op.I64_EXTEND_I32_U,),
    NumType.I64: (),
    NumType.F32: (Op.I32_REINTERPRET_F32, Op.I64_EXTEND_I32_U),
    NumType.F64: (Op.I64_REINTERPRET_F64,),
}


def thin_export(em: Emitter, site: CallSite) -> None:
    borrows = Borrows(em, site.lending)
    borrows.begin()
    args = _thin_params(em, site)
    results = _call(em, site, args)
    results = _thin_result(em, site, results)
    borrows.returned()
    borrows.end()
    em.b.get(*results)


def full_export(em: Emitter, site: CallSite, heap: Heap | None, *, frames: bool) -> None:
    b, handles = em.b, em.shop.handles
    borrows = Borrows(em, site.lending)
    mark = b.local(I32)
    b.call(handles.boundary("base"))
    b.set(mark)

    # move the parameters into the guest; what they lend stays in the boundary memory until the end
    borrows.begin()
    args = translate_params(em, site)
    kept_end: Local | None = None
    if site.lending.deep:
        kept_end = b.local(I32)
        b.call(handles.boundary("top"))
        b.set(kept_end)
        b.call(handles.boundary("hold"))
    else:
        b.get(mark)
        b.call(handles.boundary("reset"))
    if heap is not None:
        b.call(heap("tidy"))

    # call it, and move the result into the boundary memory
    results = _call(em, site, args)
    outer_results: tuple[Local, ...] = ()
    if site.result is not None:
        src: Place = Flat(site.callee, results)
        if site.callee_flat.result is None:
            src = checked_result(em, site.result, site.callee, results[0])
        if site.caller_flat.result is None:
            area = b.local(I32)
            allocate(em, site.caller, site.result, area)
            em.translate(site.result, src, Addr(site.caller, area, 0))
            outer_results = (area,)
        else:
            outer_results = tuple(b.local(core_type) for core_type in site.caller_flat.result)
            em.translate(site.result, src, Flat(site.caller, outer_results))

    borrows.returned()
    borrows.end(kept_end)
    b.get(mark)
    if frames:
        _push_i64(em, results)
        b.call(handles.boundary("frame"))
        if heap is not None:
            keep_values(em, heap)
    else:
        b.call(handles.boundary("reset"))
    b.get(*outer_results)


def thin_import(em: Emitter, site: CallSite) -> None:
    borrows = Borrows(em, site.lending)
    borrows.begin()
    args = _thin_params(em, site)
    if site.caller_flat.result is None:
        args = (*args, em.b.params[-1])
    results = _call(em, site, args)
    results = _thin_result(em, site, results)
    borrows.end()
    em.b.get(*results)


def full_import(em: Emitter, site: CallSite, heap: Heap | None) -> None:
    b, handles = em.b, em.shop.handles
    borrows = Borrows(em, site.lending)
    mark = b.local(I32)
    b.call(handles.boundary("top"))
    b.set(mark)
    borrows.begin()
    args = translate_params(em, site)
    area: Local | None = None
    if site.callee_flat.result is None:
        assert site.result is not None
        area = b.local(I32)
        allocate(em, site.callee, site.result, area)
        args = (*args, area)

    # the host may call back in: what it passes goes above what it was passed
    b.call(handles.boundary("hold"))
    if heap is not None:
        keep_values(em, heap)
    results = _call(em, site, args)
    flat_results: tuple[Local, ...] = ()
    if site.result is not None:
        src: Place = Flat(site.callee, results) if area is None else Addr(site.callee, area, 0)
        flat_results = result_to_caller(em, site, site.result, src)
    borrows.end()
    b.get(mark)
    b.call(handles.boundary("reset"))
    if heap is not None:
        let_values_go(em, heap)
    b.get(*flat_results)


# --- values in the heap --------------------------------------------------------------------------------------------
def keep_values(em: Emitter, heap: Heap) -> None:
    """What the heap's chain has is needed, whatever ends meanwhile."""
    em.b.call(heap("open"))
    em.b.i32(1)
    em.b.call(heap("hold"))


def let_values_go(em: Emitter, heap: Heap) -> None:
    em.b.i32(-1)
    em.b.call(heap("hold"))
    em.b.call(heap("close"))


# --- parts ---------------------------------------------------------------------------------------------------------


def _call(em: Emitter, site: CallSite, args: tuple[Local, ...]) -> tuple[Local, ...]:
    """No barrier: an exception that reaches the engine at the outer edge is a trap there."""
    results = tuple(em.b.local(core_type) for core_type in site.callee_flat.core.results)
    em.b.get(*args)
    em.b.call(site.core_func)
    em.b.set(*results)
    return results


def _thin_params(em: Emitter, site: CallSite) -> tuple[Local, ...]:
    """The parameters' own locals, but for handles."""
    if site.caller_flat.params is None:
        return em.b.params[:1]
    args: list[Local] = []
    for param in site.params:
        flat = em.shop.abi.flattener(False).flat(param)
        assert flat is not None
        locals = em.b.params[len(args) : len(args) + len(flat)]
        if _has_handles(em, param):
            src, dst = Flat(site.caller, locals), Flat(site.callee, (em.b.local(I32),))
            shape = em.shop.abi.shape(param)
            if isinstance(shape, BorrowType):
                translate_flat_borrow(em, shape, src, dst)
            else:
                em.translate(param, src, dst)
            locals = dst.locals
        args += locals
    return tuple(args)


def _thin_result(em: Emitter, site: CallSite, results: tuple[Local, ...]) -> tuple[Local, ...]:
    if site.result is None or not _has_handles(em, site.result):
        return results
    dst = Flat(site.caller, (em.b.local(I32),))
    em.translate(site.result, Flat(site.callee, results), dst)
    return dst.locals


def _push_i64(em: Emitter, results: tuple[Local, ...]) -> None:
    """The guest's flat result, for its post-return."""
    if not results:
        em.b.i64(0)
        return
    (result,) = results
    assert isinstance(result.type, NumType)
    em.b.get(result)
    em.b.op(*_TO_I64[result.type])


def _has_handles(em: Emitter, type: ValType) -> bool:
    return bool(em.shop.abi.contents.content(type) & (Content.HANDLE | Content.STREAM | Content.FUTURE))
