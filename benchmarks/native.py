"""What a native module costs: a call, payloads each way, a call of the host, the start of a worker.

Wall-clock time (two processes take part), medians with the 90th percentile; beside each the same work without the
process in between, the library called by ctypes in this one. Needs gcc.
"""

from __future__ import annotations

import ctypes
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from meldpy.host.limits import Grants, Limits
from meldpy.host.native import NativeInstance
from meldpy.host.native.worker import abi
from tests.support.native import EVERYTHING, Recorder, library

KIB, MIB = 1 << 10, 1 << 20


def timed(action: Callable[[], object], rounds: int) -> tuple[float, float]:
    """Median and 90th percentile, in microseconds."""
    for _ in range(max(3, rounds // 20)):
        action()
    times = []
    for _ in range(rounds):
        began = time.perf_counter()
        action()
        times.append((time.perf_counter() - began) * 1e6)
    return statistics.median(times), statistics.quantiles(times, n=10)[8]


def direct(path: Path) -> Callable[[bytes], bytes]:
    """`echo` of the same library in this process, with the same table."""
    loaded = ctypes.CDLL(str(path))
    loaded.meld_module_entry.restype = ctypes.POINTER(abi.Module)
    table = loaded.meld_module_entry(abi.MAJOR, abi.MINOR, ctypes.byref(ctypes.c_char_p())).contents
    log = abi.Log(lambda ctx, level, text: None)
    nothing = abi.Extension(lambda ctx, name: None)
    host = abi.Host(abi.head(abi.Host), None, log, nothing)
    handle = ctypes.c_void_p()
    table.create(ctypes.byref(host), abi.Bytes(None, 0), ctypes.byref(handle), None)
    command = ctypes.create_string_buffer(b"echo")
    lent = abi.Bytes(ctypes.addressof(command), 4)

    def echo(payload: bytes) -> bytes:
        out = abi.Owned()
        table.execute(handle, lent, abi.Bytes(ctypes.cast(payload, ctypes.c_void_p).value, len(payload)), out, None)
        result = ctypes.string_at(out.ptr, out.len)
        abi.Drop(out.drop)(out.ctx)
        return result

    echo.keep = (host, log, nothing, loaded, command)  # type: ignore[attr-defined]
    return echo


def line(name: str, found: tuple[float, float], beside: tuple[float, float] | None = None) -> None:
    more = "" if beside is None else f"{beside[0]:14.1f} µs {found[0] / beside[0]:8.1f} x"
    print(f"{name:<40} {found[0]:10.1f} µs  (90 %: {found[1]:9.1f}){more}", flush=True)


def main() -> None:
    path, asker = library("misbehave", "-O2"), library("asker", "-O2")
    limits = Limits(deadline=60)
    print(f"{'':<40} {'median':>13} {'':>19}{'in process':>17} {'ratio':>10}   load {os.getloadavg()[0]:.1f}")
    echo = direct(path)
    with_worker = NativeInstance(path, Recorder(), limits, EVERYTHING)
    with_worker.initialize("{}")
    for size, rounds in ((0, 2000), (KIB, 2000), (64 * KIB, 1000), (MIB, 200)):
        payload = bytes(size)
        name = f"{size // KIB} KiB each way" if size else "call of nothing"
        found = timed(lambda payload=payload: with_worker.execute("echo", payload), rounds)  # type: ignore[misc]
        line(name, found, timed(lambda payload=payload: echo(payload), rounds))  # type: ignore[misc]
    payload = bytes(MIB)
    line("1 MiB in, by reference; 6 bytes out", timed(lambda: with_worker.execute("static", payload), 300))
    line("heartbeat", timed(lambda: with_worker.beat(5), 1000))
    with_worker.close()
    asking = NativeInstance(asker, Recorder(), limits, EVERYTHING)
    asking.initialize("{}")
    line("call that asks the host once", timed(lambda: asking.execute("missing", b""), 1000))
    asking.close()

    def start() -> None:
        instance = NativeInstance(path, Recorder(), limits, Grants())
        instance.initialize("{}")
        instance.close()

    line("start of a worker to its end", timed(start, 100))
    line("a bare `python -I -S -c pass`", timed(lambda: subprocess.run([sys.executable, "-I", "-S", "-c", ""]), 100))
    many = [NativeInstance(path, Recorder(), limits, Grants()) for _ in range(20)]
    own = [private(each.process_id) for each in many]
    for each in many:
        each.close()
    print(f"{'memory of a worker, its own':<40} {statistics.median(own) / KIB:10.0f} KiB")


def private(process: int) -> int:
    """Bytes that no other process shares."""
    lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
    return sum(int(each.split()[1]) * KIB for each in lines if each.startswith("Private_"))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory():
        main()
