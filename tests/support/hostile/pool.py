"""Worker processes, reused from case to case, and a watchdog that ends the one whose case takes too much.

Every violation leaves its inputs in a folder, with what was found beside them.
"""

from __future__ import annotations

import json
import os
import selectors
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from tests.support.hostile.judge import MEMORY, SECONDS
from tests.support.hostile.worker import keep

ROOT = Path(__file__).resolve().parents[3]
BATCH = 250
"""Cases per order; a worker is replaced after `_ORDERS` of them, so that what piles up in it does not count."""
_ORDERS = 20
_PATIENCE = 6 * SECONDS
"""Seconds by the clock without any use of the processor after which a worker hangs. Others may have it for long."""
_MAKING = 100
"""Seconds of processor time that making the next case may take; the first one loads the corpus."""
_TICK = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


_PROGRAM = ("-m", "tests.support.hostile.worker")


class Process:
    """One worker."""

    def __init__(self, place: Path, findings: Path, program: Sequence[str] = _PROGRAM) -> None:
        self.directory, self.findings = place, findings
        command = [sys.executable, *program, str(place), str(findings)]
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore"}
        self.process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        self.orders = 0

    def order(self, seed: str, generated: int, numbers: Sequence[int]) -> Iterator[dict[str, Any]]:
        """Runs cases; yields their answers. A worker that dies or is ended answers for its case, and the rest is lost.

        Whoever reads on then orders the rest from another worker.
        """
        assert self.process.stdin is not None
        line = json.dumps({"seed": seed, "generated": generated, "numbers": list(numbers)}) + "\n"
        self.process.stdin.write(line.encode())
        self.process.stdin.flush()
        self.orders += 1
        begun: dict[str, Any] = {}
        for answer in self._lines():
            if "begins" in answer:
                begun = answer
            elif "number" in answer:
                begun = {}
                yield answer
            elif "done" in answer:
                return
            else:
                if not begun:
                    raise RuntimeError(f"a worker failed outside of a case: {answer} {self._native()}")
                text = f"{answer['ended']}; {self._native()}"
                answer = {
                    "seed": seed, "number": begun["begins"], "mutator": begun["mutator"], "command": begun["command"],
                    "base": "", "stage": "read", "code": -1, "error": "", "seconds": answer["seconds"],
                    "peak": answer["peak"], "violations": [text], "known": None,
                }  # fmt: skip
                keep(self.findings, answer, [path.read_bytes() for path in sorted(self.directory.glob("in*.wasm"))])
                yield answer
                return

    def _native(self) -> str:
        path = self.directory.with_suffix(".native")
        return path.read_text(errors="replace")[-1500:] if path.exists() else ""

    def _lines(self) -> Iterator[dict[str, Any]]:
        """What the worker says; its end, by itself or by the watchdog, is {"ended", "seconds", "peak"}."""
        assert self.process.stdout is not None
        stream, rest = self.process.stdout.fileno(), b""
        running, used, peak = False, self._cpu(), 0
        moved, last = time.monotonic(), used
        with selectors.DefaultSelector() as selector:
            selector.register(stream, selectors.EVENT_READ)
            while True:
                ready = selector.select(0.1)
                if ready:
                    data = os.read(stream, 65536)
                    if not data:
                        code = self.process.wait()
                        yield {"ended": f"the process died with {code}", "seconds": 0.0, "peak": peak}
                        return
                    *lines, rest = (rest + data).split(b"\n")
                    for line in lines:
                        answer = json.loads(line)
                        running = "begins" in answer
                        used, peak = self._cpu(), 0
                        moved, last = time.monotonic(), used
                        yield answer
                    continue
                now = self._cpu()
                if now > last:
                    moved, last = time.monotonic(), now
                seconds, peak = now - used, max(peak, self._resident())
                hangs = time.monotonic() - moved > _PATIENCE
                if not running and (seconds > _MAKING or hangs):
                    self.end()
                    yield {"failed": f"no case was made in {seconds:.0f} s of processor time"}
                elif running and (seconds > SECONDS or peak > MEMORY or hangs):
                    self.end()
                    what = f"ended after {seconds:.1f} s of processor time, with {peak >> 20} MiB"
                    yield {"ended": what, "seconds": seconds, "peak": peak}
                    return

    def _cpu(self) -> float:
        try:
            fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            return 0.0
        return (int(fields[11]) + int(fields[12])) / _TICK

    def _resident(self) -> int:
        try:
            return int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]) * _PAGE
        except (OSError, IndexError):
            return 0

    def end(self) -> None:
        self.process.kill()
        self.process.wait()

    def close(self) -> None:
        for stream in (self.process.stdin, self.process.stdout):
            if stream is not None:
                stream.close()
        self.process.kill()
        self.process.wait()


class Pool:
    """One worker at a time; several pools make several. Findings go to `findings`."""

    def __init__(self, findings: Path) -> None:
        self.findings = findings
        memory = Path("/dev/shm")
        self._place = Path(tempfile.mkdtemp(prefix="meld-hostile-", dir=memory if memory.is_dir() else None))
        self._process: Process | None = None
        self._started = 0

    def __enter__(self) -> Pool:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self._replace()
        shutil.rmtree(self._place)

    def _replace(self) -> None:
        if self._process is not None:
            self._process.close()
            self._process = None

    def _worker(self) -> Process:
        if self._process is not None and (self._process.orders >= _ORDERS or self._process.process.poll() is not None):
            self._replace()
        if self._process is None:
            self._started += 1
            self._process = Process(self._place / f"worker{self._started}", self.findings)
        return self._process

    def run(self, seed: str, generated: int, numbers: Sequence[int]) -> Iterator[dict[str, Any]]:
        """The answers of all cases, in order."""
        pending = list(numbers)
        while pending:
            worker = self._worker()
            for answer in worker.order(seed, generated, pending[:BATCH]):
                assert pending[0] == answer["number"]
                del pending[0]
                yield answer
