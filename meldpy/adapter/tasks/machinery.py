"""What all emitted code of async has in common: the runtime's functions, what is current, and the numbers of lifts.

**What is current.** The runtime knows tasks by their cells; whose code runs right now is known here, in globals: the
cell of the current task, whether a sync-typed task is among those that would have to block, and for each instance with
`context.*` its slots. Emitted code saves and restores them around every call into an instance that can look at them, so
an instance that cannot look costs nothing.

**Numbers.** A cell names its lift (which callback to run) and the way back (how to return), 16 bits each. The functions
that go from the number to the code, and a few others that the runtime calls, are emitted; they are written last, when
all numbers are known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Protocol, final

from meldpy import runtime
from meldpy.adapter.functions import Functions
from meldpy.adapter.handles import Handles
from meldpy.adapter.library import Instances
from meldpy.adapter.tasks.stacks import Below, Stacks
from meldpy.adapter.traps import Trap
from meldpy.asm import I32, I64, Load, Local, Op, Store
from meldpy.errors import LimitError
from meldpy.model.canon import BuiltinOp
from meldpy.model.code import EmittedFunc, FuncSymbol, OuterAsyncFunc, RuntimeArg
from meldpy.model.core import CoreFuncType
from meldpy.model.ids import FlagId, FuncId, InstanceId, LiftId, MemoryId
from meldpy.model.valtype import DefinedType, StreamType
from meldpy.records import dataclass, field

if TYPE_CHECKING:
    from meldpy.adapter.emitter import Emitter
    from meldpy.adapter.tasks.ends import Ends

# Words of a task's cell, see `tasks.wat`.
STATE, SITE, FLAGS, SCOPE, RESULT = 24, 32, 36, 40, 80
CONTEXTS = (64, 72)
RESOLVED_FLAG, ROOT_FLAG, HOSTED_FLAG = 32, 128, 512

MOST_LIFTS, MOST_CALLERS = 1 << 16, 1 << 15
"""What the two halves of SITE can number."""
_LESS = "keep one of the inputs apart with --keep"

_CELL_WORDS = CoreFuncType((I32,), (I32,))
_UNIT_STREAM = DefinedType(StreamType(None))


@final
@dataclass(frozen=True, slots=True)
class Observers:
    """The instances that can look at what is current. contexts: with which of the slots. returning: by task.return or
    task.cancel. blocking: by blocking, themselves or through others. locked: whose lock can be found held, because a
    task of theirs that was called synchronously blocks. cancelling: whose code can be below a cancel that waits.
    exporting: with async exports."""

    contexts: Mapping[InstanceId, tuple[int, ...]]
    returning: frozenset[InstanceId]
    blocking: frozenset[InstanceId]
    locked: frozenset[InstanceId]
    cancelling: frozenset[InstanceId]
    exporting: frozenset[InstanceId]


@final
@dataclass(slots=True)
class LiftNumber:
    """A lift whose tasks are cells: its callback (None: it has none that could run), and the ways back from it."""

    number: int
    instance: InstanceId
    callback: FuncSymbol | None
    returns: list[EmittedFunc] = field(default_factory=list)


class Waiting(Protocol):
    """Where synchronous lowers wait for their callee to let them in."""

    def wait_on_stack(self, em: Emitter, instance: InstanceId) -> None: ...


@final
class Machinery:
    """One for each adapt run that has tasks."""

    def __init__(self, functions: Functions, library: Instances, handles: Handles, observers: Observers) -> None:
        self._functions = functions
        self._library = library
        self._handles = handles
        self.observers = observers
        self.task = functions.flag("current task", 0)
        self.sync = functions.flag("a synchronous task runs", 0) if observers.blocking else None
        self.slots: dict[InstanceId, dict[int, FlagId]] = {
            instance: {slot: functions.flag(f"context {slot} of {instance}", 0) for slot in slots}
            for instance, slots in observers.contexts.items()
        }
        self._after: dict[InstanceId, list[FlagId]] = {}
        self.locks = {instance: functions.flag(f"lock of {instance}", 0) for instance in sorted(observers.locked)}
        self.stacks = Stacks(functions, observers.cancelling, observers.exporting, self.sync)
        self.lifts: dict[LiftId, LiftNumber] = {}
        self.outer: dict[OuterAsyncFunc, None] = {}
        self._payload, self._run, self._wake, self._block = (functions.reserve() for _ in range(4))
        self.outer_event, self.drain, self.gather, self.adopt, self.turn = (functions.reserve() for _ in range(5))
        """What `roots.wat` calls of what is the engine's; `outside` writes them."""
        self.gate_step, self.start = functions.reserve(), functions.reserve()
        """What the pump calls for a gate, and that for a task that may start; `gates` writes them."""
        self.gates: Waiting | None = None
        self.ends: Ends
        """Set by whoever makes this (`tasks`)."""
        self.events: Callable[[], MemoryId]
        """The memory into which the engine writes what happened; set like `ends`."""
        self.has_roots = False
        self.has_streams = False

    # --- the runtime --------------------------------------------------------------------------------------------
    @property
    def memory(self) -> MemoryId:
        """Where the cells are."""
        return self._handles.memory

    @cached_property
    def waitables(self) -> Callable[[str], FuncId]:
        traps = (Trap.UNKNOWN_HANDLE, Trap.WRONG_RESOURCE_TYPE, Trap.SET_NOT_EMPTY, Trap.SET_HAS_WAITERS, Trap.SYNC_USE)
        args: tuple[RuntimeArg, ...] = (
            *(self.memory, self._handles.func("allocate")),
            *map(self._functions.trap, traps),
            self._payload,
        )
        return self._library.funcs(runtime.WAITABLES, args)

    @cached_property
    def tasks(self) -> Callable[[str], FuncId]:
        rows = tuple(map(self._handles.func, ("new-own", "take-own", "rep", "scope-exit")))
        shared = ("new-cell", "free-cell", "order", "push", "remove", "pop", "notify", "forget", "take-event", "join")
        traps = (
            Trap.CALLBACK_CODE,
            Trap.NO_RESULT,
            Trap.TASK_RESOLVED,
            Trap.TASK_NOT_CANCELLED,
            Trap.SUBTASK_DELIVERED,
            Trap.SUBTASK_NOT_DELIVERED,
            Trap.CANCELLED_TWICE,
            Trap.SYNC_USE,
        )
        args: tuple[RuntimeArg, ...] = (
            self.memory,
            *rows,
            *map(self.waitables, shared),
            *(self._run, self._wake, self._block, self.gate_step, self.stacks.set_aside),
            *map(self._functions.trap, traps),
        )
        return self._library.funcs(runtime.TASKS, args)

    @cached_property
    def streams(self) -> Callable[[str], FuncId]:
        self.has_streams = True
        rows = tuple(map(self._handles.func, ("new-own", "take-own", "rep")))
        shared = ("new-cell", "free-cell", "order", "notify", "forget", "join")
        traps = (
            Trap.END_BUSY,
            Trap.END_DONE,
            Trap.END_NOT_COPYING,
            Trap.SYNC_USE,
            Trap.END_IN_SET,
            Trap.SAME_INSTANCE,
            Trap.FUTURE_UNWRITTEN,
        )
        args: tuple[RuntimeArg, ...] = (
            self.memory,
            *rows,
            *map(self.waitables, shared),
            self._block,
            *map(self._functions.trap, traps),
        )
        return self._library.funcs(runtime.STREAMS, args)

    @cached_property
    def roots(self) -> Callable[[str], FuncId]:
        self.has_roots = True
        events = self.events()
        engine = (
            self.engine(OuterAsyncFunc(BuiltinOp.WAITABLE_SET_NEW, CoreFuncType((), (I32,)))),
            self.engine(OuterAsyncFunc(BuiltinOp.WAITABLE_SET_WAIT, CoreFuncType((I32, I32), (I32,)), memory=events)),
            self.engine(OuterAsyncFunc(BuiltinOp.WAITABLE_JOIN, CoreFuncType((I32, I32), ()))),
            self.engine(OuterAsyncFunc(BuiltinOp.CONTEXT_GET, CoreFuncType((), (I32,)))),
            self.engine(OuterAsyncFunc(BuiltinOp.CONTEXT_SET, CoreFuncType((I32,), ()))),
            self.engine(OuterAsyncFunc(BuiltinOp.STREAM_NEW, CoreFuncType((), (I64,)), _UNIT_STREAM)),
            self.engine(OuterAsyncFunc(BuiltinOp.STREAM_READ, CoreFuncType((I32,) * 3, (I32,)), _UNIT_STREAM)),
            self.engine(OuterAsyncFunc(BuiltinOp.STREAM_WRITE, CoreFuncType((I32,) * 3, (I32,)), _UNIT_STREAM)),
        )
        args: tuple[RuntimeArg, ...] = (
            *(self.memory, events),
            *map(self.waitables, ("new-cell", "free-cell")),
            *map(
                self.tasks, ("step", "step-above", "put-back", "ready", "resume", "cancel-root", "root", "enter-root")
            ),
            *(self.outer_event, self.drain, self.gather, self.adopt, self.turn, self.stacks.may_idle),
            *engine,
            self._functions.trap(Trap.CANCEL_WAITS),
        )
        return self._library.funcs(runtime.ROOTS, args)

    def engine(self, func: OuterAsyncFunc) -> OuterAsyncFunc:
        """A built-in of the engine."""
        self.outer[func] = None
        return func

    # --- what is current ------------------------------------------------------------------------------------------
    def observes(self, instance: InstanceId) -> bool:
        """Whether code of the instance can look at what is current."""
        seen = self.observers
        return instance in seen.returning or instance in self.slots or instance in seen.blocking

    @contextmanager
    def sync_call(self, em: Emitter, instance: InstanceId, *, async_type: bool) -> Iterator[None]:
        """The block calls into an instance for a task that is no cell: of a sync lift, a destructor, an allocator."""
        b, observers = em.b, self.observers
        zeros = [self.task] if instance in observers.returning else []
        zeros += self.slots.get(instance, {}).values()
        saved = [(flag, self._save(em, flag)) for flag in zeros]
        for flag in zeros:
            b.i32(0)
            b.set_flag(flag)
        if self.sync is not None and not async_type and instance in observers.blocking:
            saved.append((self.sync, self._save(em, self.sync)))
            b.i32(1)
            b.set_flag(self.sync)
        yield
        self._restore(em, saved)

    def keep_context(self, em: Emitter, instance: InstanceId) -> None:
        """The task goes on after it has returned to the engine, which calls its post-return before anything else."""
        for flag, kept in self._kept(instance):
            em.b.get_flag(flag)
            em.b.set_flag(kept)

    @contextmanager
    def kept_context(self, em: Emitter, instance: InstanceId) -> Iterator[None]:
        """The block goes on with the task that was kept."""
        pairs = self._kept(instance)
        saved = [(flag, self._save(em, flag)) for flag, _ in pairs]
        for flag, kept in pairs:
            em.b.get_flag(kept)
            em.b.set_flag(flag)
        yield
        self._restore(em, saved)

    def _kept(self, instance: InstanceId) -> list[tuple[FlagId, FlagId]]:
        """Each slot of an instance, and where it is kept."""
        slots = self.slots.get(instance, {})
        if instance not in self._after:
            self._after[instance] = [self._functions.flag(f"kept context {slot} of {instance}", 0) for slot in slots]
        return list(zip(slots.values(), self._after[instance], strict=True))

    @contextmanager
    def running(
        self, em: Emitter, task: Local, instance: InstanceId, below: Below | Local, *, resumed: bool
    ) -> Iterator[None]:
        """The block runs code of a task's instance as that task. resumed: its context slots wait in the cell. below:
        who is below it on the stack, see `stacks`."""
        with self.stacks.frame(em, instance, below), self._current(em, task, instance, resumed=resumed):
            yield

    @contextmanager
    def _current(self, em: Emitter, task: Local, instance: InstanceId, *, resumed: bool) -> Iterator[None]:
        b, slots = em.b, self.slots.get(instance, {})
        flags = [self.task, *slots.values()]
        if self.sync is not None:
            flags.append(self.sync)
        saved = [(flag, self._save(em, flag)) for flag in flags]
        b.get(task)
        b.set_flag(self.task)
        for slot, flag in slots.items():
            if resumed:
                b.get(task)
                b.load(Load.I32, self.memory, CONTEXTS[slot])
            else:
                b.i32(0)
            b.set_flag(flag)
        if self.sync is not None:
            b.i32(0)
            b.set_flag(self.sync)
        yield
        for slot, flag in slots.items():
            b.get(task)
            b.get_flag(flag)
            b.store(Store.I32, self.memory, CONTEXTS[slot])
        self._restore(em, saved)

    def _save(self, em: Emitter, flag: FlagId) -> Local:
        local = em.b.local(I32)
        em.b.get_flag(flag)
        em.b.set(local)
        return local

    def _restore(self, em: Emitter, saved: list[tuple[FlagId, Local]]) -> None:
        for flag, local in saved:
            em.b.get(local)
            em.b.set_flag(flag)
            em.b.free(local)

    def check_may_block(self, em: Emitter) -> None:
        """Fail if a synchronous task would have to block."""
        if self.sync is not None:
            em.b.get_flag(self.sync)
            em.trap_if(Trap.CANNOT_BLOCK)

    # --- numbers ----------------------------------------------------------------------------------------------------
    def number(self, lift: LiftId, instance: InstanceId, callback: FuncSymbol | None) -> LiftNumber:
        if lift not in self.lifts:
            if len(self.lifts) == MOST_LIFTS:
                raise LimitError(f"more than {MOST_LIFTS} async lifts are called inside", remedy=_LESS)
            self.lifts[lift] = LiftNumber(len(self.lifts), instance, callback)
        return self.lifts[lift]

    def site(self, lift: LiftNumber, way_back: EmittedFunc) -> int:
        """The number of a call site: its lift, and one more way back from it."""
        if len(lift.returns) == MOST_CALLERS:
            raise LimitError(f"an async lift is called from more than {MOST_CALLERS} places", remedy=_LESS)
        lift.returns.append(way_back)
        return lift.number | (len(lift.returns) - 1) << 16

    # --- what the runtime calls -------------------------------------------------------------------------------------
    def finish(self, new_emitter: EmitterOf) -> None:
        """Write the functions that the runtime calls."""
        self._write_run(new_emitter("run a callback", CoreFuncType((I32,) * 4, (I32,))))
        em = new_emitter("payload of an event", CoreFuncType((I32, I32), (I32,)))
        code, waitable = em.b.params
        if self.has_streams:
            em.b.get(code)
            em.b.i32(1)
            em.b.op(Op.I32_NE)
            with em.b.if_():
                em.b.get(code, waitable)
                em.b.call(self.streams("payload"))
                em.b.return_()
        em.b.get(waitable)
        em.b.call(self.tasks("payload"))
        self._functions.define(self._payload, em.b)
        em = new_emitter("wake a root", CoreFuncType((I32,), ()))
        if self.has_roots:
            em.b.get(*em.b.params)
            em.b.call(self.roots("wake"))
        else:
            em.b.unreachable()
        self._functions.define(self._wake, em.b)
        em = new_emitter("block until an event", CoreFuncType((I32,), ()))
        if self.has_roots and self.sync is not None:
            self.check_may_block(em)
            self.stacks.check_may_wait(em)
            em.b.get(*em.b.params)
            em.b.i32(16)
            em.b.op(Op.I32_ADD)
            em.b.i32(-1)
            em.b.call(self.roots("block"))
        else:
            self.no_stack(em)
        self._functions.define(self._block, em.b)
        self.stacks.finish(new_emitter, self.memory, self.lifts.values())

    def no_stack(self, em: Emitter) -> None:
        """No task that is async-typed can get here: the host has no async export to call."""
        em.trap(Trap.CANNOT_BLOCK)

    def _write_run(self, em: Emitter) -> None:
        b = em.b
        task, *event = b.params
        number = b.local(I32)
        b.get(task)
        b.load(Load.I32, self.memory, SITE)
        b.i32(0xFFFF)
        b.op(Op.I32_AND)
        b.set(number)
        for lift in self.lifts.values():
            if lift.callback is None:
                continue
            b.get(number)
            b.i32(lift.number)
            b.op(Op.I32_EQ)
            with b.if_(), b.scratch(I32) as (packed,):
                with self.running(em, task, lift.instance, event[0], resumed=True):
                    em.call_guarded(lift.callback, tuple(event), (packed,))
                b.get(packed)
                b.return_()
        b.unreachable()
        self._functions.define(self._run, b)


if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    EmitterOf: TypeAlias = "Callable[[str, CoreFuncType], Emitter]"
