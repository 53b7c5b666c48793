"""One random composition: what its tasks do, what its driver does, and the component text that does it."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import final

from tests.support.asyncflows.text import DRIVER, PROVIDER, composition


@final
@dataclass(frozen=True, slots=True)
class Composition:
    text: str
    tasks: tuple[tuple[str, ...], ...]
    operations: tuple[str, ...]


def make(seed: int) -> Composition:
    """The composition of a seed."""
    rng = random.Random(seed)
    tasks = tuple(_script(rng) for _ in range(rng.randint(1, 4)))
    operations = tuple(_Driver(rng, len(tasks)).operations())
    return Composition(composition(_provider(tasks), _driver(operations, len(tasks))), tasks, operations)


# --- the provider ---------------------------------------------------------------------------------------------------
def _script(rng: random.Random) -> tuple[str, ...]:
    """What a task does, step by step; each step ends an activation or runs on into the next."""
    steps: list[str] = []
    for _ in range(rng.randint(0, 4)):
        steps.append(
            rng.choice(
                [
                    "yield",
                    "yield",
                    "wait",
                    f"write {rng.randint(0, 6)}",
                    f"read {rng.randint(0, 6)}",
                    "future-write",
                    "drop-writable",
                    "drop-readable",
                    "poll",
                ]
            )
        )
    if rng.random() < 0.93:
        steps.insert(rng.randint(0, len(steps)), "return")
    if rng.random() < 0.05:
        steps.append("return")
    steps.append("exit" if rng.random() < 0.95 else "bad-code")
    return tuple(steps)


_STEPS = {
    "yield": "(return (i32.const 1))",
    "wait": "(return (i32.or (i32.const 2) (i32.shl (global.get $set) (i32.const 4))))",
    "return": "(call $return (local.get $x))",
    "exit": "(return (i32.const 0))",
    "bad-code": "(return (i32.const 7))",
    "future-write": "(call $note (call $future-write (global.get $fw) (i32.const 0x400)))",
    "drop-writable": "(call $stream-drop-writable (global.get $sw)) (global.set $sw (i32.const 0))",
    "drop-readable": "(call $stream-drop-readable (global.get $sr)) (global.set $sr (i32.const 0))",
    "poll": "(call $poll)",
}


def _step_code(step: str) -> str:
    word, *number = step.split()
    if word == "write":
        return f"(call $write (i32.const {number[0]}))"
    if word == "read":
        return f"(call $read (i32.const {number[0]}))"
    return _STEPS[word]


def _provider(tasks: tuple[tuple[str, ...], ...]) -> str:
    """All scripts are one list of steps; a task is where it begins. `$resume` runs from a step on."""
    starts, code, number = [], [], 0
    for script in tasks:
        starts.append(number)
        for step in script:
            code.append(
                f"(if (i32.eq (local.get $pc) (i32.const {number})) (then"
                f" (local.set $pc (i32.const {number + 1})) (call $context-set (local.get $pc)) {_step_code(step)}))"
            )
            number += 1
    functions = [
        f'(func (export "t{i}") (param $x i32) (result i32)'
        f" (call $enter (i32.const {start}) (local.get $x)) (call $resume (i32.const {start}) (local.get $x)))"
        for i, start in enumerate(starts)
    ]
    lifts = [
        f'(func (export "t{i}") async (param "x" u32) (result u32)'
        f' (canon lift (core func $m "t{i}") async (callback (core func $m "callback"))))'
        for i in range(len(tasks))
    ]
    return (
        PROVIDER.replace("@STEPS@", "\n".join(code))
        .replace("@TASKS@", "\n".join(functions))
        .replace("@LIFTS@", "\n".join(lifts))
    )


# --- the driver -------------------------------------------------------------------------------------------------------
@final
class _Driver:
    """Random operations that mostly make sense: handles are named by the order in which they come."""

    def __init__(self, rng: random.Random, tasks: int) -> None:
        self.rng = rng
        self.tasks = tasks
        self.calls = 0

    def operations(self) -> list[str]:
        made = ["set-new"]
        for _ in range(self.rng.randint(3, 24)):
            made.append(("!" if self.rng.random() < 0.08 else "") + self._one())
        return made

    def _one(self) -> str:
        rng, call = self.rng, self._call
        choices = [
            (6, self._start),
            (4, lambda: f"join {call()} 1"),
            (1, lambda: f"join {call()} 0"),
            (2, lambda: "wait"),
            (3, lambda: "poll"),
            (2, lambda: f"cancel {call()}"),
            (2, lambda: f"subtask-drop {call()}"),
            (2, lambda: f"sync-call {rng.randrange(self.tasks)} {rng.randint(0, 99)}"),
            (2, lambda: "stream-to"),
            (2, lambda: "stream-from"),
            (1, lambda: "future-from"),
            (3, lambda: f"write {rng.randint(0, 6)}"),
            (3, lambda: f"read {rng.randint(0, 6)}"),
            (1, lambda: "future-read"),
            (1, lambda: "cancel-write"),
            (1, lambda: "cancel-read"),
            (1, lambda: "drop-writable"),
            (1, lambda: "drop-readable"),
            (2, lambda: rng.choice(["join-writable", "join-readable", "join-future"])),
            (1, lambda: "poke"),
            (0.4, lambda: "set-drop"),
            (0.3, lambda: f"forged {rng.randint(0, 9)}"),
        ]
        return rng.choices([made for _, made in choices], [weight for weight, _ in choices])[0]()

    def _start(self) -> str:
        self.calls += 1
        return f"call {self.rng.randrange(self.tasks)} {self.rng.randint(0, 99)}"

    def _call(self) -> int:
        return self.rng.randint(1, max(self.calls, 1))


_OPERATIONS = {
    "set-new": "(global.set $set (call $note (call $set-new)))",
    "set-drop": "(call $set-drop (global.get $set))",
    "wait": "(call $event (call $set-wait (global.get $set) (i32.const 16)))",
    "poll": "(call $event (call $set-poll (global.get $set) (i32.const 16)))",
    "stream-to": "(call $stream-to)",
    "stream-from": "(global.set $sr (call $note (call $give))) (global.set $reading (i32.const 0))",
    "future-from": "(global.set $fr (call $note (call $give-future)))",
    "future-read": "(drop (call $note (call $future-read (global.get $fr) (i32.const 0x500))))",
    "cancel-write": "(drop (call $note (call $stream-cancel-write (global.get $sw))))"
    " (global.set $writing (i32.const 0))",
    "cancel-read": "(drop (call $note (call $stream-cancel-read (global.get $sr))))"
    " (global.set $reading (i32.const 0)) (call $show (i32.const 0x500))",
    "drop-writable": "(call $stream-drop-writable (global.get $sw)) (global.set $sw (i32.const 0))",
    "drop-readable": "(call $stream-drop-readable (global.get $sr)) (global.set $sr (i32.const 0))",
    "join-writable": "(call $join (global.get $sw) (global.get $set))",
    "join-readable": "(call $join (global.get $sr) (global.get $set))",
    "join-future": "(call $join (global.get $fr) (global.get $set))",
    "poke": "(call $poke)",
}

_SENSE = {
    "write": "(i32.and (i32.ne (global.get $sw) (i32.const 0)) (i32.eqz (global.get $writing)))",
    "read": "(i32.and (i32.ne (global.get $sr) (i32.const 0)) (i32.eqz (global.get $reading)))",
    "cancel-write": "(global.get $writing)",
    "cancel-read": "(global.get $reading)",
    "drop-writable": "(i32.and (i32.ne (global.get $sw) (i32.const 0)) (i32.eqz (global.get $writing)))",
    "drop-readable": "(i32.and (i32.ne (global.get $sr) (i32.const 0)) (i32.eqz (global.get $reading)))",
    "join-writable": "(global.get $sw)",
    "join-readable": "(global.get $sr)",
    "join-future": "(global.get $fr)",
    "future-read": "(global.get $fr)",
}
"""When an operation makes sense; it is left out otherwise, but for every tenth."""


def _operation_code(operation: str) -> str:
    wrong = operation.startswith("!")
    word, *numbers = operation.lstrip("!").split()
    code = _raw_code(word, [int(number) for number in numbers])
    sense = _SENSE.get(word)
    if word in ("join", "cancel", "subtask-drop"):
        sense = f"(call $handle (i32.const {numbers[0]}))"
    return code if wrong or sense is None else f"(if {sense} (then {code}))"


def _raw_code(word: str, numbers: list[int]) -> str:
    match word, numbers:
        case "call", [task, x]:
            return f"(call $started (call $t{task} (i32.const {x}) (i32.const 32)))"
        case "sync-call", [task, x]:
            return f"(drop (call $note (call $sync-t{task} (i32.const {x}))))"
        case "join", [call, into]:
            target = "(global.get $set)" if into else "(i32.const 0)"
            return f"(call $join (call $handle (i32.const {call})) {target})"
        case "cancel", [call]:
            return f"(drop (call $note (call $subtask-cancel (call $handle (i32.const {call})))))"
        case "subtask-drop", [call]:
            return f"(call $subtask-drop (call $handle (i32.const {call}))) (call $forget (i32.const {call}))"
        case "write", [count]:
            return f"(call $write (i32.const {count}))"
        case "read", [count]:
            return f"(call $read (i32.const {count}))"
        case "forged", [index]:
            return f"(call $subtask-drop (i32.const {index}))"
        case _:
            return _OPERATIONS[word]


def _driver(operations: tuple[str, ...], tasks: int) -> str:
    code = "\n".join(f"(call $log (i32.const {1000 + i})) {_operation_code(op)}" for i, op in enumerate(operations))
    imports = "\n".join(f'(import "t{i}" (func $t{i} async (param "x" u32) (result u32)))' for i in range(tasks))
    lowers = "\n".join(
        f'(core func $t{i} (canon lower (func $t{i}) async (memory (core memory $memory "m"))))'
        f" (core func $sync-t{i} (canon lower (func $t{i})))"
        for i in range(tasks)
    )
    core_imports = "\n".join(
        f'(import "" "t{i}" (func $t{i} (param i32 i32) (result i32)))'
        f' (import "" "sync-t{i}" (func $sync-t{i} (param i32) (result i32)))'
        for i in range(tasks)
    )
    args = " ".join(f'(export "t{i}" (func $t{i})) (export "sync-t{i}" (func $sync-t{i}))' for i in range(tasks))
    return (
        DRIVER.replace("@OPERATIONS@", code)
        .replace("@IMPORTS@", imports)
        .replace("@LOWERS@", lowers)
        .replace("@CORE_IMPORTS@", core_imports)
        .replace("@ARGS@", args)
        .replace("@WITH@", " ".join(f'(with "t{i}" (func $provider "t{i}"))' for i in range(tasks)))
    )
