"""A guest that yields on its stack, a worker whose tasks go on meanwhile, and a component that stands for the host.

The guest and its worker are one component (`inside`), which is composed with `HOST` in either form. The worker's tasks
are called asynchronously, so that nothing of either can be left to the engine.
"""

from __future__ import annotations

from typing import Final

from wasmtime import wat2wasm

U32: Final = '(param "x" u32) (result u32)'

HOST: Final = """
(component
  (core func $return (canon task.return (result u32)))
  (core module $M
    (import "" "return" (func $return (param i32)))
    (global $left (mut i32) (i32.const 0))
    (global $began (mut i32) (i32.const 0))
    ;; returns at once, and goes on for so many turns
    (func (export "begin") (param i32) (result i32)
      (global.set $began (i32.add (global.get $began) (i32.const 1)))
      (global.set $left (local.get 0))
      (call $return (local.get 0))
      (i32.const 1))
    (func (export "event") (param i32 i32 i32) (result i32)
      (if (i32.eqz (global.get $left)) (then (return (i32.const 0))))
      (global.set $left (i32.sub (global.get $left) (i32.const 1)))
      (i32.const 1))
    (func (export "left") (param i32) (result i32) (global.get $left))
    ;; takes so many turns, and returns then
    (func (export "slow") (param i32) (result i32) (global.set $left (local.get 0)) (i32.const 1))
    (func (export "turn") (param i32 i32 i32) (result i32)
      (if (global.get $left)
        (then (global.set $left (i32.sub (global.get $left) (i32.const 1))) (return (i32.const 1))))
      (call $return (i32.const 5))
      (i32.const 0)))
  (core instance $m (instantiate $M (with "" (instance (export "return" (func $return))))))
  (func (export "slow") async (param "x" u32) (result u32)
    (canon lift (core func $m "slow") async (callback (core func $m "turn"))))
  (func (export "begin") async (param "x" u32) (result u32)
    (canon lift (core func $m "begin") async (callback (core func $m "event"))))
  (func (export "left") (param "x" u32) (result u32) (canon lift (core func $m "left"))))
"""
"""`begin` something that takes some turns; `left` says how many, and takes no time itself. `slow` takes them all."""

WORKER: Final = f"""
(component $Worker
  (import "slow" (func $slow async {U32}))
  (core module $Memory (memory (export "m") 1))
  (core instance $memory (instantiate $Memory))
  (core func $slow' (canon lower (func $slow) async (memory (core memory $memory "m"))))
  (core func $set-new (canon waitable-set.new))
  (core func $join (canon waitable.join))
  (core func $drop (canon subtask.drop))
  (core func $return (canon task.return (result u32)))
  (core func $get (canon context.get i32 0))
  (core func $set (canon context.set i32 0))
  (core module $M
    (import "" "return" (func $return (param i32)))
    (import "" "get" (func $get (result i32)))
    (import "" "set" (func $set (param i32)))
    (import "" "slow" (func $slow (param i32 i32) (result i32)))
    (import "" "set-new" (func $set-new (result i32)))
    (import "" "join" (func $join (param i32 i32)))
    (import "" "drop" (func $drop (param i32)))
    (func (export "ask") (param i32) (result i32)
      (call $set (call $set-new))
      (call $join (i32.shr_u (call $slow (local.get 0) (i32.const 64)) (i32.const 4)) (call $get))
      (i32.or (i32.const 2) (i32.shl (call $get) (i32.const 4))))
    (func (export "told") (param $code i32) (param $subtask i32) (param i32) (result i32)
      (global.set $steps (i32.add (global.get $steps) (i32.const 1)))
      (call $drop (local.get $subtask))
      (call $return (global.get $steps))
      (i32.const 0))
    (global $steps (mut i32) (i32.const 0))
    (func (export "work") (param i32) (result i32) (call $set (local.get 0)) (i32.const 1))
    (func (export "step") (param i32 i32 i32) (result i32)
      (global.set $steps (i32.add (global.get $steps) (i32.const 1)))
      (call $set (i32.sub (call $get) (i32.const 1)))
      (if (i32.gt_s (call $get) (i32.const 0)) (then (return (i32.const 1))))
      (call $return (global.get $steps))
      (i32.const 0))
    (func (export "steps") (param i32) (result i32) (global.get $steps)))
  (core instance $m (instantiate $M (with "" (instance
    (export "return" (func $return)) (export "get" (func $get)) (export "set" (func $set))
    (export "slow" (func $slow')) (export "set-new" (func $set-new)) (export "join" (func $join))
    (export "drop" (func $drop))))))
  (func (export "ask") async {U32} (canon lift (core func $m "ask") async (callback (core func $m "told"))))
  (func (export "work") async {U32} (canon lift (core func $m "work") async (callback (core func $m "step"))))
  (func (export "steps") {U32} (canon lift (core func $m "steps"))))
"""
"""`work` takes so many turns, `ask` the time of the host's `slow`; `steps` counts the turns of all."""

