"""Bits of flags that no label names do not cross, from memory or from locals."""

from __future__ import annotations

import pytest

from meldpy.model.valtype import DefinedType, FlagsType, ListType, ValType
from tests.support.crossing import Crossing


def flags(labels: int) -> ValType:
    return DefinedType(FlagsType(tuple(f"f{i}" for i in range(labels))))


@pytest.mark.parametrize("labels", [1, 7, 8, 9, 14, 15, 16, 17, 25, 28, 31, 32])
def test_only_named_bits_arrive(labels: int) -> None:
    size = 1 if labels <= 8 else 2 if labels <= 16 else 4
    from_memory = Crossing([DefinedType(ListType(flags(labels)))]).build()
    from_memory.caller.heap.data[64 : 64 + 2 * size] = b"\xff" * (2 * size)
    from_memory.caller.push(from_memory.store)
    from_memory.call_raw(64, 2)
    assert from_memory.received == [[(1 << labels) - 1] * 2]
    from_memory.callee.pull(from_memory.store)
    assert from_memory.callee.heap.data[64 : 64 + size] == ((1 << labels) - 1).to_bytes(size, "little")

    from_locals = Crossing([flags(labels)]).build()
    from_locals.call_raw(-1)
    assert from_locals.received == [(1 << labels) - 1]
