"""Segments in the upper half of a 32-bit memory: offsets are unsigned, however constants are written."""

from __future__ import annotations

import pytest

from meldpy.model.core import SegmentMode
from tests.support.core_graph import CoreGraph, Handle, assert_same

PLACES = (0, 0x3FFF_FFF0, 0x4000_0000, 0x7FFF_FFFF, 0x8000_0000, 0xC000_0000, 0xFFFF_FFFE)


def whole() -> tuple[CoreGraph, Handle]:
    """An instance with a memory of 4 GiB (which the engine only reserves)."""
    graph = CoreGraph()
    a = graph.instance(
        """(module (memory (export "m") 65536)
          (func (export "peek") (param i32) (result i32) (i32.load8_u (local.get 0))))"""
    )
    return graph, a


def signed(value: int) -> int:
    return value - (1 << 32) if value >> 31 else value


def segments(letter: int = 0) -> str:
    return " ".join(
        f'(data (i32.const {place}) "{chr(97 + letter + i)}{chr(97 + letter + i)}")' for i, place in enumerate(PLACES)
    )


def peeks() -> list[tuple[str, tuple[int, ...]]]:
    return [("peek", (signed(place + i),)) for place in PLACES for i in range(2)]


@pytest.mark.parametrize("started", [False, True])
def test_segments_lie_where_they_were(started: bool) -> None:
    graph, a = whole()
    if started:
        graph.instance(
            '(module (import "a" "m" (memory 1)) (func $s (i32.store8 (i32.const 8) (i32.const 1))) (start $s))', a["m"]
        )
    graph.instance(f'(module (import "a" "m" (memory 1)) {segments()})', a["m"])
    graph.export("peek", a["peek"])
    fused = assert_same(graph, *peeks())
    assert {segment.mode for segment in fused.main.data} == {SegmentMode.PASSIVE if started else SegmentMode.ACTIVE}


def test_segments_that_touch_are_joined_there_too(monkeypatch: pytest.MonkeyPatch) -> None:
    graph, a = whole()
    halves = "".join(
        f'(data (i32.const {start}) "ab") (data (i32.const {start + 2}) "cd")' for start in (0x7FFF_FFFE, 0xFFFF_FFF0)
    )
    graph.instance(f'(module (import "a" "m" (memory 1)) {halves})', a["m"])
    graph.export("peek", a["peek"])
    calls = [("peek", (signed(start + i),)) for start in (0x7FFF_FFFE, 0xFFFF_FFF0) for i in range(4)]
    apart = assert_same(graph, *calls)
    assert len(apart.main.data) == 4, "few segments stay as they are"
    monkeypatch.setattr("meldpy.merger.segments.SEGMENTS", 6)
    joined = assert_same(graph, *calls)
    assert [bytes(segment.data) for segment in joined.main.data] == [b"abcd", b"abcd"]
