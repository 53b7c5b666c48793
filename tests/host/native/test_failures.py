"""What a native module does to its process is a failed call: the host goes on, knows why, and can start another."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from meldpy.host.faults import DeadlineExceeded, HostError, ModuleDead, ModuleTrapped, StateError
from meldpy.host.limits import Limits
from meldpy.host.native import NativeInstance, NativeOptions
from tests.support.native import EVERYTHING, Recorder, library, running

ENDS = {
    "segv": "SIGSEGV",
    "abort": "SIGABRT",
    "overflow": "SIGSEGV",
    "double free": "SIGABRT",
    "exit": "exit code 7",
    "exit quietly": "exit code 0",
    "panic": "index out of bounds",
    "null result": "a result of 10 bytes at a null pointer",
    "bad drop": "SIGSEGV",
}


@pytest.mark.parametrize("command", ENDS)
def test_an_end_is_a_failed_call_that_says_how(command: str) -> None:
    with running(library("misbehave")) as module:
        with pytest.raises(ModuleTrapped, match=ENDS[command]):
            module.execute(command, b"")
        assert not module.alive
        with pytest.raises(StateError):
            module.execute("echo", b"")
    with running(library("misbehave")) as module:
        assert module.execute("echo", b"again") == b"again"


@pytest.mark.parametrize("command", ["spin", "sleep", "stop", "log forever", "publish forever"])
def test_silence_and_noise_end_at_the_deadline(command: str) -> None:
    with running(library("misbehave")) as module:
        started = time.monotonic()
        with pytest.raises(DeadlineExceeded):
            module.execute(command, b"x", deadline=0.2)
        assert time.monotonic() - started < 30
        assert not module.alive


def test_a_leak_ends_at_the_memory_limit_and_says_so() -> None:
    with (
        running(library("misbehave"), limits=Limits(memory=64 << 20)) as module,
        pytest.raises(ModuleTrapped) as failure,
    ):
        module.execute("leak", b"")
    (line,) = failure.value.causes
    taken = int(line.split()[1])
    assert 40 < taken < 64


def test_processor_time_has_a_limit_too() -> None:
    with (
        running(library("misbehave"), options=NativeOptions(cpu=1)) as module,
        pytest.raises(ModuleTrapped, match=r"SIGKILL|SIGXCPU"),
    ):
        module.execute("spin", b"", deadline=60)


def test_open_files_have_a_limit() -> None:
    with running(library("misbehave"), options=NativeOptions(files=32)) as module:
        assert module.execute("open many", b"") == b"limited"


def test_a_crash_while_it_is_created() -> None:
    instance = NativeInstance(library("misbehave"), Recorder())
    with pytest.raises(ModuleTrapped, match="SIGABRT"):
        instance.initialize("crash")
    instance.close()


def test_no_instance_is_no_success() -> None:
    instance = NativeInstance(library("misbehave"), Recorder())
    with pytest.raises(ModuleTrapped, match="no instance"):
        instance.initialize("no instance")
    instance.close()


def test_an_idle_worker_that_stopped_misses_its_heartbeat() -> None:
    with running(library("misbehave")) as module:
        os.kill(module.process_id, signal.SIGSTOP)
        with pytest.raises(DeadlineExceeded):
            module.beat(0.2)
        assert not module.alive


def test_an_idle_worker_that_died_is_not_alive() -> None:
    with running(library("misbehave")) as module:
        os.kill(module.process_id, signal.SIGKILL)
        deadline = time.monotonic() + 5
        while module.alive and time.monotonic() < deadline:
            time.sleep(0.01)
        assert not module.alive
        with pytest.raises(ModuleDead, match="SIGKILL"):
            module.execute("echo", b"")


def test_a_crash_takes_its_forked_children_along() -> None:
    with running(library("misbehave")) as module:
        group = module.process_id
        with pytest.raises(ModuleTrapped, match="SIGABRT"):
            module.execute("fork and die", b"")
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(group, 0)
            time.sleep(0.01)
            continue
        return
    pytest.fail("something of the worker's session lives on")


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_forty_lives_leave_nothing_behind() -> None:
    path = library("misbehave")
    with running(path):
        pass
    before, workers = open_files(), []
    for life in range(40):
        with running(path) as module:
            workers.append(module.process_id)
            if life % 2:
                with pytest.raises(ModuleTrapped):
                    module.execute("segv", b"")
            else:
                assert module.execute("echo", b"1") == b"1"
    assert open_files() == before
    assert not [worker for worker in workers if Path(f"/proc/{worker}").exists()]


HOST = """
import sys, time
sys.path.insert(0, {root!r})
from pathlib import Path
from tests.support.native import Recorder
from meldpy.host.native import NativeInstance
instance = NativeInstance(Path({library!r}), Recorder())
instance.initialize("{{}}")
print(instance.process_id, flush=True)
instance.execute({command!r}, b"", deadline=100)
time.sleep(100)
"""


@pytest.mark.parametrize("command", ["echo", "spin"])
def test_a_worker_dies_with_its_host_even_in_a_loop(command: str) -> None:
    program = HOST.format(root=str(Path(__file__).parents[3]), library=str(library("misbehave")), command=command)
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True) as host:
        assert host.stdout is not None
        worker = int(host.stdout.readline())
        time.sleep(0.1)
        handle = os.pidfd_open(worker)
        host.kill()
        host.wait()
    import select

    poller = select.poll()
    poller.register(handle, select.POLLIN)
    assert poller.poll(5000), "the worker outlives its host"
    os.close(handle)


def test_everything_is_granted_in_these_tests() -> None:
    assert all(getattr(EVERYTHING, name) for name in ("bus", "jobs", "kv", "clock"))


def children() -> set[str]:
    """Processes of this one, the dead ones too that nobody waited for."""
    found = set()
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            if int(path.read_text().rpartition(")")[2].split()[1]) == os.getpid():
                found.add(path.parent.name)
    return found


@pytest.mark.parametrize("what", ["socket.socketpair", "os.memfd_create", "fcntl.fcntl", "mmap.mmap", "os.pidfd_open"])
def test_a_process_that_cannot_be_started_is_told_and_leaves_nothing(
    what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = library("misbehave")
    with running(path) as module:  # what is made once for all
        assert module.alive
    before, processes = sorted(os.listdir("/proc/self/fd")), children()

    def exhausted(*_: object) -> None:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(f"meldpy.host.native.process.{what}", exhausted)
    with pytest.raises(HostError, match=rf"cannot start a process for {path.name}: Too many open files"):
        NativeInstance(path, Recorder())
    monkeypatch.undo()
    assert sorted(os.listdir("/proc/self/fd")) == before
    assert children() == processes
