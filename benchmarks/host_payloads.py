"""Payloads into a module and out of it, beside the engine's binding alone: `python -m benchmarks.host_payloads`.

A list of bytes crosses the engine's C interface as a value of 32 bytes for each, so 64 KiB are two megabytes, which the
engine makes, copies and frees in the call itself; what is ours is the making of them in Python. A large payload goes by
a file in the directory that a module was granted for it: the module reads and writes by WASI, whose share any embedding
pays. Both are measured in one run, by turns; times are of the clock, since the engine reads files on its own threads.
"""

from __future__ import annotations

import ctypes
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import wasmtime
from wasmtime import _ffi as ffi

from meldpy.engine.guests.memory import Borrowed
from meldpy.host.core import Core
from meldpy.host.limits import Grants
from tests.support.hosted import artefact, execute, guest, on_guest_thread, probe

WORLD = {"test:host/calls": {"quiet": lambda _: None, "loud": lambda n: n + 1}}
ROUNDS = 60


def by_turns(rows: dict[str, Callable[[], object]]) -> None:
    times: dict[str, list[float]] = {what: [] for what in rows}
    for _ in range(ROUNDS):
        for what, run in rows.items():
            begin = time.perf_counter_ns()
            run()
            times[what].append((time.perf_counter_ns() - begin) / 1e6)
    for what, found in times.items():
        low, middle, high = statistics.quantiles(found, n=4)
        print(f"  {what:56} {middle:6.2f} ms  ({low:.2f} to {high:.2f})", flush=True)


def lists() -> None:
    one, data = guest("hazards", WORLD), os.urandom(64 << 10)
    function, signature = one._find(("echo-bytes",))
    arena = Borrowed()
    block = ctypes.c_char.from_buffer(signature.write((data,), arena))
    given = ctypes.cast(ctypes.byref(block), ctypes.POINTER(ffi.wasmtime_component_val_t))

    def engine(store: wasmtime.Store) -> None:
        result = ffi.wasmtime_component_val_t()
        called = ffi.wasmtime_component_func_call(
            ctypes.byref(function._func), store._context(), given, 1, ctypes.byref(result), 1
        )
        assert not called
        ffi.wasmtime_component_val_delete(ctypes.byref(result))

    assert one.call(("echo-bytes",), data, deadline=5) == data
    by_turns(
        {
            "64 KiB of list<u8>, there and back": lambda: one.call(("echo-bytes",), data, deadline=5),
            "  the engine's call alone, its values made before": lambda: one._run(engine, 5),
        }
    )


def references() -> None:
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as folder:
        large, there, back = os.urandom(1 << 20), Path(folder) / "in", Path(folder) / "in.out"
        core = Core(None)
        grants = Grants(True, True, True, True, ("*",), ("*",), ("*",), scratch=True)
        module = core.load(probe("one", grants=grants, scratch=folder))
        call = on_guest_thread(lambda: _plain(folder))

        def both(copy: Callable[[], object]) -> None:
            there.write_bytes(large)
            copy()
            assert len(back.read_bytes()) == len(large)

        def through_the_host() -> None:
            execute(module, "copy-large", b"/scratch/in")

        def rounds() -> None:
            there.write_bytes(large)
            by_turns(
                {
                    "1 MiB by reference, there and back": lambda: both(through_the_host),
                    "  the binding alone, there and back": lambda: both(call),
                    "  of it the guest, which reads and writes by WASI": call,
                    "  of it the file, written and read here": lambda: both(lambda: None),
                }
            )

        on_guest_thread(rounds)
        core.close()


def _plain(folder: str) -> Callable[[], object]:
    """A call of the same component by the engine's binding, with the same directory."""
    made = artefact("probe")
    store = wasmtime.Store(made.engine.engine)
    store.set_epoch_deadline(1 << 40)
    config = wasmtime.WasiConfig()
    config.preopen_dir(folder, "/scratch", True)
    store.set_wasi(config)
    instance = made.linker.instantiate(store, made.component)
    interface = instance.get_export_index(store, "meld:host/module@0.1.0")
    function: Any = instance.get_func(store, instance.get_export_index(store, "execute", interface) or "")
    return lambda: function(store, "copy-large", b"/scratch/in")


if __name__ == "__main__":
    on_guest_thread(lists)
    references()
