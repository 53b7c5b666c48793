"""The cut: levels, circles, halves. Instances are numbers; edges go from who needs to what is needed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from random import Random

import pytest

from meldpy.analysis.dependencies import Needs
from meldpy.analysis.partition import CIRCLE, halves, partition
from meldpy.model.ids import InstanceId
from meldpy.model.partition import Part, Partition, Reason

HAND = Reason("test", "it was chosen")


def needs(edges: Mapping[int, tuple[int, ...]]) -> Needs:
    return Needs({InstanceId(a): tuple(map(InstanceId, b)) for a, b in edges.items()})


def cut(edges: Mapping[int, tuple[int, ...]], *kept: int) -> Partition:
    labels = {InstanceId(each): f"i{each}" for each in edges}
    return partition(needs(edges), {InstanceId(each): (HAND,) for each in kept}, labels)


def groups(found: Partition) -> list[tuple[InstanceId, ...]]:
    return [part.instances for part in found.parts if part.fused]


CHAIN = {0: (), 1: (0,), 2: (1,), 3: (2,), 4: (3,)}


def test_without_kept_instances_all_are_one_group() -> None:
    found = cut(CHAIN)
    assert found.parts == (Part((InstanceId(0), *map(InstanceId, range(1, 5))), fused=True),)
    assert found.is_flat


def test_a_kept_instance_in_the_middle_of_a_chain_parts_it() -> None:
    found = cut(CHAIN, 2)
    assert [part.instances for part in found.parts] == [(0, 1), (2,), (3, 4)]
    assert list(found.kept) == [2]
    assert not found.is_flat
    assert found.fused == 4


@pytest.mark.parametrize("kept", [0, 4])
def test_a_kept_end_leaves_one_group(kept: int) -> None:
    assert len(groups(cut(CHAIN, kept))) == 1


def test_what_a_kept_instance_does_not_separate_stays_together() -> None:
    """A diamond with one side kept: the other side goes with what calls it, and the bottom is below both."""
    found = cut({0: (), 1: (0,), 2: (0,), 3: (1, 2)}, 1)
    assert groups(found) == [(0,), (2, 3)]
    beside = cut({0: (), 1: (), 2: (0, 1)}, 1)
    assert groups(beside) == [(0, 2)]
    above = cut({0: (), 1: (0,), 2: (0,)}, 1)
    assert groups(above) == [(0, 2)]


def test_a_circle_with_a_kept_member_is_kept_whole() -> None:
    found = cut({0: (1,), 1: (0,), 2: (0,)}, 1)
    assert [(part.instances, part.fused) for part in found.parts] == [((0, 1), False), ((2,), True)]
    assert found.kept[InstanceId(1)] == (HAND,)
    (reason,) = found.kept[InstanceId(0)]
    assert reason.feature == CIRCLE
    assert "`i1`" in reason.text


def test_a_circle_without_a_kept_member_is_fused() -> None:
    assert groups(cut({0: (1,), 1: (0,), 2: (), 3: (2, 0)}, 2)) == [(0, 1, 3)]


def test_a_library_of_fused_and_kept_instances_is_below_the_kept_one() -> None:
    found = cut({0: (), 1: (), 2: (0, 1), 3: (0, 1)}, 1, 3)
    assert groups(found) == [(0, 2)]
    below = cut({0: (), 1: (0,), 2: (0, 1)}, 1)
    assert groups(below) == [(0,), (2,)]


def test_long_chains_need_no_stack() -> None:
    chain = {0: (), **{i: (i - 1,) for i in range(1, 5_000)}}
    assert len(cut(chain, 2_500).parts) == 3


# --- at random: against the definitions -------------------------------------------------------------------------------
def random_edges(rng: Random, count: int) -> dict[int, tuple[int, ...]]:
    """Mostly downwards, sometimes a circle."""
    edges = {i: {j for j in range(i) if rng.random() < 0.25} for i in range(count)}
    if rng.random() < 0.4:
        a, b = sorted(rng.sample(range(count), 2))
        edges[a].add(b)
        edges[b].add(a)
    return {i: tuple(sorted(wanted)) for i, wanted in edges.items()}


def reachable(edges: Mapping[int, tuple[int, ...]], start: int) -> set[int]:
    seen: set[int] = set()
    pending = list(edges[start])
    while pending:
        node = pending.pop()
        if node not in seen:
            seen.add(node)
            pending += edges[node]
    return seen


def runs(edges: Mapping[int, tuple[int, ...]], kept: set[int]) -> int:
    """The most runs of fused instances, with kept ones between them, on a chain of needs: groups that no cut saves."""
    reach = {node: reachable(edges, node) for node in edges}
    circle = {node: {node} | {other for other in reach[node] if node in reach[other]} for node in edges}
    all_kept = {node for node in edges if circle[node] & kept}
    memo: dict[int, int] = {}

    def below(node: int) -> int:
        key = min(circle[node])
        if key not in memo:
            needed = {other for member in circle[node] for other in edges[member]} - circle[node]
            fused = node not in all_kept
            memo[key] = max([int(fused), *(below(other) + (fused and other in all_kept) for other in needed)])
        return memo[key]

    return max(map(below, edges))


def cases() -> Iterator[tuple[dict[int, tuple[int, ...]], set[int]]]:
    for seed in range(300):
        rng = Random(seed)
        edges = random_edges(rng, rng.randrange(2, 9))
        yield edges, {node for node in edges if rng.random() < 0.3}


def test_every_part_needs_only_earlier_ones_and_groups_are_convex() -> None:
    for edges, kept in cases():
        found = cut(edges, *kept)
        place = {int(id_): n for n, part in enumerate(found.parts) for id_ in part.instances}
        assert place.keys() == edges.keys()
        assert all(place[needed] <= place[node] for node, wanted in edges.items() for needed in wanted)
        assert kept <= {int(id_) for id_ in found.kept}
        for part in found.parts:
            members = {int(id_) for id_ in part.instances}
            outside = {other for member in members for other in edges[member]} - members
            assert not any(reachable(edges, other) & members or other in members for other in outside)


def test_there_are_as_few_groups_as_chains_allow() -> None:
    counts = set()
    for edges, kept in cases():
        found = len(groups(cut(edges, *kept)))
        assert found == runs(edges, kept)
        counts.add(found)
    assert counts >= {0, 1, 2, 3}


def test_halves_stand_in_the_place_of_a_group() -> None:
    for edges, kept in cases():
        found = cut(edges, *kept)
        for number, part in enumerate(found.parts):
            two = halves(part, needs(edges)) if part.fused else None
            if two is None:
                continue
            parts = [*found.parts[:number], *two, *found.parts[number + 1 :]]
            place = {int(id_): n for n, each in enumerate(parts) for id_ in each.instances}
            assert all(place[needed] <= place[node] for node, wanted in edges.items() for needed in wanted)
            assert sorted(two[0].instances + two[1].instances) == list(part.instances)


def test_halves_are_about_equal_and_a_circle_has_none() -> None:
    two = halves(Part(tuple(map(InstanceId, range(5))), fused=True), needs(CHAIN))
    assert two is not None
    first, second = two
    assert {len(first.instances), len(second.instances)} == {2, 3}
    circle = {0: (1,), 1: (0,)}
    assert halves(Part((InstanceId(0), InstanceId(1)), fused=True), needs(circle)) is None


def test_levels_rise_from_part_to_part() -> None:
    found = cut({0: (), 1: (0,), 2: (1,), 3: (2,), 4: (3,), 5: (4,), 6: (5,)}, 1, 4)
    assert [part.instances for part in found.parts] == [(0,), (1,), (2, 3), (4,), (5, 6)]
    assert all(a.instances < b.instances for a, b in pairwise(found.parts))
