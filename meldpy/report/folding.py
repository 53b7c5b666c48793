"""Columns of a layout in bands below one another, as the words of a long sentence are in lines.

A chain of eighty components is eighty columns, and one row of them is a thread when it is all in view. So where bands
show it larger, the columns go on at the left of the next band. A line that does that leaves at the right, comes back
between the bands, and enters at the left, on lanes of its own: who leaves further up is further out at the right,
further down between the bands, and further in at the left, so that these lines do not cross each other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Final, TypeAlias, final

from meldpy.records import dataclass

Point: TypeAlias = "tuple[float, float]"
Edge: TypeAlias = "tuple[int, int]"

_FEW: Final = 6
"""So many columns are always one band."""
_WORTH: Final = 1.5
"""Bands are for what they show larger by this."""
_LANE: Final = 10
_BETWEEN: Final = 20


@final
@dataclass(frozen=True, slots=True)
class Lane:
    """Where a line goes from one band to the next: down at `right`, back at the height `across`, down at `left`."""

    right: float
    across: float
    left: float

    def points(self, leaves: float, enters: float) -> tuple[Point, ...]:
        """The way of a line that leaves the upper band at one height and enters the lower at another."""
        return (self.right, leaves), (self.right, self.across), (self.left, self.across), (self.left, enters)


@final
@dataclass(frozen=True, slots=True)
class Folded:
    """places: the upper left corners; lanes: of the steps of chains that go on in the next band; width: of it all."""

    places: Mapping[int, Point]
    lanes: Mapping[Edge, Lane]
    width: float


def folded(
    layers: Sequence[Sequence[int]],
    tops: Mapping[int, float],
    heights: Mapping[int, float],
    chains: Sequence[Sequence[int]],
    width: float,
    pitch: float,
    margin: float,
) -> Folded:
    """tops: of all nodes, in one row; width: of a column; pitch: from one to the next; margin: above and at the left,
    beside the lanes."""
    column = {node: number for number, layer in enumerate(layers) for node in layer}
    steps = [step for chain in chains for step in pairwise(chain)]
    spans = [(min(tops[n] for n in layer), max(tops[n] + heights[n] for n in layer)) for layer in layers if layer]
    length = _length(len(layers), spans, [column[source] for source, _ in steps], pitch)
    crossing: dict[int, list[Edge]] = {}
    for step in sorted(steps, key=lambda step: (tops[step[0]], tops[step[1]])):
        if column[step[0]] // length != column[step[1]] // length:
            crossing.setdefault(column[step[0]] // length, []).append(step)
    lanes_width = _LANE * max(map(len, crossing.values()), default=0)
    start = margin + lanes_width
    end = start + (min(length, len(layers)) - 1) * pitch + width
    places: dict[int, Point] = {}
    lanes: dict[Edge, Lane] = {}
    top = margin
    for band, first in enumerate(range(0, len(layers), length)):
        highest, lowest = _span(spans[first : first + length])
        for node in (node for layer in layers[first : first + length] for node in layer):
            places[node] = (start + (column[node] - first) * pitch, top + tops[node] - highest)
        top += lowest - highest + _BETWEEN
        leaving = crossing.get(band, ())
        for number, step in enumerate(leaving, start=1):
            out = _LANE * (len(leaving) + 1 - number)
            lanes[step] = Lane(end + out, top + out, start - _LANE * number)
        if leaving:
            top += _LANE * (len(leaving) + 1) + _BETWEEN
    return Folded(places, lanes, end + lanes_width)


def _length(columns: int, spans: Sequence[Point], leaving: Sequence[int], pitch: float) -> int:
    """Columns in a band, so that all of it is largest in a square. leaving: the column of each step that leaves one."""
    if columns <= _FEW:
        return max(columns, 1)
    crossing = [0] * columns
    for column in leaving:
        crossing[column] += 1

    def side(length: int) -> float:
        bands = range(0, columns, length)
        lanes = [crossing[first + length - 1] for first in bands if first + length < columns]
        inside = [high - low for low, high in (_span(spans[first : first + length]) for first in bands)]
        between = sum(_LANE * (count + 1) + 2 * _BETWEEN for count in lanes)
        return max(length * pitch + 2 * _LANE * max(lanes, default=0), sum(inside) + between)

    best = min(range(1, columns + 1), key=side)
    return best if side(best) * _WORTH < side(columns) else columns


def _span(spans: Sequence[Point]) -> Point:
    return min((low for low, _ in spans), default=0.0), max((high for _, high in spans), default=0.0)
