"""What fused code waits for and the engine has: the runtime's functions for it, and what it calls back.

Host calls that take their time are subtasks of the engine's (`hosts`). The runtime watches them in the sets of roots
(`runtime/outer.wat`) and calls the functions that are written here last, when it is known what there is: an output
without host calls pays nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, final

from meldpy import runtime
from meldpy.adapter.functions import Functions
from meldpy.adapter.handles import Handles
from meldpy.adapter.library import Instances
from meldpy.adapter.places import Memory, Side
from meldpy.adapter.tasks.machinery import Machinery
from meldpy.adapter.traps import Trap
from meldpy.asm import I32, Op
from meldpy.model.canon import BuiltinOp, StringEncoding
from meldpy.model.code import EmittedFunc, OuterAsyncFunc, RuntimeArg
from meldpy.model.core import CoreFuncType
from meldpy.model.ids import FuncId, MemoryId

if TYPE_CHECKING:
    from meldpy.adapter.emitter import Emitter
    from meldpy.adapter.tasks.ends import Ends
    from meldpy.adapter.tasks.machinery import EmitterOf

_HEAP_TRAPS = (Trap.BOUNDARY_FULL,)
_SUBTASK, _LAST_END = 1, 5
"""The codes of a subtask's event, and the last one of those of ends."""


