"""The two guests of the trap cases of async: a provider whose tasks behave as they are told, and a driver.

Both have every built-in under the same short name; elements are u32 in streams and futures, and bool in a stream and a
future of their own. What the driver does is text: the words for it are here, the scripts in `async_scripts`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

_PLACE = "(param i32 i32) (result i32)"
_BUILTINS: Final = {
    "ret": ("(param i32)", "task.return (result u32)"),
    "ret-none": ("", "task.return"),
    "ret-text": ("(param i32 i32)", 'task.return (result string) (memory (core memory $mem "m"))'),
    "task-cancel": ("", "task.cancel"),
    "get": ("(result i32)", "context.get i32 0"),
    "set": ("(param i32)", "context.set i32 0"),
    "set-new": ("(result i32)", "waitable-set.new"),
    "set-poll": (_PLACE, 'waitable-set.poll (memory (core memory $mem "m"))'),
    "set-drop": ("(param i32)", "waitable-set.drop"),
    "join": ("(param i32 i32)", "waitable.join"),
    "subtask-cancel": ("(param i32) (result i32)", "subtask.cancel"),
    "subtask-drop": ("(param i32)", "subtask.drop"),
}
ENDS: Final = {"s": "stream", "c": "stream", "f": "future", "b": "future"}


def builtins_of(driver: bool) -> dict[str, tuple[str, str]]:
    found = dict(_BUILTINS)
    if driver:
        found["set-wait"] = (_PLACE, 'waitable-set.wait (memory (core memory $mem "m"))')
        found["thread-yield"] = ("(result i32)", "thread.yield")
        found["subtask-cancel-async"] = ("(param i32) (result i32)", "subtask.cancel async")
    else:
        del found["subtask-cancel"], found["subtask-drop"]
    for letter, what in ENDS.items():
        copy = "(param i32 i32 i32) (result i32)" if what == "stream" else "(param i32 i32) (result i32)"
        options = 'async (memory (core memory $mem "m"))'
        found[f"{letter}-new"] = ("(result i64)", f"{what}.new ${letter}")
        for op in ("read", "write"):
            found[f"{letter}-{op}"] = (copy, f"{what}.{op} ${letter} {options}")
            found[f"{letter}-cancel-{op}"] = ("(param i32) (result i32)", f"{what}.cancel-{op} ${letter}")
        for end in ("readable", "writable"):
            found[f"{letter}-drop-{end}"] = ("(param i32)", f"{what}.drop-{end} ${letter}")
    return found


ASYNC: Final = 'async (memory (core memory $mem "m"))'
TYPES: Final = "(type $s (stream u32)) (type $c (stream bool)) (type $f (future u32)) (type $b (future bool))"
FUNCS: Final = {
    "t": ('async (param "x" u32) (result u32)', "(param i32 i32) (result i32)", True),
    "plain": ('(param "x" u32) (result u32)', "(param i32) (result i32)", False),
    "take": ('async (param "x" $s)', "(param i32)", False),
    "give": ("async (result $s)", "(result i32)", False),
    "take-future": ('async (param "x" $f)', "(param i32)", False),
    "give-future": ("async (result $f)", "(result i32)", False),
    "poke": ('async (param "x" u32) (result u32)', "(param i32) (result i32)", False),
}
"""Of the provider: type, core type of the driver's lower, whether that is an async lower. `t` is a callback lift."""


def _component(name: str, builtins: dict[str, tuple[str, str]], imports: str, lowers: str, code: str, end: str) -> str:
    canons = "\n".join(f"(core func ${key} (canon {canon}))" for key, (_, canon) in builtins.items())
    lowered = list(FUNCS) if lowers else []
    core = [f'(import "" "{key}" (func ${key} {type_}))' for key, (type_, _) in builtins.items()]
    core += [f'(import "" "{key}" (func ${key} {FUNCS[key][1]}))' for key in lowered]
    given = " ".join(f'(export "{key}" (func ${key}))' for key in (*builtins, *lowered))
    return f"""
    (component ${name} {TYPES} {imports}
      (core module $Mem (memory (export "m") 1)) (core instance $mem (instantiate $Mem))
      {canons} {lowers}
      (core module $M (import "" "m" (memory 1)) {" ".join(core)} {code})
      (core instance $m (instantiate $M (with "" (instance (export "m" (memory $mem "m")) {given}))))
      {end})"""


