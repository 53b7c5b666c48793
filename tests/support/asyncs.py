"""Small components with async-typed functions, in text: guests to call, and what stands for a slow host.

The embedded engine's binding has no host functions of async type. Where a test wants one, a component outside takes the
host's place, composed with either form: `HOST` completes now, after a number of turns, or never.
"""

from __future__ import annotations

from typing import Final

BUILTINS: Final = """
  (core func $return (canon task.return (result u32)))
  (core func $set-new (canon waitable-set.new))
  (core func $set-wait (canon waitable-set.wait (memory (core memory $memory "m"))))
  (core func $join (canon waitable.join))
  (core func $subtask-drop (canon subtask.drop))
  (core func $yield (canon thread.yield))
"""

HOST: Final = """
(component $Host
  (core module $Memory (memory (export "m") 1))
  (core instance $memory (instantiate $Memory))
  (core func $return (canon task.return (result u32)))
  (core func $set-new (canon waitable-set.new))
  (core func $context.get (canon context.get i32 0))
  (core func $context.set (canon context.set i32 0))
  (core module $M
    (import "" "return" (func $return (param i32)))
    (import "" "set-new" (func $set-new (result i32)))
    (import "" "get" (func $get (result i32)))
    (import "" "set" (func $set (param i32)))
    (memory 1)
    (global $calls (mut i32) (i32.const 0))
    ;; a call's record: turns left, its argument; its address is in the context
    (func $step (result i32)
      (local $at i32)
      (local.set $at (call $get))
      (if (i32.eqz (i32.load (local.get $at)))
        (then
          (call $return (i32.mul (i32.load offset=4 (local.get $at)) (i32.const 2)))
          (return (i32.const 0))))
      (i32.store (local.get $at) (i32.sub (i32.load (local.get $at)) (i32.const 1)))
      (i32.const 1))
    (func (export "later") (param $turns i32) (param $x i32) (result i32)
      (local $at i32)
      (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
      (local.set $at (i32.mul (i32.and (global.get $calls) (i32.const 1023)) (i32.const 8)))
      (call $set (local.get $at))
      (i32.store (local.get $at) (local.get $turns))
      (i32.store offset=4 (local.get $at) (local.get $x))
      (call $step))
    (func (export "step") (param i32 i32 i32) (result i32) (call $step))
    (func (export "never") (param i32) (result i32)
      (i32.or (i32.const 2) (i32.shl (call $set-new) (i32.const 4))))
    (func (export "now") (param $x i32) (result i32)
      (call $return (i32.mul (local.get $x) (i32.const 2)))
      (i32.const 0)))
  (core instance $m (instantiate $M (with "" (instance
    (export "return" (func $return)) (export "set-new" (func $set-new))
    (export "get" (func $context.get)) (export "set" (func $context.set))))))
  (func (export "now") async (param "x" u32) (result u32)
    (canon lift (core func $m "now") async (callback (core func $m "step"))))
  (func (export "later") async (param "turns" u32) (param "x" u32) (result u32)
    (canon lift (core func $m "later") async (callback (core func $m "step"))))
  (func (export "never") async (param "x" u32) (result u32)
    (canon lift (core func $m "never") async (callback (core func $m "step")))))
"""
"""Doubles a number: `now`, `later` after so many turns, or `never`."""

