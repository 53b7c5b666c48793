"""Native modules for tests, compiled once a run: `library("misbehave")` is the path of `misbehave.c` as a module.

`Recorder` stands for the host's services: it answers from memory and keeps what it was asked.
"""

from __future__ import annotations

import functools
import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from meldpy.host.faults import Denied
from meldpy.host.limits import Grants, Limits
from meldpy.host.module import Level, Services
from meldpy.host.native import NativeInstance, NativeOptions
from meldpy.host.native.worker import abi

SDK = Path(abi.__file__).parents[2] / "sdk"
HERE = Path(__file__).parent
EVERYTHING = Grants(log=True, kv=True, clock=True, jobs=True, publish=("*",), send=("*",))


@functools.cache
def folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="meld-native-")


@functools.cache
def library(name: str, *flags: str, compiler: str = "gcc", source: Path | None = None) -> Path:
    """The module made of `NAME.c` in this folder (or of `source`)."""
    source = source or HERE / f"{name}.c"
    out = Path(folder().name) / f"lib{name}-{len(os.listdir(folder().name))}.so"
    common = ["-std=c11", "-D_GNU_SOURCE", "-O1", "-g", "-shared", "-fPIC", "-fvisibility=hidden", "-pthread"]
    subprocess.run([compiler, *common, *flags, "-I", SDK / "c", source, "-o", out], check=True)
    return out


class Recorder(Services):
    """Services without a host behind them."""

    def __init__(self) -> None:
        self.lines: list[tuple[Level, str]] = []
        self.said: list[tuple[object, ...]] = []
        self.keys: dict[str, bytes] = {}
        self.kept: bytes | None = None
        self.cancelled = False
        self.denied = False

    def _note(self, *what: object) -> None:
        if self.denied:
            raise Denied("not granted")
        self.said.append(what)

    def log(self, level: Level, text: str) -> None:
        self.lines.append((level, text))

    def publish(self, topic: str, payload: bytes) -> None:
        self._note("publish", topic, payload)

    def send(self, to: str, topic: str, payload: bytes) -> None:
        self._note("send", to, topic, payload)

    def request(self, to: str, topic: str, payload: bytes, timeout: float) -> bytes:
        self._note("request", to, topic, payload, timeout)
        return payload[::-1]

    def report_progress(self, done: int, total: int, text: str) -> None:
        self._note("progress", done, total, text)

    def checkpoint(self, data: bytes) -> None:
        self._note("checkpoint", data)
        self.kept = data

    def last_checkpoint(self) -> bytes | None:
        return self.kept

    def is_cancelled(self) -> bool:
        return self.cancelled

    def log_line(self, text: str) -> None:
        self._note("line", text)

    def metric(self, name: str, value: float) -> None:
        self._note("metric", name, value)

    def kv_get(self, key: str) -> bytes | None:
        return self.keys.get(key)

    def kv_set(self, key: str, value: bytes) -> None:
        self._note("set", key, value)
        self.keys[key] = value

    def kv_delete(self, key: str) -> None:
        self.keys.pop(key, None)

    def kv_keys(self, prefix: str) -> tuple[str, ...]:
        return tuple(sorted(key for key in self.keys if key.startswith(prefix)))

    def now(self) -> int:
        return 0

    def monotonic(self) -> int:
        return 0


@contextmanager
def running(
    path: Path,
    services: Services | None = None,
    limits: Limits | None = None,
    grants: Grants = EVERYTHING,
    options: NativeOptions | None = None,
    config: str = "{}",
) -> Iterator[NativeInstance]:
    """An initialized module, closed at the end."""
    instance = NativeInstance(
        path, services or Recorder(), limits or Limits(deadline=5.0), grants, options or NativeOptions()
    )
    try:
        instance.initialize(config)
        yield instance
    finally:
        instance.close()
