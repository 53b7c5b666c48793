"""Async at the edge of core outputs: the names that `wasm-tools component new` takes, and one memory for all of it."""

from __future__ import annotations

from typing import Final

import pytest
from wasmtime import wat2wasm

import meldpy
from meldpy.core import read_surface
from meldpy.errors import UnsupportedError
from meldpy.model.canon import StringEncoding
from meldpy.pipeline import FuseOptions
from tests.differential.test_passing import CALLS, INSIDE, alike, played
from tests.support.core_output import component_new, module_of

CORE: Final = FuseOptions(core=True)


def core(wat: str) -> bytes:
    return meldpy.fuse([bytes(wat2wasm(wat))], CORE).bytes


def test_async_of_one_guest_passes_through_a_core_output() -> None:
    composition = bytes(wat2wasm(INSIDE))
    assert alike(played(composition, CALLS), played(component_new(core(INSIDE)), CALLS))


# --- names of built-ins for types -------------------------------------------------------------------------------------
BUILT_INS: Final = {
    "stream.new $bytes": ("", "i64"),
    'stream.read $bytes async (memory (core memory $i "m"))': ("i32 i32 i32", "i32"),
    'stream.write $bytes (memory (core memory $i "m"))': ("i32 i32 i32", "i32"),
    "stream.cancel-read $bytes async": ("i32", "i32"),
    "stream.cancel-write $bytes": ("i32", "i32"),
    "stream.drop-readable $words": ("i32", ""),
    "future.new $answer": ("", "i64"),
    'future.read $answer async (memory (core memory $i "m"))': ("i32 i32", "i32"),
    "future.drop-writable $nothing": ("i32", ""),
    'task.return (result $answer) (memory (core memory $i "m"))': ("i32", ""),
    "task.cancel": ("", ""),
    "context.get i32 0": ("", "i32"),
    "backpressure.inc": ("", ""),
    'waitable-set.poll (memory (core memory $i "m"))': ("i32 i32", "i32"),
    "subtask.cancel async": ("i32", "i32"),
    "thread.yield": ("", "i32"),
}
NAMES: Final = {
    ("$root", "[async-lower]f"),
    ("a:b/c", "[stream-new-0]g"),
    ("a:b/c", "[async-lower][stream-read-0]g"),
    ("a:b/c", "[stream-write-0]g"),
    ("a:b/c", "[async-lower][stream-cancel-read-0]g"),
    ("a:b/c", "[stream-cancel-write-0]g"),
    ("a:b/c", "[stream-drop-readable-1]g"),
    ("a:b/c", "[future-new-2]g"),
    ("a:b/c", "[async-lower][future-read-2]g"),
    ("a:b/c", "g"),
    ("$root", "[future-drop-writable-unit]"),
    ("[export]$root", "[task-return]run"),
    ("[export]$root", "[task-cancel]"),
    ("$root", "[context-get-0]"),
    ("$root", "[backpressure-inc]"),
    ("$root", "[waitable-set-poll]"),
    ("$root", "[async-lower][subtask-cancel]"),
    ("$root", "[thread-yield]"),
}


def every_built_in() -> str:
    """A guest that calls each of them if it is told to, and whose world mentions streams inside of futures."""
    funcs, imports, given, calls = [], [], [], []
    for number, (definition, (params, results)) in enumerate(BUILT_INS.items()):
        funcs.append(f"(core func $b{number} (canon {definition}))")
        result = f"(result {results})" if results else ""
        imports.append(f'(import "" "b{number}" (func $b{number} (param {params}) {result}))')
        given.append(f'(export "b{number}" (func $b{number}))')
        arguments = " ".join("(i32.const 0)" for _ in params.split())
        calls.append(f"(drop (call $b{number} {arguments}))" if results else f"(call $b{number} {arguments})")
    return f"""(component
      (type $bytes (stream u8)) (type $words (stream string)) (type $answer (future $words)) (type $nothing (future))
      (import "f" (func $f async (param "x" u32)))
      (type $c (instance
        (type $bytes (stream u8)) (type $words (stream string)) (type $answer (future $words))
        (export "g" (func async (param "s" $bytes) (result (option $answer))))))
      (import "a:b/c" (instance (type $c)))
      (core module $Memory
        (memory (export "m") 1)
        (func (export "realloc") (param i32 i32 i32 i32) (result i32) unreachable))
      (core instance $i (instantiate $Memory))
      (core func $lowered (canon lower (func $f) async (memory (core memory $i "m"))))
      {" ".join(funcs)}
      (core module $M
        (import "" "f" (func $f (param i32) (result i32)))
        {" ".join(imports)}
        (func (export "run") (param i32) (result i32)
          (drop (call $f (i32.const 0)))
          {" ".join(calls)}
          (i32.const 0))
        (func (export "event") (param i32 i32 i32) (result i32) (i32.const 0)))
      (core instance $m (instantiate $M (with "" (instance (export "f" (func $lowered)) {" ".join(given)}))))
      (func (export "run") async (param "x" u32) (result $answer)
        (canon lift (core func $m "run") async (memory (core memory $i "m")) (callback (core func $m "event")))))"""


def test_built_ins_are_named_after_functions_that_mention_their_types() -> None:
    data = core(every_built_in())
    module = module_of(data)
    assert {(each.module, each.name) for each in module.imports} == NAMES
    assert {"[async-lift]run", "[callback][async-lift]run", "memory"} <= {each.name for each in module.exports}
    component_new(data)


def test_a_type_that_the_world_does_not_mention_has_no_name() -> None:
    text = every_built_in().replace("(canon stream.new $bytes)", "(canon stream.new $other)")
    text = text.replace("(type $bytes (stream u8))", "(type $other (stream u16)) (type $bytes (stream u8))", 1)
    with pytest.raises(UnsupportedError, match=r"the built-in stream\.new is used with a type") as caught:
        core(text)
    assert caught.value.remedy is not None


# --- one memory -------------------------------------------------------------------------------------------------------
BESIDE: Final = """
  (core module $Other (memory (export "m") 1) (func (export "f") (param i32 i32))
    (func (export "r") (param i32 i32 i32 i32) (result i32) unreachable))
  (core instance $other (instantiate $Other))
  (func (export "beside") (param "s" string)
    (canon lift (core func $other "f") (memory (core memory $other "m")) (realloc (core func $other "r")))))"""
"""A synchronous function that has a memory of its own."""


def test_async_that_passes_through_shares_the_edge_with_no_other_memory() -> None:
    text = every_built_in().rstrip()[:-1] + BESIDE
    with pytest.raises(UnsupportedError, match=r"need another memory or allocator") as caught:
        core(text)
    assert caught.value.remedy is not None


def test_strings_of_built_ins_are_in_the_encoding_of_the_module() -> None:
    text = every_built_in().replace(
        'future.read $answer async (memory (core memory $i "m"))',
        'stream.write $words string-encoding=utf16 (memory (core memory $i "m"))',
    )
    text = text.replace("(func $b7 (param i32 i32) (result i32))", "(func $b7 (param i32 i32 i32) (result i32))")
    text = text.replace(
        "(call $b7 (i32.const 0) (i32.const 0))", "(call $b7 (i32.const 0) (i32.const 0) (i32.const 0))"
    )
    assert read_surface(core(text)).encoding is StringEncoding.UTF16
