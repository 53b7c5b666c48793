"""Provenance put where it is read from: into a fused module, and into the component around it."""

from __future__ import annotations

from typing import Any

from meldpy import __version__
from meldpy.debugging import with_custom
from meldpy.model.component import Component, CustomSection
from meldpy.model.core import CoreModule, RawCustom
from meldpy.model.fused import FusedModule
from meldpy.model.linked import LinkedGraph
from meldpy.provenance.section import ROOT, SECTION, fuse_sum, origins, written
from meldpy.records import replace


def with_provenance(module: CoreModule, fused: FusedModule, graph: LinkedGraph, shaping: dict[str, Any]) -> CoreModule:
    """`module` with what its functions came from; `shaping`: the options that shaped it."""
    return with_custom(module, SECTION, written(__version__, shaping, graph.inputs, fused.units))


def with_root(component: Component, graph: LinkedGraph, shaping: dict[str, Any]) -> Component:
    """`component` with which fuse it came from: a part that was kept may say something else of itself."""
    content = fuse_sum(__version__, shaping, origins(graph.inputs))
    return replace(component, sections=(*component.sections, CustomSection(RawCustom(ROOT, content))))
