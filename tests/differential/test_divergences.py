"""One composition for each entry of divergences.toml: what the spec says, what the engine does, whom we follow."""

from __future__ import annotations

import pytest
from wasmtime import wat2wasm

import meldpy
from meldpy.pipeline import FuseOptions
from tests.differential.divergences import Divergences
from tests.support.core_output import component_new
from tests.support.harness import Call, Returned, Trap, check, observe

LEAVES_IN_POST_RETURN = """
(component
  (component $logger
    (core module $m (func (export "log")))
    (core instance $i (instantiate $m))
    (func (export "log") (canon lift (core func $i "log"))))
  (component $provider
    (import "log" (func $log))
    (core func $log (canon lower (func $log)))
    (core module $m
      (import "" "log" (func $log))
      (func (export "f") (result i32) (i32.const 7))
      (func (export "post") (param i32) (call $log)))
    (core instance $i (instantiate $m (with "" (instance (export "log" (func $log))))))
    (func (export "f") (result u32) (canon lift (core func $i "f") (post-return (core func $i "post")))))
  (component $consumer
    (import "f" (func $f (result u32)))
    (core func $f (canon lower (func $f)))
    (core module $m
      (import "" "f" (func $f (result i32)))
      (func (export "g") (result i32) (i32.add (call $f) (i32.const 1))))
    (core instance $i (instantiate $m (with "" (instance (export "f" (func $f))))))
    (func (export "g") (result u32) (canon lift (core func $i "g"))))
  (instance $logger (instantiate $logger))
  (instance $provider (instantiate $provider (with "log" (func $logger "log"))))
  (instance $consumer (instantiate $consumer (with "f" (func $provider "f"))))
  (export "g" (func $consumer "g")))
"""


def test_post_return_leaves_between_components(divergences: Divergences) -> None:
    composed = bytes(wat2wasm(LEAVES_IN_POST_RETURN))
    fused = meldpy.fuse([composed]).bytes
    assert check(composed, fused, [Call("g")], divergences=divergences).steps[1].outcome == Returned(8)
    outcome = observe(fused, [Call("g")]).steps[1].outcome
    assert isinstance(outcome, Trap)
    assert outcome.kind == "cannot leave component instance"


OWN_LIFT_LOWERED = """
(component
  (core module $inner (func (export "f") (param i32) (result i32) (i32.mul (local.get 0) (i32.const 3))))
  (core instance $inner (instantiate $inner))
  (func $f (param "x" u32) (result u32) (canon lift (core func $inner "f")))
  (core func $lowered (canon lower (func $f)))
  (core module $outer
    (import "" "f" (func $f (param i32) (result i32)))
    (func (export "g") (param i32) (result i32) (call $f (local.get 0))))
  (core instance $outer (instantiate $outer (with "" (instance (export "f" (func $lowered))))))
  (func (export "g") (param "x" u32) (result u32) (canon lift (core func $outer "g"))))
"""


def test_component_calls_its_own_lift(divergences: Divergences) -> None:
    composed = bytes(wat2wasm(OWN_LIFT_LOWERED))
    fused = meldpy.fuse([composed]).bytes
    check(composed, fused, [Call("g", [2])], divergences=divergences)
    assert observe(fused, [Call("g", [2])]).steps[1].outcome == Returned(6)


PASSES_BYTES = """
(component
  (component $provider
    (core module $m
      (memory (export "memory") 4200)
      (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 65536))
      (func (export "take") (param i32 i32) (result i32) (local.get 1)))
    (core instance $i (instantiate $m))
    (func (export "take") (param "it" %(type)s) (result u32)
      (canon lift (core func $i "take") (memory (core memory $i "memory")) (realloc (core func $i "realloc")))))
  (component $consumer
    (import "take" (func $take (param "it" %(type)s) (result u32)))
    (core module $memory (memory (export "memory") 4200))
    (core instance $memory (instantiate $memory))
    (core func $take (canon lower (func $take) (memory (core memory $memory "memory"))))
    (core module $m
      (import "" "take" (func $take (param i32 i32) (result i32)))
      (func (export "pass") (param i32) (result i32) (call $take (i32.const 0) (local.get 0))))
    (core instance $i (instantiate $m (with "" (instance (export "take" (func $take))))))
    (func (export "pass") (param "size" u32) (result u32) (canon lift (core func $i "pass"))))
  (instance $provider (instantiate $provider))
  (instance $consumer (instantiate $consumer (with "take" (func $provider "take"))))
  (export "pass" (func $consumer "pass")))
"""
LIMIT = 2**28


