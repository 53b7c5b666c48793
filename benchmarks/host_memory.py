"""What a module takes in memory, and whose it is: `python -m benchmarks.host_memory [COUNT]`.

Each row is a process of its own that makes COUNT of something (200) after twenty that are not counted, so that nothing
is made where something else was freed. The rows add to each other: the engine's store, with a WASI context, with an
instance of the component, after the calls that begin a module's life; that is what any program takes that runs the
component by the engine's binding. The last is a module of the host. The artefact itself, which all share, is in none.

resident is what the system counts for the process; of it, pages of the artefact's file that are shared by all who read
them and kept once (`Pss` of /proc/self/smaps_rollup counts them once, and is the second figure). objects: what Python's
allocator gave out, of the last row.
"""

from __future__ import annotations

import gc
import os
import re
import subprocess
import sys
import tracemalloc
from pathlib import Path

import wasmtime

from meldpy.host.core import Core
from tests.support.hosted import artefact, on_guest_thread, probe

COUNT = 200
WARM = 20
GUESTS = {"probe": "a module in Rust, 181 kB, WASI", "counter": "a component of one page, in text"}
FIRST = (("initialize", "[]"), ("get-capabilities",))
"""The calls that begin a module's life."""


def memory() -> tuple[int, int]:
    """Bytes resident, and with what is shared divided by those who share it."""
    gc.collect()
    rollup = Path("/proc/self/smaps_rollup").read_text()
    found = [re.search(rf"^{name}:\s+(\d+) kB", rollup, re.MULTILINE) for name in ("Rss", "Pss")]
    resident, proportional = (int(each[1]) << 10 for each in found if each is not None)
    return resident, proportional


def plain(guest: str, stage: str) -> object:
    """What the engine's binding makes, up to a stage."""
    made = artefact(guest)
    store = wasmtime.Store(made.engine.engine)
    store.set_epoch_deadline(1 << 40)
    if stage == "store":
        return store
    store.set_wasi(wasmtime.WasiConfig())
    if stage == "context":
        return store
    instance = made.linker.instantiate(store, made.component)
    if stage == "calls" and guest == "probe":
        interface = instance.get_export_index(store, "meld:host/module@0.1.0")
        for name, *arguments in FIRST:
            function = instance.get_func(store, instance.get_export_index(store, name, interface) or "")
            assert function is not None
            function(store, *arguments)
    return store, instance


def measured(guest: str, stage: str, count: int) -> tuple[float, float, float]:
    """Bytes each: resident, proportional, in Python's objects (of modules only)."""
    core = Core(None)

    def make(number: int) -> object:
        return core.load(probe(f"m{number}", guest=guest)) if stage == "module" else plain(guest, stage)

    def all_of_them() -> tuple[float, float, float]:
        kept = [make(number) for number in range(WARM)]
        before = memory()
        kept += [make(number) for number in range(WARM, WARM + count)]
        after = memory()
        objects = 0
        if stage == "module":
            tracemalloc.start()
            kept += [make(number) for number in range(WARM + count, WARM + 2 * count)]
            gc.collect()
            objects = sum(trace.size for trace in tracemalloc.take_snapshot().traces)
            tracemalloc.stop()
        resident, proportional = ((each - then) / count for each, then in zip(after, before, strict=True))
        return resident, proportional, objects / count

    found = all_of_them() if stage == "module" else on_guest_thread(all_of_them)
    core.close()
    return found


STAGES = {
    "store": "the engine: a store",
    "context": "  and a WASI context",
    "instance": "  and an instance",
    "calls": "  after its first calls",
    "module": "a module of the host",
}


def main() -> None:
    if len(sys.argv) > 2:
        print(*measured(sys.argv[1], sys.argv[2], int(sys.argv[3])))
        return
    count = int(sys.argv[1]) if len(sys.argv) > 1 else COUNT
    for guest, what in GUESTS.items():
        print(f"{guest}: {what}; kB each of {count}")
        print(f"  {'':26} {'resident':>9} {'shared once':>12}")
        rows: dict[str, tuple[float, ...]] = {}
        for stage, text in STAGES.items():
            command = [sys.executable, "-m", "benchmarks.host_memory", guest, stage, str(count)]
            said = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True, env=os.environ).stdout
            rows[stage] = tuple(float(word) / 1024 for word in said.split())
            print(f"  {text:26} {rows[stage][0]:9.1f} {rows[stage][1]:12.1f}", flush=True)
        ours = [module - engine for module, engine in zip(rows["module"], rows["calls"], strict=True)]
        print(f"  {'of it the host':26} {ours[0]:9.1f} {ours[1]:12.1f}   (objects {rows['module'][2]:.1f})", flush=True)


if __name__ == "__main__":
    main()
