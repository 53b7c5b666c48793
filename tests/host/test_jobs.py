"""Jobs: progress, checkpoints, pause, resume, cancel, and what is left of them when a host dies."""

from __future__ import annotations

import contextlib
import math
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import cast

import pytest

from meldpy.cli.host_jobs import _follow
from meldpy.host.control.client import Client
from meldpy.host.control.server import plain
from meldpy.host.core import Core
from meldpy.host.faults import StateError, StoreFailed, TimedOut
from meldpy.host.handles import Job, Module
from meldpy.host.jobs.run import JobRun
from meldpy.host.jobs.store import JobKind, JobRow, JobStatus
from meldpy.host.limits import Grants
from meldpy.host.module import Envelope, Services
from meldpy.records import replace
from tests.support.hosted import execute, probe, scripted

ROOT = Path(__file__).parents[2]


def until(core: Core, id_: int, done: int) -> JobRow:
    """The job when it counted to `done`, or is over."""
    end = time.monotonic() + 60
    while time.monotonic() < end:
        row = core.jobs.store.find(id_)
        if row.done >= done or row.status.over:
            return row
        time.sleep(0.01)
    raise AssertionError("it does not get there")


def test_a_job_runs_beside_its_module_and_says_how_far_it_is(core: Core) -> None:
    one = core.load(probe("one"))
    id_ = core.jobs.begin(one.plan, "count-to", b"2000")
    until(core, id_, 1)
    assert execute(one, "echo", b"x") == b"x"
    row = core.jobs.wait(id_, 60)
    assert (row.status, row.exit_code, row.done, row.total, row.text) == (JobStatus.DONE, 0, 2000, 2000, "counting")
    assert core.jobs.store.result(id_) == b"2000"
    assert core.jobs.store.metrics(id_) == {"counted": 2000.0}
    assert [text for _, text in core.jobs.store.lines(id_)] == ["from 0"]


def test_a_paused_job_goes_on_from_its_last_checkpoint(core: Core) -> None:
    one = core.load(probe("one"))
    id_ = core.jobs.begin(one.plan, "count-to", b"100000")
    until(core, id_, 10)
    core.jobs.pause(id_)
    row = core.jobs.wait(id_, 60)
    assert (row.status, row.exit_code) == (JobStatus.PAUSED, None)
    _, _, checkpoint = core.jobs.store.input(id_)
    assert checkpoint is not None
    assert 10 <= int(checkpoint) < 100000
    core.jobs.resume(id_, one.plan)
    until(core, id_, int(checkpoint) + 10)
    core.jobs.cancel(id_)
    row = core.jobs.wait(id_, 60)
    assert (row.status, row.exit_code, row.runs) == (JobStatus.CANCELLED, 130, 2)
    assert [text for _, text in core.jobs.store.lines(id_)] == ["from 0", f"from {int(checkpoint)}"]
    with pytest.raises(StateError, match="is cancelled"):
        core.jobs.resume(id_, one.plan)


def test_a_job_that_never_comes_to_a_checkpoint_is_ended(core: Core) -> None:
    one = core.load(probe("one"))
    id_ = core.jobs.begin(one.plan, "spin", b"")
    while core.jobs.store.find(id_).status is not JobStatus.RUNNING:
        time.sleep(0.001)
    time.sleep(0.1)
    core.jobs.cancel(id_, grace=0.1)
    assert core.jobs.wait(id_, 60).exit_code == 130
    assert one.deaths == 0


@pytest.mark.parametrize(
    ("first", "then", "status"),
    [
        ("pause", "close", JobStatus.PAUSED),
        ("cancel", "close", JobStatus.CANCELLED),
        ("cancel", "pause", JobStatus.CANCELLED),
    ],
)
def test_what_a_job_was_asked_for_first_is_not_forgotten(core: Core, first: str, then: str, status: JobStatus) -> None:
    """A host that is closed pauses what runs, to go on with it: but not with what somebody paused or cancelled."""
    one = core.load(probe("one"))
    id_ = core.jobs.begin(one.plan, "spin", b"")
    {"pause": core.jobs.pause, "cancel": core.jobs.cancel}[first](id_, grace=0.3)
    with contextlib.suppress(StateError):  # on a slow machine it was cancelled before it began, and is over
        {"pause": core.jobs.pause, "close": core.jobs.pause_all}[then](*([id_] if then == "pause" else []), grace=0.1)
    assert core.jobs.wait(id_, 60).status is status


