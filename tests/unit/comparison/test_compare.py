"""Two components side by side: what differs is found, what is the same is equal, and nothing is compared in vain."""

from __future__ import annotations

from pathlib import Path

import pytest

import meldpy
from meldpy.comparison import Scenario, fuzz, invocations, load
from meldpy.engine.arbitrary import arbitrary, smaller, smallest
from meldpy.engine.exports import exported
from meldpy.engine.prepare import prepare
from meldpy.engine.text import assemble
from meldpy.engine.wavecodec import tree_text
from meldpy.errors import EngineError, UsageError
from meldpy.fixture import FixtureError
from meldpy.fixture.compare import Difference

HELLO = Path(__file__).resolve().parents[3] / "fixtures" / "hello"
ALIKE = {"(instantiate)", "call 0, f", "call 1, f"}


def component(body: str, params: str = '(param "x" u32)', core_params: str = "(param i32)", extra: str = "") -> bytes:
    text = f"""(component
      {extra}
      (core module $m (func (export "f") {core_params} (result i32) {body}))
      (core instance $i (instantiate $m))
      (func (export "f") {params} (result u32) (canon lift (core func $i "f"))))"""
    return assemble(text.encode(), "test")


SAME = component("local.get 0")
OFF_ABOVE_1000 = component("local.get 0 local.get 0 i32.const 1000 i32.gt_u i32.add")
ENDLESS = component("(loop $l (br $l)) unreachable")
TRAPPING = component("unreachable")


def test_equal_components_are_equal_and_timed() -> None:
    found = meldpy.compare(SAME, SAME, ["f(1)", "f(2000)"])
    assert found.equal
    assert {step.label for step in found.steps} == ALIKE
    assert all(step.original > 0 and step.fused > 0 for step in found.steps)


def test_a_different_result_is_found() -> None:
    found = meldpy.compare(SAME, OFF_ABOVE_1000, ["f(1000)", "f(1001)"], repeat=2)
    assert [(each.where, each.aspect) for each in found.differences] == [("call 1, f", "outcome")]


def test_a_trap_in_place_of_a_result_is_found() -> None:
    (difference,) = meldpy.compare(SAME, TRAPPING, ["f(1)"]).differences
    assert "trapped: wasm `unreachable` instruction executed" in str(difference)


def test_another_type_is_found() -> None:
    wider = component("i32.const 2", '(param "x" u64)', "(param i64)")
    assert [each.aspect for each in meldpy.compare(SAME, wider, ["f(1)"]).differences] == ["type", "outcome"]


def test_nothing_to_compare_is_an_error() -> None:
    with pytest.raises(UsageError, match="nothing to compare"):
        meldpy.compare(SAME, SAME, [])


def test_a_call_that_is_not_there_is_an_error_that_names_the_side() -> None:
    with pytest.raises(UsageError, match="exports no function g") as error:
        meldpy.compare(SAME, SAME, ["g(1)"])
    assert "at the original" in error.value.render()


IMPORTING = assemble(
    b"""(component
      (import "h" (func $h (param "x" u32) (result u32)))
      (core func $l (canon lower (func $h)))
      (core module $m (import "" "h" (func $h (param i32) (result i32)))
        (func (export "f") (param i32) (result i32) local.get 0 call $h))
      (core instance $i (instantiate $m (with "" (instance (export "h" (func $l))))))
      (func (export "f") (param "x" u32) (result u32) (canon lift (core func $i "f"))))""",
    "test",
)


def test_an_import_that_nothing_provides_is_an_error_and_not_two_equal_failures() -> None:
    with pytest.raises(EngineError, match="nothing provides it") as error:
        meldpy.compare(IMPORTING, IMPORTING, ["f(1)"])
    assert error.value.remedy is not None
    assert "[[host]]" in error.value.remedy


def test_a_stub_provides_what_nothing_else_does() -> None:
    scenario = invocations(["f(1)"]).with_stubs()
    assert meldpy.compare(IMPORTING, IMPORTING, scenario).equal


