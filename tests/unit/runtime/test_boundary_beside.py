"""The stack of the outer edge in the memory of the handles: each has its room, whoever grows."""

from __future__ import annotations

from random import Random

import pytest

from meldpy import runtime
from tests.support.boundary_harness import FULL, Boundary
from tests.support.handle_harness import Beside, Handles
from tests.support.handle_model import FULL as TABLE_FULL
from tests.support.handle_model import Trapped

TABLES = tuple(runtime.table_address(number) for number in range(3))
TYPE = runtime.resource_tag(0)


def rep(handles: Handles, table: int, index: int) -> int:
    return handles.count("rep", table, TYPE, index)


@pytest.mark.parametrize("size", [1, 0x8000, 0x8001, 1_000_000])
@pytest.mark.parametrize("count", [1, 15, 16, 5000])
def test_handles_survive_when_values_come(count: int, size: int) -> None:
    boundary = Boundary()
    handles = boundary.handles
    for table in TABLES:
        for number in range(1, count + 1):
            assert handles.call("new-own", table, TYPE, table + number) == number
    at = boundary.realloc(0, 0, 1, size)
    boundary.write(at, b"\xff" * size)
    for table in TABLES:
        assert [rep(handles, table, number) for number in (1, count)] == [table + 1, table + count]
        assert handles.call("new-own", table, TYPE, 7) == count + 1
    assert boundary.read(at, size) == b"\xff" * size


@pytest.mark.parametrize("size", [1, 0x8000, 200_000])
def test_values_stay_where_they_are_when_handles_come(size: int) -> None:
    """The host holds pointers to them."""
    boundary = Boundary()
    at = boundary.realloc(0, 0, 1, size)
    boundary.write(at, b"\xff" * size)
    for number in range(1, 10_000):
        assert boundary.handles.call("new-own", TABLES[0], TYPE, number) == number
    assert boundary.realloc(0, 0, 1, 8) == at + size
    assert boundary.read(at, size) == b"\xff" * size
    boundary.write(at + size, b"\xff" * 8)
    assert [rep(boundary.handles, TABLES[0], number) for number in (1, 5000, 9999)] == [1, 5000, 9999]


def test_lenders_and_scopes_go_along() -> None:
    boundary = Boundary()
    handles = boundary.handles
    index = handles.count("new-own", TABLES[0], TYPE, 5)
    mark = handles.count("lenders")
    scope = handles.count("scope-enter")
    borrow = handles.count("lower-borrow", TABLES[1], TYPE, handles.count("lend-pushed", TABLES[0], TYPE, index), scope)
    boundary.write(boundary.realloc(0, 0, 1, 300_000), b"\xff" * 300_000)
    assert handles.trap_of("scope-exit", scope) == "borrow still held"
    assert handles.trap_of("take-own", TABLES[0], TYPE, index) == "handle is lent"
    handles.call("drop", TABLES[1], TYPE, borrow)
    handles.call("scope-exit", scope)
    handles.call("release-to", mark)
    assert handles.call("take-own", TABLES[0], TYPE, index) == 5


def test_kept_handles_lie_in_a_row_while_the_stack_grows() -> None:
    boundary = Boundary()
    boundary.handles.call("new-own", TABLES[0], TYPE, 1)
    start = boundary("kept")
    for number in range(20_000):
        assert boundary("keep", number, 3) == number
        if number % 1000 == 0:
            boundary.handles.call("new-own", TABLES[0], TYPE, 1)
    assert boundary("top") == start + 8 * 20_000
    words = boundary.read(start, 8 * 20_000)
    assert words == b"".join(number.to_bytes(4, "little") + b"\3\0\0\0" for number in range(20_000))


def test_the_stack_takes_twice_the_room_then_a_mebibyte_more() -> None:
    """So that a stack that grows step by step moves tables seldom, and yet has not twice the room of what is large."""
    boundary = Boundary()
    sizes = []
    for size in (1, 0x8000, 0x1_0000, 0x10_0000, 0x10_0000, 1):
        boundary.realloc(0, 0, 1, size)
        sizes.append(int.from_bytes(boundary.read(0x0C, 4), "little"))
    assert sizes == [0x8000, 0x1_0000, 0x2_0000, 0x12_0000, 0x22_0000, 0x22_0000]


def test_either_is_full_when_the_memory_cannot_grow() -> None:
    boundary = Boundary(pages=6)
    handles = boundary.handles
    assert handles.call("new-own", TABLES[0], TYPE, 9) == 1
    first = boundary.realloc(0, 0, 1, 100)
    with pytest.raises(Trapped, match=FULL):
        boundary.realloc(0, 0, 1, 200_000)
    assert boundary("top") == first + 100
    assert rep(handles, TABLES[0], 1) == 9
    trap = None
    while trap is None:
        trap = handles.trap_of("new-own", TABLES[0], TYPE, 9)
    assert trap == TABLE_FULL
    assert boundary.realloc(0, 0, 1, 100) == first + 100


def test_nothing_wraps_around_when_the_stack_takes_all() -> None:
    boundary = Boundary()
    boundary.handles.call("new-own", TABLES[0], TYPE, 9)
    boundary.realloc(0, 0, 1, 1)
    for size in (0xFFFF_FFFF, 0xFFFD_0000, 0xFFFC_8000):
        with pytest.raises(Trapped, match=FULL):
            boundary.realloc(0, 0, 1, size)
    assert rep(boundary.handles, TABLES[0], 1) == 9


@pytest.mark.parametrize("seed", range(6))
def test_both_do_what_their_models_say(seed: int) -> None:
    """Random calls of both; the stack's bytes are what was written, the tables are the model's."""
    random = Random(seed)
    beside = Beside()
    boundary = Boundary(beside.library)
    stack: list[tuple[int, bytes]] = []
    for _ in range(300):
        for _ in range(random.randrange(40)):
            beside.indexed(
                random.choice(["new-own", "new-own", "new-own", "take-own", "lend", "lend-pushed", "drop", "rep"]),
                random.randrange(5),
                random.randrange(2),
                random.randrange(1, 60),
            )
        beside.settle()
        if random.random() < 0.3 and stack:
            kept = random.randrange(len(stack))
            boundary("reset", stack[kept][0])
            del stack[kept:]
        size = random.choice([0, 1, 8, 100, 5000, 40_000])
        data = random.randbytes(size)
        at = boundary.realloc(0, 0, random.choice([1, 2, 4, 8]), size)
        boundary.write(at, data)
        assert not stack or at >= stack[-1][0] + len(stack[-1][1])
        stack.append((at, data))
        assert all(boundary.read(at, len(data)) == data for at, data in stack)
    beside.compare(2)