# --- the provider ---------------------------------------------------------------------------------------------------
# What `f(x)` does; behind the bar: what its callback does (code, index, payload are the parameters 0, 1, 2).
TASKS: Final = {
    "returns": "(call $ret (i32.const 1)) (return (i32.const 0))",
    "yields": "(return (i32.const 1)) | (call $ret (i32.const 1)) (return (i32.const 0))",
    "waits": "(return (call $wait)) | (call $task-cancel) (return (i32.const 0))",
    "returns, waits": "(call $ret (i32.const 1)) (return (call $wait)) | (return (i32.const 0))",
    "unknown code": "(call $ret (i32.const 1)) (return (i32.const 3))",
    "unknown code, high": "(call $ret (i32.const 1)) (return (i32.const 15))",
    "unknown code later": "(call $ret (i32.const 1)) (return (i32.const 1)) | (return (i32.const 4))",
    "no result": "(return (i32.const 0))",
    "no result later": "(return (i32.const 1)) | (return (i32.const 0))",
    "returns twice": "(call $ret (i32.const 1)) (call $ret (i32.const 1)) (return (i32.const 0))",
    "returns later again": "(call $ret (i32.const 1)) (return (i32.const 1))"
    " | (call $ret (i32.const 1)) (return (i32.const 0))",
    "cancels": "(call $task-cancel) (return (i32.const 0))",
    "cancels later": "(return (i32.const 1)) | (call $task-cancel) (return (i32.const 0))",
    "cancelled, cancels twice": "(return (call $wait))"
    " | (call $task-cancel) (call $task-cancel) (return (i32.const 0))",
    "cancelled, returns": "(return (call $wait)) | (call $ret (i32.const 7)) (return (i32.const 0))",
    "cancelled, returns, cancels": "(return (call $wait))"
    " | (call $ret (i32.const 1)) (call $task-cancel) (return (i32.const 0))",
    "cancelled, waits": "(return (call $wait)) | (return (call $wait))",
    "another result": "(call $ret-none) (return (i32.const 0))",
    "another result, text": "(call $ret-text (i32.const 0) (i32.const 0)) (return (i32.const 0))",
    "waits for nothing": "(return (i32.const 0x7FF2))",
    "waits for an end": "(return (i32.or (i32.const 2) (i32.shl (i32.wrap_i64 (call $s-new)) (i32.const 4))))",
}
NUMBER: Final = {name: number for number, name in enumerate(TASKS)}


def _provider() -> str:
    first, later = [], []
    for number, script in enumerate(TASKS.values()):
        begin, _, then = script.partition("|")
        first.append(f"(if (i32.eq (local.get $x) (i32.const {number})) (then {begin}))")
        later.append(f"(if (i32.eq (call $get) (i32.const {number})) (then {then} unreachable))")
    code = f"""
      (global $own (mut i32) (i32.const 0)) (global $end (mut i32) (i32.const 0))
      (func $wait (result i32)
        (if (i32.eqz (global.get $own)) (then (global.set $own (call $set-new))))
        (i32.or (i32.const 2) (i32.shl (global.get $own) (i32.const 4))))
      (func (export "t") (param $x i32) (result i32) (call $set (local.get $x)) {" ".join(first)} unreachable)
      (func (export "callback") (param i32 i32 i32) (result i32) {" ".join(later)} unreachable)
      (func (export "plain") (param $x i32) (result i32) (i32.const 1))
      (func (export "take") (param i32) (global.set $end (local.get 0)))
      (func (export "give") (result i32)
        (local $ends i64)
        (local.set $ends (call $s-new))
        (global.set $end (i32.wrap_i64 (i64.shr_u (local.get $ends) (i64.const 32))))
        (i32.wrap_i64 (local.get $ends)))
      (func (export "give-future") (result i32)
        (local $ends i64)
        (local.set $ends (call $f-new))
        (global.set $end (i32.wrap_i64 (i64.shr_u (local.get $ends) (i64.const 32))))
        (i32.wrap_i64 (local.get $ends)))
      (func (export "poke") (param $x i32) (result i32)
        (if (i32.eq (local.get $x) (i32.const 0)) (then (return (i32.const 1))))
        (if (i32.eq (local.get $x) (i32.const 1)) (then (call $set-drop (global.get $own))))
        (if (i32.eq (local.get $x) (i32.const 2))
          (then (return (call $s-write (global.get $end) (i32.const 64) (i32.const 2)))))
        (if (i32.eq (local.get $x) (i32.const 3)) (then (call $s-drop-writable (global.get $end))))
        (if (i32.eq (local.get $x) (i32.const 4)) (then (call $f-drop-writable (global.get $end))))
        (if (i32.eq (local.get $x) (i32.const 5))
          (then (return (call $f-write (global.get $end) (i32.const 64)))))
        (if (i32.eq (local.get $x) (i32.const 6)) (then (call $s-drop-readable (global.get $end))))
        (if (i32.eq (local.get $x) (i32.const 7)) (then (call $ret (i32.const 1))))
        (if (i32.eq (local.get $x) (i32.const 8)) (then (call $task-cancel)))
        (if (i32.eq (local.get $x) (i32.const 9)) (then (call $f-drop-readable (global.get $end))))
        (i32.const 1))"""
    lift = 'async (callback (core func $m "callback"))'
    ends = []
    for name, (type_, _, callback) in FUNCS.items():
        core = "take" if name == "take-future" else name
        ends.append(f'(func (export "{name}") {type_} (canon lift (core func $m "{core}") {lift if callback else ""}))')
    return _component("Provider", builtins_of(False), "", "", code, "\n".join(ends))