def test_a_job_that_is_paused_can_still_be_cancelled(core: Core) -> None:
    one = core.load(probe("one"))
    id_ = core.jobs.begin(one.plan, "spin", b"")
    core.jobs.pause(id_, grace=5)
    core.jobs.cancel(id_, grace=0.1)
    assert core.jobs.wait(id_, 60).exit_code == 130


def test_a_cancel_that_comes_when_a_job_has_just_been_paused_is_not_lost(
    core: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = core.load(probe("one"))
    id_ = core.jobs.begin(one.plan, "count-to", b"10000000")
    until(core, id_, 1)
    set_status = core.jobs.store.set_status

    def paused(id_: int, status: JobStatus) -> None:
        set_status(id_, status)
        core.jobs.cancel(id_)

    monkeypatch.setattr(core.jobs.store, "set_status", paused)
    core.jobs.pause(id_)
    row = core.jobs.wait(id_, 60)
    assert (row.status, row.exit_code) == (JobStatus.CANCELLED, 130)


def test_a_job_is_not_begun_if_it_was_cancelled_while_its_instance_was_made(core: Core) -> None:
    making, made = threading.Event(), threading.Event()
    plan = scripted("one", lambda _services, _message, _state: None)

    def make(services: Services) -> object:
        making.set()
        made.wait()
        return plan.make(services)

    id_ = core.jobs.begin(replace(plan, make=make), "command", b"")
    making.wait()
    core.jobs.cancel(id_, grace=0)
    time.sleep(0.05)
    made.set()
    assert core.jobs.wait(id_, 60).status is JobStatus.CANCELLED


def test_a_job_runs_once_at_a_time(core: Core) -> None:
    one = core.load(probe("one"))
    id_ = core.jobs.begin(one.plan, "spin", b"")
    with pytest.raises(StateError, match=f"job {id_} is (waiting|running)"):
        core.jobs.resume(id_, one.plan)
    core.jobs.cancel(id_, grace=0)
    core.jobs.wait(id_, 60)


def test_a_module_whose_job_waits_for_another_can_be_asked_by_it(core: Core) -> None:
    """The job waits beside its module: there is no circle."""
    heard: list[bytes] = []

    def asks_back(services: Services, _message: Envelope, _state: list[bytes]) -> None:
        heard.append(services.request("one", "seq/x", b"1", 10))

    one = core.load(probe("one"))
    core.load(scripted("two", asks_back))
    row = core.jobs.wait(core.jobs.begin(one.plan, "ask", b"two"), 60)
    assert (row.status, heard) == (JobStatus.DONE, [b"<two> 1 1 0 0"])


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan, 1.5])
def test_a_metric_is_any_float(core: Core, value: float) -> None:
    id_ = core.jobs.store.create("one", "command", b"")
    core.jobs.store.set_metric(id_, "x", 1.0)
    core.jobs.store.set_metric(id_, "x", value)
    assert repr(core.jobs.store.metrics(id_)) == repr({"x": value})


def test_a_module_that_was_not_granted_jobs_has_none(core: Core) -> None:
    plan = scripted("one", lambda _services, _message, _state: None, grants=Grants())
    run = JobRun(core.jobs.store.create("one", "command", b""), plan, core.jobs.store)
    services = core._services(plan, run)
    services.report_progress(1, 2, "text")
    services.log_line("line")
    services.metric("x", 1.0)
    row = core.jobs.store.find(run.id)
    assert (row.done, core.jobs.store.lines(run.id), core.jobs.store.metrics(run.id)) == (0, [], {})


@pytest.mark.parametrize(("command", "code"), [("fail", 1), ("trap", 134), ("what", 1)])
def test_a_job_that_fails_says_how(core: Core, command: str, code: int) -> None:
    one = core.load(probe("one"))
    row = core.jobs.wait(core.jobs.begin(one.plan, command, b""), 60)
    assert (row.status, row.exit_code) == (JobStatus.FAILED, code)
    assert row.error
    assert execute(one, "echo", b"x") == b"x"


def test_outside_a_job_there_is_nothing_to_go_on_from(core: Core) -> None:
    one = core.load(probe("one"))
    with pytest.raises(Exception, match="this is no job"):
        execute(one, "count-to", b"1")


