"""A call site gets no trampoline exactly if it would do nothing."""

from __future__ import annotations

import pytest
import wasmtime

from meldpy import pipeline
from meldpy.adapter import adapt
from meldpy.analysis import analyse
from meldpy.model.code import EmittedFunc
from meldpy.model.ids import FuncId
from meldpy.pipeline import FuseInput, FuseOptions, RuntimeLibrary


def composition(
    func: str, core: str, *, body: str = "unreachable", options: str = "", declared: str = "", more: str = ""
) -> str:
    """A provider's f, lifted, and a consumer that lowers it and has it in a table. declared: f's own core type."""
    result = "(param i32)" if "(result" in core else ""
    memory = '(memory (core memory $m "m")) (realloc (core func $m "r"))'
    allocator = """(memory (export "m") 1)
          (func (export "r") (param i32 i32 i32 i32) (result i32) i32.const 0)"""
    return f"""
    (component
      (component $P
        (core module $M
          {declared or f"(type $t (func {core}))"}
          {allocator}
          (func (export "pr") {result})
          {more}
          (func (export "f") (type $t) {body}))
        (core instance $m (instantiate $M))
        (func (export "f") {func} (canon lift (core func $m "f") {memory} {options})))
      (component $C
        (import "f" (func $f {func}))
        (core module $L {allocator})
        (core instance $m (instantiate $L))
        (core func $lowered (canon lower (func $f) {memory}))
        (core module $M
          (import "" "f" (func $f {core}))
          (table funcref (elem $f))
          (func (export "run") (drop (table.get (i32.const 0)))))
        (core instance $c (instantiate $M (with "" (instance (export "f" (func $lowered))))))
        (func (export "run") (canon lift (core func $c "run"))))
      (instance $p (instantiate $P))
      (instance $c (instantiate $C (with "f" (func $p "f"))))
      (export "run" (func $c "run")))"""


def is_direct(text: str) -> bool:
    data = bytes(wasmtime.wat2wasm(text))
    item = FuseInput("c", "c", data)
    graph = pipeline.link([(item, pipeline.decode(item))], FuseOptions())
    adapted = adapt(graph, analyse(graph, pipeline.scan), RuntimeLibrary())
    (symbol,) = adapted.lowers.values()
    assert isinstance(symbol, FuncId | EmittedFunc)
    return isinstance(symbol, FuncId)


UNARY = '(param "x" u32) (result u32)'
CORE = "(param i32) (result i32)"


@pytest.mark.parametrize(
    ("func", "core"),
    [
        (UNARY, CORE),
        ("", ""),
        ('(param "x" s64) (param "y" (tuple f32 s32)) (result u64)', "(param i64 f32 i32) (result i64)"),
    ],
)
def test_values_that_stay_as_they_are_need_no_trampoline(func: str, core: str) -> None:
    assert is_direct(composition(func, core))


@pytest.mark.parametrize("type", ["u8", "s8", "u16", "s16", "bool", "char"])
def test_values_that_are_checked_or_cut_need_one(type: str) -> None:
    assert not is_direct(composition(f'(param "x" {type})', "(param i32)"))
    assert not is_direct(composition(f"(result {type})", "(result i32)"))


def test_values_in_memory_need_one() -> None:
    assert not is_direct(composition('(param "x" string)', "(param i32 i32)"))
    assert not is_direct(composition(" ".join(f'(param "p{i}" u32)' for i in range(17)), "(param i32)"))


def test_a_post_return_needs_one() -> None:
    assert not is_direct(composition(UNARY, CORE, options='(post-return (core func $m "pr"))'))


def test_an_exception_that_might_come_needs_one() -> None:
    assert not is_direct(composition(UNARY, CORE, body="throw $e", more="(tag $e)"))


def test_a_caller_that_may_not_leave_now_and_then_needs_one() -> None:
    """Its flag is checked in every lower: there a realloc calls out."""
    text = composition(UNARY, CORE)
    leaving = """(core module $M
          (import "" "f" (func $f (param i32) (result i32)))
          (memory (export "m") 1)
          (func (export "r") (param i32 i32 i32 i32) (result i32) (call $f (i32.const 0)))
          (func (export "run") (result i32) (i32.const 0))
          (func (export "pr") (param i32) (drop (call $f (i32.const 0)))))
        (core instance $c (instantiate $M (with "" (instance (export "f" (func $lowered))))))
        (func (export "run") (result string) (canon lift (core func $c "run")
          (memory (core memory $c "m")) (post-return (core func $c "pr")))))
      (instance $p"""
    start, end = text.rindex("(core module $M"), text.index("(instance $p")
    assert not is_direct(text[:start] + leaving + text[end + len("(instance $p") :])


@pytest.mark.parametrize(
    "declared",
    [
        f"(type $t (sub (func {CORE})))",
        f"(rec (type $t (func {CORE})) (type $u (func)))",
        f"(type $s (sub (func {CORE}))) (type $t (sub final $s (func {CORE})))",
    ],
)
def test_a_function_of_another_type_for_call_indirect_needs_one(declared: str) -> None:
    """The consumer's table holds what it imported as a plain function type."""
    assert not is_direct(composition(UNARY, CORE, declared=declared))
