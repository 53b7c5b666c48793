"""Backpressure: calls of async functions wait to start while their instance asks for it.

An instance with `backpressure.*` has a gate (`runtime/gates.wat`). A synchronous lower waits there on its stack. An
async lower leaves a task with its arguments, and tells its caller that it is STARTING; parameters are lifted and
lowered when the gate lets it in. An instance without has none, and its callers are as they were.

Calls of the host wait at the engine's own gate for the output, which all async exports share; so backpressure is passed
on if they are all of the one instance (`refusals`).

Spec: CanonicalABI.md `Task.enter_implicit_thread`, `canon backpressure.{inc,dec}`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import cached_property
from typing import TypeAlias, final

from meldpy import runtime
from meldpy.adapter.emitter import Emitter, Workshop
from meldpy.adapter.plan import CallSite
from meldpy.adapter.tasks.machinery import RESULT, SITE, Machinery
from meldpy.adapter.tasks.waits import until_its_turn
from meldpy.adapter.traps import Trap
from meldpy.asm import I32, FuncBuilder, Load, Local, Op, Store
from meldpy.model.canon import BuiltinOp
from meldpy.model.code import EmittedFunc, OuterAsyncFunc, RuntimeArg
from meldpy.model.core import CoreFuncType, NumType
from meldpy.model.ids import FuncId, InstanceId

_ARGS = 88
"""Where a task that waits has its arguments, 64 bits each: an async lower has four at most, and a result pointer."""
_TO_I64 = {
    NumType.I32: (Op.I64_EXTEND_I32_U,),
    NumType.I64: (),
    NumType.F32: (Op.I32_REINTERPRET_F32, Op.I64_EXTEND_I32_U),
    NumType.F64: (Op.I64_REINTERPRET_F64,),
}
_FROM_I64 = {
    NumType.I32: (Op.I32_WRAP_I64,),
    NumType.I64: (),
    NumType.F32: (Op.I32_WRAP_I64, Op.F32_REINTERPRET_I32),
    NumType.F64: (Op.F64_REINTERPRET_I64,),
}

Begin: TypeAlias = "Callable[[Emitter, tuple[Local, ...], Local], None]"
"""Emits the call of what starts a task: with the arguments of its call, and its cell."""


@final
class Gates:
    """gated: the instances with a gate. passed: those whose backpressure the host's calls feel too."""

    def __init__(
        self, shop: Workshop, machinery: Machinery, gated: Collection[InstanceId], passed: Collection[InstanceId]
    ) -> None:
        self._shop = shop
        self._machinery = machinery
        self._flags = {id: shop.functions.flag(f"gate of {shop.labels[id]}", 0) for id in sorted(gated)}
        self._passed = passed
        self._begins: list[tuple[int, CallSite, Begin]] = []

    def __contains__(self, instance: InstanceId) -> bool:
        return instance in self._flags

    def modify(self, em: Emitter, instance: InstanceId, op: BuiltinOp) -> None:
        """The body of `backpressure.inc` or `.dec`."""
        b, flag = em.b, self._flags[instance]
        b.get_flag(flag)
        b.op(Op.I32_EQZ)
        with b.if_():
            b.call(self._machinery.waitables("new-cell"))
            b.set_flag(flag)
        b.get_flag(flag)
        b.call(self._gates("inc" if op is BuiltinOp.BACKPRESSURE_INC else "dec"))
        if instance in self._passed:
            b.call(self._machinery.engine(OuterAsyncFunc(op, CoreFuncType((), ()))))

    def wait_on_stack(self, em: Emitter, instance: InstanceId) -> None:
        """A synchronous lower goes on once the instance lets it in."""
        if instance not in self._flags:
            return
        b, machinery = em.b, self._machinery
        b.get_flag(self._flags[instance])
        b.call(self._gates("closed"))
        with b.if_():
            machinery.check_may_block(em)
            if machinery.sync is None:
                machinery.no_stack(em)
            else:
                b.get_flag(self._flags[instance])
                b.call(self._gates("ticket"))
                until_its_turn(em, machinery)

    def deferring(self, symbol: EmittedFunc, site: CallSite, number: int, now: EmittedFunc, begin: Begin) -> None:
        """Write the trampoline of an async lower: `now` if it may start, else a task that `begin` starts later."""
        machinery, handles = self._machinery, self._shop.handles
        instance = site.callee.instance
        b = FuncBuilder(f"{site.name}, at the gate", site.caller_flat.core)
        em = Emitter(self._shop, b)
        em.check_may_leave(site.caller.instance)
        task = b.local(I32)
        b.get_flag(self._flags[instance])
        b.call(self._gates("closed"))
        with b.if_():
            b.i32(number)
            b.i32(handles.table(instance))
            b.call(machinery.tasks("begin"))
            b.set(task)
            for param, offset in zip(b.params, _offsets(site), strict=True):
                assert isinstance(param.type, NumType)
                b.get(task, param)
                b.op(*_TO_I64[param.type])
                b.store(Store.I64, machinery.memory, offset)
            b.get_flag(self._flags[instance])
            b.get(task)
            b.call(self._gates("wait"))
            b.get(task)
            b.i32(handles.table(site.caller.instance))
            b.call(machinery.tasks("status"))
            b.return_()
        b.get(*b.params)
        b.call(now)
        self._shop.functions.define(symbol, b)
        self._begins.append((number, site, begin))

    def begin_sync(self, now: EmittedFunc) -> Begin:
        """How a task of a sync lift starts: with the trampoline that there would be without a gate."""

        def emit(em: Emitter, args: tuple[Local, ...], task: Local) -> None:
            em.b.get(*args)
            em.b.call(now)
            em.b.op(Op.DROP)
            for operation in ("resolve", "exit"):
                em.b.get(task)
                em.b.call(self._machinery.tasks(operation))

        return emit

    def finish(self, new_emitter: Callable[[str, CoreFuncType], Emitter]) -> None:
        """Write what the pump calls."""
        machinery, functions = self._machinery, self._shop.functions
        em = new_emitter("let a call in", CoreFuncType((I32,), ()))
        if self._begins or self._flags:
            em.b.get(*em.b.params)
            em.b.call(self._gates("step"))
        else:
            em.b.unreachable()
        functions.define(machinery.gate_step, em.b)
        em = new_emitter("start a task", CoreFuncType((I32,), ()))
        (task,) = em.b.params
        for number, site, begin in self._begins:
            em.b.get(task)
            em.b.load(Load.I32, machinery.memory, SITE)
            em.b.i32(number)
            em.b.op(Op.I32_EQ)
            with em.b.if_():
                args = tuple(em.b.local(type) for type in site.caller_flat.core.params)
                for arg, offset in zip(args, _offsets(site), strict=True):
                    assert isinstance(arg.type, NumType)
                    em.b.get(task)
                    em.b.load(Load.I64, machinery.memory, offset)
                    em.b.op(*_FROM_I64[arg.type])
                    em.b.set(arg)
                begin(em, args, task)
                em.b.return_()
        em.b.unreachable()
        functions.define(machinery.start, em.b)

    # --- inside -----------------------------------------------------------------------------------------------
    @cached_property
    def _gates(self) -> Callable[[str], FuncId]:
        machinery = self._machinery
        args: tuple[RuntimeArg, ...] = (
            machinery.memory,
            *map(machinery.waitables, ("new-cell", "push", "pop", "notify")),
            machinery.start,
            self._shop.functions.trap(Trap.BACKPRESSURE),
        )
        return self._shop.library.funcs(runtime.GATES, args)


def _offsets(site: CallSite) -> list[int]:
    """Where the arguments of a call wait in its cell; a result pointer where `task.return` looks for it."""
    count = len(site.caller_flat.core.params)
    pointer = site.caller_flat.result is None and site.result is not None
    offsets = [_ARGS + 8 * i for i in range(count - pointer)]
    assert len(offsets) <= 4
    return [*offsets, RESULT] if pointer else offsets
