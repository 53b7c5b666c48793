"""What calls of async functions, streams and futures cost between two components, composed and fused.

A consumer exports `run(n)`, an async function, which does one thing n times in a loop, so that the host's own call cost
drops out. Words on the command line choose the rows whose names contain one of them.
"""

from __future__ import annotations

import sys
from typing import NamedTuple

import crossing
from timing import heading, row

crossing.SECONDS = 0.1
"""Composed, so that the fused form of a hundredth of that is still well above the cost of the host's one call."""

LIBC = '(core module $Libc (memory (export "m") 8)) (core instance $libc (instantiate $Libc))'
MEMORY = '(memory (core memory $libc "m"))'


class Func(NamedTuple):
    """A core import of a guest: its name there, its core type, its canon definition."""

    name: str
    type: str
    canon: str


def guest(name: str, imports: str, funcs: list[Func], code: str, exports: str) -> str:
    """A component with one core module."""
    canons = "\n".join(f"(core func ${each.name} {each.canon})" for each in funcs)
    core = "\n".join(f'(import "" "{each.name}" (func ${each.name} {each.type}))' for each in funcs)
    given = " ".join(f'(export "{each.name}" (func ${each.name}))' for each in funcs)
    return f"""
    (component ${name} {imports} {LIBC} {canons}
      (core module $M (import "libc" "m" (memory 8)) {core} {code})
      (core instance $m (instantiate $M (with "libc" (instance $libc)) (with "" (instance {given}))))
      {exports})"""


RETURN = Func("return", "(param i32)", "(canon task.return (result u32))")
GET = Func("get", "(result i32)", "(canon context.get i32 0)")
SET = Func("set", "(param i32)", "(canon context.set i32 0)")
NEW_SET = Func("new-set", "(result i32)", "(canon waitable-set.new)")
JOIN = Func("join", "(param i32 i32)", "(canon waitable.join)")
WAIT = Func("wait", "(param i32 i32) (result i32)", f"(canon waitable-set.wait {MEMORY})")
DROP = Func("drop", "(param i32)", "(canon subtask.drop)")
SYNC = Func("f", "(param i32) (result i32)", "(canon lower (func $f))")
ASYNC = Func("f", "(param i32 i32) (result i32)", f"(canon lower (func $f) async {MEMORY})")
TYPE = 'async (param "x" u32) (result u32)'
CALLBACK = 'async (callback (core func $m "callback"))'

CALLEE = guest(
    "Provider", "", [RETURN, GET, SET],
    """
    (func (export "sync") (param $x i32) (result i32) (i32.add (local.get $x) (i32.const 1)))
    (func (export "now") (param $x i32) (result i32)
      (call $return (i32.add (local.get $x) (i32.const 1)))
      (i32.const 0))
    (func (export "later") (param $x i32) (result i32) (call $set (local.get $x)) (i32.const 1))
    (func (export "callback") (param i32 i32 i32) (result i32)
      (call $return (i32.add (call $get) (i32.const 1)))
      (i32.const 0))""",
    f"""
    (func (export "sync") {TYPE} (canon lift (core func $m "sync")))
    (func (export "now") {TYPE} (canon lift (core func $m "now") {CALLBACK}))
    (func (export "later") {TYPE} (canon lift (core func $m "later") {CALLBACK}))""",
)  # fmt: skip

RUN = '(func (export "run") async (param "n" u32) (canon lift (core func $m "run")))'


def looping(body: str, before: str = "", after: str = "") -> str:
    """The core function `run`."""
    return f"""
    (func (export "run") (param $n i32) (local $s i32) (local $set i32) (local $end i32)
      (local.set $set (call $new-set))
      {before}
      (loop $again
        {body}
        (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
      {after})"""


def pair(provider: str, consumer: str, name: str) -> str:
    return f"""
    (component
      {provider}
      {consumer}
      (instance $p (instantiate $Provider))
      (instance $c (instantiate $Consumer (with "f" (func $p "{name}"))))
      (export "run" (func $c "run")))"""


FOLLOWED = """
        (local.set $s (call $f (local.get $n) (i32.const 16)))
        (if (i32.ne (local.get $s) (i32.const 2))
          (then
            (local.set $s (i32.shr_u (local.get $s) (i32.const 4)))
            (call $join (local.get $s) (local.get $set))
            (drop (call $wait (local.get $set) (i32.const 32)))
            (call $drop (local.get $s))))"""
"""An async lower, waited for."""