GUEST: Final = f"""
(component $Guest
  (import "now" (func $now async (param "x" u32) (result u32)))
  (import "later" (func $later async (param "turns" u32) (param "x" u32) (result u32)))
  (import "never" (func $never async (param "x" u32) (result u32)))
  (core module $Memory (memory (export "m") 1))
  (core instance $memory (instantiate $Memory))
  (core func $now (canon lower (func $now) async (memory (core memory $memory "m"))))
  (core func $later (canon lower (func $later) async (memory (core memory $memory "m"))))
  (core func $never (canon lower (func $never) async (memory (core memory $memory "m"))))
  (core func $later-blocking (canon lower (func $later)))
  {BUILTINS}
  (core module $M
    (import "" "m" (memory 1))
    (import "" "now" (func $now (param i32 i32) (result i32)))
    (import "" "later" (func $later (param i32 i32 i32) (result i32)))
    (import "" "never" (func $never (param i32 i32) (result i32)))
    (import "" "later-blocking" (func $later-blocking (param i32 i32) (result i32)))
    (import "" "return" (func $return (param i32)))
    (import "" "set-new" (func $set-new (result i32)))
    (import "" "set-wait" (func $set-wait (param i32 i32) (result i32)))
    (import "" "join" (func $join (param i32 i32)))
    (import "" "subtask-drop" (func $subtask-drop (param i32)))
    ;; the result if it is there, else WAIT for it
    (func $follow (param $status i32) (result i32)
      (local $set i32)
      (if (i32.eq (i32.and (local.get $status) (i32.const 15)) (i32.const 2))
        (then (call $return (i32.load (i32.const 64))) (return (i32.const 0))))
      (local.set $set (call $set-new))
      (call $join (i32.shr_u (local.get $status) (i32.const 4)) (local.get $set))
      (i32.or (i32.const 2) (i32.shl (local.get $set) (i32.const 4))))
    (func (export "now") (param i32) (result i32)
      (call $follow (call $now (local.get 0) (i32.const 64))))
    (func (export "later") (param i32 i32) (result i32)
      (call $follow (call $later (local.get 0) (local.get 1) (i32.const 64))))
    (func (export "never") (param i32) (result i32)
      (call $follow (call $never (local.get 0) (i32.const 64))))
    (func (export "event") (param $event i32) (param $subtask i32) (param $state i32) (result i32)
      ;; SUBTASK, RETURNED
      (if (i32.ne (i32.or (i32.shl (local.get $event) (i32.const 4)) (local.get $state)) (i32.const 0x12))
        (then unreachable))
      (call $subtask-drop (local.get $subtask))
      (call $return (i32.load (i32.const 64)))
      (i32.const 0))
    ;; two at a time, awaited on the stack in a set, whichever comes first
    (func (export "both") (param $turns i32) (param $x i32) (result i32)
      (local $set i32)
      (local $left i32)
      (local $status i32)
      (local $sum i32)
      (local.set $set (call $set-new))
      (local.set $status (call $later (local.get $turns) (local.get $x) (i32.const 64)))
      (if (i32.shr_u (local.get $status) (i32.const 4))
        (then
          (local.set $left (i32.add (local.get $left) (i32.const 1)))
          (call $join (i32.shr_u (local.get $status) (i32.const 4)) (local.get $set))))
      (local.set $status (call $now (local.get $x) (i32.const 68)))
      (if (i32.shr_u (local.get $status) (i32.const 4))
        (then
          (local.set $left (i32.add (local.get $left) (i32.const 1)))
          (call $join (i32.shr_u (local.get $status) (i32.const 4)) (local.get $set))))
      (loop $more
        (if (local.get $left)
          (then
            (drop (call $set-wait (local.get $set) (i32.const 32)))
            (if (i32.eq (i32.load (i32.const 36)) (i32.const 2))
              (then
                (call $subtask-drop (i32.load (i32.const 32)))
                (local.set $left (i32.sub (local.get $left) (i32.const 1)))))
            (br $more))))
      (i32.add (i32.load (i32.const 64)) (i32.load (i32.const 68))))
    (func (export "blocking") (param i32 i32) (result i32)
      (call $later-blocking (local.get 0) (local.get 1))))
  (core instance $m (instantiate $M (with "" (instance
    (export "m" (memory $memory "m"))
    (export "now" (func $now)) (export "later" (func $later)) (export "never" (func $never))
    (export "later-blocking" (func $later-blocking))
    (export "return" (func $return)) (export "set-new" (func $set-new)) (export "set-wait" (func $set-wait))
    (export "join" (func $join)) (export "subtask-drop" (func $subtask-drop))))))
  (func (export "run-now") async (param "x" u32) (result u32)
    (canon lift (core func $m "now") async (callback (core func $m "event"))))
  (func (export "run-later") async (param "turns" u32) (param "x" u32) (result u32)
    (canon lift (core func $m "later") async (callback (core func $m "event"))))
  (func (export "run-never") async (param "x" u32) (result u32)
    (canon lift (core func $m "never") async (callback (core func $m "event"))))
  (func (export "run-both") async (param "turns" u32) (param "x" u32) (result u32)
    (canon lift (core func $m "both")))
  (func (export "run-blocking") async (param "turns" u32) (param "x" u32) (result u32)
    (canon lift (core func $m "blocking"))))
"""
"""Asks `HOST` in every way: awaited in the callback, in a set on the stack, and by a lower that blocks."""

