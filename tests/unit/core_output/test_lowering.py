"""What a target lacks is said otherwise: no caller can tell, traps included."""

from __future__ import annotations

import math
from itertools import product

import pytest
from wasmtime import wat2wasm

from meldpy.binary.decode import decode_module
from meldpy.core_output import lowered
from meldpy.core_output.features import FEATURES, instruction_feature
from meldpy.kernel import chunks
from meldpy.model.core import CoreFuncType, CoreModule
from meldpy.pipeline import lowering_tools
from tests.support.single_memory import Pair, hash_function

PAGE = 65_536


def features_of(module: CoreModule) -> set[str | None]:
    """The features of the instructions, and several results of functions."""
    types = [type_.comp for group in module.types for type_ in group.types]
    found = {instruction_feature(each.prefix, each.opcode) for each in lowering_tools().see(module)}
    if any(isinstance(type_, CoreFuncType) and len(type_.results) > 1 for type_ in types):
        found.add("multi-value")
    return found


# --- one instruction --------------------------------------------------------------------------------------------------
NUMBERS = (0, 1, -1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, -0x8000, 0x7FFF_FFFF, -0x8000_0000)


@pytest.mark.parametrize(("type_", "bits"), [("i32", 8), ("i32", 16), ("i64", 8), ("i64", 16), ("i64", 32)])
def test_sign_extensions(type_: str, bits: int) -> None:
    wat = f'(module (func (export "f") (param {type_}) (result {type_}) ({type_}.extend{bits}_s (local.get 0))))'
    pair = Pair.without(wat, "sign-extension")
    assert "sign-extension" not in features_of(pair.module)
    wide = (0x7FFF_FFFF_FFFF_FFFF, 0x1234_5678_9ABC_DEF0, 0x8000_0000) if type_ == "i64" else ()
    for number in (*NUMBERS, *wide):
        pair.call("f", number)


EDGES = (
    *(sign * (2.0**bits + by) for sign in (1, -1) for bits in (31, 32, 63, 64) for by in (-1.0, 0.0, 1.0)),
    *(0.0, -0.0, 0.5, -0.5, -0.99, 1e300, -1e300, 3.99, -3.99, math.inf, -math.inf, math.nan),
    *(sign * math.nextafter(2.0**bits, to) for sign in (1, -1) for bits in (31, 32, 63, 64) for to in (0, math.inf)),
)


@pytest.mark.parametrize(("to", "source", "sign"), list(product(("i32", "i64"), ("f32", "f64"), "su")))
def test_saturating_truncations(to: str, source: str, sign: str) -> None:
    op = f"{to}.trunc_sat_{source}_{sign}"
    pair = Pair.without(
        f'(module (func (export "f") (param {source}) (result {to}) ({op} (local.get 0))))', "nontrapping-fptoint"
    )
    assert "nontrapping-fptoint" not in features_of(pair.module)
    for number in EDGES:
        pair.call("f", number)


# --- memory -----------------------------------------------------------------------------------------------------------
TWO_MEMORIES = f"""(module
  (memory 1 2)
  (memory i64 1)
  (func (export "write") (param i32 i32) (i32.store8 (local.get 0) (local.get 1)))
  (func (export "copy") (param i32 i32 i32) (memory.copy (local.get 0) (local.get 1) (local.get 2)))
  (func (export "to") (param i64 i32 i32) (memory.copy 1 0 (local.get 0) (local.get 1) (local.get 2)))
  (func (export "from") (param i32 i64 i32) (memory.copy 0 1 (local.get 0) (local.get 1) (local.get 2)))
  (func (export "wide") (param i64 i64 i64) (memory.copy 1 1 (local.get 0) (local.get 1) (local.get 2)))
  (func (export "fill") (param i32 i32 i32) (memory.fill (local.get 0) (local.get 1) (local.get 2)))
  (func (export "fill wide") (param i64 i32 i64) (memory.fill 1 (local.get 0) (local.get 1) (local.get 2)))
  (func (export "grow") (result i32) (memory.grow (i32.const 1)))
  {hash_function(0, False)} {hash_function(1, True)})"""


def test_copies_and_fills_of_any_overlap_and_length() -> None:
    pair = Pair.without(TWO_MEMORIES, "bulk-memory-opt")
    assert "bulk-memory-opt" not in features_of(pair.module)
    for at in range(64):
        pair.call("write", at, at * 37 & 0xFF)
    for to, source, length in product((0, 1, 7, 8, 9, 20), (0, 1, 5, 8, 16), (0, 1, 7, 8, 9, 23)):
        pair.call("copy", to, source, length)
        pair.call("to", source, to, length)
        pair.call("wide", to, source, length)
        pair.call("from", to + 30, source, length)
        pair.call("fill", 40 + to, 0x1_00 + to * 3, length)
        pair.call("fill wide", 60 + to, -source, length)
        pair.call("hash 0", 128)
        pair.call("hash 1", 128)


