"""Which tests execute which line, and how long each takes: one pass over the tests with coverage.py's contexts.

Caches of the tests' own helpers and of the pipeline are emptied before every test, and every fixture is torn down
after it, so that a test that uses something is seen to execute what makes it. Tests that fail as things are, or take
too long, are left out and named.
"""

from __future__ import annotations

import functools
import gc
import hashlib
import json
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, final

import pytest
from _pytest.runner import runtestprotocol

from tests.mutation.apply import keep_nothing
from tests.mutation.model import ROOT, Mutant

SLOW = 4.0
"""Seconds of processor time under the tracer; slower tests are no good here."""


ASYNC = frozenset(
    {"ends.wat", "gates.wat", "hosts.wat", "outer.wat", "roots.wat", "streams.wat", "tasks.wat", "waitables.wat"}
)
"""What only calls of async functions run."""
KERNEL = {
    "bounds.wat": ("rebase.py",),
    "rebase.wat": ("rebase.py",),
    "lower.wat": ("lower.py",),
    "zero.wat": ("zero.py",),
    "writing.wat": ("rebase.py", "lower.py"),
    "positions.wat": ("reindex.py", "rebase.py", "lower.py"),
    "reindex.wat": ("reindex.py",),
    "reindex_immediates.wat": ("reindex.py",),
}
"""Who runs a text of the kernel, if not all do."""
_LOOPS = ("reindex.py", "scan.py", "rebase.py", "lower.py", "zero.py")


@final
@dataclass(slots=True)
class TestMap:
    """tests: node ids; seconds: their times; lines: file -> line -> positions in `tests`; left_out: and why."""

    __test__ = False

    key: str
    tests: list[str] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    lines: dict[str, dict[int, list[int]]] = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)

    def of(self, mutant: Mutant) -> list[int]:
        """The tests that execute the mutant, fastest first."""
        if mutant.is_wat and mutant.in_kernel:
            runners = KERNEL.get(Path(mutant.file).name, _LOOPS)
            executing = {test for each in runners for test in self._touching(f"meldpy/kernel/{each}")}
        elif mutant.is_wat:
            # Who assembles the library may run it; the template's text is read by one line of one file.
            executing = self._touching("meldpy/runtime/__init__.py")
            if Path(mutant.file).name in ASYNC:
                executing &= self._touching("meldpy/adapter/tasks/calls.py")
        elif self.at_import(mutant):
            executing = self._touching(mutant.file)
        else:
            executing = self._at(mutant.file, mutant.line, mutant.last_line)
        return sorted(executing, key=lambda i: self.seconds[i])

    def at_import(self, mutant: Mutant) -> bool:
        """Whether no test executes the mutant, so that only what imports make of it can show it."""
        return not mutant.is_wat and not (mutant.function and self._at(mutant.file, mutant.line, mutant.last_line))

    def _touching(self, file: str) -> set[int]:
        return {test for tests in self.lines.get(file, {}).values() for test in tests}

    def _at(self, file: str, line: int, last_line: int) -> set[int]:
        """Tests at any of these lines; the tracer knows a long expression by some of its lines only."""
        lines = self.lines.get(file, {})
        found = {test for i in range(line, last_line + 1) for test in lines.get(i, ())}
        for earlier in range(line - 1, max(line - 12, 0), -1):
            if found:
                break
            found = set(lines.get(earlier, ()))
        return found

    def save(self, path: Path) -> None:
        path.write_text(
            json.dumps(
                {
                    "key": self.key,
                    "tests": self.tests,
                    "seconds": self.seconds,
                    "lines": self.lines,
                    "left_out": self.left_out,
                }
            )
        )

    @classmethod
    def load(cls, path: Path) -> TestMap:
        data: dict[str, Any] = json.loads(path.read_text())
        lines = {file: {int(line): tests for line, tests in by.items()} for file, by in data["lines"].items()}
        return cls(data["key"], data["tests"], data["seconds"], lines, data["left_out"])


def tree_key(tests: list[str]) -> str:
    """Changes whenever the sources or the tests do."""
    digest = hashlib.sha256(repr(tests).encode())
    for folder in ("meldpy", "tests"):
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in (".py", ".wat", ".toml") and "mutation" not in path.parts:
                digest.update(path.read_bytes())
    return digest.hexdigest()


@final
class MapPlugin:
    """Runs the collected tests once and fills a map."""

    def __init__(self, result: TestMap) -> None:
        self._map = result

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        from coverage import Coverage

        keep_nothing()
        result = self._map
        coverage = Coverage(data_file=None, include=[str(ROOT / "meldpy" / "*")], config_file=False)
        coverage.start()
        positions: dict[str, int] = {}
        for number, item in enumerate(session.items):
            _empty_caches()
            # of its own, since whether the test is left out is known only when it has run
            context = str(number)
            coverage.switch_context(context)
            start = time.process_time()
            reports = runtestprotocol(item, log=False, nextitem=None)
            seconds = time.process_time() - start
            if not all(report.passed for report in reports):
                result.left_out[item.nodeid] = "does not pass without a mutant"
            elif seconds > SLOW:
                result.left_out[item.nodeid] = f"takes {seconds:.1f} s"
            else:
                positions[context] = len(result.tests)
                result.tests.append(item.nodeid)
                result.seconds.append(round(seconds, 4))
        coverage.stop()
        data = coverage.get_data()
        for file in data.measured_files():
            by_line = data.contexts_by_lineno(file)
            result.lines[str(Path(file).relative_to(ROOT))] = {
                line: sorted(positions[name] for name in contexts if name in positions)
                for line, contexts in by_line.items()
            }
        return True


def _empty_caches() -> None:
    for item in _caches():
        item.cache_clear()


@functools.cache
def _caches() -> list[Any]:
    wrappers = [item for item in gc.get_objects() if isinstance(item, functools._lru_cache_wrapper)]
    names = ("tests.", "meldpy.runtime", "meldpy.handed")
    # what is known of the sources' errors is no part of a test, and takes seconds to find out
    spared = "tests.support.errorsites"
    return [i for i in wrappers if i.__module__.startswith(names) and i.__module__ != spared and i is not _caches]
