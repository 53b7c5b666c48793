"""A host that does things when it is told, as a component, and guests in text that use as much of it as they name.

HOST is the host, `instance` one guest, `component` all guests of a composition, whose imports are the host's; `alone`
is a component of one guest with one function. DRIVER is a component outside that calls guests and host by turns.
"""

from __future__ import annotations

from typing import Final

from wasmtime import wat2wasm

HOST: Final = """
(component
  (core module $Memory (memory (export "m") 1)
    (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024)))
  (core instance $memory (instantiate $Memory))
  (type $thing' (resource (rep i32)))
  (export $thing "thing" (type $thing'))
  (type $wake (stream)) (type $bytes (stream u8)) (type $letter (future char))
  (core func $new (canon resource.new $thing'))
  (core func $inc (canon backpressure.inc)) (core func $dec (canon backpressure.dec))
  (core func $number (canon task.return (result u32)))
  (core func $own (canon task.return (result (own $thing))))
  (core func $nothing (canon task.return)) (core func $cancel (canon task.cancel))
  (core func $set-new (canon waitable-set.new)) (core func $join (canon waitable.join))
  (core func $wake-new (canon stream.new $wake))
  (core func $wake-read (canon stream.read $wake async)) (core func $wake-write (canon stream.write $wake async))
  (core func $read (canon stream.read $bytes async (memory (core memory $memory "m"))))
  (core module $M
    (import "" "new" (func $new (param i32) (result i32)))
    (import "" "inc" (func $inc)) (import "" "dec" (func $dec))
    (import "" "number" (func $number (param i32))) (import "" "own" (func $own (param i32)))
    (import "" "nothing" (func $nothing)) (import "" "cancel" (func $cancel))
    (import "" "set-new" (func $set-new (result i32))) (import "" "join" (func $join (param i32 i32)))
    (import "" "wake-new" (func $wake-new (result i64)))
    (import "" "wake-read" (func $wake-read (param i32 i32 i32) (result i32)))
    (import "" "wake-write" (func $wake-write (param i32 i32 i32) (result i32)))
    (import "" "read" (func $stream-read (param i32 i32 i32) (result i32))) (import "" "m" (memory 1))
    (global $ends (mut i64) (i64.const 0)) (global $set (mut i32) (i32.const 0))
    (global $makes (mut i32) (i32.const 0)) (global $cancelled (mut i32) (i32.const 0))
    (global $kept (mut i32) (i32.const 0))
    ;; until `fulfil`
    (func $wait (result i32)
      (global.set $ends (call $wake-new)) (global.set $set (call $set-new))
      (drop (call $wake-read (i32.wrap_i64 (global.get $ends)) (i32.const 0) (i32.const 1)))
      (call $join (i32.wrap_i64 (global.get $ends)) (global.get $set))
      (i32.or (i32.const 2) (i32.shl (global.get $set) (i32.const 4))))
    (func (export "fulfil") (local $writable i32)
      (local.set $writable (i32.wrap_i64 (i64.shr_u (global.get $ends) (i64.const 32))))
      (drop (call $wake-write (local.get $writable) (i32.const 0) (i32.const 1))))
    (func (export "slow") (result i32) (call $wait))
    (func (export "make") (param $x i32) (result i32) (global.set $makes (local.get $x)) (call $wait))
    (func (export "event") (param $code i32) (param i32 i32) (result i32)
      (if (i32.eq (local.get $code) (i32.const 6))
        (then
          ;; it hears of the cancel, and takes its time nevertheless
          (global.set $cancelled (i32.const 1))
          (return (i32.or (i32.const 2) (i32.shl (global.get $set) (i32.const 4))))))
      (if (global.get $makes)
        (then (call $own (call $new (global.get $makes))))
        (else (if (global.get $cancelled) (then (call $cancel)) (else (call $nothing)))))
      (i32.const 0))
    (func (export "give") (param i32) (result i32) (call $number (i32.const 5)) (i32.const 0))
    (func (export "hold") (call $inc)) (func (export "let-in") (call $dec))
    (func (export "thing-now") (param i32) (result i32) (call $new (local.get 0)))
    (func (export "look") (param i32) (result i32) (local.get 0))
    (func (export "keep") (param i32) (global.set $kept (local.get 0)))
    (func (export "back") (result i32) (global.get $kept))
    (func (export "read") (param $n i32) (result i32)
      (call $stream-read (global.get $kept) (i32.const 64) (local.get $n)))
    (func (export "byte") (result i32) (i32.load8_u (i32.const 64))))
  (core instance $m (instantiate $M (with "" (instance
    (export "new" (func $new)) (export "inc" (func $inc)) (export "dec" (func $dec))
    (export "number" (func $number)) (export "own" (func $own)) (export "nothing" (func $nothing))
    (export "cancel" (func $cancel)) (export "set-new" (func $set-new)) (export "join" (func $join))
    (export "wake-new" (func $wake-new)) (export "wake-read" (func $wake-read))
    (export "wake-write" (func $wake-write)) (export "read" (func $read)) (export "m" (memory $memory "m"))))))
  (func (export "slow") async (canon lift (core func $m "slow") async (callback (core func $m "event"))))
  (func (export "make") async (param "x" u32) (result (own $thing))
    (canon lift (core func $m "make") async (callback (core func $m "event"))))
  (func (export "give") async (param "x" (own $thing)) (result u32)
    (canon lift (core func $m "give") async (callback (core func $m "event"))))
  (func (export "fulfil") (canon lift (core func $m "fulfil")))
  (func (export "hold") (canon lift (core func $m "hold")))
  (func (export "let-in") (canon lift (core func $m "let-in")))
  (func (export "thing-now") (param "x" u32) (result (own $thing)) (canon lift (core func $m "thing-now")))
  (func (export "look") (param "x" (borrow $thing)) (result u32) (canon lift (core func $m "look")))
  (func (export "keep") (param "s" (stream u8)) (canon lift (core func $m "keep")))
  (func (export "read") (param "n" u32) (result u32) (canon lift (core func $m "read")))
  (func (export "byte") (result u32) (canon lift (core func $m "byte")))
  (func (export "keep-letter") (param "f" (future char)) (canon lift (core func $m "keep")))
  (func (export "letter-back") (result (future char)) (canon lift (core func $m "back"))))
"""
"""`slow` and `make` take until `fulfil`, also if they are cancelled. `read` puts bytes where `byte` has the first."""

