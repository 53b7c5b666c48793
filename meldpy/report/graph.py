"""`graph`: a composition before and after fusing, drawn in the form that is asked for."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from meldpy.errors import UsageError
from meldpy.pipeline import FuseInput, FuseOptions, fuse
from meldpy.records import replace
from meldpy.report.drawing import Detail, Drawing
from meldpy.report.pictures import draw

FORMATS: Final = ("dot", "mermaid", "svg", "html", "json")
SHOWN: Final = ("both", "before", "after")

__all__ = ["FORMATS", "SHOWN", "Detail", "Drawing", "graph", "rendered"]


def graph(
    inputs: Sequence[FuseInput | str | Path | bytes],
    options: FuseOptions | None = None,
    *,
    format: str = "svg",
    detail: str = "interfaces",
    show: str = "both",
) -> str:
    """Fuse `inputs` as `meldpy.fuse` does, and draw what goes in and what comes out; nothing is written.

    format: "dot", "mermaid", "svg", "html" (one page that needs no other file) or "json". detail: what a line stands
    for, "instances", "interfaces" or "functions". show: "before", "after" or "both"; a page has both.

        >>> text = graph(["fixtures/hello/greeter.wasm", "fixtures/hello/app.wasm"], format="mermaid", show="after")
        >>> [line.strip() for line in text.splitlines() if "copy" in line]
        ['p0n3 -->|"demo:hello/greeting@1.0.0 #91;copy#93;"| p0n1']
    """
    for given, known in ((format, FORMATS), (detail, [each.value for each in Detail]), (show, SHOWN)):
        if given not in known:
            raise UsageError(f"there is no {given!r}", remedy=f"choose from: {', '.join(known)}")
    options = FuseOptions() if options is None else options
    return rendered(draw(fuse(inputs, replace(options, record=True)), Detail(detail)), format, show)


def rendered(drawing: Drawing, format: str, show: str) -> str:
    """The drawing in one of `FORMATS`."""
    pictures = {"before": [drawing.before], "after": [drawing.after], "both": [drawing.before, drawing.after]}[show]
    match format:
        case "dot":
            from meldpy.report.text import dot

            return dot(drawing.title, pictures)
        case "mermaid":
            from meldpy.report.text import mermaid

            return mermaid(drawing.title, pictures)
        case "svg":
            from meldpy.report.svg import svg

            return svg(drawing, pictures)
        case "html":
            from meldpy.report.page import page

            return page(drawing)
        case _:
            return json.dumps(drawing.data(), indent=2) + "\n"
