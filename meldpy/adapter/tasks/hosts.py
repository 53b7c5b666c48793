"""Calls of the host's async functions, and host functions that are called with the option async.

The engine's lower is always an async one, so that a call that takes its time freezes no other task: it becomes a
subtask of the engine's behind a cell of ours (`runtime/hosts.wat`). An async lower hands the cell to the guest; a
synchronous one waits for it, with the pump below. Two forms, as for other host calls (`shims`):

- *thin*: the engine's options name the guest's own memory and allocator, and values are where the guest has them.
- *full*: handles must be translated, or a synchronous lower has more flat parameters than an async one or a flat
  result. Values wait in the heap (`runtime/heap.wat`), and the result is taken from there when the call is heard of.

Spec: CanonicalABI.md `canon_lower`.
"""

from __future__ import annotations

from typing import final

from meldpy.adapter.boundary import OuterEdge, located
from meldpy.adapter.emitter import Emitter, Workshop
from meldpy.adapter.lending import Borrows, plan_lending
from meldpy.adapter.places import Addr
from meldpy.adapter.plan import CallSite, side_of
from meldpy.adapter.steps import move_all
from meldpy.adapter.symbols import Symbols
from meldpy.adapter.tasks.machinery import FLAGS, RESOLVED_FLAG, RESULT, Machinery
from meldpy.adapter.tasks.outside import Outside
from meldpy.adapter.trampoline import checked_result, result_to_caller, translate_params
from meldpy.adapter.traps import Trap
from meldpy.asm import I32, FuncBuilder, Load, Local, Op, Store
from meldpy.cabi import Context, lower_context
from meldpy.model.code import EmittedFunc, OuterLower, OuterLowerFunc, OuterOptions
from meldpy.model.core import CoreFuncType
from meldpy.model.linked import ImportFunc, LinkedGraph, Lower
from meldpy.model.valtype import DefinedType, TupleType

_CALL, _AREA = 32, 88
"""Words of a host call's cell, see `hosts.wat`."""
_STATE, _RETURNED = 24, 2


def takes_time(lower: Lower) -> bool:
    """Whether a lower of a host function is one for this module."""
    return isinstance(lower.callee, ImportFunc) and (lower.type.async_ or lower.options.async_)