TOGETHER: Final = f"""
(component
  {HOST}
  {GUEST}
  (instance $host (instantiate $Host))
  (instance $guest (instantiate $Guest
    (with "now" (func $host "now")) (with "later" (func $host "later")) (with "never" (func $host "never"))))
  (export "run-now" (func $guest "run-now"))
  (export "run-later" (func $guest "run-later"))
  (export "run-never" (func $guest "run-never"))
  (export "run-both" (func $guest "run-both"))
  (export "run-blocking" (func $guest "run-blocking")))
"""
"""`GUEST` in `HOST`, in one component."""

ENDLESS: Final = """
(component
  (core module $M (func (export "f") (result i32) (i32.const 1)) (func (export "g") (param i32 i32 i32) (result i32)
    (i32.const 1)))
  (core instance $m (instantiate $M))
  (func (export "f") async (canon lift (core func $m "f") async (callback (core func $m "g")))))
"""
"""A task that yields for ever."""

ENDS: Final = """
(component
  (core module $M (memory (export "m") 1) (func (export "f") (result i32) unreachable))
  (core instance $m (instantiate $M))
  (func (export "stream") (result (tuple (stream u8))) (canon lift (core func $m "f")))
  (func (export "future") async (result (option (future)))
    (canon lift (core func $m "f") (memory (core memory $m "m")))))
"""
"""Functions whose results the binding cannot hold."""

TALK: Final = """
(component
  (import "echo" (func $echo (param "s" string) (result string)))
  (core module $Memory
    (memory (export "m") 8)
    (global $top (mut i32) (i32.const 4096))
    (func (export "r") (param i32 i32 i32 i32) (result i32)
      (global.get $top)
      (global.set $top (i32.add (global.get $top) (i32.and (i32.add (local.get 3) (i32.const 7)) (i32.const -8))))))
  (core instance $memory (instantiate $Memory))
  (core func $echo (canon lower (func $echo) string-encoding=utf16
    (memory (core memory $memory "m")) (realloc (core func $memory "r"))))
  (core module $M
    (import "" "m" (memory 8))
    (import "" "echo" (func $echo (param i32 i32 i32)))
    (global $freed (mut i32) (i32.const 0))
    (func (export "greet") (param i32 i32) (result i32)
      (call $echo (local.get 0) (local.get 1) (i32.const 16))
      (call $echo (i32.load (i32.const 16)) (i32.load (i32.const 20)) (i32.const 16))
      (i32.const 16))
    (func (export "measure") (param i32 i32) (result i32) (local.get 1))
    (func (export "free") (param i32) (global.set $freed (i32.load (local.get 0))))
    (func (export "freed") (result i32) (global.get $freed)))
  (core instance $m (instantiate $M (with "" (instance
    (export "m" (memory $memory "m")) (export "echo" (func $echo))))))
  (func (export "greet") (param "s" string) (result string)
    (canon lift (core func $m "greet") string-encoding=utf16
      (memory (core memory $memory "m")) (realloc (core func $memory "r")) (post-return (core func $m "free"))))
  (func (export "measure") (param "s" string) (result u32)
    (canon lift (core func $m "measure") string-encoding=utf16
      (memory (core memory $memory "m")) (realloc (core func $memory "r"))))
  (func (export "freed") (result u32) (canon lift (core func $m "freed"))))
"""
"""Takes a string, has the host answer it twice, and returns the answer; tells how long one is, and what its post-return
was given."""