TYPES: Final = {
    "slow": "async",
    "make": 'async (param "x" u32) (result (own $thing))',
    "give": 'async (param "x" (own $thing)) (result u32)',
    "fulfil": "",
    "hold": "",
    "let-in": "",
    "thing-now": '(param "x" u32) (result (own $thing))',
    "look": '(param "x" (borrow $thing)) (result u32)',
    "keep": '(param "s" (stream u8))',
    "read": '(param "n" u32) (result u32)',
    "byte": "(result u32)",
    "keep-letter": '(param "f" (future char))',
    "letter-back": "(result (future char))",
}
"""The functions of the host."""

CORE: Final = {
    "slow": "(result i32)",
    "make": "(param i32 i32) (result i32)",
    "give": "(param i32 i32) (result i32)",
    "thing-now": "(param i32) (result i32)",
    "look": "(param i32) (result i32)",
    "keep": "(param i32)",
    "read": "(param i32) (result i32)",
    "byte": "(result i32)",
    "keep-letter": "(param i32)",
    "letter-back": "(result i32)",
}
"""How guests call them: what is of an async type with the option async."""

OPTIONS: Final = '(memory (core memory $memory "m")) (realloc (core func $memory "realloc"))'

BUILTINS: Final = {
    "return": ("task.return (result u32)", "(param i32)"),
    "cancel": ("subtask.cancel", "(param i32) (result i32)"),
    "drop": ("resource.drop $thing", "(param i32)"),
    "set-new": ("waitable-set.new", "(result i32)"),
    "poll": ('waitable-set.poll (memory (core memory $memory "m"))', "(param i32 i32) (result i32)"),
    "join": ("waitable.join", "(param i32 i32)"),
    "stream-new": ("stream.new $bytes", "(result i64)"),
    "stream-write": (f"stream.write $bytes async {OPTIONS}", "(param i32 i32 i32) (result i32)"),
    "cancel-write": ("stream.cancel-write $bytes", "(param i32) (result i32)"),
    "letter-new": ("future.new $letter", "(result i64)"),
    "letter-read": (f"future.read $letter async {OPTIONS}", "(param i32 i32) (result i32)"),
    "letter-write": (f"future.write $letter async {OPTIONS}", "(param i32 i32) (result i32)"),
}


def instance(name: str, used: list[str], code: str, lifts: str, more: dict[str, tuple[str, str]] | None = None) -> str:
    """A guest that uses so much of the host and of `BUILTINS`. more: functions of other guests, with both types."""
    others = {} if more is None else more
    host, builtins = [each for each in used if each in TYPES], [each for each in used if each in BUILTINS]
    imports = [f'(import "{each}" (func ${each} {TYPES[each]}))' for each in host]
    imports += [f'(import "{each}" (func ${each} {of}))' for each, (of, _) in others.items()]
    lowers = [
        f"(core func ${each}' (canon lower (func ${each}) {'async' if of.startswith('async') else ''} {OPTIONS}))"
        for each, of in [(each, TYPES[each]) for each in host] + [(each, of) for each, (of, _) in others.items()]
    ]
    lowers += [f"(core func ${each}' (canon {BUILTINS[each][0]}))" for each in builtins]
    core = {each: CORE.get(each, "") for each in host} | {each: of for each, (_, of) in others.items()}
    core |= {each: BUILTINS[each][1] for each in builtins}
    declared = " ".join(f'(import "" "{each}" (func ${each} {of}))' for each, of in core.items())
    given = " ".join(f"""(export "{each}" (func ${each}'))""" for each in core)
    return f"""
    (component ${name}
      (import "thing" (type $thing (sub resource)))
      {" ".join(imports)}
      (type $bytes (stream u8)) (type $letter (future char))
      (core module $Memory (memory (export "m") 1)
        (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 1024)))
      (core instance $memory (instantiate $Memory))
      {" ".join(lowers)}
      (core module $M (import "" "m" (memory 1)) {declared} {code})
      (core instance $m (instantiate $M (with "" (instance (export "m" (memory $memory "m")) {given}))))
      {lifts})"""


