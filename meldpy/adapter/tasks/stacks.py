"""Synchronous cancels that are not obeyed at once: when they may wait on the stack that they are called on.

A graph may be fused in the hope that callees obey (`analysis.blocking`, "Cancels"). One that does not leaves its caller
waiting on its stack, above which the pump runs what is ready. In a composition every task has a stack of its own, and
here all of them share one, so that whoever is further down goes on later. That makes no difference if nothing further
down has anything to do before; where it has, the output must not go on as if nothing were, and traps by a name of its
own. Three things are kept for that, and only of instances whose code can be below such a wait:

- *locks*: which instances have a task on the stack. The pump puts aside what would enter one of them, a cancelled task
  of one hears of it later, and a call of one, which would have to wait to start, traps.
- *below*: whether somebody on the stack can go on without the task that would wait: who called it asynchronously, who
  cancelled it asynchronously, and who called it and has its result already. Then waiting traps. (Who waits for it, by a
  call or a cancel, waits in any case.) What the pump runs has nobody below it that it could know of.
- *idle*: the engine is waited for only if no stack further down could go on by now (`roots.wat`), and if it is the
  instance with the async exports that waits: then its lock is the engine's, and nothing that the engine could do in a
  composition is held back.

Spec: CanonicalABI.md `canon subtask.cancel`, `Task.request_cancellation`, `Task.enter_implicit_thread`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, contextmanager
from enum import Enum, unique
from typing import TYPE_CHECKING, TypeAlias, final

from meldpy.adapter.functions import Functions
from meldpy.adapter.traps import Trap
from meldpy.asm import I32, Load, Local, Op
from meldpy.model.core import CoreFuncType
from meldpy.model.ids import FlagId, InstanceId, MemoryId

if TYPE_CHECKING:
    from meldpy.adapter.emitter import Emitter
    from meldpy.adapter.tasks.machinery import LiftNumber

    EmitterOf: TypeAlias = "Callable[[str, CoreFuncType], Emitter]"

_NOBODY, _SOMEBODY, _WAITING = 0, 1, 2
"""What `below` says: there is nobody below; somebody could go on; all wait for the current task."""
_CANCELLED = 6
"""The code of the event by which a task hears that it is cancelled."""
_TICKET_FLAG = 1024
_AT_GATE = 8
_FLAGS, _PARKED, _SITE = 36, 48, 32


@unique
class Below(Enum):
    """Who is below a task that begins or goes on: nobody (the pump or the engine), somebody who goes on meanwhile, or
    somebody who waits for it."""

    NOBODY = "nobody"
    GOES_ON = "goes on"
    WAITS = "waits"


@final
class Stacks:
    """instances: those whose code can be below a cancel that waits; none, if all is proved. exporting: the instances
    with async exports. `sync`: set while a synchronous task runs."""

    def __init__(
        self,
        functions: Functions,
        instances: Collection[InstanceId],
        exporting: Collection[InstanceId],
        sync: FlagId | None,
    ) -> None:
        self._functions = functions
        self._sync = sync
        self._exporting = sorted(exporting)
        self._locks = {id: functions.flag(f"on a stack: {id}", 0) for id in sorted(instances)}
        self._below = functions.flag("who is below", _NOBODY) if instances else None
        self.set_aside, self.may_idle = functions.reserve(), functions.reserve()
        """What the pump asks: whether a task must be put aside; and before the engine is waited for."""

    # --- around code of tasks -------------------------------------------------------------------------------------
    @contextmanager
    def frame(self, em: Emitter, instance: InstanceId, below: Below | Local) -> Iterator[None]:
        """The block runs code of an instance for an async-typed task. below: of a callback, the code of its event."""
        lock = self._locks.get(instance)
        if lock is None:
            yield
            return
        assert self._below is not None
        b = em.b
        b.get_flag(lock)
        em.trap_if(Trap.CANCEL_WAITS)
        b.i32(1)
        b.set_flag(lock)
        with self._saved(em, self._below) as saved:
            if below is Below.NOBODY:
                b.i32(_NOBODY)
            elif below is Below.GOES_ON:
                b.i32(_SOMEBODY)
            else:
                self._waits(em, saved)
                if isinstance(below, Local):
                    # anything but a cancel comes from the pump
                    b.i32(_NOBODY)
                    b.get(below)
                    b.i32(_CANCELLED)
                    b.op(Op.I32_EQ, Op.SELECT)
            b.set_flag(self._below)
            yield
        b.i32(0)
        b.set_flag(lock)

    def call(self, em: Emitter, instance: InstanceId, *, caller_async: bool) -> AbstractContextManager[None]:
        """The block calls an instance by an async function."""
        return self.frame(em, instance, Below.GOES_ON if caller_async else Below.WAITS)

    @contextmanager
    def cancelling(self, em: Emitter, *, async_: bool) -> Iterator[None]:
        """The block may run a task that is cancelled."""
        if self._below is None or not async_:
            yield
            return
        with self._saved(em, self._below):
            em.b.i32(_SOMEBODY)
            em.b.set_flag(self._below)
            yield

    def resolved(self, em: Emitter, instance: InstanceId) -> None:
        """The current task has returned or cancelled: whoever waited for it can go on."""
        if instance not in self._locks:
            return
        assert self._below is not None
        em.b.get_flag(self._below)
        with em.b.if_():
            em.b.i32(_SOMEBODY)
            em.b.set_flag(self._below)

    def check_may_wait(self, em: Emitter) -> None:
        """Fail if somebody below could go on while the current task waits."""
        if self._below is not None:
            em.b.get_flag(self._below)
            em.b.i32(_SOMEBODY)
            em.b.op(Op.I32_EQ)
            em.trap_if(Trap.CANCEL_WAITS)

    # --- what the runtime calls -----------------------------------------------------------------------------------
    def finish(self, new_emitter: EmitterOf, memory: MemoryId, lifts: Collection[LiftNumber]) -> None:
        """Write what the pump asks. lifts: all whose tasks are cells in `memory`."""
        em = new_emitter("must a task be put aside", CoreFuncType((I32,), (I32,)))
        if self._locks:
            self._write_set_aside(em, memory, lifts)
        else:
            em.b.i32(0)
        self._functions.define(self.set_aside, em.b)
        em = new_emitter("may the engine be waited for", CoreFuncType((), ()))
        if self._locks:
            lock = self._locks.get(self._exporting[0]) if len(self._exporting) == 1 else None
            if lock is None:
                em.trap(Trap.CANCEL_WAITS)
            else:
                em.b.get_flag(lock)
                em.b.op(Op.I32_EQZ)
                em.trap_if(Trap.CANCEL_WAITS)
        self._functions.define(self.may_idle, em.b)

    # --- inside ---------------------------------------------------------------------------------------------------
    def _write_set_aside(self, em: Emitter, memory: MemoryId, lifts: Collection[LiftNumber]) -> None:
        """Whether a parked task is of an instance on the stack. Tickets are of those who wait, gates of nobody."""
        b = em.b
        (task,) = b.params
        b.get(task)
        b.load(Load.I32, memory, _FLAGS)
        b.i32(_TICKET_FLAG)
        b.op(Op.I32_AND)
        b.get(task)
        b.load(Load.I32, memory, _PARKED)
        b.i32(_AT_GATE)
        b.op(Op.I32_EQ, Op.I32_OR)
        with b.if_():
            b.i32(0)
            b.return_()
        number = b.local(I32)
        b.get(task)
        b.load(Load.I32, memory, _SITE)
        b.i32(0xFFFF)
        b.op(Op.I32_AND)
        b.set(number)
        for lift in lifts:
            if lift.callback is not None and lift.instance in self._locks:
                b.get(number)
                b.i32(lift.number)
                b.op(Op.I32_EQ)
                with b.if_():
                    b.get_flag(self._locks[lift.instance])
                    b.return_()
        b.i32(0)

    def _waits(self, em: Emitter, before: Local) -> None:
        """Push what `below` is for a task that the current one waits for: a synchronous task cannot."""
        b = em.b
        b.i32(_SOMEBODY)
        b.i32(_WAITING)
        b.get(before)
        b.i32(_SOMEBODY)
        b.op(Op.I32_EQ)
        if self._sync is not None:
            b.get_flag(self._sync)
            b.op(Op.I32_OR)
        b.op(Op.SELECT)

    @contextmanager
    def _saved(self, em: Emitter, flag: FlagId) -> Iterator[Local]:
        with em.b.scratch(I32) as (saved,):
            em.b.get_flag(flag)
            em.b.set(saved)
            yield saved
            em.b.get(saved)
            em.b.set_flag(flag)
