"""Native modules in a host: restarts, messages, swaps that keep state, jobs that go on, beside WebAssembly or alone."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from meldpy.host.core import Core
from meldpy.host.faults import HostError, ModuleFailure, ModuleTrapped, SchemaRefused
from meldpy.host.jobs.store import JobStatus
from meldpy.host.lifecycle.plan import ModulePlan, Persist, RestartPolicy
from meldpy.host.limits import Grants, Limits
from meldpy.host.native import NativeInstance, NativeOptions
from tests.host.native.test_sdk import example
from tests.support.native import EVERYTHING, library

QUICK = RestartPolicy(delay=0.001, longest=0.01, deaths=1_000_000)
LIMITS = Limits(deadline=5.0, memory=64 << 20)


def plan(
    name: str,
    path: Path,
    version: str = "1.0.0",
    *,
    policy: RestartPolicy = QUICK,
    durable: tuple[str, ...] = (),
    persist: Persist = Persist.STOP,
    options: NativeOptions | None = None,
    grants: Grants = Grants(True, True, True, True, ("*",), ("*",), ("*",)),  # noqa: B008
) -> ModulePlan:
    return ModulePlan(
        name,
        version,
        lambda services: NativeInstance(path, services, LIMITS, grants, options or NativeOptions()),
        grants=grants,
        limits=LIMITS,
        policy=policy,
        durable=durable,
        persist=persist,
    )


def eventually(what: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not what():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.01)


def test_a_module_that_died_is_started_again(core: Core) -> None:
    hosted = core.load(plan("one", library("misbehave")))
    for command in ("segv", "abort", "overflow"):
        with pytest.raises(ModuleTrapped):
            hosted.ask(lambda module, command=command: module.execute(command, b"")).result()  # type: ignore[misc]
        assert hosted.ask(lambda module: module.execute("echo", b"again")).result() == b"again"
    assert hosted.deaths == 3


def test_a_module_that_died_while_it_was_idle_is_started_again(core: Core) -> None:
    import os
    import signal

    hosted = core.load(plan("one", library("misbehave")))
    worker = hosted.ask(lambda module: module.process_id).result()  # type: ignore[attr-defined]
    os.kill(worker, signal.SIGKILL)
    handle = Path(f"/proc/{worker}/stat")
    eventually(lambda: handle.read_text().split()[2] == "Z")
    assert hosted.ask(lambda module: module.execute("echo", b"again")).result() == b"again"


def test_a_module_that_dies_too_often_rests(core: Core) -> None:
    hosted = core.load(plan("one", library("misbehave"), policy=RestartPolicy(delay=0.001, deaths=3, rest=60)))
    for _ in range(3):
        with pytest.raises(ModuleTrapped):
            hosted.ask(lambda module: module.execute("segv", b"")).result()
    with pytest.raises(HostError, match="died too often"):
        hosted.ask(lambda module: module.execute("echo", b"")).result()


def test_modules_of_two_languages_talk(core: Core) -> None:
    core.load(plan("tally", example("rust")))
    asker = core.load(plan("asker", library("asker")))
    core.bus.publish("", "numbers/a", b"40", 1)
    core.bus.send("", "tally", "numbers/b", b"2", 1)
    assert core.bus.request("", "tally", "numbers/c", b"0", 5) == b"42"
    renamed = core.load(plan("other", example("gcc")))
    assert asker.ask(lambda module: module.execute("request", b"7")).result() == b"7"
    assert renamed.ask(lambda module: module.execute("total", b"")).result() == b"7"


def test_a_swap_keeps_state_from_c_to_rust_and_back(core: Core) -> None:
    core.load(plan("tally", example("gcc"), "1.0.0"))
    total = 0
    for number, language in enumerate(["rust", "clang-19", "rust", "gcc"], 1):
        core.bus.request("", "tally", "numbers/a", str(number).encode(), 5)
        total += number
        core.reload(plan("tally", example(language), f"1.{number}.0"))
        hosted = core.find("tally")
        assert hosted.ask(lambda module: module.execute("total", b"")).result() == str(total).encode()


@pytest.mark.parametrize("bad", ["misbehave", "shaped", "crashes"])
def test_a_swap_that_fails_leaves_the_old_one(core: Core, bad: str) -> None:
    """Another schema, a table of no use, a crash while it is loaded."""
    core.load(plan("tally", example("rust")))
    core.bus.request("", "tally", "numbers/a", b"42", 5)
    path = {
        "misbehave": lambda: library("misbehave"),
        "shaped": lambda: library("shaped", "-DMAJOR=2"),
        "crashes": lambda: library("shaped", "-DCRASHES"),
    }[bad]()
    with pytest.raises(HostError) as refused:
        core.reload(plan("tally", path, "2.0.0"))
    if bad == "misbehave":
        assert isinstance(refused.value, SchemaRefused)
    assert core.bus.request("", "tally", "numbers/a", b"1", 5) == b"43"


def test_durable_messages_survive_the_death_of_a_module(kept_core: Core) -> None:
    """Each is counted once: the worker is killed between messages, and state is kept with each of them."""
    import os
    import signal

    tally = plan("tally", example("rust"), durable=("numbers/*",), persist=Persist.MESSAGE)
    hosted = kept_core.load(tally)
    for number in range(1, 31):
        kept_core.bus.send("", "tally", "numbers/a", str(number).encode(), 5)
        if number in (10, 20):
            worker = hosted.ask(lambda module: module.process_id).result()  # type: ignore[attr-defined]
            os.kill(worker, signal.SIGKILL)
    eventually(lambda: not kept_core.messages.waiting("tally"))
    assert hosted.ask(lambda module: module.execute("total", b"")).result() == str(sum(range(1, 31))).encode()


@pytest.mark.parametrize("language", ["gcc", "rust"])
def test_a_job_is_paused_and_goes_on(core: Core, language: str) -> None:
    tally = plan("tally", example(language))
    payload = bytes(range(256)) * 1_000
    id_ = core.jobs.begin(tally, "sum", payload)
    core.jobs.pause(id_)
    assert core.jobs.wait(id_, 20).status is JobStatus.PAUSED
    core.jobs.resume(id_, tally)
    row = core.jobs.wait(id_, 60)
    assert (row.status, row.runs) == (JobStatus.DONE, 2)
    assert core.jobs.store.result(id_) == str(sum(payload)).encode()


def test_a_job_that_crashes_fails_alone(core: Core) -> None:
    crashing = plan("one", library("misbehave"))
    row = core.jobs.wait(core.jobs.begin(crashing, "segv", b""), 20)
    assert row.status is JobStatus.FAILED
    with pytest.raises(ModuleFailure):
        core.load(crashing).ask(lambda module: module.execute("say", b"")).result()


def test_everything_that_may_be_granted_is(core: Core) -> None:
    hosted = core.load(plan("asker", library("asker"), grants=EVERYTHING))
    assert hosted.ask(lambda module: module.execute("tables", b"")).result() == b"1111"
    assert hosted.ask(lambda module: module.execute("remember", b"me")).result() == b"me"
    assert hosted.ask(lambda module: module.execute("keys", b"")).result() == b"last;list/b;"


def test_processor_time_of_all_its_processes_is_the_modules(core: Core) -> None:
    """Of those that are dead too; and a turn of a module that computes elsewhere is as long as if it did so here."""
    hosted = core.load(plan("one", library("misbehave")))
    for lives in range(1, 4):
        hosted.ask(lambda module: module.execute("compute", b"")).result()
        assert hosted.used >= 0.2 * lives
        with pytest.raises(ModuleTrapped):
            hosted.ask(lambda module: module.execute("abort", b"")).result()
        assert hosted.used >= 0.2 * lives
        assert hosted._share.length >= 0.1


def test_what_a_module_computes_while_nobody_calls_it_counts_in_who_is_next(core: Core) -> None:
    busy, idle = (core.load(plan(name, library("misbehave"))) for name in ("busy", "idle"))
    used = busy.used
    busy.ask(lambda module: module.execute("compute beside", b"")).result()
    eventually(lambda: busy.used - used >= 0.2)
    for each in (busy, idle):
        each.ask(lambda module: module.execute("echo", b"")).result()
        each.stop().result()  # after the turn
    assert busy._share.rank > idle._share.rank + 1
    assert busy._share.length < 0.1
