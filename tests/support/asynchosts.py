"""A host that takes its time, as a component, and two instances that ask it: the first through the second.

The embedded engine's binding has no host functions of async type, so a component outside stands for the host, composed
with either form of the two (`guests`). Every function of theirs is of one type, `(turns, x) -> u32`: how long the host
takes, and a number. What the host hears and what the second sees goes to `log`.
"""

from __future__ import annotations

from typing import Final

from wasmtime import wat2wasm

from tests.support.compose import Export, Wire, compose

HOST: Final = """
(component
  (import "log" (func $log (param "x" u32)))
  (core module $Memory (memory (export "m") 1)
    (global $top (mut i32) (i32.const 4096))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (global.get $top)
      (global.set $top (i32.and (i32.add (i32.add (global.get $top) (local.get 3)) (i32.const 15)) (i32.const -16)))))
  (core instance $memory (instantiate $Memory))
  (core module $Dtor
    (import "" "log" (func $log (param i32)))
    (func (export "dtor") (param i32) (call $log (i32.add (i32.const 9000) (local.get 0)))))
  (core func $log (canon lower (func $log)))
  (core instance $dtor (instantiate $Dtor (with "" (instance (export "log" (func $log))))))
  (type $thing' (resource (rep i32) (dtor (core func $dtor "dtor"))))
  (export $thing "thing" (type $thing'))
  (core func $new (canon resource.new $thing'))
  (core func $drop (canon resource.drop $thing'))
  (core func $rep (canon resource.rep $thing'))
  (core func $number (canon task.return (result u32)))
  (core func $text (canon task.return (result string) (memory (core memory $memory "m"))))
  (core func $own (canon task.return (result (own $thing))))
  (core func $nothing (canon task.return))
  (core func $cancel (canon task.cancel))
  (core func $set-new (canon waitable-set.new))
  (core func $get (canon context.get i32 0))
  (core func $set (canon context.set i32 0))
  (core module $M
    (import "" "m" (memory 1))
    (import "" "log" (func $log (param i32)))
    (import "" "new" (func $new (param i32) (result i32)))
    (import "" "drop" (func $drop (param i32)))
    (import "" "rep" (func $rep (param i32) (result i32)))
    (import "" "number" (func $number (param i32)))
    (import "" "text" (func $text (param i32 i32)))
    (import "" "own" (func $own (param i32)))
    (import "" "nothing" (func $nothing))
    (import "" "cancel" (func $cancel))
    (import "" "set-new" (func $set-new (result i32)))
    (import "" "get" (func $get (result i32)))
    (import "" "set" (func $set (param i32)))
    (global $calls (mut i32) (i32.const 0))
    ;; a call: turns left, what it returns (0 a number, 1 a string, 2 a thing, 3 nothing), two words for that
    (func $begin (param $turns i32) (param $kind i32) (param $a i32) (param $b i32) (result i32)
      (local $at i32)
      (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
      (local.set $at (i32.shl (i32.and (global.get $calls) (i32.const 127)) (i32.const 4)))
      (call $set (local.get $at))
      (i32.store (local.get $at) (local.get $turns))
      (i32.store offset=4 (local.get $at) (local.get $kind))
      (i32.store offset=8 (local.get $at) (local.get $a))
      (i32.store offset=12 (local.get $at) (local.get $b))
      (call $step))
    (func $step (result i32)
      (local $at i32) (local $kind i32)
      (local.set $at (call $get))
      (if (i32.eq (i32.load (local.get $at)) (i32.const 99))
        (then (return (i32.or (i32.const 2) (i32.shl (call $set-new) (i32.const 4))))))
      (if (i32.load (local.get $at))
        (then
          (i32.store (local.get $at) (i32.sub (i32.load (local.get $at)) (i32.const 1)))
          (return (i32.const 1))))
      (local.set $kind (i32.load offset=4 (local.get $at)))
      (if (i32.eqz (local.get $kind)) (then (call $number (i32.load offset=8 (local.get $at)))))
      (if (i32.eq (local.get $kind) (i32.const 1))
        (then (call $text (i32.load offset=8 (local.get $at)) (i32.load offset=12 (local.get $at)))))
      (if (i32.eq (local.get $kind) (i32.const 2))
        (then (call $own (call $new (i32.load offset=8 (local.get $at))))))
      (if (i32.eq (local.get $kind) (i32.const 3)) (then (call $nothing)))
      (i32.const 0))
    (func (export "event") (param $code i32) (param i32 i32) (result i32)
      (if (i32.eq (local.get $code) (i32.const 6))
        (then
          (call $log (i32.const 8000))
          (if (i32.eq (i32.load (call $get)) (i32.const 50)) (then (return (call $step))))
          (call $cancel)
          (return (i32.const 0))))
      (call $step))
    (func (export "double") (param $turns i32) (param $x i32) (result i32)
      (call $log (local.get $x))
      (call $begin (local.get $turns) (i32.const 0) (i32.shl (local.get $x) (i32.const 1)) (i32.const 0)))
    (func (export "hush") (param $turns i32) (result i32)
      (call $begin (local.get $turns) (i32.const 3) (i32.const 0) (i32.const 0)))
    (func (export "say") (param $turns i32) (param $at i32) (param $length i32) (result i32)
      (call $log (i32.load8_u (local.get $at)))
      (call $begin (local.get $turns) (i32.const 1) (local.get $at) (local.get $length)))
    (func (export "wide") (param $turns i32) (param i32 i32 i32 i32 i32 i32) (result i32)
      (call $begin (local.get $turns) (i32.const 0)
        (i32.add (i32.add (local.get 1) (local.get 2)) (i32.mul (local.get 6) (i32.const 1000))) (i32.const 0)))
    (func (export "make") (param $turns i32) (param $x i32) (result i32)
      (call $begin (local.get $turns) (i32.const 2) (local.get $x) (i32.const 0)))
    (func (export "look") (param $turns i32) (param $rep i32) (result i32)
      (call $log (i32.add (i32.const 100) (local.get $rep)))
      (call $begin (local.get $turns) (i32.const 0) (i32.mul (local.get $rep) (i32.const 3)) (i32.const 0)))
    (func (export "give") (param $turns i32) (param $thing i32) (result i32)
      (local $rep i32)
      (local.set $rep (call $rep (local.get $thing)))
      (call $drop (local.get $thing))
      (call $begin (local.get $turns) (i32.const 0) (i32.mul (local.get $rep) (i32.const 5)) (i32.const 0)))
    (func (export "thing-now") (param i32) (result i32) (call $new (local.get 0))))
  (core instance $m (instantiate $M (with "" (instance
    (export "m" (memory $memory "m")) (export "log" (func $log)) (export "new" (func $new)) (export "drop" (func $drop))
    (export "rep" (func $rep)) (export "number" (func $number)) (export "text" (func $text)) (export "own" (func $own))
    (export "nothing" (func $nothing)) (export "cancel" (func $cancel)) (export "set-new" (func $set-new))
    (export "get" (func $get)) (export "set" (func $set))))))
  (func (export "double") async (param "t" u32) (param "x" u32) (result u32)
    (canon lift (core func $m "double") async (callback (core func $m "event"))))
  (func (export "hush") async (param "t" u32)
    (canon lift (core func $m "hush") async (callback (core func $m "event"))))
  (func (export "say") async (param "t" u32) (param "s" string) (result string)
    (canon lift (core func $m "say") async (callback (core func $m "event"))
      (memory (core memory $memory "m")) (realloc (core func $memory "realloc"))))
  (func (export "wide") async (param "t" u32) (param "a" u32) (param "b" u32) (param "c" u32) (param "d" u32)
    (param "e" u32) (param "f" u32) (result u32)
    (canon lift (core func $m "wide") async (callback (core func $m "event"))))
  (func (export "make") async (param "t" u32) (param "x" u32) (result (own $thing))
    (canon lift (core func $m "make") async (callback (core func $m "event"))))
  (func (export "look") async (param "t" u32) (param "x" (borrow $thing)) (result u32)
    (canon lift (core func $m "look") async (callback (core func $m "event"))))
  (func (export "give") async (param "t" u32) (param "x" (own $thing)) (result u32)
    (canon lift (core func $m "give") async (callback (core func $m "event"))))
  (func (export "thing-now") (param "x" u32) (result (own $thing)) (canon lift (core func $m "thing-now"))))
"""
"""Completes at once, after `t` turns, or never (99). A call that is cancelled with 50 turns left goes on."""