RUNS = """
import sys, time
from pathlib import Path
from meldpy.host.core import Core
from tests.support.hosted import probe
core = Core(Path(sys.argv[1]))
one = core.load(probe("one"))
if not core.jobs.store.all():
    core.jobs.begin(one.plan, "count-to", sys.argv[2].encode())
print("running", flush=True)
time.sleep(600)
"""


def test_a_job_goes_on_after_its_host_was_killed(tmp_path: Path) -> None:
    reached = 0
    for _ in range(2):
        process = subprocess.Popen(
            [sys.executable, "-c", RUNS, str(tmp_path), "10000000"], cwd=ROOT, stdout=subprocess.PIPE
        )
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(0.3)
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
        core = Core(tmp_path)
        _, _, checkpoint = core.jobs.store.input(1)
        core.close()
        assert checkpoint is not None
        assert int(checkpoint) > reached
        reached = int(checkpoint)
    core = Core(tmp_path)
    core.load(probe("one"))
    until(core, 1, reached + 1)
    core.jobs.cancel(1)
    row = core.jobs.wait(1, 60)
    assert (row.runs, row.exit_code) == (3, 130)
    starts = [int(text.removeprefix("from ")) for _, text in core.jobs.store.lines(1)]
    assert starts == sorted(starts)
    assert starts[-1] == reached
    core.close()


def test_a_host_that_is_closed_pauses_its_jobs_and_the_next_one_goes_on(tmp_path: Path) -> None:
    first = Core(tmp_path)
    id_ = first.jobs.begin(first.load(probe("one")).plan, "count-to", b"10000000")
    until(first, id_, 5)
    first.close()
    second = Core(tmp_path)
    assert second.jobs.store.find(id_).status is JobStatus.RUNNING
    second.load(probe("one"))
    reached = second.jobs.store.find(id_).done
    until(second, id_, reached + 1)
    second.jobs.cancel(id_)
    second.jobs.wait(id_, 60)
    second.close()


def test_waiting_for_a_job_ends_when_its_time_is_over(core: Core) -> None:
    core.load(probe("one"))
    id_ = core.jobs.begin(core.find("one").plan, "count-to", b"100000000")
    with pytest.raises(TimedOut, match=f"job {id_} still runs"):
        core.jobs.wait(id_, 0.01)
    core.jobs.cancel(id_, grace=0.01)
    assert core.jobs.wait(id_, 60).status is JobStatus.CANCELLED


