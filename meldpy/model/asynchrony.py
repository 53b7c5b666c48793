"""How far the tasks of a linked graph can block, and on which stacks: what decides whether async can be fused.

A task that waits in its event loop (a callback that returned WAIT or YIELD) holds no native stack. A task that blocks
inside a call does, and a fused output has only the stacks that its host gives it. So the places where that can happen
decide; whether a task that gets there may block at all is a question of run time (sync-typed tasks trap instead).
"""

from __future__ import annotations

from enum import Enum, unique
from typing import final

from meldpy.errors import Location
from meldpy.model.ids import InstanceId, LiftId
from meldpy.model.linked import BuiltinFunc, LowerFunc
from meldpy.records import dataclass


@unique
class AsyncClass(Enum):
    """The value is what people see.

    SYNC: nothing async is reached. F0: no task can block on its stack. F1: tasks of one instance can, and of those that
    it calls synchronously. F2: more than one stack can be blocked at a time.
    """

    SYNC = "sync"
    F0 = "F0"
    F1 = "F1"
    F2 = "F2"


@unique
class SiteKind(Enum):
    """What blocks the stack that it is called on; the value is for people."""

    SYNC_LOWER = "a synchronous lower of an async function"
    WAIT = "waitable-set.wait"
    YIELD = "thread.yield"
    COPY = "a synchronous read or write"
    CANCEL_SUBTASK = "a synchronous subtask.cancel"
    CANCEL_COPY = "a synchronous cancel of a read or write"
    THREAD = "an explicit thread"


@final
@dataclass(frozen=True, slots=True)
class BlockingSite:
    """One canon definition that something reaches. `benign`: that it can block does not raise the class (a cancel whose
    other side is fused blocks for as long as a callee ignores it, or not at all)."""

    kind: SiteKind
    instance: InstanceId
    func: LowerFunc | BuiltinFunc
    location: Location
    benign: bool = False


@unique
class Obstacle(Enum):
    """Why a graph with blocking sites is not of class F1."""

    THREADS = "explicit threads have stacks of their own"
    TWO_BASES = "tasks of two instances can block, each on a stack of its own"
    ASYNC_CALLEE = "a function that can block on its stack is called asynchronously"
    STACKFUL = "a stackful lift can block without holding its instance's lock"
    OTHER_EXPORTS = "the host can call async functions of an instance other than the one that blocks"
    CIRCLE = "an async function can be called while its instance is in the middle of the call that leads there"
    SIBLINGS = "a synchronous function can block while tasks of its instance wait in their event loops"
    SYNC_CALLER = "a synchronous function waits for an async one that can block on a stack of its own"
    ORPHANS = "a call without an engine task of its own can leave work that has to go on without it"


@final
@dataclass(frozen=True, slots=True)
class Deciding:
    """An obstacle, whose instance it concerns, and the definition where it shows."""

    obstacle: Obstacle
    instance: InstanceId
    location: Location


@unique
class Against(Enum):
    """Why async cannot pass through to the engine in a fused output (`analysis/passing`)."""

    SEVERAL = "several instances use async"
    SHARED_TABLE = "another instance has handles in the table where its are, or exchanges handles with it"
    CALLED_INSIDE = "async functions are called inside"
    SYNC_CALL = "what depends on the task is reached from a function that is called inside, or from a start function"
    OTHER_EXPORTS = "another instance exports async functions"
    BACKPRESSURE = "it would hold back calls of another instance"
    THREAD_TABLE = "a thread's start function lies in a table of the instance"


@final
@dataclass(frozen=True, slots=True)
class Objection:
    """What keeps the async of `instance` from passing through, and the definition that shows it."""

    instance: InstanceId
    kind: Against
    location: Location


@final
@dataclass(frozen=True, slots=True)
class Asynchrony:
    """The class of a graph and what decides it. `sites`: in order of canon definitions, lowers first. `base`: the
    instance where blocked stacks begin (F1). `deciding`: why not F1 (F2), the first of each kind and instance.

    blocking: the instances with a blocking site that is not benign. reaching: those that can be running in the middle
    of a call that reaches one. working: the lifts whose call can leave something to do when it returns (a task, an
    event). orphans: start functions, destructors that the host can run, and sync-typed exports of that kind.
    passing: the instance whose async can be left to the engine in a fused output; None if there is something `against`
    that: the first of each kind, for each instance that has async. cancelling: if the class holds only as long as
    synchronous cancels are obeyed at once, the instances that can be running in the middle of a call that reaches one;
    emitted code looks after the others (`adapter/tasks/stacks`).
    """

    class_: AsyncClass
    sites: tuple[BlockingSite, ...] = ()
    base: InstanceId | None = None
    deciding: tuple[Deciding, ...] = ()
    blocking: frozenset[InstanceId] = frozenset()
    reaching: frozenset[InstanceId] = frozenset()
    cancelling: frozenset[InstanceId] = frozenset()
    working: frozenset[LiftId] = frozenset()
    orphans: tuple[Deciding, ...] = ()
    passing: InstanceId | None = None
    against: tuple[Objection, ...] = ()
