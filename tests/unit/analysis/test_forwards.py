"""Jumps through a known table slot are found, and refused as soon as one condition of the proof fails."""

from __future__ import annotations

import pytest

from meldpy.analysis import analyse
from meldpy.model.linked import LowerFunc
from tests.support.core_graph import CoreGraph, Handle, scan_module

SHIM = """(module
  (type $f (func (param i32) (result i32)))
  (table (export "t") 2 2 funcref)
  (func (export "0") (type $f) (local.get 0) (i32.const 0) (call_indirect (type $f)))
  (func (export "1") (type $f) (local.get 0) (i32.const 1) (call_indirect (type $f))))"""

USER = """(module
  (import "" "0" (func $zero (param i32) (result i32)))
  (import "" "1" (func $one (param i32) (result i32)))
  (func (export "go") (param i32) (result i32) (call $one (call $zero (local.get 0)))))"""

FIXUP = """(module
  (type $f (func (param i32) (result i32)))
  (import "" "f" (func $f (type $f)))
  (import "" "g" (func $g (type $f)))
  (import "" "t" (table 2 2 funcref))
  (elem (i32.const 0) $f $g))"""


class Knot:
    """wit-component's knot: a shim, its user, what is between them and the fixup, and the fixup."""

    def __init__(self, shim: str = SHIM) -> None:
        self.graph = CoreGraph()
        self.f = self.graph.host("f", 1, 1)
        self.g = self.graph.host("g", 1, 1)
        self.shim: Handle = self.graph.instance(shim)
        self.user = self.graph.instance(USER, self.shim["0"], self.shim["1"])
        self.graph.export("go", self.user["go"])

    def fix(self, fixup: str = FIXUP) -> Handle:
        return self.graph.instance(fixup, self.f, self.g, self.shim["t"])

    def forwards(self) -> dict[str, object]:
        found = analyse(self.graph.graph(), scan_module).forwards
        return {name: found[self.shim[name]] for name in ("0", "1") if self.shim[name] in found}  # type: ignore[index]


def test_a_shim_is_found_and_its_slots_are_what_the_fixup_wrote() -> None:
    knot = Knot()
    knot.fix()
    assert knot.forwards() == {"0": knot.f, "1": knot.g}


def test_looking_through_the_shim_drops_it() -> None:
    knot = Knot()
    knot.fix()
    live = analyse(knot.graph.graph(), scan_module).live
    assert not any(func.instance == knot.shim.id for func in live.funcs)
    assert not live.tables
    assert not live.elems
    assert live.lowers == {0, 1}


def test_a_tail_call_is_a_jump_too() -> None:
    knot = Knot(SHIM.replace("call_indirect", "return_call_indirect"))
    knot.fix()
    assert set(knot.forwards()) == {"0", "1"}


def test_slots_beyond_63_are_read_as_signed_numbers() -> None:
    """64 takes two bytes as a constant, and one byte of 0x40 would be -64."""
    knot = Knot(SHIM.replace("2 2", "200 200").replace("(i32.const 1) (call", "(i32.const 64) (call"))
    knot.fix(
        FIXUP.replace("2 2", "200 200").replace("(elem", "(elem (i32.const 64) $g) (elem").replace(" $f $g", " $f")
    )
    assert knot.forwards() == {"0": knot.f, "1": knot.g}


def test_chains_of_jumps_are_followed_to_the_end() -> None:
    graph = CoreGraph()
    f, g = graph.host("f", 1, 1), graph.host("g", 1, 1)
    first, second = graph.instance(SHIM), graph.instance(SHIM)
    graph.instance(FIXUP, second["0"], second["1"], first["t"])
    graph.instance(FIXUP, f, g, second["t"])
    found = analyse(graph.graph(), scan_module).forwards
    assert found[first["0"]] == f  # type: ignore[index]
    assert found[first["1"]] == g  # type: ignore[index]


# --- where the proof must say no -----------------------------------------------------------------------------------
WRITERS = {
    "table.set": "(func (table.set 0 (i32.const 0) (ref.null func)))",
    "table.grow": "(func (drop (table.grow 0 (ref.null func) (i32.const 0))))",
    "table.fill": "(func (table.fill 0 (i32.const 0) (ref.null func) (i32.const 1)))",
    "table.init": """(elem $e funcref (ref.null func))
        (func (table.init 0 $e (i32.const 0) (i32.const 0) (i32.const 1)))""",
    "table.copy": "(table $u 1 funcref) (func (table.copy 0 $u (i32.const 0) (i32.const 0) (i32.const 1)))",
}


