"""Drawings as one HTML page that needs nothing else: no network, no other file.

Layout and text are made here; the script (`page.js`) only moves, searches and tells. Its data is JSON in the page.
"""

from __future__ import annotations

import json
from importlib.resources import files

from meldpy import __version__
from meldpy.report.drawing import Drawing
from meldpy.report.svg import STYLE, picture_svg, text, treemap_svg


def page(drawing: Drawing) -> str:
    """The whole page."""
    folder = files("meldpy.report") / "web"
    # `<` could end the script element that the data is in
    data = json.dumps(drawing.data()).replace("<", "\\u003c")
    parts = {
        "TITLE": text(drawing.title),
        "VERSION": __version__,
        "STYLE": _themed(STYLE) + (folder / "page.css").read_text(encoding="utf-8"),
        "BEFORE": picture_svg(drawing.before),
        "AFTER": picture_svg(drawing.after),
        "BYTES_BEFORE": treemap_svg(drawing, after=False),
        "BYTES_AFTER": treemap_svg(drawing, after=True),
        "DATA": data,
        "SCRIPT": (folder / "page.js").read_text(encoding="utf-8"),
    }
    before, *rest = (folder / "page.html").read_text(encoding="utf-8").split("{{")
    return before + "".join(parts[name] + tail for name, _, tail in (each.partition("}}") for each in rest))


def _themed(style: str) -> str:
    """The style sheet with the dark rules for whoever chose dark, too."""
    light, _, dark = style.partition("@media (prefers-color-scheme: dark) {")
    dark = dark.rstrip().removesuffix("}")
    rules = [rule.partition("{") for rule in dark.split("}") if rule.strip()]
    chosen = "".join(f"{_under(':root[data-theme=dark]', names)} {{{body}}}\n" for names, _, body in rules)
    system = "".join(f"{_under(':root:not([data-theme=light])', names)} {{{body}}}\n" for names, _, body in rules)
    return f"{light}{chosen}@media (prefers-color-scheme: dark) {{\n{system}}}\n"


def _under(root: str, names: str) -> str:
    """Selectors that hold below `root` only."""
    return ", ".join(f"{root} {name.strip()}" for name in names.split(","))