def test_bounds_are_judged_before_anything_is_written() -> None:
    pair = Pair.without(TWO_MEMORIES, "bulk-memory-opt")
    for _ in range(2):
        for at, length in product((0, PAGE - 1, PAGE, PAGE + 1, -1), (0, 1, 2, PAGE, PAGE + 1, -1)):
            pair.call("fill", at, 1, length)
            pair.call("copy", at, 0, length)
            pair.call("copy", 0, at, length)
            pair.call("to", at, 0, length)
            pair.call("from", 0, at, length)
            pair.call("wide", at, 0, length)
            pair.call("fill wide", at, 2, length)
            pair.call("hash 0", PAGE)
            pair.call("hash 1", PAGE)
        pair.call("grow")


@pytest.mark.parametrize("piece", [40, 400])
def test_bodies_are_rewritten_alike_in_pieces(piece: int, monkeypatch: pytest.MonkeyPatch) -> None:
    module = decode_module(bytes(wat2wasm(TWO_MEMORIES)), "two")
    allowed = FEATURES - {"bulk-memory-opt"}
    whole = lowered(module, allowed, lowering_tools()).module
    monkeypatch.setattr(chunks, "_CHUNK", piece)
    assert lowered(module, allowed, lowering_tools()).module == whole


# --- several results --------------------------------------------------------------------------------------------------
RESULTS = """
  (func $pair (param i32) (result i32 i64)
    (if (i32.eqz (local.get 0)) (then (return (i32.const 7) (i64.const 8))))
    (local.get 0) (i64.extend_i32_u (local.get 0)))
  (func $many (param i32) (result f64 i32 i64 f32 i64 f64)
    (f64.const 0.5) (call $pair (local.get 0)) (f32.const 2) (i64.const 3) (f64.const 0.25))
  (func $deep (param i32) (result i32 i32)
    (if (i32.eqz (local.get 0)) (then (return (i32.const 1) (i32.const 0))))
    (call $deep (i32.sub (local.get 0) (i32.const 1)))
    (i32.add (i32.const 1)))
  (func $never (result i32 i32) unreachable)
  (func (export "f") (param i32) (result f64)
    (local i32 i64 f32 i64 f64)
    (call $many (local.get 0)) (local.set 5) (local.set 4) (local.set 3) (local.set 2) (local.set 1)
    (f64.add (f64.convert_i32_s (local.get 1)))
    (f64.add (f64.convert_i64_s (i64.add (local.get 2) (local.get 4))))
    (f64.add (f64.add (f64.promote_f32 (local.get 3)) (local.get 5))))
  (func (export "deep") (param i32) (result i32) (call $deep (local.get 0)) (i32.mul))
  (func (export "never") (call $never) (drop) (drop))"""


def test_several_results_travel_in_globals() -> None:
    pair = Pair.without(f"(module {RESULTS})", "multi-value")
    assert "multi-value" not in features_of(pair.module)
    for number in (0, 1, 100):
        pair.call("f", number)
        pair.call("deep", number)
    pair.call("never")


STAY = {
    "a reference": "(table funcref (elem $pair))",
    "an indirect call": "(table 1 funcref) (func (result i32 i64) (call_indirect (result i32 i64) (i32.const 0)))",
    "a block": "(func (block (result i32 i64) (call $pair (i32.const 1))) (drop) (drop))",
    "an export": '(export "pair" (func $pair))',
    "a branch": "(func $b (result i32 i64) (br 0 (i32.const 1) (i64.const 2)))",
    "a branch by table": """(func $b (result i32 i64)
      (block (br_table 1 (i32.const 1) (i64.const 2) (i32.const 0))) unreachable)""",
}


@pytest.mark.parametrize("more", STAY.values(), ids=STAY)
def test_several_results_stay_where_code_could_tell(more: str) -> None:
    pair = Pair.without(f"(module {RESULTS} {more})", "multi-value")
    assert "multi-value" in features_of(pair.module)
    pair.call("f", 3)


def test_what_is_not_lacking_stays() -> None:
    wat = """(module (memory 1) (func (param f32) (result i64)
      (memory.fill (i32.const 0) (i32.const 0) (i32.const 0))
      (drop (i32.extend8_s (i32.const 0)))
      (i64.trunc_sat_f32_s (local.get 0))))"""
    pair = Pair.without(wat, "simd")
    assert {"bulk-memory-opt", "sign-extension", "nontrapping-fptoint"} <= features_of(pair.module) <= FEATURES | {None}
