"""Which threads and processes may run guests, and the clock that ends their calls.

An engine's code runs on the stack of the thread that calls it and needs half a megabyte of it; its compiler's threads
do not survive a fork. The clock advances the engine's epoch while any guest runs, and sleeps otherwise.
"""

from __future__ import annotations

import ctypes
import os
import threading
from typing import final

import wasmtime

STACK = 8 << 20
"""Bytes of stack for a thread that runs guests."""
_LEAST_STACK = 2 << 20
"""Bytes below which a thread is refused: the engine takes 512 KiB, host functions and Python need the rest."""
TICK = 0.01
"""Seconds of one epoch."""

_known = threading.local()
_forked = False


def _after_fork() -> None:
    global _forked
    _forked = True


os.register_at_fork(after_in_child=_after_fork)


class Refused(Exception):
    """A guest may not run here."""


def check_process() -> None:
    """Raises Refused in a process that was forked from one that had this module."""
    if _forked:
        raise Refused("this process was forked from a host: the engine's threads are not in it; start a new process")


def check_stack() -> None:
    """Raises Refused on a thread whose stack is too small for a guest's. Asked once a thread."""
    fits = getattr(_known, "fits", None)
    if fits is None:
        size = _stack_size()
        fits = _known.fits = size is None or size >= _LEAST_STACK
    if not fits:
        raise Refused(f"a guest needs a thread with a stack of {_LEAST_STACK >> 20} MiB")


def _stack_size() -> int | None:
    """The size of this thread's stack; None where the system does not say."""
    libc = ctypes.CDLL(None)
    if not hasattr(libc, "pthread_getattr_np"):
        return None
    libc.pthread_self.restype = ctypes.c_void_p
    attributes = ctypes.create_string_buffer(256)
    if libc.pthread_getattr_np(ctypes.c_void_p(libc.pthread_self()), attributes):
        return None
    address, size = ctypes.c_void_p(), ctypes.c_size_t()
    libc.pthread_attr_getstack(attributes, ctypes.byref(address), ctypes.byref(size))
    libc.pthread_attr_destroy(attributes)
    return size.value


_starting = threading.Lock()


def start_thread(thread: threading.Thread) -> None:
    """Start a thread that has the stack for guests. The size is one for the whole process, hence the lock."""
    with _starting:
        before = threading.stack_size(STACK)
        try:
            thread.start()
        finally:
            threading.stack_size(before)


@final
class Clock:
    """Advances an engine's epoch every TICK while somebody runs."""

    def __init__(self, engine: wasmtime.Engine) -> None:
        self._engine = engine
        self._running = 0
        self._lock = threading.Lock()
        self._wanted = threading.Event()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._tick, name="meld-epochs", daemon=True)
        self._thread.start()

    def __enter__(self) -> None:
        with self._lock:
            self._running += 1
            if self._running == 1:
                self._wanted.set()

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._running -= 1
            if not self._running:
                self._wanted.clear()

    def _tick(self) -> None:
        while True:
            self._wanted.wait()
            if self._stopped.wait(TICK):
                return
            self._engine.increment_epoch()

    def stop(self) -> None:
        """For the end of the process: the engine must not be touched afterwards."""
        self._stopped.set()
        self._wanted.set()
        self._thread.join()
