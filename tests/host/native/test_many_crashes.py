"""Crash after crash, and the host goes on: its other module answers after each, and nothing is left behind.

NATIVE_CRASHES=1000 pytest -s -m deep tests/host/native/test_many_crashes.py   prints how many of each kind there were
"""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Callable

import pytest

from meldpy.host.core import Core
from meldpy.host.faults import DeadlineExceeded, ModuleDead, ModuleTrapped
from meldpy.host.lifecycle.hosted import Hosted
from meldpy.host.native import NativeOptions
from tests.host.native.test_hosted import plan
from tests.support.native import library
from tests.support.native.sanitizers import options, sanitized

PATIENT = NativeOptions(start=120)
"""On a machine that is busy with other things a thousand times, one start takes long."""
KINDS: dict[str, tuple[str, type[ModuleDead], str]] = {
    "segmentation fault": ("segv", ModuleTrapped, "SIGSEGV"),
    "abort": ("abort", ModuleTrapped, "SIGABRT"),
    "stack overflow": ("overflow", ModuleTrapped, "SIGSEGV"),
    "double free": ("double free", ModuleTrapped, "SIGABRT"),
    "exit": ("exit", ModuleTrapped, "exit code 7"),
    "leak": ("leak", ModuleTrapped, "SIGABRT"),
    "hang": ("spin", DeadlineExceeded, "did not answer"),
    "broken protocol": ("null result", ModuleTrapped, "broke the protocol"),
    "heap overflow, sanitized": ("heap overflow", ModuleTrapped, "heap-buffer-overflow"),
    "use after free, sanitized": ("use after free", ModuleTrapped, "heap-use-after-free"),
}


def crash(hosted: Hosted, kind: str) -> None:
    command, error, words = KINDS[kind]
    hang = 0.1 if error is DeadlineExceeded else 60
    with pytest.raises(error, match=words):
        hosted.ask(lambda module: module.execute(command, b"x", deadline=hang)).result()


def crashes(core: Core, count: int) -> Counter[str]:
    """`count` crashes, each kind in turn; the witness lives through all of them in one process."""
    witness = core.load(plan("witness", library("misbehave"), options=PATIENT))
    plain = core.load(plan("plain", library("misbehave"), options=PATIENT))
    found = core.load(plan("sanitized", sanitized("misbehave", "clang-19"), options=options("clang-19")))
    identity: Callable[[], int] = witness.ask(lambda module: module.process_id).result  # type: ignore[attr-defined]
    first = identity()
    seen: Counter[str] = Counter()
    for number in range(count):
        kind = list(KINDS)[number % len(KINDS)]
        crash(found if "sanitized" in kind else plain, kind)
        seen[kind] += 1
        said = str(number).encode()
        assert witness.ask(lambda module, said=said: module.execute("echo", said)).result() == said  # type: ignore[misc]
    assert witness.deaths == 0
    assert witness.ask(lambda module: module.process_id).result() == first  # type: ignore[attr-defined]
    assert plain.deaths + found.deaths == count
    return seen


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_each_kind_of_crash_leaves_the_host_alive() -> None:
    core = Core(None)
    try:
        assert crashes(core, len(KINDS)) == dict.fromkeys(KINDS, 1)
    finally:
        core.close()


@pytest.mark.deep
def test_a_thousand_crashes_leave_the_host_alive() -> None:
    count = int(os.environ.get("NATIVE_CRASHES", "1000"))
    warm = Core(None)
    crashes(warm, len(KINDS))
    warm.close()
    before, begin = open_files(), time.monotonic()
    core = Core(None)
    try:
        seen = crashes(core, count)
    finally:
        core.close()
    assert open_files() == before
    with open("/proc/self/statm") as lines:
        resident = int(lines.read().split()[1]) * 4096
    kinds = ", ".join(f"{kind} {times}" for kind, times in seen.items())
    print(f"\n{seen.total()} crashes in {time.monotonic() - begin:.1f} s ({kinds}); host {resident >> 20} MiB")
