"""What `realloc` of the boundary memory gives: room of the size and alignment asked for, and no byte more."""

from __future__ import annotations

from typing import Any

import pytest
import wasmtime

from meldpy import runtime


class Boundary:
    def __init__(self) -> None:
        text = runtime.sources()[runtime.BOUNDARY].rstrip()
        self.store = wasmtime.Store()
        engine = self.store.engine
        full = wasmtime.Instance(self.store, wasmtime.Module(engine, '(module (func (export "t") unreachable))'), [])
        module = wasmtime.Module(engine, text[:-1] + '(export "memory" (memory $boundary)))')
        self.exports: Any = wasmtime.Instance(self.store, module, [full.exports(self.store)["t"]]).exports(self.store)

    def realloc(self, *args: int) -> int:
        return int(self.exports["realloc"](self.store, *args))

    def write(self, at: int, data: bytes) -> None:
        self.exports["memory"].write(self.store, data, at)

    def read(self, at: int, size: int) -> bytes:
        return bytes(self.exports["memory"].read(self.store, at, at + size))


@pytest.mark.parametrize("size", [9, 100, 70_000])
def test_what_moves_has_room_of_its_own(size: int) -> None:
    boundary = Boundary()
    first = boundary.realloc(0, 0, 1, 8)
    boundary.write(first, b"abcdefgh")
    second = boundary.realloc(0, 0, 1, 8)
    boundary.write(second, b"ABCDEFGH")
    moved = boundary.realloc(first, 8, 8, size)
    assert moved % 8 == 0
    assert moved >= second + 8
    assert boundary.read(moved, 8) == b"abcdefgh"
    behind = boundary.realloc(0, 0, 1, 1)
    assert behind == moved + size
    boundary.write(moved, b"x" * size)
    assert boundary.read(second, 8) == b"ABCDEFGH"


@pytest.mark.parametrize("size", [1, 2, 3])
def test_what_grows_in_place_wastes_nothing(size: int) -> None:
    boundary = Boundary()
    at = boundary.realloc(0, 0, 1, size)
    for larger in range(size + 1, size + 5):
        assert boundary.realloc(at, larger - 1, 4, larger) == at
    assert boundary.realloc(0, 0, 1, 1) == at + size + 4


def test_room_for_what_was_empty_is_aligned() -> None:
    """An empty value has a place too; growing from it asks anew, wherever that place is."""
    boundary = Boundary()
    boundary.realloc(0, 0, 1, 3)
    top = boundary.realloc(0, 0, 1, 0)
    grown = boundary.realloc(top, 0, 8, 8)
    assert grown % 8 == 0
    assert grown >= top


@pytest.mark.parametrize(("size", "smaller"), [(8, 8), (8, 3), (8, 0), (1, 1)])
def test_what_shrinks_stays(size: int, smaller: int) -> None:
    boundary = Boundary()
    first = boundary.realloc(0, 0, 1, size)
    boundary.realloc(0, 0, 1, 5)
    assert boundary.realloc(first, size, 1, smaller) == first


def test_a_call_that_puts_nothing_there_takes_no_page() -> None:
    boundary = Boundary()
    calls: Any = boundary.exports
    top = calls["top"](boundary.store)
    assert calls["base"](boundary.store) == top
    calls["hold"](boundary.store)
    calls["reset"](boundary.store, top)
    assert calls["memory"].size(boundary.store) == 0
    assert boundary.realloc(0, 0, 1, 1) == top
    assert calls["memory"].size(boundary.store) == runtime.FIRST_PAGES[runtime.BOUNDARY]


def test_an_empty_value_has_a_place_inside_of_the_memory() -> None:
    boundary = Boundary()
    assert boundary.realloc(0, 0, 1, 0) <= boundary.exports["memory"].data_len(boundary.store)
    assert boundary.exports["memory"].size(boundary.store) == 1
