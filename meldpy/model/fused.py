"""The merged main module, its carriers, and how the outer component connects them: the boundary as data.

`wrap` turns this into a component; a later writer can turn the same data into a core module with a manifest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias, final

from meldpy.model.canon import StringEncoding
from meldpy.model.core import CoreModule, CoreSort
from meldpy.model.ids import ImportFuncId, LiftId, ResourceId


@final
@dataclass(frozen=True, slots=True)
class CoreExportRef:
    """An export of carrier number `carrier`, or of the main module if that is None."""

    carrier: int | None
    name: str
    sort: CoreSort


@final
@dataclass(frozen=True, slots=True)
class BoundOptions:
    """Canonical options of an outer canon lift or lower, with their places."""

    string_encoding: StringEncoding
    memory: CoreExportRef | None
    realloc: CoreExportRef | None
    post_return: CoreExportRef | None


@final
@dataclass(frozen=True, slots=True)
class BoundLower:
    """A main-module import satisfied by `canon lower` of an imported function. Options lie in carriers only."""

    func: ImportFuncId
    options: BoundOptions


@final
@dataclass(frozen=True, slots=True)
class BoundBuiltin:
    """A main-module import satisfied by `canon resource.{new,drop,rep}` (`op`) of `resource`."""

    op: str
    resource: ResourceId


MainImport: TypeAlias = "BoundLower | BoundBuiltin | CoreExportRef"
"""What one import of the main module is bound to; a CoreExportRef is a carrier's memory, table or function."""


@final
@dataclass(frozen=True, slots=True)
class BoundLift:
    """An outer `canon lift` of `core_func` (an export of the main module) for the exported lift `lift`."""

    lift: LiftId
    core_func: CoreExportRef
    options: BoundOptions


@final
@dataclass(frozen=True, slots=True)
class BoundResource:
    """A resource type that the outer component defines; a destructor is a carrier's forwarder."""

    resource: ResourceId
    dtor: CoreExportRef | None


@final
@dataclass(frozen=True, slots=True)
class Boundary:
    """Everything the outer component has to say about core items.

    main_imports[i] binds `main.imports[i]` (all imports of main have distinct (module, name) pairs).
    lifts: by the lifts that the graph's exports mention. resources: in an order in which they can be defined.
    """

    main_imports: tuple[MainImport, ...]
    lifts: tuple[BoundLift, ...]
    resources: tuple[BoundResource, ...]


@final
@dataclass(frozen=True, slots=True)
class FusedModule:
    """carriers: instantiated first, in order, with no imports. main: all guest code and adapters.

    dropped_customs: names of custom sections that could not be kept (they hold offsets or indices we do not
    rewrite), for `-v`.
    """

    carriers: tuple[CoreModule, ...]
    main: CoreModule
    boundary: Boundary
    dropped_customs: tuple[str, ...] = ()
