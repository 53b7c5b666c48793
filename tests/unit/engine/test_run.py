"""Running a component: the guest's codes are its own, and a failure to run it is ours."""

from __future__ import annotations

import pytest
import wasmtime

from meldpy.engine.run import TRAP_CODE, Environment, Outcome, invoke, run_command
from meldpy.errors import EngineError, UsageError

LIBRARY = """(component
  (core module $m
    (memory (export "m") 1)
    (global $returned (mut i32) (i32.const 0))
    (func (export "fail") unreachable)
    (func (export "divide") (param i32 i32) (result i32) (i32.div_u (local.get 0) (local.get 1)))
    (func (export "text") (result i32) (i32.store (i32.const 0) (i32.const 16)) (i32.store (i32.const 4) (i32.const 2))
      (i32.const 0))
    (func (export "done") (param i32) (global.set $returned (i32.const 1)) {done})
    (data (i32.const 16) "hi"))
  (core instance $i (instantiate $m))
  (alias core export $i "m" (core memory $mem))
  (func (export "fail") (canon lift (core func $i "fail")))
  (func (export "divide") (param "a" u32) (param "b" u32) (result u32) (canon lift (core func $i "divide")))
  (func (export "text") (result string)
    (canon lift (core func $i "text") (memory $mem) (post-return (core func $i "done")))))"""


def call(text: str, done: str = "") -> Outcome:
    data = bytes(wasmtime.wat2wasm(LIBRARY.replace("{done}", done)))
    return invoke(data, (text.partition("(")[0],), text, Environment())


def test_results_are_wave() -> None:
    assert call("divide(7, 2)") == Outcome(0, "3")
    assert call("text()") == Outcome(0, '"hi"')


def test_a_trap_has_its_own_code_and_the_engines_words() -> None:
    outcome = call("fail()")
    assert (outcome.exit_code, outcome.result) == (TRAP_CODE, None)
    assert outcome.trap is not None
    assert "unreachable" in outcome.trap
    assert "divide by zero" in (call("divide(1, 0)").trap or "")


def test_a_trap_in_post_return_is_a_trap() -> None:
    outcome = call("text()", done="unreachable")
    assert (outcome.exit_code, outcome.result) == (TRAP_CODE, None)


def test_a_trap_at_instantiation_is_a_trap() -> None:
    data = bytes(
        wasmtime.wat2wasm(
            '(component (core module $m (func $s unreachable) (start $s) (func (export "f")))'
            ' (core instance $i (instantiate $m)) (func (export "f") (canon lift (core func $i "f"))))'
        )
    )
    assert invoke(data, ("f",), "f()", Environment()).exit_code == TRAP_CODE


def test_an_import_that_nothing_provides_is_our_error() -> None:
    data = bytes(wasmtime.wat2wasm('(component (import "f" (func $f)) (export "g" (func $f)))'))
    with pytest.raises(EngineError):
        invoke(data, ("g",), "g()", Environment())


def test_an_invalid_component_is_our_error() -> None:
    with pytest.raises(EngineError, match="cannot be compiled"):
        run_command(b"\0asm\x0d\0\x01\0\xff", "wasi:cli/run@0.2.0", Environment())


def test_a_function_that_is_not_there_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="nothing"):
        call("nothing()")


GATED = """(component
  (core module $m (func (export "f") (param i32 i32) (result i32) (i32.add (local.get 0) (local.get 1)))
    (func (export "g") (result i32) (i32.const 5)))
  (core instance $i (instantiate $m))
  (func (export "f") (param "l" (list u8 2)) (result u32) (canon lift (core func $i "f")))
  (func (export "g") (result u32) (canon lift (core func $i "g"))))"""


def test_components_with_gated_features_run() -> None:
    assert invoke(bytes(wasmtime.wat2wasm(GATED)), ("g",), "g()", Environment()) == Outcome(0, "5")


def test_types_that_the_binding_does_not_know_are_an_error() -> None:
    with pytest.raises(EngineError, match="cannot pass the parameters or results of f"):
        invoke(bytes(wasmtime.wat2wasm(GATED)), ("f",), "f([1, 2])", Environment())