def call(name: str, lower: Func) -> str:
    """A consumer that calls one function of CALLEE."""
    body = "(drop (call $f (local.get $n)))" if lower is SYNC else FOLLOWED
    funcs = [lower, NEW_SET, JOIN, WAIT, DROP]
    return pair(CALLEE, guest("Consumer", f'(import "f" (func $f {TYPE}))', funcs, looping(body), RUN), name)


# --- streams --------------------------------------------------------------------------------------------------------
def end(what: str, op: str, type: str = "$s") -> Func:
    core = {
        "new": "(result i64)",
        "drop-readable": "(param i32)",
        "drop-writable": "(param i32)",
        "read": "(param i32 i32 i32) (result i32)" if what == "stream" else "(param i32 i32) (result i32)",
        "write": "(param i32 i32 i32) (result i32)" if what == "stream" else "(param i32 i32) (result i32)",
    }[op]
    options = f"async {MEMORY}" if op in ("read", "write") else ""
    return Func(op, core, f"(canon {what}.{op} {type} {options})")


def stream(element: str, count: int) -> str:
    """A provider that writes `count` elements again and again, and a consumer that reads as many each time."""
    given = Func("return", "(param i32)", "(canon task.return (result $s))")
    provider = guest(
        "Provider", f"(type $s (stream {element}))",
        [given, NEW_SET, JOIN, end("stream", "new"), end("stream", "write")],
        f"""
        (global $end (mut i32) (i32.const 0)) (global $set-of (mut i32) (i32.const 0))
        (func $go (result i32)
          (loop $more
            (br_if $more
              (i32.ne (call $write (global.get $end) (i32.const 65536) (i32.const {count})) (i32.const -1))))
          (i32.or (i32.const 2) (i32.shl (global.get $set-of) (i32.const 4))))
        (func (export "f") (result i32)
          (local $ends i64)
          (local.set $ends (call $new))
          (global.set $end (i32.wrap_i64 (i64.shr_u (local.get $ends) (i64.const 32))))
          (global.set $set-of (call $new-set))
          (call $return (i32.wrap_i64 (local.get $ends)))
          (drop (call $write (global.get $end) (i32.const 65536) (i32.const {count})))
          (call $join (global.get $end) (global.get $set-of))
          (i32.or (i32.const 2) (i32.shl (global.get $set-of) (i32.const 4))))
        (func (export "callback") (param i32 i32 i32) (result i32)
          ;; the reader is gone
          (if (i32.eq (i32.and (local.get 2) (i32.const 15)) (i32.const 1)) (then (return (i32.const 0))))
          (call $go))""",
        f'(func (export "f") async (result $s) (canon lift (core func $m "f") {CALLBACK}))',
    )  # fmt: skip
    open_ = Func("f", "(result i32)", "(canon lower (func $f))")
    consumer = guest(
        "Consumer", f'(type $s (stream {element})) (import "f" (func $f async (result $s)))',
        [open_, NEW_SET, JOIN, WAIT, end("stream", "read"), end("stream", "drop-readable")],
        looping(
            f"""
            (if (i32.eq (call $read (local.get $end) (i32.const 65536) (i32.const {count})) (i32.const -1))
              (then
                (call $join (local.get $end) (local.get $set))
                (drop (call $wait (local.get $set) (i32.const 32)))
                (call $join (local.get $end) (i32.const 0))))""",
            "(local.set $end (call $f))",
            "(call $drop-readable (local.get $end))",
        ),
        RUN,
    )  # fmt: skip
    return pair(provider, consumer, "f")


def future() -> str:
    """A provider that returns a future and writes to it; the consumer reads it. Both drop their ends."""
    given = Func("return", "(param i32)", "(canon task.return (result $s))")
    provider = guest(
        "Provider", "(type $s (future u32))",
        [given, NEW_SET, JOIN, end("future", "new"), end("future", "write"), end("future", "drop-writable")],
        """
        (global $set-of (mut i32) (i32.const 0))
        (func (export "f") (result i32)
          (local $ends i64) (local $end i32)
          (if (i32.eqz (global.get $set-of)) (then (global.set $set-of (call $new-set))))
          (local.set $ends (call $new))
          (local.set $end (i32.wrap_i64 (i64.shr_u (local.get $ends) (i64.const 32))))
          (call $return (i32.wrap_i64 (local.get $ends)))
          (drop (call $write (local.get $end) (i32.const 16)))
          (call $join (local.get $end) (global.get $set-of))
          (i32.or (i32.const 2) (i32.shl (global.get $set-of) (i32.const 4))))
        (func (export "callback") (param i32) (param $end i32) (param i32) (result i32)
          (call $drop-writable (local.get $end))
          (i32.const 0))""",
        f'(func (export "f") async (result $s) (canon lift (core func $m "f") {CALLBACK}))',
    )  # fmt: skip
    open_ = Func("f", "(result i32)", "(canon lower (func $f))")
    consumer = guest(
        "Consumer", '(type $s (future u32)) (import "f" (func $f async (result $s)))',
        [open_, NEW_SET, JOIN, WAIT, end("future", "read"), end("future", "drop-readable")],
        looping(
            """
            (local.set $end (call $f))
            (if (i32.eq (call $read (local.get $end) (i32.const 16)) (i32.const -1))
              (then
                (call $join (local.get $end) (local.get $set))
                (drop (call $wait (local.get $set) (i32.const 32)))))
            (call $drop-readable (local.get $end))"""
        ),
        RUN,
    )  # fmt: skip
    return pair(provider, consumer, "f")


