"""Hostile bytes: decoding gives a model or a located DecodeError, never anything else."""

from __future__ import annotations

import pytest
from wasmtime import wat2wasm

from meldpy.binary.decode import decode_component
from meldpy.binary.encode import encode_component
from meldpy.errors import DecodeError

TEXTS = {
    "code": """(component
        (core module $m (memory (export "mem") 1 2) (table 2 funcref) (global i32 (i32.const 5)) (tag (param i32))
          (type (struct (field (mut i8)))) (elem (i32.const 0) $f) (elem declare funcref (ref.func $f))
          (data (i32.const 0) "xyz") (data "p") (func $f (export "f") (param $p i32) (result i32) local.get 0))
        (core instance $i (instantiate $m))
        (func (export "f") (param "x" u32) (result u32) (canon lift (core func $i "f")))
        (alias core export $i "mem" (core memory $m)) (core func (canon task.return (result u8) (memory $m))))""",
    "types": """(component
        (import "wasi:io/streams@0.2.0" (instance $i (export "s" (type $s (sub resource)))
          (type $v (variant (case "a" u8) (case "b"))) (export "v" (type (eq $v)))
          (export "f" (func (param "s" (borrow $s)) (result (option string))))))
        (core type (module (import "a" "b" (func)) (export "m" (memory 1))))
        (component $c (type (result u8 (error string))) (import "x" (func async)) (export "y" (func 0)))
        (core func (canon lower (func $i "f"))) (alias export $i "s" (type $s))
        (core func (canon resource.drop $s)) (core func (canon task.return (result u8))))""",
}


def _is_decoded(data: bytes) -> bool:
    """Whether `data` decodes; if not, the error must say where."""
    try:
        component = decode_component(data, "hostile.wasm")
    except DecodeError as error:
        refused = error
    else:
        again = encode_component(component)
        assert decode_component(again, "again") == component
        return True
    assert refused.location is not None
    assert refused.location.offset is not None
    assert 0 <= refused.location.offset <= len(data)
    assert refused.render()
    return False


@pytest.mark.parametrize("name", TEXTS)
def test_every_truncation_is_decoded_or_refused(name: str) -> None:
    data = bytes(wat2wasm(TEXTS[name]))
    decoded = [size for size in range(len(data)) if _is_decoded(data[:size])]
    # Only a cut between two sections leaves a component.
    assert decoded[0] == 8
    assert len(decoded) < 40


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("change", ["flip low bit", "flip high bit", "set all", "drop", "double"])
def test_every_single_byte_mutation_is_decoded_or_refused(name: str, change: str) -> None:
    data = bytes(wat2wasm(TEXTS[name]))
    outcomes = set()
    for position, byte in enumerate(data):
        replacement = {
            "flip low bit": bytes((byte ^ 0x01,)),
            "flip high bit": bytes((byte ^ 0x80,)),
            "set all": b"\xff",
            "drop": b"",
            "double": bytes((byte, byte)),
        }[change]
        outcomes.add(_is_decoded(data[:position] + replacement + data[position + 1 :]))
    assert False in outcomes