IMPORTS: Final = {"begin": "async ", "left": "", "work": "async ", "ask": "async ", "steps": ""}
OUTER: Final = ("begin", "left", "slow")
"""Functions of the host."""


def guest(bodies: dict[str, str], lifts: str, *, more: str = "") -> str:
    """bodies: core functions `(param $x i32) (result i32)` by name. lifts: what the guest exports."""
    imports = " ".join(f'(import "{name}" (func ${name} {async_}{U32}))' for name, async_ in IMPORTS.items())
    names = ["begin'", "left'", "steps'", "work'", "ask'", "yield", "get", "set"]
    given = " ".join(f'(export "{name}" (func ${name}))' for name in names)
    functions = " ".join(
        f'(func ${name} (export "{name}") (param $x i32) (result i32) (local $n i32) {body})'
        for name, body in bodies.items()
    )
    return f"""
(component $Guest
  {imports}
  (core module $Memory (memory (export "m") 1))
  (core instance $memory (instantiate $Memory))
  (core func $begin' (canon lower (func $begin)))
  (core func $left' (canon lower (func $left)))
  (core func $steps' (canon lower (func $steps)))
  (core func $work' (canon lower (func $work) async (memory (core memory $memory "m"))))
  (core func $ask' (canon lower (func $ask) async (memory (core memory $memory "m"))))
  (core func $yield (canon thread.yield))
  (core func $get (canon context.get i32 0))
  (core func $set (canon context.set i32 0))
  (core module $M
    (import "" "m" (memory 1))
    (import "" "begin'" (func $begin (param i32) (result i32)))
    (import "" "left'" (func $left (param i32) (result i32)))
    (import "" "steps'" (func $steps (param i32) (result i32)))
    (import "" "work'" (func $work (param i32 i32) (result i32)))
    (import "" "ask'" (func $ask (param i32 i32) (result i32)))
    (import "" "yield" (func $yield (result i32)))
    (import "" "get" (func $get (result i32)))
    (import "" "set" (func $set (param i32)))
    {more}
    {functions})
  (core instance $m (instantiate $M (with "" (instance (export "m" (memory $memory "m")) {given}))))
  {lifts})"""


def lifts(*names: str, async_: bool = True) -> str:
    return " ".join(
        f'(func (export "{name}") {"async " * async_}{U32} (canon lift (core func $m "{name}")))' for name in names
    )


def inside(guest: str, exports: list[str], *, more: str = "") -> bytes:
    """`guest` and its worker, whose imports are the host's."""
    types = IMPORTS | {"slow": "async "}
    imports = " ".join(f'(import "{name}" (func ${name} {types[name]}{U32}))' for name in OUTER)
    given = " ".join(f'(with "{name}" (func ${name}))' for name in ("begin", "left"))
    worker = " ".join(f'(with "{name}" (func $worker "{name}"))' for name in ("work", "ask", "steps"))
    exported = " ".join(f'(export "{name}" (func $guest "{name}"))' for name in exports)
    return bytes(
        wat2wasm(f"""
(component {imports} {WORKER} {guest}
  (instance $worker (instantiate $Worker (with "slow" (func $slow))))
  (instance $guest (instantiate $Guest {given} {worker}))
  {more} {exported})""")
    )
