"""The function that a call site becomes, in the order of the spec's `canon_lower` around `canon_lift`.

Values are `translate`'s business (`steps` for several at once); what happens between them is here: the check of
may_leave, spilled tuples, the call behind its exception barrier, the moments of its borrows (`lending`), post-return.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Final

from meldpy.adapter.emitter import Emitter, Workshop
from meldpy.adapter.lending import Borrows
from meldpy.adapter.places import Addr, Flat, Place, Side
from meldpy.adapter.plan import CallSite
from meldpy.adapter.steps import Move, allocate, move_all
from meldpy.adapter.translate.records import field_places
from meldpy.adapter.traps import Trap
from meldpy.asm import FuncBuilder, Local
from meldpy.model.code import EmittedFunc
from meldpy.model.marks import Means, Moved
from meldpy.model.valtype import ValType

SUBTASK_RETURNED: Final = 2
"""Subtask.State.RETURNED, as an async lower returns it."""


def emit_trampoline(shop: Workshop, symbol: EmittedFunc, site: CallSite) -> None:
    """Write the trampoline of `site` under `symbol`."""
    b = FuncBuilder(site.name, site.caller_flat.core)
    em = Emitter(shop, b)
    borrows = Borrows(em, site.lending)

    # may the caller leave, and the callee start? (an async lower that waits does so elsewhere, `tasks.gates`)
    em.check_may_leave(site.caller.instance)
    if shop.tasks is not None and shop.tasks.gates is not None and site.async_type and not site.caller_async:
        shop.tasks.gates.wait_on_stack(em, site.callee.instance)

    # lift the parameters in the caller, lower them into the callee; then the call itself
    borrows.begin()
    args = translate_params(em, site)
    results = tuple(b.local(core_type) for core_type in site.callee_flat.core.results)
    with _callee(em, site):
        em.call_guarded(site.core_func, args, results)

        # lift the result in the callee, lower it into the caller
        flat_results = _result(em, site, results)
        borrows.returned()

        # the callee may now free what it returned, but do nothing else
        if site.post_return is not None:
            em.set_may_leave(site.callee.instance, 0)
            em.call_guarded(site.post_return, results, ())
            em.set_may_leave(site.callee.instance, 1)

    borrows.end()
    b.get(*flat_results)
    if site.caller_async:
        # the subtask has returned already
        b.i32(SUBTASK_RETURNED)
    shop.functions.define(symbol, b)


@contextmanager
def _callee(em: Emitter, site: CallSite) -> Iterator[None]:
    """The callee runs, holding its instance's lock if anybody could find it held."""
    tasks, instance = em.shop.tasks, site.callee.instance
    lock = None if tasks is None or not site.async_type else tasks.locks.get(instance)
    if lock is not None:
        # whoever holds it is blocked below us on this very stack
        em.b.get_flag(lock)
        em.trap_if(Trap.CANNOT_BLOCK)
        em.b.i32(1)
        em.b.set_flag(lock)
    with ExitStack() as stack:
        if tasks is not None and site.async_type:
            stack.enter_context(tasks.stacks.call(em, instance, caller_async=site.caller_async))
        stack.enter_context(em.sync_call(instance, async_type=site.async_type))
        yield
    if lock is not None:
        em.b.i32(0)
        em.b.set_flag(lock)


def translate_params(em: Emitter, site: CallSite) -> tuple[Local, ...]:
    """Translate the parameters; the locals to call the callee with."""
    if site.callee_async or (site.caller_flat.params is None) != (site.callee_flat.params is None):
        return _parameter_by_parameter(em, site)
    if site.callee_flat.params is None:
        return _spilled_params(em, site)
    args = tuple(em.b.local(core_type) for core_type in site.callee_flat.params)
    moves: list[Move] = []
    start = 0
    for param in site.params:
        end = start + _width(em, param, site.callee)
        moves.append((param, Flat(site.caller, em.b.params[start:end]), Flat(site.callee, args[start:end])))
        start = end
    move_all(em, moves)
    return args


def _parameter_by_parameter(em: Emitter, site: CallSite) -> tuple[Local, ...]:
    """The same where one side spills and the other does not, and where lenders outlive the call."""
    b, tuple_type = em.b, site.params_tuple
    if site.caller_flat.params is None:
        src: Place = _checked(
            em, tuple_type, site.caller, b.params[0], Trap.PARAMS_MISALIGNED, Trap.PARAMS_OUT_OF_BOUNDS
        )
    else:
        src = Flat(site.caller, b.params[: len(site.caller_flat.params)])
    if site.callee_flat.params is None:
        base = b.local(site.callee.pointer)
        allocate(em, site.callee, tuple_type, base)
        args: tuple[Local, ...] = (base,)
        dst: Place = Addr(site.callee, base, 0)
    else:
        args = tuple(b.local(core_type) for core_type in site.callee_flat.params)
        dst = Flat(site.callee, args)
    sources = field_places(em, tuple_type, site.params, src)
    for param, source, destination in zip(
        site.params, sources, field_places(em, tuple_type, site.params, dst), strict=True
    ):
        em.translate(param, source, destination)
    return args


def _spilled_params(em: Emitter, site: CallSite) -> tuple[Local, ...]:
    """The same where the parameters are a tuple in memory, on both sides."""
    b, tuple_type = em.b, site.params_tuple
    src = _checked(em, tuple_type, site.caller, b.params[0], Trap.PARAMS_MISALIGNED, Trap.PARAMS_OUT_OF_BOUNDS)
    base = b.local(site.callee.pointer)
    allocate(em, site.callee, tuple_type, base)
    move_all(em, [(tuple_type, src, Addr(site.callee, base, 0))])
    return (base,)


def _result(em: Emitter, site: CallSite, results: tuple[Local, ...]) -> tuple[Local, ...]:
    """Translate the result; the locals to return to the caller."""
    if site.result is None:
        return ()
    src: Place = Flat(site.callee, results)
    if site.callee_flat.result is None:
        src = checked_result(em, site.result, site.callee, results[0])
    return result_to_caller(em, site, site.result, src)


def result_to_caller(em: Emitter, site: CallSite, type: ValType, src: Place) -> tuple[Local, ...]:
    """Translate the result at `src` to where the caller's lower wants it; the locals to return."""
    if site.caller_flat.result is None:
        move_all(em, [(type, src, checked_result(em, type, site.caller, em.b.params[-1]))])
        return ()
    flat_results = tuple(em.b.local(core_type) for core_type in site.caller_flat.result)
    move_all(em, [(type, src, Flat(site.caller, flat_results))])
    return flat_results


def checked_result(em: Emitter, type: ValType, side: Side, pointer: Local) -> Addr:
    """The place of a result in memory, on either side."""
    return _checked(em, type, side, pointer, Trap.RESULT_MISALIGNED, Trap.RESULT_OUT_OF_BOUNDS)


def _checked(em: Emitter, type: ValType, side: Side, pointer: Local, misaligned: Trap, outside: Trap) -> Addr:
    """The place that a guest's pointer names, once it is known to be aligned and in bounds."""
    layouts = em.layouts(side)
    em.check_aligned(pointer, layouts.alignment(type), misaligned)
    em.check_bounds(side.needs_memory(), pointer, layouts.elem_size(type), outside)
    em.b.mark(Moved(Means.IN_MEMORY, layouts.elem_size(type)))
    return Addr(side, pointer, 0)


def _width(em: Emitter, type: ValType, side: Side) -> int:
    flat = em.shop.abi.flattener(side.memory64).flat(type)
    assert flat is not None
    return len(flat)
