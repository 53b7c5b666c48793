"""The built-ins of async that need no types: tasks, subtasks, waitable sets, context slots.

One small function per built-in, which checks may_leave where the spec does, and hands over to the runtime library.
`task.return` is in `returns`, reads and writes are in `copies`.

Spec: CanonicalABI.md, the sections of the built-ins.
"""

from __future__ import annotations

from typing import assert_never, final

from meldpy import runtime
from meldpy.adapter.emitter import Emitter, Workshop
from meldpy.adapter.memories import memory_of
from meldpy.adapter.symbols import Symbols
from meldpy.adapter.tasks.copies import Copies
from meldpy.adapter.tasks.ends import Ends
from meldpy.adapter.tasks.gates import Gates
from meldpy.adapter.tasks.machinery import FLAGS, HOSTED_FLAG, ROOT_FLAG, Machinery
from meldpy.adapter.tasks.outside import Outside
from meldpy.adapter.tasks.returns import emit_task_return, returns_from
from meldpy.adapter.tasks.waits import emit_wait, emit_yield
from meldpy.adapter.traps import Trap
from meldpy.asm import I32, FuncBuilder, Load, Local, Op, Store
from meldpy.model.builtins import (
    CancelCopy,
    ContextSlot,
    Copy,
    EndType,
    EventPlace,
    FlagImmediate,
    NoImmediates,
    TaskReturn,
    TextOptions,
    ThreadStart,
)
from meldpy.model.canon import BuiltinOp
from meldpy.model.code import EmittedFunc, OuterAsyncFunc
from meldpy.model.core import CoreFuncType, CoreValType
from meldpy.model.linked import AsyncBuiltin, LinkedGraph

_EVENT_SIZE = 8


