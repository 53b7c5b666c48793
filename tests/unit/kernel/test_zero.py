"""Functions that return nothing but 0: what is proved, and the nearest thing that must not be."""

from __future__ import annotations

import pytest
from wasmtime import wat2wasm

from meldpy.binary.decode import decode_module
from meldpy.kernel.zero import returns_zero
from meldpy.model.reindexed import IndexCounts

COUNTS = IndexCounts(types=4, funcs=4, tables=1, memories=1, globals=1, tags=1, elems=0, data=0)


def zero(body: str) -> bool:
    text = f"""(module
      (type $cb (func (result i32))) (table 1 funcref) (memory 1) (tag $t) (global $g (mut i32) (i32.const 0))
      (func $f (param i32) (result i32) (local i64 f32) {body})
      (func $g (result i32) (i32.const 0)))"""
    module = decode_module(bytes(wat2wasm(text)), "test")
    return returns_zero(memoryview(module.code.bodies), COUNTS)


PROVED = {
    "the constant": "i32.const 0",
    "behind other work": "(global.set $g (i32.const 7)) (drop (i32.load (i32.const 4))) i32.const 0",
    "never": "unreachable",
    "early too": "(if (local.get 0) (then (return (i32.const 0)))) i32.const 0",
    "only early": "(return (i32.const 0))",
    "by a branch": "(block (br 1 (i32.const 0))) i32.const 0",
    "ends in a branch": "(br 0 (i32.const 0))",
    "branches inside": "(block (br_if 0 (local.get 0))) (loop (br_if 0 (local.get 0))) i32.const 0",
}


@pytest.mark.parametrize("name", PROVED)
def test_what_is_proved(name: str) -> None:
    assert zero(PROVED[name])


NOT_PROVED = {
    "another constant": "i32.const 1",
    "a constant whose low byte is 0": "i32.const 128",
    "a parameter": "local.get 0",
    "the bytes of a constant in a load": "(i32.load8_u offset=65 (local.get 0)) i32.const 65 i32.add",
    "early": "(if (local.get 0) (then (return (i32.const 1)))) i32.const 0",
    "an early parameter": "(if (local.get 0) (then (return (local.get 0)))) i32.const 0",
    "a 0 that something follows": "(i32.const 0) (i32.add (local.get 0)) return",
    "by a branch": "(block (br 1 (i32.const 2))) i32.const 0",
    "by a conditional branch": "(drop (br_if 0 (local.get 0) (local.get 0))) i32.const 0",
    "by a conditional branch with 0": "(drop (br_if 0 (i32.const 0) (local.get 0))) i32.const 0",
    "by a table of branches": "(block (br_table 1 1 (local.get 0) (local.get 0))) i32.const 0",
    "by a tail call": "(if (local.get 0) (then (return_call $g))) i32.const 0",
    "by a tail call through a table": "(return_call_indirect (type $cb) (i32.const 0))",
    "by a handler": "(block (try_table (result i32) (catch_all 0) (i32.const 0)) (return)) i32.const 0",
    "of a block": "(block (result i32) (i32.const 0))",
    "what a function returns": "call $g",
}


@pytest.mark.parametrize("name", NOT_PROVED)
def test_what_is_not_proved(name: str) -> None:
    assert not zero(NOT_PROVED[name])


def test_a_body_that_is_not_well_formed_is_not_proved() -> None:
    assert not returns_zero(b"\x04\x00\xff\x41\x00\x0b", COUNTS)
    assert not returns_zero(b"\x04\x00", COUNTS)
    assert returns_zero(b"\x04\x00\x41\x00\x0b", COUNTS)
