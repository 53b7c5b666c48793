"""How long the `meld` command itself takes: CPU time of whole processes, with byte code cached.

Beside the shipped pair any inputs can be timed: `python benchmarks/fusing.py A.wasm B.wasm`. Every row is compared
with bare Python.
"""

from __future__ import annotations

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
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


def main() -> None:
    inputs = sys.argv[1:] or [str(HELLO / "greeter.wasm"), str(HELLO / "app.wasm")]
    with tempfile.TemporaryDirectory() as directory:
        output = str(Path(directory) / "out.wasm")
        cases = {
            "bare Python": ["-c", "pass"],
            "meld --version": ["-m", "meldpy", "--version"],
            "meld fuse": ["-m", "meldpy", "fuse", *inputs, "-o", output],
            "meld fuse --no-validate": ["-m", "meldpy", "fuse", "--no-validate", *inputs, "-o", output],
        }
        times: dict[str, list[float]] = {name: [] for name in cases}
        for arguments in cases.values():
            cpu_seconds(arguments)
        for _ in range(ROUNDS):
            for name, arguments in cases.items():
                times[name].append(cpu_seconds(arguments))
    bare = statistics.median(times["bare Python"])
    print(f"CPU time, medians [quartiles] of {ROUNDS} interleaved runs; load {os.getloadavg()[0]:.1f}")
    for name, series in times.items():
        row(name, series, bare)
    row("the same fuse, warm, through the API", warm_seconds(inputs), bare)


if __name__ == "__main__":
    main()
