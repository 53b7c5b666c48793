"""Drawings as SVG: pictures with their legend, one below the other, or by themselves for the page.

Colours are classes, so that a page can have its own; a file by itself has a style sheet for light and dark. A class is
never told by colour alone: lines have their class as text, kept shapes a dashed edge.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape as html_escape

from meldpy.errors import escape
from meldpy.report.drawing import Drawing, Kind, Line, Picture, Shape
from meldpy.report.folding import Point
from meldpy.report.layout import SHAPE_WIDTH, Layout, layout
from meldpy.report.treemap import tiles

STYLE = """
.shape rect { fill: #ffffff; stroke: #5b6470; stroke-width: 1.5 }
.shape text, .title { fill: #1c2128; font: 13px system-ui, sans-serif }
.shape .big { font-size: 18px }
.shape .small, .line text { fill: #4a525c; font: 10.5px system-ui, sans-serif }
.line path { fill: none; stroke: #6e7781; stroke-width: 1.6 }
.line text { paint-order: stroke; stroke: #ffffff; stroke-width: 4px }
.kept rect { stroke-dasharray: 6 4; stroke: #9a6700; fill: #fff8e6 }
.host rect, .caller rect { fill: #eef1f4 }
.g0 rect { fill: #e3f3e8 } .g1 rect { fill: #e2effc } .g2 rect { fill: #f5e9fb } .g3 rect { fill: #fdebe4 }
.direct path { stroke: #1a7f37 } .flat path { stroke: #127d8a } .copy path { stroke: #0969da }
.transcode path { stroke: #8250df } .handles path { stroke: #bc4c00 } .async path { stroke: #cf222e }
.engine path { stroke-dasharray: 7 4 } .host path, .export path { stroke-dasharray: 2 3 }
.tile rect { fill: #dbe9f9; stroke: #ffffff } .tile.d0 rect { fill: #eef1f4 } .tile.d1 rect { fill: #cfe3f8 }
.tile.d2 rect { fill: #b4d3f3 } .tile.d3 rect { fill: #93bfec }
.tile text { fill: #1c2128; font: 11px system-ui, sans-serif }
@media (prefers-color-scheme: dark) {
  svg.alone { background: #0d1117 }
  .shape rect { fill: #161b22; stroke: #8b949e } .shape text, .title { fill: #e6edf3 }
  .shape .small, .line text { fill: #adb6c0 } .line text { stroke: #0d1117 }
  .kept rect { fill: #2b2411; stroke: #d29922 } .host rect, .caller rect { fill: #21262d }
  .g0 rect { fill: #12301d } .g1 rect { fill: #10263f } .g2 rect { fill: #2a1a38 } .g3 rect { fill: #3a2018 }
  .direct path { stroke: #3fb950 } .flat path { stroke: #39c5cf } .copy path { stroke: #58a6ff }
  .transcode path { stroke: #bc8cff } .handles path { stroke: #f0883e } .async path { stroke: #ff7b72 }
  .tile rect { stroke: #0d1117 } .tile.d0 rect { fill: #21262d } .tile.d1 rect { fill: #12304f }
  .tile.d2 rect { fill: #17426d } .tile.d3 rect { fill: #1f588f } .tile text { fill: #e6edf3 }
}
"""
_LABEL_LETTERS, _COMPACT_LETTERS, _LINE_LETTERS = 22, 16, 30


def svg(drawing: Drawing, pictures: Sequence[Picture]) -> str:
    """One file: the pictures below each other, each under its title."""
    parts: list[str] = []
    top, width = 0.0, 0.0
    for picture in pictures:
        found = layout(picture)
        title = f"{drawing.title}: {picture.title}"
        parts.append(f'<g transform="translate(0 {top:.0f})"><text class="title" x="24" y="22">{text(title)}</text>')
        parts.append(f'<g transform="translate(0 28)">{picture_content(picture, found)}</g></g>')
        top += found.height + 44
        width = max(width, found.width, 24 + 8 * len(title))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="alone" viewBox="0 0 {width:.0f} {top:.0f}" width="{width:.0f}"'
        f' height="{top:.0f}"><style>{STYLE}</style>{_ARROW}{"".join(parts)}</svg>\n'
    )


_ARROW = (
    '<defs><marker id="arrow" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" orient="auto">'
    '<path d="M0 0 10 5 0 10z" fill="#6e7781"/></marker></defs>'
)


def picture_content(picture: Picture, found: Layout) -> str:
    """Lines first, so that shapes lie over them."""
    lines = "".join(
        _line(line, number, way) for number, (line, way) in enumerate(zip(picture.lines, found.ways, strict=True))
    )
    return lines + "".join(_shape(shape, found) for shape in picture.shapes)


def picture_svg(picture: Picture) -> str:
    """A picture for the page, which pans and zooms it by its view box."""
    found = layout(picture)
    return (
        f'<svg viewBox="0 0 {found.width:.0f} {found.height:.0f}" role="group" aria-label="{text(picture.title)}">'
        f"{_ARROW}{picture_content(picture, found)}</svg>"
    )


def _shape(shape: Shape, found: Layout) -> str:
    (x, y), height = found.shapes[shape.id], found.heights[shape.id]
    group = "" if shape.group is None else f" g{shape.group % 4}"
    under = [f"{shape.bytes:,} bytes".replace(",", " ")] if shape.bytes else []
    if shape.kind is Kind.KEPT:
        under.append("kept")
    elif shape.group is not None:
        under.append(f"group {shape.group}")
    name, centre = text(shape.label), f'x="{SHAPE_WIDTH / 2:.0f}" text-anchor="middle"'
    told = text("\n".join([shape.label, *under, *shape.details]))
    if found.compact:
        texts = f'<text class="big" {centre} y="{height / 2 + 6:.1f}">{_cut(shape.label, _COMPACT_LETTERS)}</text>'
    else:
        first = height / 2 + (-4 if under else 5)
        texts = f'<text {centre} y="{first:.1f}">{_cut(shape.label, _LABEL_LETTERS)}</text>'
        texts += f'<text class="small" {centre} y="{first + 18:.1f}">{text(", ".join(under))}</text>'
    return (
        f'<g class="shape {shape.kind.value}{group}" data-id="{shape.id}" tabindex="0" role="button"'
        f' aria-label="{name}" transform="translate({x:.1f} {y:.1f})"><title>{told}</title>'
        f'<rect width="{SHAPE_WIDTH}" height="{height:.1f}" rx="8"/>{texts}</g>'
    )


def _line(line: Line, number: int, way: Sequence[Point]) -> str:
    how = "" if line.class_ in ("host", "export") else f" · {line.class_}"
    name = _cut(_short(line.label), _LINE_LETTERS - len(how))
    x, y = _middle(way)
    told = text("\n".join([f"{line.label} ({line.class_})", *line.functions]))
    return (
        f'<g class="line {line.class_}" data-line="{number}" data-from="{line.source}" data-to="{line.target}">'
        f'<title>{told}</title><path d="{_curve(way)}" marker-end="url(#arrow)"/>'
        f'<text x="{x:.1f}" y="{y - 4:.1f}" text-anchor="middle">{name}{how}</text></g>'
    )


def _short(label: str) -> str:
    """An interface without its package."""
    return label.rpartition("/")[2]


def _curve(way: Sequence[Point]) -> str:
    """Through all points, level at each: from left to right and back there are no corners."""
    (x, y), *rest = way
    path = f"M{x:.1f} {y:.1f}"
    for to_x, to_y in rest:
        middle = (x + to_x) / 2
        path += f"C{middle:.1f} {y:.1f} {middle:.1f} {to_y:.1f} {to_x:.1f} {to_y:.1f}"
        x, y = to_x, to_y
    return path


def _middle(way: Sequence[Point]) -> Point:
    half = len(way) // 2
    (x, y), (to_x, to_y) = way[half - 1], way[half]
    return (x + to_x) / 2, (y + to_y) / 2


def treemap_svg(drawing: Drawing, *, after: bool, width: int = 560, height: int = 420) -> str:
    """Bytes by component and module, as rectangles."""
    return (
        f'<svg viewBox="0 0 {width} {height}" role="group" aria-label="bytes {"after" if after else "before"}">'
        f"{''.join(_tiles(drawing, after, width, height))}</svg>"
    )


def _tiles(drawing: Drawing, after: bool, width: int, height: int) -> Iterator[str]:
    whole = drawing.bytes_after if after else drawing.bytes_before
    for tile in tiles(whole, width, height):
        share = 100 * tile.bytes / whole.bytes if whole.bytes else 0.0
        told = f"{' › '.join(tile.path)}: {tile.bytes} bytes ({share:.1f} %)"
        label = ""
        if tile.width > 44 and tile.height > 14:
            shown = _cut(f"{tile.path[-1]} {tile.bytes}", int(tile.width / 6.4))
            label = f'<text x="{tile.x + 4:.1f}" y="{tile.y + 12:.1f}">{shown}</text>'
        yield (
            f'<g class="tile d{min(tile.depth, 3)}" tabindex="0" role="img" aria-label="{text(told)}">'
            f'<title>{text(told)}</title><rect x="{tile.x:.1f}" y="{tile.y:.1f}" width="{tile.width:.1f}"'
            f' height="{tile.height:.1f}"/>{label}</g>'
        )


def _cut(name: str, letters: int) -> str:
    return text(name if len(name) <= letters else name[: max(1, letters - 1)] + "…")


def text(name: str) -> str:
    """Names come from inputs: nothing that a terminal or a page would take for more than text."""
    return html_escape("\n".join(escape(line) for line in name.split("\n")))