_IMPORTS: Final = """
  (import "log" (func $log (param "x" u32)))
  (import "thing" (type $thing (sub resource)))
  (import "double" (func $double async (param "t" u32) (param "x" u32) (result u32)))
  (import "hush" (func $hush async (param "t" u32)))
  (import "say" (func $say async (param "t" u32) (param "s" string) (result string)))
  (import "wide" (func $wide async (param "t" u32) (param "a" u32) (param "b" u32) (param "c" u32) (param "d" u32)
    (param "e" u32) (param "f" u32) (result u32)))
  (import "make" (func $make async (param "t" u32) (param "x" u32) (result (own $thing))))
  (import "look" (func $look async (param "t" u32) (param "x" (borrow $thing)) (result u32)))
  (import "give" (func $give async (param "t" u32) (param "x" (own $thing)) (result u32)))
  (import "thing-now" (func $thing-now (param "x" u32) (result (own $thing))))
"""
IMPORTS: Final = ("double", "hush", "say", "wide", "make", "look", "give", "thing-now")
"""The functions of the host."""

_LOWERS: Final = {
    "double": ("i32 i32 i32", "i32 i32"),
    "hush": ("i32", "i32"),
    "say": ("i32 i32 i32 i32", "i32 i32 i32 i32"),
    "wide": ("i32 i32", "i32 i32 i32 i32 i32 i32 i32"),
    "make": ("i32 i32 i32", "i32 i32"),
    "look": ("i32 i32 i32", "i32 i32"),
    "give": ("i32 i32 i32", "i32 i32"),
}
"""The core parameters of an async and a synchronous lower."""

