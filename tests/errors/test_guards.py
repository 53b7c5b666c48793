"""Errors that stand behind others: which another part of the tool speaks of first, as the parts are put together today.

Each is a promise of its own function, and is held to it here: what it is given is made by hand, or what comes before it
is made to say yes.
"""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import cast

import pytest
from wasmtime import wat2wasm

from meldpy.core_output.names import check_world
from meldpy.engine import validate as engine_validate
from meldpy.engine.guests import signatures
from meldpy.engine.guests.artefacts import load
from meldpy.engine.guests.guest import Guest
from meldpy.engine.guests.wasi import Wasi
from meldpy.engine.text import assemble
from meldpy.errors import DecodeError, EngineError, LimitError, LinkError, UnsupportedError
from meldpy.model.core import CoreExport, CoreModule, CoreSort
from meldpy.model.extern import Attributes, ComponentType, ExternName, ValueExtern
from meldpy.model.valtype import PrimValType
from meldpy.pipeline import FuseInput, FuseOptions, fuse
from meldpy.records import replace
from meldpy.resolver import binding
from meldpy.resolver.coretypes import type_of
from meldpy.resolver.nodes import Nodes
from meldpy.resolver.scope import TypeScope
from meldpy.resolver.substitute import Substitution
from meldpy.resolver.subtype import Mismatch, Subtyping
from meldpy.resolver.values import MAX_DEPTH, ComponentScope, TypeValue
from tests.support.hosted import LIMITS, on_guest_thread
from tests.unit.engine.test_validate import subject
from tests.unit.resolver.build import graph_of, link
from tests.unit.resolver.test_root_resources import MAKER, PLAIN
from tests.unit.resolver.test_root_types import TYPES, fused


