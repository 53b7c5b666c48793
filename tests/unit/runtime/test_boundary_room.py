"""What `realloc` of the boundary memory gives: room of the size and alignment asked for, and no byte more."""

from __future__ import annotations

import pytest

from meldpy import runtime
from tests.support.boundary_harness import FULL, Boundary
from tests.support.handle_model import Trapped


@pytest.fixture(params=["apart", "beside"])
def boundary(request: pytest.FixtureRequest) -> Boundary:
    return Boundary(apart=request.param == "apart")


@pytest.mark.parametrize("size", [9, 100, 70_000])
def test_what_moves_has_room_of_its_own(boundary: Boundary, size: int) -> None:
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
def test_what_grows_in_place_wastes_nothing(boundary: Boundary, size: int) -> None:
    at = boundary.realloc(0, 0, 1, size)
    for larger in range(size + 1, size + 5):
        assert boundary.realloc(at, larger - 1, 4, larger) == at
    assert boundary.realloc(0, 0, 1, 1) == at + size + 4


def test_room_for_what_was_empty_is_aligned(boundary: Boundary) -> None:
    """An empty value has a place too; growing from it asks anew, wherever that place is."""
    boundary.realloc(0, 0, 1, 3)
    top = boundary.realloc(0, 0, 1, 0)
    grown = boundary.realloc(top, 0, 8, 8)
    assert grown % 8 == 0
    assert grown >= top


@pytest.mark.parametrize(("size", "smaller"), [(8, 8), (8, 3), (8, 0), (1, 1)])
def test_what_shrinks_stays(boundary: Boundary, size: int, smaller: int) -> None:
    first = boundary.realloc(0, 0, 1, size)
    boundary.realloc(0, 0, 1, 5)
    assert boundary.realloc(first, size, 1, smaller) == first


@pytest.mark.parametrize("apart", [True, False])
def test_a_call_that_puts_nothing_there_takes_no_page(apart: bool) -> None:
    boundary = Boundary(apart=apart)
    top = boundary("top")
    assert boundary("base") == top
    boundary("hold")
    boundary("reset", top)
    assert boundary.pages() == 0
    assert boundary.realloc(0, 0, 1, 1) == top
    assert boundary.pages() == runtime.FIRST_PAGES[runtime.BOUNDARY if apart else runtime.HANDLES]


def test_an_empty_value_has_a_place_inside_of_the_memory(boundary: Boundary) -> None:
    assert boundary.realloc(0, 0, 1, 0) <= boundary.pages() * 65536
    assert boundary.pages() > 0


@pytest.mark.parametrize(("apart", "pages"), [(True, 5), (False, 8)])
def test_what_does_not_fit_traps_and_changes_nothing(apart: bool, pages: int) -> None:
    boundary = Boundary(pages=pages, apart=apart)
    first = boundary.realloc(0, 0, 1, 100)
    with pytest.raises(Trapped, match=FULL):
        boundary.realloc(0, 0, 1, 5 * 65536)
    with pytest.raises(Trapped, match=FULL):
        boundary.realloc(first, 100, 1, 0xFFFF_FFFF)
    assert boundary.realloc(0, 0, 1, 4 * 65536) == first + 100