_NO_RESULT: Final = ("hush", "say")
"""Those whose synchronous lower returns nothing."""


def second(bodies: dict[str, str], *, more: str = "", lower: str = "async") -> str:
    """The instance that asks the host. bodies: its functions, each the body of `(param $t i32) (param $x i32)`, with
    callbacks `done` (the event of a subtask) in `more`. lower: async, or empty for synchronous lowers and lifts."""
    async_ = lower == "async"
    options = f'{lower} (memory (core memory $memory "m")) (realloc (core func $memory "realloc"))'
    lowers = "\n".join(f"(core func ${name}' (canon lower (func ${name}) {options}))" for name in _LOWERS)

    def declared(name: str) -> str:
        params = _LOWERS[name][0 if async_ else 1]
        result = "(result i32)" if async_ or name not in _NO_RESULT else ""
        return f'(import "" "{name}" (func ${name} (param {params}) {result}))'

    result = "" if async_ else "(result i32)"
    functions = "\n".join(
        f'(func (export "{name}") (param $t i32) (param $x i32) (result i32) (local $s i32) (local $h i32) {body})'
        for name, body in bodies.items()
    )
    lift = 'async (callback (core func $m "callback"))' if async_ else ""
    lifts = "\n".join(
        f'(func (export "{name}") async (param "t" u32) (param "x" u32) (result u32)'
        f' (canon lift (core func $m "{name}") {lift}))'
        for name in bodies
    )
    items = {
        "log": "$log'", "thing-now": "$thing-now'", "drop": "$drop'", "return": "$return", "set-new": "$set-new",
        "join": "$join", "subtask-drop": "$subtask-drop", "subtask-cancel": "$subtask-cancel", "poll": "$poll",
        "get": "$get", "set": "$set",
    } | {name: f"${name}'" for name in _LOWERS}  # fmt: skip
    given = " ".join(f'(export "{name}" (func {func}))' for name, func in items.items())
    return f"""
(component $Second
  {_IMPORTS}
  (core module $Memory (memory (export "m") 1) (data (i32.const 512) "stone in the pond")
    (global $top (mut i32) (i32.const 4096))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (global.get $top)
      (global.set $top (i32.and (i32.add (i32.add (global.get $top) (local.get 3)) (i32.const 15)) (i32.const -16)))))
  (core instance $memory (instantiate $Memory))
  {lowers}
  (core func $log' (canon lower (func $log)))
  (core func $thing-now' (canon lower (func $thing-now)))
  (core func $drop' (canon resource.drop $thing))
  (core func $return (canon task.return (result u32)))
  (core func $set-new (canon waitable-set.new))
  (core func $poll (canon waitable-set.poll (memory (core memory $memory "m"))))
  (core func $join (canon waitable.join))
  (core func $subtask-drop (canon subtask.drop))
  (core func $subtask-cancel (canon subtask.cancel))
  (core func $get (canon context.get i32 0))
  (core func $set (canon context.set i32 0))
  (core module $M
    (import "" "m" (memory 1))
    (import "" "log" (func $log (param i32)))
    (import "" "thing-now" (func $thing-now (param i32) (result i32)))
    (import "" "drop" (func $drop (param i32)))
    (import "" "return" (func $return (param i32)))
    (import "" "set-new" (func $set-new (result i32)))
    (import "" "poll" (func $poll (param i32 i32) (result i32)))
    (import "" "join" (func $join (param i32 i32)))
    (import "" "subtask-drop" (func $subtask-drop (param i32)))
    (import "" "subtask-cancel" (func $subtask-cancel (param i32) (result i32)))
    (import "" "get" (func $get (result i32)))
    (import "" "set" (func $set (param i32)))
    {" ".join(map(declared, _LOWERS))}
    (global $calls (mut i32) (i32.const 0))
    ;; what a call of ours needs later: at +0 the result of the host's, +8 a thing, +12 its set
    (func $record (result i32)
      (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
      (call $set (i32.add (i32.const 1024) (i32.shl (global.get $calls) (i32.const 4))))
      (call $get))
    ;; the end of a call, or WAIT for its event
    (func $follow (param $status i32) (result i32)
      (call $log (i32.add (i32.const 200) (i32.and (local.get $status) (i32.const 15))))
      (if (i32.eq (i32.and (local.get $status) (i32.const 15)) (i32.const 2))
        (then (call $return (call $finish)) (return (i32.const 0))))
      (call $log (i32.add (i32.const 300) (i32.shr_u (local.get $status) (i32.const 4))))
      (i32.store offset=12 (call $get) (call $set-new))
      (call $join (i32.shr_u (local.get $status) (i32.const 4)) (i32.load offset=12 (call $get)))
      (i32.or (i32.const 2) (i32.shl (i32.load offset=12 (call $get)) (i32.const 4))))
    ;; the number that a call returns
    (func $finish (result i32)
      (if (i32.load offset=8 (call $get)) (then (call $drop (i32.load offset=8 (call $get)))))
      (i32.load (call $get)))
    {more or _DONE}
    {functions})
  (core instance $m (instantiate $M (with "" (instance (export "m" (memory $memory "m")) {given}))))
  {lifts if result or async_ else ""})
"""


