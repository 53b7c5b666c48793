"""The judge is judged: the harness must see every sort of difference, and none where there is none."""

from __future__ import annotations

from pathlib import Path

import pytest
from wasmtime import wat2wasm

from meldpy.fixture.files import components, composed
from tests.differential.divergences import Divergence, Divergences, load
from tests.differential.trap_kinds import ENGINE_TEXTS, same_trap, trap_kind
from tests.support import fixtures
from tests.support.compose import ComposeError, Export, Wire, compose
from tests.support.harness import Call, Difference, Guest, Observed, Returned, Trap, check, compare, observe
from tests.support.shape import assert_fused_shape, scan
from tests.support.values import Plain, same
from tests.support.wasi import WasiInput

CALLS_HOST = """
(component
  (import "demo:host/log" (instance $log
    (export "add" (func (param "a" u32) (param "ok" bool) (result u32)))))
  (core func $add (canon lower (func $log "add")))
  (core module $m
    (import "log" "add" (func $add (param i32 i32) (result i32)))
    (func (export "twice") (param i32) (result i32)
      (call $add (call $add (local.get 0) (i32.const 1)) (i32.const %d)))
    (func (export "divide") (param i32) (result i32) (i32.div_u (i32.const 6) (local.get 0)))
    %s)
  (core instance $i (instantiate $m (with "log" (instance (export "add" (func $add))))))
  (func (export "twice") (param "a" u32) (result u32) (canon lift (core func $i "twice")))
  (func (export "divide") (param "a" u32) (result u32) (canon lift (core func $i "divide"))))
"""


def calls_host(second_flag: int = 0, extra: str = "") -> bytes:
    return bytes(wat2wasm(CALLS_HOST % (second_flag, extra)))


def add_ten(guest: Guest | None, args: list[Plain]) -> Plain:
    assert isinstance(args[0], int)
    return args[0] + 10


HOST = {"demo:host/log#add": add_ten}
TWICE, DIVIDE = Call("twice", [1]), Call("divide", [0])


def run(binary: bytes, *calls: Call) -> Observed:
    return observe(binary, calls, host=HOST)


def test_a_component_is_like_itself() -> None:
    assert compare(run(calls_host(), TWICE, DIVIDE, TWICE), run(calls_host(), TWICE, DIVIDE, TWICE)) == []


def test_results_and_host_calls_are_recorded() -> None:
    step = run(calls_host(), TWICE).steps[1]
    assert step.outcome == Returned(21)
    assert step.host_calls == [("demo:host/log#add", [1, True]), ("demo:host/log#add", [11, False])]


def test_a_call_after_a_trap_runs_on_a_fresh_instance() -> None:
    steps = run(calls_host(), DIVIDE, TWICE).steps
    assert [step.label for step in steps] == ["(instantiate)", "call 0, divide", "(instantiate)", "call 1, twice"]
    assert isinstance(steps[1].outcome, Trap)
    assert steps[1].outcome.kind == "integer divide by zero"
    assert steps[3].outcome == Returned(21)


def test_another_host_argument_is_a_difference() -> None:
    [difference] = compare(run(calls_host(), TWICE), run(calls_host(second_flag=1), TWICE))
    assert difference.aspect == "host calls"


def test_another_kind_of_trap_is_a_difference() -> None:
    other = (CALLS_HOST % (0, "")).replace("(i32.div_u (i32.const 6) (local.get 0))", "(unreachable)").encode()
    [difference] = compare(run(calls_host(), DIVIDE), run(bytes(wat2wasm(other.decode())), DIVIDE))
    assert difference.aspect == "outcome"


def test_a_trap_at_instantiation_ends_the_run() -> None:
    broken = calls_host(extra="(func $start (unreachable)) (start $start)")
    observed = run(broken, TWICE)
    assert [step.label for step in observed.steps] == ["(instantiate)"]
    assert len(compare(run(calls_host(), TWICE), observed)) == 2


def test_another_type_is_a_difference() -> None:
    text = CALLS_HOST % (0, "")
    renamed = bytes(wat2wasm(text.replace('"divide") (param "a" u32)', '"divide") (param "b" u32)')))
    [difference] = compare(run(calls_host(), TWICE), run(renamed, TWICE))
    assert (difference.where, difference.aspect) == ("(world)", "type")


def test_a_host_function_may_call_back_in() -> None:
    def reenter(guest: Guest | None, args: list[Plain]) -> Plain:
        assert guest is not None
        quotient = guest.call("divide", [2])
        assert isinstance(quotient, int)
        return quotient

    step = observe(calls_host(), [TWICE], host={"demo:host/log#add": reenter}).steps[1]
    assert step.outcome == Returned(3)


def test_output_of_a_command_is_captured_and_compared() -> None:
    printer = composed(fixtures.load("printer"))
    run = "wasi:cli/run@0.2.12#run"
    calls = [Call(run, (), WasiInput(["a", "b"], {"GREETING": "Good day"})), Call(run, (), WasiInput())]
    observed = observe(printer, calls)
    assert [step.stdout.splitlines()[0] for step in observed.steps[1::2]] == [
        b"Good day, 2 argument(s)",
        b"no greeting, 0 argument(s)",
    ]
    other = observe(printer, [calls[0], Call(calls[1].func, (), calls[0].wasi)])
    assert [difference.aspect for difference in compare(observed, other)] == ["stdout"]


def test_check_raises_for_a_difference_that_nothing_explains() -> None:
    with pytest.raises(AssertionError, match="host calls differs"):
        check(calls_host(), calls_host(second_flag=1), [TWICE], host=HOST, divergences=Divergences([], {}))