@pytest.mark.parametrize("body", WRITERS.values(), ids=WRITERS)
def test_a_table_that_code_can_write_is_not_trusted(body: str) -> None:
    knot = Knot()
    knot.fix()
    knot.graph.instance(f'(module (import "" "t" (table 2 2 funcref)) {body})', knot.shim["t"])
    assert knot.forwards() == {}


def test_a_table_that_code_only_reads_is_trusted() -> None:
    knot = Knot()
    knot.fix()
    body = """(func (drop (table.get 0 (i32.const 0))) (drop (table.size 0)))
              (table $u 2 funcref) (func (table.copy $u 0 (i32.const 0) (i32.const 0) (i32.const 1)))"""
    knot.graph.instance(f'(module (import "" "t" (table 2 2 funcref)) {body})', knot.shim["t"])
    assert set(knot.forwards()) == {"0", "1"}


def test_a_slot_that_is_written_twice_stays() -> None:
    knot = Knot()
    knot.fix(FIXUP.replace("(elem", "(elem (i32.const 0) $g) (elem"))
    assert knot.forwards() == {"1": knot.g}


def test_slots_that_two_instances_write_stay() -> None:
    knot = Knot()
    knot.fix()
    knot.fix()
    assert knot.forwards() == {}


def test_a_slot_that_nobody_writes_stays() -> None:
    knot = Knot()
    knot.fix(FIXUP.replace("$f $g)", "$f)"))
    assert knot.forwards() == {"0": knot.f}


def test_a_slot_that_is_written_with_null_stays() -> None:
    knot = Knot()
    knot.fix(FIXUP.replace("(elem (i32.const 0) $f $g)", "(elem (i32.const 0) funcref (ref.func $f) (ref.null func))"))
    assert knot.forwards() == {"0": knot.f}


def test_a_function_of_another_signature_stays() -> None:
    """The indirect call would trap; the direct one would not even be valid."""
    graph = CoreGraph()
    f, other = graph.host("f", 1, 1), graph.host("other", 2, 1)
    shim = graph.instance(SHIM)
    fixup = FIXUP.replace('"g" (func $g (type $f))', '"g" (func $g (param i32 i32) (result i32))')
    graph.instance(fixup, f, other, shim["t"])
    found = analyse(graph.graph(), scan_module).forwards
    assert found == {shim["0"]: f}


@pytest.mark.parametrize(
    "types",
    [
        "(type $f (sub (func (param i32) (result i32))))",
        "(rec (type $f (func (param i32) (result i32))) (type $x (func)))",
    ],
    ids=["not final", "in a larger group"],
)
def test_types_that_only_look_equal_are_not(types: str) -> None:
    """Another type with equal fields: the check of the indirect call fails, and that trap must stay."""
    knot = Knot()
    fixup = knot.graph.instance(
        f"""(module {types}
          (import "" "t" (table 2 2 funcref))
          (func $own (type $f) (local.get 0))
          (elem (i32.const 0) $own $own))""",
        knot.shim["t"],
    )
    assert fixup.module.elements
    assert knot.forwards() == {}


@pytest.mark.parametrize("offset", ["(i32.const 1)", "(i32.const -1)", "(i32.add (i32.const 1) (i32.const 1))"])
def test_a_segment_that_traps_at_instantiation_stops_the_proof(offset: str) -> None:
    knot = Knot()
    knot.fix(FIXUP.replace("(elem (i32.const 0)", f"(elem {offset}"))
    assert knot.forwards() == {}


def test_a_table_with_an_initialiser_stops_the_proof() -> None:
    """Its slots are written before any segment."""
    shim = SHIM.replace("2 2 funcref", "2 2 funcref (ref.null func)")
    knot = Knot(shim)
    knot.fix()
    assert knot.forwards() == {}


def test_an_offset_in_another_instances_constant_global_is_known() -> None:
    knot = Knot()
    base = knot.graph.instance(
        '(module (global $a i32 (i32.const 1)) (global (export "o") i32 (i32.sub (global.get $a) (i32.const 1))))'
    )
    fixup = FIXUP.replace("(elem (i32.const 0)", "(elem (global.get $o)").replace(
        '(import "" "f"', '(import "" "o" (global $o i32)) (import "" "f"'
    )
    knot.graph.instance(fixup, base["o"], knot.f, knot.g, knot.shim["t"])
    assert set(knot.forwards()) == {"0", "1"}


