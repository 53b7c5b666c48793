"""How long instantiation takes, composed and fused, and what 16 MB of constant data adds to it."""

from __future__ import annotations

import wasmtime
from timing import compare, heading, row
from wasmtime import component

import meldpy
from meldpy.engine.config import base_config

MEGABYTES = 16
ROUNDS = 51


def composition(pages: int, data: bytes) -> str:
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


class Starting:
    """Instantiates a compiled component in a fresh store."""

    def __init__(self, engine: wasmtime.Engine, data: bytes) -> None:
        self.engine = engine
        self.compiled = component.Component(engine, data)
        self.linker = component.Linker(engine)

    def __call__(self) -> None:
        self.linker.instantiate(wasmtime.Store(self.engine), self.compiled)


def main() -> None:
    engine = wasmtime.Engine(base_config(optimise=True))
    heading("instantiation")
    for name, pages, data in (
        ("small", 1, b"\1\2\3"),
        (f"{MEGABYTES} MB of data", MEGABYTES * 16, bytes(range(256)) * (MEGABYTES << 12)),
    ):
        composed = bytes(wasmtime.wat2wasm(composition(pages, data)))
        fused = meldpy.fuse([composed]).bytes
        row(name, compare(Starting(engine, composed), Starting(engine, fused), ROUNDS), "µs", 1e6)


if __name__ == "__main__":
    main()
