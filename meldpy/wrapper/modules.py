"""Core modules that are written as they are: each once, where it is first asked for; an imported one is aliased."""

from __future__ import annotations

from typing import final

from meldpy.model.ids import CoreModuleIndex, ModuleId
from meldpy.model.linked import LinkedGraph
from meldpy.wrapper.builder import ComponentBuilder
from meldpy.wrapper.imports import Imports


@final
class Modules:
    def __init__(self, graph: LinkedGraph, builder: ComponentBuilder, imports: Imports) -> None:
        self._graph = graph
        self._builder = builder
        self._imports = imports
        self._indices: dict[ModuleId, CoreModuleIndex] = {}

    def __call__(self, id_: ModuleId) -> CoreModuleIndex:
        """The index of a core module."""
        if id_ not in self._indices:
            module = self._graph.modules[id_]
            if module.imported is None:
                self._indices[id_] = CoreModuleIndex(self._builder.core_module(module.module))
            else:
                self._indices[id_] = self._imports.module(module.imported.import_, module.imported.path)
        return self._indices[id_]
