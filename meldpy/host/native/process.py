"""The operating system's side of a worker: start it, kill it, know how it ended, read what it printed.

A worker is a session of its own with nothing but what it is given: an environment of granted names, a socket, shared
memory of fixed size, a pipe whose end means that the host is gone. What it prints goes to a memory file of fixed size,
which a crashed process leaves behind whole; a pipe would have to be emptied by somebody, or block. The descriptors 0 to
2 carry no protocol, so that a module that prints breaks nothing.

Processes are known by pidfd, never by number alone: a number may be another process's by the time it is used.
"""

from __future__ import annotations

import contextlib
import fcntl
import mmap
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Final, final

from meldpy.host.faults import HostError
from meldpy.host.limits import Grants, Limits
from meldpy.host.native.worker.wire import Layout
from meldpy.records import dataclass

OUTPUT: Final = 256 * 1024
"""Bytes that a module can print in one call; what it prints beyond is lost."""
_HERE: Final = Path(__file__).parent
_PROCESS_CLOCK: Final = 2
"""CPUCLOCK_SCHED of a whole process: nanoseconds, where /proc/PID/stat counts hundredths of seconds."""
_BOOT: Final = "import sys; sys.path.append(sys.argv.pop(1)); from worker.main import boot; boot()"


@final
@dataclass(frozen=True, slots=True)
class NativeOptions:
    """What a native module's process may use beside `Limits`; None: what the host may.

    cpu: seconds in its whole life; files: open at once; file_size: bytes of the longest file it writes; start: seconds
    until it must have introduced itself; confined: kept to its granted directories, sockets and processes (False: it
    may do what its user may); sanitizer: path of AddressSanitizer's runtime, for a library built with it. Such a worker
    is not confined and has no limit of memory: the sanitizer looks around, and reserves terabytes of addresses.
    scratch: a directory of its own, which it may write if it was granted one, and knows by the variable MELD_SCRATCH.
    """

    cpu: int | None = None
    files: int | None = 64
    file_size: int | None = 64 << 20
    start: float = 10.0
    confined: bool = True
    sanitizer: str | None = None
    scratch: str | None = None

    def scratch_of(self, grants: Grants) -> str | None:
        """The directory, if there is one and it was granted."""
        return None if self.scratch is None or not grants.scratch else str(Path(self.scratch).resolve())


@final
@dataclass(frozen=True, slots=True)
class Exit:
    """How a worker ended: by a signal, or with a code."""

    signal: int | None
    code: int | None

    def __str__(self) -> str:
        if self.signal is None:
            return f"exit code {self.code}"
        try:
            return signal.Signals(self.signal).name
        except ValueError:
            return f"signal {self.signal}"


@final
class Life:
    """One pipe for all workers of this process. Nobody writes to it; its end is the host's."""

    _lock = threading.Lock()
    _pipe: tuple[int, int] | None = None
    _owner: int | None = None

    @classmethod
    def read_end(cls) -> int:
        """A descriptor to pass on. After a fork the child has a pipe of its own."""
        with cls._lock:
            if cls._pipe is None or cls._owner != os.getpid():
                cls._pipe, cls._owner = os.pipe(), os.getpid()
            return cls._pipe[0]