# --- a chain --------------------------------------------------------------------------------------------------------
def chain(handler: str) -> str:
    """Two middlewares before a handler, each a callback lift that calls the next one asynchronously."""
    middle = guest(
        "Middle", f'(import "f" (func $f {TYPE}))', [ASYNC, RETURN, GET, SET, NEW_SET, JOIN, DROP],
        """
        (global $set-of (mut i32) (i32.const 0))
        (func (export "handle") (param $x i32) (result i32)
          (local $s i32)
          (local.set $s (call $f (local.get $x) (i32.const 16)))
          (if (i32.eq (local.get $s) (i32.const 2))
            (then (call $return (i32.add (i32.load (i32.const 16)) (i32.const 1))) (return (i32.const 0))))
          (if (i32.eqz (global.get $set-of)) (then (global.set $set-of (call $new-set))))
          (call $join (i32.shr_u (local.get $s) (i32.const 4)) (global.get $set-of))
          (i32.or (i32.const 2) (i32.shl (global.get $set-of) (i32.const 4))))
        (func (export "callback") (param i32) (param $subtask i32) (param i32) (result i32)
          (call $drop (local.get $subtask))
          (call $return (i32.add (i32.load (i32.const 16)) (i32.const 1)))
          (i32.const 0))""",
        f'(func (export "handle") {TYPE} (canon lift (core func $m "handle") {CALLBACK}))',
    )  # fmt: skip
    consumer = guest(
        "Consumer", f'(import "f" (func $f {TYPE}))', [ASYNC, NEW_SET, JOIN, WAIT, DROP], looping(FOLLOWED), RUN
    )
    return f"""
    (component
      {CALLEE}
      {middle}
      {consumer}
      (instance $handler (instantiate $Provider))
      (instance $inner (instantiate $Middle (with "f" (func $handler "{handler}"))))
      (instance $outer (instantiate $Middle (with "f" (func $inner "handle"))))
      (instance $c (instantiate $Consumer (with "f" (func $outer "handle"))))
      (export "run" (func $c "run")))"""


CASES = {
    "sync lower, sync lift, async type": call("sync", SYNC),
    "sync lower, callback, at once": call("now", SYNC),
    "sync lower, callback, blocks once": call("later", SYNC),
    "async lower, sync lift": call("sync", ASYNC),
    "async lower, callback, at once": call("now", ASYNC),
    "async lower, callback, blocks once": call("later", ASYNC),
    "stream, 1 of nothing": stream("", 1),
    "stream<u8>, 1 element": stream("u8", 1),
    "stream<u32>, 1 element": stream("u32", 1),
    "stream<u8>, 4 KiB": stream("u8", 4096),
    "stream<u8>, 64 KiB": stream("u8", 65536),
    "future<u32> round trip": future(),
    "three stages, at once": chain("now"),
    "three stages, the last blocks once": chain("later"),
}
CHAIN_CALLS = {"three stages, at once": 100_000, "three stages, the last blocks once": 50_000}
"""The binding polls a call that yields no more than 100,000 times."""


def main() -> None:
    chosen = sys.argv[1:]
    heading("one call, element, chunk, round trip")
    for name, text in CASES.items():
        if chosen and not any(word in name for word in chosen):
            continue
        if name in CHAIN_CALLS:
            found, calls = crossing.measure_fresh(text, CHAIN_CALLS[name]), CHAIN_CALLS[name]
        else:
            found, calls = crossing.measure(text)
        row(name, found, "ns", 1e9 / calls)


if __name__ == "__main__":
    main()
