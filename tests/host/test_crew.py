"""Threads are lent to modules: those that wait have none, and no module has two."""

from __future__ import annotations

import threading

import pytest

from meldpy.host.bus.mailbox import Work
from meldpy.host.core import Core
from meldpy.host.lifecycle import crew as crew_of_host
from meldpy.host.lifecycle.crew import Crew
from tests.support.hosted import execute, probe, scripted


def test_modules_that_wait_have_no_thread(core: Core) -> None:
    before = core._crew.threads
    modules = [core.load(scripted(f"m{number}", lambda *_: None)) for number in range(30)]
    for each in modules:
        execute(each, "seen")
    assert core._crew.threads < before + 10  # one more where work came before the last was idle again: rare


def test_modules_that_have_work_at_once_work_at_once(core: Core) -> None:
    together = threading.Barrier(20)
    modules = [core.load(scripted(f"m{number}", lambda *_: None)) for number in range(20)]
    arrived = [each.order(lambda: together.wait(30)) for each in modules]
    assert sorted(each.result(60) for each in arrived) == [*range(20)]


def test_a_module_never_has_two_threads(core: Core) -> None:
    one = core.load(probe("one"))
    inside = threading.Lock()

    def work() -> bool:
        got = inside.acquire(blocking=False)
        if got:
            threading.Event().wait(0.0005)
            inside.release()
        return got

    asked = []
    senders = [threading.Thread(target=lambda: asked.extend(one.order(work) for _ in range(100))) for _ in range(4)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    assert [each.result(60) for each in asked] == [True] * 400


def test_what_has_no_thread_waits_for_one_of_those_there_are(monkeypatch: pytest.MonkeyPatch) -> None:
    crew = Crew()
    hold, done = threading.Event(), threading.Event()
    started = threading.Event()

    def first() -> None:
        started.set()
        hold.wait()

    crew.run(first)
    started.wait()

    def exhausted(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(crew_of_host, "start_thread", exhausted)
    crew.run(done.set)
    assert not done.wait(0.05)
    hold.set()
    assert done.wait(30)
    crew.close()


def test_threads_end_with_the_host() -> None:
    core = Core(None)
    core.load(scripted("one", lambda *_: None))
    crew = core._crew
    ours = [each for each in threading.enumerate() if each.name in ("meld-crew-0", "meld-one")]
    core.close()
    for each in ours:
        each.join(30)
    assert crew.threads == 0


def test_a_module_that_raises_what_no_program_catches_is_still_attended(core: Core) -> None:
    one = core.load(scripted("one", lambda *_: None))

    def leave() -> None:
        raise SystemExit(3)

    one._mailbox.order(Work(leave, lambda _error: None))
    assert execute(one, "seen") == b""