@final
class HostCalls:
    """Symbols are handed out first (`symbol`), and written when all of them are known (`finish`)."""

    def __init__(
        self,
        shop: Workshop,
        graph: LinkedGraph,
        machinery: Machinery,
        outside: Outside,
        symbols: Symbols,
        edge: OuterEdge,
    ) -> None:
        self._shop = shop
        self._graph = graph
        self._machinery = machinery
        self._outside = outside
        self._symbols = symbols
        self._edge = edge
        self._calls: list[tuple[EmittedFunc, Lower]] = []
        self._heard: list[CallSite] = []

    def symbol(self, lower: Lower) -> EmittedFunc:
        symbol = self._shop.functions.reserve()
        self._calls.append((symbol, lower))
        return symbol

    def outer_lower(self, lower: Lower) -> OuterLower:
        """The outer definition of such a call."""
        if not self._is_full(lower):
            return self._edge.async_lower(lower)
        flat = self._shop.abi.func(lower.type, Context.ASYNC_LOWER, False)
        needs, side = self._shop.abi.needs(lower.type, Context.ASYNC_LOWER), self._outside.side()
        memory = side.needs_memory().id if needs.memory else None
        options = OuterOptions(side.encoding, memory, side.realloc if needs.realloc else None, async_=True)
        return OuterLower(lower.id, flat.core, options)

    def finish(self) -> None:
        for symbol, lower in self._calls:
            with located(lower.location):
                if self._is_full(lower):
                    self._full(symbol, lower)
                else:
                    self._thin(symbol, lower)
            self._shop.finish()

    def finish_heard(self) -> None:
        """Write what is called when calls are heard of whose results are in the heap."""
        b = FuncBuilder("host call heard of", CoreFuncType((I32, I32), ()))
        em = Emitter(self._shop, b)
        task, before = b.params
        memory = self._machinery.memory
        if self._heard:
            b.get(before)
            b.op(Op.I32_EQZ)
            with b.if_():
                # it has started: the engine has read the parameters
                b.i32(-1)
                b.call(self._outside.heap("hold"))
            b.get(task)
            b.load(Load.I32, memory, _STATE)
            b.i32(_RETURNED)
            b.op(Op.I32_GE_U)
            with b.if_():
                for number, site in enumerate(self._heard, start=1):
                    if site.result is not None:
                        b.get(task)
                        b.load(Load.I32, memory, _CALL)
                        b.i32(number)
                        b.op(Op.I32_EQ)
                        with b.if_():
                            self._take_result(em, site, task)
                b.call(self._outside.heap("close"))
        self._shop.functions.define(self._outside.heard, b)
        self._shop.finish()

    # --- forms ------------------------------------------------------------------------------------------------
    def _is_full(self, lower: Lower) -> bool:
        abi = self._shop.abi
        if self._edge.shims.needed(lower.instance, lower.type, Context.ASYNC_LOWER):
            return True
        if lower.options.async_:
            return False
        sync = abi.func(lower.type, Context.LOWER, lower.options.memory64)
        async_ = abi.func(lower.type, Context.ASYNC_LOWER, lower.options.memory64)
        return (*sync.core.params, *sync.core.results) != async_.core.params or bool(sync.core.results)

    def _thin(self, symbol: EmittedFunc, lower: Lower) -> None:
        core_type = self._shop.abi.func(lower.type, lower_context(lower.options), lower.options.memory64).core
        b = FuncBuilder(self._name(lower), core_type)
        em = Emitter(self._shop, b)
        em.check_may_leave(lower.instance)
        status, task = b.local(I32), b.local(I32)
        b.get(*b.params)
        b.call(OuterLowerFunc(lower.id))
        b.set(status)
        if lower.type.async_:
            self._push_pending(em, status)
            with b.if_():
                if lower.options.async_:
                    self._start(em, status, 0, task)
                    self._push_status(em, lower, task)
                    b.return_()
                else:
                    self._wait(em, status, task)
        if lower.options.async_:
            b.get(status)
        self._shop.functions.define(symbol, b)

    def _full(self, symbol: EmittedFunc, lower: Lower) -> None:
        site = self._site(lower)
        b = FuncBuilder(site.name, site.caller_flat.core)
        em = Emitter(self._shop, b)
        borrows = Borrows(em, site.lending)
        heap = self._outside.heap
        em.check_may_leave(lower.instance)

        # the parameters, where the engine reads them when the call starts, and room for the result
        borrows.begin()
        args = translate_params(em, site)
        area: Local | None = None
        if site.callee_flat.result is None:
            assert site.result is not None
            area = b.local(I32)
            b.i32(em.layouts(site.callee).elem_size(site.result))
            b.call(heap("block"))
            b.set(area)
            args = (*args, area)
        status, task = b.local(I32), b.local(I32)
        b.get(*args)
        b.call(OuterLowerFunc(lower.id))
        b.set(status)

        if lower.type.async_:
            self._push_pending(em, status)
            with b.if_():
                b.call(heap("open"))
                if lower.options.async_:
                    self._go_on(em, lower, site, (status, task, area), borrows)
                else:
                    # nobody takes the result away before we are here again
                    b.i32(1)
                    b.call(heap("hold"))
                    self._wait(em, status, task)
                    b.i32(-1)
                    b.call(heap("hold"))

        # it is over: the result, where the caller wants it
        flat_results: tuple[Local, ...] = ()
        if site.result is not None and area is not None:
            flat_results = result_to_caller(em, site, site.result, Addr(site.callee, area, 0))
            b.get(area)
            b.call(heap("free"))
        borrows.end()
        if lower.type.async_ and not lower.options.async_:
            self._push_pending(em, status)
            with b.if_():
                b.call(heap("close"))
                b.else_()
                b.call(heap("tidy"))
        else:
            b.call(heap("tidy"))
        b.get(*flat_results)
        if lower.options.async_:
            b.i32(_RETURNED)
        self._shop.functions.define(symbol, b)

    def _go_on(
        self, em: Emitter, lower: Lower, site: CallSite, locals: tuple[Local, Local, Local | None], borrows: Borrows
    ) -> None:
        """The call takes its time: the cell remembers where the result is and where it goes."""
        b, memory = em.b, self._machinery.memory
        status, task, area = locals
        b.get(status)
        b.i32(15)
        b.op(Op.I32_AND)
        b.op(Op.I32_EQZ)
        with b.if_():
            b.i32(1)
            b.call(self._outside.heap("hold"))
        self._heard.append(site)
        self._start(em, status, len(self._heard), task)
        if area is not None:
            b.get(task, area)
            b.store(Store.I32, memory, _AREA)
            b.get(task)
            em.get_extended(b.params[-1])
            b.store(Store.I64, memory, RESULT)
        if borrows.mark is not None:
            b.get(task, borrows.mark)
            b.call(self._machinery.tasks("keep-lenders"))
        self._push_status(em, lower, task)
        b.return_()

    def _take_result(self, em: Emitter, site: CallSite, task: Local) -> None:
        """From the heap to the caller's memory, if the call has returned; the room in the heap goes."""
        b, memory = em.b, self._machinery.memory
        assert site.result is not None
        if site.callee_flat.result is not None:
            return
        with b.scratch(I32, site.caller.pointer) as (area, pointer):
            b.get(task)
            b.load(Load.I32, memory, _AREA)
            b.set(area)
            b.get(task)
            b.load(Load.I32, memory, _STATE)
            b.i32(_RETURNED)
            b.op(Op.I32_EQ)
            with b.if_():
                b.get(task)
                b.load(Load.I64, memory, RESULT)
                if site.caller.pointer is I32:
                    b.op(Op.I32_WRAP_I64)
                b.set(pointer)
                dst = checked_result(em, site.result, site.caller, pointer)
                move_all(em, [(site.result, Addr(site.callee, area, 0), dst)])
            b.get(area)
            b.call(self._outside.heap("free"))

    # --- parts ------------------------------------------------------------------------------------------------
    def _push_pending(self, em: Emitter, status: Local) -> None:
        """Whether the engine has made a handle of the call."""
        em.b.get(status)
        em.b.i32(4)
        em.b.op(Op.I32_SHR_U)

    def _start(self, em: Emitter, status: Local, call: int, task: Local) -> None:
        em.b.get(status)
        em.b.i32(call)
        em.b.call(self._outside.hosts("started"))
        em.b.set(task)

    def _push_status(self, em: Emitter, lower: Lower, task: Local) -> None:
        em.b.get(task)
        em.b.i32(self._shop.handles.table(lower.instance))
        em.b.call(self._outside.hosts("status"))

    def _wait(self, em: Emitter, status: Local, task: Local) -> None:
        """Until the call is over, with the pump below: in a task that may block, which only a root can lead to."""
        b, machinery = em.b, self._machinery
        machinery.check_may_block(em)
        b.call(machinery.tasks("root"))
        b.op(Op.I32_EQZ)
        em.trap_if(Trap.CANNOT_BLOCK)
        self._start(em, status, 0, task)
        b.get(task)
        b.i32(FLAGS)
        b.op(Op.I32_ADD)
        b.i32(RESOLVED_FLAG)
        b.call(machinery.roots("block"))
        b.get(task)
        b.call(machinery.tasks("let-go"))

    def _name(self, lower: Lower) -> str:
        return f"host call {lower.id} of {self._shop.labels[lower.instance]}"

    def _site(self, lower: Lower) -> CallSite:
        abi, options, context = self._shop.abi, lower.options, lower_context(lower.options)
        params = tuple(param for _, param in lower.type.params)
        caller_flat = abi.func(lower.type, context, options.memory64)
        callee_flat = abi.func(lower.type, Context.ASYNC_LOWER, False)
        caller = side_of(self._graph, lower.instance, options, abi.needs(lower.type, context), self._symbols)
        callee = self._outside.side()
        spilled = options.async_ or caller_flat.params is None or callee_flat.params is None
        return CallSite(
            name=self._name(lower),
            caller=caller,
            callee=callee,
            caller_flat=caller_flat,
            callee_flat=callee_flat,
            params=params,
            params_tuple=DefinedType(TupleType(params)),
            result=lower.type.result,
            async_type=lower.type.async_,
            caller_async=options.async_,
            callee_async=options.async_,
            lending=plan_lending(abi, self._shop.handles, params, spilled, lower.instance, callee.instance),
            core_func=OuterLowerFunc(lower.id),
            post_return=None,
        )
