"""A running instance may be called again: by its parent, its children, a destructor, the host.

Composed and fused alike. Each call writes on its way down and reads its own state on its way up, so one that was
entered again must go on where it was.
"""

from __future__ import annotations

import pytest
from wasmtime import wat2wasm

import meldpy
from tests.differential.divergences import Divergences
from tests.support.harness import Call, Guest, Returned, check
from tests.support.values import Plain

ALLOCATE = """
    (global $heap (mut i32) (i32.const START))
    (func (export "realloc") (param i32 i32 i32 i32) (result i32)
      (global.get $heap)
      (global.set $heap (i32.and (i32.add (global.get $heap) (i32.add (local.get 3) (i32.const 32))) (i32.const -8))))
"""
STEP = """
    (global $calls (mut i32) (i32.const 0))
    ;; text + LETTER goes on, if n is not 0; what comes back gets the number that this call had
    (func $step (export "step") (param $n i32) (param $text i32) (param $size i32) (result i32)
      (local $seen i32)
      (local $out i32)
      (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
      (local.set $seen (global.get $calls))
      (local.set $out (global.get $heap))
      (global.set $heap (i32.add (local.get $out) (i32.const 8)))
      (i32.store (local.get $out) (local.get $text))
      (i32.store offset=4 (local.get $out) (local.get $size))
      (if (local.get $n)
        (then
          (i32.store8 (i32.add (local.get $text) (local.get $size)) (i32.const LETTER))
          (call $next (i32.sub (local.get $n) (i32.const 1))
            (local.get $text) (i32.add (local.get $size) (i32.const 1)) (local.get $out))))
      (local.set $text (i32.load (local.get $out)))
      (local.set $size (i32.load offset=4 (local.get $out)))
      (i32.store8 (i32.add (local.get $text) (local.get $size)) (i32.add (i32.const 48) (local.get $seen)))
      (i32.store offset=4 (local.get $out) (i32.add (local.get $size) (i32.const 1)))
      (local.get $out))
"""
"""One side of the ladder: `$next` is how it calls the other."""


def side(letter: str) -> str:
    return ALLOCATE.replace("START", "4096") + STEP.replace("LETTER", str(ord(letter)))


LADDER = f"""
(component
  ;; the parent's step needs the child, and the child the parent's: it goes through a table
  (core module $Parent
    (type $next (func (param i32 i32 i32 i32)))
    (table (export "t") 1 funcref)
    (memory (export "m") 1)
    (func $next (type $next)
      (call_indirect (type $next) (local.get 0) (local.get 1) (local.get 2) (local.get 3) (i32.const 0)))
    {side("p")})
  (core instance $parent (instantiate $Parent))
  (func $step (param "n" u32) (param "text" string) (result string)
    (canon lift (core func $parent "step") (memory (core memory $parent "m")) (realloc (core func $parent "realloc"))))
  (component $Child
    (import "back" (func $back (param "n" u32) (param "text" string) (result string)))
    (core module $Memory (memory (export "m") 1) {ALLOCATE.replace("START", "32768")})
    (core instance $memory (instantiate $Memory))
    (core func $next
      (canon lower (func $back) (memory (core memory $memory "m")) (realloc (core func $memory "realloc"))))
    (core module $M
      (import "" "m" (memory 1))
      (import "" "next" (func $next (param i32 i32 i32 i32)))
      {side("c")})
    (core instance $m (instantiate $M
      (with "" (instance (export "next" (func $next)) (export "m" (memory $memory "m"))))))
    (func (export "step") (param "n" u32) (param "text" string) (result string)
      (canon lift (core func $m "step") (memory (core memory $memory "m")) (realloc (core func $m "realloc")))))
  (instance $child (instantiate $Child (with "back" (func $step))))
  (core func $child (canon lower (func $child "step")
    (memory (core memory $parent "m")) (realloc (core func $parent "realloc"))))
  (core module $Fill
    (import "" "t" (table 1 funcref))
    (import "" "f" (func $f (param i32 i32 i32 i32)))
    (elem (i32.const 0) func $f))
  (core instance (instantiate $Fill
    (with "" (instance (export "t" (table $parent "t")) (export "f" (func $child))))))
  (export "from-child" (func $child "step")))
"""


def climbed(depth: int) -> str:
    """What the ladder says that is climbed down from the child: the letters of the way, the numbers of the calls."""
    down = "".join("cp"[i % 2] for i in range(depth))
    up = "".join(str(i // 2 + 1) for i in reversed(range(depth + 1)))
    return down + up


@pytest.mark.parametrize("depth", [0, 1, 2, 3, 4, 9])
def test_a_parent_and_its_child_call_each_other_as_deep_as_they_like(depth: int, divergences: Divergences) -> None:
    composed = bytes(wat2wasm(LADDER))
    fused = meldpy.fuse([composed]).bytes
    seen = check(composed, fused, [Call("from-child", [depth, ""])], divergences=divergences)
    assert seen.steps[1].outcome == Returned(climbed(depth))


HOST_CALLS_BACK = """
(component
  (import "host" (func $host (param "n" u32) (result u32)))
  (core func $host (canon lower (func $host)))
  (core module $m
    (import "" "host" (func $host (param i32) (result i32)))
    (global $calls (mut i32) (i32.const 0))
    (func (export "f") (param $n i32) (result i32)
      (local $seen i32)
      (global.set $calls (i32.add (global.get $calls) (i32.const 1)))
      (local.set $seen (global.get $calls))
      (if (i32.eqz (local.get $n)) (then (return (local.get $seen))))
      (i32.add (local.get $seen) (i32.mul (call $host (local.get $n)) (i32.const 10)))))
  (core instance $i (instantiate $m (with "" (instance (export "host" (func $host))))))
  (func (export "f") (param "n" u32) (result u32) (canon lift (core func $i "f"))))
"""


@pytest.mark.parametrize(("depth", "result"), [(1, 21), (3, 4321)])
def test_a_host_function_calls_the_running_instance(depth: int, result: int, divergences: Divergences) -> None:
    def back(guest: Guest | None, args: list[Plain]) -> Plain | None:
        assert guest is not None
        (n,) = args
        assert isinstance(n, int)
        return guest.call("f", [n - 1])

    composed = bytes(wat2wasm(HOST_CALLS_BACK))
    fused = meldpy.fuse([composed]).bytes
    seen = check(composed, fused, [Call("f", [depth])], host={"host": back}, divergences=divergences)
    assert seen.steps[1].outcome == Returned(result)