def test_an_entry_explains_a_difference_and_is_marked() -> None:
    entry = Divergence("flag", "none", "49, 50", "any_host_call", "spec", "test_x.py::test_y")
    silent = Divergence("never", "none", "49, 50", "nothing", "spec", "test_x.py::test_y")
    table = Divergences(
        [entry, silent],
        {"any_host_call": lambda difference: difference.aspect == "host calls", "nothing": lambda difference: False},
    )
    check(calls_host(), calls_host(second_flag=1), [TWICE], host=HOST, divergences=table)
    assert table.fired == {"flag"}
    assert table.silent({"test_x.py::test_y"}) == ["never"]
    assert table.silent({"test_x.py::test_z"}) == []


def test_an_entry_for_another_engine_explains_nothing() -> None:
    entry = Divergence("old", "none", "12", "everything", "spec", "test_x.py::test_y")
    table = Divergences([entry], {"everything": lambda difference: True})
    assert not table.explains(Difference("call 0", "outcome", 1, 2))
    assert table.silent({"test_x.py::test_y"}) == []


def test_a_bad_table_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "divergences.toml"
    row = '[[divergence]]\nid = "x"\nspec = ""\nwasmtime = "50"\nside = "%s"\npredicate = "%s"\ntest = ""\n'
    path.write_text(row % ("nobody", "leave_trapped_in_fused_only"))
    with pytest.raises(ValueError, match="side"):
        load(path)
    path.write_text(row % ("spec", "no_such_function"))
    with pytest.raises(ValueError, match="no predicate"):
        load(path)
    path.write_text(row % ("neither", "leave_trapped_in_fused_only"))
    with pytest.raises(ValueError, match="an ADR accepts"):
        load(path)


TRAP_FUNCTION = """
error while executing at wasm backtrace:
    0:     0x7a - main!%s
    1:     0x6f - main!caller

Caused by:
    wasm trap: %s
"""


def test_a_trap_function_names_the_kind() -> None:
    unreachable = "wasm `unreachable` instruction executed"
    assert trap_kind(TRAP_FUNCTION % ("trap: invalid utf8", unreachable)) == "invalid utf8"
    assert trap_kind(TRAP_FUNCTION % ("f", unreachable)) == unreachable
    assert trap_kind(TRAP_FUNCTION % ("f", "unaligned pointer")) == "unaligned pointer"


def test_kinds_are_the_same_only_by_the_table() -> None:
    assert same_trap("unaligned pointer", "list pointer misaligned")
    assert same_trap("list content out-of-bounds", "realloc result out of bounds")
    assert not same_trap("list content out-of-bounds", "list pointer misaligned")
    assert not same_trap("wasm `unreachable` instruction executed", "list pointer misaligned")
    assert not same_trap("invalid utf8", "invalid utf8 encoding"), "the composition never names our functions"
    assert all(texts for texts in ENGINE_TEXTS.values())


def test_values_are_compared_as_the_spec_sees_them() -> None:
    nan = float("nan")
    assert same([{"x": nan}], [{"x": nan}])
    assert not same(0.0, -0.0)
    assert not same(1, True)
    assert not same({"some": 1}, "none")
    assert not same([1], [1, 2])


def test_shape_of_a_composition_is_refused() -> None:
    with pytest.raises(AssertionError, match="nested components"):
        assert_fused_shape(composed(fixtures.load("hello")))


def test_shape_of_two_modules_with_code_is_refused() -> None:
    module = "(core module (func (result i32) (i32.const 1)))"
    with pytest.raises(AssertionError, match="code of their own"):
        assert_fused_shape(bytes(wat2wasm(f"(component {module} {module})")))


def test_shape_of_a_crossing_left_to_the_engine_is_refused() -> None:
    text = """
      (component
        (core module $m (func (export "f")))
        (core instance $i (instantiate $m))
        (func $f (canon lift (core func $i "f")))
        (core func $g (canon lower (func $f))))"""
    with pytest.raises(AssertionError, match="left to the engine"):
        assert_fused_shape(bytes(wat2wasm(text)))


def test_a_carrier_has_data_and_forwarders_only() -> None:
    carrier = """
      (core module (memory 1) (data (i32.const 0) "x") (table 2 funcref) (type $t (func (param i32) (result i32)))
        (func (export "realloc") (param i32) (result i32)
          (call_indirect (type $t) (local.get 0) (i32.const 1))))"""
    main = '(core module (func (export "f") (result i32) (i32.const 1)))'
    shape = scan(bytes(wat2wasm(f"(component {carrier} {main})")))
    assert (shape.carriers, shape.modules_with_code) == (1, 1)


def test_composer_gives_the_same_imports_to_two_children() -> None:
    exports = [Export("a", "twice"), Export("b", "divide")]
    both = compose({"a": calls_host(), "b": calls_host()}, [], exports)
    assert run(both, TWICE).steps[1].outcome == Returned(21)


def test_composer_refuses_a_child_that_needs_more_than_the_first() -> None:
    other = bytes(wat2wasm((CALLS_HOST % (0, "")).replace("demo:host/log", "demo:host/other")))
    with pytest.raises(ComposeError, match="leaves more imports open"):
        compose({"a": calls_host(), "b": other}, [])


def test_composer_refuses_a_wire_between_sorts() -> None:
    hello = components(fixtures.load("hello"))
    greeting = "demo:hello/greeting@1.0.0"
    with pytest.raises(ComposeError, match="different sorts"):
        compose(
            {"app": hello["app"], "other": calls_host()},
            [Wire("app", greeting, "other", "twice")],
        )
