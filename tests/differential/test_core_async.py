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
from tests.differential.test_async_divergences import played as played_beside_the_host
from tests.differential.test_passing import CALLS, INSIDE, alike, played
from tests.support.asyncs import ENDLESS, TALK
from tests.support.asynctold import alone
from tests.support.compose import Export, compose
from tests.support.core_output import beside, component_new, module_of
from tests.support.harness import Call, Guest, Returned, Trap, compare, observe
from tests.support.values import Plain

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


def test_a_function_that_is_called_in_both_ways_has_two_names() -> None:
    text = every_built_in()
    for old, new in (
        ("(core func $lowered", "(core func $plain (canon lower (func $f)))"),
        ('(import "" "b0"', '(import "" "plain" (func $plain (param i32)))'),
        ("(drop (call $f (i32.const 0)))", "(call $plain (i32.const 0))"),
        ('(export "f" (func $lowered))', '(export "plain" (func $plain))'),
    ):
        assert text.count(old) == 1
        text = text.replace(old, f"{new} {old}")
    data = core(text)
    assert {(each.module, each.name) for each in module_of(data).imports} == NAMES | {("$root", "f")}
    names = [(each.name, each.field) for each in read_surface(data).imports]
    assert [each for each in names if each[0] == "f"] == [("f", "[async-lower]f"), ("f", "f")]
    component_new(data)


def test_exported_types_are_no_functions_to_be_named_after() -> None:
    types = '(instance $types (export "bytes" (type $bytes))) (export "a:b/types" (instance $types))'
    data = core(every_built_in().rstrip()[:-1] + types + ")")
    assert {(each.module, each.name) for each in module_of(data).imports} == NAMES
    component_new(data)


def test_a_type_that_the_world_does_not_mention_has_no_name() -> None:
    text = every_built_in().replace("(canon stream.new $bytes)", "(canon stream.new $other)")
    text = text.replace("(type $bytes (stream u8))", "(type $other (stream u16)) (type $bytes (stream u8))", 1)
    # and a task with a stack of its own, which emitted code cannot carry either
    text = text.replace('(func (export "event")', '(func (export "stackful")) (func (export "event")')
    text = text.rstrip()[:-1] + '(func (export "stackful") async (canon lift (core func $m "stackful") async)))'
    with pytest.raises(UnsupportedError, match=r"the built-in stream\.new is used with a type") as caught:
        core(text)
    assert caught.value.remedy is not None
    # where it is defined: a canon that begins with this byte
    location = caught.value.location
    assert location is not None
    assert location.offset is not None
    assert bytes(wat2wasm(text))[location.offset] == 0x0E


UNNAMED: Final = """(component
  (type $words (stream string))
  (core func $return (canon task.return (result u32)))
  (core func $new (canon stream.new $words))
  (core func $drop (canon stream.drop-readable $words))
  (core func $drop-writable (canon stream.drop-writable $words))
  (core module $M
    (import "" "return" (func $return (param i32)))
    (import "" "new" (func $new (result i64)))
    (import "" "drop" (func $drop (param i32)))
    (import "" "drop-writable" (func $drop-writable (param i32)))
    (global $times (mut i32) (i32.const 0))
    (func (export "run") (param $times i32) (result i32)
      (global.set $times (local.get $times))
      (i32.const 1))
    (func (export "step") (param i32 i32 i32) (result i32) (local $ends i64)
      (local.set $ends (call $new))
      (call $drop-writable (i32.wrap_i64 (i64.shr_u (local.get $ends) (i64.const 32))))
      (loop $again
        (call $drop (i32.wrap_i64 (local.get $ends)))
        (global.set $times (i32.sub (global.get $times) (i32.const 1)))
        (br_if $again (global.get $times)))
      (call $return (i32.wrap_i64 (local.get $ends)))
      (i32.const 0)))
  (core instance $m (instantiate $M (with "" (instance
    (export "return" (func $return)) (export "new" (func $new))
    (export "drop" (func $drop)) (export "drop-writable" (func $drop-writable))))))
  (func (export "run") async (param "times" u32) (result u32)
    (canon lift (core func $m "run") async (callback (core func $m "step")))))"""
"""Makes a stream of a type that the world does not mention, and drops its ends; the readable one several times."""


@pytest.mark.parametrize("times", [1, 2])
def test_what_has_no_name_is_carried_by_emitted_code(times: int) -> None:
    composed, fused = (
        observe(form, (Call("run", [times]),)).steps[-1].outcome
        for form in (bytes(wat2wasm(UNNAMED)), component_new(core(UNNAMED)))
    )
    assert isinstance(composed, Returned if times == 1 else Trap)
    assert alike([composed], [fused])


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


def echo(guest: Guest | None, args: list[Plain]) -> str:
    return f"{args[0]}, {args[0]} \N{SNOWMAN}"


@pytest.mark.parametrize("memory", ["separate", "single"])
def test_functions_that_take_no_time_stand_beside_carried_tasks(memory: str) -> None:
    talk = bytes(wat2wasm(TALK))
    calls = [Call("run-later", [2, 21]), Call("greet", ["hey"]), Call("freed", []), Call("run-later", [0, 4])]
    calls += [Call("greet", ["x" * 9000]), Call("run-blocking", [1, 3]), Call("greet", [""])]
    names = {"talk": ("greet", "freed"), "beside": ("run-later", "run-blocking")}
    exports = [Export(part, name) for part, each in names.items() for name in each]
    composed = compose({"talk": talk, "beside": beside()}, [], exports)
    module = meldpy.fuse([talk, beside()], FuseOptions(core=True, memory=memory)).bytes
    one, other = (observe(form, calls, host={"echo": echo}).steps for form in (composed, component_new(module)))
    assert one == other
    assert not any(isinstance(step.outcome, Trap) for step in one)


@pytest.mark.parametrize(("at", "length"), [(65_530, 10), (0xFFFF_FFFF, 1), (65_537, 0)])
def test_a_buffer_is_where_the_guest_says_also_if_the_engine_sees_another(at: int, length: int) -> None:
    body = f"""
      (block (result i32)
        (local.set $e (call $stream-new))
        (call $keep (i32.wrap_i64 (local.get $e)))
        (local.set $a (i32.wrap_i64 (i64.shr_u (local.get $e) (i64.const 32))))
        (call $stream-write (local.get $a) (i32.const {at}) (i32.const {length})))"""
    guests = alone(["keep", "stream-new", "stream-write"], body)
    core = meldpy.fuse([guests, bytes(wat2wasm(ENDLESS))], CORE).bytes
    one, other = played_beside_the_host(guests, Call("run"), fused=component_new(core))
    assert not compare(one, other)
    assert isinstance(one.steps[-1].outcome, Trap if length else Returned)
