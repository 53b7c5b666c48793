"""How inputs are linked where async makes the rest: by version track, by hand, in a chain; handles across the cut.

The providers yield, which emitted code does not carry, and are called from other instances: so they are kept, and
each link below is one that the engine makes. Beside each output stands the composition by hand.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import pytest
from wasmtime import wat2wasm

import meldpy
from meldpy.pipeline import FuseInput, FuseOptions
from tests.support.compose import Export, Wire, compose
from tests.support.harness import Call, Returned, Trap, observe

TYPE: Final = '(func async (param "x" u32) (result u32))'


def provider(name: str) -> str:
    """Exports `name`, whose function yields before it adds one."""
    return f"""
(component
  (core module $M
    (import "" "return" (func $return (param i32)))
    (import "" "yield" (func $yield (result i32)))
    (func (export "f") (param i32) (result i32)
      (drop (call $yield)) (call $return (i32.add (local.get 0) (i32.const 1))) (i32.const 0))
    (func (export "cb") (param i32 i32 i32) (result i32) (unreachable)))
  (core func $return (canon task.return (result u32)))
  (core func $yield (canon thread.yield))
  (core instance $m (instantiate $M (with "" (instance
    (export "return" (func $return)) (export "yield" (func $yield))))))
  (func $f async (param "x" u32) (result u32)
    (canon lift (core func $m "f") async (callback (core func $m "cb"))))
  (instance $i (export "f" (func $f)))
  (export "{name}" (instance $i)))"""


def middleware(imported: str, exported: str, factor: int) -> str:
    """Asks what it imports, waits on its stack, and multiplies."""
    return f"""
(component
  (import "{imported}" (instance $next (export "f" {TYPE})))
  (core module $M
    (import "" "f" (func $f (param i32) (result i32)))
    (func (export "f") (param i32) (result i32) (i32.mul (call $f (local.get 0)) (i32.const {factor}))))
  (core func $f (canon lower (func $next "f")))
  (core instance $m (instantiate $M (with "" (instance (export "f" (func $f))))))
  (func $f async (param "x" u32) (result u32) (canon lift (core func $m "f")))
  (instance $i (export "f" (func $f)))
  (export "{exported}" (instance $i)))"""


def inputs(texts: Mapping[str, str]) -> list[FuseInput]:
    return [FuseInput(name, name, bytes(wat2wasm(text))) for name, text in texts.items()]


def answers(component: bytes, export: str, *given: int) -> list[Returned | Trap]:
    steps = observe(component, tuple(Call(f"{export}#f", [x]) for x in given)).steps
    return [step.outcome for step in steps if step.label != "(instantiate)"]


def check(
    texts: Mapping[str, str], wires: Sequence[Wire], options: FuseOptions, export: tuple[str, str], expected: list[int]
) -> None:
    """The output and the composition by hand answer as expected, and the providers are kept."""
    composed = compose({name: bytes(wat2wasm(text)) for name, text in texts.items()}, wires, [Export(*export)])
    result = meldpy.fuse(inputs(texts), options)
    assert "provider" in [kept.input for kept in result.report.kept]
    assert result.report.engine_call_sites == len(wires)
    found = answers(composed, export[1], 1, 4)
    assert [outcome.value for outcome in found if isinstance(outcome, Returned)] == expected
    assert answers(result.bytes, export[1], 1, 4) == found


NEWER, OLDER, USER = "demo:words/api@1.2.0", "demo:words/api@1.0.0", "demo:user/api"


def test_a_version_on_the_same_track_is_linked_across_the_cut() -> None:
    texts = {"provider": provider(NEWER), "user": middleware(OLDER, USER, 3)}
    check(texts, [Wire("user", OLDER, "provider", NEWER)], FuseOptions(), ("user", USER), [6, 15])


def test_a_link_by_hand_is_made_across_the_cut() -> None:
    texts = {"provider": provider("demo:other/api"), "user": middleware(OLDER, USER, 3)}
    options = FuseOptions(links=(f"user:{OLDER}=provider:demo:other/api",))
    check(texts, [Wire("user", OLDER, "provider", "demo:other/api")], options, ("user", USER), [6, 15])


def test_a_chain_goes_across_the_cut_from_left_to_right() -> None:
    texts = {
        "first": middleware(NEWER, NEWER, 3),
        "second": middleware(NEWER, NEWER, 5),
        "provider": provider(NEWER),
    }
    wires = [Wire("first", NEWER, "second", NEWER), Wire("second", NEWER, "provider", NEWER)]
    check(texts, wires, FuseOptions(chain=True), ("first", NEWER), [2 * 15, 5 * 15])


# --- async that passes through a group beside the rest ----------------------------------------------------------------
LIBRARY: Final = """
(component
  (core module $M (func (export "twice") (param i32) (result i32) (i32.mul (local.get 0) (i32.const 2))))
  (core instance $m (instantiate $M))
  (func (export "twice") (param "x" u32) (result u32) (canon lift (core func $m "twice"))))"""


def caller(imported: str, exported: str) -> str:
    """Asks what it imports, waits on its stack, and has the library double the answer."""
    return f"""
