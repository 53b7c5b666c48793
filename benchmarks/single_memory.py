"""What a single memory costs programs in C and Rust (`guests/`), on three engines that know no components.

    PYTHONPATH=. python benchmarks/single_memory.py [wasmtime] [V8] [wazero]

The path has clang-19 with lld, rustc with wasm32-unknown-unknown, wasm-tools, go and npm. Each program is a component
of plain functions, three times in one composition. The same code runs

    alone        as the compiler made it: a memory of its own
    separate     in the core output with a memory for each (not on wazero, which has one)
    full         in the one memory, with a fixed place and length (given what it has by --memory-max): checks compare
                 with a constant, which is the least that one can be (C; Rust's programs need more)
    fixed        in the one memory, as a region with a fixed place that is checked (given room by --memory-max)
    growing      as the first region that makes room by moving others: fixed base, length in a global
    moving       as a region that may be moved: base and length in globals
    last         as the last region, which needs no check

and what is printed is the time of each over that of `alone`: the geometric mean of a program's functions, and the worst
of them. Time is the processor's, the least of several interleaved runs, so that it can be taken beside other work.
"""

from __future__ import annotations

import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from core_output import memory_names
from wasmtime import Engine, Instance, MemoryType, Module, Store, wat2wasm

import meldpy
from meldpy.engine.config import base_config
from meldpy.engine.coreapi import CoreInstance
from meldpy.pipeline import FuseOptions
from tests.support import engines

HERE = Path(__file__).parent
ROUNDS = 9
REPEATS = 4
FUNCTIONS = {
    "C": ("sort", "hash", "parse", "compress", "multiply"),
    "Rust": ("hash", "tree", "sort", "text", "life"),
}
ALLOCATES = {"C": ("grow",), "Rust": ()}
"""What else is exported so that the memory is one that may grow, as it is where there is an allocator."""
FULL = ("C",)
"""Whose programs do with the pages that they begin with."""


