"""The core level of what definitions evaluate to: core instances, whose exports are found when they are asked for.

Core items themselves are identities of the model (`linked.CoreItem`); which item an export is follows from the module
and from what its imports were bound to. Spec: Explainer.md "Core Instance Definitions".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias, final

from meldpy.errors import DecodeError
from meldpy.model.core import CoreExport, CoreModule, CoreSort
from meldpy.model.ids import (
    CoreFuncIndex,
    CoreGlobalIndex,
    CoreInstanceId,
    CoreMemoryIndex,
    CoreTableIndex,
    CoreTagIndex,
    FuncId,
    GlobalId,
    MemoryId,
    TableId,
    TagId,
)
from meldpy.model.linked import CoreItem
from meldpy.records import dataclass, field
from meldpy.resolver.coretypes import sort_of


@final
@dataclass(frozen=True, slots=True)
class ModuleInfo:
    """What instantiation needs to know of a module: found once, however often it is instantiated.

    imported[sort]: for each imported item of the sort, in index order, its position among `module.imports`.
    defined[sort]: how many items of the sort the module defines itself.
    """

    module: CoreModule
    imported: Mapping[CoreSort, Sequence[int]]
    defined: Mapping[CoreSort, int]
    exports: Mapping[str, CoreExport]


@final
@dataclass(frozen=True, slots=True, eq=False)
class CoreModuleInstance:
    """An instantiated core module; its exports are looked up when asked for."""

    id: CoreInstanceId
    info: ModuleInfo
    args: tuple[CoreItem, ...]

    def export(self, name: str) -> CoreItem | None:
        found = self.info.exports.get(name)
        return None if found is None else self.item(found.sort, found.index)

    def item(self, sort: CoreSort, index: int) -> CoreItem:
        """What stands at `index` of the module's space of `sort`; an import is what it is bound to."""
        imported = self.info.imported[sort]
        if index < len(imported):
            return self.args[imported[index]]
        if index >= len(imported) + self.info.defined[sort]:
            raise DecodeError(f"the core module exports {sort.name.lower()} {index}, which does not exist")
        match sort:
            case CoreSort.FUNC:
                return FuncId(self.id, CoreFuncIndex(index))
            case CoreSort.TABLE:
                return TableId(self.id, CoreTableIndex(index))
            case CoreSort.MEMORY:
                return MemoryId(self.id, CoreMemoryIndex(index))
            case CoreSort.GLOBAL:
                return GlobalId(self.id, CoreGlobalIndex(index))
            case CoreSort.TAG:
                return TagId(self.id, CoreTagIndex(index))


@final
@dataclass(frozen=True, slots=True, eq=False)
class CoreInlineInstance:
    """A core instance made of inline exports."""

    items: Mapping[str, CoreItem] = field(default_factory=dict)

    def export(self, name: str) -> CoreItem | None:
        return self.items.get(name)


CoreInstanceValue: TypeAlias = "CoreModuleInstance | CoreInlineInstance"


def module_info(module: CoreModule) -> ModuleInfo:
    """DecodeError if it exports one name twice."""
    imported: dict[CoreSort, list[int]] = {sort: [] for sort in CoreSort}
    for position, import_ in enumerate(module.imports):
        imported[sort_of(import_.type)].append(position)
    defined = {
        CoreSort.FUNC: len(module.funcs),
        CoreSort.TABLE: len(module.tables),
        CoreSort.MEMORY: len(module.memories),
        CoreSort.GLOBAL: len(module.globals),
        CoreSort.TAG: len(module.tags),
    }
    exports = {export.name: export for export in module.exports}
    if len(exports) != len(module.exports):
        raise DecodeError("a core module exports one name twice")
    return ModuleInfo(module, imported, defined, exports)
