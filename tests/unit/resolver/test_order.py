"""Instantiation order and cycles."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from meldpy.resolver.order import cycle, in_order


def test_independent_inputs_keep_their_order() -> None:
    assert in_order(3, {}) == [0, 1, 2]
    assert in_order(4, {0: [2]}) == [1, 2, 0, 3]


def test_a_cycle_is_found_whole() -> None:
    needs = {0: [1], 1: [2], 2: [3], 3: [1]}
    assert in_order(4, needs) is None
    assert list(cycle(4, needs)) == [1, 2, 3]


@given(st.integers(1, 7).flatmap(lambda n: st.tuples(
    st.just(n), st.dictionaries(st.integers(0, n - 1), st.lists(st.integers(0, n - 1), max_size=4)))))  # fmt: skip
def test_either_an_order_or_a_cycle(case: tuple[int, dict[int, list[int]]]) -> None:
    count, needs = case
    order, members = in_order(count, needs), list(cycle(count, needs))
    if order is None:
        assert members
        assert all(b in needs[a] for a, b in zip(members, [*members[1:], members[0]], strict=True))
    else:
        assert not members
        assert sorted(order) == list(range(count))
        assert all(order.index(p) < order.index(i) for i, ps in needs.items() for p in ps)