# --- the engine -------------------------------------------------------------------------------------------------------
def test_a_component_that_only_the_engines_compiler_refuses_is_not_called_invalid(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its adapters are code that the engine makes: should they be too much for it, nothing is said of the input."""
    words = "failed to compile: wasm[3]::function[7]::trampoline"
    monkeypatch.setattr(engine_validate, "refusal", lambda *_: engine_validate.wasmtime.WasmtimeError(words))
    with pytest.raises(EngineError, match="finds nothing invalid") as refused:
        engine_validate.validate(subject("(component)", False))
    assert refused.value.location is not None
    assert words in refused.value.causes
    assert "--no-validate" in refused.value.render()


def test_a_function_with_values_that_the_host_does_not_know_is_not_called(monkeypatch: pytest.MonkeyPatch) -> None:
    """The engine will have types one day that the host has no form for; there are none today."""
    monkeypatch.setattr(signatures, "codec_of", lambda _: None)
    text = """(component (core module $m (func (export "f") (param i32))) (core instance $i (instantiate $m))
      (func (export "f") (param "x" u32) (canon lift (core func $i "f"))))"""
    made = load(assemble(text.encode(), "guest"))

    def run() -> None:
        with pytest.raises(EngineError, match=re.escape("func(x: u32) has values that a host cannot pass")):
            Guest(made, {}, Wasi(), LIMITS, deadline=5.0).call(("f",), 1, deadline=5.0)

    on_guest_thread(run)


# --- linking ----------------------------------------------------------------------------------------------------------
def test_a_followed_resource_type_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binding, "counterpart", lambda *_: None)
    with pytest.raises(LinkError, match="`r`, a resource type that `user` imports, follows from `some`") as refused:
        fused({"types": TYPES, "maker": MAKER, "user": PLAIN})
    assert refused.value.location is not None


def test_an_import_that_does_not_fit_the_one_that_all_share_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def check(*_: object) -> None:
        raise Mismatch("they differ")

    monkeypatch.setattr(Subtyping, "check", check)
    importer = '(component (import "a:b/c" (instance (export "f" (func)))))'
    with pytest.raises(LinkError, match="`a:b/c`, imported by `one`, does not fit the import that all inputs share"):
        link({"one": importer, "two": importer})


def uses(first: str, second: str) -> str:
    return f"""(component
      (import "p:q/{first}" (instance $first (export "t" (type (sub resource)))))
      (alias export $first "t" (type $t))
      (import "p:q/{second}" (instance (export "f" (func (param "x" (own $t)))))))"""


def test_imports_that_use_each_other_are_told_with_who_has_which_first() -> None:
    with pytest.raises(LinkError, match="`p:q/x` is left to be imported, but it and other") as refused:
        link({"one": uses("x", "y"), "two": uses("y", "x")})
    error = refused.value
    assert error.location is not None
    assert [cause.partition(" at ")[0] for cause in error.causes] == [
        "`p:q/x` uses types of `p:q/y`, as `two` imports it",
        "`p:q/y` uses types of `p:q/x`, as `one` imports it",
    ]


# --- types ------------------------------------------------------------------------------------------------------------
def test_a_value_is_bound_to_no_declaration() -> None:
    substitution = Substitution(Nodes(), lambda: None)
    with pytest.raises(UnsupportedError, match="argument `v` is a value"):
        substitution.bind(ValueExtern(PrimValType.U8), TypeValue(PrimValType.U8), "argument `v`")


def test_types_that_declare_types_are_not_nested_without_end() -> None:
    scope = TypeScope(cast(ComponentScope, SimpleNamespace()))
    for _ in range(MAX_DEPTH - 1):
        scope = TypeScope(scope)
    with pytest.raises(LimitError, match=f"nested more than {MAX_DEPTH} deep"):
        TypeScope(scope)


def test_a_module_that_exports_nothing_of_its_own_has_no_type() -> None:
    module = CoreModule(exports=(CoreExport("f", CoreSort.MEMORY, 0),))
    with pytest.raises(DecodeError, match="exports memory 0, which does not exist"):
        type_of(module)


def test_a_thread_starts_in_a_function() -> None:
    text = """(component (core type $start (struct))
      (core module $m (table (export "t") 1 funcref)) (core instance $i (instantiate $m))
      (alias core export $i "t" (core table $table))
      (core func (canon thread.new-indirect $start (core table $table))))"""
    with pytest.raises(DecodeError, match="core type 0 is not a function type"):
        graph_of(text)


# --- what an output can hold ------------------------------------------------------------------------------------------
ONE_FUNCTION = '(component (import "f" (func $f)) (export "g" (func $f)))'


def test_a_core_module_has_no_name_for_a_component_that_is_imported() -> None:
    graph = graph_of(ONE_FUNCTION)
    (import_,) = graph.imports
    odd = replace(graph, imports=(replace(import_, type=ComponentType((), (), ())),))
    with pytest.raises(UnsupportedError, match="the import `f` is neither a function, a type nor an instance"):
        check_world(odd)


def test_a_core_module_has_no_place_for_the_attributes_of_a_name() -> None:
    graph = graph_of(ONE_FUNCTION)
    (import_,) = graph.imports
    name = ExternName("f", Attributes(0x02, external_id="of-f", order=(2,)))
    with pytest.raises(UnsupportedError, match="the import `f` has attributes in its name"):
        check_world(replace(graph, imports=(replace(import_, name=name),)))


# --- async ------------------------------------------------------------------------------------------------------------
THREADS = """(component
  (import "allocate" (func $allocate (param "a" u32) (param "b" u32) (param "c" u32) (param "d" u32) (result u32)))
  (core module $memory (memory (export "m") 1))
  (core instance $memory (instantiate $memory))
  (alias core export $memory "m" (core memory $mem))
  (core func $realloc (canon lower (func $allocate)))
  (type $stream (stream string))
  (core func $new (canon stream.new $stream))
  (core func $read (canon stream.read $stream async (memory $mem) (realloc $realloc)))
  (core func $thread (canon thread.index))
  (core module $m
    (import "" "new" (func $new (result i64)))
    (import "" "read" (func $read (param i32 i32 i32) (result i32)))
    (import "" "thread" (func $thread (result i32)))
    (func (export "f") (result i32)
      (drop (call $thread))
      (call $read (i32.wrap_i64 (call $new)) (i32.const 0) (i32.const 1))))
  (core instance $i (instantiate $m (with "" (instance
    (export "new" (func $new)) (export "read" (func $read)) (export "thread" (func $thread))))))
  (func (export "f") (result u32) (canon lift (core func $i "f"))))"""
"""Its allocator is a function of the host. What it has of async can only be left to the engine."""


def test_an_allocator_of_the_host_keeps_async_from_passing_into_a_core_module() -> None:
    given = FuseInput("threads", "threads.wasm", bytes(wat2wasm(THREADS)))
    with pytest.raises(UnsupportedError, match="the allocator of a built-in is no function of a guest") as refused:
        fuse([given], FuseOptions(core=True))
    assert refused.value.location is not None


def asynchronous(name: str, core: str = "", canon: str = "", args: str = "", use: str = "") -> str:
    return f"""(component ${name}
      {canon}
      (core func $return (canon task.return))
      (core module $m
        (import "" "return" (func $return)) {core}
        (func (export "f") (result i32) {use} (call $return) (i32.const 0))
        (func (export "back") (param i32 i32 i32) (result i32) unreachable))
      (core instance $i (instantiate $m (with "" (instance (export "return" (func $return)) {args}))))
      (func (export "{name}") async (canon lift (core func $i "f") async (callback (core func $i "back")))))"""


THREAD = {
    "canon": "(core func $thread (canon thread.index))",
    "core": '(import "" "thread" (func $thread (result i32)))',
    "args": '(export "thread" (func $thread))',
    "use": "(drop (call $thread))",
}


def test_why_async_is_kept_is_told_whole() -> None:
    """What no emitted code carries; that it cannot be left to the engine in a flat output either, and why; and then
    whatever else of the instance is async."""
    inner = asynchronous("a", **THREAD) + asynchronous("b")
    text = f"""(component {inner}
      (instance $one (instantiate $a)) (instance $two (instantiate $b))
      (export "one" (instance $one)) (export "two" (instance $two)))"""
    result = fuse([FuseInput("pair", "pair.wasm", bytes(wat2wasm(text)))], FuseOptions())
    told = [reason.text for kept in result.report.kept for reason in kept.reasons]
    assert told[0] == "the built-in thread.index is used"
    assert "and it cannot be left to the engine in a flat output: several instances use async" in told
    assert "an exported function has an async function type" in told


HOLDING_BACK = """(component
  (component $lib
    (type $mine (resource (rep i32)))
    (export $r "r" (type $mine))
    (core func $new (canon resource.new $r)) (core func $drop (canon resource.drop $r))
    (core func $hold (canon backpressure.inc)) (core func $return (canon task.return))
    (core module $m
      (import "" "new" (func $new (param i32) (result i32)))
      (import "" "hold" (func $hold)) (import "" "return" (func $return))
      (func (export "make") (result i32) (call $hold) (call $new (i32.const 1)))
      (func (export "look") (param i32) (result i32) (call $return) (i32.const 0))
      (func (export "back") (param i32 i32 i32) (result i32) unreachable))
    (core instance $i (instantiate $m (with "" (instance
      (export "new" (func $new)) (export "hold" (func $hold)) (export "return" (func $return))))))
    (func (export "make") (result (own $r)) (canon lift (core func $i "make")))
    (func (export "look") async (param "it" (borrow $r))
      (canon lift (core func $i "look") async (callback (core func $i "back")))))
  (component $app
    (import "lib" (instance $lib
      (export "r" (type $r (sub resource)))
      (export "make" (func (result (own $r))))
      (export "look" (func async (param "it" (borrow $r))))))
    (core func $make (canon lower (func $lib "make"))) (core func $look (canon lower (func $lib "look") async))
    (core module $m
      (import "" "make" (func $make (result i32))) (import "" "look" (func $look (param i32) (result i32)))
      (func (export "run") (result i32) (call $look (call $make))))
    (core instance $i (instantiate $m (with "" (instance
      (export "make" (func $make)) (export "look" (func $look))))))
    (func (export "run") (result u32) (canon lift (core func $i "run"))))
  (instance $lib (instantiate $lib)) (instance $app (instantiate $app (with "lib" (instance $lib))))
  (export "app" (instance $app)))"""


def test_a_call_with_a_borrow_that_may_be_held_back_stays_with_the_engine() -> None:
    result = fuse([FuseInput("pair", "pair.wasm", bytes(wat2wasm(HOLDING_BACK)))], FuseOptions())
    told = [reason.text for kept in result.report.kept for reason in kept.reasons]
    assert "a function with a borrow in its type is called asynchronously where it may have to wait" in told


SEVERAL_MEMORIES = """(component
  (component $async
    (core module $memory (memory (export "m") 1)
      (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 16)))
    (core instance $memory (instantiate $memory))
    (alias core export $memory "m" (core memory $mem)) (alias core export $memory "realloc" (core func $realloc))
    (core func $return (canon task.return (result string) (memory $mem)))
    (core func $thread (canon thread.index))
    (core module $m
      (import "" "return" (func $return (param i32 i32))) (import "" "thread" (func $thread (result i32)))
      (func (export "f") (param i32 i32) (result i32)
        (drop (call $thread)) (call $return (local.get 0) (local.get 1)) (i32.const 0))
      (func (export "back") (param i32 i32 i32) (result i32) unreachable))
    (core instance $i (instantiate $m (with "" (instance
      (export "return" (func $return)) (export "thread" (func $thread))))))
    (func (export "f") async (param "s" string) (result string)
      (canon lift (core func $i "f") async (callback (core func $i "back")) (memory $mem) (realloc $realloc))))
  (component $sync
    (core module $m (memory (export "m") 1)
      (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 16))
      (func (export "length") (param i32 i32) (result i32) (local.get 1)))
    (core instance $i (instantiate $m))
    (alias core export $i "m" (core memory $mem)) (alias core export $i "realloc" (core func $realloc))
    (func (export "length") (param "s" string) (result u32)
      (canon lift (core func $i "length") (memory $mem) (realloc $realloc))))
  (instance $one (instantiate $async)) (instance $two (instantiate $sync))
  (alias export $one "f" (func $f)) (alias export $two "length" (func $length))
  (export "f" (func $f)) (export "length" (func $length)))"""


def test_async_that_passes_into_a_core_module_has_the_one_memory() -> None:
    given = FuseInput("pair", "pair.wasm", bytes(wat2wasm(SEVERAL_MEMORIES)))
    with pytest.raises(UnsupportedError, match="need the memories, allocators or encodings of several guests"):
        fuse([given], FuseOptions(core=True))