def test_a_scenario_file_is_what_fixtures_have(tmp_path: Path) -> None:
    assert len(load(HELLO / "fixture.toml").calls) == 3
    file = tmp_path / "scenario.toml"
    file.write_text('[[host]]\nfunc = "h"\nreturns = "7"\n\n[[call]]\ncall = "f(1)"\n')
    doubled = IMPORTING
    assert meldpy.compare(doubled, doubled, file).equal
    assert len(meldpy.compare(IMPORTING, SAME, file).differences) == 3  # the type, the result, the host's calls


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"there is no \[\[call\]\]"),
        ("[[call]]\ncall = 'f('\n", "call: a value was expected"),
        ("[[call]]\ncall = 'f(1)'\nfoo = 1\n", "the key 'foo' is not known here"),
        ("[[calls]]\ncall = 'f(1)'\n", "the key 'calls' is not known here"),
        ("like = '../x'\n", "the calls are in another file"),
    ],
)
def test_a_wrong_scenario_names_the_line(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "scenario.toml"
    file.write_text(text)
    with pytest.raises(FixtureError, match=message) as error:
        load(file)
    assert f"{file}:" in error.value.render()


def test_fuzzing_finds_the_smallest_argument_that_shows_the_difference() -> None:
    found = fuzz(SAME, OFF_ABOVE_1000, 0, cases=100)
    assert found.smallest == ("f(1001)",)
    assert [each.aspect for each in found.differences] == ["outcome"]


def test_the_same_seed_finds_the_same_and_another_seed_tries_other_calls() -> None:
    assert fuzz(SAME, OFF_ABOVE_1000, 0, cases=100) == fuzz(SAME, OFF_ABOVE_1000, 0, cases=100)
    assert fuzz(SAME, SAME, 0, cases=30).calls != fuzz(SAME, SAME, 0, cases=30, seed=1).calls


def test_fuzzing_equal_components_finds_nothing() -> None:
    found = fuzz(SAME, SAME, 0, cases=40)
    assert found.equal
    assert found.cases == 40
    assert found.calls > 40


def test_a_call_that_never_ends_is_given_up_and_shows_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("meldpy.comparison.search._DEADLINE", 0.05)
    found = fuzz(ENDLESS, ENDLESS, 0, cases=2)
    assert found.equal
    assert found.inconclusive == 2


def test_fuzzing_compares_how_two_components_start_and_says_if_neither_takes_a_call() -> None:
    bad = assemble(
        b"""(component
          (core module $m (func $s unreachable) (start $s) (func (export "f") (param i32) (result i32) local.get 0))
          (core instance $i (instantiate $m))
          (func (export "f") (param "x" u32) (result u32) (canon lift (core func $i "f"))))""",
        "test",
    )
    for pair in ((bad, SAME), (SAME, bad)):
        assert fuzz(*pair, 0, cases=1).differences[0].where == "(instantiate)"
    with pytest.raises(EngineError, match="nothing was compared") as error:
        fuzz(bad, bad, 0, cases=1)
    assert error.value.causes == ("its instantiation trapped: wasm `unreachable` instruction executed",)


def test_calls_behind_one_that_ran_out_of_stack_are_not_counted_and_without_any_it_is_an_error() -> None:
    deep = component("(if (result i32) (local.get 0) (then (call 0 (local.get 0))) (else (i32.const 0)))")
    found = meldpy.compare(deep, deep, ["f(0)", "f(1)", "f(0)"])
    assert found.equal
    assert (found.calls, found.compared, found.inconclusive) == (3, 1, ("call 1, f",))
    with pytest.raises(EngineError, match="nothing was compared: call 0, f ran out of stack") as error:
        meldpy.compare(deep, SAME, ["f(1)", "f(0)"])
    assert error.value.remedy is not None


COUNTER = """(component
  (core module $m
    (global $next (mut i32) (i32.const 1))
    (func (export "new") (param i32) (result i32) local.get 0)
    (func (export "get") (param i32) (result i32) {body}))
  (core instance $i (instantiate $m))
  (type $r' (resource (rep i32)))
  (core func $new (canon resource.new $r'))
  (core module $n (import "" "new" (func $new (param i32) (result i32)))
    (func (export "ctor") (param i32) (result i32) local.get 0 call $new))
  (core instance $j (instantiate $n (with "" (instance (export "new" (func $new))))))
  (export $r "r" (type $r'))
  (func (export "[constructor]r") (param "x" u32) (result (own $r)) (canon lift (core func $j "ctor")))
  (func (export "[method]r.get") (param "self" (borrow $r)) (result u32) (canon lift (core func $i "get"))))"""


def test_fuzzing_makes_handles_and_gives_them_back() -> None:
    plain = assemble(COUNTER.format(body="local.get 0").encode(), "test")
    wrong = assemble(COUNTER.format(body="local.get 0 i32.const 7 i32.or").encode(), "test")
    found = fuzz(plain, wrong, 0, cases=200)
    assert found.smallest == ("[constructor]r(0)", "[method]r.get(r1)")


def test_what_cannot_be_written_is_skipped_and_said() -> None:
    only = assemble(
        b"""(component
          (core module $m (func (export "f") (param i32) (result i32) local.get 0))
          (core instance $i (instantiate $m))
          (type $s (stream u8))
          (func (export "f") (param "s" $s) (result u32) (canon lift (core func $i "f"))))""",
        "test",
    )
    with pytest.raises(UsageError, match="no function that can be called") as error:
        fuzz(only, only, 0, cases=1)
    assert error.value.causes == ("f: stream<u8>",)


TYPED = """(component
  (core module $m (memory (export "m") 1) (func (export "r") (param i32 i32 i32 i32) (result i32) i32.const 8)
    (func (export "f") {core}))
  (core instance $i (instantiate $m))
  {types}
  (func (export "f") (param "x" {of}) (canon lift (core func $i "f") (memory (core memory $i "m"))
    (realloc (core func $i "r")))))"""


@pytest.mark.parametrize(
    ("of", "types", "core", "least"),
    [
        ("bool", "", "(param i32)", "false"),
        ("char", "", "(param i32)", "'a'"),
        ("string", "", "(param i32 i32)", '""'),
        ("s64", "", "(param i64)", "0"),
        ("f32", "", "(param f32)", "0"),
        ("(list string)", "", "(param i32 i32)", "[]"),
        ("(tuple u8 string)", "", "(param i32 i32 i32)", '(0, "")'),
        ("$t", '(type $r (record (field "a" u8) (field "true" bool))) (export $t "t" (type $r))', "(param i32 i32)",
         "{a: 0, %true: false}"),
        ("$t", '(type $r (variant (case "none" u8) (case "b"))) (export $t "t" (type $r))', "(param i32 i32)",
         "%none(0)"),
        ("(option u8)", "", "(param i32 i32)", "none"),
        ("(result string (error u8))", "", "(param i32 i32 i32)", 'ok("")'),
        ("$t", '(type $r (flags "a" "b")) (export $t "t" (type $r))', "(param i32)", "{}"),
        ("$t", '(type $r (enum "x" "y")) (export $t "t" (type $r))', "(param i32)", "x"),
    ],
)  # fmt: skip
def test_values_of_every_type_are_made_taken_and_made_small(of: str, types: str, core: str, least: str) -> None:
    from random import Random

    binary = assemble(TYPED.format(of=of, types=types, core=core).encode(), "test")
    prepared = prepare(binary)
    (function,) = exported(prepared)
    (ty,) = function.params
    tree = smallest(ty)
    assert tree is not None
    assert tree_text(tree) == least
    texts = []
    for number in range(20):
        value = arbitrary(ty, Random(number), lambda _: [])
        assert value is not None
        texts.append(f"f({tree_text(value)})")
        for _ in range(2_000):
            smallers = list(smaller(value, ty))
            if not smallers:
                break
            value = smallers[min(2, len(smallers) - 1)]
        assert tree_text(value) == least, "following smaller values ends in the smallest"
    assert len(set(texts)) > 1
    assert meldpy.compare(binary, binary, texts).equal


def test_differences_are_typed() -> None:
    found = meldpy.compare(SAME, OFF_ABOVE_1000, Scenario(invocations(["f(5000)"]).calls))
    assert all(isinstance(each, Difference) for each in found.differences)
