"""Runs mutants, each in a fork of a warm process in which pytest has collected every test already.

Nothing is started and nothing imported per mutant: a fork, one code object, the tests. A child runs the tests that it
is told in that order, stops at the first that fails, and dies of its own timer if one takes far longer than usual.
"""

from __future__ import annotations

import gc
import json
import os
import random
import resource
import signal
import sys
import time
import traceback
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import final

import pytest
from _pytest.runner import runtestprotocol

from tests.mutation.apply import NoProgramError, apply_to_living, keep_nothing, living_functions, serve_changed
from tests.mutation.model import ROOT, Mutant, Outcome, Verdict
from tests.mutation.tests_of import TestMap

_KILLED, _SURVIVED, _STILLBORN, _BROKEN = 1, 0, 3, 4
_WALL_SECONDS = 180.0
_MEMORY_BYTES = 3 << 30


@final
@dataclass(slots=True)
class Chooser:
    """Which tests a mutant meets, in which order: those that killed a neighbour first, then the fastest."""

    map: TestMap
    budget: float
    kills: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))

    def choose(self, mutant: Mutant) -> list[int]:
        tests = self.map.of(mutant)
        executing = set(tests)
        near = [*reversed(self.kills[f"{mutant.file}:{mutant.function}"]), *reversed(self.kills[mutant.file])]
        first = [test for test in dict.fromkeys(near) if test in executing][:12]
        chosen: list[int] = []
        seconds = 0.0
        for test in dict.fromkeys(first + tests):
            seconds += self.map.seconds[test]
            if seconds > self.budget and chosen:
                break
            chosen.append(test)
        return chosen

    def learn(self, mutant: Mutant, test: str) -> None:
        if test in self.map.tests:
            position = self.map.tests.index(test)
            self.kills[f"{mutant.file}:{mutant.function}"].append(position)
            self.kills[mutant.file].append(position)


def run_in_child(work: Callable[[], int], wall_seconds: float = _WALL_SECONDS) -> tuple[int, bool]:
    """Fork, do `work`, and wait: (wait status, whether it was stopped for its time or memory)."""
    sys.stdout.flush()
    sys.stderr.flush()
    child = os.fork()
    if child == 0:
        code = _BROKEN
        try:
            os.setpgid(0, 0)
            resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
            code = work()
        except BaseException:
            traceback.print_exc()
        finally:
            # `_exit` flushes nothing, and what pytest says of an error of its own is the only word of it
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
    deadline = time.monotonic() + wall_seconds
    page = resource.getpagesize()
    wait = 0.001
    while True:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            return status, False
        time.sleep(wait)
        wait = min(wait * 1.3, 0.05)
        try:
            resident = int(Path(f"/proc/{child}/statm").read_text().split()[1]) * page
        except (OSError, IndexError):
            continue
        if time.monotonic() > deadline or resident > _MEMORY_BYTES:
            os.killpg(child, signal.SIGKILL)
            return os.waitpid(child, 0)[1], True


def run_items(items: Sequence[pytest.Item], limits: Sequence[float], told: Path) -> int:
    """Run `items` until one fails; `told` gets the node id of each before it runs."""
    keep_nothing()
    for i, (item, limit) in enumerate(zip(items, limits, strict=True)):
        told.write_text(f"{i} {item.nodeid}")
        signal.setitimer(signal.ITIMER_PROF, limit)
        following = items[i + 1] if i + 1 < len(items) else None
        reports = runtestprotocol(item, log=False, nextitem=following)
        if not all(report.passed for report in reports):
            return _KILLED
    return _SURVIVED


def limit_of(seconds: float) -> float:
    """Processor seconds after which a test that takes `seconds` under the tracer counts as hanging."""
    return 10 * seconds + 3


def outcome_of(mutant: Mutant, status: int, stopped: bool, told: Path, start: float) -> Outcome:
    text = told.read_text() if told.exists() else "-1 "
    position, _, test = text.partition(" ")
    seconds = round(time.monotonic() - start, 2)
    code = os.waitstatus_to_exitcode(status)
    match code:
        case _ if stopped or code == -signal.SIGPROF:
            verdict = Verdict.TIMED_OUT
        case 0:
            return Outcome(mutant, Verdict.SURVIVED, "", int(position) + 1, seconds)
        case 1:
            verdict = Verdict.KILLED
        case 3:
            return Outcome(mutant, Verdict.STILLBORN, "", 0, seconds)
        case 4:
            raise RuntimeError(f"the driver failed at {mutant.id}")
        case _:
            verdict = Verdict.CRASHED
    return Outcome(mutant, verdict, test, int(position) + 1, seconds)


