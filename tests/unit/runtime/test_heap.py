"""The heap of host calls: blocks that are used again, and a chain that goes when nobody can need it."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import pytest
import wasmtime

from meldpy import runtime


@dataclass
class Heap:
    """One instance of the module."""

    store: wasmtime.Store
    instance: wasmtime.Instance

    def __call__(self, name: str, *args: int) -> int:
        func = self.instance.exports(self.store)[name]
        assert isinstance(func, wasmtime.Func)
        result = func(self.store, *args)
        return 0 if result is None else int(result)

    @property
    def memory(self) -> wasmtime.Memory:
        memory = self.instance.exports(self.store)["memory"]
        assert isinstance(memory, wasmtime.Memory)
        return memory


@pytest.fixture
def heap() -> Heap:
    text = runtime.sources()[runtime.HEAP].rstrip()
    assert text.endswith(")")
    store = wasmtime.Store()
    full = wasmtime.Instance(
        store, wasmtime.Module(store.engine, '(module (func (export "trap: full") unreachable))'), []
    )
    trap = full.exports(store)["trap: full"]
    module = wasmtime.Module(store.engine, text[:-1] + '(export "memory" (memory $heap)))')
    assert isinstance(trap, wasmtime.Func)
    return Heap(store, wasmtime.Instance(store, module, [trap]))


SIZES = (1, 8, 9, 24, 25, 100, 4096, 70_000)


def test_blocks_are_aligned_and_apart(heap: Heap) -> None:
    places = sorted((heap("block", size), size) for size in SIZES * 2)
    assert all(at % 8 == 0 and at > 0 for at, _ in places)
    assert all(at + size <= later for (at, size), (later, _) in itertools.pairwise(places))
    assert places[-1][0] + places[-1][1] <= heap.memory.data_len(heap.store)


def test_a_freed_block_is_used_again(heap: Heap) -> None:
    places = {size: heap("block", size) for size in SIZES}
    size = heap.memory.data_len(heap.store)
    for _ in range(3):
        for at in places.values():
            heap("free", at)
        assert {heap("block", size) for size in SIZES} == set(places.values())
    assert heap.memory.data_len(heap.store) == size


def test_the_largest_size_of_a_power_fits(heap: Heap) -> None:
    """16 bytes hold 8; one more needs the next power."""
    first, second = heap("block", 8), heap("block", 8)
    assert second - first == 16
    third, fourth = heap("block", 9), heap("block", 9)
    assert fourth - third == 32


@pytest.mark.parametrize("size", [0x7FFF_FFF9, 0xFFFF_FFFF])
def test_more_than_a_memory_traps(heap: Heap, size: int) -> None:
    with pytest.raises(wasmtime.Trap):
        heap("block", size - (1 << 32) if size >> 31 else size)


def test_what_grows_keeps_its_bytes(heap: Heap) -> None:
    old = heap("realloc", 0, 0, 1, 5)
    heap.memory.write(heap.store, b"hello", old)
    new = heap("realloc", old, 5, 1, 50)
    assert bytes(heap.memory.read(heap.store, new, new + 5)) == b"hello"
    assert heap("realloc", new, 50, 1, 3) == new
    assert heap("realloc", 0, 0, 8, 0) % 8 == 0


# --- the chain --------------------------------------------------------------------------------------------------------
def test_the_chain_goes_when_no_call_is_open(heap: Heap) -> None:
    heap("open")
    first = heap("realloc", 0, 0, 1, 40)
    heap("tidy")
    assert heap("realloc", 0, 0, 1, 40) != first
    heap("close")
    assert first in {heap("realloc", 0, 0, 1, 40), heap("realloc", 0, 0, 1, 40)}


def test_the_chain_stays_while_another_call_is_open(heap: Heap) -> None:
    heap("open")
    heap("open")
    first = heap("realloc", 0, 0, 1, 40)
    heap("close")
    assert heap("realloc", 0, 0, 1, 40) != first


def test_a_long_chain_goes_when_all_was_heard_of(heap: Heap) -> None:
    heap("open")
    assert not heap("crowded")
    first = heap("realloc", 0, 0, 1, 0x1_0001)
    assert heap("crowded")
    heap("heard")
    assert not heap("crowded")
    assert heap("realloc", 0, 0, 1, 0x1_0001) == first


def test_a_chain_that_is_held_stays(heap: Heap) -> None:
    heap("open")
    heap("hold", 1)
    first = heap("realloc", 0, 0, 1, 0x1_0001)
    assert not heap("crowded")
    heap("heard")
    assert heap("realloc", 0, 0, 1, 0x1_0001) != first
    heap("hold", -1)
    assert heap("crowded")
