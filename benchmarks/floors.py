"""What the rest of a call's time is, where a figure is not reached: each shape beside code written by hand.

    python benchmarks/floors.py             # all shapes; words choose those whose names contain one of them

For each shape: the composition, what we fuse of it, and steps of the same work in one core module by hand, least first,
all interleaved in one run. A step has what its name says and nothing else, and the loop around it. So what is between
two steps is what the one adds, and what is between the last and "fused" is what we could still save. By hand means
unsafe: the checks are there where the name says so, but nobody proved them. Least times of all rounds, since what else
runs on a machine only ever adds, in ns for each turn of the loop; of "an instance", for each one made and dropped.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import wasmtime
from calls import CASES as CALLS
from calls import EIGHT
from crossing import SECONDS, Running, engine
from instantiate import Starting, constant_data
from resources import CASES as RESOURCES
from text import case
from timing import ROUNDS, heading

import meldpy

ROUNDS_HERE = 2 * ROUNDS + 1


@dataclass(frozen=True)
class Shape:
    """text: the composition. steps: by name, the functions of a module, and what its loop does."""

    text: str
    steps: Mapping[str, tuple[str, str]]


def by_hand(functions: str, body: str) -> bytes:
    """One core module whose `run(n)` does `body` n times."""
    return bytes(
        wasmtime.wat2wasm(f"""
    (component
      (core module $M
        (memory $a 8) (memory $b 8)
        (global $flag (mut i32) (i32.const 1))
        {functions}
        (func (export "run") (param $n i32) (local $x i32) (local $y i32)
          (loop $again
            {body}
            (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))))
      (core instance $m (instantiate $M))
      (func (export "run") (param "n" u32) (canon lift (core func $m "run"))))""")
    )


ONE = "(func $f (param i32) (result i32) (local.get 0))"
EIGHT_TYPE = "(param i32 i32 i32 i64 f32 f64 i32 i32)"
EIGHT_PASSED = " ".join(f"(local.get {i})" for i in range(8))
EIGHT_CALLEE = f"(func $f {EIGHT_TYPE})"
EIGHT_CHECKS = """
  (if (i32.ge_u (i32.sub (i32.xor (local.get 6) (i32.const 0xD800)) (i32.const 0x800)) (i32.const 0x10F800))
    (then unreachable))
  (call $g (i32.and (local.get 0) (i32.const 0xff)) (i32.extend16_s (local.get 1)) (local.get 2) (local.get 3)
    (local.get 4) (local.get 5) (local.get 6) (i32.ne (local.get 7) (i32.const 0)))"""

# A row of a handle table as ours are: where the rows are and how many, the type, the rep and the count of lends.
ROW = """
  (if (i32.ge_u (local.get $h) (i32.load $a offset=68 (i32.const 0))) (then unreachable))
  (local.set $row (i32.add (i32.load $a offset=64 (i32.const 0)) (i32.shl (local.get $h) (i32.const 4))))
  (if (i32.ne (i32.load $a (local.get $row)) (i32.const 1)) (then unreachable))"""
SET_UP = """
  (i32.store $a offset=64 (i32.const 0) (i32.const 4096)) (i32.store $a offset=68 (i32.const 0) (i32.const 16))
  (i32.store $a offset=4112 (i32.const 0) (i32.const 1))"""
LENDING = f"""
  {ONE}
  (func $adapter (param $h i32) (result i32) (local $row i32) (local $result i32)
    {ROW}
    (i32.store $a offset=8 (local.get $row) (i32.add (i32.load $a offset=8 (local.get $row)) (i32.const 1)))
    (local.set $result (call $f (i32.load $a offset=4 (local.get $row))))
    (local.set $row (i32.add (i32.load $a offset=64 (i32.const 0)) (i32.shl (local.get $h) (i32.const 4))))
    (i32.store $a offset=8 (local.get $row) (i32.sub (i32.load $a offset=8 (local.get $row)) (i32.const 1)))
    (local.get $result))
  (func $set_up {SET_UP})
  (start $set_up)"""
FIVE_CALLS = f"""
  {ONE}
  (func $make (param i32) (result i32) (call $f (call $f (local.get 0))))
  (func $drop (param i32) (call $dtor (local.get 0)))
  (func $dtor (param i32) (global.set $flag (local.get 0)))"""

COPIED = "(func $f (param i32 i32)) (func $realloc (param i32 i32 i32 i32) (result i32) i32.const 65536)"


def copied(size: int) -> dict[str, tuple[str, str]]:
    """Values without a rule: what is left is to copy them, and the calls."""
    copy = f"(memory.copy $b $a (i32.const 65536) (i32.const 1024) (i32.const {size}))"
    realloc = f"(drop (call $realloc (i32.const 0) (i32.const 0) (i32.const 1) (i32.const {size})))"
    return {
        "realloc and the callee": (COPIED, f"{realloc} (call $f (i32.const 65536) (i32.const {size}))"),
        "and a copy": (COPIED, f"{realloc} {copy} (call $f (i32.const 65536) (i32.const {size}))"),
    }


def short() -> dict[str, tuple[str, str]]:
    """Sixteen bytes go through one register."""
    store = "(v128.store $b (i32.const 65536) (v128.load $a (i32.const 1024)))"
    steps = copied(16)
    functions, calls = steps["realloc and the callee"]
    return {
        "realloc and the callee": (functions, calls),
        "and the bytes in a register": (functions, f"{store} {calls}"),
    }


def bools() -> dict[str, tuple[str, str]]:
    """What 1024 values of one byte each take if each is looked at, 64 in a turn, and stored once."""
    turn = "".join(
        f"(v128.store $b offset={65536 + at} (local.get $x)"
        f" (i8x16.min_u (v128.load $a offset={1024 + at} (local.get $x)) (v128.const i8x16 {'1 ' * 16})))"
        for at in range(0, 64, 16)
    )
    loop = f"""(local.set $x (i32.const 0))
      (loop $l {turn} (br_if $l (i32.lt_u (local.tee $x (i32.add (local.get $x) (i32.const 64))) (i32.const 1024))))"""
    steps = copied(1024)
    call = "(call $f (i32.const 65536) (i32.const 1024))"
    return {**steps, "in place of the copy, each made 0 or 1": (COPIED, f"{loop} {call}")}


UTF8 = ("utf8", "utf8")
SHAPES = {
    "u32": Shape(
        CALLS["u32"],
        {
            "the callee in line": ("", "(global.set $flag (local.get $n))"),
            "the callee called": (ONE, "(drop (call $f (local.get $n)))"),
            "an adapter that does nothing, too": (
                f"{ONE} (func $g (param i32) (result i32) (call $f (local.get 0)))",
                "(drop (call $g (local.get $n)))",
            ),
        },
    ),
    "8 scalars": Shape(
        CALLS["8 scalars"],
        {
            "the callee called, nothing checked": (EIGHT_CALLEE, EIGHT),
            "an adapter that does nothing, too": (
                f"(func $g {EIGHT_TYPE}) (func $f {EIGHT_TYPE} (call $g {EIGHT_PASSED}))",
                EIGHT,
            ),
            "one that checks": (f"(func $g {EIGHT_TYPE}) (func $f {EIGHT_TYPE} {EIGHT_CHECKS})", EIGHT),
        },
    ),
    "16 bytes of ASCII": Shape(case("ASCII", UTF8, 16), short()),
    "4096 bytes of ASCII": Shape(case("ASCII", UTF8, 4096), copied(4096)),
    "4096 bytes of emoji": Shape(case("emoji", UTF8, 4096), copied(4096)),
    "list<u8>, 4096": Shape(CALLS["list<u8>, 4096"], copied(4096)),
    "list<u32>, 1024": Shape(CALLS["list<u32>, 1024"], copied(4096)),
    "list<bool>, 1024": Shape(CALLS["list<bool>, 1024"], bools()),
    "borrow method": Shape(
        RESOURCES["borrow method"],
        {
            "the callee called": (ONE, "(drop (call $f (local.get $n)))"),
            "an adapter that does nothing, too": (
                f"{ONE} (func $g (param i32) (result i32) (call $f (local.get 0)))",
                "(drop (call $g (local.get $n)))",
            ),
            "one that checks, lends and takes back": (LENDING, "(drop (call $adapter (i32.const 1)))"),
        },
    ),
    "create and drop": Shape(
        RESOURCES["create and drop"],
        {"five calls alone": (FIVE_CALLS, "(call $drop (call $make (local.get $n)))")},
    ),
}


class Starts:
    """An instance of a component made and dropped, so many times; without a component, the store alone."""

    def __init__(self, data: bytes | None) -> None:
        self.calls = 100
        self.start: Callable[[], None] = self._store if data is None else Starting(engine(), data)

    def __call__(self) -> None:
        for _ in range(self.calls):
            self.start()

    @staticmethod
    def _store() -> None:
        wasmtime.Store(engine()).close()


def memories(count: int) -> bytes:
    """A component of so many core modules with a memory and data each; of an empty one if there are to be none."""
    memory = '(memory (export "memory") 1) (data (i32.const 0) "\\01\\02\\03")'
    modules = "".join(
        f"(core module $M{i} {memory if count else ''}) (core instance (instantiate $M{i}))" for i in range(count or 1)
    )
    return bytes(wasmtime.wat2wasm(f"(component {modules})"))


def instances() -> dict[str, Starts]:
    """What two small guests take: their memories, above all."""
    composed = bytes(wasmtime.wat2wasm(constant_data(1, b"\1\2\3")))
    forms = {
        "a store alone": None,
        "a component of an empty core module": memories(0),
        "of one with a memory": memories(1),
        "of two with a memory each": memories(2),
        "fused": meldpy.fuse([composed]).bytes,
        "composed": composed,
    }
    return {name: Starts(form) for name, form in forms.items()}


def together(actions: Mapping[str, Running | Starts]) -> dict[str, float]:
    """Least seconds of a turn, by name; every round runs all of them, forwards and backwards in turn."""
    times: dict[str, list[float]] = {name: [] for name in actions}
    for action in actions.values():
        _fit(action)
    for number in range(ROUNDS_HERE):
        for name in list(actions)[:: 1 if number % 2 else -1]:
            action = actions[name]
            times[name].append(_seconds(action) / action.calls)
    return {name: min(series) for name, series in times.items()}


def _fit(action: Running | Starts) -> None:
    """Let a run take about as long as those of other benchmarks."""
    _seconds(action)
    action.calls = max(action.calls, int(action.calls * SECONDS / max(_seconds(action), 1e-6)))


def _seconds(action: Callable[[], None]) -> float:
    began = time.thread_time()
    action()
    return time.thread_time() - began


def show(name: str, actions: Mapping[str, Running | Starts]) -> None:
    found = together(actions)
    print(name)
    for step, seconds in found.items():
        print(f"    {step:<40} {seconds * 1e9:10.2f} ns {found['composed'] / seconds:10.2f} x", flush=True)


def main() -> None:
    def wanted(name: str) -> bool:
        return not sys.argv[1:] or any(word in name for word in sys.argv[1:])

    heading("one turn", "ns", "of composed")
    for name, shape in SHAPES.items():
        if wanted(name):
            composed = bytes(wasmtime.wat2wasm(shape.text))
            forms = {step: by_hand(*made) for step, made in shape.steps.items()}
            forms |= {"fused": meldpy.fuse([composed]).bytes, "composed": composed}
            show(name, {step: Running(engine(), form, 1000) for step, form in forms.items()})
    if wanted("an instance"):
        show("an instance", instances())


if __name__ == "__main__":
    main()