def test_a_job_without_a_thread_is_left_to_be_resumed(core: Core, monkeypatch: pytest.MonkeyPatch) -> None:
    one = core.load(probe("one"))

    def exhausted(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as without:
        without.setattr("meldpy.host.jobs.run.start_thread", exhausted)
        with pytest.raises(RuntimeError):
            core.jobs.begin(one.plan, "count-to", b"3")
    assert core.jobs.running == 0
    (row,) = core.jobs.left("one")
    core.jobs.resume(row.id, one.plan)
    assert core.jobs.wait(row.id, 60).status is JobStatus.DONE


@pytest.mark.parametrize(("moment", "status"), [("begun", JobStatus.WAITING), ("over", JobStatus.RUNNING)])
def test_a_job_whose_beginning_or_end_the_store_does_not_take_is_left_to_be_resumed(
    core: Core, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, moment: str, status: JobStatus
) -> None:
    one = core.load(probe("one"))

    def full(*_: object) -> None:
        raise StoreFailed("the disk is full")

    with monkeypatch.context() as without:
        without.setattr(core.jobs.store, moment, full)
        id_ = core.jobs.begin(one.plan, "count-to", b"3")
        assert core.jobs.wait(id_, 60).status is status
    assert core.jobs.running == 0
    assert caplog.messages == [f"job {id_} is left as it was kept last: the disk is full"]
    assert [row.id for row in core.jobs.left("one")] == [id_]
    core.jobs.resume(id_, one.plan)
    assert core.jobs.wait(id_, 60).status is JobStatus.DONE


def test_a_defect_of_the_host_in_a_job_is_logged_and_is_the_end_of_the_job_alone(
    core: Core, caplog: pytest.LogCaptureFixture
) -> None:
    def make(_services: Services) -> object:
        raise KeyError("a defect")

    plan = replace(scripted("one", lambda _services, _message, _state: None), make=make)
    row = core.jobs.wait(core.jobs.begin(plan, "command", b""), 60)
    assert (row.status, row.exit_code, row.error) == (JobStatus.FAILED, 70, "the host failed; KeyError: 'a defect'")
    assert [record.exc_info is not None for record in caplog.records] == [True]


@pytest.mark.parametrize(
    ("call", "status", "code", "result", "error"),
    [
        ("test:counter/slow@1.0.0#count(20)", JobStatus.DONE, 0, b"40", ""),
        ("nothing()", JobStatus.DONE, 0, b"", ""),
        ("trap()", JobStatus.FAILED, 134, None, "counter: the guest trapped"),
        ("test:counter/slow@1.0.0#count()", JobStatus.FAILED, 1, None, "count takes 1 arguments, 0 were given"),
        ("gone(1)", JobStatus.FAILED, 1, None, "counter exports no function gone"),
    ],
)
def test_an_export_runs_as_a_job(
    core: Core, call: str, status: JobStatus, code: int, result: bytes | None, error: str
) -> None:
    counter = core.load(probe("counter", guest="counter"))
    row = core.jobs.wait(core.jobs.begin(counter.plan, call, b"", JobKind.EXPORT), 60)
    assert (row.kind, row.command, row.status, row.exit_code) == (JobKind.EXPORT, call, status, code)
    assert core.jobs.store.result(row.id) == result
    assert error in (row.error or "")
    assert (row.done, row.total) == ((20, 20) if result == b"40" else (0, 0))


def test_an_export_that_runs_as_a_job_is_cancelled(core: Core) -> None:
    job = Module(core, core.load(probe("counter", guest="counter")).name).call_job("spin()")
    while job.row().status is not JobStatus.RUNNING:
        time.sleep(0.001)
    core.jobs.cancel(job.id, grace=0.1)
    assert job.wait(60).exit_code == 130


def test_a_module_is_loaded_though_a_job_that_was_left_cannot_go_on(
    core: Core, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    core.jobs.store.create("one", "count-to", b"3")

    def resumed_already(_id: int, _plan: object) -> None:
        raise StateError("job 1 is running")

    monkeypatch.setattr(core.jobs, "resume", resumed_already)
    assert execute(core.load(probe("one")), "echo", b"x") == b"x"
    assert "not all jobs go on: job 1 is running" in caplog.messages


def test_no_job_begins_while_its_module_is_unloaded(core: Core) -> None:
    """One that began after the others were paused would run on without its module."""
    one = core.load(probe("one"))
    core.jobs.leaves("one")
    with pytest.raises(StateError, match="one is unloaded"):
        core.jobs.begin(one.plan, "count-to", b"3")
    assert core.jobs.store.all() == []
    core.unload("one")
    with pytest.raises(StateError, match="one is unloaded"):
        core.jobs.begin(one.plan, "count-to", b"3")
    again = core.load(probe("one"))
    assert core.jobs.wait(core.jobs.begin(again.plan, "count-to", b"3"), 60).status is JobStatus.DONE


def test_a_module_that_a_store_which_failed_kept_from_leaving_has_its_jobs(
    core: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = core.load(probe("one"))

    def full(*_: object) -> None:
        raise StoreFailed("the disk is full")

    with monkeypatch.context() as without:
        without.setattr(core.jobs, "pause_all", full)
        with pytest.raises(StoreFailed):
            core.unload("one")
    assert core.jobs.wait(core.jobs.begin(one.plan, "count-to", b"3"), 60).status is JobStatus.DONE


def test_a_job_that_was_left_does_not_keep_waiting_whoever_follows_it(
    core: Core, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    one = core.load(probe("one"))

    def full(*_: object) -> None:
        raise StoreFailed("the disk is full")

    with monkeypatch.context() as without:
        without.setattr(core.jobs.store, "over", full)
        id_ = core.jobs.begin(one.plan, "count-to", b"3")
        core.jobs.wait(id_, 60)

    class Asked:
        def ask(self, _ask: object) -> dict[str, object]:
            job = Job(core, id_)
            return plain(job.row()) | {"runs_now": job.runs_now}

    assert _follow(cast(Client, Asked()), id_) == 1
    assert "was left" in capsys.readouterr().err
