"""Core outputs: their sizes beside components, what a single memory costs the code that uses it, and instantiation.

The kernels (a sum, a sort, a copy byte by byte) run in three guests whose memories can grow. In a single memory the
first is a region with a constant base, the others can move; with --memory-max the last is the unchecked one.
"""

from __future__ import annotations

import sys
from pathlib import Path

import wasmtime
from timing import compare, heading, row
from wasmtime import component

import meldpy
from meldpy.engine.config import base_config
from meldpy.fixture import load_all
from meldpy.fixture.prove import fuse
from meldpy.pipeline import FuseOptions

GUEST = """(core module $m
  (memory (export "m") 17)
  (func (export "grow") (result i32) (memory.grow (i32.const 1)))
  (func (export "sum") (result i32) (local $i i32) (local $s i32)
    (loop $l
      (local.set $s (i32.add (local.get $s) (i32.load (local.get $i))))
      (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 4))) (i32.const 1000000))))
    local.get $s)
  (func (export "copy") (result i32) (local $i i32)
    (loop $l
      (i32.store8 (i32.add (local.get $i) (i32.const 500000)) (i32.load8_u (local.get $i)))
      (br_if $l (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 1))) (i32.const 500000))))
    local.get $i)
  (func (export "sort") (result i32) (local $i i32) (local $j i32) (local $x i32)
    (loop $fill
      (i32.store (local.get $i) (i32.mul (i32.xor (local.get $i) (i32.const 0x55)) (i32.const 2654435761)))
      (br_if $fill (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 4))) (i32.const 4000))))
    (local.set $i (i32.const 4))
    (loop $outer
      (local.set $x (i32.load (local.get $i)))
      (local.set $j (local.get $i))
      (block $done (loop $inner
        (br_if $done (i32.eqz (local.get $j)))
        (br_if $done (i32.le_u (i32.load (i32.sub (local.get $j) (i32.const 4))) (local.get $x)))
        (i32.store (local.get $j) (i32.load (i32.sub (local.get $j) (i32.const 4))))
        (local.set $j (i32.sub (local.get $j) (i32.const 4)))
        (br $inner)))
      (i32.store (local.get $j) (local.get $x))
      (br_if $outer (i32.lt_u (local.tee $i (i32.add (local.get $i) (i32.const 4))) (i32.const 4000))))
    (i32.load (i32.const 0))))
  (core instance $i (instantiate $m))"""
KERNELS = ("sum", "copy", "sort")


def guests(count: int) -> bytes:
    """A composition of that many instances of the guest, which exports `kernel-number`."""
    lifts = "".join(
        f'(func (export "{name}") (result u32) (canon lift (core func $i "{name}")))' for name in (*KERNELS, "grow")
    )
    instances = "".join(f"(instance $g{i} (instantiate $guest))" for i in range(count))
    exports = "".join(
        f'(export "{name}-{chr(97 + i)}" (func $g{i} "{name}"))' for i in range(count) for name in (*KERNELS, "grow")
    )
    return bytes(wasmtime.wat2wasm(f"(component (component $guest {GUEST} {lifts}) {instances} {exports})"))


class Kernel:
    """A call of an export without parameters, of a component or of a core module."""

    def __init__(self, engine: wasmtime.Engine, data: bytes, name: str) -> None:
        self.store = wasmtime.Store(engine)
        if data[4:8] == b"\1\0\0\0":
            instance = wasmtime.Instance(self.store, wasmtime.Module(engine, data), [])
            self.func = instance.exports(self.store)[name]
        else:
            linker = component.Linker(engine)
            found = linker.instantiate(self.store, component.Component(engine, data))
            self.func = found.get_func(self.store, name)

    def __call__(self) -> None:
        self.func(self.store)


class Starting:
    """Instantiates what is compiled already in a fresh store."""

    def __init__(self, engine: wasmtime.Engine, data: bytes) -> None:
        self.engine = engine
        self.module = wasmtime.Module(engine, data) if data[4:8] == b"\1\0\0\0" else None
        self.component = None if self.module is not None else component.Component(engine, data)

    def __call__(self) -> None:
        store = wasmtime.Store(self.engine)
        if self.module is not None:
            wasmtime.Instance(store, self.module, [])
        else:
            component.Linker(self.engine).instantiate(store, self.component)


def sizes() -> None:
    """Bytes of all committed fixtures that fuse, in each form."""
    totals = [0, 0, 0]
    for fixture in load_all(Path(__file__).parents[1] / "fixtures"):
        if fixture.needs_build:
            continue
        try:
            forms = [
                len(fuse(fixture, fixture.forms[0], options=FuseOptions(core=core, memory=memory)).bytes)
                for core, memory in ((False, "separate"), (True, "separate"), (True, "single"))
            ]
        except meldpy.errors.MeldError:
            continue
        totals = [total + size for total, size in zip(totals, forms, strict=True)]
    whole, core, single = totals
    print(f"bytes of all fixtures: component {whole}, core {core} ({core / whole:.3f}),", end=" ")
    print(f"single memory {single} ({single / whole:.3f})")


def main() -> None:
    chosen = sys.argv[1:]
    engine = wasmtime.Engine(base_config(optimise=True))
    if not chosen or "sizes" in chosen:
        sizes()
    composed = guests(3)
    single = meldpy.fuse([composed], FuseOptions(core=True, memory="single")).bytes
    names = memory_names(composed)
    roomy = FuseOptions(core=True, memory="single", memory_max=tuple(f"{name}=32" for name in names[:2]))
    given = meldpy.fuse([composed], roomy).bytes
    if not chosen or "kernels" in chosen:
        heading("kernels", "single", "composed")
        for name in KERNELS:
            for guest, what in (("a", "constant base"), ("c", "can move")):
                export = f"{name}-{guest}"
                found = compare(Kernel(engine, single, export), Kernel(engine, composed, export))
                row(f"{name}, {what}", found, "µs", 1e6)
            for guest, what in (("a", "constant base, room given"), ("c", "unchecked, the last")):
                export = f"{name}-{guest}"
                found = compare(Kernel(engine, given, export), Kernel(engine, composed, export))
                row(f"{name}, {what}", found, "µs", 1e6)
    if not chosen or "start" in chosen:
        heading("instantiation of ten components", "composed", "core")
        ten = guests(10)
        forms = {
            "core output": meldpy.fuse([ten], FuseOptions(core=True)).bytes,
            "core output, single memory": meldpy.fuse([ten], FuseOptions(core=True, memory="single")).bytes,
            "a module of one memory": bytes(wasmtime.wat2wasm("(module (memory 170))")),
        }
        for what, data in forms.items():
            row(what, compare(Starting(engine, ten), Starting(engine, data), 51), "µs", 1e6)


def memory_names(composed: bytes) -> list[str]:
    """What --memory-max calls the memories: a wrong name is answered with the right ones."""
    try:
        meldpy.fuse([composed], FuseOptions(core=True, memory="single", memory_max=("?=1",)))
    except meldpy.errors.UsageError as error:
        return (error.remedy or "").removeprefix("there are: ").split(", ")
    raise AssertionError("no memory is called ?")


if __name__ == "__main__":
    main()
