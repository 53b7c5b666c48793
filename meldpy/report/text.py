"""Drawings as text for other tools: Graphviz' DOT, and Mermaid. Names from inputs are escaped for each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from meldpy.errors import escape
from meldpy.report.drawing import Kind, Line, Picture, Shape


def dot(title: str, pictures: Sequence[Picture]) -> str:
    """One graph; each picture is a cluster of it, and so is each fused group."""
    return "\n".join(_dot(title, pictures)) + "\n"


def _dot(title: str, pictures: Sequence[Picture]) -> Iterator[str]:
    yield f"digraph {_quoted(title)} {{"
    yield '  rankdir=LR; compound=true; fontname="sans-serif";'
    yield '  node [shape=box style="rounded,filled" fillcolor=white fontname="sans-serif"];'
    yield '  edge [fontname="sans-serif" fontsize=10];'
    for number, picture in enumerate(pictures):
        yield f"  subgraph cluster_{number} {{"
        yield f"    label={_quoted(picture.title)};"
        for group, shapes in _grouped(picture):
            indent = "    "
            if group is not None:
                yield f"    subgraph cluster_{number}_{group} {{"
                yield f'      label="fused group {group}: one core module"; style=filled; fillcolor="#e6f4ea";'
                indent = "      "
            for shape in shapes:
                yield f"{indent}{_dot_name(number, shape.id)} [label={_quoted(_label(shape))}{_dot_style(shape.kind)}];"
            if group is not None:
                yield "    }"
        yield "  }"
        for line in picture.lines:
            ends = f"{_dot_name(number, line.source)} -> {_dot_name(number, line.target)}"
            dashed = " style=dashed" if line.class_ == "engine" else ""
            told = _quoted(" / ".join(line.functions))
            yield f"  {ends} [label={_quoted(_line_label(line))}{dashed} tooltip={told}];"
    yield "}"


def mermaid(title: str, pictures: Sequence[Picture]) -> str:
    """A flowchart, as Markdown renderers draw it."""
    return "\n".join(_mermaid(title, pictures)) + "\n"


def _mermaid(title: str, pictures: Sequence[Picture]) -> Iterator[str]:
    yield "---"
    yield f"title: {_plain(title)}"
    yield "---"
    yield "flowchart LR"
    for number, picture in enumerate(pictures):
        yield f'  subgraph p{number}["{_plain(picture.title)}"]'
        for group, shapes in _grouped(picture):
            if group is not None:
                yield f'    subgraph p{number}g{group}["fused group {group}: one core module"]'
            for shape in shapes:
                left, right = ("([", "])") if shape.kind in (Kind.HOST, Kind.CALLER) else ("[", "]")
                yield f'    {_mermaid_name(number, shape.id)}{left}"{_plain(_label(shape))}"{right}'
            if group is not None:
                yield "    end"
        yield "  end"
        for line in picture.lines:
            arrow = "-.->" if line.class_ == "engine" else "-->"
            ends = _mermaid_name(number, line.source), _mermaid_name(number, line.target)
            yield f'  {ends[0]} {arrow}|"{_plain(_line_label(line))}"| {ends[1]}'
        kept = [_mermaid_name(number, shape.id) for shape in picture.shapes if shape.kind is Kind.KEPT]
        if kept:
            yield f"  class {','.join(kept)} kept"
    yield "  classDef kept stroke-dasharray: 6 4"


def _grouped(picture: Picture) -> Iterator[tuple[int | None, list[Shape]]]:
    """The shapes by fused group; first those that are in none."""
    groups: dict[int | None, list[Shape]] = {None: []}
    for shape in picture.shapes:
        groups.setdefault(shape.group, []).append(shape)
    yield from groups.items()


def _label(shape: Shape) -> str:
    kept = " (kept)" if shape.kind is Kind.KEPT else ""
    return f"{shape.label}{kept}" + (f"\n{shape.bytes} bytes" if shape.bytes else "")


def _line_label(line: Line) -> str:
    return line.label if line.class_ in ("host", "export") else f"{line.label} [{line.class_}]"


def _dot_name(picture: int, shape: int) -> str:
    return f"p{picture}_{_suffix(shape)}"


def _mermaid_name(picture: int, shape: int) -> str:
    return f"p{picture}n{_suffix(shape)}"


def _suffix(shape: int) -> str:
    return str(shape) if shape >= 0 else f"x{-shape}"


def _dot_style(kind: Kind) -> str:
    match kind:
        case Kind.KEPT:
            return ' style="rounded,dashed"'
        case Kind.HOST | Kind.CALLER:
            return ' shape=ellipse style=filled fillcolor="#eeeeee"'
        case _:
            return ""


def _quoted(text: str) -> str:
    """A DOT string; the only line breaks are ours."""
    lines = [escape(line).replace("\\", "\\\\").replace('"', '\\"') for line in text.split("\n")]
    return '"' + "\\n".join(lines) + '"'


def _plain(text: str) -> str:
    """Mermaid reads entities of its own, `#` and a number or name, and breaks lines at `<br>`."""
    safe = "".join(c if c.isalnum() or c in " ./:@_-+()," else f"#{ord(c)};" for c in text.replace("\n", "\x00"))
    return safe.replace("#0;", "<br>")
