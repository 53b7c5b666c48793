"""Whether the spec allows what was seen: some plan of choices under which `definitions.py` does the same.

Plans are tried depth first. A run ends where it says something else than what was seen, so only choices that lead that
far are varied.
"""

from __future__ import annotations

import traceback
from collections.abc import Sequence
from enum import Enum
from types import ModuleType
from typing import Any, final

from meldpy.engine.observe import Call, Returned, Step, Trap
from meldpy.model.linked import LinkedGraph
from tests.support.definitions.machine import Machine
from tests.support.definitions.threads import Choices, GivenUp, Threads

Seen = tuple[Call, Step]
"""A call and what it did."""


@final
class Verdict(Enum):
    ALLOWED = "allowed"
    NOT_ALLOWED = "not allowed"
    UNDECIDED = "undecided"
    """Not within so many runs; or not at all, since guests of one instance wait on several stacks."""


def allowed(defs: ModuleType, graph: LinkedGraph, seen: Sequence[Seen], *, runs: int = 200) -> tuple[Verdict, str]:
    """What the spec says of calls and what they did; the furthest that a run got, in words."""
    plan: tuple[int, ...] | None = ()
    furthest = (-1, "")
    for _ in range(runs):
        assert plan is not None
        run = _Run(defs, seen, plan)
        try:
            failure = run.play(graph)
        except _Entangled as entangled:
            return Verdict.UNDECIDED, str(entangled)
        if failure is None:
            return Verdict.ALLOWED, ""
        furthest = max(furthest, (run.said, failure))
        plan = _next(run.choices.taken)
        if plan is None:
            return Verdict.NOT_ALLOWED, furthest[1]
    return Verdict.UNDECIDED, furthest[1]


def _next(taken: list[tuple[int, int]]) -> tuple[int, ...] | None:
    """The plan after the one that led there: the last choice that has another way."""
    for at in reversed(range(len(taken))):
        chosen, count = taken[at]
        if chosen + 1 < count:
            return (*(before for before, _ in taken[:at]), chosen + 1)
    return None


@final
class _Different(BaseException):
    """The run does not do what was seen."""


@final
class _Entangled(Exception):
    """What was seen cannot be played."""


@final
class _Run:
    """said: how many numbers were told to the host as they were seen."""

    def __init__(self, defs: ModuleType, seen: Sequence[Seen], plan: tuple[int, ...]) -> None:
        self.defs = defs
        self.seen = seen
        self.choices = Choices(plan)
        self.threads = Threads()
        self.said = 0
        self.left: list[Any] = []

    def play(self, graph: LinkedGraph) -> str | None:
        """None if all that was seen came to pass, else what did not."""
        self.defs.threading, self.defs.random = self.threads, self.choices  # type: ignore[attr-defined]
        try:
            machine = Machine(self.defs, graph, self._log)
            waiting = machine.store.waiting
            self.choices.order = lambda thread: waiting.index(thread) if thread in waiting else -1
            for call, step in self.seen:
                if not self._step(machine, call, step):
                    break
        except _Different as different:
            return str(different)
        finally:
            self.threads.close()
        return None

    def _log(self, args: list[Any]) -> None:
        if not self.left:
            raise _Different(f"after {self.said}: {args[0]} is said besides")
        expected = self.left.pop(0)
        if args != expected:
            raise _Different(f"after {self.said}: {args[0]}, and not {expected[0]}")
        self.said += 1

    def _step(self, machine: Machine, call: Call, step: Step) -> bool:
        """Whether there can be another one after it."""
        self.left = [list(args) for _, args in step.host_calls]
        func = machine.exported(call.func)
        results: list[Any] = []
        try:
            machine.store.invoke(func, lambda: list(call.args), results.append)
            while not self._over(step, results):
                if not any(thread.ready() for thread in machine.store.waiting):
                    raise _Stuck
                machine.store.tick()
        except BaseException as error:
            return self._failed(step, error)
        return True

    def _over(self, step: Step, results: list[Any]) -> bool:
        """The host goes on once it has a result, now or later: after whatever else was seen in this call."""
        if not results:
            return False
        outcome = step.outcome
        expected = [] if not isinstance(outcome, Returned) or outcome.value is None else [outcome.value]
        if not isinstance(outcome, Returned) and not self.left:
            return False
        if isinstance(outcome, Returned) and results[0] != expected:
            raise _Different(f"{results[0]} is returned, and not {expected}")
        return not self.left

    def _failed(self, step: Step, error: BaseException) -> bool:
        """A trap or a deadlock, as it was seen."""
        failure = self.threads.failure if isinstance(error, GivenUp) else error
        if isinstance(failure, _Different):
            raise failure
        if not isinstance(failure, self.defs.Trap | _Stuck):
            assert failure is not None
            raise failure
        if "call stack exhausted" in str(failure):
            # the engine takes the end of the store's first stack for the end of each
            raise _Entangled(f"after {self.said}: a store is entered on two stacks")
        kind = step.outcome.kind if isinstance(step.outcome, Trap) else "returned"
        if self.left or isinstance(failure, _Stuck) is not (kind == "deadlock detected") or kind == "returned":
            raise _Different(f"after {self.said}: {_where(failure)}, and not {kind}")
        return False


def _where(failure: BaseException) -> str:
    """What failed, and in which line of `definitions.py`."""
    frames = traceback.extract_tb(failure.__traceback__)
    lines = [f"{frame.name}: {frame.line}" for frame in frames if frame.filename.endswith("definitions.py")]
    return f"{type(failure).__name__} {failure} {lines[-2:]}"


@final
class _Stuck(Exception):
    """Nothing is ready."""
