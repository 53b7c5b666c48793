"""How long the `meld` command itself takes: CPU time of whole processes, with byte code cached.

Beside the shipped pair any inputs can be timed: `python benchmarks/fusing.py A.wasm B.wasm`. Every row is compared
with bare Python. `--steps` among the words takes one cold fuse apart instead, into processes each of which does what
the one before did and something more.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import meldpy

ROUNDS = 15
HELLO = Path(__file__).parents[1] / "fixtures" / "hello"


def cpu_seconds(arguments: Sequence[str]) -> float:
    """CPU time of one Python process with these arguments."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    # without byte code on disk, compiling our own source would be most of what is measured
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    subprocess.run([sys.executable, *arguments], check=True, capture_output=True, env=environment)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def warm_seconds(inputs: Sequence[str]) -> list[float]:
    """The same fuse again and again in one process, through the API."""
    meldpy.fuse(list(inputs))
    times = []
    for _ in range(ROUNDS):
        began = time.thread_time()
        meldpy.fuse(list(inputs))
        times.append(time.thread_time() - began)
    return times


def row(name: str, times: Sequence[float], bare: float) -> None:
    low, middle, high = statistics.quantiles(times, n=4)
    spread = f"[{low * 1000:.1f}, {high * 1000:.1f}]"
    print(f"{name:<36} {middle * 1000:8.1f} ms  {spread}   {middle / bare:6.1f} x bare Python")


def rounds(cases: Mapping[str, Sequence[str]]) -> dict[str, list[float]]:
    """CPU seconds of each command, in interleaved rounds, after one to warm up."""
    times: dict[str, list[float]] = {name: [] for name in cases}
    for arguments in cases.values():
        cpu_seconds(arguments)
    for _ in range(ROUNDS):
        for name, arguments in cases.items():
            times[name].append(cpu_seconds(arguments))
    return times


def imported(arguments: Sequence[str]) -> list[str]:
    """The modules that a Python process imports, or tries to, beyond a bare one, in the order of their ends."""

    def names(arguments: Sequence[str]) -> list[str]:
        command = [sys.executable, "-X", "importtime", *arguments]
        told = subprocess.run(command, check=True, capture_output=True, text=True).stderr
        return [line.split("|")[2].strip() for line in told.splitlines() if line.startswith("import time:")][1:]

    bare = names(["-c", "pass"])
    return [name for name in names(arguments) if name not in bare]


def steps(inputs: Sequence[str], output: str) -> None:
    """Where the time of a cold fuse goes, as processes that do more and more of it."""
    fuse = ["fuse", *inputs, "-o", output]
    names = imported(["-m", "meldpy", *fuse])
    foreign = [name for name in names if name.split(".")[0] not in ("meldpy", "wasmtime")]
    engine = [name for name in names if name.split(".")[0] == "wasmtime"]
    # left as the command is left, without taking the interpreter apart
    load = (
        "import importlib, os\nfor name in {!r}:\n"
        "    try: importlib.import_module(name)\n    except ImportError: pass\nos._exit(0)"
    )
    cases = {
        "bare Python": ["-c", "import os; os._exit(0)"],
        f"and {len(foreign)} modules of others": ["-c", load.format(foreign)],
        f"and {len(engine)} of the engine's, and its library": ["-c", load.format([*foreign, *engine])],
        f"and {len(names) - len(foreign) - len(engine)} of ours": ["-c", load.format(names)],
        "and a fuse, not validated": ["-m", "meldpy", *fuse, "--no-validate"],
        "and validation of inputs and output": ["-m", "meldpy", *fuse],
    }
    print(f"CPU time, medians of {ROUNDS} interleaved runs; load {os.getloadavg()[0]:.1f}")
    before = 0.0
    for name, series in rounds(cases).items():
        middle = statistics.median(series)
        print(f"{name:<44} {middle * 1000:8.1f} ms  {(middle - before) * 1000:+8.1f}")
        before = middle


def main() -> None:
    words = [word for word in sys.argv[1:] if word != "--steps"]
    inputs = words or [str(HELLO / "greeter.wasm"), str(HELLO / "app.wasm")]
    with tempfile.TemporaryDirectory() as directory:
        output = str(Path(directory) / "out.wasm")
        if "--steps" in sys.argv[1:]:
            steps(inputs, output)
            return
        times = rounds(
            {
                "bare Python": ["-c", "pass"],
                "meld --version": ["-m", "meldpy", "--version"],
                "meld fuse": ["-m", "meldpy", "fuse", *inputs, "-o", output],
                "meld fuse --no-validate": ["-m", "meldpy", "fuse", "--no-validate", *inputs, "-o", output],
            }
        )
    bare = statistics.median(times["bare Python"])
    print(f"CPU time, medians [quartiles] of {ROUNDS} interleaved runs; load {os.getloadavg()[0]:.1f}")
    for name, series in times.items():
        row(name, series, bare)
    row("the same fuse, warm, through the API", warm_seconds(inputs), bare)


if __name__ == "__main__":
    main()