def over_the_limit(type_: str, divergences: Divergences) -> str:
    """What kind of trap the fused form ends in, after the greatest size that is allowed has passed."""
    composed = bytes(wat2wasm(PASSES_BYTES % {"type": type_}))
    fused = meldpy.fuse([composed]).bytes
    calls = [Call("pass", [LIMIT - 1]), Call("pass", [LIMIT])]
    seen = check(composed, fused, calls, divergences=divergences)
    assert [step.outcome for step in seen.steps[1:]] == [Returned(LIMIT - 1), Returned(LIMIT)]
    outcome = observe(fused, calls[1:]).steps[1].outcome
    assert isinstance(outcome, Trap)
    return outcome.kind


@pytest.mark.deep
def test_string_over_the_limit(divergences: Divergences) -> None:
    assert over_the_limit("string", divergences) == "string too long"


@pytest.mark.deep
def test_list_over_the_limit(divergences: Divergences) -> None:
    assert over_the_limit("(list u8)", divergences) == "list too long"


GOOD_THEN_BAD_STRING = """
(component
  (component $provider
    (core module $m
      (memory (export "memory") 1)
      (func (export "realloc") (param i32 i32 i32 i32) (result i32) unreachable)
      (func (export "f") (param i32 i32 i32 i32)))
    (core instance $i (instantiate $m))
    (func (export "f") (param "a" string) (param "b" string)
      (canon lift (core func $i "f") (memory (core memory $i "memory")) (realloc (core func $i "realloc")))))
  (component $consumer
    (import "f" (func $f (param "a" string) (param "b" string)))
    (core module $libc (memory (export "memory") 1) (data (i32.const 0) "good\\ff"))
    (core instance $libc (instantiate $libc))
    (core func $f (canon lower (func $f) (memory (core memory $libc "memory"))))
    (core module $m
      (import "" "f" (func $f (param i32 i32 i32 i32)))
      (func (export "run") (call $f (i32.const 0) (i32.const 4) (i32.const 4) (i32.const 1))))
    (core instance $i (instantiate $m (with "" (instance (export "f" (func $f))))))
    (func (export "run") (canon lift (core func $i "run"))))
  (instance $p (instantiate $provider))
  (instance $c (instantiate $consumer (with "f" (func $p "f"))))
  (export "run" (func $c "run")))
"""


def test_a_realloc_that_traps_comes_before_a_later_bad_argument(divergences: Divergences) -> None:
    composed = bytes(wat2wasm(GOOD_THEN_BAD_STRING))
    observed = check(composed, meldpy.fuse([composed]).bytes, [Call("run")], divergences=divergences)
    outcome = observed.steps[-1].outcome
    assert isinstance(outcome, Trap)
    assert "utf8" not in outcome.kind, "the spec would have found the bad string first"
    divergences.witness("values-cross-one-by-one")


ASCRIBED = """
(component
  (core module $m (func (export "f")))
  (core instance $i (instantiate $m))
  (func $f (canon lift (core func $i "f")))
  (instance $all (export "f" (func $f)))
  (export "narrowed" (instance $all) (instance)))
"""


def test_a_world_has_the_types_that_its_exports_are_ascribed(divergences: Divergences) -> None:
    """A component keeps what the ascription hides, and the engine shows it. A core module has the world alone."""
    composed = bytes(wat2wasm(ASCRIBED))
    module = meldpy.fuse([composed], FuseOptions(core=True)).bytes
    check(composed, component_new(module), [], divergences=divergences)
