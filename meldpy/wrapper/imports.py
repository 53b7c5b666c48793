"""The imports of the outer component: every one of the composition, used or not, with its type.

Spec: Explainer.md "Import and Export Definitions".
"""

from __future__ import annotations

from typing import final

from meldpy.model.component import Sort
from meldpy.model.extern import InstanceType
from meldpy.model.ids import CoreModuleIndex, FuncIndex, ImportFuncId
from meldpy.model.linked import ImportFunc, LinkedGraph
from meldpy.records import dataclass, field
from meldpy.wrapper.builder import ComponentBuilder, ExportPath
from meldpy.wrapper.scope import Scope
from meldpy.wrapper.types import extern_desc, introduce


@final
@dataclass(slots=True)
class Imports:
    """Where imported functions and instances are found; those inside instances are aliased when asked for."""

    graph: LinkedGraph
    builder: ComponentBuilder
    world: Scope
    _indices: list[int] = field(default_factory=list)
    _paths: dict[tuple[int, tuple[str, ...]], ExportPath] = field(default_factory=dict)
    _funcs: dict[ImportFuncId, FuncIndex] = field(default_factory=dict)
    _modules: dict[tuple[int, tuple[str, ...]], CoreModuleIndex] = field(default_factory=dict)

    def write(self) -> None:
        for position, import_ in enumerate(self.graph.imports):
            index = self.builder.import_(import_.name, extern_desc(self.world, import_.type))
            introduce(self.world, import_.type, index)
            self._indices.append(index)
            if isinstance(import_.type, InstanceType):
                self._paths[position, ()] = ExportPath.at(self.builder, index)

    def func(self, func: ImportFunc) -> FuncIndex:
        """The index of an imported function."""
        if func.func not in self._funcs:
            imported = self.graph.import_funcs[func.func]
            if imported.path:
                *outer, name = imported.path
                index = self.instance(imported.import_, tuple(outer)).alias(Sort.FUNC, name)
            else:
                index = self._indices[imported.import_]
            self._funcs[func.func] = FuncIndex(index)
        return self._funcs[func.func]

    def module(self, import_: int, path: tuple[str, ...]) -> CoreModuleIndex:
        """The index of an imported core module."""
        if (import_, path) not in self._modules:
            if path:
                *outer, name = path
                found = self.instance(import_, tuple(outer)).alias(Sort.CORE_MODULE, name)
            else:
                found = self._indices[import_]
            self._modules[import_, path] = CoreModuleIndex(found)
        return self._modules[import_, path]

    def instance(self, import_: int, path: tuple[str, ...]) -> ExportPath:
        """The instance at `path` inside import number `import_`."""
        if (import_, path) not in self._paths:
            *outer, name = path
            self._paths[import_, path] = self.instance(import_, tuple(outer)).inner(name)
        return self._paths[import_, path]