def component(body: str) -> bytes:
    """Guests in a component that imports all that the host has."""
    imports = " ".join(f'(import "{name}" (func ${name} {of}))' for name, of in TYPES.items())
    return bytes(wat2wasm(f'(component (import "thing" (type $thing (sub resource))) {imports} {body})'))


def given(*names: str) -> str:
    """The arguments of an instantiation that are the host's."""
    return " ".join(['(with "thing" (type $thing))', *(f'(with "{name}" (func ${name}))' for name in names)])


RUN: Final = """(func (export "run") async (result u32)
  (canon lift (core func $m "run") async (callback (core func $m "callback"))))"""
NO_CALLBACK: Final = '(func (export "callback") (param i32 i32 i32) (result i32) unreachable)'


def alone(used: list[str], body: str) -> bytes:
    """One guest, whose `run` does `body`, which leaves the result on the stack."""
    code = f"""
      (func (export "run") (result i32) (local $a i32) (local $b i32) (local $e i64)
        (call $return {body}) (i32.const 0))
      {NO_CALLBACK}"""
    names = [name for name in used if name in TYPES]
    return component(f"""
      {instance("Guest", ["return", *used], code, RUN)}
      (instance $guest (instantiate $Guest {given(*names)}))
      (export "run" (func $guest "run"))""")


DRIVER: Final = """
(component
  (import "start" (func $start async (result u32)))
  (import "peek" (func $peek (result u32)))
  (import "fulfil" (func $fulfil))
  (type $wake (stream))
  (core module $Memory (memory (export "m") 1)) (core instance $memory (instantiate $Memory))
  (core func $start' (canon lower (func $start) async (memory (core memory $memory "m"))))
  (core func $peek' (canon lower (func $peek))) (core func $fulfil' (canon lower (func $fulfil)))
  (core func $return (canon task.return (result u32)))
  (core func $set-new (canon waitable-set.new)) (core func $join (canon waitable.join))
  (core func $new (canon stream.new $wake))
  (core func $read (canon stream.read $wake async)) (core func $write (canon stream.write $wake async))
  (core module $M
    (import "" "start" (func $start (param i32) (result i32)))
    (import "" "peek" (func $peek (result i32))) (import "" "fulfil" (func $fulfil))
    (import "" "return" (func $return (param i32)))
    (import "" "set-new" (func $set-new (result i32))) (import "" "join" (func $join (param i32 i32)))
    (import "" "new" (func $new (result i64)))
    (import "" "read" (func $read (param i32 i32 i32) (result i32)))
    (import "" "write" (func $write (param i32 i32 i32) (result i32)))
    (func (export "run") (result i32) (local $e i64) (local $s i32)
      (drop (call $start (i32.const 16)))
      (local.set $e (call $new)) (local.set $s (call $set-new))
      (drop (call $read (i32.wrap_i64 (local.get $e)) (i32.const 0) (i32.const 1)))
      (call $join (i32.wrap_i64 (local.get $e)) (local.get $s))
      ;; the host is ready to return before we are ready to look, and the guest hears of it after that
      (call $fulfil)
      (drop (call $write (i32.wrap_i64 (i64.shr_u (local.get $e) (i64.const 32))) (i32.const 0) (i32.const 1)))
      (i32.or (i32.const 2) (i32.shl (local.get $s) (i32.const 4))))
    (func (export "callback") (param i32 i32 i32) (result i32) (call $return (call $peek)) (i32.const 0)))
  (core instance $m (instantiate $M (with "" (instance
    (export "start" (func $start')) (export "peek" (func $peek')) (export "fulfil" (func $fulfil'))
    (export "return" (func $return)) (export "set-new" (func $set-new)) (export "join" (func $join))
    (export "new" (func $new)) (export "read" (func $read)) (export "write" (func $write))))))
  (func (export "run") async (result u32)
    (canon lift (core func $m "run") async (callback (core func $m "callback")))))
"""
"""Starts a call of the guests, lets the host return, and has a look at the guests before they hear of that."""
