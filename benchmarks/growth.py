"""How the time and the size of a fuse grow: with bytes of code, components, call sites, and the size of a type.

Each row doubles what grows. "growth" is how much longer the last doubling took: 2 is linear. `--plot FILE` writes the
points as SVG.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import wasmtime

import meldpy

Made = list[meldpy.FuseInput]


def inputs(texts: Sequence[str]) -> Made:
    return [meldpy.FuseInput(f"c{i}", f"c{i}", bytes(wasmtime.wat2wasm(text))) for i, text in enumerate(texts)]


def link(number: int, body: str = "") -> str:
    """A component that calls the one before it."""
    if number == 0:
        imports = instance = called = ""
        call = "(call $more) local.get 0" if body else "local.get 0"
    else:
        imports = f"""
          (import "demo:x/i{number - 1}" (instance $d (export "f" (func (param "x" u32) (result u32)))))
          (alias export $d "f" (func $f)) (core func $l (canon lower (func $f)))"""
        instance, called = (
            '(with "" (instance (export "f" (func $l))))',
            '(import "" "f" (func $g (param i32) (result i32)))',
        )
        call = "(call $g (local.get 0))"
    return f"""(component {imports}
      (core module $M {called} {body} (func (export "f") (param i32) (result i32) {call}))
      (core instance $m (instantiate $M {instance}))
      (func $h (param "x" u32) (result u32) (canon lift (core func $m "f")))
      (instance $e (export "f" (func $h)))
      (export "demo:x/i{number}" (instance $e)))"""


def chain(count: int) -> Made:
    return inputs([link(i) for i in range(count)])


def code(kilobytes: int) -> Made:
    """A chain of two whose first module has so much code that something reaches."""
    body = f"(func $more {'(drop (i32.add (i32.const 1000) (i32.const 2000)))' * 100 * kilobytes})"
    return inputs([link(0, body), link(1)])


def sites(count: int) -> Made:
    """A consumer that lowers and calls one function many times."""
    lowers = "".join(f"(core func $l{i} (canon lower (func $f)))" for i in range(count))
    imports = "".join(f'(import "" "{i}" (func $g{i} (param i32) (result i32)))' for i in range(count))
    calls = "".join(f"(drop (call $g{i} (local.get 0)))" for i in range(count))
    exports = "".join(f'(export "{i}" (func $l{i}))' for i in range(count))
    consumer = f"""(component
      (import "f" (func $f (param "x" u8) (result u8))) {lowers}
      (core module $M {imports} (func (export "run") (param i32) {calls}))
      (core instance $m (instantiate $M (with "" (instance {exports}))))
      (func (export "run") (param "x" u8) (canon lift (core func $m "run"))))"""
    provider = """(component
      (core module $M (func (export "f") (param i32) (result i32) local.get 0))
      (core instance $m (instantiate $M))
      (func (export "f") (param "x" u8) (result u8) (canon lift (core func $m "f"))))"""
    return inputs([provider, consumer])


def fields(count: int) -> Made:
    """A record of so many fields, in a list."""
    record = "(record " + " ".join(f'(field "f{i}" {"bool" if i % 2 else "u64"})' for i in range(count)) + ")"
    allocator = """(memory (export "m") 1)
      (func (export "r") (param i32 i32 i32 i32) (result i32) i32.const 0)"""
    options = '(memory (core memory $m "m")) (realloc (core func $m "r"))'
    func = '(func (param "x" (list $r)))'
    provider = f"""(component
      (type $t {record}) (export $r "r" (type $t))
      (core module $M {allocator} (func (export "f") (param i32 i32)))
      (core instance $m (instantiate $M))
      (func (export "f") (param "x" (list $r)) (canon lift (core func $m "f") {options})))"""
    consumer = f"""(component
      (type $t {record}) (import "r" (type $r (eq $t)))
      (import "f" {func.replace("(func ", "(func $f ")})
      (core module $L {allocator}) (core instance $m (instantiate $L))
      (core func $l (canon lower (func $f) {options}))
      (core module $M (import "" "f" (func $g (param i32 i32)))
        (func (export "run") (call $g (i32.const 0) (i32.const 1))))
      (core instance $c (instantiate $M (with "" (instance (export "f" (func $l))))))
      (func (export "run") (canon lift (core func $c "run"))))"""
    return inputs([provider, consumer])


SERIES: dict[str, tuple[Callable[[int], Made], Sequence[int]]] = {
    "kB of code": (code, (64, 128, 256, 512)),
    "components": (chain, (2, 125, 250, 500, 1000)),
    "call sites": (sites, (1250, 2500, 5000, 10_000)),
    "fields of a record": (fields, (125, 250, 500, 1000)),
}


def seconds(made: Made) -> tuple[float, int, int]:
    """The best of three fuses, the bytes given, and the bytes made."""
    times, size = [], 0
    for _ in range(3):
        began = time.thread_time()
        size = len(meldpy.fuse(made).bytes)
        times.append(time.thread_time() - began)
    return min(times), sum(len(item.data) for item in made), size


def plot(points: dict[str, list[tuple[int, float]]]) -> str:
    """One line for each series, both axes from 0 to the largest."""
    lines = []
    for number, (name, series) in enumerate(points.items()):
        most, longest = series[-1][0], max(t for _, t in series)
        path = " ".join(f"{20 + 360 * n / most:.0f},{280 - 260 * t / longest:.0f}" for n, t in series)
        color = ("#06c", "#c60", "#083", "#909")[number % 4]
        lines.append(f'<polyline points="{path}" fill="none" stroke="{color}"/>')
        lines.append(f'<text x="30" y="{20 + 16 * number}" fill="{color}">{name}, to {most}: {longest:.2f} s</text>')
    return f'<svg xmlns="http://www.w3.org/2000/svg" width="400" height="300" font-size="12">{"".join(lines)}</svg>\n'


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--plot", type=Path, help="write an SVG")
    parser.add_argument("series", nargs="*", help="only these")
    arguments = parser.parse_args()
    points: dict[str, list[tuple[int, float]]] = {}
    for name, (make, amounts) in SERIES.items():
        if arguments.series and name not in arguments.series:
            continue
        before = None
        for amount in amounts:
            took, given, made = seconds(make(amount))
            growth = "" if before is None else f"growth {took / before:.2f}"
            print(f"{name:<20} {amount:>6} {took:8.3f} s   {given:>9} bytes in {made:>9} out   {growth}", flush=True)
            points.setdefault(name, []).append((amount, took))
            before = took
    if arguments.plot:
        arguments.plot.write_text(plot(points))


if __name__ == "__main__":
    main()
