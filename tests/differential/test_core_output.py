"""Core outputs, made components again by `wasm-tools component new`, behave as the compositions do."""

from __future__ import annotations

import pytest
from wasmtime import wat2wasm

import meldpy
from meldpy.core import load as load_core
from meldpy.engine.observe import Call, Returned, observe
from meldpy.engine.wavecodec import WaveCodec
from meldpy.errors import UnsupportedError
from meldpy.fixture import Fixture, Form
from meldpy.fixture.compare import compare
from meldpy.fixture.files import composed
from meldpy.fixture.scenario import check_scenario, run_scenario, same
from meldpy.model.core import CoreSort, FuncImportType, RawCustom
from meldpy.pipeline import FuseOptions
from tests.support.core_output import AT_RUNTIME, component_new, core_of, module_of, round_trip
from tests.support.fixtures import load

EACH_FORM = [pytest.param(f, form, id=f"{f.name}-{form.value}") for f in AT_RUNTIME for form in f.forms]
CORE = FuseOptions(core=True)


def core(wat: str) -> bytes:
    return meldpy.fuse([bytes(wat2wasm(wat))], CORE).bytes


@pytest.mark.parametrize(("fixture", "form"), EACH_FORM)
def test_round_trip_behaves_as_the_composition(fixture: Fixture, form: Form) -> None:
    module = core_of(fixture, form)
    observed = run_scenario(fixture, round_trip(fixture, module))
    assert not compare(run_scenario(fixture, composed(fixture)), observed, same)
    check_scenario(fixture, observed)


@pytest.mark.parametrize("fixture", [pytest.param(fixture, id=fixture.name) for fixture in AT_RUNTIME])
def test_single_memory_behaves_as_the_composition(fixture: Fixture) -> None:
    module = core_of(fixture, memory="single")
    assert len(module_of(module).memories) <= 1
    observed = run_scenario(fixture, round_trip(fixture, module))
    assert not compare(run_scenario(fixture, composed(fixture)), observed, same)


@pytest.mark.parametrize("name", [fixture.name for fixture in AT_RUNTIME])
def test_host_sees_one_memory_and_functions(name: str) -> None:
    module = module_of(core_of(load(name)))
    assert module.start is None
    assert all(isinstance(item.type, FuncImportType) for item in module.imports)
    others = [(item.name, item.sort) for item in module.exports if item.sort is not CoreSort.FUNC]
    assert others in ([], [("memory", CoreSort.MEMORY)])
    names = [custom.section.name for custom in module.customs if isinstance(custom.section, RawCustom)]
    assert names.count("component-type:fused") == 1


# --- which memory -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("name", ["hello", "strings-utf16"])
def test_one_guest_at_the_edge_keeps_its_memory(name: str) -> None:
    # two guests, and no memory between them and the host
    assert len(module_of(core_of(load(name))).memories) == 2


TWO_AT_THE_EDGE = """(component
  (component $guest
    (core module $m
      (memory (export "m") 1)
      (global $at (mut i32) (i32.const 1024))
      (func (export "r") (param i32 i32 i32 i32) (result i32)
        (local $new i32)
        (local.set $new (global.get $at))
        (global.set $at (i32.add (local.get $new) (local.get 3)))
        local.get $new)
      (func (export "f") (param i32 i32) (result i32)
        (i32.store (i32.const 16) (local.get 0))
        (i32.store (i32.const 20) (local.get 1))
        i32.const 16)
      (func (export "used") (result i32) global.get $at))
    (core instance $i (instantiate $m))
    (func (export "echo") (param "s" string) (result string)
      (canon lift (core func $i "f") (memory $i "m") (realloc (func $i "r"))))
    (func (export "used") (result u32) (canon lift (core func $i "used"))))
  (instance $a (instantiate $guest))
  (instance $b (instantiate $guest))
  (export "echo-a" (func $a "echo"))
  (export "echo-b" (func $b "echo"))
  (export "used-a" (func $a "used"))
  (export "used-b" (func $b "used")))"""


def test_a_guest_sees_nothing_of_what_crosses_for_another() -> None:
    data = core(TWO_AT_THE_EDGE)
    assert len(module_of(data).memories) == 3
    calls = [Call("echo-a", ['"four"']), Call("echo-b", ['"eleven byte"']), Call("used-a"), Call("used-b")]
    observed = observe(component_new(data), calls, WaveCodec())
    results = [step.outcome.value for step in observed.steps[1:] if isinstance(step.outcome, Returned)]
    assert results == ['"four"', '"eleven byte"', str(1024 + 4), str(1024 + 11)]


# --- what nothing calls -----------------------------------------------------------------------------------------------
UNUSED = """(component
  (type $t (instance
    (export "r" (type (sub resource)))
    (export "f" (func (param "s" string) (result (list string))))))
  (import "test:unused/i@1.2.3" (instance (type $t)))
  (type $only (instance (export "r" (type (sub resource)))))
  (import "test:unused/only" (instance (type $only)))
  (import "plain" (func (param "x" u32)))
  (core module $m (func (export "f")))
  (core instance $i (instantiate $m))
  (func (export "run") (canon lift (core func $i "f"))))"""