def test_options_at_the_end_of_a_call_may_be_left_out() -> None:
    text = """(component
      (core module $m (func (export "f") (param i32 i32 i32 i32 i32) (result i32)
        (i32.add (local.get 0)
          (i32.add (i32.mul (local.get 1) (i32.const 10)) (i32.mul (local.get 3) (i32.const 100))))))
      (core instance $i (instantiate $m))
      (func (export "f") (param "a" u32) (param "b" (option u32)) (param "c" (option u32)) (result u32)
        (canon lift (core func $i "f"))))"""
    data = bytes(wasmtime.wat2wasm(text))
    for written, result in (("f(1)", "1"), ("f(1, 5)", "11"), ("f(1, none, some(2))", "101")):
        assert invoke(data, ("f",), written, Environment()).result == result
    for wrong in ("f()", "f(1, none, none, none)", "f"):
        with pytest.raises(UsageError):
            invoke(data, ("f",), wrong, Environment())


HTTP = """(component
  (import "wasi:http/types@0.2.0" (instance $types
    (export "fields" (type $f (sub resource)))
    (export "[constructor]fields" (func (result (own $f))))
    (export "[method]fields.has" (func (param "self" (borrow $f)) (param "name" string) (result bool)))))
  (alias export $types "fields" (type $fields))
  (core module $memory (memory (export "m") 1) (data (i32.const 8) "accept"))
  (core instance $memory (instantiate $memory))
  (alias core export $memory "m" (core memory $m))
  (core func $new (canon lower (func $types "[constructor]fields")))
  (core func $has (canon lower (func $types "[method]fields.has") (memory $m)))
  (core func $drop (canon resource.drop $fields))
  (core module $main
    (import "" "new" (func $new (result i32)))
    (import "" "has" (func $has (param i32 i32 i32) (result i32)))
    (import "" "drop" (func $drop (param i32)))
    (func (export "f") (result i32) (local $fields i32)
      (local.set $fields (call $new))
      (call $has (local.get $fields) (i32.const 8) (i32.const 6))
      (call $drop (local.get $fields))))
  (core instance $main (instantiate $main (with "" (instance
    (export "new" (func $new)) (export "has" (func $has)) (export "drop" (func $drop))))))
  (func (export "f") (result bool) (canon lift (core func $main "f"))))"""


def test_components_have_http() -> None:
    assert invoke(bytes(wasmtime.wat2wasm(HTTP)), ("f",), "f()", Environment()) == Outcome(0, "false")


IMPORTER = """(component
  {imports}
  (core module $m (func (export "f"))) (core instance $i (instantiate $m))
  (func (export "f") (canon lift (core func $i "f"))))"""


@pytest.mark.parametrize(
    ("imports", "reason", "remedy"),
    [
        (
            '(import "a:b/c@1.0.0" (instance (export "f" (func))))',
            "imports `a:b/c@1.0.0`, and nothing provides it",
            "it",
        ),
        (
            '(import "x" (func)) (import "a:b/r" (instance (export "r" (type (sub resource)))))',
            "imports `x`, `a:b/r`, and nothing provides them",
            "exports them",
        ),
        (
            '(import "a:b/t" (instance (type $r (list u8)) (export "r" (type (eq $r))))) (import "y" (func))',
            "imports `y`, and nothing provides it",
            "meld fuse FILE PROVIDER",
        ),
        (
            '(import "wasi:nowhere/at-all@0.2.0" (instance (export "f" (func))))',
            "imports `wasi:nowhere/at-all@0.2.0`, which the embedded engine does not have",
            "WASI 0.2, wasi:http included; the wasmtime command has more",
        ),
    ],
)
def test_an_open_import_is_told_with_who_could_provide_it(imports: str, reason: str, remedy: str) -> None:
    data = bytes(wasmtime.wat2wasm(IMPORTER.replace("{imports}", imports)))
    with pytest.raises(EngineError) as caught:
        invoke(data, ("f",), "f()", Environment())
    assert reason in caught.value.reason
    assert caught.value.remedy is not None
    assert remedy in caught.value.remedy
    assert caught.value.causes, "the engine's own words"


def test_value_types_need_nobody() -> None:
    types = '(import "a:b/t" (instance (type $r (record (field "x" u8))) (export "r" (type (eq $r)))))'
    data = bytes(wasmtime.wat2wasm(IMPORTER.replace("{imports}", types)))
    assert invoke(data, ("f",), "f()", Environment()) == Outcome(0)
