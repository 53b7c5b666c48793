"""Drawings: what they show, in every format, and that a layout is one."""

from __future__ import annotations

import json
import re
from functools import cache
from importlib.resources import files
from itertools import pairwise
from xml.etree import ElementTree

import pytest
from jsonschema import Draft202012Validator

import meldpy
from meldpy.errors import UsageError
from meldpy.pipeline import FuseInput, FuseOptions
from meldpy.report.drawing import Block, Kind, Line, Picture, Shape
from meldpy.report.layout import SHAPE_WIDTH, layout
from meldpy.report.svg import picture_svg
from meldpy.report.treemap import tiles
from tests.support.crowd import crowd
from tests.support.fixtures import ROOT

HELLO = [ROOT / "hello" / name for name in ("greeter.wasm", "app.wasm")]
EVIL = '"><script>x</script>\\u{1b}'


@cache
def drawn(**more: object) -> dict[str, object]:
    options = FuseOptions(keeps=("part-2",))
    found: dict[str, object] = json.loads(meldpy.graph(crowd(5), options, format="json", **more))  # type: ignore[arg-type]
    return found


def test_the_json_form_fits_the_schema_that_is_shipped() -> None:
    schema = json.loads((files("meldpy.report") / "schemas/graph-1.json").read_text())
    Draft202012Validator.check_schema(schema)
    Draft202012Validator(schema).validate(drawn())
    assert not Draft202012Validator(schema).is_valid({**drawn(), "before": {}})


def test_before_all_calls_are_the_engine_s_and_after_only_those_that_cross_a_part() -> None:
    found = drawn(detail="instances")
    labels = {shape["id"]: shape["label"] for shape in found["after"]["shapes"]}  # type: ignore[index]

    def classes(name: str) -> dict[tuple[str, str], str]:
        return {(labels[each["source"]], labels[each["target"]]): each["class"] for each in found[name]["lines"]}  # type: ignore[index]

    assert set(classes("before").values()) == {"engine", "export"}
    assert classes("after") == {
        # what is kept is instantiated first; part-1 and what it calls are one group with part-0, which calls both
        ("part-0", "part-1"): "copy",
        ("part-0", "part-2"): "engine",
        ("part-1", "part-3"): "copy",
        ("part-1", "part-4"): "copy",
        ("whoever calls", "part-0"): "export",
    }


def test_fused_and_kept_shapes_are_told_apart() -> None:
    shapes = {shape["label"]: shape for shape in drawn()["after"]["shapes"]}  # type: ignore[index]
    assert (shapes["part-1"]["kind"], shapes["part-1"]["group"]) == ("fused", 0)
    assert (shapes["part-2"]["kind"], shapes["part-2"]["group"]) == ("kept", None)
    assert shapes["part-2"]["details"][-1] == "kept: isolation: --keep part-2"


def test_detail_decides_what_a_line_is() -> None:
    counts = {
        detail: len(drawn(detail=detail)["before"]["lines"])  # type: ignore[index]
        for detail in ("instances", "interfaces", "functions")
    }
    assert counts == {"instances": 5, "interfaces": 5, "functions": 10}


def test_bytes_are_those_of_the_files() -> None:
    found = drawn()
    total = sum(len(each.data) for each in crowd(5))
    assert found["bytes_before"]["bytes"] == total  # type: ignore[index]
    for name in ("bytes_before", "bytes_after"):
        block = found[name]
        assert sum(part["bytes"] for part in block["parts"]) == block["bytes"]  # type: ignore[index]


TWICE = """(component
  (component $c
    (core module $m (memory 1) (data (i32.const 0) "nobody reads this")
      (func (export "f") (result i32) (i32.const 77777777)) (func (export "g") (result i32) (i32.const 7)))
    (core instance $i (instantiate $m)) (core instance $j (instantiate $m))
    (func (export "f") (result u32) (canon lift (core func $i "f")))
    (func (export "g") (result u32) (canon lift (core func $j "g"))))
  (instance $a (instantiate $c)) (instance $b (instantiate $c))
  (export "a" (instance $a)) (export "b" (instance $b)))"""


def test_what_is_instantiated_twice_is_in_the_input_once_and_what_nothing_reaches_is_in_no_output() -> None:
    found = json.loads(meldpy.graph([FuseInput("a", "a.wat", TWICE.encode())], format="json"))
    f, g, data = 8, 5, len("nobody reads this")  # bodies with their sizes
    assert [part["bytes"] for part in found["bytes_before"]["parts"]][:-1] == [f + g + data]
    assert [part["bytes"] for part in found["bytes_after"]["parts"]][:-1] == [f + g, f + g]
    sizes = [[shape["bytes"] for shape in found[when]["shapes"] if shape["id"] >= 0] for when in ("before", "after")]
    assert sizes == [[2 * (f + g + data)] * 2, [f + g] * 2]


def test_a_long_name_leaves_room_for_the_class_of_a_call() -> None:
    shapes = tuple(Shape(id_, str(id_), Kind.COMPONENT, None, 0, ()) for id_ in (0, 1))
    lines = (Line(0, 1, f"demo:long/{'interface' * 9}@1.0.0", "transcode", ("f",)),)
    assert "… · transcode</text>" in picture_svg(Picture("after", shapes, lines))


@pytest.mark.parametrize("show", ["before", "after", "both"])
def test_svg_is_well_formed_and_shows_what_is_asked_for(show: str) -> None:
    root = ElementTree.fromstring(meldpy.graph(HELLO, format="svg", show=show))
    titles = [each.text for each in root.iter("{http://www.w3.org/2000/svg}text") if each.get("class") == "title"]
    assert titles == [f"greeter + app: {each}" for each in (("before", "after") if show == "both" else (show,))]