def test_imports_that_nothing_calls_stay_in_the_world() -> None:
    binary = bytes(wat2wasm(UNUSED))
    module = module_of(core(UNUSED))
    assert {(item.module, item.name) for item in module.imports} == {
        ("test:unused/i@1.2.3", "f"),
        ("test:unused/i@1.2.3", "[resource-drop]r"),
        ("test:unused/only", "[resource-drop]r"),
        ("$root", "plain"),
    }
    again = component_new(core(UNUSED))
    assert observe(again, [], WaveCodec()).world == observe(binary, [], WaveCodec()).world


# --- resource types without a name ------------------------------------------------------------------------------------
PRIVATE = """(component
  (type $r (resource (rep i32)))
  (core func $new (canon resource.new $r))
  (core func $rep (canon resource.rep $r))
  (core func $drop (canon resource.drop $r))
  (core module $m
    (import "" "new" (func $new (param i32) (result i32)))
    (import "" "rep" (func $rep (param i32) (result i32)))
    (import "" "drop" (func $drop (param i32)))
    (func (export "f") (result i32)
      (local $h i32)
      (local.set $h (call $new (i32.const 42)))
      (call $rep (local.get $h))
      (call $drop (local.get $h))))
  (core instance $i (instantiate $m (with "" (instance
    (export "new" (func $new)) (export "rep" (func $rep)) (export "drop" (func $drop))))))
  (func (export "run") (result u32) (canon lift (core func $i "f"))))"""


def test_resource_types_that_the_world_does_not_name_need_no_host() -> None:
    data = core(PRIVATE)
    assert not module_of(data).imports
    (_, step) = observe(component_new(data), [Call("run")], WaveCodec()).steps
    assert step.outcome == Returned("42")


# --- initialisation ---------------------------------------------------------------------------------------------------
STARTS = """(component
  (import "test:starts/log" (instance $log (export "say" (func (param "s" string)))))
  (core module $mem (memory (export "m") 1) (data (i32.const 0) "started"))
  (core instance $mem (instantiate $mem))
  (core func $say (canon lower (func $log "say") (memory $mem "m")))
  (core module $m
    (import "" "say" (func $say (param i32 i32)))
    (func $start (call $say (i32.const 0) (i32.const 7)))
    (start $start)
    (func (export "run")))
  (core instance $i (instantiate $m (with "" (instance (export "say" (func $say))))))
  (func (export "run") (canon lift (core func $i "run"))))"""


def test_start_functions_may_call_the_host() -> None:
    data = core(STARTS)
    assert "_initialize" in {export.name for export in module_of(data).exports}
    host = {"test:starts/log#say": lambda guest, args: None}
    first, second = observe(component_new(data), [Call("run")], WaveCodec(), host=host).steps
    assert first.host_calls == [("test:starts/log#say", ['"started"'])]
    assert second.host_calls == []


# --- what is passed on ------------------------------------------------------------------------------------------------
SCALARS = """(component
  (import "plain" (func $plain))
  (import "test:on/i" (instance $i (export "f" (func (param "x" u8) (param "y" f64) (result s64)))))
  (export "plain-again" (func $plain))
  (export "test:on/j" (instance $i)))"""


def test_an_imported_function_of_scalars_is_exported_as_it_is() -> None:
    # not validated: the engine has no re-exports of functions, but others may
    data = meldpy.fuse([bytes(wat2wasm(SCALARS))], FuseOptions(core=True, validate=False)).bytes
    calls: list[tuple[object, ...]] = []

    def function(*args: object) -> int | None:
        calls.append(args)
        return 7 if args else None

    instance = load_core(data, {"plain": function, "test:on/i#f": function})
    assert instance.call("plain-again") is None
    assert instance.call("test:on/j#f", 200, 0.5) == 7
    assert calls == [(), (200, 0.5)]
    assert "export test:on/j#f" in observe(component_new(data), [], WaveCodec()).world


# --- what has no name -------------------------------------------------------------------------------------------------
CLASH = """(component
  (core module $m (memory (export "m") 1) (func (export "f") (result i32) i32.const 0))
  (core instance $i (instantiate $m))
  (func (export "memory") (result string) (canon lift (core func $i "f") (memory $i "m"))))"""
PASSED_ON = '(component (import "f" (func $f (param "s" string))) (export "g" (func $f)))'
INTERFACES_NAME = '(component (import "a:b/c" (func)))'
ROOT_TYPE = '(component (type $t (record (field "x" u8))) (export "t" (type $t)))'
NESTED = """(component
  (import "a:b/c" (instance (export "inner" (instance (export "f" (func)))))))"""


@pytest.mark.parametrize(
    ("wat", "words"),
    [
        (CLASH, "two items would have the name `memory`"),
        (PASSED_ON, "the export `g` is an imported function, passed on"),
        (ROOT_TYPE, "the export `t` is a type outside of any interface"),
        (INTERFACES_NAME, "the import `a:b/c` is no interface under an interface's name"),
        (NESTED, "the import `a:b/c` has an instance in an instance"),
    ],
)
def test_what_core_modules_have_no_name_for_is_refused(wat: str, words: str) -> None:
    with pytest.raises(UnsupportedError, match=words) as caught:
        # not validated: the engine has no re-exports of functions, but others may
        meldpy.fuse([wat.encode()], FuseOptions(core=True, validate=False))
    assert caught.value.remedy is not None
