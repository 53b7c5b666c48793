"""Where shapes and lines go: layers from left to right, so that calls go to the right wherever that is possible.

The classical way in four steps: break circles, put each shape behind all that call it, order the layers so that few
lines cross, and give every line a way of its own past the layers that it skips. Many layers go on in a second row
(`folding`). Deterministic; labels of lines are not laid out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Final, final

from meldpy.records import dataclass
from meldpy.report.drawing import Picture
from meldpy.report.folding import Edge, Folded, Point, folded

SHAPE_WIDTH, SHAPE_HEIGHT, COMPACT_HEIGHT = 168, 54, 30
MANY: Final = 24
"""With more shapes than this, they are low, close together, and have one line of text in larger letters."""
_GAP_Y, _COMPACT_GAP_Y, _BEND_HEIGHT, _MARGIN = 26, 8, 18, 24
_GAP_X, _COMPACT_GAP_X = 170, 90
_PORT = 15
"""Between two lines on one side of a shape, which is as high as it must be for that."""
_SWEEPS = 12
_END = -(1 << 30)
"""No shape's id."""


@final
@dataclass(frozen=True, slots=True)
class Layout:
    """shapes: the upper left corner by id; heights: of each. ways: for each line, the points that it passes.

    compact: there are many shapes.
    """

    shapes: Mapping[int, Point]
    heights: Mapping[int, float]
    ways: tuple[tuple[Point, ...], ...]
    width: float
    height: float
    compact: bool


def layout(picture: Picture) -> Layout:
    ids = [shape.id for shape in picture.shapes]
    compact = len(ids) > MANY
    edges = list(dict.fromkeys((line.source, line.target) for line in picture.lines if line.source != line.target))
    forward = _acyclic(ids, edges)
    layer_of = _layers(ids, forward)
    chains, layers = _with_bends(ids, forward, layer_of)
    _order(layers, [pair for chain in chains.values() for pair in pairwise(chain)])
    heights = _heights(picture, layers, chains, compact)
    gaps = (_COMPACT_GAP_X, _COMPACT_GAP_Y) if compact else (_GAP_X, _GAP_Y)
    found = _places(layers, heights, chains, gaps)
    ways = _Ways(picture, chains, found, heights).all()
    bottom = max((y + heights[node] for node, (_, y) in found.places.items()), default=0) + _MARGIN
    return Layout({id_: found.places[id_] for id_ in ids}, heights, ways, found.width + _MARGIN, bottom, compact)


def _heights(
    picture: Picture, layers: Sequence[Sequence[int]], chains: Mapping[Edge, Sequence[int]], compact: bool
) -> dict[int, float]:
    """As high as the lines on the fuller side need."""
    sides: Counter[tuple[int, bool]] = Counter()
    for line in picture.lines:
        turned = (line.source, line.target) not in chains
        sides[line.source, not turned] += 1
        sides[line.target, turned] += 1
    least = COMPACT_HEIGHT if compact else SHAPE_HEIGHT
    heights: dict[int, float] = {node: _BEND_HEIGHT for layer in layers for node in layer}
    for shape in picture.shapes:
        fuller = max(sides[shape.id, False], sides[shape.id, True])
        heights[shape.id] = max(least, _PORT * (fuller - 1) + 24)
    return heights


def _acyclic(ids: Sequence[int], edges: Iterable[Edge]) -> list[Edge]:
    """The edges, those that would close a circle turned round."""
    out: dict[int, list[int]] = {id_: [] for id_ in ids}
    for source, target in edges:
        out[source].append(target)
    state: dict[int, int] = {}
    forward: list[Edge] = []
    for start in ids:
        if start in state:
            continue
        state[start] = 1
        stack = [(start, iter(out[start]))]
        while stack:
            node, targets = stack[-1]
            target = next(targets, _END)
            if target == _END:
                state[node] = 2
                stack.pop()
            elif state.get(target) == 1:
                forward.append((target, node))
            else:
                forward.append((node, target))
                if target not in state:
                    state[target] = 1
                    stack.append((target, iter(out[target])))
    return list(dict.fromkeys(forward))


def _layers(ids: Sequence[int], edges: Sequence[Edge]) -> dict[int, int]:
    """The length of the longest way to each shape."""
    into: dict[int, int] = dict.fromkeys(ids, 0)
    out: dict[int, list[int]] = {id_: [] for id_ in ids}
    for source, target in edges:
        into[target] += 1
        out[source].append(target)
    layer = dict.fromkeys(ids, 0)
    ready = [id_ for id_ in ids if not into[id_]]
    while ready:
        node = ready.pop(0)
        for target in out[node]:
            layer[target] = max(layer[target], layer[node] + 1)
            into[target] -= 1
            if not into[target]:
                ready.append(target)
    return layer


def _with_bends(
    ids: Sequence[int], edges: Sequence[Edge], layer_of: Mapping[int, int]
) -> tuple[dict[Edge, list[int]], list[list[int]]]:
    """Each edge as a chain through all layers between its ends, and the layers. Bends have ids of their own."""
    layers: list[list[int]] = [[] for _ in range(max(layer_of.values(), default=0) + 1)]
    for id_ in ids:
        layers[layer_of[id_]].append(id_)
    fresh = min([*ids, 0]) - 1
    chains: dict[Edge, list[int]] = {}
    for source, target in edges:
        chain = [source]
        for between in range(layer_of[source] + 1, layer_of[target]):
            layers[between].append(fresh)
            chain.append(fresh)
            fresh -= 1
        chains[source, target] = [*chain, target]
    return chains, layers


