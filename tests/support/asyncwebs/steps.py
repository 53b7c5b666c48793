"""The steps of an instance's functions as text.

A step that makes no sense by what a guest knows of its slots is left out when its turn comes, so that scripts get far;
one with "!" is done nevertheless.
"""

from __future__ import annotations

from typing import Final

from tests.support.asyncwebs.program import Instance, Step, Task, Web

_ENTRY: Final = {"text": "(param $x i32) (param $y i32)"}


def functions(web: Web, instance: Instance) -> str:
    defines = instance.number == web.last
    found, code, number = [], [], 0
    for index, task in enumerate(instance.tasks):
        name = f"i{instance.number}-t{index}"
        if not task.callback:
            steps = "\n".join(_code(web, step) for step in task.steps)
            found.append(f'(func (export "{name}") (param $x i32) (result i32) (call $begin) {steps} (i32.const 77))')
            continue
        params = _ENTRY.get(task.kind, "(param $x i32)")
        second = "(local.get $y)" if task.kind == "text" else "(i32.const 0)"
        borrow = int(task.kind == "lend" and not defines)
        found.append(
            f'(func (export "{name}") {params} (result i32)'
            f" (call $enter (i32.const {number}) (local.get $x) {second} (i32.const {borrow})) (call $resume))"
        )
        for step in task.steps:
            done = f"(i32.store (call $context-get) (local.tee $pc (i32.const {number + 1})))"
            text = _code(web, step, task)
            code.append(f"(if (i32.eq (local.get $pc) (i32.const {number})) (then {done} {text}))")
            number += 1
    poke = "\n".join(_code(web, step) for step in instance.poke)
    resume, functions = "\n      ".join(code), "\n    ".join(found)
    return f"""
    (func $resume (result i32) (local $pc i32)
      (local.set $pc (i32.load (call $context-get)))
      {resume}
      unreachable)
    {functions}
    (func (export "poke") (call $begin) {poke})"""


def _code(web: Web, step: Step, task: Task | None = None) -> str:
    """One step as text: `sense` says whether it is done."""
    wrong = step[0] == "!"
    word, *operands = step[1:] if wrong else step
    assert isinstance(word, str)
    sense, text = _step(web, word, [int(each) for each in operands], task)
    return text if wrong or not sense else f"(if {sense} (then {text}))"


