"""The boundary memory as a stack: what an export and an import leave behind, and what calls in between may do."""

from __future__ import annotations

from itertools import pairwise

import pytest

from tests.support.boundary_harness import FULL, Boundary
from tests.support.handle_model import Trapped


@pytest.fixture(params=["apart", "beside"])
def boundary(request: pytest.FixtureRequest) -> Boundary:
    return Boundary(apart=request.param == "apart")


def words(boundary: Boundary, at: int, count: int) -> list[int]:
    data = boundary.read(at, 4 * count)
    return [int.from_bytes(data[i : i + 4], "little") for i in range(0, 4 * count, 4)]


# --- allocation -------------------------------------------------------------------------------------------------------
def test_room_is_aligned_and_apart(boundary: Boundary) -> None:
    places = [
        (boundary("realloc", 0, 0, align, size), align, size) for align, size in ((1, 3), (8, 16), (2, 5), (4, 0))
    ]
    assert all(at % align == 0 and at > 0 for at, align, _ in places)
    assert [at for at, _, _ in places] == sorted(at for at, _, _ in places)
    assert all(at + size <= later for (at, _, size), (later, _, _) in pairwise(places))


def test_the_last_allocation_grows_in_place_and_others_move(boundary: Boundary) -> None:
    first = boundary("realloc", 0, 0, 1, 4)
    boundary.write(first, b"abcd")
    assert boundary("realloc", first, 4, 1, 10) == first
    second = boundary("realloc", 0, 0, 1, 4)
    moved = boundary("realloc", first, 10, 1, 20)
    assert moved >= second + 4
    assert boundary.read(moved, 4) == b"abcd"
    assert boundary("realloc", moved, 20, 1, 6) == moved


def test_memory_grows_and_its_end_is_a_trap(boundary: Boundary) -> None:
    large = boundary("realloc", 0, 0, 4, 1_000_000)
    boundary.write(large + 999_997, b"end")
    boundary("reset", large)
    assert boundary("realloc", 0, 0, 4, 1_000_000) == large
    boundary("realloc", 0, 0, 1, 0x7000_0000)
    boundary("realloc", 0, 0, 1, 0x7000_0000)
    with pytest.raises(Trapped, match=FULL):
        boundary("realloc", 0, 0, 1, 0x7000_0000)


# --- the stack --------------------------------------------------------------------------------------------------------
def export(boundary: Boundary, params: int, results: int | None, result: int = 0) -> None:
    """What the engine and the shim of an exported function do, but for the call itself."""
    if params:
        boundary("realloc", 0, 0, 1, params)
    mark = boundary("base")
    boundary("reset", mark)
    if results is None:
        boundary("reset", mark)
    else:
        boundary("realloc", 0, 0, 1, results)
        boundary("frame", mark, result)


def test_an_exports_parameters_begin_at_base(boundary: Boundary) -> None:
    mark = boundary("top")
    assert boundary("realloc", 0, 0, 1, 100) == mark == boundary("base")
    export(boundary, 10, None)
    assert boundary("top") == boundary("base") == mark


def test_results_stay_until_post_return(boundary: Boundary) -> None:
    mark = boundary("top")
    export(boundary, 100, 33, 0x1234_5678_9ABC)
    assert boundary("top") == boundary("base") >= mark + 33
    assert boundary("unframe") == 0x1234_5678_9ABC
    assert boundary("top") == boundary("base") == mark


def test_calls_back_in_stack_above_what_an_import_holds(boundary: Boundary) -> None:
    mark = boundary("top")
    at = boundary("realloc", 0, 0, 4, 8)
    boundary.write(at, b"argument")
    boundary("hold")
    above = boundary("top")
    export(boundary, 50, 20, 7)
    assert boundary("unframe") == 7
    export(boundary, 50, None)
    assert boundary("top") == boundary("base") == above
    assert boundary.read(at, 8) == b"argument"
    boundary("reset", mark)
    assert boundary("top") == boundary("base") == mark


def test_what_an_abandoned_call_left_goes_with_the_next(boundary: Boundary) -> None:
    mark = boundary("top")
    boundary("realloc", 0, 0, 1, 100)
    export(boundary, 10, None)
    assert boundary("top") == mark


def test_kept_handles_lie_in_a_row(boundary: Boundary) -> None:
    boundary("realloc", 0, 0, 1, 3)
    start = boundary("kept")
    assert [boundary("keep", handle, which) for handle, which in ((9, 1), (8, 0), (7, 1))] == [9, 8, 7]
    assert boundary("top") == start + 24
    assert words(boundary, start, 6) == [9, 1, 8, 0, 7, 1]