def _order(layers: list[list[int]], pairs: Sequence[Edge]) -> None:
    """Sorts each layer by the middle of its neighbours, to and fro."""
    before: dict[int, list[int]] = {}
    behind: dict[int, list[int]] = {}
    for source, target in pairs:
        behind.setdefault(source, []).append(target)
        before.setdefault(target, []).append(source)
    for sweep in range(_SWEEPS):
        down = sweep % 2 == 0
        order = range(1, len(layers)) if down else range(len(layers) - 2, -1, -1)
        neighbours = before if down else behind
        for number in order:
            fixed = {node: i for i, node in enumerate(layers[number - 1 if down else number + 1])}
            current = {node: i for i, node in enumerate(layers[number])}

            middles = {}
            for node in layers[number]:
                near = [fixed[other] for other in neighbours.get(node, ()) if other in fixed]
                middles[node] = sum(near) / len(near) if near else float(current[node])
            layers[number].sort(key=middles.__getitem__)


def _places(
    layers: Sequence[Sequence[int]],
    heights: Mapping[int, float],
    chains: Mapping[Edge, Sequence[int]],
    gaps: tuple[int, int],
) -> Folded:
    """Layers are columns; each is drawn towards its neighbours as far as its own order allows.

    gaps: between columns, and inside one.
    """
    across, gap = gaps
    neighbours: dict[int, list[int]] = {}
    for chain in chains.values():
        for source, target in pairwise(chain):
            neighbours.setdefault(source, []).append(target)
            neighbours.setdefault(target, []).append(source)
    tops: dict[int, float] = {}
    for layer in layers:
        top = 0.0
        for node in layer:
            tops[node] = top
            top += heights[node] + gap
    for _ in range(_SWEEPS):
        for layer in layers:
            wanted = []
            for node in layer:
                near = [tops[other] + heights[other] / 2 for other in neighbours.get(node, ())]
                wanted.append(sum(near) / len(near) - heights[node] / 2 if near else tops[node])
            _settle(layer, wanted, heights, tops, gap)
    return folded(layers, tops, heights, list(chains.values()), SHAPE_WIDTH, SHAPE_WIDTH + across, _MARGIN)


def _settle(
    layer: Sequence[int], wanted: Sequence[float], heights: Mapping[int, float], tops: dict[int, float], gap: float
) -> None:
    """As near to what is wanted as there is room: half the push comes from above, half from below."""
    down: list[float] = []
    for top in wanted:
        down.append(top if not down else max(top, down[-1] + heights[layer[len(down) - 1]] + gap))
    up: list[float] = []
    for node, top in zip(reversed(layer), reversed(wanted), strict=True):
        up.append(top if not up else min(top, up[-1] - heights[node] - gap))
    for node, low, high in zip(layer, down, reversed(up), strict=True):
        tops[node] = (low + high) / 2


@final
class _Ways:
    """From a port on the caller's side to one on the callee's, past the bends between; turned lines go to the left."""

    def __init__(
        self,
        picture: Picture,
        chains: Mapping[Edge, Sequence[int]],
        found: Folded,
        heights: Mapping[int, float],
    ) -> None:
        self.lines = picture.lines
        self.chains = chains
        self.places = found.places
        self.lanes = found.lanes
        self.heights = heights
        self.ports = self._ports()

    def all(self) -> tuple[tuple[Point, ...], ...]:
        return tuple(self._way(number) for number in range(len(self.lines)))

    def _edge(self, number: int) -> Edge:
        return self.lines[number].source, self.lines[number].target

    def _ports(self) -> dict[tuple[int, bool], float]:
        """The height of each line's ends (True: at its source), in the order of the other ends on each side."""
        sides: dict[tuple[int, bool], list[tuple[float, int, bool]]] = {}
        for number, line in enumerate(self.lines):
            turned = self._edge(number) not in self.chains
            for node, other, at_source in ((line.source, line.target, True), (line.target, line.source, False)):
                sides.setdefault((node, at_source != turned), []).append((self.places[other][1], number, at_source))
        ports: dict[tuple[int, bool], float] = {}
        for (node, _), ends in sides.items():
            step = self.heights[node] / (len(ends) + 1)
            for position, (_, number, at_source) in enumerate(sorted(ends, key=lambda end: end[:2])):
                ports[number, at_source] = self.places[node][1] + step * (position + 1)
        return ports

    def _way(self, number: int) -> tuple[Point, ...]:
        source, target = self._edge(number)
        start, end = self.ports[number, True], self.ports[number, False]
        if source == target:
            right = self.places[source][0] + SHAPE_WIDTH
            return (right, start), (right + 40, start), (right + 40, end), (right, end)
        turned = (source, target) not in self.chains
        # Laid out as it goes to the right, and turned in the end.
        chain = self.chains[target, source] if turned else self.chains[source, target]
        first, last = (end, start) if turned else (start, end)
        points: list[Point] = [(self.places[chain[0]][0] + SHAPE_WIDTH, first)]
        for node, following in pairwise(chain):
            x, y = self.places[following]
            arrives = last if following == chain[-1] else y + _BEND_HEIGHT / 2
            lane = self.lanes.get((node, following))
            if lane is not None:
                points += lane.points(points[-1][1], arrives)
            points.append((x, arrives))
            if following != chain[-1]:
                points.append((x + SHAPE_WIDTH, arrives))
        return tuple(reversed(points) if turned else points)