BODIES = {
    "parameters in another order": "(local.get 1) (local.get 0)",
    "a constant for a parameter": "(i32.const 1) (local.get 1)",
    "a parameter twice": "(local.get 0) (local.get 0)",
}


@pytest.mark.parametrize("arguments", BODIES.values(), ids=BODIES)
def test_a_function_that_does_more_than_pass_its_parameters_is_no_jump(arguments: str) -> None:
    graph = CoreGraph()
    f = graph.host("f", 2, 1)
    shim = graph.instance(
        f"""(module (type $f (func (param i32 i32) (result i32))) (table (export "t") 1 1 funcref)
          (func (export "0") (type $f) {arguments} (i32.const 0) (call_indirect (type $f))))"""
    )
    graph.instance(
        """(module (import "" "f" (func $f (param i32 i32) (result i32))) (import "" "t" (table 1 1 funcref))
          (elem (i32.const 0) $f))""",
        f,
        shim["t"],
    )
    assert not analyse(graph.graph(), scan_module).forwards


def test_a_slot_that_is_computed_is_no_jump() -> None:
    knot = Knot(SHIM.replace("(i32.const 0) (call_indirect", "(local.get 0) (call_indirect"))
    knot.fix()
    assert set(knot.forwards()) == {"1"}


# --- start functions -------------------------------------------------------------------------------------------------
ONE = '(import "" "0" (func $zero (param i32) (result i32)))'
STARTS = {
    "calls it": f"(module {ONE} (func $s (drop (call $zero (i32.const 1)))) (start $s))",
    "calls it further down": f"""(module {ONE} (func $d (drop (call $zero (i32.const 1))))
        (func $s (call $d)) (start $s))""",
    "calls through a table": f"(module {ONE} (table 1 funcref) (func $s (call_indirect (i32.const 0))) (start $s))",
    "calls a reference": f"""(module {ONE} (type $v (func)) (func $n) (elem declare func $n)
        (func $s (call_ref $v (ref.func $n))) (start $s))""",
}


@pytest.mark.parametrize("module", STARTS.values(), ids=STARTS)
def test_a_start_function_that_may_reach_the_jump_before_the_write_stops_the_proof(module: str) -> None:
    """On the empty slot the jump traps, and the direct call would not."""
    knot = Knot()
    knot.graph.instance(module, knot.shim["0"])
    knot.fix()
    assert "0" not in knot.forwards()


def test_a_start_function_that_leaves_stops_the_proof() -> None:
    """Who knows what the host calls."""
    knot = Knot()
    say = knot.graph.host("say")
    knot.graph.instance('(module (import "" "say" (func $say)) (func $s (call $say)) (start $s))', say)
    knot.fix()
    assert knot.forwards() == {}


def test_a_start_function_after_the_write_does_not_matter() -> None:
    knot = Knot()
    knot.fix()
    knot.graph.instance(STARTS["calls it"], knot.shim["0"])
    assert set(knot.forwards()) == {"0", "1"}


def test_a_start_function_that_calls_something_else_does_not_matter() -> None:
    knot = Knot()
    knot.graph.instance("(module (func $d) (func $s (call $d)) (start $s))")
    knot.fix()
    assert set(knot.forwards()) == {"0", "1"}


def test_jumps_in_a_circle_stay() -> None:
    """They never return, and must not start to."""
    graph = CoreGraph()
    shim = graph.instance(SHIM)
    graph.instance(FIXUP, shim["1"], shim["0"], shim["t"])
    assert not analyse(graph.graph(), scan_module).forwards


def test_a_lower_is_a_known_target() -> None:
    knot = Knot()
    knot.fix()
    assert all(isinstance(target, LowerFunc) for target in knot.forwards().values())


def test_refusing_and_finding_behave_alike_when_run() -> None:
    knot = Knot()
    knot.fix()
    for analysed in (True, False):
        run = knot.graph.merged({"f": lambda x: x + 1, "g": lambda x: x * 10}, analysed=analysed)
        assert run.call("go", 4) == 50
