"""Two components in text, a consumer that calls a provider, and how to run what the consumer exports.

The consumer exports `run(n)`, which calls the provider n times in a loop, so that the host's own call cost drops out.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from functools import cache

import wasmtime
from timing import ROUNDS, Comparison, compare, row
from wasmtime import component

import meldpy
from meldpy.engine.calls import call
from meldpy.engine.config import base_config
from meldpy.engine.worldtext import is_async

TEXT_AT = 1024
"""Where both guests' memories hold the case's data; `realloc` always returns the start of the second page."""


def composition(
    func: str,
    core: str,
    call: str,
    *,
    callee: str = "",
    data: bytes = b"",
    memory: bool = True,
    encodings: tuple[str, str] = ("utf8", "utf8"),
    lowered: str = "",
) -> str:
    """A composition.

    func: the function type; core: its core type, lowered: the consumer's if that differs; callee: the core function's
    body; call: the consumer's instructions for one call; data: at TEXT_AT in both memories; encodings: the consumer's
    and the provider's.
    """
    literal = "".join(f"\\{byte:02x}" for byte in data)
    libc = f"""
      (core module $Libc
        (memory (export "memory") 4)
        (data (i32.const {TEXT_AT}) "{literal}")
        (func (export "realloc") (param i32 i32 i32 i32) (result i32) i32.const 65536))
      (core instance $libc (instantiate $Libc))"""
    options = '(memory (core memory $libc "memory")) (realloc (core func $libc "realloc"))' if memory else ""
    caller, called = (f"string-encoding={each} {options}" if memory else "" for each in encodings)
    return f"""
    (component
      (component $Provider {libc}
        (core module $M
          (import "libc" "memory" (memory 4))
          (func (export "f") {core} {callee}))
        (core instance $m (instantiate $M (with "libc" (instance $libc))))
        (func (export "f") {func} (canon lift (core func $m "f") {called})))
      (component $Consumer
        (import "f" (func $f {func})) {libc}
        (core func $lowered (canon lower (func $f) {caller}))
        (core module $M
          (import "libc" "memory" (memory 4))
          (import "host" "f" (func $f {lowered or core}))
          (func (export "run") (param $n i32)
            (loop $again
              {call}
              (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))))
        (core instance $m (instantiate $M (with "libc" (instance $libc))
          (with "host" (instance (export "f" (func $lowered))))))
        (func (export "run") (param "n" u32) (canon lift (core func $m "run"))))
      (instance $p (instantiate $Provider))
      (instance $c (instantiate $Consumer (with "f" (func $p "f"))))
      (export "run" (func $c "run")))"""


class Running:
    """A component's `run` export, instantiated."""

    def __init__(self, engine: wasmtime.Engine, data: bytes, calls: int) -> None:
        self.store = wasmtime.Store(engine)
        instance = component.Linker(engine).instantiate(self.store, component.Component(engine, data))
        func = instance.get_func(self.store, "run")
        assert func is not None
        self.func = func
        self.async_ = is_async(func.type(self.store))
        self.calls = calls

    def __call__(self) -> None:
        call(self.func, self.store, [self.calls])
        if not self.async_:
            self.func.post_return(self.store)


class Fresh:
    """A run in an instance that nobody has used, each time; they are made beforehand.

    The engine keeps something of every call of a callback lift until its store goes.
    """

    def __init__(self, engine: wasmtime.Engine, data: bytes, calls: int, count: int) -> None:
        self.left = [Running(engine, data, calls) for _ in range(count)]

    def __call__(self) -> None:
        self.left.pop()()


@cache
def engine() -> wasmtime.Engine:
    return wasmtime.Engine(base_config(optimise=True))


SECONDS = 0.004
"""About how long one run of many calls takes."""


def measure(text: str, *, optimise: bool = False) -> tuple[Comparison, int]:
    """One composition beside its fused form; how many calls a run makes."""
    composed = bytes(wasmtime.wat2wasm(text))
    fused = meldpy.fuse([composed], meldpy.FuseOptions(optimise=optimise)).bytes
    first, second = Running(engine(), composed, 1000), Running(engine(), fused, 1000)
    first()
    began = time.perf_counter()
    first()
    first.calls = second.calls = max(1000, int(1000 * SECONDS / (time.perf_counter() - began)))
    return compare(first, second), first.calls


def measure_fresh(text: str, calls: int) -> Comparison:
    """One composition beside its fused form, so many calls in each run, each run in an instance of its own."""
    composed = bytes(wasmtime.wat2wasm(text))
    fused = meldpy.fuse([composed]).bytes
    first, second = (Fresh(engine(), form, calls, ROUNDS + 1) for form in (composed, fused))
    return compare(first, second)


def rows(cases: Iterable[tuple[str, str]], *, optimise: bool = False) -> None:
    """One row for each named composition, in ns a call. optimise: fused with -O."""
    for name, text in cases:
        found, calls = measure(text, optimise=optimise)
        row(name, found, "ns", 1e9 / calls)
