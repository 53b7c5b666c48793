"""Many modules after each other, in memory that does not grow, and at once. HOST_CYCLES=10000, HOST_MODULES=200."""

from __future__ import annotations

import gc
import os
from pathlib import Path

import pytest

from meldpy.host.core import Core
from tests.support.hosted import execute, probe, seen

_GROWTH = 8 << 20
"""Bytes by which memory may differ between the second and the last tenth: what an allocator keeps now and then. A page
that stayed of each cycle would be 36 MB in 9,000."""


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _cycles(core: Core, count: int) -> None:
    for number in range(count):
        one = core.load(probe("one", version=f"{number + 1}.0.0"))
        assert execute(one, "echo", b"x" * 1000) == b"x" * 1000
        core.unload("one")


@pytest.mark.deep
def test_what_is_unloaded_is_freed(core: Core) -> None:
    count = int(os.environ.get("HOST_CYCLES", "2000"))
    _cycles(core, count // 10)
    gc.collect()
    early = _resident()
    _cycles(core, count - count // 10)
    gc.collect()
    late = _resident()
    print(f"{count} cycles: {early >> 10} kB after a tenth of them, {late >> 10} kB after all")
    assert late - early < _GROWTH
    assert core._crew.threads < 10  # see `test_life.test_unloading_frees_everything`


@pytest.mark.deep
def test_many_modules_are_there_at_once_and_hear_each_message(core: Core) -> None:
    count = int(os.environ.get("HOST_MODULES", "200"))
    modules = [core.load(probe(f"m{number}")) for number in range(count)]
    for number in range(1, 11):
        core.bus.publish("", "seq/x", str(number).encode(), 60)
    assert [seen(each) for each in modules] == [{"": [10, 10, 0, 0]}] * count