def test_names_from_inputs_are_text_everywhere() -> None:
    inputs = [FuseInput(EVIL, "a", (ROOT / "hello" / "greeter.wasm").read_bytes())]
    for format in ("svg", "html"):
        text = meldpy.graph(inputs, format=format)
        assert "<script>x" not in text
    assert '\\"><script>' in meldpy.graph(inputs, format="dot")
    assert "<script>" not in meldpy.graph(inputs, format="mermaid")


def test_a_page_refers_to_nothing_outside() -> None:
    text = meldpy.graph(HELLO, format="html")
    assert "default-src 'none'" in text
    assert not re.findall(r"(?:src|href)\s*=|url\((?!#)|@import|https?://(?!www\.w3\.org/2000/svg)", text)


def test_an_unknown_format_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="there is no 'png'"):
        meldpy.graph(HELLO, format="png")


# --- layout -----------------------------------------------------------------------------------------------------------
def picture(edges: list[tuple[int, int]]) -> Picture:
    ids = sorted({end for edge in edges for end in edge})
    shapes = tuple(Shape(id_, str(id_), Kind.COMPONENT, None, 0, ()) for id_ in ids)
    return Picture("before", shapes, tuple(Line(*edge, "f", "copy", ("f",)) for edge in edges))


@pytest.mark.parametrize(
    "edges",
    [
        [(0, 1), (1, 2), (0, 2)],
        [(0, 1), (1, 0)],
        [(0, 0), (0, 1)],
        [(i, 2 * i + j) for i in range(40) for j in (1, 2)],
        [(0, 1)] * 12,
        [(3, 1), (1, 2), (2, 3), (0, 3), (0, 4)],
        [(i, i + step) for i in range(80) for step in (1, 7)],
        [*((i, i + 1) for i in range(40)), (40, 0), (12, 3)],
    ],
)
def test_shapes_do_not_overlap_and_lines_end_at_them(edges: list[tuple[int, int]]) -> None:
    found = layout(picture(edges))
    boxes = [(x, y, x + SHAPE_WIDTH, y + found.heights[id_]) for id_, (x, y) in found.shapes.items()]
    for number, (left, top, right, bottom) in enumerate(boxes):
        assert right <= found.width
        assert bottom <= found.height
        for other in boxes[number + 1 :]:
            assert right <= other[0] or other[2] <= left or bottom <= other[1] or other[3] <= top
    for (source, target), way in zip(edges, found.ways, strict=True):
        for id_, (x, y) in ((source, way[0]), (target, way[-1])):
            left, top = found.shapes[id_]
            assert x in (left, left + SHAPE_WIDTH)
            assert top < y < top + found.heights[id_]


def test_calls_go_to_the_right_but_where_they_close_a_circle() -> None:
    found = layout(picture([(0, 1), (1, 2), (2, 0)]))
    columns = [found.shapes[id_][0] for id_ in (0, 1, 2)]
    assert columns == sorted(set(columns))


LONG = [(i, i + step) for i in range(80) for step in (1, 7) if i + step <= 80]


def test_a_long_chain_goes_on_in_the_next_row() -> None:
    found = layout(picture(LONG))
    assert 0.5 < found.width / found.height < 2
    rows = [number for number in range(80) if found.shapes[number + 1][0] < found.shapes[number][0]]
    assert len(rows) > 4, "from each of these the next is at the left again"
    assert len({after - before for before, after in pairwise(rows)}) == 1, "rows are as long as each other"


def test_a_line_to_the_next_row_passes_no_shape() -> None:
    found = layout(picture(LONG))
    boxes = [(x, y, x + SHAPE_WIDTH, y + found.heights[id_]) for id_, (x, y) in found.shapes.items()]
    straight = [
        (min(a, c), min(b, d), max(a, c), max(b, d))
        for way in found.ways
        for (a, b), (c, d) in pairwise(way)
        if a == c or b == d
    ]
    assert any(right - left > 5 * SHAPE_WIDTH for left, _, right, _ in straight), "some come back"
    for left, top, right, bottom in straight:
        assert not [box for box in boxes if box[0] < right and left < box[2] and box[1] < bottom and top < box[3]]
        assert left >= 0
        assert right <= found.width


def test_a_few_layers_are_one_row() -> None:
    found = layout(picture([(i, i + 1) for i in range(5)]))
    assert len({y for _, y in found.shapes.values()}) == 1


def test_parallel_lines_have_ends_of_their_own() -> None:
    found = layout(picture([(0, 1)] * 9))
    starts = sorted(way[0][1] for way in found.ways)
    assert all(below - above >= 10 for above, below in pairwise(starts))


def test_tiles_fill_their_blocks_in_proportion() -> None:
    block = Block("all", 100, (Block("a", 60, (Block("x", 60),)), Block("b", 30), Block("c", 10), Block("none", 0)))
    found = {tile.path[-1]: tile for tile in tiles(block, 400, 300)}
    assert set(found) == {"all", "a", "x", "b", "c"}
    areas = {name: tile.width * tile.height for name, tile in found.items()}
    assert areas["a"] / areas["c"] == pytest.approx(6)
    assert areas["b"] / areas["c"] == pytest.approx(3)
    for name, tile in found.items():
        if name != "all":
            assert tile.x >= 0
            assert tile.x + tile.width <= 400.001
            assert tile.y + tile.height <= 300.001
