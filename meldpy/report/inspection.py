"""`inspect`: what is inside one file, a component or a core module, binary or text."""

from __future__ import annotations

from pathlib import Path

from meldpy.binary.decode import decode_component, decode_module, is_module
from meldpy.core import read_surface, world_sections
from meldpy.engine.text import assemble, is_text
from meldpy.errors import MeldError
from meldpy.model.canon import ENCODING_WORDS
from meldpy.pipeline import FuseInput, named_input
from meldpy.records import replace
from meldpy.report.components import component_node
from meldpy.report.linked import findings
from meldpy.report.modules import module_node
from meldpy.report.tree import Inspection, Node
from meldpy.wit import world_text

__all__ = ["Inspection", "Node", "inspect"]


def inspect(item: FuseInput | str | Path | bytes) -> Inspection:
    """The components, core modules, memories, imports and exports inside `item`: a path, or the bytes.

    Raises a MeldError if it cannot be read; what only linking shows is left out, with the reason, if it cannot be
    linked.

        >>> found = inspect("fixtures/hello/app.wasm")
        >>> found.root.kind, found.root.size
        ('component', 2067)
        >>> [child.label for child in found.root.children if child.kind == "import"]
        ['demo:hello/greeting@1.0.0']
    """
    given = named_input(0, item)
    data = assemble(given.data, given.source) if is_text(given.data) else given.data
    return _module(data, given) if is_module(data) else _component(data, given)


def _component(data: bytes, item: FuseInput) -> Inspection:
    component = decode_component(data, item.source)
    node = component_node(component, item.source)
    try:
        found = findings(item, component)
    except MeldError as error:
        unknown = Node("resources", "", {"what": f"unknown, {error.reason}"})
        return Inspection(replace(node, children=(*node.children, unknown)), None)
    return Inspection(replace(node, children=(*node.children, *found.nodes)), found.wit)


def _module(data: bytes, item: FuseInput) -> Inspection:
    """A core module; a core output says its world too."""
    module = decode_module(data, item.source)
    node = replace(module_node(module, ""), label=item.source)
    if not world_sections(module):
        return Inspection(node, None)
    try:
        surface = read_surface(data, item.source)
    except MeldError as error:
        unknown = Node("world", "", {"what": f"unknown, {error.reason}"})
        return Inspection(replace(node, children=(*node.children, unknown)), None)
    encoding = Node("string encoding", ENCODING_WORDS[surface.encoding], {})
    wit = world_text(surface.world.imports, surface.world.exports)
    return Inspection(replace(node, children=(*node.children, encoding)), wit)