@final
class MutantPlugin:
    """In place of pytest's loop: one fork per mutant, until `next_mutant` gives no more."""

    def __init__(
        self,
        next_mutant: Callable[[], Mutant | None],
        report: Callable[[Outcome], None],
        chooser: Chooser,
        texts: dict[str, str],
        told: Path,
    ) -> None:
        self._next, self._report, self._chooser, self._texts, self._told = next_mutant, report, chooser, texts, told

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        items = {item.nodeid: item for item in session.items}
        for file in self._texts:
            if file.endswith(".py"):  # the pipeline imports its stages when it needs them
                import_module(file.removesuffix(".py").removesuffix("/__init__").replace("/", "."))
        living = living_functions()
        gc.collect()
        gc.freeze()
        while (mutant := self._next()) is not None:
            tests = [i for i in self._chooser.choose(mutant) if self._chooser.map.tests[i] in items]
            chosen = [items[self._chooser.map.tests[i]] for i in tests]
            limits = [limit_of(self._chooser.map.seconds[i]) for i in tests]

            def work(
                mutant: Mutant = mutant, chosen: Sequence[pytest.Item] = chosen, limits: Sequence[float] = limits
            ) -> int:
                try:
                    apply_to_living(mutant, self._texts[mutant.file], living)
                except NoProgramError:
                    return _STILLBORN
                return run_items(chosen, limits, self._told)

            self._told.unlink(missing_ok=True)
            start = time.monotonic()
            status, stopped = run_in_child(work)
            outcome = outcome_of(mutant, status, stopped, self._told, start)
            self._chooser.learn(mutant, outcome.by)
            self._report(outcome)
        return True


@final
class OnePlugin:
    """In place of pytest's loop, in a process that has imported a mutant: the chosen tests, in their order."""

    def __init__(self, chooser: Chooser, tests: Sequence[int], told: Path) -> None:
        self._map, self._tests, self._told = chooser.map, tests, told
        self.code = _KILLED

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        items = {item.nodeid: item for item in session.items}
        names = [self._map.tests[i] for i in self._tests]
        if missing := [name for name in names if name not in items]:
            self._told.write_text(f"0 {missing[0]}")  # the mutant changes what tests there are
            return True
        limits = [limit_of(self._map.seconds[i]) for i in self._tests]
        self.code = run_items([items[name] for name in names], limits, self._told)
        return True


def run_imported(mutant: Mutant, chooser: Chooser, text: str, told: Path, arguments: list[str]) -> Outcome:
    """Run one mutant of what happens at import, in a process that imports meldpy anew. meldpy must not be imported."""
    tests = chooser.choose(mutant)
    files = list(dict.fromkeys(chooser.map.tests[i].split("::")[0] for i in tests))
    if not files:
        return Outcome(mutant, Verdict.SURVIVED, "", 0, 0.0)

    def work() -> int:
        try:
            serve_changed(mutant, text)
        except NoProgramError:
            return _STILLBORN
        silence()
        plugin = OnePlugin(chooser, tests, told)
        pytest.main([*arguments, *files], plugins=[plugin])
        return plugin.code

    told.unlink(missing_ok=True)
    start = time.monotonic()
    status, stopped = run_in_child(work)
    outcome = outcome_of(mutant, status, stopped, told, start)
    chooser.learn(mutant, outcome.by)
    return outcome


def silence() -> None:
    """What pytest prints in a child is nobody's business."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)


def load_outcomes(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def shuffled(mutants: Sequence[Mutant], seed: int) -> list[Mutant]:
    order = list(mutants)
    random.Random(seed).shuffle(order)
    return order


__all__ = [
    "ROOT",
    "Chooser",
    "MutantPlugin",
    "load_outcomes",
    "run_imported",
    "run_in_child",
    "shuffled",
    "silence",
]