_DONE: Final = """
    (func (export "callback") (param $code i32) (param $subtask i32) (param $state i32) (result i32)
      (call $log (i32.add (i32.mul (local.get $code) (i32.const 1000)) (local.get $state)))
      (call $log (local.get $subtask))
      (call $join (local.get $subtask) (i32.const 0))
      (call $subtask-drop (local.get $subtask))
      (call $return (call $finish))
      (i32.const 0))
"""


def first(names: list[str], *, lower: str = "async") -> str:
    """The instance that the host calls: each function calls the second's of its name. lower: as above; synchronous
    ones are called from synchronous lifts."""
    lowers, params = "", "(param i32 i32 i32) (result i32)" if lower == "async" else "(param i32 i32) (result i32)"
    imports = " ".join(
        f'(import "{name}" (func ${name} async (param "t" u32) (param "x" u32) (result u32)))' for name in names
    )
    lowers = " ".join(
        f"""(core func ${name}' (canon lower (func ${name}) {lower} (memory (core memory $memory "m"))))"""
        for name in names
    )
    declared = " ".join(f'(import "" "{name}" (func ${name} {params}))' for name in names)
    if lower == "async":
        body = "(call $follow (call ${} (local.get $t) (local.get $x) (call $record)))"
        lift = 'async (callback (core func $m "callback"))'
    else:
        body, lift = "(call ${} (local.get $t) (local.get $x))", ""
    functions = " ".join(
        f'(func (export "{name}") (param $t i32) (param $x i32) (result i32) {body.format(name)})' for name in names
    )
    lifts = " ".join(
        f'(func (export "{name}") async (param "t" u32) (param "x" u32) (result u32)'
        f' (canon lift (core func $m "{name}") {lift}))'
        for name in names
    )
    given = " ".join(f"""(export "{name}" (func ${name}'))""" for name in names)
    return f"""
(component $First
  {imports}
  (core module $Memory (memory (export "m") 1))
  (core instance $memory (instantiate $Memory))
  {lowers}
  (core func $return (canon task.return (result u32)))
  (core func $set-new (canon waitable-set.new))
  (core func $join (canon waitable.join))
  (core func $subtask-drop (canon subtask.drop))
  (core func $get (canon context.get i32 0))
  (core func $set (canon context.set i32 0))
  (core module $M
    (import "" "m" (memory 1))
    (import "" "return" (func $return (param i32)))
    (import "" "set-new" (func $set-new (result i32)))
    (import "" "join" (func $join (param i32 i32)))
    (import "" "subtask-drop" (func $subtask-drop (param i32)))
    (import "" "get" (func $get (result i32)))
    (import "" "set" (func $set (param i32)))
    {declared}
    (global $calls (mut i32) (i32.const 0))
    (func $record (result i32)
      (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
      (call $set (i32.add (i32.const 1024) (i32.shl (global.get $calls) (i32.const 4))))
      (call $get))
    (func $follow (param $status i32) (result i32)
      (local $set i32)
      (if (i32.eq (i32.and (local.get $status) (i32.const 15)) (i32.const 2))
        (then (call $return (i32.load (call $get))) (return (i32.const 0))))
      (local.set $set (call $set-new))
      (call $join (i32.shr_u (local.get $status) (i32.const 4)) (local.get $set))
      (i32.or (i32.const 2) (i32.shl (local.get $set) (i32.const 4))))
    (func (export "callback") (param $code i32) (param $subtask i32) (param $state i32) (result i32)
      (call $subtask-drop (local.get $subtask))
      (call $return (i32.load (call $get)))
      (i32.const 0))
    {functions})
  (core instance $m (instantiate $M (with "" (instance
    (export "m" (memory $memory "m")) (export "return" (func $return)) (export "set-new" (func $set-new))
    (export "join" (func $join)) (export "subtask-drop" (func $subtask-drop)) (export "get" (func $get))
    (export "set" (func $set)) {given}))))
  {lifts})
"""


def guests(second_: str, names: list[str], *, lower: str = "async", alone: bool = False) -> bytes:
    """The two instances as one component, whose imports are the host's. alone: the second without the first."""
    given = " ".join(f'(with "{name}" (func ${name}))' for name in ("log", *IMPORTS))
    asked = " ".join(f'(with "{name}" (func $second "{name}"))' for name in names)
    exported = "second" if alone else "first"
    exports = " ".join(f'(export "{name}" (func ${exported} "{name}"))' for name in names)
    front = "" if alone else f"{first(names, lower=lower)} (instance $first (instantiate $First {asked}))"
    return bytes(
        wat2wasm(f"""
(component
  {_IMPORTS}
  {second_}
  (instance $second (instantiate $Second (with "thing" (type $thing)) {given}))
  {front}
  {exports})""")
    )


def with_host(form: bytes, names: list[str]) -> bytes:
    """`form` of the two instances, in the host."""
    wires = [Wire("guests", name, "host", name) for name in ("thing", *IMPORTS)]
    return compose({"host": bytes(wat2wasm(HOST)), "guests": form}, wires, [Export("guests", name) for name in names])