(component
  (import "{imported}" (instance $next (export "f" {TYPE})))
  (import "twice" (func $twice (param "x" u32) (result u32)))
  (core module $M
    (import "" "f" (func $f (param i32) (result i32)))
    (import "" "twice" (func $twice (param i32) (result i32)))
    (func (export "f") (param i32) (result i32) (call $twice (call $f (local.get 0)))))
  (core func $f (canon lower (func $next "f")))
  (core func $twice (canon lower (func $twice)))
  (core instance $m (instantiate $M (with "" (instance (export "f" (func $f)) (export "twice" (func $twice))))))
  (func $f async (param "x" u32) (result u32) (canon lift (core func $m "f")))
  (instance $i (export "f" (func $f)))
  (export "{exported}" (instance $i)))"""


def test_async_passes_through_a_group_beside_the_rest() -> None:
    """The caller is fused with its library, and the engine makes its call of the provider."""
    texts = {"provider": provider(NEWER), "library": LIBRARY, "caller": caller(NEWER, USER)}
    result = meldpy.fuse(inputs(texts))
    assert [kept.input for kept in result.report.kept] == ["provider"]
    assert (result.report.groups, result.report.call_sites, result.report.engine_call_sites) == (1, 1, 1)
    wires = [Wire("caller", NEWER, "provider", NEWER), Wire("caller", "twice", "library", "twice")]
    composed = compose({name: bytes(wat2wasm(text)) for name, text in texts.items()}, wires, [Export("caller", USER)])
    found = answers(composed, USER, 1, 4)
    assert [outcome.value for outcome in found if isinstance(outcome, Returned)] == [4, 10]
    assert answers(result.bytes, USER, 1, 4) == found


def test_two_that_share_a_library_do_not_pass_async_through_one_group() -> None:
    """Both are of one level, and would take one lock."""
    other = "demo:other/api"
    texts = {
        "provider": provider(NEWER),
        "library": LIBRARY,
        "first": caller(NEWER, USER),
        "second": caller(NEWER, other),
    }
    result = meldpy.fuse(inputs(texts))
    assert [kept.input for kept in result.report.kept] == ["provider", "second"]
    wires = [Wire(each, NEWER, "provider", NEWER) for each in ("first", "second")]
    wires += [Wire(each, "twice", "library", "twice") for each in ("first", "second")]
    exports = [Export("first", USER), Export("second", other)]
    composed = compose({name: bytes(wat2wasm(text)) for name, text in texts.items()}, wires, exports)
    for name in (USER, other):
        assert answers(result.bytes, name, 1, 4) == answers(composed, name, 1, 4)


def test_of_a_chain_every_other_caller_is_fused_with_its_library() -> None:
    """Two neighbours would be in one group, and async passes through a group for one instance only."""
    names = [f"demo:words/a{number}" for number in range(5)]
    texts, wires = {"provider": provider(names[0])}, []
    for number in range(4):
        here, below = f"c{number}", "provider" if number == 0 else f"c{number - 1}"
        for text, name in ((caller(names[number], names[number + 1]), here), (LIBRARY, f"l{number}")):
            texts[name] = text.replace('"twice" (func', f'"twice{number}" (func')
            texts[name] = texts[name].replace(
                '(func (export "twice") (param "x"', f'(func (export "twice{number}") (param "x"'
            )
        wires += [Wire(here, names[number], below, names[number])]
        wires += [Wire(here, f"twice{number}", f"l{number}", f"twice{number}")]
    result = meldpy.fuse(inputs(texts))
    assert (len(result.report.kept), result.report.groups, result.report.call_sites) == (3, 2, 2)
    composed = compose({name: bytes(wat2wasm(text)) for name, text in texts.items()}, wires, [Export("c3", names[4])])
    found = answers(composed, names[4], 1, 4)
    assert [outcome.value for outcome in found if isinstance(outcome, Returned)] == [32, 80]
    assert answers(result.bytes, names[4], 1, 4) == found


# --- handles across the cut -------------------------------------------------------------------------------------------
MAKER: Final = """
(component
  (type $r' (resource (rep i32)))
  (core func $new (canon resource.new $r'))
  (core module $M
    (import "" "new" (func $new (param i32) (result i32)))
    (func (export "make") (param i32) (result i32) (call $new (local.get 0)))
    (func (export "value") (param i32) (result i32) (local.get 0)))
  (core instance $m (instantiate $M (with "" (instance (export "new" (func $new))))))
  (func $make (param "x" u32) (result (own $r')) (canon lift (core func $m "make")))
  (func $value (param "self" (borrow $r')) (result u32) (canon lift (core func $m "value")))
  (component $Names
    (import "r" (type $r (sub resource)))
    (import "make" (func $make (param "x" u32) (result (own $r))))
    (import "value" (func $value (param "self" (borrow $r)) (result u32)))
    (export $e "thing" (type $r))
    (export "make" (func $make) (func (param "x" u32) (result (own $e))))
    (export "value" (func $value) (func (param "self" (borrow $e)) (result u32))))
  (instance $i (instantiate $Names (with "r" (type $r')) (with "make" (func $make)) (with "value" (func $value))))
  (export "demo:things/api" (instance $i)))"""
THINGS: Final = """
  (import "demo:things/api" (instance $things
    (export "thing" (type $r (sub resource)))
    (export "make" (func (param "x" u32) (result (own $r))))
    (export "value" (func (param "self" (borrow $r)) (result u32)))))
  (core func $make (canon lower (func $things "make")))
  (core func $value (canon lower (func $things "value")))
  (alias export $things "thing" (type $t))
  (core func $drop (canon resource.drop $t))"""


def taker(export: str, more: str, body: str, type_: str) -> str:
    return f"""
(component {THINGS} {more}
  (core module $M
    (import "" "make" (func $make (param i32) (result i32)))
    (import "" "value" (func $value (param i32) (result i32)))
    (import "" "drop" (func $drop (param i32)))
    (import "" "more" (func $more))
    (func (export "f") (param $x i32) (result i32)
      (local $h i32)
      (local $v i32)
      (local.set $h (call $make (local.get $x)))
      (local.set $v (call $value (local.get $h)))
      (call $drop (local.get $h))
      {body}))
  (core instance $m (instantiate $M (with "" (instance
    (export "make" (func $make)) (export "value" (func $value)) (export "drop" (func $drop))
    (export "more" (func $more))))))
  (func $f {type_} (param "x" u32) (result u32) (canon lift (core func $m "f")))
  (instance $i (export "f" (func $f)))
  (export "{export}" (instance $i)))"""


NEXT: Final = (
    f'(import "{NEWER}" (instance $next (export "f" {TYPE}))) (core func $more (canon lower (func $next "f")))'
)


@pytest.mark.parametrize("opaque", [(), ("demo:things/api.thing",)])
def test_handles_go_through_the_cut_with_opaque_reps_and_without(opaque: tuple[str, ...]) -> None:
    """One taker is fused with the maker; the other, which calls an async function, is kept."""
    waits = taker(USER, NEXT, "(call $next (local.get $v))", "async").replace(
        '(import "" "more" (func $more))', '(import "" "more" (func $next (param i32) (result i32)))'
    )
    beside = taker("demo:beside/api", "(core func $more (canon resource.drop $t))", "(local.get $v)", "").replace(
        '(import "" "more" (func $more))', '(import "" "more" (func $more (param i32)))'
    )
    texts = {"maker": MAKER, "provider": provider(NEWER), "waits": waits, "beside": beside}
    result = meldpy.fuse(inputs(texts), FuseOptions(opaque_reps=opaque))
    assert [kept.input for kept in result.report.kept] == ["provider", "waits"]
    assert (result.report.call_sites, result.report.engine_call_sites) == (2, 3)
    wires = [Wire(user, "demo:things/api", "maker", "demo:things/api") for user in ("waits", "beside")]
    wires.append(Wire("waits", NEWER, "provider", NEWER))
    parts = {name: bytes(wat2wasm(text)) for name, text in texts.items()}
    composed = compose(parts, wires, [Export("waits", USER), Export("beside", "demo:beside/api")])
    for export, expected in ((USER, [8, 1]), ("demo:beside/api", [7, 0])):
        found = answers(composed, export, 7, 0)
        assert [outcome.value for outcome in found if isinstance(outcome, Returned)] == expected
        assert answers(result.bytes, export, 7, 0) == found