@final
class AsyncBuiltins:
    """Symbols are handed out first (`symbol`) and written when all lifts and ways back are known (`finish`)."""

    def __init__(
        self,
        shop: Workshop,
        graph: LinkedGraph,
        machinery: Machinery,
        outside: Outside,
        ends: Ends,
        gates: Gates,
        symbols: Symbols,
    ) -> None:
        self._shop = shop
        self._graph = graph
        self._machinery = machinery
        self._outside = outside
        self._gates = gates
        self._copies = Copies(shop, graph, machinery, ends, symbols)
        self._builtins: list[tuple[AsyncBuiltin, EmittedFunc]] = []

    def symbol(self, builtin: AsyncBuiltin) -> EmittedFunc:
        symbol = self._shop.functions.reserve()
        self._builtins.append((builtin, symbol))
        if isinstance(builtin.immediates, Copy):
            self._copies.know(builtin, builtin.immediates)
        return symbol

    def finish(self) -> None:
        for builtin, symbol in self._builtins:
            match builtin.immediates:
                case TaskReturn() as returned:
                    lifts = [
                        self._machinery.lifts[lift.id]
                        for lift in self._graph.lifts
                        if lift.id in self._machinery.lifts
                        and returns_from(self._graph, self._shop, builtin.instance, returned, lift)
                    ]
                    emit_task_return(self._shop, self._machinery, symbol, builtin.instance, returned, lifts)
                case Copy() as copy:
                    self._copies.copy(symbol, builtin, copy)
                case CancelCopy() as cancel:
                    self._copies.cancel(symbol, builtin, cancel)
                case EndType() as end:
                    self._copies.end(symbol, builtin, end)
                case ContextSlot() as slot:
                    self._context(symbol, builtin, slot)
                case EventPlace() as place:
                    self._event(symbol, builtin, place)
                case FlagImmediate() if builtin.op is BuiltinOp.THREAD_YIELD:
                    em = self._emitter(builtin, (), (I32,))
                    em.check_may_leave(builtin.instance)
                    emit_yield(em, self._machinery, self._outside)
                    self._shop.functions.define(symbol, em.b)
                case FlagImmediate(value):
                    assert builtin.op is BuiltinOp.SUBTASK_CANCEL, "others were refused"
                    self._cancel_subtask(symbol, builtin, async_=value)
                case NoImmediates():
                    self._plain(symbol, builtin)
                case TextOptions() | ThreadStart():
                    raise AssertionError("refused before")
                case other:
                    assert_never(other)
            self._shop.finish()
        self._copies.finish()

    # --- inside -----------------------------------------------------------------------------------------------
    def _emitter(
        self, builtin: AsyncBuiltin, params: tuple[CoreValType, ...], results: tuple[CoreValType, ...]
    ) -> Emitter:
        name = f"{builtin.op.value[1]} in {self._shop.labels[builtin.instance]}"
        return Emitter(self._shop, FuncBuilder(name, CoreFuncType(params, results)))

    def _push_row(self, em: Emitter, builtin: AsyncBuiltin, tag: int, index: Local, operation: str) -> None:
        """Push what the row of a handle names."""
        em.b.i32(self._shop.handles.table(builtin.instance))
        em.b.i32(tag)
        em.b.get(index)
        em.b.call(self._shop.handles.func(operation))

    def _context(self, symbol: EmittedFunc, builtin: AsyncBuiltin, slot: ContextSlot) -> None:
        flag = self._machinery.slots[builtin.instance][slot.slot]
        if builtin.op is BuiltinOp.CONTEXT_GET:
            em = self._emitter(builtin, (), (I32,))
            em.b.get_flag(flag)
        else:
            em = self._emitter(builtin, (I32,), ())
            em.b.get(*em.b.params)
            em.b.set_flag(flag)
        self._shop.functions.define(symbol, em.b)

    def _event(self, symbol: EmittedFunc, builtin: AsyncBuiltin, place: EventPlace) -> None:
        """waitable-set.wait and waitable-set.poll."""
        memory = memory_of(self._graph, place.memory)
        em = self._emitter(builtin, (I32, memory.address), (I32,))
        b, machinery = em.b, self._machinery
        index, pointer = b.params
        em.check_may_leave(builtin.instance)
        set_ = b.local(I32)
        self._push_row(em, builtin, runtime.SET_TAG, index, "rep")
        b.set(set_)
        if self._outside.watches:
            # what the engine knows, we know
            b.call(self._outside.outer("drain-all"))
        if builtin.op is BuiltinOp.WAITABLE_SET_WAIT:
            emit_wait(em, machinery, set_)
        code, first, second = b.local(I32), b.local(I32), b.local(I32)
        b.get(set_)
        b.call(machinery.waitables("take-event"))
        b.set(code, first, second)
        em.check_aligned(pointer, 4, Trap.RESULT_MISALIGNED)
        em.check_bounds(memory, pointer, _EVENT_SIZE, Trap.RESULT_OUT_OF_BOUNDS)
        for offset, value in ((0, first), (4, second)):
            b.get(pointer, value)
            b.store(Store.I32, memory.id, offset)
        b.get(code)
        self._shop.functions.define(symbol, b)

    def _cancel_subtask(self, symbol: EmittedFunc, builtin: AsyncBuiltin, *, async_: bool) -> None:
        em = self._emitter(builtin, (I32,), (I32,))
        b, machinery = em.b, self._machinery
        em.check_may_leave(builtin.instance)
        with b.scratch(I32) as (task,):
            self._push_row(em, builtin, runtime.SUBTASK_TAG, b.params[0], "rep")
            b.set(task)
            if self._outside.has_calls:
                b.get(task)
                b.load(Load.I32, machinery.memory, FLAGS)
                b.i32(HOSTED_FLAG)
                b.op(Op.I32_AND)
                with b.if_():
                    self._cancel_host_call(em, task, async_=async_)
                    b.return_()
            with machinery.stacks.cancelling(em, async_=async_):
                b.get(task)
                b.i32(int(async_))
                b.call(machinery.tasks("cancel-subtask"))
        self._shop.functions.define(symbol, b)

    def _cancel_host_call(self, em: Emitter, task: Local, *, async_: bool) -> None:
        """Push the state, or -1. The engine is asked, and a synchronous cancel waits for its answer."""
        b, outside = em.b, self._outside
        with b.scratch(I32) as (handle,):
            b.call(outside.outer("drain-all"))
            b.get(task)
            b.call(outside.hosts("cancelling"))
            b.tee(handle)
            with b.if_():
                if not async_:
                    self._machinery.check_may_block(em)
                b.get(task, handle)
                b.call(outside.cancel(async_=async_))
                b.call(outside.hosts("cancelled"))
        b.get(task)
        b.call(outside.hosts("state-after-cancel"))

    def _plain(self, symbol: EmittedFunc, builtin: AsyncBuiltin) -> None:
        machinery, handles = self._machinery, self._shop.handles
        match builtin.op:
            case BuiltinOp.TASK_CANCEL:
                em = self._emitter(builtin, (), ())
                em.check_may_leave(builtin.instance)
                with em.b.scratch(I32) as (task,):
                    em.b.get_flag(machinery.task)
                    em.b.tee(task)
                    em.b.op(Op.I32_EQZ)
                    em.trap_if(Trap.TASK_NOT_CANCELLED)
                    em.b.get(task)
                    em.b.call(machinery.tasks("cancel"))
                    machinery.stacks.resolved(em, builtin.instance)
                    if machinery.has_roots:
                        # the host asked for it
                        em.b.get(task)
                        em.b.load(Load.I32, machinery.memory, FLAGS)
                        em.b.i32(ROOT_FLAG)
                        em.b.op(Op.I32_AND)
                        with em.b.if_():
                            cancel = OuterAsyncFunc(BuiltinOp.TASK_CANCEL, CoreFuncType((), ()))
                            em.b.call(machinery.engine(cancel))
            case BuiltinOp.BACKPRESSURE_INC | BuiltinOp.BACKPRESSURE_DEC as op:
                em = self._emitter(builtin, (), ())
                self._gates.modify(em, builtin.instance, op)
            case BuiltinOp.SUBTASK_DROP:
                em = self._emitter(builtin, (I32,), ())
                em.check_may_leave(builtin.instance)
                self._push_row(em, builtin, runtime.SUBTASK_TAG, em.b.params[0], "take-own")
                em.b.call(machinery.tasks("drop"))
            case BuiltinOp.WAITABLE_SET_NEW:
                em = self._emitter(builtin, (), (I32,))
                em.check_may_leave(builtin.instance)
                em.b.i32(handles.table(builtin.instance))
                em.b.i32(runtime.SET_TAG)
                em.b.call(machinery.waitables("new-cell"))
                em.b.call(handles.func("new-own"))
            case BuiltinOp.WAITABLE_SET_DROP:
                em = self._emitter(builtin, (I32,), ())
                em.check_may_leave(builtin.instance)
                self._push_row(em, builtin, runtime.SET_TAG, em.b.params[0], "take-own")
                em.b.call(machinery.waitables("drop-set"))
            case BuiltinOp.WAITABLE_JOIN:
                em = self._emitter(builtin, (I32, I32), ())
                em.check_may_leave(builtin.instance)
                self._join(em, builtin)
            case other:
                raise AssertionError(f"{other} was refused before")
        self._shop.functions.define(symbol, em.b)

    def _join(self, em: Emitter, builtin: AsyncBuiltin) -> None:
        b, machinery = em.b, self._machinery
        index, set_index = b.params
        with b.scratch(I32) as (waitable,):
            b.i32(self._shop.handles.table(builtin.instance))
            b.get(index)
            b.call(machinery.waitables("waitable"))
            b.set(waitable)
            b.get(waitable, set_index)
            with b.if_(I32):
                self._push_row(em, builtin, runtime.SET_TAG, set_index, "rep")
                b.else_()
                b.i32(0)
            b.call(machinery.waitables("join"))