@final
class Outside:
    """One for each adapt run that has tasks."""

    def __init__(
        self, functions: Functions, library: Instances, handles: Handles, machinery: Machinery, *, one_memory: bool
    ) -> None:
        self._functions = functions
        self._library = library
        self._handles = handles
        self._machinery = machinery
        self.one_memory = one_memory
        """Whether all that the engine writes and reads must lie in one memory, which is the heap's then."""
        self.heard = functions.reserve()
        """Called when a host call whose result is in the heap is heard of: with its cell, and the state before."""
        self.has_calls = False
        self.has_heap = False
        self.ends: Ends | None = None
        """Set if an end can be the host's."""
        self._yielding: EmittedFunc | None = None

    # --- the runtime ------------------------------------------------------------------------------------------
    @cached_property
    def heap(self) -> Callable[[str], FuncId]:
        """The functions of `heap.wat`: an output for which anybody asks for them has a heap."""
        self.has_heap = True
        return self._library.funcs(runtime.HEAP, tuple(map(self._functions.trap, _HEAP_TRAPS)))

    def side(self) -> Side:
        """The outer component as one side of a crossing that takes its time."""
        memory = self._library.memory(runtime.HEAP, tuple(map(self._functions.trap, _HEAP_TRAPS)))
        return Side(self._handles.outer, StringEncoding.UTF8, Memory(memory), self.heap("realloc"))

    def events(self) -> MemoryId:
        """Where the engine writes what happened, at 0x30: beside the cells, or in the heap's memory if the edge has but
        one memory. Neither uses that place for anything else."""
        return self.side().needs_memory().id if self.one_memory else self._machinery.memory

    @cached_property
    def outer(self) -> Callable[[str], FuncId]:
        machinery = self._machinery
        events = self.events()
        args: tuple[RuntimeArg, ...] = (
            *(machinery.memory, events, self._handles.func("allocate"), machinery.tasks("root")),
            *map(machinery.roots, ("handles", "all", "event", "let-exit")),
            machinery.engine(OuterAsyncFunc(BuiltinOp.WAITABLE_JOIN, CoreFuncType((I32, I32), ()))),
            machinery.engine(
                OuterAsyncFunc(BuiltinOp.WAITABLE_SET_POLL, CoreFuncType((I32, I32), (I32,)), memory=events)
            ),
        )
        return self._library.funcs(runtime.OUTER, args)

    @cached_property
    def hosts(self) -> Callable[[str], FuncId]:
        self.has_calls = True
        machinery = self._machinery
        traps = (Trap.SUBTASK_DELIVERED, Trap.CANCELLED_TWICE, Trap.SYNC_USE)
        args: tuple[RuntimeArg, ...] = (
            *(machinery.memory, self._handles.func("new-own")),
            *map(machinery.waitables, ("new-cell", "order", "notify", "deliver")),
            *map(self.outer, ("find", "watch", "unwatch")),
            machinery.engine(OuterAsyncFunc(BuiltinOp.SUBTASK_DROP, CoreFuncType((I32,), ()))),
            self.heard,
            *map(self._functions.trap, traps),
        )
        return self._library.funcs(runtime.HOSTS, args)

    def cancel(self, *, async_: bool) -> OuterAsyncFunc:
        """The engine's `subtask.cancel`."""
        return self._machinery.engine(
            OuterAsyncFunc(BuiltinOp.SUBTASK_CANCEL, CoreFuncType((I32,), (I32,)), async_=async_)
        )

    @property
    def yielding(self) -> EmittedFunc:
        """What a task calls that yields on its stack: the engine has its turn, then we hear what came of it. Also where
        nothing is watched: functions of the host that take no time may tell what others did meanwhile."""
        if self._yielding is None:
            self._yielding = self._functions.reserve()
        return self._yielding

    @property
    def watches(self) -> bool:
        """Whether there is anything of the engine's to wait for."""
        return self.has_calls or self.ends is not None

    # --- what the runtime calls -------------------------------------------------------------------------------
    def finish(self, new_emitter: EmitterOf) -> None:
        """Write what `roots.wat` calls."""
        machinery = self._machinery
        self._event(new_emitter)
        self._drain(new_emitter)
        for symbol, export in ((machinery.gather, "gather"), (machinery.adopt, "adopt")):
            em = new_emitter(f"{export} what the host has", CoreFuncType((I32,), ()))
            if self.watches:
                em.b.get(*em.b.params)
                em.b.call(self.outer(export))
            self._functions.define(symbol, em.b)
        em = new_emitter("the engine's turn", CoreFuncType((I32,), ()))
        if self.watches:
            self._yield(em)
            em.b.get(*em.b.params)
            em.b.call(machinery.drain)
        self._functions.define(machinery.turn, em.b)
        if self._yielding is not None:
            em = new_emitter("the engine's turn while a task yields", CoreFuncType((), ()))
            self._yield(em)
            if self.watches:
                em.b.call(self.outer("drain-all"))
            self._functions.define(self._yielding, em.b)

    def _yield(self, em: Emitter) -> None:
        em.b.call(self._machinery.engine(OuterAsyncFunc(BuiltinOp.THREAD_YIELD, CoreFuncType((), (I32,)))))
        em.b.drop()

    def _event(self, new_emitter: EmitterOf) -> None:
        em = new_emitter("event of the host", CoreFuncType((I32,) * 3, ()))
        code, handle, state = em.b.params
        if self.has_calls:
            em.b.get(code)
            em.b.i32(_SUBTASK)
            em.b.op(Op.I32_EQ)
            with em.b.if_():
                em.b.get(handle, state)
                em.b.call(self.hosts("event"))
                em.b.return_()
        if self.ends is not None:
            # codes from 2 to 5; what else the engine says is no event of a waitable
            em.b.get(code)
            em.b.i32(_LAST_END)
            em.b.op(Op.I32_LE_U)
            with em.b.if_():
                em.b.get(code, handle, state)
                em.b.call(self.ends.func("event"))
        self._functions.define(self._machinery.outer_event, em.b)

    def _drain(self, new_emitter: EmitterOf) -> None:
        em = new_emitter("hear of the host", CoreFuncType((I32,), ()))
        if self.watches:
            em.b.get(*em.b.params)
            em.b.call(self.outer("drain"))
        if self.has_heap:
            em.b.call(self.heap("crowded"))
            with em.b.if_():
                em.b.call(self.outer("drain-all"))
                em.b.call(self.heap("heard"))
        self._functions.define(self._machinery.drain, em.b)
