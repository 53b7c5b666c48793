"""Tables of guests share one in core outputs for engines that have no more; calls go where they went, or trap."""

from __future__ import annotations

import pytest
from wasmtime import wat2wasm

import meldpy
from meldpy import core
from meldpy.binary.decode import decode_module
from meldpy.errors import UnsupportedError
from meldpy.pipeline import FuseOptions


def guest(name: str, slots: int, value: int) -> str:
    """`go` calls through a slot: 1 holds a function that returns `value`, 2 one of another type, the others none."""
    return f"""(component ${name}
      (core module $m
        (type $f (func (result i32)))
        (table {slots} funcref) (elem (i32.const 1) $right $wrong)
        (func $right (type $f) (i32.const {value})) (func $wrong (param i64))
        (func (export "go") (param i32) (result i32) (call_indirect (type $f) (local.get 0))))
      (core instance $i (instantiate $m))
      (func (export "go") (param "slot" u32) (result u32) (canon lift (core func $i "go"))))
    (instance ${name} (instantiate ${name})) (export "go-{name}" (func ${name} "go"))"""


def fused(features: str) -> bytes:
    text = f"(component {guest('a', 3, 10)} {guest('b', 5, 20)} {guest('c', 4, 30)})"
    return meldpy.fuse([bytes(wat2wasm(text))], FuseOptions(core=True, features=features)).bytes


def outcome(module: bytes, name: str, slot: int) -> int | str:
    try:
        result: int = core.load(module).call(name, slot)
    except core.GuestTrap as trap:
        return str(trap).rpartition("Caused by:")[2]
    return result


@pytest.mark.parametrize(("name", "value", "size"), [("go-a", 10, 3), ("go-b", 20, 5), ("go-c", 30, 4)])
def test_calls_through_a_shared_table_go_where_they_went(name: str, value: int, size: int) -> None:
    apart, shared = fused(""), fused("wasm1")
    assert [len(decode_module(each, "output").tables) for each in (apart, shared)] == [3, 1]
    for slot in (0, 1, 2, size - 1, size, size + 1, 0x7FFF_FFFF, 0xFFFF_FFFF):
        expected = outcome(apart, name, slot)
        assert outcome(shared, name, slot) == expected, slot
        assert (expected == value) == (slot == 1)


def test_a_table_that_is_read_does_not_share() -> None:
    go = "(call_indirect (type $f) (local.get 0))"
    text = f"(component {guest('a', 3, 10)} {guest('b', 5, 20)})".replace(go, f"(drop (table.size 0)) {go}", 1)
    with pytest.raises(UnsupportedError, match="by the target"):
        meldpy.fuse([bytes(wat2wasm(text))], FuseOptions(core=True, features="wasm1"))