# --- the driver -----------------------------------------------------------------------------------------------------
def t(task: str) -> str:
    """Calls a task; the status."""
    return f"(call $t (i32.const {NUMBER[task]}) (i32.const 0x100))"


def subtask(task: str) -> str:
    """Calls a task that is not over at once; `$h` is its handle."""
    return f"(local.set $h (i32.shr_u {t(task)} (i32.const 4)))"


def poke(x: int) -> str:
    return f"(drop (call $poke (i32.const {x})))"


SET: Final = "(local.set $s (call $set-new))"
JOIN: Final = "(call $join (local.get $h) (local.get $s))"
NEW: Final = {letter: f"(local.set $e (call ${letter}-new))" for letter in ENDS}
R: Final = "(i32.wrap_i64 (local.get $e))"
W: Final = "(i32.wrap_i64 (i64.shr_u (local.get $e) (i64.const 32)))"
GIVEN: Final = "(local.set $e (i64.extend_i32_u (call $give)))"
GIVEN_FUTURE: Final = "(local.set $e (i64.extend_i32_u (call $give-future)))"
WAITED: Final = "(drop (call $set-wait (local.get $s) (i32.const 0x80)))"
POLLED: Final = "(drop (call $set-poll (local.get $s) (i32.const 0x80)))"


def copy(letter: str, op: str, at: int = 64, count: int = 1) -> str:
    end = R if op == "read" else W
    counted = f"(i32.const {count})" if ENDS[letter] == "stream" else ""
    return f"(drop (call ${letter}-{op} {end} (i32.const {at}) {counted}))"


def cancel(letter: str, op: str) -> str:
    return f"(drop (call ${letter}-cancel-{op} {R if op == 'read' else W}))"


def drop(letter: str, end: str) -> str:
    return f"(call ${letter}-drop-{end} {R if end == 'readable' else W})"


def join(end: str) -> str:
    return f"{SET} (call $join {end} (local.get $s))"


YIELDED: Final = f"{SET} {subtask('yields')} {JOIN} {WAITED} (call $subtask-drop (local.get $h))"
"""Lets everything run that is ready."""

LAST_PAGE: Final = 0x10000


@dataclass(frozen=True, slots=True)
class Script:
    """condition, position: of the table. bad: traps; good: its neighbours. divergence: explains the composition."""

    condition: str
    position: str
    trap: str
    bad: tuple[str, ...]
    good: tuple[str, ...]
    divergence: str | None = None


def composition(scripts: Sequence[str]) -> str:
    """The driver's `run(n)` does the n-th script."""
    imports = "\n".join(f'(import "{name}" (func $import-{name} {type_}))' for name, (type_, *_) in FUNCS.items())
    lowers = "\n".join(
        f"(core func ${name} (canon lower (func $import-{name})"
        f" {'async (memory (core memory $mem ' + chr(34) + 'm' + chr(34) + '))' if async_ else ''}))"
        for name, (_, _, async_) in FUNCS.items()
    )
    cases = "\n".join(
        f"(if (i32.eq (local.get $n) (i32.const {number})) (then {text} (return (i32.const 1))))"
        for number, text in enumerate(scripts)
    )
    code = (
        '(func (export "run") (param $n i32) (result i32) (local $h i32) (local $s i32)'
        " (local $e i64) (local $other i64)"
        f" {cases} unreachable)"
    )
    end = '(func (export "run") async (param "n" u32) (result u32) (canon lift (core func $m "run")))'
    driver = _component("Driver", builtins_of(True), imports, lowers, code, end)
    given = " ".join(f'(with "{name}" (func $p "{name}"))' for name in FUNCS)
    return f"""
    (component
      {_provider()}
      {driver}
      (instance $p (instantiate $Provider))
      (instance $d (instantiate $Driver {given}))
      (export "run" (func $d "run")))"""