# --- programs ---------------------------------------------------------------------------------------------------------
def compiled(language: str) -> bytes:
    """The core module of a program."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out.wasm"
        if language == "C":
            exports = [f"-Wl,--export={name}" for name in (*FUNCTIONS["C"], *ALLOCATES["C"])]
            flags = ["--target=wasm32", "-O2", "-fno-builtin", "-nostdlib", "-Wl,--no-entry", *exports]
            command = ["clang-19", *flags, str(HERE / "guests" / "work.c"), "-o", str(out)]
        else:
            flags = ["--edition=2021", "-O", "-Cstrip=symbols", "-Cpanic=abort", "--crate-type=cdylib"]
            flags += ["--target=wasm32-unknown-unknown"]
            command = ["rustc", *flags, str(HERE / "guests" / "work.rs"), "-o", str(out)]
        subprocess.run(command, check=True)
        return out.read_bytes()


def thrice(module: bytes, names: tuple[str, ...]) -> bytes:
    """A composition of three instances of it, whose exports are `name-a`, `name-b` and `name-c`."""
    printed = subprocess.run(["wasm-tools", "print"], input=module, capture_output=True, check=True).stdout.decode()
    guest = printed.replace("(module", "(core module $m", 1)
    lifts = "".join(f'(func (export "{name}") (result u32) (canon lift (core func $i "{name}")))' for name in names)
    instances = "".join(f"(instance ${to} (instantiate $guest))" for to in "abc")
    exports = "".join(f'(export "{name}-{to}" (func ${to} "{name}"))' for name in names for to in "abc")
    whole = f"(component (component $guest {guest} (core instance $i (instantiate $m)) {lifts}) {instances} {exports})"
    return bytes(wat2wasm(whole))


@dataclass(frozen=True)
class Form:
    """module: what runs; suffix: of the functions of one of its guests."""

    module: bytes
    suffix: str


def forms(language: str) -> dict[str, Form]:
    module = compiled(language)
    composed = thrice(module, (*FUNCTIONS[language], *ALLOCATES[language]))
    names = memory_names(composed)

    def single(roomy: int, pages: int = 100) -> bytes:
        given = tuple(f"{name}={pages}" for name in names[:roomy])
        return meldpy.fuse([composed], FuseOptions(core=True, memory="single", memory_max=given)).bytes

    free, roomy = single(0), single(2)
    found = {
        "alone": Form(module, ""),
        "separate": Form(meldpy.fuse([composed], FuseOptions(core=True)).bytes, "-b"),
        "fixed": Form(roomy, "-a"),
        "growing": Form(free, "-a"),
        "moving": Form(free, "-c"),
        "last": Form(roomy, "-c"),
    }
    if language in FULL:
        found["full"] = Form(single(2, pages(module)), "-a")
    return found


def pages(module: bytes) -> int:
    """Which the memory of a module has at first."""
    (memory,) = [each.type for each in Module(Engine(), module).exports if isinstance(each.type, MemoryType)]
    return memory.limits.min


# --- engines ----------------------------------------------------------------------------------------------------------
def here(module: bytes) -> tuple[Callable[[str], int], Callable[[], float]]:
    """In this process: a call by name, and the clock."""
    store = Store(Engine(base_config(optimise=True)))
    exports = Instance(store, Module(store.engine, module), []).exports(store)
    return lambda name: exports[name](store) & 0xFFFF_FFFF, time.thread_time


def driven(engine: Callable[[bytes, Mapping[object, object]], CoreInstance]) -> Callable[[bytes], object]:
    """In a driver's process, whose threads' time is the clock."""

    def start(module: bytes) -> tuple[Callable[[str], int], Callable[[], float]]:
        remote = engine(module, {})
        tasks = Path(f"/proc/{remote.pid}/task")

        def clock() -> float:
            return sum(int((each / "schedstat").read_text().split()[0]) for each in tasks.iterdir()) / 1e9

        return lambda name: remote.call(name, ())[0], clock

    return start


ENGINES = {
    "wasmtime": lambda: here,
    "V8": lambda: driven(engines.newest_node()),
    "wazero": lambda: driven(engines.wazero()),
}


# --- runs -------------------------------------------------------------------------------------------------------------
def least(engine: str, found: Mapping[str, Form], name: str) -> dict[str, float]:
    """For each form, the least time of one function."""
    start = ENGINES[engine]()
    running = {form: (*start(each.module), name + each.suffix) for form, each in found.items()}
    sums = {form: call(export) for form, (call, _, export) in running.items()}
    assert len(set(sums.values())) == 1, f"{name} differs: {sums}"
    for call, _, export in running.values():
        for _ in range(10):
            call(export)  # until the engine has optimised it
    times: dict[str, float] = dict.fromkeys(found, math.inf)
    for _ in range(ROUNDS):
        for form, (call, clock, export) in running.items():
            began = clock()
            for _ in range(REPEATS):
                call(export)
            times[form] = min(times[form], clock() - began)
    return times


def main() -> None:
    chosen = sys.argv[1:] or list(ENGINES)
    for language, names in FUNCTIONS.items():
        found = forms(language)
        kinds = [kind for kind in found if kind != "alone"]
        print(f"{language:<5} {len(found['alone'].module):>7} bytes   load {os.getloadavg()[0]:.1f}", end="")
        print("".join(f"{kind:>18}" for kind in kinds))
        for engine in chosen:
            fitting = {kind: form for kind, form in found.items() if engine != "wazero" or kind != "separate"}
            ratios: dict[str, list[float]] = {kind: [] for kind in kinds}
            for name in names:
                times = least(engine, fitting, name)
                for kind in fitting:
                    if kind != "alone":
                        ratios[kind].append(times[kind] / times["alone"])
            print(f"  {engine:<32}" + "".join(f"{cell(each):>18}" for each in ratios.values()), flush=True)


def cell(ratios: list[float]) -> str:
    """Their geometric mean, and the worst."""
    return f"{math.prod(ratios) ** (1 / len(ratios)):.2f} (worst {max(ratios):.2f})" if ratios else ""


if __name__ == "__main__":
    main()
