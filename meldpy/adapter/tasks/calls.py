"""A call that becomes a task: a lower of any kind against a callback lift.

The callee's function runs at once, as a task of its own. What it returns says whether the task exits or waits; the
result came through `task.return`, perhaps, by the way back that the call left in the task's cell (`returns`). An async
lower tells the caller how far the task got, a synchronous one waits for the result.

Spec: CanonicalABI.md `canon_lower`, `canon_lift`.
"""

from __future__ import annotations

from meldpy.adapter.emitter import Emitter, Workshop
from meldpy.adapter.lending import Borrows
from meldpy.adapter.plan import CallSite
from meldpy.adapter.tasks.gates import Gates
from meldpy.adapter.tasks.machinery import FLAGS, RESOLVED_FLAG, RESULT, SCOPE, LiftNumber, Machinery
from meldpy.adapter.tasks.returns import emit_way_back
from meldpy.adapter.tasks.stacks import Below
from meldpy.adapter.trampoline import emit_trampoline, translate_params
from meldpy.asm import I32, I64, FuncBuilder, Load, Local, Op, Store
from meldpy.model.code import EmittedFunc
from meldpy.model.core import CoreFuncType, NumType

FROM_I64: dict[NumType, tuple[Op, ...]] = {
    NumType.I32: (Op.I32_WRAP_I64,),
    NumType.I64: (),
    NumType.F32: (Op.I32_WRAP_I64, Op.F32_REINTERPRET_I32),
    NumType.F64: (Op.F64_REINTERPRET_I64,),
}


def emit_task_call(
    shop: Workshop, machinery: Machinery, gates: Gates, symbol: EmittedFunc, site: CallSite, lift: LiftNumber
) -> None:
    """Write the trampoline of `site` under `symbol`; `lift` is its callback lift."""
    number = machinery.site(lift, emit_way_back(shop, machinery, site))
    if not (site.caller_async and site.callee.instance in gates):
        _emit_call(shop, machinery, gates, symbol, site, number)
        return
    now = shop.functions.reserve()
    begin = _emit_begin(shop, machinery, site)

    def emit_begin(em: Emitter, args: tuple[Local, ...], task: Local) -> None:
        em.b.get(*args, task)
        em.b.call(begin)

    gates.deferring(symbol, site, number, now, emit_begin)
    shop.finish()
    _emit_call(shop, machinery, gates, now, site, number)


def emit_deferred_sync(
    shop: Workshop, machinery: Machinery, gates: Gates, symbol: EmittedFunc, site: CallSite, lift: LiftNumber
) -> None:
    """The same for an async lower of a sync lift, whose instance may make it wait."""
    now = shop.functions.reserve()
    gates.deferring(symbol, site, machinery.site(lift, now), now, gates.begin_sync(now))
    shop.finish()
    emit_trampoline(shop, now, site)


def _emit_begin(shop: Workshop, machinery: Machinery, site: CallSite) -> EmittedFunc:
    """A function that starts a task which waited: the arguments of its call, then its cell."""
    core = site.caller_flat.core
    b = FuncBuilder(f"{site.name}, let in", CoreFuncType((*core.params, I32), ()))
    em = Emitter(shop, b)
    task, packed = b.params[-1], b.local(I32)
    args = translate_params(em, site)
    with machinery.running(em, task, site.callee.instance, Below.NOBODY, resumed=False):
        em.call_guarded(site.core_func, args, (packed,))
    b.get(task, packed)
    b.call(machinery.tasks("returned"))
    symbol = shop.functions.add(b)
    shop.finish()
    return symbol


def _emit_call(
    shop: Workshop, machinery: Machinery, gates: Gates, symbol: EmittedFunc, site: CallSite, number: int
) -> None:
    b, handles = FuncBuilder(site.name, site.caller_flat.core), shop.handles
    em = Emitter(shop, b)
    em.check_may_leave(site.caller.instance)
    if not site.caller_async:
        gates.wait_on_stack(em, site.callee.instance)

    # the task, which knows where its result goes
    task = b.local(I32)
    b.i32(number)
    b.i32(handles.table(site.callee.instance))
    b.call(machinery.tasks("begin"))
    b.set(task)
    if site.caller_flat.result is None:
        b.get(task)
        em.get_extended(b.params[-1])
        b.store(Store.I64, machinery.memory, RESULT)

    # parameters, with borrows that last until the task returns and lenders until the caller hears of it
    borrows = Borrows(em, site.lending)
    borrows.begin()
    if em.scope is not None:
        b.get(task, em.scope)
        b.store(Store.I32, machinery.memory, SCOPE)
    args = translate_params(em, site)
    packed = b.local(I32)
    below = Below.GOES_ON if site.caller_async else Below.WAITS
    with machinery.running(em, task, site.callee.instance, below, resumed=False):
        em.call_guarded(site.core_func, args, (packed,))
    b.get(task, packed)
    b.call(machinery.tasks("returned"))

    if site.caller_async:
        _status(em, machinery, site, task, borrows)
    else:
        _result(em, machinery, site, task, borrows)
    shop.functions.define(symbol, b)


def _status(em: Emitter, machinery: Machinery, site: CallSite, task: Local, borrows: Borrows) -> None:
    b = em.b
    if borrows.mark is not None:
        b.get(task)
        b.call(machinery.tasks("resolved"))
        with b.if_():
            borrows.end()
            b.else_()
            b.get(task, borrows.mark)
            b.call(machinery.tasks("keep-lenders"))
    b.get(task)
    b.i32(em.shop.handles.table(site.caller.instance))
    b.call(machinery.tasks("status"))


def _result(em: Emitter, machinery: Machinery, site: CallSite, task: Local, borrows: Borrows) -> None:
    b = em.b
    b.get(task)
    b.call(machinery.tasks("resolved"))
    b.op(Op.I32_EQZ)
    with b.if_():
        machinery.check_may_block(em)
        if machinery.sync is None:
            machinery.no_stack(em)
        else:
            b.get(task)
            b.i32(FLAGS)
            b.op(Op.I32_ADD)
            b.i32(RESOLVED_FLAG)
            b.call(machinery.roots("block"))
    borrows.end()
    flat = site.caller_flat.core.results
    result = b.local(I64)
    if flat:
        b.get(task)
        b.load(Load.I64, machinery.memory, RESULT)
        b.set(result)
    b.get(task)
    b.call(machinery.tasks("let-go"))
    if flat:
        (core_type,) = flat
        assert isinstance(core_type, NumType)
        b.get(result)
        b.op(*FROM_I64[core_type])
