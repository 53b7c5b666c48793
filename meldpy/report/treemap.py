"""Bytes as rectangles: each block's area is its share, its parts lie inside, as square as can be ("squarified")."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import final

from meldpy.records import dataclass
from meldpy.report.drawing import Block

_HEAD = 16
"""Room for the label of a block that has parts."""
_PAD = 2


@final
@dataclass(frozen=True, slots=True)
class Tile:
    """path: labels from the outside inwards. depth: how many blocks it lies in."""

    path: tuple[str, ...]
    bytes: int
    depth: int
    x: float
    y: float
    width: float
    height: float


def tiles(block: Block, width: float, height: float) -> Iterator[Tile]:
    """The block and all its parts, outer ones first."""
    yield from _tiles(block, (), 0, 0.0, 0.0, width, height)


def _tiles(
    block: Block, path: tuple[str, ...], depth: int, x: float, y: float, width: float, height: float
) -> Iterator[Tile]:
    here = (*path, block.label)
    yield Tile(here, block.bytes, depth, x, y, width, height)
    inner_width, inner_height = width - 2 * _PAD, height - _HEAD - _PAD
    parts = sorted((part for part in block.parts if part.bytes), key=lambda part: -part.bytes)
    if inner_width <= 4 or inner_height <= 4 or not parts:
        return
    boxes = _squarified([part.bytes for part in parts], x + _PAD, y + _HEAD, inner_width, inner_height)
    for part, (left, top, wide, high) in zip(parts, boxes, strict=True):
        yield from _tiles(part, here, depth + 1, left, top, wide, high)


def _squarified(
    sizes: Sequence[int], x: float, y: float, width: float, height: float
) -> list[tuple[float, float, float, float]]:
    """A box for each size (descending), which fill the whole."""
    total = sum(sizes)
    areas = [size * width * height / total for size in sizes]
    boxes: list[tuple[float, float, float, float]] = []
    at = 0
    while at < len(areas):
        side = min(width, height)
        end = at + 1
        while end < len(areas) and _worst(areas[at : end + 1], side) <= _worst(areas[at:end], side):
            end += 1
        row = areas[at:end]
        depth = sum(row) / side if side else 0.0
        along = 0.0
        for area in row:
            length = area / depth if depth else 0.0
            boxes.append((x, y + along, depth, length) if width >= height else (x + along, y, length, depth))
            along += length
        if width >= height:
            x, width = x + depth, width - depth
        else:
            y, height = y + depth, height - depth
        at = end
    return boxes


def _worst(row: Sequence[float], side: float) -> float:
    """The worst ratio of sides in a row along `side`."""
    total = sum(row)
    if not total or not side:
        return float("inf")
    return max(side * side * max(row) / (total * total), total * total / (side * side * min(row)))
