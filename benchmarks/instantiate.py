"""How long it takes to create an instance and drop it, composed and fused: what each request costs under a server.

Rows: a small pair, with 16 MB of constant data too; chains of guests that look like what compilers emit (a memory with
two data segments, a table of a hundred functions or more) behind one that calls the host with a string. Each with the
engine's default allocator and with its pooling one. Words on the command line are fixtures to measure instead; imports
of theirs are never called.
"""

from __future__ import annotations

import sys
from pathlib import Path

import wasmtime
from timing import compare, heading, row
from wasmtime import _ffi, component

import meldpy
from meldpy.engine.config import base_config
from meldpy.fixture import load
from meldpy.fixture.files import inside

MEGABYTES = 16
ROUNDS = 51


def constant_data(pages: int, data: bytes) -> str:
    """A consumer and a provider with `pages` pages of memory, initialised with `data` by one constant segment."""
    text = "".join(f"\\{byte:02x}" for byte in data)
    return f"""
    (component
      (component $Provider
        (core module $M
          (memory (export "memory") {pages})
          (data (i32.const 0) "{text}")
          (func (export "f") (param i32) (result i32) (i32.load8_u (local.get 0))))
        (core instance $m (instantiate $M))
        (func (export "f") (param "at" u32) (result u32) (canon lift (core func $m "f"))))
      (component $Consumer
        (import "f" (func $f (param "at" u32) (result u32)))
        (core func $lowered (canon lower (func $f)))
        (core module $M
          (import "host" "f" (func $f (param i32) (result i32)))
          (func (export "run") (result i32) (call $f (i32.const 1))))
        (core instance $m (instantiate $M (with "host" (instance (export "f" (func $lowered))))))
        (func (export "run") (result u32) (canon lift (core func $m "run"))))
      (instance $p (instantiate $Provider))
      (instance $c (instantiate $Consumer (with "f" (func $p "f"))))
      (export "run" (func $c "run")))"""


def guest(elements: int) -> str:
    """A core module as compilers make them; `f` is the import that it forwards."""
    table = " ".join(["$plain"] * elements)
    return f"""
        (core module $M
          (import "next" "f" (func $next (param i32) (result i32)))
          (memory (export "memory") 17)
          (global $sp (mut i32) (i32.const 1048576))
          (data (i32.const 1048576) "{"constant " * 400}")
          (data (i32.const 1056768) "{"variable " * 20}")
          (table (export "table") {elements + 1} {elements + 1} funcref)
          (elem (i32.const 1) func {table})
          (func $plain (param i32) (result i32) (i32.add (local.get 0) (i32.const 1)))
          (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 64))
          (func (export "f") (param i32) (result i32)
            (call_indirect (param i32) (result i32) (call $next (local.get 0)) (i32.const 1))))"""


def chain(guests: int, elements: int = 100) -> str:
    """So many guests in a row, the last of which calls the host with a string's memory in its options."""
    first = """
      (component $First
        (import "log" (func $log (param "text" string)))
        (core module $Memory (memory (export "memory") 2)
          (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 64)))
        (core instance $memory (instantiate $Memory))
        (core func $lowered (canon lower (func $log) (memory (core memory $memory "memory"))))
        (core module $Log (import "host" "log" (func $log (param i32 i32)))
          (func (export "f") (param i32) (result i32)
            (if (i32.eqz (local.get 0)) (then (call $log (i32.const 0) (i32.const 8)))) (local.get 0)))
        (core instance $l (instantiate $Log (with "host" (instance (export "log" (func $lowered))))))
        (func (export "f") (param "at" u32) (result u32) (canon lift (core func $l "f"))))
      (instance $i0 (instantiate $First (with "log" (func $log))))"""
    rest = "".join(
        f"""
      (component $C{i}
        (import "f" (func $f (param "at" u32) (result u32)))
        (core func $lowered (canon lower (func $f)))
        {guest(elements)}
        (core instance $m (instantiate $M (with "next" (instance (export "f" (func $lowered))))))
        (func (export "f") (param "at" u32) (result u32) (canon lift (core func $m "f"))))
      (instance $i{i} (instantiate $C{i} (with "f" (func $i{i - 1} "f"))))"""
        for i in range(1, guests + 1)
    )
    return f"""(component (import "log" (func $log (param "text" string))) {first} {rest}
      (export "f" (func $i{guests} "f")))"""


class Starting:
    """Instantiates a compiled component in a fresh store, and drops both."""

    def __init__(self, engine: wasmtime.Engine, data: bytes) -> None:
        self.engine = engine
        self.compiled = component.Component(engine, data)
        self.linker = component.Linker(engine)
        self.linker.define_unknown_imports_as_traps(self.compiled)

    def __call__(self) -> None:
        store = wasmtime.Store(self.engine)
        self.linker.instantiate(store, self.compiled)
        store.close()


def engine_of(pooling: bool) -> wasmtime.Engine:
    config = base_config(optimise=True)
    if pooling:
        pool = _ffi.wasmtime_pooling_allocation_config_new()
        _ffi.wasmtime_pooling_allocation_strategy_set(config.ptr(), pool)
        _ffi.wasmtime_pooling_allocation_config_delete(pool)
    return wasmtime.Engine(config)


def made() -> dict[str, bytes]:
    """Compositions written here, by name."""
    texts = {
        "two small modules": constant_data(1, b"\1\2\3"),
        f"{MEGABYTES} MB of data": constant_data(MEGABYTES * 16, bytes(range(256)) * (MEGABYTES << 12)),
        "a guest, and the host": chain(1),
        "two guests, and the host": chain(2),
        "three": chain(3),
        "ten": chain(10),
        "two, with tables of 2,000 functions": chain(2, 2000),
    }
    return {name: bytes(wasmtime.wat2wasm(text)) for name, text in texts.items()}


def main() -> None:
    folder = Path(__file__).parents[1] / "fixtures"
    rows = {name: inside(load(folder / name)) for name in sys.argv[1:]} or made()
    forms = {name: (composed, meldpy.fuse([composed]).bytes) for name, composed in rows.items()}
    for pooling in (False, True):
        heading(f"create and drop, {'pooling' if pooling else 'default'} allocator")
        engine = engine_of(pooling)
        for name, (composed, fused) in forms.items():
            if pooling and name.endswith("MB of data"):
                continue  # a pool's memories have 10 MB
            row(name, compare(Starting(engine, composed), Starting(engine, fused), ROUNDS), "µs", 1e6)


if __name__ == "__main__":
    main()