@final
class WorkerProcess:
    """A started worker. `socket` and `area` are the host's ends; all is freed by `free`."""

    def __init__(self, library: Path, grants: Grants, limits: Limits, options: NativeOptions) -> None:
        if not sys.executable:
            raise HostError(
                "this program does not know its Python interpreter, which native modules run in",
                remedy="set sys.executable to the path of one",
            )
        self._lock = threading.Lock()
        self._exit: Exit | None = None
        self._used = 0.0
        try:
            with ExitStack() as afterwards, ExitStack() as unstarted:
                self._start(library, grants, limits, options, afterwards, unstarted)
                unstarted.pop_all()
        except OSError as error:
            raise HostError(
                f"cannot start a process for {library.name}: {error.strerror or error}",
                remedy="allow more open files and processes (ulimit -n, ulimit -u), or load fewer native modules",
            ) from error

    def _start(
        self,
        library: Path,
        grants: Grants,
        limits: Limits,
        options: NativeOptions,
        afterwards: ExitStack,
        unstarted: ExitStack,
    ) -> None:
        """What the worker alone needs is closed afterwards; everything, if something could not be had."""
        layout = Layout(limits.payload)
        self.socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        afterwards.callback(theirs.close)
        unstarted.callback(self.socket.close)
        shared = _sealed("meld-payloads", layout.size)
        afterwards.callback(os.close, shared)
        self._output = _sealed("meld-output", OUTPUT)
        unstarted.callback(os.close, self._output)
        passed = (theirs.fileno(), shared, Life.read_end())
        boot = [sys.executable, "-I", "-S", "-c", _BOOT, str(_HERE)]
        self._popen = subprocess.Popen(
            [*boot, *_arguments(library, passed, grants, limits, options)],
            stdin=subprocess.DEVNULL,
            stdout=self._output,
            stderr=self._output,
            pass_fds=passed,
            env=_environment(grants, options),
            cwd="/",
            start_new_session=True,
        )
        unstarted.callback(self._popen.wait)
        unstarted.callback(self._popen.kill)
        self.area = mmap.mmap(shared, layout.size)
        unstarted.callback(self.area.close)
        self.pid = self._popen.pid
        self.pidfd = os.pidfd_open(self.pid)

    def kill(self) -> None:
        """End it now, with what it forked. Any thread, any number of times."""
        with self._lock:
            if self._exit is None:
                # it is not reaped, so the number is still its own, even if it is dead
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(self.pid, signal.SIGKILL)

    def dead(self) -> bool:
        """Whether it ended, seen without waiting. Any thread."""
        with self._lock:
            if self._exit is not None:
                return True
            waiter = select.poll()
            waiter.register(self.pidfd, select.POLLIN)
            return bool(waiter.poll(0))

    def used(self) -> float:
        """Seconds of processor time that all its threads used; after its end what they had. Any thread."""
        with self._lock:
            self._look()
            return self._used

    def _look(self) -> None:
        """At its clock, which is there until it is reaped. (The numbers of these clocks are part of Linux's ABI:
        clock_getcpuclockid of the C library makes them so.)"""
        if self._exit is None:
            with contextlib.suppress(OSError):  # the system reaped it, in a program that ignores SIGCHLD
                self._used = time.clock_gettime(~self.pid << 3 | _PROCESS_CLOCK)

    def end(self, grace: float) -> Exit:
        """How it ended; it is killed unless it ends by itself in `grace` seconds."""
        if self._exit is None:
            waiter = select.poll()
            waiter.register(self.pidfd, select.POLLIN)
            waiter.poll(grace * 1000)
            self.kill()
            waiter.poll()
            with self._lock:
                self._look()
                code = self._popen.wait()
                self._exit = Exit(-code, None) if code < 0 else Exit(None, code)
        return self._exit

    def printed(self) -> str:
        """What it printed since the last look. Any moment, also after its end."""
        length = min(os.lseek(self._output, 0, os.SEEK_CUR), OUTPUT)
        if length == 0:
            return ""
        text = os.pread(self._output, length, 0)
        os.lseek(self._output, 0, os.SEEK_SET)
        return text.decode(errors="replace")

    def free(self) -> None:
        """Close what the host holds of it. The last call."""
        self.end(0)
        self.socket.close()
        self.area.close()
        os.close(self._output)
        os.close(self.pidfd)


def _arguments(
    library: Path, passed: tuple[int, ...], grants: Grants, limits: Limits, options: NativeOptions
) -> list[str]:
    """What `worker.main` reads."""
    lent = ",".join(name for name in ("bus", "jobs", "kv", "clock") if getattr(grants, name))
    trusted = options.sanitizer is not None or not options.confined
    confined = "trusted" if trusted else "network" if grants.network else "alone"
    memory = None if options.sanitizer is not None else limits.memory
    most = (memory, options.cpu, options.files, options.file_size)
    numbers = [*passed, limits.payload, *(-1 if each is None else each for each in most)]
    directories = [("w" if each.write else "r") + str(Path(each.host).resolve()) for each in grants.directories]
    scratch = options.scratch_of(grants)
    directories += [] if scratch is None else ["w" + scratch]
    return [str(library), lent, confined, *map(str, numbers), *directories]


def _environment(grants: Grants, options: NativeOptions) -> dict[str, str]:
    granted = {name: os.environ[name] for name in grants.environment if name in os.environ}
    scratch = options.scratch_of(grants)
    if scratch is not None:
        granted["MELD_SCRATCH"] = scratch
    if options.sanitizer is None:
        return {"LANG": "C.UTF-8", **granted}
    # python is not built with the sanitizer, and its own leaks at exit are nobody's business
    return {"LANG": "C.UTF-8", "ASAN_OPTIONS": "detect_leaks=0", **granted, "LD_PRELOAD": options.sanitizer}


def _sealed(name: str, size: int) -> int:
    """A memory file that nobody can shrink (a read beyond its end would kill the host) or grow."""
    file = os.memfd_create(name, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        os.ftruncate(file, size)
        fcntl.fcntl(file, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL)
    except BaseException:
        os.close(file)
        raise
    return file