def _step(web: Web, word: str, operands: list[int], task: Task | None) -> tuple[str, str]:
    slot = f"(i32.const {operands[0] if operands else 0})"
    handle = f"(call $get {slot})"
    end = word.lstrip("f") if word not in ("forged",) else word
    prefix = "f" if word != end else ""
    match end, operands:
        case "yield", _:
            return "", "(return (i32.const 1))"
        case "pause", _:
            return "", "(drop (call $note (call $thread-yield)))"
        case "loop", _:
            return "", f"(return (i32.or (i32.const 2) (i32.shl {handle} (i32.const 4))))"
        case "settle", _:
            wait = "(i32.or (i32.const 2) (i32.shl (call $get (i32.const 10)) (i32.const 4)))"
            return _busy(slot), f"(call $join {handle} (call $get (i32.const 10))) (return {wait})"
        case "await", _:
            wait = "(call $event (call $set-wait (call $get (i32.const 10)) (i32.const 16)))"
            return _busy(slot), f"(call $join {handle} (call $get (i32.const 10))) {wait}"
        case "exit", _:
            return "", "(return (i32.const 0))"
        case "bad-code", _:
            return "", "(return (i32.const 7))"
        case "return", _:
            assert task is not None
            return "", f"(call $returning-{task.kind})"
        case "give-back", _:
            return "", "(call $give-back)"
        case "call", [_, callee, index, x]:
            return _call(web, (callee, index, x), slot)
        case "sync-call", [_, callee, index, x]:
            return _sync_call(web, (callee, index, x))
        case "call-drop", _:
            return f"(i32.and (call $known {slot}) (i32.const 2))", f"(call $call-drop {handle}) (call $clear {slot})"
        case "cancel", _:
            first = f"(call $join {handle} (i32.const 0))"
            return _busy(slot), f"{first} (call $cancelled {slot})"
        case "join", [_, into]:
            return f"(i32.and {_exists(slot)} (call $exists (i32.const {into})))", (
                f"(call $join {handle} (call $get (i32.const {into})))"
            )
        case "unjoin", _:
            return _exists(slot), f"(call $join {handle} (i32.const 0))"
        case "wait" | "poll", _:
            return _exists(slot), f"(call $event (call $set-{word} {handle} (i32.const 16)))"
        case "new", _:
            readable, writable = (4, 5) if prefix else (operands[0], operands[0] + 2)
            return "", f"(call $keep-ends (i32.const {readable}) (i32.const {writable}) (call ${word}))"
        case (("read" | "write"), _):
            count = operands[1] if not prefix else 1
            copied = f"(call ${prefix}copy-{end} {slot} (i32.const {count}))"
            return f"(call $idle {slot})", copied
        case (("cancel-read" | "cancel-write"), _):
            first = f"(call $join {handle} (i32.const 0))"
            code = 2 + 2 * bool(prefix) + end.endswith("write")
            said = f"(call $copied {slot} (i32.const {code}) (call $note (call ${word} {handle}))) (call $show)"
            return _busy(slot), f"{first} {said}"
        case (("drop-readable" | "drop-writable"), _):
            unused = f"(i32.ne (call $known {slot}) (i32.const 1))"
            done = f"(i32.eq (call $known {slot}) (i32.const 4))" if word == "fdrop-writable" else unused
            return f"(i32.and {_exists(slot)} {done})", f"(call ${word} {handle}) (call $clear {slot})"
        case "take", [_, callee]:
            first = f"(call $join {handle} (i32.const 0))"
            return f"(call $idle {slot})", f"{first} (call $i{callee}-{word} {handle}) (call $clear {slot})"
        case "give", [_, callee]:
            return "", f"(call $put {slot} (call $note (call $i{callee}-{word})))"
        case "poke", [callee]:
            return "", f"(call $i{callee}-poke)"
        case "hold" | "let-in", _:
            return "", f"(call ${word})"
        case "thing", _:
            return (
                f"(i32.eqz {handle})",
                f"(call $put {slot} (call $note (call $make (i32.const {400 + operands[0]}))))",
            )
        case "thing-drop", _:
            return _exists(slot), f"(call $thing-drop {handle}) (call $clear {slot})"
        case "forged", [which, index]:
            return "", _FORGED[which].replace("@", f"(i32.const {index})")
        case _:
            raise AssertionError(word)


def _exists(slot: str) -> str:
    return f"(call $exists {slot})"


def _busy(slot: str) -> str:
    return f"(i32.eq (call $known {slot}) (i32.const 1))"


def _argument(kind: str, x: int) -> tuple[str, str, str]:
    """The flat arguments of a call; when it makes sense; what is done when they were taken."""
    thing = f"(i32.const {12 + x % 2})"
    match kind:
        case "text":
            return f"(i32.const {0x480 + x}) (i32.const {x % 7})", "", ""
        case "lend":
            return f"(call $get {thing})", _exists(thing), ""
        case "own":
            return f"(call $get {thing})", _exists(thing), f"(call $clear {thing})"
        case _:
            return f"(i32.const {x})", "", ""


def _call(web: Web, called: tuple[int, int, int], slot: str) -> tuple[str, str]:
    callee, index, x = called
    argument, sense, after = _argument(web.instances[callee].tasks[index].kind, x)
    result = f"(i32.add (i32.const 0x200) (i32.shl {slot} (i32.const 4)))"
    text = f"(call $started {slot} (call $i{callee}-t{index} {argument} {result})) {after}"
    return sense, text


def _sync_call(web: Web, called: tuple[int, int, int]) -> tuple[str, str]:
    callee, index, x = called
    kind = web.instances[callee].tasks[index].kind
    argument, sense, _ = _argument(kind, x)
    name = f"$sync-i{callee}-t{index}"
    if kind == "text":
        return sense, f"(call {name} {argument} (i32.const 0xC0)) (call $words (i32.const 0xC0) (i32.const 2))"
    if kind == "own":
        return sense, f"(call $put (i32.const {12 + x % 2}) (call $note (call {name} {argument})))"
    return sense, f"(drop (call $note (call {name} {argument})))"


_FORGED: Final = (
    "(call $call-drop @)",
    "(drop (call $note (call $cancel @)))",
    "(call $join @ (call $get (i32.const 10)))",
    "(call $set-drop @)",
    "(drop (call $note (call $cancel-read @)))",
    "(call $drop-readable @)",
    "(drop (call $note (call $fcancel-write @)))",
    "(call $fdrop-writable @)",
    "(call $thing-drop @)",
)
