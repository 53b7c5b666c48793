"""What one call across a component boundary costs, composed and fused.

Each case is a pair of components in text: the consumer exports `run(n)`, which calls the provider n times in a loop,
so that the host's own call cost drops out.
"""

from __future__ import annotations

import wasmtime
from timing import heading, medians, row
from wasmtime import component

import meldpy
from meldpy.engine.config import base_config

CALLS = 100_000
ROUNDS = 21


def composition(types: str, func: str, memory: str, callee: str, core: str, call: str) -> str:
    """A composition: `types` are type definitions, `func` the function type, the rest is the core side.

    memory: canonical options beyond none ("" or "memory"); callee: the core function's body; core: its core type;
    call: the consumer's instructions for one call.
    """
    options = '(memory (core memory $libc "memory")) (realloc (core func $libc "realloc"))' if memory else ""
    libc = """
      (core module $Libc
        (memory (export "memory") 2)
        (func (export "realloc") (param i32 i32 i32 i32) (result i32) i32.const 32768))
      (core instance $libc (instantiate $Libc))"""
    return f"""
    (component
      (component $Provider {libc}
        {types}
        (core module $M
          (import "libc" "memory" (memory 2))
          (func (export "f") {core} {callee}))
        (core instance $m (instantiate $M (with "libc" (instance $libc))))
        (func (export "f") {func} (canon lift (core func $m "f") {options})))
      (component $Consumer
        {types}
        (import "f" (func $f {func})) {libc}
        (core func $lowered (canon lower (func $f) {options}))
        (core module $M
          (import "libc" "memory" (memory 2))
          (import "host" "f" (func $f {core}))
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


SCALARS = ("u8", "s16", "u32", "s64", "f32", "f64", "char", "bool")

CASES = {
    "u32": composition(
        "", '(param "x" u32) (result u32)', "", "local.get 0", "(param i32) (result i32)",
        "(drop (call $f (local.get $n)))",
    ),
    "8 scalars": composition(
        "",
        " ".join(f'(param "p{i}" {t})' for i, t in enumerate(SCALARS)),
        "", "", "(param i32 i32 i32 i64 f32 f64 i32 i32)",
        "(call $f (i32.const 1) (i32.const 2) (i32.const 3) (i64.const 4) (f32.const 5) (f64.const 6)"
        " (i32.const 65) (i32.const 1))",
    ),
    "string, 16 bytes": composition(
        "", '(param "x" string)', "memory", "", "(param i32 i32)", "(call $f (i32.const 0) (i32.const 16))"
    ),
    "string, 4 KiB": composition(
        "", '(param "x" string)', "memory", "", "(param i32 i32)", "(call $f (i32.const 0) (i32.const 4096))"
    ),
    "list<u32>, 1024": composition(
        "", '(param "x" (list u32))', "memory", "", "(param i32 i32)", "(call $f (i32.const 0) (i32.const 1024))"
    ),
    "list<u8>, 4096": composition(
        "", '(param "x" (list u8))', "memory", "", "(param i32 i32)", "(call $f (i32.const 0) (i32.const 4096))"
    ),
    "list<bool>, 1024": composition(
        "", '(param "x" (list bool))', "memory", "", "(param i32 i32)", "(call $f (i32.const 0) (i32.const 1024))"
    ),
}  # fmt: skip


class Running:
    """A component's `run` export, instantiated."""

    def __init__(self, engine: wasmtime.Engine, data: bytes) -> None:
        self.store = wasmtime.Store(engine)
        instance = component.Linker(engine).instantiate(self.store, component.Component(engine, data))
        func = instance.get_func(self.store, "run")
        assert func is not None
        self.func = func

    def __call__(self) -> None:
        self.func(self.store, CALLS)
        self.func.post_return(self.store)


def main() -> None:
    engine = wasmtime.Engine(base_config(optimise=True))
    heading("one call")
    for name, text in CASES.items():
        composed = bytes(wasmtime.wat2wasm(text))
        fused = meldpy.fuse([composed]).bytes
        slow, fast = medians(Running(engine, composed), Running(engine, fused), ROUNDS)
        row(name, slow / CALLS, fast / CALLS, "ns", 1e9)


if __name__ == "__main__":
    main()
